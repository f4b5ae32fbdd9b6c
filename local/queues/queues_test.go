package queues_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/tokenim/tokenim/local/meter"
	"github.com/tokenim/tokenim/local/queues"
	"github.com/tokenim/tokenim/local/template"
)

// stopped is a clock that only Service.Advance moves. Its waits end at once where they are of no time, and else never:
// whoever waits looks again after Advance.
type stopped struct{ at time.Time }

func (c stopped) Now() time.Time { return c.at }

func (c stopped) After(wait time.Duration) <-chan time.Time {
	ended := make(chan time.Time, 1)
	if wait <= 0 {
		ended <- c.at
	}
	return ended
}

var midnight = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

// The queues of these tests.
var (
	jobs = &template.Queue{Name: "jobs", Visibility: 30 * time.Second, Retention: time.Hour, MaximumSize: template.MaxQueueMessage, DeadLetters: "dead", MaxReceives: 2}
	dead = &template.Queue{Name: "dead", Visibility: 30 * time.Second, Retention: 2 * time.Hour, MaximumSize: template.MaxQueueMessage}

	lines     = &template.Queue{Name: "lines.fifo", Visibility: 30 * time.Second, Retention: time.Hour, MaximumSize: template.MaxQueueMessage, DeadLetters: "dead.fifo", MaxReceives: 2, FIFO: true}
	deadLines = &template.Queue{Name: "dead.fifo", Visibility: 30 * time.Second, Retention: time.Hour, MaximumSize: template.MaxQueueMessage, FIFO: true}
)

func open(t *testing.T, path string, change ...func(*queues.Options)) *queues.Service {
	t.Helper()
	o := queues.Options{Queues: []*template.Queue{jobs, dead, lines, deadLines}, Path: path, Log: slog.New(slog.DiscardHandler), Clock: stopped{midnight}}
	for _, c := range change {
		c(&o)
	}
	s, err := queues.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// client is the SDK's, which asks once.
func client(t *testing.T, s *queues.Service) *sqs.Client {
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return sqs.New(sqs.Options{Region: template.Region, BaseEndpoint: aws.String(server.URL + "/fn/Fn"), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
}

func send(t *testing.T, c *sqs.Client, q *template.Queue, body string, delay int32) string {
	t.Helper()
	answer, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(q.URL()), MessageBody: &body, DelaySeconds: delay})
	if err != nil {
		t.Fatal(err)
	}
	return *answer.MessageId
}

func receive(t *testing.T, c *sqs.Client, q *template.Queue) []types.Message {
	t.Helper()
	answer, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(q.URL()), MaxNumberOfMessages: 10,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Messages
}

func bodies(messages []types.Message) (all []string) {
	for _, m := range messages {
		all = append(all, *m.Body)
	}
	return all
}

func TestAMessageIsReceivedHiddenAndDeleted(t *testing.T) {
	s := open(t, "")
	c := client(t, s)
	id := send(t, c, jobs, "<a> \u2028 世界", 0)
	got := receive(t, c, jobs)
	if len(got) != 1 || *got[0].MessageId != id || *got[0].Body != "<a> \u2028 世界" {
		t.Fatalf("messages = %+v", got)
	}
	if a := got[0].Attributes; a["ApproximateReceiveCount"] != "1" || a["SentTimestamp"] != "1767312000000" || a["ApproximateFirstReceiveTimestamp"] != "1767312000000" {
		t.Errorf("attributes = %v", a)
	}
	if again := receive(t, c, jobs); len(again) != 0 {
		t.Errorf("received while it is hidden: %v", bodies(again))
	}
	s.Advance(31 * time.Second)
	again := receive(t, c, jobs)
	if len(again) != 1 || again[0].Attributes["ApproximateReceiveCount"] != "2" {
		t.Fatalf("after the time-out: %+v", again)
	}
	remove := func(receipt *string) {
		if _, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: aws.String(jobs.URL()), ReceiptHandle: receipt}); err != nil {
			t.Fatal(err)
		}
	}
	remove(got[0].ReceiptHandle)
	if d := s.Depths()[0]; d.InFlight != 1 {
		t.Errorf("a stale receipt deletes: %+v", d)
	}
	remove(again[0].ReceiptHandle)
	if d := s.Depths()[0]; d != (queues.Depth{Name: "jobs"}) {
		t.Errorf("after the deletion: %+v", d)
	}
}

func TestADelayedMessageComesLater(t *testing.T) {
	s := open(t, "")
	c := client(t, s)
	send(t, c, jobs, "later", 900)
	s.Advance(899 * time.Second)
	if got := receive(t, c, jobs); len(got) != 0 || s.Depths()[0].Delayed != 1 {
		t.Errorf("early: %v, %+v", bodies(got), s.Depths())
	}
	s.Advance(time.Second)
	if got := bodies(receive(t, c, jobs)); !slices.Equal(got, []string{"later"}) {
		t.Errorf("messages = %v", got)
	}
}

