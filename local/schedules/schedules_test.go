package schedules_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/schedules"
	"github.com/tokenim/tokenim/local/template"
)

// recorder is an Invoker that keeps what it is told to run.
type recorder struct {
	mu     sync.Mutex
	async  []string // function, and the time of the event or the event itself
	waited []string
	failed string
}

func (r *recorder) Invoke(_ context.Context, function string, payload []byte) (lambda.Result, error) {
	r.waited = append(r.waited, function+" "+what(payload))
	return lambda.Result{Payload: []byte(`{"done":1}`), FunctionError: r.failed}, nil
}

func (r *recorder) InvokeAsync(function string, payload []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.async = append(r.async, function+" "+what(payload))
	return nil
}

func (r *recorder) ran() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.async)
}

func what(payload []byte) string {
	var event events.CloudWatchEvent
	if err := json.Unmarshal(payload, &event); err != nil || event.Source == "" {
		return string(payload)
	}
	return event.Time.Format("15:04:05")
}

func start(t *testing.T, invoker schedules.Invoker, triggers ...*template.ScheduleTrigger) *schedules.Scheduler {
	t.Helper()
	s := schedules.Start(schedules.Options{Triggers: triggers, Invoker: invoker, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(s.Close)
	return s
}

// In the bubble time passes without waiting, from midnight.
func TestFunctionsRunAtTheirRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := start(t, r, &template.ScheduleTrigger{Function: "Quick", Rule: "q", Every: time.Minute},
			&template.ScheduleTrigger{Function: "Slow", Rule: "s", Every: 2 * time.Minute, Input: `{"slow":true}`})
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if len(r.ran()) > 0 {
			t.Errorf("before the first period: %v", r.ran())
		}
		time.Sleep(4*time.Minute - 58*time.Second)
		synctest.Wait()
		want := map[string]int{"Quick 00:01:00": 1, "Quick 00:02:00": 1, "Quick 00:03:00": 1, "Quick 00:04:00": 1, `Slow {"slow":true}`: 2}
		for _, run := range r.ran() {
			want[run]--
		}
		for run, left := range want {
			if left != 0 {
				t.Errorf("%s: %d runs are missing, of %v", run, left, r.ran())
			}
		}
		s.Close()
		time.Sleep(time.Hour)
		if len(r.ran()) != 6 {
			t.Errorf("after Close: %v", r.ran())
		}
	})
}

// manual is a clock that a test moves.
type manual struct {
	now   time.Time
	waits chan time.Duration
	fire  chan time.Time
}

func (m *manual) Now() time.Time { return m.now }

func (m *manual) After(wait time.Duration) <-chan time.Time {
	m.waits <- wait
	return m.fire
}

func TestMissedPeriodsAreNotMadeUpFor(t *testing.T) {
	begun := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	clock := &manual{now: begun, waits: make(chan time.Duration, 1), fire: make(chan time.Time)}
	r := &recorder{}
	s := schedules.Start(schedules.Options{Triggers: []*template.ScheduleTrigger{{Function: "F", Every: time.Minute}},
		Invoker: r, Log: slog.New(slog.DiscardHandler), Clock: clock})
	defer s.Close()
	if wait := <-clock.waits; wait != time.Minute {
		t.Errorf("the first run is after %v", wait)
	}
	clock.now = begun.Add(time.Hour + 10*time.Second) // the machine slept
	clock.fire <- clock.now
	if wait := <-clock.waits; wait != 50*time.Second {
		t.Errorf("the next run is after %v", wait)
	}
	if len(r.ran()) != 1 || r.ran()[0] != "F 10:01:00" {
		t.Errorf("runs %v", r.ran())
	}
}

func TestTheEventIsEventBridges(t *testing.T) {
	r := &keeper{}
	due := time.Date(2027, 1, 2, 3, 4, 5, 6, time.FixedZone("east", 3600))
	if _, err := start(t, r, &template.ScheduleTrigger{Function: "F", Rule: "stack-FNightly", Every: time.Hour}).Trigger(t.Context(), "F", due); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(r.payload, &got); err != nil {
		t.Fatal(err)
	}
	if id, _ := got["id"].(string); len(id) != 36 {
		t.Errorf("id = %v", got["id"])
	}
	delete(got, "id")
	text, _ := json.Marshal(got)
	want := `{"account":"000000000000","detail":{},"detail-type":"Scheduled Event","region":"us-east-1",` +
		`"resources":["arn:aws:events:us-east-1:000000000000:rule/stack-FNightly"],"source":"aws.events","time":"2027-01-02T02:04:05Z","version":"0"}`
	if string(text) != want {
		t.Errorf("event %s, want %s", text, want)
	}
}

// keeper keeps the event.
type keeper struct {
	recorder
	payload []byte
}

func (k *keeper) Invoke(_ context.Context, _ string, payload []byte) (lambda.Result, error) {
	k.payload = payload
	return lambda.Result{}, nil
}

func TestTriggerRunsNowAndAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{failed: "Unhandled"}
		s := start(t, r, &template.ScheduleTrigger{Function: "F", Every: time.Hour})
		result, err := s.Trigger(t.Context(), "F", time.Time{})
		if err != nil || string(result.Payload) != `{"done":1}` || result.FunctionError != "Unhandled" || len(r.waited) != 1 || r.waited[0] != "F 00:00:00" {
			t.Errorf("Trigger = %+v, %v, ran %v", result, err, r.waited)
		}
		if _, err := s.Trigger(t.Context(), "G", time.Time{}); !errors.Is(err, schedules.ErrNone) {
			t.Errorf("error = %v", err)
		}
	})
}
