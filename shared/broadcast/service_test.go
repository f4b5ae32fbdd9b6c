package broadcast_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/broadcast"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func refused(t *testing.T, err error, want fault.Code) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// What is no message is refused by the request, which leaves nothing behind; what is one is not sent to the sender.
func TestContentIsJudgedAtOnce(t *testing.T) {
	w := newWorld(t, 3)
	for want, content := range map[fault.Code]broadcast.Content{
		fault.MessageEmpty: {}, fault.MessageTooLarge: {Text: strings.Repeat("x", message.MaxTextBytes+1)}, fault.FieldMissing: {Type: "location"},
		fault.FieldRange: {Type: "location", Location: &message.Location{Lat: 91}}, fault.FieldInvalid: {Type: "song", Text: "x"},
	} {
		_, err := w.service(healthy()).Begin(t.Context(), w.app, w.ann, content, "key")
		refused(t, err, want)
	}
	if page, _, err := w.service(healthy()).List(t.Context(), w.app, "", 10); err != nil || len(page) > 0 || len(w.jobs.sent) > 0 {
		t.Errorf("there are %v and the jobs %v, %v", page, w.jobs.sent, err)
	}
	begun, err := w.service(healthy()).Begin(t.Context(), w.app, w.ann, broadcast.Content{Type: "location", Location: &message.Location{Lat: 9, Name: "here"}}, "")
	if err != nil || begun.Type != "location" || begun.State != broadcast.Running {
		t.Fatalf("Begin = %+v, %v", begun, err)
	}
	w.work(t)
	if found := w.find(t, begun.ID); found.State != broadcast.Done || found.Sent != 3 {
		t.Errorf("the broadcast is %+v", found)
	}
}

func TestARepeatedRequestFindsTheBroadcast(t *testing.T) {
	w := newWorld(t, 8)
	service, first := w.service(healthy()), w.begin(t, "key")
	for _, other := range []struct {
		from    id.User
		content broadcast.Content
	}{{w.all[0], hello}, {w.ann, broadcast.Content{Text: "another"}}, {w.ann, broadcast.Content{Type: "location", Location: &message.Location{}}}} {
		_, err := service.Begin(t.Context(), w.app, other.from, other.content, "key")
		refused(t, err, fault.IdempotencyConflict)
	}
	if again := w.begin(t, "key"); again.ID != first.ID || again.Slot != first.Slot {
		t.Errorf("again: %+v, first %+v", again, first)
	}
	w.work(t)
	w.wantAll(t, first.ID)
	if again := w.begin(t, "key"); again.ID != first.ID || again.Sent != 8 {
		t.Errorf("again: %+v", again)
	}
	w.work(t)
	w.wantAll(t, first.ID)
	w.clock.Advance(broadcast.Kept)
	_, err := service.Begin(t.Context(), w.app, w.ann, hello, "key")
	refused(t, err, fault.IdempotencyConflict)
}

func TestFewAreUnfinished(t *testing.T) {
	w := newWorld(t, 8)
	for range broadcast.MaxUnfinished {
		w.begin(t, "")
	}
	_, err := w.service(healthy()).Begin(t.Context(), w.app, w.ann, hello, "")
	refused(t, err, fault.BroadcastsTooMany)
	if fault.Of(err).RetryAfter <= 0 {
		t.Error("nobody is told how long to wait")
	}
	w.work(t)
	page, next, err := w.service(healthy()).List(t.Context(), w.app, "", 10)
	if err != nil || len(page) != broadcast.MaxUnfinished || next != "" {
		t.Fatalf("List = %v, %q, %v", page, next, err)
	}
	for _, each := range page {
		w.wantAll(t, each.ID)
	}
	w.begin(t, "")
	w.clock.Advance(broadcast.Kept - time.Second)
	later := w.begin(t, "")
	w.clock.Advance(time.Minute)
	if page, _, err := w.service(healthy()).List(t.Context(), w.app, "", 10); err != nil || len(page) != 1 || page[0].ID != later.ID {
		t.Errorf("those that are over are listed: %v, %v", page, err)
	}
	_, err = w.service(healthy()).Find(t.Context(), w.app, page[0].ID)
	refused(t, err, fault.BroadcastNotFound)
}

func TestOnlyTheAppFindsItsBroadcasts(t *testing.T) {
	w := newWorld(t, 1)
	service, begun := w.service(healthy()), w.begin(t, "")
	for _, unknown := range []id.Broadcast{"", "x", id.Source{}.Broadcast(), begun.ID + "0"} {
		_, err := service.Find(t.Context(), w.app, unknown)
		refused(t, err, fault.BroadcastNotFound)
		_, err = service.Cancel(t.Context(), w.app, unknown)
		refused(t, err, fault.BroadcastNotFound)
	}
	_, err := service.Cancel(t.Context(), id.Source{}.App(), begun.ID)
	refused(t, err, fault.BroadcastNotFound)
	if found := w.find(t, begun.ID); !found.CancelledAt.IsZero() {
		t.Errorf("another app has cancelled %+v", found)
	}
}

// Neither what it says nor the names of users can be read where it is kept.
func TestWhatIsKeptIsSealed(t *testing.T) {
	w := newWorld(t, 40)
	begun := w.begin(t, "")
	content, err := w.store.Content(t.Context(), w.app, begun.ID)
	if err != nil || bytes.Contains(content, []byte("hello")) {
		t.Errorf("the content is %q, %v", content, err)
	}
	positions := 0
	w.before = func(id.User) error {
		found, err := w.store.Get(t.Context(), w.app, begun.ID)
		if err != nil || bytes.Contains(found.Position, []byte("name of")) {
			t.Errorf("the broadcast is %+v, %v", found, err)
		}
		positions += len(found.Position)
		return nil
	}
	next, _ := w.jobs.take()
	worker := w.worker(healthy())
	worker.Messages = inTurn{worker.Messages, make(chan struct{}, 1)}
	storetest.OK(t, "Do", worker.Do(t.Context(), next.job))
	w.before = nil
	if positions == 0 {
		t.Error("no position was seen")
	}
	w.work(t)
	w.wantAll(t, begun.ID)
}

// A repeated request finds its broadcast where the content would be refused by now: who is told no believes that nothing is sent.
func TestARepeatedRequestFindsWhatIsRefusedNow(t *testing.T) {
	w := newWorld(t, 9)
	begun := w.begin(t, "key")
	service := w.service(healthy())
	service.Messages = refusing{fault.New(fault.MediaExpired)}
	again, err := service.Begin(t.Context(), w.app, w.ann, hello, "key")
	if err != nil || again.ID != begun.ID {
		t.Errorf("again: %+v, %v", again, err)
	}
	_, err = service.Begin(t.Context(), w.app, w.ann, broadcast.Content{Text: "another"}, "key")
	refused(t, err, fault.MediaExpired)
	for _, key := range []string{"", "another"} {
		_, err = service.Begin(t.Context(), w.app, w.ann, hello, key)
		refused(t, err, fault.MediaExpired)
	}
	w.work(t)
	w.wantAll(t, begun.ID)
}

// refusing are messages that refuse all contents.
type refusing struct{ why error }

func (r refusing) Send(context.Context, message.Draft) (message.Sent, error) {
	return message.Sent{}, r.why
}
