package template

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
)

// The resource types that the laptop runner stands in for. Others are known by their type only, and may stand under a
// Condition: alarms, dashboards and backups are made on AWS alone. What the runner stands in for may use !If inside, but not
// stand under a condition.
const (
	typeFunction  = "AWS::Serverless::Function"
	typeHTTP      = "AWS::Serverless::HttpApi"
	typeWebSocket = "AWS::Serverless::WebSocketApi"
	typeTable     = "AWS::DynamoDB::Table"
	typeQueue     = "AWS::SQS::Queue"
	typeBucket    = "AWS::S3::Bucket"
)

// Load reads the template at path. Parameters in params override the template's defaults; one that the template does
// not declare is an error.
func Load(path string, params map[string]string) (*Template, error) {
	tree, err := readTree(path)
	if err != nil {
		return nil, err
	}
	tpl, err := build(tree, params)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return tpl, nil
}

func build(tree map[string]any, params map[string]string) (*Template, error) {
	parameters, err := parameters(tree["Parameters"], params)
	if err != nil {
		return nil, err
	}
	resources, _ := tree["Resources"].(map[string]any)
	l := &loader{tpl: &Template{Parameters: parameters, Resources: map[string]string{}}}
	for id, resource := range resources {
		l.tpl.Resources[id] = kind(resource)
	}
	conditions, _ := tree["Conditions"].(map[string]any)
	l.scope = scope{parameters: parameters, resources: l.tpl.Resources, conditions: conditions, names: map[string]string{}}
	if err := l.scope.checkConditions(); err != nil {
		return nil, err
	}
	if err := l.scope.readQueueNames(resources); err != nil {
		return nil, err
	}
	if err := l.readGlobals(tree["Globals"]); err != nil {
		return nil, err
	}
	for _, id := range ordered(resources) {
		if err := l.resource(id, resources[id].(map[string]any)); err != nil {
			return nil, fmt.Errorf("resource %s: %w", id, err)
		}
	}
	l.tpl.sort()
	return l.tpl, l.check()
}

// loader builds a Template resource by resource.
type loader struct {
	tpl     *Template
	scope   scope
	globals functionProperties
	routes  []Route
}

func (l *loader) resource(id string, resource map[string]any) error {
	read := map[string]func(string, any) error{
		typeFunction: l.function, typeHTTP: l.http, typeWebSocket: l.webSocket, typeTable: l.table, typeQueue: l.queue, typeBucket: l.bucket,
	}[l.tpl.Resources[id]]
	if read == nil {
		return nil
	}
	if condition, ok := resource["Condition"]; ok {
		return fmt.Errorf("condition %v: a %s under a condition is not supported by the laptop runner", condition, l.tpl.Resources[id])
	}
	properties, err := l.scope.resolve(resource["Properties"])
	if err != nil {
		return err
	}
	return read(id, properties)
}

func (l *loader) readGlobals(tree any) error {
	resolved, err := l.scope.resolve(tree)
	if err != nil {
		return fmt.Errorf("Globals: %w", err)
	}
	globals := struct{ Function functionProperties }{}
	if err := decode(resolved, &globals); err != nil {
		return fmt.Errorf("Globals: %w", err)
	}
	l.globals = globals.Function
	return nil
}

// check holds the parts to each other once all are there.
func (l *loader) check() error {
	if err := first(l.checkQueues(), l.checkBuckets()); err != nil {
		return err
	}
	if len(l.routes) > 0 && l.tpl.HTTP == nil {
		return fmt.Errorf("functions have HttpApi events, but the template has no %s", typeHTTP)
	}
	if ws := l.tpl.WebSocket; ws != nil {
		for key, function := range ws.Routes {
			if l.tpl.Function(function) == nil {
				return fmt.Errorf("WebSocket route %s: %q is not a function of this template", key, function)
			}
		}
	}
	if l.tpl.HTTP == nil {
		return nil
	}
	l.tpl.HTTP.Routes = l.routes
	l.tpl.sort()
	return l.checkCircle()
}

// checkCircle refuses what CloudFormation refuses: the HTTP API's body names the functions of its routes, so the variables
// of these functions cannot name the API.
func (l *loader) checkCircle() error {
	for _, route := range l.routes {
		for name, value := range l.tpl.Function(route.Function).Environment {
			if strings.Contains(value, l.tpl.HTTP.URL) {
				return fmt.Errorf("function %s: %s names the HTTP API, which depends on the function by its route %s", route.Function, name, route.Key())
			}
		}
	}
	return nil
}

// parameters merges the declared defaults with the overrides.
func parameters(tree any, overrides map[string]string) (map[string]string, error) {
	declared, _ := tree.(map[string]any)
	result := make(map[string]string, len(declared))
	for name, p := range declared {
		properties, _ := p.(map[string]any)
		if value, ok := properties["Default"]; ok {
			result[name] = fmt.Sprint(value)
		}
	}
	for name, value := range overrides {
		if _, ok := declared[name]; !ok {
			return nil, fmt.Errorf("parameter %q is not declared", name)
		}
		result[name] = value
	}
	for name := range declared {
		if _, ok := result[name]; !ok {
			return nil, fmt.Errorf("parameter %q has neither a default nor a value", name)
		}
	}
	return result, nil
}

func kind(resource any) string {
	properties, _ := resource.(map[string]any)
	kind, _ := properties["Type"].(string)
	return kind
}

// decode fills a struct from a resolved tree and refuses what the struct does not name.
func decode(tree, into any) error {
	text, err := json.Marshal(tree)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("not understood by the laptop runner: %w", err)
	}
	return nil
}

func ordered(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
