//go:build conformance

package conformance

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

const (
	// limit bounds whatever a test waits for, on a machine that does other things too.
	limit = 20 * time.Second
	// problemType is the media type of every error.
	problemType = "application/problem+json"
)

// onMinistack tells whether the target is the AWS emulator of make deploy-local, whose differences from AWS a few cases
// leave out (docs/deploying.md).
var onMinistack = os.Getenv("TOKENIM_TARGET") == "ministack"

// app is the application under test, with a key that has every scope.
var app client.Installation

// mark keeps the names of two runs apart.
var mark = fmt.Sprint(time.Now().UnixNano()) // digits go with names of every script

var count atomic.Int64

func TestMain(m *testing.M) {
	var err error
	if app, err = client.FromEnvironment(); err != nil {
		fmt.Fprintln(os.Stderr, "the conformance tests drive a running TokenIM, see doc.go:", err)
		os.Exit(2)
	}
	_ = flag.Set("test.parallel", "8") // the flag exists; most tests wait for the other side. -parallel overrides it.
	os.Exit(m.Run())
}

// unique returns a text that no other call returned.
func unique(prefix string) string { return fmt.Sprintf("%s-%s-%d", prefix, mark, count.Add(1)) }

// object is a JSON object.
type object = map[string]any

// with returns the object with other members; nil as a value takes one away.
func with(o object, changes object) object {
	merged := object{}
	for name, value := range o {
		merged[name] = value
	}
	for name, value := range changes {
		if merged[name] = value; value == nil {
			delete(merged, name)
		}
	}
	return merged
}

// person is a registered user.
type person struct{ ID, Name string }

// register makes a user with a name of its own.
func register(t *testing.T, prefix string) person {
	t.Helper()
	name := unique(prefix)
	answer := post(t, app, "/register", object{"username": name})
	wantStatus(t, answer, http.StatusCreated)
	return person{ID: answer.Text("user_id"), Name: name}
}

// pair registers two users.
func pair(t *testing.T) (ann, bob person) {
	t.Helper()
	return register(t, "ann"), register(t, "bob")
}

// as returns the installation under a fresh token of the user; options are members of the body.
func as(t *testing.T, by client.Installation, user person, options object) client.Installation {
	t.Helper()
	answer := post(t, by, "/users/"+user.ID+"/tokens", with(object{}, options))
	wantStatus(t, answer, http.StatusCreated)
	return by.With(answer.Text("token"))
}

// dial opens a socket under a token; it closes with the test.
func dial(t *testing.T, token client.Installation, o client.DialOptions) *client.Socket {
	t.Helper()
	socket, status, err := token.Dial(within(t), o)
	if err != nil {
		t.Fatalf("the socket did not open: %d %v", status, err)
	}
	t.Cleanup(socket.Drop)
	return socket
}

// online opens a socket for a user and waits until its resume has come, so that nothing of it is mistaken for news.
func online(t *testing.T, user person, options object) *client.Socket {
	t.Helper()
	socket := dial(t, as(t, app, user, options), client.DialOptions{})
	awaitResume(t, socket)
	return socket
}

// awaitResume waits for the first "messages" event.
func awaitResume(t *testing.T, socket *client.Socket) client.Frame {
	t.Helper()
	return awaitEvent(t, socket, 0, func(f client.Frame) bool { return f.Event == "messages" })
}

// awaitEvent waits for an event that the condition takes, from the number on.
func awaitEvent(t *testing.T, socket *client.Socket, from int, takes func(client.Frame) bool) client.Frame {
	t.Helper()
	var found client.Frame
	err := socket.Await(within(t), func(events []client.Frame) bool {
		for _, event := range events[min(from, len(events)):] {
			if takes(event) {
				found = event
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatalf("the event did not come: %v; there were %s", err, shown(socket.Events(0)))
	}
	return found
}

// shown lists events for a message.
func shown(events []client.Frame) string {
	var lines []string
	for _, event := range events {
		lines = append(lines, fmt.Sprintf("%.300s", event.Raw))
	}
	return "\n" + strings.Join(lines, "\n")
}

// within is a context for what should take no time.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func do(t *testing.T, by client.Installation, r client.Request) client.Answer {
	t.Helper()
	answer, err := by.Do(context.Background(), r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.Path, err)
	}
	return answer
}

func post(t *testing.T, by client.Installation, path string, body any) client.Answer {
	t.Helper()
	return do(t, by, client.Request{Method: http.MethodPost, Path: path, Body: body})
}

func get(t *testing.T, by client.Installation, path string) client.Answer {
	t.Helper()
	return do(t, by, client.Request{Path: path})
}

func remove(t *testing.T, by client.Installation, path string) client.Answer {
	t.Helper()
	return do(t, by, client.Request{Method: http.MethodDelete, Path: path})
}

// send sends a text and returns the answer, which has to be a success.
func send(t *testing.T, from, to person, text string, more object) client.Answer {
	t.Helper()
	answer := post(t, app, "/send", with(object{"from": from.ID, "to": to.ID, "message": text}, more))
	wantStatus(t, answer, http.StatusOK)
	return answer
}

// ask sends a frame and returns the answer, which must not be an error.
func ask(t *testing.T, socket *client.Socket, frame object) client.Frame {
	t.Helper()
	answer, err := socket.Ask(within(t), frame)
	if err != nil {
		t.Fatalf("%v: %v", frame["action"], err)
	}
	if answer.Error != nil {
		t.Fatalf("%v is refused: %s", frame["action"], answer.Raw)
	}
	return answer
}

// pages reads a list to its end; path has a "?" already.
func pages[T any](t *testing.T, by client.Installation, path string) []T {
	t.Helper()
	var all []T
	for cursor, rounds := "", 0; ; rounds++ {
		answer := get(t, by, path+"&cursor="+cursor)
		wantStatus(t, answer, http.StatusOK)
		var page client.Page[T]
		if err := answer.Into(&page); err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
		if rounds > 1000 {
			t.Fatalf("%s never ends", path)
		}
	}
}

func texts(messages []client.Message) []string {
	var all []string
	for _, message := range messages {
		all = append(all, message.Message)
	}
	return all
}

func sequences(messages []client.Message) []int64 {
	var all []int64
	for _, message := range messages {
		all = append(all, message.Seq)
	}
	return all
}

// upTo returns the numbers 1 to n.
func upTo(n int) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = int64(i + 1)
	}
	return all
}
