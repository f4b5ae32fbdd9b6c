package template

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// ScheduleTrigger is an event of type Schedule.
type ScheduleTrigger struct {
	Function string
	Rule     string        // the rule's physical name
	Every    time.Duration // the rate
	Input    string        // the event as JSON; empty: EventBridge's own
}

func (l *loader) scheduleEvent(function, name string, properties map[string]any) error {
	var p struct {
		Schedule         string
		Input            string
		Enabled          *bool
		Name             string
		Description      ignored
		RetryPolicy      ignored // for calls that Lambda does not take; the runner's always does
		DeadLetterConfig ignored
	}
	if err := decode(properties, &p); err != nil {
		return err
	}
	every, err := rate(p.Schedule)
	if err != nil {
		return err
	}
	if p.Input != "" && !json.Valid([]byte(p.Input)) {
		return fmt.Errorf("input %q is not JSON", p.Input)
	}
	for _, other := range l.tpl.Schedules {
		if other.Function == function {
			return fmt.Errorf("a second schedule of one function is not supported by the laptop runner")
		}
	}
	if p.Enabled == nil || *p.Enabled {
		rule := first(p.Name, StackName+"-"+function+name)
		l.tpl.Schedules = append(l.tpl.Schedules, &ScheduleTrigger{Function: function, Rule: rule, Every: every, Input: p.Input})
	}
	return nil
}

var rateForm = regexp.MustCompile(`^rate\(([1-9][0-9]{0,5}) (minute|hour|day)(s?)\)$`)

// rate reads a rate expression. As with EventBridge, the unit is singular with 1, and plural with every other number.
func rate(expression string) (time.Duration, error) {
	form := rateForm.FindStringSubmatch(expression)
	if form == nil || (form[1] == "1") != (form[3] == "") {
		return 0, fmt.Errorf("schedule %q: only rate(1 minute), rate(5 minutes) and the like are supported by the laptop runner", expression)
	}
	n, err := strconv.Atoi(form[1])
	if err != nil {
		return 0, fmt.Errorf("schedule %q: %w", expression, err)
	}
	unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[form[2]]
	return time.Duration(n) * unit, nil
}

// RuleARN is the ARN that the laptop runner gives to EventBridge's rule of that name.
func RuleARN(name string) string { return arn("events", "rule/"+name) }
