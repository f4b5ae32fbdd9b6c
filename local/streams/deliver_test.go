package streams_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/pattern"
	"github.com/tokenim/tokenim/local/streams"
	"github.com/tokenim/tokenim/local/template"
)

// only lets the records pass whose key has the prefix.
func only(t *testing.T, prefix string) []*pattern.Pattern {
	t.Helper()
	p, err := pattern.Parse(fmt.Sprintf(`{"eventName": ["INSERT"], "dynamodb": {"NewImage": {"pk": {"S": [{"prefix": %q}]}}}}`, prefix), "eventName", "dynamodb")
	if err != nil {
		t.Fatal(err)
	}
	return []*pattern.Pattern{p}
}

// eventually waits until it holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(limit) {
			t.Fatal(what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestAFilterDropsRecordsAndThePositionGoesOn(t *testing.T) {
	client, endpoint, trigger := table(t)
	position := filepath.Join(t.TempDir(), "position.json")
	trigger.Filters = append(only(t, "k005"), only(t, "k00x")...)
	put(t, client, 0, 10) // one batch
	var delivered string
	before := &consumer{answer: func(_ int, _, sequences []string) (string, error) {
		delivered = sequences[0]
		return "", nil
	}}
	p := poll(t, endpoint, trigger, before, position)
	awaitAll(t, before, keys(5, 6))
	eventually(t, "the position does not move over the records that were dropped", func() bool {
		text, err := os.ReadFile(position)
		return err == nil && !strings.Contains(string(text), `"`+delivered+`"`)
	})
	passed, err := os.ReadFile(position)
	if err != nil {
		t.Fatal(err)
	}
	put(t, client, 10, 20) // of which none passes
	eventually(t, "the position does not move where none passes", func() bool {
		text, err := os.ReadFile(position)
		return err == nil && string(text) != string(passed)
	})
	p.Close()
	if len(before.batches) != 1 {
		t.Errorf("invocations %v; want one, of the record that passes", before.batches)
	}
	trigger.Filters = nil
	put(t, client, 20, 22)
	after := &consumer{}
	poll(t, endpoint, trigger, after, position)
	eventually(t, "nothing comes after the restart", func() bool { return slices.Contains(after.got(), key(21)) })
	if got := after.got(); slices.Contains(got, key(9)) {
		t.Errorf("what was dropped comes after the restart: %v", got)
	}
}

// A table's change of what stands has the same new image as its insertion would; a filter tells them by the event's name.
func TestAFilterTellsInsertionsFromChanges(t *testing.T) {
	client, endpoint, trigger := table(t)
	trigger.Filters = only(t, "k00")
	put(t, client, 0, 2)
	for n := range 2 {
		_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: aws.String("notes-table"),
			Key:              map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key(n)}},
			UpdateExpression: aws.String("SET edited = :at"), ExpressionAttributeValues: map[string]types.AttributeValue{":at": &types.AttributeValueMemberN{Value: "1"}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(t, client, 2, 3) // comes behind the changes
	c := &consumer{}
	poll(t, endpoint, trigger, c, "")
	awaitAll(t, c, keys(0, 3))
}

// A batch of which the first records are dropped fails, and comes again without them.
func TestWhatPassesAFilterIsTriedAgain(t *testing.T) {
	client, endpoint, trigger := table(t)
	trigger.Filters, trigger.PartialBatches = only(t, "k00"), true
	put(t, client, 8, 12)
	put(t, client, 0, 3)
	c := &consumer{}
	c.answer = func(call int, keys, sequences []string) (string, error) {
		if call > 1 {
			return "", nil
		}
		c.accepted = append(c.accepted, keys[:2]...)
		return fmt.Sprintf(`{"batchItemFailures":[{"itemIdentifier":%q}]}`, sequences[2]), nil
	}
	poll(t, endpoint, trigger, c, "")
	awaitAll(t, c, append(keys(8, 10), keys(0, 3)...))
}

func TestABatchIsHalvedDownToThePoison(t *testing.T) {
	client, endpoint, trigger := table(t)
	trigger.Bisect, trigger.Retries = true, 1
	put(t, client, 0, 10)
	c := &consumer{answer: func(_ int, keys, _ []string) (string, error) {
		if slices.Contains(keys, key(6)) {
			return "", errors.New("never")
		}
		return "", nil
	}}
	poll(t, endpoint, trigger, c, "")
	awaitAll(t, c, append(keys(0, 6), keys(7, 10)...))
	poison := 0
	for _, batch := range c.batches {
		if len(batch) == 1 && batch[0] == key(6) {
			poison++
		}
	}
	if poison != 2 {
		t.Errorf("the record alone was tried %d times, want its attempt and one more: %v", poison, c.batches)
	}
}

// What a function reports tells where to go on, so nothing has to be found by halves.
func TestABatchOfWhichAPartIsReportedIsNotHalved(t *testing.T) {
	client, endpoint, trigger := table(t)
	trigger.Bisect, trigger.PartialBatches = true, true
	put(t, client, 0, 4)
	c := &consumer{answer: func(call int, _, sequences []string) (string, error) {
		if call == 1 {
			return fmt.Sprintf(`{"batchItemFailures":[{"itemIdentifier":%q}]}`, sequences[0]), nil
		}
		return "", nil
	}}
	poll(t, endpoint, trigger, c, "")
	awaitAll(t, c, keys(0, 4))
	if len(c.batches) != 2 || len(c.batches[1]) != 4 {
		t.Errorf("batches = %v", c.batches)
	}
}

// told keeps what a destination is told.
type told struct {
	mu     sync.Mutex
	bodies []string
}

func (d *told) put(queue, body string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bodies = append(d.bodies, queue+" "+body)
	return nil
}

func (d *told) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.bodies)
}

