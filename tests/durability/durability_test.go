// Package durability kills the whole laptop platform in the middle of a thousand sends and starts it again on the same
// data: what was acknowledged is there once and in order, and what was not is there once after its client's retry.
package durability_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

const (
	conversations = 4
	sends         = 1000
	// writers send into one conversation each, two into every one from its two sides.
	writers       = 2 * conversations
	perWriter     = sends / writers
	killAtLeast   = sends / 10
	killBeforeEnd = sends / 10
)

// writer is a client that sends one message after the other, each with a client ID.
type writer struct {
	name     string
	from, to string
	// pinned writers name what they know, the same over retries.
	pinned bool
	known  int64
	// acknowledged are the answers so far; the next message is the one behind them.
	acknowledged []client.Answer
}

func (w *writer) text(i int) string { return fmt.Sprint(w.name, "/", i) }

// run sends until everything is acknowledged or something fails. acknowledged is called after each success.
func (w *writer) run(ctx context.Context, app client.Installation, acknowledged func()) error {
	for i := len(w.acknowledged); i < perWriter; i++ {
		body := map[string]any{"from": w.from, "to": w.to, "message": w.text(i), "client_id": fmt.Sprint(w.name, "-", i)}
		if w.pinned {
			body["known"] = w.known
		}
		answer, err := app.Do(ctx, client.Request{Path: "/send", Body: body})
		if err != nil {
			return err
		}
		if answer.Text("code") == "known_too_old" { // the other side was faster by a page, while this one waited
			if err := w.catchUp(ctx, app, i); err != nil {
				return err
			}
			i--
			continue
		}
		if answer.Status != http.StatusOK {
			return fmt.Errorf("%s: %s", w.text(i), answer)
		}
		w.acknowledged = append(w.acknowledged, answer)
		w.known = answer.Number("seq")
		acknowledged()
	}
	return nil
}

// catchUp does what the refusal's hint says: it reads on from what the writer knows, so that the i-th message is sent behind that,
// or found where it stands.
func (w *writer) catchUp(ctx context.Context, app client.Installation, i int) error {
	with, err := pages[client.Conversation](ctx, app, "/users/"+w.from+"/conversations?limit=100")
	if err != nil || len(with) != 1 {
		return fmt.Errorf("%s has conversations %+v, %w", w.name, with, err)
	}
	log, err := pages[client.Message](ctx, app, "/conversations/"+with[0].ConversationID+"/messages?limit=100")
	if err != nil {
		return err
	}
	at := slices.IndexFunc(log, func(m client.Message) bool { return m.From == w.from && m.Message == w.text(i) })
	if w.known = int64(at); at < 0 {
		w.known = int64(len(log))
	}
	return nil
}

func TestNothingIsLostOrDoubledWhenEverythingIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and starts the runner twice")
	}
	binary, folder := build(t), t.TempDir()
	first := start(t, binary, folder)
	all := newWriters(t, first.app)
	killAfter := int64(killAtLeast + rand.IntN(sends-killAtLeast-killBeforeEnd))
	var count atomic.Int64
	killed := sync.OnceFunc(first.kill)
	errs := each(all, func(w *writer) error {
		return w.run(t.Context(), first.app, func() {
			if count.Add(1) == killAfter {
				killed()
			}
		})
	})
	before := acknowledgedBy(all)
	t.Logf("killed after %d acknowledgements; %d in all before the restart", killAfter, before)
	if len(errs) == 0 || before >= sends {
		t.Fatalf("the kill hit nothing: %d acknowledged, errors %v", before, errs)
	}
	first.awaitEnd(t)

	second := start(t, binary, folder)
	for _, err := range each(all, func(w *writer) error { return w.run(t.Context(), second.app, func() {}) }) {
		t.Error(err)
	}
	for i := 0; i < len(all); i += 2 {
		wantComplete(t, second.app, all[i], all[i+1])
	}
}

// each runs the function for all writers at once and returns their errors.
func each(all []*writer, do func(*writer) error) []error {
	var mu sync.Mutex
	var errs []error
	var group sync.WaitGroup
	for _, w := range all {
		group.Go(func() {
			if err := do(w); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	group.Wait()
	return errs
}

func acknowledgedBy(all []*writer) int {
	sum := 0
	for _, w := range all {
		sum += len(w.acknowledged)
	}
	return sum
}

func newWriters(t *testing.T, app client.Installation) []*writer {
	t.Helper()
	var all []*writer
	for n := range conversations {
		ann, bob := register(t, app, fmt.Sprint("ann-", n)), register(t, app, fmt.Sprint("bob-", n))
		all = append(all, &writer{name: fmt.Sprint("a", n), from: ann, to: bob, pinned: n%2 == 0},
			&writer{name: fmt.Sprint("b", n), from: bob, to: ann, pinned: n%2 == 0})
	}
	return all
}

func register(t *testing.T, app client.Installation, name string) string {
	t.Helper()
	answer, err := app.Do(t.Context(), client.Request{Path: "/register", Body: map[string]any{"username": name}})
	if err != nil || answer.Status != http.StatusCreated {
		t.Fatal(answer, err)
	}
	return answer.Text("user_id")
}

// wantComplete checks the conversation of two writers: no gaps, every message once, acknowledged ones where their
// answers say, each writer's in the order of its sends, and the unread count of each side.
func wantComplete(t *testing.T, app client.Installation, a, b *writer) {
	t.Helper()
	log := history(t, app, a.acknowledged[0].Text("conversation_id"))
	if len(log) != 2*perWriter {
		t.Errorf("%s and %s: %d messages, want %d", a.name, b.name, len(log), 2*perWriter)
	}
	order := map[string][]string{}
	for i, message := range log {
		if message.Seq != int64(i+1) {
			t.Fatalf("%d stands at %d", message.Seq, i+1)
		}
		order[message.From] = append(order[message.From], message.Message)
	}
	for _, w := range []*writer{a, b} {
		var want []string
		for i, answer := range w.acknowledged {
			want = append(want, w.text(i))
			at := log[answer.Number("seq")-1]
			if at.MessageID != answer.Text("message_id") || at.Message != w.text(i) || at.SentAt != answer.Text("sent_at") {
				t.Errorf("%s was acknowledged as %s, there stands %+v", w.text(i), answer, at)
			}
		}
		if !slices.Equal(order[w.from], want) {
			t.Errorf("%s: not each once, in order: %v", w.name, order[w.from])
		}
		wantUnread(t, app, w.to, perWriter)
	}
}

func history(t *testing.T, app client.Installation, conversation string) []client.Message {
	t.Helper()
	return list[client.Message](t, app, "/conversations/"+conversation+"/messages?limit=100")
}

func wantUnread(t *testing.T, app client.Installation, user string, want int64) {
	t.Helper()
	rows := list[client.Conversation](t, app, "/users/"+user+"/conversations?limit=100")
	if len(rows) != 1 || rows[0].Unread != want {
		t.Errorf("unread %+v, want %d", rows, want)
	}
}

func list[T any](t *testing.T, app client.Installation, path string) []T {
	t.Helper()
	all, err := pages[T](t.Context(), app, path)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// pages returns all items of a list.
func pages[T any](ctx context.Context, app client.Installation, path string) (all []T, err error) {
	for cursor := ""; ; {
		answer, err := app.Do(ctx, client.Request{Path: path + "&cursor=" + cursor})
		if err != nil || answer.Status != http.StatusOK {
			return nil, fmt.Errorf("%s: %s, %w", path, answer, err)
		}
		var page client.Page[T]
		if err := answer.Into(&page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return all, nil
		}
	}
}
