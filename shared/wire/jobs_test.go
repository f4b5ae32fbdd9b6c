package wire_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
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

// TestOrderedJobs: a group's jobs are done together and in order; where that fails all of them come again.
func TestOrderedJobs(t *testing.T) {
	for _, test := range []struct {
		batch string // group and name of each
		done  map[string]string
		again []string
		fails bool
	}{
		{"", map[string]string{}, nil, false},
		{"a:1 b:1 a:2 b:2", map[string]string{"a": "12", "b": "12"}, nil, false},
		{"a:1 b:1 a:fails b:2 a:3", map[string]string{"a": "1fails3", "b": "12"}, []string{"0", "2", "4"}, false},
		{"a:1 b:1 a:{", map[string]string{"b": "1"}, []string{"0", "2"}, false},
		{"a:fails a:2", map[string]string{"a": "fails2"}, []string{}, true}, // the whole batch comes again, and is counted as failed
	} {
		var mutex sync.Mutex
		done := map[string]string{}
		handle := wire.OrderedJobs(func(_ context.Context, jobs []struct{ Group, Name string }) (err error) {
			mutex.Lock()
			defer mutex.Unlock()
			for _, job := range jobs {
				if done[job.Group] += job.Name; job.Name == "fails" {
					err = errors.New("fails")
				}
			}
			return err
		})
		var batch events.SQSEvent
		for i, message := range strings.Fields(test.batch) {
			group, name, _ := strings.Cut(message, ":")
			body := fmt.Sprintf(`{"group":%q,"name":%q}`, group, name)
			if name == "{" {
				body = name
			}
			batch.Records = append(batch.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Attributes: map[string]string{"MessageGroupId": group}, Body: body})
		}
		answer, err := handle(t.Context(), batch)
		var again []string
		for _, failure := range answer.BatchItemFailures {
			again = append(again, failure.ItemIdentifier)
		}
		if (err != nil) != test.fails || !slices.Equal(again, test.again) || !reflect.DeepEqual(done, test.done) {
			t.Errorf("%s: %v come again (%v), want %v; done were %v", test.batch, again, err, test.again, done)
		}
	}
}

// TestOrderedJobsWorksOnGroupsAtATime: each group waits for the other's.
func TestOrderedJobsWorksOnGroupsAtATime(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	handle := wire.OrderedJobs(func(context.Context, []jobOf) error {
		both.Done()
		both.Wait()
		return nil
	})
	var batch events.SQSEvent
	for _, group := range []string{"a", "b"} {
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: group, Attributes: map[string]string{"MessageGroupId": group}, Body: "{}"})
	}
	if _, err := handle(t.Context(), batch); err != nil {
		t.Error(err)
	}
}
