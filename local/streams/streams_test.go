package streams_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/engine"
	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/streams"
	"github.com/tokenim/tokenim/local/template"
)

// consumer is a function that fails when told to.
type consumer struct {
	mu       sync.Mutex
	answer   func(call int, keys []string, sequences []string) (string, error)
	calls    int
	batches  [][]string
	accepted []string
}

func (c *consumer) Invoke(_ context.Context, _ string, payload []byte) (lambda.Result, error) {
	var event events.DynamoDBEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		return lambda.Result{}, err
	}
	var keys, sequences []string
	for _, r := range event.Records {
		keys = append(keys, r.Change.NewImage["pk"].String())
		sequences = append(sequences, r.Change.SequenceNumber)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.batches = append(c.batches, keys)
	if c.answer != nil {
		text, err := c.answer(c.calls, keys, sequences)
		if err != nil {
			return lambda.Result{Payload: []byte(err.Error()), FunctionError: "Unhandled"}, nil
		}
		if text != "" {
			return lambda.Result{Payload: []byte(text)}, nil
		}
	}
	c.accepted = append(c.accepted, keys...)
	return lambda.Result{Payload: []byte(`{"batchItemFailures":[]}`)}, nil
}

func (c *consumer) got() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.accepted)
}

// table starts an engine with one streamed table and returns the client and a trigger on it.
func table(t *testing.T) (*dynamodb.Client, string, *template.StreamTrigger) {
	t.Helper()
	binary, err := engine.Binary()
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Start(t.Context(), engine.Options{Binary: binary})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	tpl, err := template.Load("../testdata/template.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := engine.Client(e.Endpoint())
	if err := engine.CreateTables(t.Context(), client, tpl.Tables); err != nil {
		t.Fatal(err)
	}
	return client, e.Endpoint(), &template.StreamTrigger{Function: "Fanout", Table: "notes-table", BatchSize: 10, Retries: -1}
}

func put(t *testing.T, client *dynamodb.Client, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("notes-table"),
			Item: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key(n)}}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func key(n int) string { return fmt.Sprintf("k%03d", n) }

func keys(from, to int) []string {
	var all []string
	for n := from; n < to; n++ {
		all = append(all, key(n))
	}
	return all
}

func poll(t *testing.T, endpoint string, trigger *template.StreamTrigger, c *consumer, position string) *streams.Poller {
	t.Helper()
	p, err := streams.Start(t.Context(), streams.Options{
		Endpoint: endpoint, Triggers: []*template.StreamTrigger{trigger}, Invoker: c, Log: slog.New(slog.DiscardHandler), Position: position})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// awaitAll waits until the consumer has accepted exactly these, in this order.
func awaitAll(t *testing.T, c *consumer, want []string) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); len(c.got()) < len(want); {
		if time.Now().After(limit) {
			t.Fatalf("accepted %v", c.got())
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := c.got(); !slices.Equal(got, want) {
		t.Errorf("accepted %v, want %v", got, want)
	}
}

func TestAFailedBatchComesAgainInOrder(t *testing.T) {
	client, endpoint, trigger := table(t)
	put(t, client, 0, 25)
	c := &consumer{answer: func(call int, _, _ []string) (string, error) {
		if call == 1 || call == 2 {
			return "", errors.New("not now")
		}
		return "", nil
	}}
	poll(t, endpoint, trigger, c, "")
	awaitAll(t, c, keys(0, 25))
	if len(c.batches[0]) != 10 || !slices.Equal(c.batches[0], c.batches[2]) {
		t.Errorf("batches = %v", c.batches)
	}
}

func TestReportedFailuresComeAgainFromTheFirstOn(t *testing.T) {
	client, endpoint, trigger := table(t)
	trigger.PartialBatches = true
	put(t, client, 0, 8)
	c := &consumer{}
	c.answer = func(call int, keys, sequences []string) (string, error) {
		if call > 1 {
			return "", nil
		}
		c.accepted = append(c.accepted, keys[:5]...)
		return fmt.Sprintf(`{"batchItemFailures":[{"itemIdentifier":%q},{"itemIdentifier":%q}]}`, sequences[6], sequences[5]), nil
	}
	poll(t, endpoint, trigger, c, "")
	awaitAll(t, c, keys(0, 8))
}

func TestABatchIsGivenUpAfterItsAttempts(t *testing.T) {
	client, endpoint, trigger := table(t)
	trigger.Retries = 2
	put(t, client, 0, 15)
	c := &consumer{answer: func(_ int, keys, _ []string) (string, error) {
		if keys[0] == key(0) {
			return "", errors.New("never")
		}
		return "", nil
	}}
	poll(t, endpoint, trigger, c, "")
	awaitAll(t, c, keys(10, 15))
	if c.calls != 4 {
		t.Errorf("%d calls, want three for the first batch and one for the second", c.calls)
	}
}

func TestARestartGoesOnWhereItWas(t *testing.T) {
	client, endpoint, trigger := table(t)
	position := filepath.Join(t.TempDir(), "position.json")
	put(t, client, 0, 5)
	before := &consumer{}
	p := poll(t, endpoint, trigger, before, position)
	awaitAll(t, before, keys(0, 5))
	p.Close()
	put(t, client, 5, 9)
	after := &consumer{}
	poll(t, endpoint, trigger, after, position)
	awaitAll(t, after, keys(5, 9))
}