func TestADestinationIsToldOfWhatIsGivenUp(t *testing.T) {
	for name, test := range map[string]struct {
		change    func(*template.StreamTrigger)
		condition string
		calls     int
	}{
		"attempts": {func(tr *template.StreamTrigger) { tr.Retries = 1 }, "RetryAttemptsExhausted", 2},
		"age":      {func(tr *template.StreamTrigger) { tr.MaximumAge = 1 }, "MaxRecordAgeExceeded", 0},
	} {
		t.Run(name, func(t *testing.T) {
			client, endpoint, trigger := table(t)
			trigger.Discards = "dead-letters"
			test.change(trigger)
			put(t, client, 0, 3)
			c := &consumer{answer: func(int, []string, []string) (string, error) { return "", errors.New("never") }}
			d := &told{}
			p, err := streams.Start(t.Context(), streams.Options{Endpoint: endpoint, Triggers: []*template.StreamTrigger{trigger}, Invoker: c,
				Log: slog.New(slog.DiscardHandler), Discard: d.put})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			eventually(t, "nobody is told", func() bool { return len(d.all()) > 0 })
			body, ok := strings.CutPrefix(d.all()[0], "dead-letters ")
			var record struct {
				RequestContext struct {
					Condition              string
					FunctionArn            string
					ApproximateInvokeCount int
				}
				DDBStreamBatchInfo struct {
					ShardID, StartSequenceNumber, EndSequenceNumber, StreamArn string
					BatchSize                                                  int
				}
			}
			if err := json.Unmarshal([]byte(body), &record); err != nil || !ok {
				t.Fatal(d.all()[0], err)
			}
			r, b := record.RequestContext, record.DDBStreamBatchInfo
			if r.Condition != test.condition || r.ApproximateInvokeCount != test.calls || c.calls != test.calls || !strings.HasSuffix(r.FunctionArn, ":function:Fanout") {
				t.Errorf("request = %+v after %d calls", r, c.calls)
			}
			if b.BatchSize != 3 || b.ShardID == "" || b.StreamArn == "" || b.StartSequenceNumber == "" || b.StartSequenceNumber == b.EndSequenceNumber {
				t.Errorf("batch = %+v", b)
			}
		})
	}
}