func TestWhatIsReceivedTooOftenIsADeadLetter(t *testing.T) {
	s := open(t, "")
	c := client(t, s)
	id := send(t, c, jobs, "poison", 0)
	for range jobs.MaxReceives {
		if got := receive(t, c, jobs); len(got) != 1 {
			t.Fatalf("messages = %v", got)
		}
		s.Advance(jobs.Visibility)
	}
	if got := receive(t, c, dead); len(got) != 0 {
		t.Errorf("a dead letter before the queue was asked again: %v", bodies(got))
	}
	if got := receive(t, c, jobs); len(got) != 0 {
		t.Errorf("received once more: %v", bodies(got))
	}
	got := receive(t, c, dead)
	if len(got) != 1 || *got[0].MessageId != id || got[0].Attributes["DeadLetterQueueSourceArn"] != jobs.ARN() || got[0].Attributes["ApproximateReceiveCount"] != "3" || got[0].Attributes["SentTimestamp"] != "1767312000000" {
		t.Errorf("dead letters = %+v", got)
	}
}

func TestMessagesAreForgottenAfterTheirRetention(t *testing.T) {
	s := open(t, "")
	c := client(t, s)
	send(t, c, jobs, "old", 0)
	s.Advance(jobs.Retention + 1)
	if got := receive(t, c, jobs); len(got) != 0 || s.Depths()[0].Visible != 0 {
		t.Errorf("messages = %v", bodies(got))
	}
}

func TestVisibilityIsChanged(t *testing.T) {
	s := open(t, "")
	c := client(t, s)
	send(t, c, jobs, "soon", 0)
	receipt := receive(t, c, jobs)[0].ReceiptHandle
	hide := func(seconds int32) error {
		_, err := c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: aws.String(jobs.URL()), ReceiptHandle: receipt, VisibilityTimeout: seconds})
		return err
	}
	if err := hide(0); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, c, jobs); len(got) != 1 {
		t.Errorf("messages = %v", got)
	}
	var gone *types.MessageNotInflight
	if err := hide(0); !errors.As(err, &gone) {
		t.Errorf("a stale receipt: %v", err)
	}
}

func TestAReceiverWaits(t *testing.T) {
	s := open(t, "")
	c := client(t, s)
	got := make(chan []types.Message, 1)
	go func() {
		answer, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(jobs.URL()), WaitTimeSeconds: 20})
		if err != nil {
			t.Error(err)
			answer = &sqs.ReceiveMessageOutput{}
		}
		got <- answer.Messages
	}()
	send(t, c, jobs, "x", 0)
	if messages := <-got; len(messages) != 1 {
		t.Errorf("messages = %v", messages)
	}
}

func entries(bodies ...string) []types.SendMessageBatchRequestEntry {
	all := []types.SendMessageBatchRequestEntry{} // not nil, which the client refuses by itself
	for i, body := range bodies {
		all = append(all, types.SendMessageBatchRequestEntry{Id: aws.String("m" + string(rune('a'+i))), MessageBody: &body})
	}
	return all
}

func TestABatchIsSentEntryByEntry(t *testing.T) {
	s := open(t, "")
	c := client(t, s)
	batch := entries("one", "bad\uFFFF", "two", "late")
	batch[3].DelaySeconds = 901
	answer, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: aws.String(jobs.URL()), Entries: batch})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Successful) != 2 || *answer.Successful[1].Id != "mc" || len(answer.Failed) != 2 || *answer.Failed[0].Code != "InvalidMessageContents" ||
		*answer.Failed[1].Code != "InvalidParameterValue" || !answer.Failed[0].SenderFault {
		t.Errorf("answer = %+v", answer)
	}
	if got := bodies(receive(t, c, jobs)); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("messages = %v", got)
	}
}

