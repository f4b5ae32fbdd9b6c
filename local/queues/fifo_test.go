package queues_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/local/queues"
	"github.com/tokenim/tokenim/local/template"
)

// line sends one message to a FIFO queue.
func line(t *testing.T, c *sqs.Client, body, group, dedup string) *sqs.SendMessageOutput {
	t.Helper()
	return lineTo(t, c, lines, body, group, dedup)
}

func lineTo(t *testing.T, c *sqs.Client, q *template.Queue, body, group, dedup string) *sqs.SendMessageOutput {
	t.Helper()
	answer, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(q.URL()), MessageBody: &body, MessageGroupId: &group, MessageDeduplicationId: &dedup})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func remove(t *testing.T, c *sqs.Client, q *template.Queue, m types.Message) error {
	t.Helper()
	_, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: aws.String(q.URL()), ReceiptHandle: m.ReceiptHandle})
	return err
}

func TestAGroupWaitsForWhatIsInFlightAndOthersDoNot(t *testing.T) {
	s := open(t, "")
	c := client(t, s)
	for i := range 12 {
		line(t, c, fmt.Sprintf("a%02d", i), "a", fmt.Sprint(i))
	}
	line(t, c, "b", "b", "b")
	first := receive(t, c, lines)
	if want := "[a00 a01 a02 a03 a04 a05 a06 a07 a08 a09]"; fmt.Sprint(bodies(first)) != want {
		t.Fatalf("first: %v, want as many of one group as there are: %s", bodies(first), want)
	}
	second := receive(t, c, lines)
	if got := bodies(second); !slices.Equal(got, []string{"b"}) {
		t.Errorf("while the group is in flight: %v, want the other group's", got)
	}
	for _, m := range first[1:] {
		if err := remove(t, c, lines, m); err != nil {
			t.Fatal(err)
		}
	}
	if got := bodies(receive(t, c, lines)); len(got) != 0 {
		t.Errorf("while one of the group is in flight: %v", got)
	}
	s.Advance(lines.Visibility)
	if got := bodies(receive(t, c, lines)); !slices.Equal(got, []string{"a00", "a10", "a11", "b"}) {
		t.Errorf("after the time-out: %v", got)
	}
}

func TestAGroupWaitsForALaterMessageThatIsInFlight(t *testing.T) {
	s := open(t, "")
	c := client(t, s)
	line(t, c, "1", "g", "1")
	line(t, c, "2", "g", "2")
	got := receive(t, c, lines)
	if _, err := c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: aws.String(lines.URL()), ReceiptHandle: got[0].ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
	if early := bodies(receive(t, c, lines)); len(early) != 0 {
		t.Errorf("while the second is in flight: %v", early)
	}
	if err := remove(t, c, lines, got[1]); err != nil {
		t.Fatal(err)
	}
	if late := bodies(receive(t, c, lines)); !slices.Equal(late, []string{"1"}) {
		t.Errorf("then: %v", late)
	}
}

func TestASequenceGrowsAndIsTold(t *testing.T) {
	s := open(t, "")
	c := client(t, s)
	sent := line(t, c, "x", "g", "1")
	line(t, c, "y", "g", "2")
	got := receive(t, c, lines)
	a, b := got[0].Attributes, got[1].Attributes
	if a["MessageGroupId"] != "g" || a["MessageDeduplicationId"] != "1" || a["SequenceNumber"] != *sent.SequenceNumber {
		t.Errorf("attributes = %v", a)
	}
	if n := a["SequenceNumber"]; len(n) != 20 || n >= b["SequenceNumber"] {
		t.Errorf("sequence numbers %s, %s", n, b["SequenceNumber"])
	}
}

func TestADeduplicationIDCountsOnceInFiveMinutes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queues.jsonl")
	s := open(t, path)
	c := client(t, s)
	first := line(t, c, "x", "g", "once")
	if err := remove(t, c, lines, receive(t, c, lines)[0]); err != nil {
		t.Fatal(err)
	}
	again := line(t, c, "y", "other", "once")
	if *again.MessageId != *first.MessageId || *again.SequenceNumber != *first.SequenceNumber {
		t.Errorf("sent again as %s, %s", *again.MessageId, *again.SequenceNumber)
	}
	for range 2 { // as it was written, and as the first restart has rewritten it
		s.Close()
		s = open(t, path)
		c = client(t, s)
		line(t, c, "x", "g", "once")
	}
	s.Advance(5*time.Minute - 1)
	line(t, c, "x", "g", "once")
	if got := receive(t, c, lines); len(got) != 0 {
		t.Errorf("received although it was sent before: %v", bodies(got))
	}
	s.Advance(1)
	if later := line(t, c, "x", "g", "once"); *later.SequenceNumber <= *first.SequenceNumber {
		t.Errorf("sequence %s after %s", *later.SequenceNumber, *first.SequenceNumber)
	}
	if got := receive(t, c, lines); len(got) != 1 {
		t.Errorf("after five minutes: %v", bodies(got))
	}
}

