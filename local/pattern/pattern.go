// Package pattern evaluates the patterns of Lambda's event filters, as far as they are used: a record passes where it has
// all that the pattern names.
//
//	p, err := pattern.Parse(`{"eventName": ["INSERT"], "dynamodb": {"NewImage": {"large": {"N": [{"exists": true}]}}}}`, "eventName", "dynamodb")
//	ok := p.Matches(record) // as encoding/json reads it into an any
//
// A list is of values, of which the record has to have one: a text, true, false or null, {"exists": true} or false, or
// {"prefix": "text"}. Anything else is refused by Parse. Mind that a number of DynamoDB's is a text in its records, {"N": "7"}.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax
package pattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxSize bounds a pattern, in bytes.
const maxSize = 4096

// Pattern is one pattern.
type Pattern struct{ root object }

// Parse reads a pattern. At its top it may name these keys, which the source's records have, and no others. It returns an
// error for what AWS refuses and for what this package does not know.
func Parse(text string, keys ...string) (*Pattern, error) {
	if len(text) > maxSize {
		return nil, fmt.Errorf("the pattern has %d bytes; AWS takes %d", len(text), maxSize)
	}
	var tree map[string]any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		return nil, fmt.Errorf("the pattern is not a JSON object: %w", err)
	}
	for key := range tree {
		if !slices.Contains(keys, key) {
			return nil, fmt.Errorf("the pattern names %q; the records that it may filter by have %s", key, strings.Join(keys, ", "))
		}
	}
	root, err := parseObject(tree)
	if err != nil {
		return nil, err
	}
	return &Pattern{root}, nil
}

// Matches tells whether the pattern lets a record pass, which is one that encoding/json has read into an any.
func (p *Pattern) Matches(record any) bool { return p.root.matches(record, true) }

// node is a part of a pattern. Its value is not in the record where there is false.
type node interface {
	matches(value any, there bool) bool
}

// object asks something of each of its keys.
type object map[string]node

// leaf asks for one of its values.
type leaf []rule

// rule tells whether it takes a value that is no object and no list.
type rule func(value any, there bool) bool

func parseObject(tree map[string]any) (object, error) {
	if len(tree) == 0 {
		return nil, errors.New("the pattern has an empty object")
	}
	result := object{}
	for key, value := range tree {
		var err error
		switch v := value.(type) {
		case map[string]any:
			result[key], err = parseObject(v)
		case []any:
			result[key], err = parseLeaf(v)
		default:
			err = errors.New("neither an object nor a list")
		}
		if err == nil && strings.HasPrefix(key, "$") {
			err = errors.New("not known to the laptop runner")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return result, nil
}

func parseLeaf(values []any) (leaf, error) {
	if len(values) == 0 {
		return nil, errors.New("an empty list, which nothing matches")
	}
	var result leaf
	for _, value := range values {
		r, err := parseRule(value)
		if err != nil {
			return nil, err
		}
		result = append(result, r)
	}
	return result, nil
}

func parseRule(value any) (rule, error) {
	switch v := value.(type) {
	case string, bool, nil:
		return func(value any, there bool) bool { return there && value == v }, nil
	case map[string]any:
		if wanted, ok := v["exists"].(bool); ok && len(v) == 1 {
			return func(_ any, there bool) bool { return there == wanted }, nil
		}
		if prefix, ok := v["prefix"].(string); ok && len(v) == 1 {
			return func(value any, _ bool) bool {
				text, ok := value.(string)
				return ok && strings.HasPrefix(text, prefix)
			}, nil
		}
	}
	text, err := json.Marshal(value)
	return nil, errors.Join(fmt.Errorf("%s is not known to the laptop runner", text), err)
}

func (o object) matches(value any, _ bool) bool {
	if list, ok := value.([]any); ok {
		return slices.ContainsFunc(list, func(item any) bool { return o.matches(item, true) })
	}
	fields, _ := value.(map[string]any) // else it has none of the keys
	for key, wanted := range o {
		field, there := fields[key]
		if !wanted.matches(field, there) {
			return false
		}
	}
	return true
}

// matches takes a list for its items, and an object for nothing: only values are compared, and exists works on them alone.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html#filtering-ddb-exists
func (l leaf) matches(value any, there bool) bool {
	switch v := value.(type) {
	case []any:
		if len(v) > 0 {
			return slices.ContainsFunc(v, func(item any) bool { return l.matches(item, true) })
		}
		there = false
	case map[string]any:
		value, there = nil, false
	}
	return slices.ContainsFunc(l, func(r rule) bool { return r(value, there) })
}
