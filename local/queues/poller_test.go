package queues_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/queues"
	"github.com/tokenim/tokenim/local/template"
)

// worker is a function that answers as it is told.
type worker struct {
	mu      sync.Mutex
	answer  func(events.SQSEvent) (string, error)
	takes   time.Duration
	running int
	most    int
	calls   []call
}

// call is one invocation: when it began, the bodies, and the receive counts.
type call struct {
	after  time.Duration
	bodies string
	counts string
}

func (w *worker) Invoke(_ context.Context, _ string, payload []byte) (lambda.Result, error) {
	var event events.SQSEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		return lambda.Result{}, err
	}
	w.begin(event)
	time.Sleep(w.takes)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	if w.answer == nil {
		return lambda.Result{Payload: []byte("null")}, nil
	}
	text, err := w.answer(event)
	if err != nil {
		return lambda.Result{Payload: []byte(err.Error()), FunctionError: "Unhandled"}, nil
	}
	return lambda.Result{Payload: []byte(text)}, nil
}

func (w *worker) begin(event events.SQSEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running++
	w.most = max(w.most, w.running)
	var bodies, counts []string
	for _, r := range event.Records {
		bodies = append(bodies, r.Body[:1])
		counts = append(counts, r.Attributes["ApproximateReceiveCount"])
	}
	w.calls = append(w.calls, call{time.Since(began), strings.Join(bodies, ""), strings.Join(counts, "")})
}

// began is when every bubble begins.
var began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// poll runs a test in a bubble, where time passes without waiting, with a poller of one trigger.
func poll(t *testing.T, w *worker, change func(*template.QueueTrigger), test func(t *testing.T, s *queues.Service, put func(bodies ...string))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := queues.Open(queues.Options{Queues: []*template.Queue{jobs, dead, lines, deadLines}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		trigger := &template.QueueTrigger{Function: "Worker", Queue: "jobs", BatchSize: 3, Concurrency: 2, PartialBatches: true}
		if change != nil {
			change(trigger)
		}
		p := s.Poll([]*template.QueueTrigger{trigger}, w, -1)
		defer p.Close()
		test(t, s, func(bodies ...string) {
			if err := s.PutAll("jobs", bodies...); err != nil {
				t.Error(err)
			}
		})
	})
}

func (w *worker) saw() []call {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// fails reports the messages whose body begins with one of the letters.
func fails(letters string) func(events.SQSEvent) (string, error) {
	return func(event events.SQSEvent) (string, error) {
		response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
		for _, r := range event.Records {
			if strings.Contains(letters, r.Body[:1]) {
				response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: r.MessageId})
			}
		}
		text, err := json.Marshal(response)
		return string(text), err
	}
}

func TestWhatFailsComesAgainAndThenIsADeadLetter(t *testing.T) {
	w := &worker{answer: fails("b")}
	poll(t, w, nil, func(t *testing.T, s *queues.Service, put func(...string)) {
		put("a", "b", "c")
		want := []call{{0, "abc", "111"}}
		if got := w.saw(); !slices.Equal(got, want) {
			t.Errorf("calls = %v", got)
		}
		time.Sleep(time.Minute)
		want = append(want, call{30 * time.Second, "b", "2"})
		if got := w.saw(); !slices.Equal(got, want) {
			t.Errorf("calls = %v, want %v", got, want)
		}
		if d := s.Depths(); d[0] != (queues.Depth{Name: "jobs"}) || d[1].Visible != 1 {
			t.Errorf("depths = %+v", d)
		}
	})
}