func TestDeduplicationByContentAndByGroup(t *testing.T) {
	byContent, byGroup := *lines, *lines
	byContent.Name, byContent.ContentBased = "content.fifo", true
	byGroup.Name, byGroup.PerGroupDedup = "group.fifo", true
	c := client(t, open(t, "", func(o *queues.Options) { o.Queues = append(o.Queues, &byContent, &byGroup) }))
	for _, m := range []struct {
		q            *template.Queue
		group, dedup string
	}{{&byContent, "a", ""}, {&byContent, "b", ""}, {&byContent, "b", "own"}, {&byGroup, "a", "1"}, {&byGroup, "b", "1"}, {&byGroup, "b", "1"}} {
		input := &sqs.SendMessageInput{QueueUrl: aws.String(m.q.URL()), MessageBody: aws.String("body"), MessageGroupId: &m.group}
		if m.dedup != "" {
			input.MessageDeduplicationId = &m.dedup
		}
		if _, err := c.SendMessage(t.Context(), input); err != nil {
			t.Fatal(err)
		}
	}
	got := receive(t, c, &byContent)
	const sum = "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5" // sha256sum of "body"
	if len(got) != 2 || got[0].Attributes["MessageDeduplicationId"] != sum || got[1].Attributes["MessageDeduplicationId"] != "own" {
		t.Errorf("by content: %+v", got)
	}
	if got := receive(t, c, &byGroup); len(got) != 2 {
		t.Errorf("by group: %v", bodies(got))
	}
}

func TestWhatAFIFOQueueRefuses(t *testing.T) {
	s := open(t, "")
	c := client(t, s)
	one := func(change func(*sqs.SendMessageInput)) error {
		input := &sqs.SendMessageInput{QueueUrl: aws.String(lines.URL()), MessageBody: aws.String("x"), MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String("d")}
		change(input)
		_, err := c.SendMessage(t.Context(), input)
		return err
	}
	line(t, c, "x", "g", "1")
	late := receive(t, c, lines)[0]
	s.Advance(lines.Visibility)
	for name, r := range map[string]struct {
		err  error
		code string
	}{
		"no group":   {one(func(i *sqs.SendMessageInput) { i.MessageGroupId = nil }), "MissingParameter"},
		"no ID":      {one(func(i *sqs.SendMessageInput) { i.MessageDeduplicationId = nil }), "InvalidParameterValue"},
		"delay":      {one(func(i *sqs.SendMessageInput) { i.DelaySeconds = 1 }), "InvalidParameterValue"},
		"space":      {one(func(i *sqs.SendMessageInput) { i.MessageGroupId = aws.String("a b") }), "InvalidParameterValue"},
		"long":       {one(func(i *sqs.SendMessageInput) { i.MessageDeduplicationId = aws.String(strings.Repeat("x", 129)) }), "InvalidParameterValue"},
		"late":       {remove(t, c, lines, late), "InvalidParameterValue"},
		"late again": {remove(t, c, lines, late), "InvalidParameterValue"},
	} {
		var e smithy.APIError
		if !errors.As(r.err, &e) || e.ErrorCode() != r.code {
			t.Errorf("%s: %v, want %s", name, r.err, r.code)
		}
	}
	m := receive(t, c, lines)[0]
	for range 2 { // the second time it is gone
		if err := remove(t, c, lines, m); err != nil {
			t.Error(err)
		}
	}
}

func TestABatchToAFIFOQueueIsSentEntryByEntry(t *testing.T) {
	c := client(t, open(t, ""))
	batch := entries("one", "two", "three")
	for i := range batch {
		batch[i].MessageGroupId, batch[i].MessageDeduplicationId = aws.String("g"), aws.String(fmt.Sprint(i))
	}
	batch[1].MessageGroupId = nil
	answer, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: aws.String(lines.URL()), Entries: batch})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Failed) != 1 || *answer.Failed[0].Id != "mb" || len(answer.Successful) != 2 || *answer.Successful[0].SequenceNumber >= *answer.Successful[1].SequenceNumber {
		t.Errorf("answer = %+v", answer)
	}
	if got := bodies(receive(t, c, lines)); !slices.Equal(got, []string{"one", "three"}) {
		t.Errorf("messages = %v", got)
	}
}

func TestDeadLettersKeepTheirOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queues.jsonl")
	s := open(t, path)
	c := client(t, s)
	for _, body := range []string{"1", "2", "3"} {
		line(t, c, body, "g", body)
	}
	for range lines.MaxReceives {
		if got := bodies(receive(t, c, lines)); !slices.Equal(got, []string{"1", "2", "3"}) {
			t.Fatalf("messages = %v", got)
		}
		s.Advance(lines.Visibility)
	}
	line(t, c, "4", "g", "4")
	if got := bodies(receive(t, c, lines)); !slices.Equal(got, []string{"4"}) {
		t.Errorf("after the dead letters: %v", got)
	}
	got := receive(t, c, deadLines)
	if a := got[0].Attributes; !slices.Equal(bodies(got), []string{"1", "2", "3"}) || a["MessageGroupId"] != "g" || a["MessageDeduplicationId"] != "1" ||
		a["DeadLetterQueueSourceArn"] != lines.ARN() || a["SentTimestamp"] != "1767312060000" {
		t.Errorf("dead letters = %v, %v", bodies(got), a)
	}
	s.Close()
	s = open(t, path)
	lineTo(t, client(t, s), deadLines, "by hand", "g", "1") // a dead letter is not a message that was sent there
	if d := s.Depths()[3]; d.Visible+d.Delayed != 4 {
		t.Errorf("dead letters: %+v", d)
	}
}

func TestGroupsSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queues.jsonl")
	s := open(t, path)
	c := client(t, s)
	for _, body := range []string{"1", "2", "3"} {
		line(t, c, body, "g", body)
	}
	got := receive(t, c, lines)
	if err := remove(t, c, lines, got[0]); err != nil {
		t.Fatal(err)
	}
	s.Close()
	again := receive(t, client(t, open(t, path)), lines)
	if !slices.Equal(bodies(again), []string{"2", "3"}) || again[0].Attributes["SequenceNumber"] != got[1].Attributes["SequenceNumber"] || again[0].Attributes["MessageGroupId"] != "g" {
		t.Errorf("after the restart: %v, %v", bodies(again), again[0].Attributes)
	}
}

// ofLines makes the trigger one of the FIFO queue.
func ofLines(batch int) func(*template.QueueTrigger) {
	return func(q *template.QueueTrigger) { q.Queue, q.BatchSize = lines.Name, batch }
}

