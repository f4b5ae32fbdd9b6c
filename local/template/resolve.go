package template

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// scope answers !Ref, !Sub, !GetAtt and, with the conditions, !If.
type scope struct {
	parameters map[string]string
	resources  map[string]string // logical ID -> type
	conditions map[string]any    // name -> unresolved
	names      map[string]string // logical ID -> the name that the resource gives itself, of queues
}

// noValue is what !Ref AWS::NoValue gives: the property or the item that has it is not there.
type noValue struct{}

// resolve replaces every intrinsic in value.
func (s scope) resolve(value any) (any, error) {
	switch v := value.(type) {
	case map[string]any:
		return s.resolveMap(v)
	case []any:
		return s.resolveList(v)
	case intrinsic:
		resolved, err := s.call(v)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", v.line, err)
		}
		return resolved, nil
	}
	return value, nil
}

func (s scope) resolveList(v []any) (any, error) {
	result := make([]any, 0, len(v))
	for _, item := range v {
		resolved, err := s.resolve(item)
		if err != nil {
			return nil, err
		}
		if resolved != (noValue{}) {
			result = append(result, resolved)
		}
	}
	return result, nil
}

func (s scope) resolveMap(v map[string]any) (any, error) {
	result := make(map[string]any, len(v))
	for key, item := range v {
		if key == "Ref" || strings.HasPrefix(key, "Fn::") {
			return nil, fmt.Errorf("%s: write the short form, such as !Ref; the long form is not supported", key)
		}
		resolved, err := s.resolve(item)
		if err != nil {
			return nil, err
		}
		if resolved != (noValue{}) {
			result[key] = resolved
		}
	}
	return result, nil
}

func (s scope) call(i intrinsic) (any, error) {
	if i.name == "!If" {
		return s.choose(i.value)
	}
	argument, ok := i.value.(string)
	if !ok {
		return nil, fmt.Errorf("%s with anything but a string is not supported by the laptop runner", i.name)
	}
	switch i.name {
	case "!Ref":
		if argument == "AWS::NoValue" {
			return noValue{}, nil
		}
		return s.ref(argument)
	case "!Sub":
		return s.sub(argument)
	case "!GetAtt":
		return s.attribute(argument)
	}
	return nil, fmt.Errorf("%s is not supported by the laptop runner", i.name)
}

// ref resolves a pseudo parameter, a parameter, or a resource to its physical name; a queue to its URL.
func (s scope) ref(name string) (string, error) {
	pseudo := map[string]string{
		"AWS::Region": Region, "AWS::AccountId": Account, "AWS::Partition": Partition,
		"AWS::URLSuffix": URLSuffix, "AWS::StackName": StackName,
	}
	if value, ok := pseudo[name]; ok {
		return value, nil
	}
	if value, ok := s.parameters[name]; ok {
		return value, nil
	}
	switch kind, ok := s.resources[name]; {
	case kind == typeQueue:
		return queueURL(s.name(kind, name)), nil
	case ok:
		return s.name(kind, name), nil
	}
	return "", fmt.Errorf("%q is neither a parameter nor a resource of this template", name)
}

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

// sub resolves the ${Name} and ${Name.Attribute} in text; ${!Literal} stays as ${Literal}.
func (s scope) sub(text string) (string, error) {
	var failed error
	result := placeholder.ReplaceAllStringFunc(text, func(match string) string {
		name := match[2 : len(match)-1]
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		resolve := s.ref
		if strings.Contains(name, ".") {
			resolve = s.attribute
		}
		value, err := resolve(name)
		if err != nil && failed == nil {
			failed = err
		}
		return value
	})
	return result, failed
}

// attribute resolves Resource.Attribute.
func (s scope) attribute(argument string) (string, error) {
	id, attribute, _ := strings.Cut(argument, ".")
	kind, ok := s.resources[id]
	if !ok {
		return "", fmt.Errorf("%q is not a resource of this template", id)
	}
	name := s.name(kind, id)
	switch {
	case attribute == "Arn" && kind == typeFunction:
		return FunctionARN(name), nil
	case attribute == "Arn" && kind == typeTable:
		return tableARN(name), nil
	case attribute == "StreamArn" && kind == typeTable:
		return tableARN(name) + "/stream/local", nil
	case attribute == "ApiEndpoint" && kind == typeHTTP:
		return endpoint(name), nil
	case attribute == "Arn" && kind == "AWS::KMS::Key":
		return arn("kms", "key/"+name), nil
	case attribute == "Arn" && kind == typeQueue:
		return queueARN(name), nil
	case attribute == "QueueName" && kind == typeQueue:
		return name, nil
	case attribute == "QueueUrl" && kind == typeQueue:
		return queueURL(name), nil
	case attribute == "Arn" && kind == typeBucket:
		return bucketARN(name), nil
	case attribute == "RegionalDomainName" && kind == typeBucket:
		return name + ".s3." + Region + "." + URLSuffix, nil
	}
	return "", fmt.Errorf("attribute %s of a %s is not supported by the laptop runner", argument, kind)
}

// FunctionARN is the ARN that the laptop runner gives to the function of that name.
func FunctionARN(name string) string { return arn("lambda", "function:"+name) }

func tableARN(name string) string { return arn("dynamodb", "table/"+name) }

func arn(service, rest string) string {
	return strings.Join([]string{"arn", Partition, service, Region, Account, rest}, ":")
}

// name is what a resource names itself, or what the runner names it.
func (s scope) name(kind, id string) string {
	return first(s.names[id], physical(kind, id))
}

// physical names a resource. Functions keep their logical ID, so that logs and errors name what the template names.
func physical(kind, id string) string {
	if kind == typeFunction {
		return id
	}
	if kind == typeTable || kind == typeQueue || kind == typeBucket {
		return kebab(id)
	}
	return strings.ToLower(id)
}

// kebab turns DataKeysTable into data-keys-table.
func kebab(id string) string {
	var b strings.Builder
	for i, r := range id {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
