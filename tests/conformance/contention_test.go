//go:build conformance

package conformance

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// writers is how many requests go into one conversation at once.
const writers = 50

// patience bounds the retries of a writer whose conversation is busy.
const patience = 60 * time.Second

// TestFiftyWritersAtOnce has fifty messages sent into one conversation at once, each tried one to three times at once,
// and their clients try again when the conversation is busy.
func TestFiftyWritersAtOnce(t *testing.T) {
	ann, bob := pair(t)
	socket := online(t, bob, nil)
	begun := time.Now()
	answers := together(writers, func(n int) []client.Answer {
		from, to := ann, bob
		if n%2 == 1 {
			from, to = bob, ann
		}
		body := object{"from": from.ID, "to": to.ID, "message": fmt.Sprint("message ", n), "client_id": fmt.Sprint("w", n)}
		return together(1+rand.IntN(3), func(int) client.Answer { return untilThrough(t, body) })
	})
	t.Logf("%d writers: %.1f messages/s", writers, writers/time.Since(begun).Seconds())
	var won []int64
	for n, tries := range answers {
		for _, try := range tries {
			if try.Status != http.StatusOK || !sameMessage(try, tries[0]) {
				t.Errorf("message %d: %s, but %s", n, tries[0], try)
			}
		}
		won = append(won, tries[0].Number("seq"))
	}
	slices.Sort(won)
	if !slices.Equal(won, upTo(writers)) {
		t.Errorf("not unique and without gaps: %v", won)
	}
	wantSameForAll(t, answers[0][0].Text("conversation_id"), []person{ann, bob}, socket)
}

// untilThrough sends the body again as long as the conversation is busy, after the time that the answer names.
func untilThrough(t *testing.T, body object) client.Answer {
	for deadline := time.Now().Add(patience); ; {
		answer := post(t, app, "/send", body)
		if answer.Status != http.StatusTooManyRequests || time.Now().After(deadline) {
			return answer
		}
		seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
		if err != nil || answer.Text("code") != "conversation_busy" {
			t.Errorf("busy without a time to wait: %s", answer)
			return answer
		}
		<-time.After(time.Duration(seconds) * time.Second) // what the server asks its clients to do
	}
}

// wantSameForAll checks that every reader sees the same conversation: by history, by polling, and on the socket.
func wantSameForAll(t *testing.T, conversation string, users []person, socket *client.Socket) {
	t.Helper()
	want := history(t, conversation, "limit=100")
	if !slices.Equal(sequences(want), upTo(writers)) {
		t.Errorf("history %v", sequences(want))
	}
	for _, user := range users {
		read := pages[client.Message](t, as(t, app, user, nil), "/conversations/"+conversation+"/messages?order=desc&limit=13")
		slices.Reverse(read)
		polled := pages[client.Message](t, app, "/users/"+user.ID+"/messages?limit=11")
		if !slices.Equal(read, want) || !slices.Equal(polled, want) {
			t.Errorf("%s reads %v and polls %v", user.Name, sequences(read), sequences(polled))
		}
	}
	pushed := map[int64]client.Message{}
	_ = socket.Await(within(t), func(events []client.Frame) bool { // what is missing is found below
		for _, event := range events {
			for _, message := range event.Messages() {
				pushed[message.Seq] = message
			}
		}
		return len(pushed) == writers
	})
	for _, message := range want {
		if pushed[message.Seq] != message {
			t.Errorf("pushed %+v, read %+v", pushed[message.Seq], message)
		}
	}
}
