package message_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
)

// block has ann block bob.
func (w *world) block(t *testing.T, silent bool) {
	t.Helper()
	w.users.Silent = silent
	service := &user.Service{Store: w.users, Clock: clock.System{}}
	storetest.OK(t, "Block", service.Block(t.Context(), w.app, w.ann, w.bob))
}

func (w *world) send(t *testing.T, from, to id.User, text, clientID string) message.Message {
	t.Helper()
	sent, err := w.healthy().Send(t.Context(), message.Draft{App: w.app, From: from, To: string(to), Text: text, ClientID: clientID})
	storetest.OK(t, "Send "+text, err)
	return sent.Message
}

// shown lists messages by number, type, sender and text.
func (w *world) shown(messages []message.Message) (lines []string) {
	names := map[id.User]string{w.ann: "ann", w.bob: "bob"}
	for _, m := range messages {
		lines = append(lines, fmt.Sprint(m.Seq, " ", m.Type, " ", names[m.From], " ", m.Message, m.ClientID))
	}
	return lines
}

func TestBlockedSendersAreTold(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	w.block(t, false)
	for _, clientID := range []string{"", "c1"} {
		_, err := w.healthy().Send(t.Context(), message.Draft{App: w.app, From: w.bob, To: string(w.ann), Text: "x", ClientID: clientID})
		if !fault.Is(err, fault.Blocked) {
			t.Errorf("Send: %v, want blocked", err)
		}
	}
	w.send(t, w.ann, w.bob, "the other way", "")
	if got := fmt.Sprint(w.texts(t)); got != "[the other way]" {
		t.Errorf("the log has %s", got)
	}
}

func TestWhatIsAcceptedSilently(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	w.send(t, w.bob, w.ann, "one", "")
	w.send(t, w.ann, w.bob, "two", "")
	w.block(t, true)
	for _, user := range []id.User{w.ann, w.bob} {
		_, _, err := w.records.Attach(t.Context(), connection.Socket{App: w.app, User: user, Device: "phone", Connection: string(user)}, time.Now().Add(time.Hour))
		storetest.OK(t, "Attach", err)
	}
	before := w.version(t, w.ann)
	first := w.send(t, w.bob, w.ann, "unseen", "c1")
	if again := w.send(t, w.bob, w.ann, "unseen", "c1"); !reflect.DeepEqual(again, first) || first.Type != message.TypeText || first.Message != "unseen" {
		t.Errorf("answered %+v, then %+v", first, again)
	}
	w.send(t, w.bob, w.ann, "unseen too", "")
	if got := w.version(t, w.ann); got != before {
		t.Errorf("the blocker's version went from %d to %d", before, got)
	}
	w.wantViews(t, []string{"1 text bob one", "2 text ann two", "3 void  ", "4 void  "},
		[]string{"1 text bob one", "2 text ann two", "3 text bob unseenc1", "4 text bob unseen too"})
	w.wantUnread(t, w.ann, 1)
	w.wantUnread(t, w.bob, 1)
	w.send(t, w.ann, w.bob, "three", "")
	w.wantUnread(t, w.bob, 2)
	w.wantUnread(t, w.ann, 1)
	w.wantViews(t, []string{"1 text bob one", "2 text ann two", "3 void  ", "4 void  ", "5 text ann three"},
		[]string{"1 text bob one", "2 text ann two", "3 text bob unseenc1", "4 text bob unseen too", "5 text ann three"})
}

// version is the version of the user's routing record.
func (w *world) version(t *testing.T, user id.User) int64 {
	t.Helper()
	record, err := w.records.Record(t.Context(), w.app, user, true)
	storetest.OK(t, "Record", err)
	return record.Version
}

// wantViews checks what the blocker, the sender and an application see of the conversation, by every way to it.
func (w *world) wantViews(t *testing.T, ann, bob []string) {
	t.Helper()
	for _, view := range []struct {
		user id.User
		want []string
	}{{w.ann, ann}, {w.bob, bob}, {"", bob}} {
		for _, order := range []message.Order{message.Ascending, message.Descending} {
			page, _, err := w.healthy().History(t.Context(), w.app, view.user, w.pair(), order, "", 100)
			storetest.OK(t, "History", err)
			if order == message.Descending {
				for i, j := 0, len(page)-1; i < j; i, j = i+1, j-1 {
					page[i], page[j] = page[j], page[i]
				}
			}
			wantLines(t, "history", w.shown(page), view.want)
		}
		if view.user == "" {
			continue
		}
		shown := slices.DeleteFunc(slices.Clone(view.want), func(line string) bool { return strings.HasSuffix(line, " void  ") })
		last := shown[len(shown)-1:]
		list, _, err := w.healthy().Conversations(t.Context(), w.app, view.user, "", 10)
		storetest.OK(t, "Conversations", err)
		wantLines(t, "list", w.shown([]message.Message{*list[0].Last}), last)
		page, _, err := w.healthy().Inbox(t.Context(), w.app, view.user, false, "", 100)
		storetest.OK(t, "Inbox", err)
		wantLines(t, "inbox", w.shown(page), view.want)
		window, _, err := w.healthy().Begin(t.Context(), w.app, view.user, message.NoVersion, noGroups)
		storetest.OK(t, "Begin", err)
		wantLines(t, "resume", w.shown(window.Items), view.want)
		changes, err := w.healthy().Sync(t.Context(), w.app, view.user, 0)
		storetest.OK(t, "Sync", err)
		wantLines(t, "sync", w.shown([]message.Message{*changes.Changed[0].Last}), view.want[len(view.want)-1:])
	}
}

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s shows\n%q, want\n%q", what, got, want)
	}
}

// wantUnread checks the count and what is counted.
func (w *world) wantUnread(t *testing.T, user id.User, want int64) {
	t.Helper()
	list, _, err := w.healthy().Conversations(t.Context(), w.app, user, "", 10)
	storetest.OK(t, "Conversations", err)
	page, _, err := w.healthy().Inbox(t.Context(), w.app, user, true, "", 100)
	storetest.OK(t, "Inbox", err)
	if list[0].Unread != want || int64(len(page)) != want {
		t.Errorf("%d unread, of which %q, want %d", list[0].Unread, w.shown(page), want)
	}
}

// TestAConversationOfNothing: who was written to by nobody but those it has blocked has no conversation with them.
func TestAConversationOfNothing(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	w.block(t, true)
	w.send(t, w.bob, w.ann, "unseen", "")
	for user, want := range map[id.User]int{w.ann: 0, w.bob: 1} {
		if list, _, err := w.healthy().Conversations(t.Context(), w.app, user, "", 10); err != nil || len(list) != want {
			t.Errorf("%d conversations (%v), want %d", len(list), err, want)
		}
	}
	w.send(t, w.ann, w.bob, "hello", "")
	if list, _, err := w.healthy().Conversations(t.Context(), w.app, w.ann, "", 10); err != nil || len(list) != 1 {
		t.Errorf("%d conversations (%v), want one", len(list), err)
	}
}
