package message_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Whoever finds done what another has done, or moderates, is not told that other user's version: a client that takes it over misses
// what lies between.
func TestVersionsAreTheCallersOwn(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	s := w.healthy()
	_, _, err := w.records.Attach(t.Context(), connection.Socket{App: w.app, User: w.ann, Device: "phone", Connection: "ann", ExpiresAt: time.Now().Add(time.Hour)}, time.Now().Add(time.Hour))
	storetest.OK(t, "Attach", err)
	w.send(t, w.ann, w.bob, "one", "")
	done, err := s.Pin(t.Context(), w.act(w.ann, 1))
	if err != nil || done.Version == 0 {
		t.Errorf("whoever pins is told %+v, %v", done, err)
	}
	if done, err = s.Pin(t.Context(), w.act(w.bob, 1)); err != nil || done.Sequence != 2 || done.Version != 0 {
		t.Errorf("the other user is told %+v, %v", done, err)
	}
	moderating := w.act("", 1)
	moderating.Moderating = true
	if done, err = s.Recall(t.Context(), moderating); err != nil || done.Version != 0 {
		t.Errorf("a moderator is told %+v, %v", done, err)
	}
}

// What a blocked user made of a message that was seen before has no place among what the message says, so no recall would find it:
// its text is not kept.
func TestHiddenEditsKeepNoText(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	s := w.healthy()
	w.send(t, w.bob, w.ann, "before", "")
	w.block(t, true)
	for _, text := range []string{"rude one", "rude two"} {
		_, err := s.Edit(t.Context(), w.act(w.bob, 1), edit(text))
		storetest.OK(t, "Edit", err)
	}
	_, err := s.Recall(t.Context(), w.act(w.bob, 1))
	storetest.OK(t, "Recall", err)
	for _, user := range []id.User{"", w.ann, w.bob} {
		page, _, err := s.History(t.Context(), w.app, user, w.pair(), message.Ascending, "", 100)
		storetest.OK(t, "History", err)
		for _, each := range page {
			if each.Operation != nil && each.Operation.Message != nil {
				t.Errorf("%q is shown %q", user, *each.Operation.Message)
			}
		}
	}
}

// meanwhile lets something happen before the first change is made.
type meanwhile struct {
	message.Operations
	happens func()
}

func (m *meanwhile) Alter(ctx context.Context, change message.Alteration) error {
	if happens := m.happens; happens != nil {
		m.happens = nil
		happens()
	}
	return m.Operations.Alter(ctx, change)
}

// What is decided again is told as it is decided then: who is blocked in the middle is not shown what changes nothing.
func TestBlockedInTheMiddle(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	w.send(t, w.bob, w.ann, "one", "")
	s := w.healthy()
	s.Operations = &meanwhile{w.operations, func() {
		_, err := w.healthy().React(t.Context(), w.act(w.ann, 1), "👍")
		storetest.OK(t, "React", err)
		w.block(t, true)
	}}
	done, err := s.React(t.Context(), w.act(w.bob, 1), "👎")
	storetest.OK(t, "React", err)
	if got := w.at(t, w.ann, 1); len(got.Reactions) != 1 {
		t.Errorf("the message has %v", got.Reactions)
	}
	if _, err := s.Message(t.Context(), w.app, w.ann, w.pair(), done.Sequence); !fault.Is(err, fault.MessageNotFound) {
		t.Errorf("the blocker is shown entry %d: %v", done.Sequence, err)
	}
	w.checkLog(t)
}

// Who may not speak in a group does not speak by editing either, and who is muted with all others does not react.
func TestOperationsWhereAllAreMuted(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	group := w.found(t, w.ann, w.bob)
	s := w.healthy()
	for _, user := range []id.User{w.bob, w.ann} {
		_, err := s.Send(t.Context(), w.draft(user, group, "hello"))
		storetest.OK(t, "Send", err)
	}
	for what, set := range map[fault.Code]func(g *messagetestGroup){
		fault.GroupMuted:      func(g *messagetestGroup) { g.AdminsOnly, g.Hushed = false, true },
		fault.GroupAdminsOnly: func(g *messagetestGroup) { g.AdminsOnly, g.Hushed = true, false },
	} {
		w.groups.Change(w.app, group, set)
		_, err := s.Edit(t.Context(), w.inGroup(w.bob, group, 2), edit("still here"))
		wantCode(t, "a member edits", err, what)
		_, err = s.Edit(t.Context(), w.inGroup(w.ann, group, 3), edit("admins do, "+string(what)))
		storetest.OK(t, "the owner edits", err)
		_, err = s.React(t.Context(), w.inGroup(w.bob, group, 3), ":"+string(what)+":")
		if what == fault.GroupMuted {
			wantCode(t, "a member reacts", err, what)
		} else {
			storetest.OK(t, "a member reacts where admins speak", err)
		}
		_, err = s.React(t.Context(), w.inGroup(w.ann, group, 2), ":"+string(what)+":")
		storetest.OK(t, "the owner reacts", err)
	}
	_, err := s.Recall(t.Context(), w.inGroup(w.bob, group, 2))
	storetest.OK(t, "a member recalls", err)
	unread, _, err := s.Conversations(t.Context(), w.app, w.bob, "", 10)
	if err != nil || unread[0].Unread != 1 {
		t.Errorf("unread: %+v, %v", unread, err)
	}
}

// A text grows in JSON; a page of entries has to stay below what DynamoDB reads at once.
func TestEditsAreBounded(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	w.send(t, w.ann, w.bob, "one", "")
	_, err := w.healthy().Edit(t.Context(), w.act(w.ann, 1), edit(strings.Repeat("\x01", message.MaxTextBytes)))
	wantCode(t, "six bytes for one", err, fault.MessageTooLarge)
	_, err = w.healthy().Edit(t.Context(), w.act(w.ann, 1), edit(strings.Repeat("\n", message.MaxTextBytes)))
	storetest.OK(t, "two bytes for one", err)
	if entry := w.history(t)[1]; len(entry.Sealed) > message.MaxContentBytes+200 {
		t.Errorf("the entry has %d bytes", len(entry.Sealed))
	}
}

// What a message refers to stays through an edit.
func TestEditsKeepReferences(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	s := w.healthy()
	w.send(t, w.bob, w.ann, "one", "")
	_, err := s.Send(t.Context(), message.Draft{App: w.app, From: w.ann, To: string(w.bob), Text: "two", Reply: 1, Mentioned: []id.User{w.bob}})
	storetest.OK(t, "Send", err)
	done, err := s.Edit(t.Context(), w.act(w.ann, 2), edit("three"))
	storetest.OK(t, "Edit", err)
	for _, got := range []message.Message{done.Message, w.at(t, w.bob, 2)} {
		if got.Message != "three" || got.ReplyTo == nil || got.ReplyTo.Seq != 1 || len(got.Mentions) != 1 {
			t.Errorf("after the edit: %+v", got)
		}
	}
	_, err = s.Edit(t.Context(), w.act(w.ann, 2), edit(""))
	wantCode(t, "an edit to nothing", err, "message_empty")
}
