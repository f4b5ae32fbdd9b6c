package wire_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/tokenim/tokenim/shared/wire"
)

type jobOf struct{ Name string }

// TestJobs: those that fail come again, and no others.
func TestJobs(t *testing.T) {
	for _, test := range []struct {
		bodies []string
		again  []string
		fails  bool
	}{
		{nil, nil, false},
		{[]string{`{"name":"one"}`, `{"name":"two"}`}, nil, false},
		{[]string{`{"name":"one"}`, `{"name":"fails"}`, `no JSON`}, []string{"1", "2"}, false},
		{[]string{`{"name":"fails"}`}, nil, true}, // the whole batch comes again, and is counted as failed
	} {
		var mutex sync.Mutex
		var done []string
		handle := wire.Jobs(func(_ context.Context, job jobOf) error {
			mutex.Lock()
			defer mutex.Unlock()
			done = append(done, job.Name)
			if job.Name == "fails" {
				return errors.New("fails")
			}
			return nil
		})
		var batch events.SQSEvent
		for i, body := range test.bodies {
			batch.Records = append(batch.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Body: body})
		}
		answer, err := handle(t.Context(), batch)
		var again []string
		for _, failure := range answer.BatchItemFailures {
			again = append(again, failure.ItemIdentifier)
		}
		if err == nil && answer.BatchItemFailures == nil {
			t.Errorf("%v: the answer has no list of failures; as JSON it is null", test.bodies)
		}
		if (err != nil) != test.fails || !slices.Equal(again, test.again) {
			t.Errorf("%v: %v come again (%v), want %v; done were %v", test.bodies, again, err, test.again, done)
		}
	}
}