func TestRefusals(t *testing.T) {
	c := client(t, open(t, ""))
	mebibyte := strings.Repeat("x", 1<<20)
	one := func(body string, change func(*sqs.SendMessageInput)) error {
		input := &sqs.SendMessageInput{QueueUrl: aws.String(jobs.URL()), MessageBody: &body}
		if change != nil {
			change(input)
		}
		_, err := c.SendMessage(t.Context(), input)
		return err
	}
	batch := func(all []types.SendMessageBatchRequestEntry) error {
		_, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: aws.String(jobs.URL()), Entries: all})
		return err
	}
	twice := entries("a", "b")
	twice[1].Id = twice[0].Id
	_, unknown := c.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: aws.String(jobs.URL())})
	for name, r := range map[string]struct {
		err  error
		code string
	}{
		"no queue":       {one("x", func(i *sqs.SendMessageInput) { i.QueueUrl = aws.String(jobs.URL() + "s") }), "AWS.SimpleQueueService.NonExistentQueue"},
		"too large":      {one(mebibyte+"x", nil), "InvalidParameterValue"},
		"empty":          {one("", nil), "MissingParameter"},
		"control":        {one("\x01", nil), "InvalidMessageContents"},
		"too late":       {one("x", func(i *sqs.SendMessageInput) { i.DelaySeconds = 901 }), "InvalidParameterValue"},
		"of FIFO":        {one("x", func(i *sqs.SendMessageInput) { i.MessageDeduplicationId = aws.String("x") }), "InvalidParameterValue"},
		"fair":           {one("x", func(i *sqs.SendMessageInput) { i.MessageGroupId = aws.String("x") }), "AWS.SimpleQueueService.UnsupportedOperation"},
		"no entries":     {batch(entries()), "AWS.SimpleQueueService.EmptyBatchRequest"},
		"eleven":         {batch(entries(strings.Split("abcdefghijk", "")...)), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"},
		"one ID twice":   {batch(twice), "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"},
		"too long a sum": {batch(entries(mebibyte, "x")), "AWS.SimpleQueueService.BatchRequestTooLong"},
		"operation":      {unknown, "AWS.SimpleQueueService.UnsupportedOperation"},
	} {
		var e smithy.APIError
		if !errors.As(r.err, &e) || e.ErrorCode() != r.code {
			t.Errorf("%s: %v, want %s", name, r.err, r.code)
		}
	}
	if err := one(mebibyte, nil); err != nil {
		t.Errorf("1 MiB: %v", err)
	}
	if err := batch(entries(mebibyte)); err != nil {
		t.Errorf("1 MiB in a batch: %v", err)
	}
	var typed *types.QueueDoesNotExist
	if err := one("x", func(i *sqs.SendMessageInput) { i.QueueUrl = aws.String("https://other") }); !errors.As(err, &typed) {
		t.Errorf("the error's type: %v", err)
	}
}

func TestRequestsFailOnPurpose(t *testing.T) {
	s := open(t, "")
	s.FailNext(2)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := sqs.New(sqs.Options{Region: template.Region, BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		Retryer: aws.NopRetryer{}})
	for range 2 {
		if _, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(jobs.URL()), MessageBody: aws.String("x")}); err == nil {
			t.Error("no error")
		}
	}
	send(t, c, jobs, "x", 0)
}

func TestAttributesOfAQueue(t *testing.T) {
	s := open(t, "")
	c := client(t, s)
	send(t, c, jobs, "x", 0)
	answer, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: aws.String(jobs.URL()), AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"ApproximateNumberOfMessages": "1", "QueueArn": jobs.ARN(), "VisibilityTimeout": "30",
		"RedrivePolicy": `{"deadLetterTargetArn":"` + dead.ARN() + `","maxReceiveCount":2}`} {
		if got := answer.Attributes[name]; got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
}

func TestMessagesSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queues.jsonl")
	s := open(t, path)
	c := client(t, s)
	for _, body := range []string{"taken", "done", "waits"} {
		send(t, c, jobs, body, 0)
	}
	send(t, c, jobs, "later", 60)
	got := receive(t, c, jobs)
	if _, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: aws.String(jobs.URL()), ReceiptHandle: got[1].ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
	// Killed while it wrote one more.
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.WriteString(`{"queue":"jobs","put":{"id":"half`)
	_ = file.Close()

	next := open(t, path)
	got = receive(t, client(t, next), jobs)
	if names := bodies(got); !slices.Equal(names, []string{"taken", "waits"}) || got[0].Attributes["ApproximateReceiveCount"] != "2" {
		t.Errorf("after the restart: %v, %v", names, got[0].Attributes)
	}
	if d := next.Depths()[0]; d.Delayed != 1 {
		t.Errorf("depth = %+v", d)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
}

func TestPutIsForStandardQueues(t *testing.T) {
	s := open(t, "")
	if err := s.Put("jobs", "x"); err != nil || s.Depths()[0].Visible != 1 {
		t.Errorf("%v, %+v", err, s.Depths()[0])
	}
	for _, name := range []string{"none", lines.Name} {
		if err := s.Put(name, "x"); err == nil {
			t.Errorf("put into %s", name)
		}
	}
}

func TestTheFileDoesNotGrowForEver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queues.jsonl")
	s := open(t, path)
	for range 20 {
		if err := errors.Join(s.Put("jobs", strings.Repeat("x", 1<<20)), s.Take("jobs")); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 10<<20 {
		t.Errorf("the file: %v, %v", info.Size(), err)
	}
}

func TestRequestsAreCountedByFunction(t *testing.T) {
	var mu sync.Mutex
	counters, name := &meter.Counters{}, "Fn"
	s := open(t, "", func(o *queues.Options) {
		o.Count = counters.CountQueue
		o.Caller = func(context.Context) string { mu.Lock(); defer mu.Unlock(); return name }
	})
	c := client(t, s)
	send(t, c, jobs, "x", 0)
	if _, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: aws.String(jobs.URL()), Entries: entries("y", "z")}); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	name = "" // a tool
	mu.Unlock()
	receive(t, c, jobs)
	want := meter.QueueUsage{QueueOperation: meter.QueueOperation{Function: "Fn", Action: "sqs:SendMessage", Queue: "jobs"}, Calls: 2, Messages: 3, Requests: 2}
	if got := counters.Snapshot().SQS; len(got) != 1 || got[0] != want {
		t.Errorf("usage = %+v, want %+v", got, want)
	}
}
