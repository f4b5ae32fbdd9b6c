package template

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// ignored is a property that makes no difference on a laptop, but may stand in the template.
type ignored = json.RawMessage

// functionProperties is what a function and Globals.Function may say.
type functionProperties struct {
	FunctionName  string
	CodeUri       string
	Handler       string
	Runtime       string
	Timeout       int
	MemorySize    int
	Environment   struct{ Variables map[string]any }
	Policies      []policy
	Events        map[string]event
	EventInvoke   *eventInvoke `json:"EventInvokeConfig"`
	Description   ignored
	Architectures ignored
	LoggingConfig ignored
	Tracing       ignored
	Tags          ignored
	EphemeralStorage,
	ReservedConcurrentExecutions ignored
}

type eventInvoke struct {
	MaximumEventAgeInSeconds *int
	MaximumRetryAttempts     *int
	// The runner keeps no dead letters: an invocation that failed for good is dropped, and its function's log says why.
	DestinationConfig ignored
}

type event struct {
	Type       string
	Properties map[string]any
}

func (l *loader) function(id string, tree any) error {
	var p functionProperties
	if err := decode(tree, &p); err != nil {
		return err
	}
	if p.CodeUri == "" {
		return fmt.Errorf("no CodeUri")
	}
	f := &Function{
		Name:        id,
		Alias:       p.FunctionName,
		Folder:      path.Clean(p.CodeUri),
		Handler:     first(p.Handler, l.globals.Handler),
		Timeout:     time.Duration(first(p.Timeout, l.globals.Timeout, 3)) * time.Second,
		MemoryMB:    first(p.MemorySize, l.globals.MemorySize, 128),
		Environment: map[string]string{},
	}
	for _, variables := range []map[string]any{l.globals.Environment.Variables, p.Environment.Variables} {
		for name, value := range variables {
			f.Environment[name] = fmt.Sprint(value)
		}
	}
	for _, policy := range p.Policies {
		f.Policies = append(f.Policies, policy.statements()...)
	}
	f.readInvoke(p.EventInvoke)
	l.tpl.Functions = append(l.tpl.Functions, f)
	return l.events(id, p.Events)
}

func (f *Function) readInvoke(config *eventInvoke) {
	f.Retries, f.MaximumAge = 2, 6*time.Hour
	if config != nil && config.MaximumRetryAttempts != nil {
		f.Retries = *config.MaximumRetryAttempts
	}
	if config != nil && config.MaximumEventAgeInSeconds != nil {
		f.MaximumAge = time.Duration(*config.MaximumEventAgeInSeconds) * time.Second
	}
}

// first returns the first value that is set.
func first[T comparable](values ...T) T {
	var zero T
	for _, value := range values {
		if value != zero {
			return value
		}
	}
	return zero
}

// policy is an inline statement list. Other kinds of policy carry no statements that a laptop could check.
type policy struct{ Statement []rawStatement }

type rawStatement struct {
	Sid       string
	Effect    string
	Action    stringOrList
	Resource  stringOrList
	Condition map[string]map[string]stringOrList
}

// UnmarshalJSON takes managed policies (names) and SAM's policy templates too, as policies without statements.
func (p *policy) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		return nil
	}
	type plain policy
	return json.Unmarshal(text, (*plain)(p))
}

func (p policy) statements() []Statement {
	statements := make([]Statement, 0, len(p.Statement))
	for _, s := range p.Statement {
		statements = append(statements, Statement{Effect: s.Effect, Actions: s.Action, Resources: s.Resource, Condition: s.condition()})
	}
	return statements
}

func (s rawStatement) condition() Condition {
	if s.Condition == nil {
		return nil
	}
	condition := make(Condition, len(s.Condition))
	for operator, keys := range s.Condition {
		condition[operator] = make(map[string][]string, len(keys))
		for key, values := range keys {
			condition[operator][key] = values
		}
	}
	return condition
}

type stringOrList []string

// UnmarshalJSON takes a string for a list of one. Numbers and booleans, as conditions may have them, become strings.
func (l *stringOrList) UnmarshalJSON(text []byte) error {
	if text[0] != '[' {
		text = slices.Concat([]byte{'['}, text, []byte{']'})
	}
	var values []any
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	for _, value := range values {
		switch value.(type) {
		case string, float64, bool:
			*l = append(*l, fmt.Sprint(value))
		default:
			return fmt.Errorf("%v is not a string", value)
		}
	}
	return nil
}

// functionName takes a function's name out of its ARN; a plain name stays.
func functionName(arn string) string {
	return arn[strings.LastIndexByte(arn, ':')+1:]
}
