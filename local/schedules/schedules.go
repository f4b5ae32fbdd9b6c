// Package schedules stands in for EventBridge's rules: it invokes functions at the rates that the template gives.
package schedules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/template"
)

// ErrNone is returned by Trigger for a function that the template puts on no schedule.
var ErrNone = errors.New("the template puts this function on no schedule")

// Invoker runs functions; lambda.Host is one.
type Invoker interface {
	Invoke(ctx context.Context, function string, payload []byte) (lambda.Result, error)
	InvokeAsync(function string, payload []byte) error
}

// Clock tells the time and waits; tests bring their own.
type Clock interface {
	Now() time.Time
	After(wait time.Duration) <-chan time.Time
}

// System is the machine's clock.
type System struct{}

// Now returns the current time in UTC.
func (System) Now() time.Time { return time.Now().UTC() }

// After is time.After.
func (System) After(wait time.Duration) <-chan time.Time { return time.After(wait) }

// Options configure a Scheduler.
type Options struct {
	Triggers []*template.ScheduleTrigger
	Invoker  Invoker
	Log      *slog.Logger
	Clock    Clock // default System
}

// Scheduler keeps the schedules while it runs.
type Scheduler struct {
	options Options
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// Start begins every schedule; each runs its function for the first time one period from now.
func Start(o Options) *Scheduler {
	if o.Clock == nil {
		o.Clock = System{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Scheduler{options: o, cancel: cancel}
	for _, trigger := range o.Triggers {
		due := o.Clock.Now().Add(trigger.Every)
		wait := o.Clock.After(trigger.Every)
		s.running.Go(func() { s.keep(ctx, trigger, due, wait) })
	}
	return s
}

// Close ends the schedules. What they have started goes on.
func (s *Scheduler) Close() {
	s.cancel()
	s.running.Wait()
}

// keep runs one schedule. Periods that a sleeping machine has missed are not made up for, nor does EventBridge.
func (s *Scheduler) keep(ctx context.Context, trigger *template.ScheduleTrigger, due time.Time, wait <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait:
		}
		s.fire(trigger, due)
		now := s.options.Clock.Now()
		for due = due.Add(trigger.Every); !due.After(now); {
			due = due.Add(trigger.Every)
		}
		wait = s.options.Clock.After(due.Sub(now))
	}
}

// fire invokes asynchronously, as EventBridge does: Lambda tries again where the function fails.
func (s *Scheduler) fire(trigger *template.ScheduleTrigger, due time.Time) {
	payload, err := event(trigger, due)
	if err == nil {
		err = s.options.Invoker.InvokeAsync(trigger.Function, payload)
	}
	if err != nil {
		s.options.Log.Error("a schedule could not run its function", "function", trigger.Function, "error", err)
	}
}

// Trigger runs a function's schedule now and waits for the function. The event says that it is due at the given time, or
// now where that is zero. It returns ErrNone, or what Invoke returns.
func (s *Scheduler) Trigger(ctx context.Context, function string, due time.Time) (lambda.Result, error) {
	if due.IsZero() {
		due = s.options.Clock.Now()
	}
	for _, trigger := range s.options.Triggers {
		if trigger.Function != function {
			continue
		}
		payload, err := event(trigger, due)
		if err != nil {
			return lambda.Result{}, err
		}
		return s.options.Invoker.Invoke(ctx, function, payload)
	}
	return lambda.Result{}, fmt.Errorf("%w: %q", ErrNone, function)
}

// scheduled is the event that EventBridge sends for a schedule without an Input.
//
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
type scheduled struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"` // to the second
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     struct{} `json:"detail"`
}

func event(trigger *template.ScheduleTrigger, due time.Time) ([]byte, error) {
	if trigger.Input != "" {
		return []byte(trigger.Input), nil
	}
	return json.Marshal(scheduled{
		Version: "0", ID: lambda.NewRequestID(), DetailType: "Scheduled Event", Source: "aws.events", Account: template.Account,
		Time: due.UTC().Format(time.RFC3339), Region: template.Region, Resources: []string{template.RuleARN(trigger.Rule)},
	})
}
