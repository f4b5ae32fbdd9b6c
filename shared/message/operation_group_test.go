package message_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Who leads a group recalls and pins what others have written, at any time; members do what is their own.
func TestOperationsInGroups(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	eve := w.register(t, "eve")
	group := w.found(t, w.ann, w.bob)
	clock := clocktest.New(time.Now())
	s := w.healthy()
	s.Clock = clock
	for _, text := range []string{"two", "three"} {
		_, err := s.Send(t.Context(), w.draft(w.bob, group, text))
		storetest.OK(t, "Send", err)
	}
	in := func(user id.User, sequence int64) message.Act { return w.inGroup(user, group, sequence) }
	for what, try := range map[string]struct {
		do   func() (message.Done, error)
		code fault.Code
	}{
		"a member pins":                 {func() (message.Done, error) { return s.Pin(t.Context(), in(w.bob, 2)) }, fault.PermissionDenied},
		"the owner edits another's":     {func() (message.Done, error) { return s.Edit(t.Context(), in(w.ann, 2), edit("x")) }, fault.MessageNotYours},
		"a stranger reacts":             {func() (message.Done, error) { return s.React(t.Context(), in(eve, 2), "👍") }, fault.ConversationNotFound},
		"a change of the group":         {func() (message.Done, error) { return s.React(t.Context(), in(w.bob, 1), "👍") }, fault.MessageNotFound},
		"a message that is not written": {func() (message.Done, error) { return s.React(t.Context(), in(w.bob, 9), "👍") }, fault.MessageNotFound},
	} {
		_, err := try.do()
		wantCode(t, what, err, try.code)
	}
	_, err := w.turn(t.Context(), s, group, eve, message.UsersJoined)
	storetest.OK(t, "join", err)
	_, err = s.React(t.Context(), in(eve, 2), "👍")
	wantCode(t, "to what was before it joined", err, fault.MessageNotFound)
	clock.Advance(message.DefaultWindows.Recall + time.Hour)
	_, err = s.Recall(t.Context(), in(w.bob, 2))
	wantCode(t, "a member recalls late", err, fault.RecallTooLate)
	done, err := s.Recall(t.Context(), in(w.ann, 2))
	if err != nil || done.Message.RecalledBy != w.ann || done.Sequence != 5 {
		t.Errorf("the owner recalls: %+v, %v", done, err)
	}
	_, err = s.Pin(t.Context(), in(w.ann, 3))
	storetest.OK(t, "the owner pins", err)
	if pins, err := s.PinnedMessages(t.Context(), w.app, eve, id.Conversation(group)); err != nil || len(pins) != 0 {
		t.Errorf("who joined later sees %v pinned, %v", pins, err)
	}
	if pins, err := s.PinnedMessages(t.Context(), w.app, w.bob, id.Conversation(group)); err != nil || len(pins) != 1 {
		t.Errorf("a member sees %v pinned, %v", pins, err)
	}
	w.seat(group, w.bob, message.Seat{State: message.Joined, Role: authz.GroupMember, Since: 1, MutedUntil: clock.Now().Add(time.Hour)}, 0)
	_, err = s.React(t.Context(), in(w.bob, 3), "👍")
	wantCode(t, "a muted member", err, fault.MemberMuted)
}

// An operation comes to every member's devices, and to nobody else's.
func TestOperationsAreTold(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	group := w.found(t, w.ann, w.bob)
	_, err := w.healthy().Send(t.Context(), w.draft(w.ann, group, "hello"))
	storetest.OK(t, "Send", err)
	for _, user := range []id.User{w.ann, w.bob} {
		_, _, err := w.records.Attach(t.Context(), connection.Socket{App: w.app, User: user, Device: "phone", Connection: string(user), ExpiresAt: time.Now().Add(time.Hour)}, time.Now().Add(time.Hour))
		storetest.OK(t, "Attach", err)
		w.poster.Open(string(user))
	}
	act := w.inGroup(w.ann, group, 2)
	act.Connection = string(w.ann)
	_, err = w.healthy().React(t.Context(), act, "👍")
	storetest.OK(t, "React", err)
	if got := len(w.poster.Frames(string(w.bob))); got != 1 {
		t.Errorf("the other member got %d frames", got)
	}
	if got := len(w.poster.Frames(string(w.ann))); got != 0 {
		t.Errorf("the device that reacted got %d frames", got)
	}
}

// Many react to one message of a group at once, and some of the processes die: all reactions are counted, and the log has no gap.
func TestReactionsInGroupsAtOnce(t *testing.T) {
	for seed := range 10 {
		w := newWorld(t, storetest.Staleness{Seed: uint64(seed), Lag: 8})
		users := []id.User{w.ann, w.bob}
		for i := range 6 {
			users = append(users, w.register(t, fmt.Sprint("user", i)))
		}
		group := w.found(t, w.ann, users[1:]...)
		_, err := w.healthy().Send(t.Context(), w.draft(w.ann, group, "hello"))
		storetest.OK(t, "Send", err)
		w.settle()
		clock := clocktest.New(time.Now())
		var all sync.WaitGroup
		for i, user := range users {
			all.Go(func() {
				w.persist(t, clock, seed+i, func(ctx context.Context, s *message.Service) error {
					_, err := s.React(ctx, w.inGroup(user, group, 2), "👍")
					return err
				})
			})
		}
		all.Wait()
		w.settle()
		found, err := w.healthy().Message(t.Context(), w.app, w.bob, id.Conversation(group), 2)
		storetest.OK(t, "Message", err)
		reacted := 0
		for i, entry := range w.groupLog(t, group) {
			if entry.Sequence != int64(i)+1 {
				t.Errorf("seed %d: entry %d has sequence %d", seed, i+1, entry.Sequence)
			}
			if entry.Type == message.TypeOperation {
				reacted++
			}
		}
		if len(found.Reactions) != 1 || found.Reactions[0].Count != int64(len(users)) || reacted != len(users) {
			t.Errorf("seed %d: %v counted, %d told, want %d", seed, found.Reactions, reacted, len(users))
		}
	}
}

// The preview of a conversation is its last message, however many operations come after it.
func TestPreviews(t *testing.T) {
	w := newWorld(t, storetest.Staleness{})
	s := w.healthy()
	w.send(t, w.ann, w.bob, "one", "")
	w.send(t, w.bob, w.ann, "two", "")
	for i := range 60 {
		do := s.React
		if i%2 == 1 {
			do = s.Unreact
		}
		_, err := do(t.Context(), w.act(w.ann, 1), "👍")
		storetest.OK(t, "React", err)
	}
	wantPreview := func(want string) {
		t.Helper()
		list, _, err := s.Conversations(t.Context(), w.app, w.bob, "", 10)
		storetest.OK(t, "Conversations", err)
		if list[0].Last == nil || list[0].Last.Message != want || list[0].Unread != 1 {
			t.Errorf("the list has %+v, want %q", list[0], want)
		}
	}
	wantPreview("two")
	_, err := s.Edit(t.Context(), w.act(w.bob, 2), edit("three"))
	storetest.OK(t, "Edit", err)
	wantPreview("three")
	_, err = s.Recall(t.Context(), w.act(w.bob, 2))
	storetest.OK(t, "Recall", err)
	wantPreview("")
}