func TestAGroupIsWorkedOnInOrderAndGroupsAtATime(t *testing.T) {
	w := &worker{takes: time.Second}
	poll(t, w, ofLines(1), func(t *testing.T, s *queues.Service, _ func(...string)) {
		if err := s.PutInGroups(lines.Name, "1x", "2x", "3x", "4y", "5z"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		got := w.saw()
		slices.SortFunc(got, func(a, b call) int {
			return strings.Compare(fmt.Sprintf("%03d", a.after/time.Second)+a.bodies, fmt.Sprintf("%03d", b.after/time.Second)+b.bodies)
		})
		want := []call{{0, "1", "1"}, {0, "4", "1"}, {time.Second, "2", "1"}, {time.Second, "5", "1"}, {2 * time.Second, "3", "1"}}
		if !slices.Equal(got, want) || w.most != 2 {
			t.Errorf("calls = %v, %d at a time; want %v", got, w.most, want)
		}
	})
}

func TestWhatAFunctionReportsComesAgainInOrder(t *testing.T) {
	w := &worker{}
	w.answer = func(e events.SQSEvent) (string, error) {
		if e.Records[0].Attributes["ApproximateReceiveCount"] == "1" {
			return fails("23")(e)
		}
		return "", nil
	}
	poll(t, w, ofLines(4), func(t *testing.T, s *queues.Service, _ func(...string)) {
		if err := s.PutInGroups(lines.Name, "1x", "2x", "3x", "4y"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		want := []call{{0, "1234", "1111"}, {30 * time.Second, "23", "22"}}
		if got := w.saw(); !slices.Equal(got, want) {
			t.Errorf("calls = %v, want %v", got, want)
		}
	})
}

// Lambda deletes what is not reported, whatever came before it.
func TestAFunctionThatLosesTheOrderIsHeardOf(t *testing.T) {
	var log bytes.Buffer
	w := &worker{answer: fails("1")}
	poll(t, w, ofLines(4), func(t *testing.T, s *queues.Service, _ func(...string)) {
		s.Tell(slog.New(slog.NewTextHandler(&log, nil)))
		if err := s.PutInGroups(lines.Name, "1x", "2x", "4y"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lines.Visibility)
		want := []call{{0, "124", "111"}, {30 * time.Second, "1", "2"}}
		if got := w.saw(); !slices.Equal(got, want) {
			t.Errorf("calls = %v, want %v", got, want)
		}
	})
	if n := strings.Count(log.String(), "the order of a group is lost"); n != 1 {
		t.Errorf("told %d times:\n%s", n, log.String())
	}
}

func TestABatchThatComesTwiceKeepsTheOrder(t *testing.T) {
	w := &worker{takes: time.Second}
	poll(t, w, ofLines(2), func(t *testing.T, s *queues.Service, _ func(...string)) {
		s.DoubleNext(1)
		if err := s.PutInGroups(lines.Name, "1x", "2x", "3x"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		want := []call{{0, "12", "11"}, {time.Second, "12", "11"}, {2 * time.Second, "3", "1"}}
		if got := w.saw(); !slices.Equal(got, want) {
			t.Errorf("calls = %v, want %v", got, want)
		}
	})
}

// Whatever is sent, received, deleted, let go of and lost by restarts: a group's messages end in the order in which they were
// sent, and none is received while an earlier one of its group is not done.
func TestOrderWithinAGroupAlways(t *testing.T) {
	folder := t.TempDir()
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		path := filepath.Join(folder, fmt.Sprint(runs))
		spec := *lines
		spec.DeadLetters, spec.Retention = "", 100*time.Hour
		restart := func() *queues.Service {
			s, err := queues.Open(queues.Options{Queues: []*template.Queue{&spec}, Path: path, Log: slog.New(slog.DiscardHandler), Clock: stopped{midnight}})
			if err != nil {
				r.Fatal(err)
			}
			return s
		}
		s := restart()
		sent, done := map[string][]string{}, map[string][]string{}
		var held []queues.Held
		for i := range rapid.IntRange(1, 60).Draw(r, "steps") {
			switch rapid.IntRange(0, 5).Draw(r, "step") {
			case 0, 1:
				body := string(rune('!'+i)) + rapid.SampledFrom([]string{"x", "y", "z"}).Draw(r, "group")
				if err := s.PutInGroups(spec.Name, body); err != nil {
					r.Fatal(err)
				}
				sent[body[1:]] = append(sent[body[1:]], body)
			case 2:
				held = append(held, s.Receive(spec.Name, rapid.IntRange(1, 10).Draw(r, "limit"))...)
			case 3: // the first that is held of a group, as a function does them
				if len(held) > 0 && s.Delete(spec.Name, held[0]) == nil {
					done[held[0].Body[1:]] = append(done[held[0].Body[1:]], held[0].Body)
				}
				held = held[min(1, len(held)):]
			case 4:
				s.Advance(spec.Visibility)
				held = nil
			case 5:
				s.Close()
				s, held = restart(), nil
			}
			for group, bodies := range done {
				if !slices.Equal(bodies, sent[group][:len(bodies)]) {
					r.Fatalf("group %s: done %v of %v", group, bodies, sent[group])
				}
			}
		}
		s.Close()
	})
}

// The event is the one that AWS documents for a FIFO queue.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#sqs-polling-behavior
func TestTheEventOfAFIFOQueue(t *testing.T) {
	var attributes map[string]string
	w := &worker{answer: func(e events.SQSEvent) (string, error) {
		attributes = e.Records[0].Attributes
		return "", nil
	}}
	poll(t, w, ofLines(1), func(t *testing.T, s *queues.Service, _ func(...string)) {
		if err := s.PutInGroups(lines.Name, "1x"); err != nil {
			t.Fatal(err)
		}
		w.saw()
		if attributes["MessageGroupId"] != "x" || attributes["MessageDeduplicationId"] != "1x" || len(attributes["SequenceNumber"]) != 20 {
			t.Errorf("attributes = %v", attributes)
		}
	})
}

func TestAttributesOfAFIFOQueue(t *testing.T) {
	c := client(t, open(t, ""))
	answer, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: aws.String(lines.URL()),
		AttributeNames: []types.QueueAttributeName{"FifoQueue", "ContentBasedDeduplication"}})
	if err != nil || answer.Attributes["FifoQueue"] != "true" || answer.Attributes["ContentBasedDeduplication"] != "false" {
		t.Errorf("attributes = %v, %v", answer, err)
	}
}
