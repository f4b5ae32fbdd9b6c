package queue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/queue"
)

const url = "https://sqs.us-east-1.amazonaws.com/000000000000/jobs"

// server stands in for SQS: it keeps what it is sent, and refuses as it is told.
type server struct {
	delays []int
	sizes  []int // of the requests, in messages
	bodies []string
	groups []string // and the deduplication IDs, of the entries of batches
	// refuse gives the entries of a request that fail, by ID, and whether that is the sender's fault.
	refuse func(request int) map[string]bool
}

type entry struct {
	ID           string `json:"Id"`
	MessageBody  string
	DelaySeconds int
	Group        string `json:"MessageGroupId"`
	Dedup        string `json:"MessageDeduplicationId"`
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var request struct {
		QueueUrl string
		entry
		Entries []entry
	}
	if err := json.Unmarshal(text, &request); err != nil || request.QueueUrl != url {
		http.Error(w, "{}", http.StatusBadRequest)
		return
	}
	if r.Header.Get("X-Amz-Target") == "AmazonSQS.SendMessage" {
		s.bodies, s.delays = append(s.bodies, request.MessageBody), append(s.delays, request.DelaySeconds)
		_, _ = io.WriteString(w, `{"MessageId":"1"}`)
		return
	}
	var refused map[string]bool
	if s.refuse != nil {
		refused = s.refuse(len(s.sizes))
	}
	s.sizes = append(s.sizes, len(request.Entries))
	answer := map[string][]any{}
	for _, e := range request.Entries {
		if fault, failed := refused[e.ID]; failed {
			answer["Failed"] = append(answer["Failed"], map[string]any{"Id": e.ID, "Code": "InternalError", "SenderFault": fault})
			continue
		}
		s.bodies, s.groups = append(s.bodies, e.MessageBody), append(s.groups, e.Group+" "+e.Dedup)
		answer["Successful"] = append(answer["Successful"], map[string]any{"Id": e.ID, "MessageId": e.ID})
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func sender(t *testing.T, s *server) queue.Sender {
	t.Helper()
	listening := httptest.NewServer(s)
	t.Cleanup(listening.Close)
	t.Setenv("AWS_ENDPOINT_URL_SQS", listening.URL)
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "local")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "local")
	t.Setenv("JOBS_QUEUE", url)
	return queue.FromEnvironment("JOBS_QUEUE")
}

func TestSend(t *testing.T) {
	s := &server{}
	q := sender(t, s)
	if err := q.Send(t.Context(), map[string]string{"text": "<a> \uFFFE\uFFFF 世"}, 1500*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if want := `{"text":"<a> \ufffe\uffff 世"}`; s.bodies[0] != want || s.delays[0] != 2 {
		t.Errorf("sent %s after %d s, want %s after 2", s.bodies[0], s.delays[0], want)
	}
	var back map[string]string
	if err := json.Unmarshal([]byte(s.bodies[0]), &back); err != nil || back["text"] != "<a> \uFFFE\uFFFF 世" {
		t.Errorf("read back: %q, %v", back, err)
	}
}

func TestWhatCannotBeSent(t *testing.T) {
	s := &server{}
	q := sender(t, s)
	for _, delay := range []time.Duration{-1, queue.MaxDelay + 1} {
		if err := q.Send(t.Context(), "x", delay); !errors.Is(err, queue.ErrTooLate) {
			t.Errorf("%v: %v", delay, err)
		}
	}
	large := strings.Repeat("x", queue.MaxBody-1) // and two quotes
	if err := q.Send(t.Context(), large, 0); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if err := q.SendAll(t.Context(), "x", large); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("too large among others: %v", err)
	}
	if err := q.Send(t.Context(), func() {}, 0); err == nil {
		t.Error("a function is sent")
	}
	if len(s.bodies) != 0 {
		t.Errorf("sent %d", len(s.bodies))
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic without the variable")
		}
	}()
	queue.FromEnvironment("OTHER_QUEUE")
}

func TestSendAllFillsRequests(t *testing.T) {
	half := strings.Repeat("x", queue.MaxBody/2-2) // two of them and their quotes are 1 MiB
	for want, bodies := range map[string][]any{
		"[]": nil, "[1]": {1}, "[10 10 3]": make([]any, 23), "[2 1]": {half, half, 1}, "[1 2]": {half, half + "x", 1},
	} {
		s := &server{}
		if err := sender(t, s).SendAll(t.Context(), bodies...); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(s.sizes); got != want || len(s.bodies) != len(bodies) {
			t.Errorf("requests of %s, want %s", got, want)
		}
	}
}

func TestSendAllTriesAgainWhatWasRefusedForNoFaultOfOurs(t *testing.T) {
	for name, c := range map[string]struct {
		refuse func(int) map[string]bool
		sizes  string
		fails  bool
	}{
		"once":       {func(n int) map[string]bool { return []map[string]bool{{"1": false, "2": false}, nil}[n] }, "[3 2]", false},
		"always":     {func(int) map[string]bool { return map[string]bool{"1": false} }, "[3 1 1]", true},
		"by a fault": {func(int) map[string]bool { return map[string]bool{"1": true} }, "[3]", true},
	} {
		s := &server{refuse: c.refuse}
		err := sender(t, s).SendAll(t.Context(), "a", "b", "c")
		if got := fmt.Sprint(s.sizes); got != c.sizes || (err != nil) != c.fails {
			t.Errorf("%s: requests of %s, %v", name, got, err)
		}
	}
}