// With each of these the whole batch comes again, although the function answers.
func TestAnswersThatFailTheWholeBatch(t *testing.T) {
	for name, answer := range map[string]string{
		"no JSON": "{", "unknown": `{"batchItemFailures":[{"itemIdentifier":"x"}]}`, "empty": `{"batchItemFailures":[{"itemIdentifier":""}]}`,
		"null": `{"batchItemFailures":[{"itemIdentifier":null}]}`, "key": `{"batchItemFailures":[{"id":"x"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := &worker{answer: func(events.SQSEvent) (string, error) { return answer, nil }}
			poll(t, w, nil, func(t *testing.T, s *queues.Service, put func(...string)) {
				put("a", "b")
				time.Sleep(30 * time.Second)
				if got := w.saw(); len(got) != 2 || got[1].bodies != "ab" {
					t.Errorf("calls = %v", got)
				}
			})
		})
	}
}

func TestAnswersThatAreSuccess(t *testing.T) {
	for _, answer := range []string{"", "null", "{}", `{"batchItemFailures":null}`, `{"batchItemFailures":[]}`} {
		w := &worker{answer: func(events.SQSEvent) (string, error) { return answer, nil }}
		poll(t, w, nil, func(t *testing.T, s *queues.Service, put func(...string)) {
			put("a")
			time.Sleep(time.Minute)
			if got := w.saw(); len(got) != 1 || s.Depths()[0] != (queues.Depth{Name: "jobs"}) {
				t.Errorf("%q: calls = %v", answer, got)
			}
		})
	}
}

func TestAFunctionThatFailsSeesItsBatchAgain(t *testing.T) {
	w := &worker{answer: func(e events.SQSEvent) (string, error) {
		if e.Records[0].Attributes["ApproximateReceiveCount"] == "1" {
			return "", errors.New("on purpose")
		}
		return "no partial response", nil // which is not read without PartialBatches
	}}
	poll(t, w, func(q *template.QueueTrigger) { q.PartialBatches = false }, func(t *testing.T, s *queues.Service, put func(...string)) {
		put("a", "b")
		time.Sleep(time.Hour / 2)
		want := []call{{0, "ab", "11"}, {30 * time.Second, "ab", "22"}}
		if got := w.saw(); !slices.Equal(got, want) {
			t.Errorf("calls = %v", got)
		}
	})
}

func TestNoMoreBatchesThanTheTriggerSays(t *testing.T) {
	w := &worker{takes: time.Second}
	poll(t, w, func(q *template.QueueTrigger) { q.BatchSize = 1 }, func(t *testing.T, s *queues.Service, put func(...string)) {
		put("a", "b", "c", "d", "e")
		time.Sleep(10 * time.Second)
		if got := w.saw(); len(got) != 5 || got[4].after != 2*time.Second || w.most != 2 {
			t.Errorf("calls = %v, %d at a time", got, w.most)
		}
	})
}

func TestABatchIsWaitedForUntilItIsFull(t *testing.T) {
	w := &worker{}
	poll(t, w, func(q *template.QueueTrigger) { q.Window = 5 * time.Second }, func(t *testing.T, s *queues.Service, put func(...string)) {
		time.Sleep(time.Second)
		put("a")
		time.Sleep(2 * time.Second)
		put("b")
		time.Sleep(7 * time.Second)
		put("c", "d", "e", "f")
		time.Sleep(time.Minute)
		want := []call{{6 * time.Second, "ab", "11"}, {10 * time.Second, "cde", "111"}, {15 * time.Second, "f", "1"}}
		if got := w.saw(); !slices.Equal(got, want) {
			t.Errorf("calls = %v, want %v", got, want)
		}
	})
}

// An event is no larger than what Lambda takes.
func TestLargeMessagesComeInSmallBatches(t *testing.T) {
	w := &worker{}
	poll(t, w, func(q *template.QueueTrigger) { q.Concurrency = 1 }, func(t *testing.T, s *queues.Service, put func(...string)) {
		large := strings.Repeat(`"<`, template.MaxQueueMessage/2)
		put(large, large, large)
		if got := w.saw(); len(got) != 2 || got[0].bodies != `""` {
			t.Errorf("calls = %v", got)
		}
	})
}

func TestABatchComesTwiceOnPurpose(t *testing.T) {
	w := &worker{}
	poll(t, w, nil, func(t *testing.T, s *queues.Service, put func(...string)) {
		s.DoubleNext(1)
		put("a")
		time.Sleep(time.Hour / 2)
		put("b")
		if got := w.saw(); len(got) != 3 || got[1].bodies != "a" {
			t.Errorf("calls = %v", got)
		}
	})
}
