package template

import (
	"fmt"
	"slices"
)

// choose is !If [condition, then, else].
func (s scope) choose(argument any) (any, error) {
	parts, ok := argument.([]any)
	if !ok || len(parts) != 3 {
		return nil, fmt.Errorf("!If takes a list of three")
	}
	name, _ := parts[0].(string)
	holds, err := s.condition(name, nil)
	if err != nil {
		return nil, err
	}
	if holds {
		return s.resolve(parts[1])
	}
	return s.resolve(parts[2])
}

// condition evaluates a condition by its name. Within are the conditions that it is asked for.
func (s scope) condition(name string, within []string) (bool, error) {
	tree, ok := s.conditions[name]
	if !ok {
		return false, fmt.Errorf("%q is not a condition of this template", name)
	}
	if slices.Contains(within, name) {
		return false, fmt.Errorf("condition %s depends on itself", name)
	}
	holds, err := s.evaluate(tree, append(within, name))
	if err != nil {
		return false, fmt.Errorf("condition %s: %w", name, err)
	}
	return holds, nil
}

// evaluate evaluates what a condition is made of.
func (s scope) evaluate(tree any, within []string) (bool, error) {
	function, ok := tree.(intrinsic)
	if !ok {
		return false, fmt.Errorf("%v is not one of !Equals, !Not, !And, !Or, !Condition", tree)
	}
	if function.name == "!Condition" {
		name, _ := function.value.(string)
		return s.condition(name, within)
	}
	arguments, ok := function.value.([]any)
	if !ok {
		return false, fmt.Errorf("line %d: %s takes a list", function.line, function.name)
	}
	switch n := len(arguments); {
	case function.name == "!Equals" && n == 2:
		return s.equal(arguments)
	case function.name == "!Not" && n == 1:
		holds, err := s.evaluate(arguments[0], within)
		return !holds, err
	case function.name == "!And" && n >= 2 && n <= 10:
		return s.combine(arguments, within, true)
	case function.name == "!Or" && n >= 2 && n <= 10:
		return s.combine(arguments, within, false)
	}
	return false, fmt.Errorf("line %d: %s with %d arguments is not supported by the laptop runner", function.line, function.name, len(arguments))
}

// equal compares as CloudFormation does, as strings and with case.
func (s scope) equal(arguments []any) (bool, error) {
	left, err := s.resolve(arguments[0])
	if err != nil {
		return false, err
	}
	right, err := s.resolve(arguments[1])
	return fmt.Sprint(left) == fmt.Sprint(right), err
}

// combine is !And with neutral true, and !Or with neutral false: the result is neutral until an argument is not.
func (s scope) combine(arguments []any, within []string, neutral bool) (bool, error) {
	result := neutral
	for _, argument := range arguments {
		holds, err := s.evaluate(argument, within)
		if err != nil {
			return false, err
		}
		if holds != neutral {
			result = !neutral
		}
	}
	return result, nil
}

// checkConditions evaluates every condition once, so that a mistake in one that nothing uses is found too.
func (s scope) checkConditions() error {
	for _, name := range ordered(s.conditions) {
		if _, err := s.condition(name, nil); err != nil {
			return err
		}
	}
	return nil
}
