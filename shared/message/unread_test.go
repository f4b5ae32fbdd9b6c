package message_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// tally is what a member's unread count has to be made of: the group's messages, and up to where the member has read.
type tally struct {
	inside bool
	mark   int64
	// first is where begins what the member sees; deleted is what it does not see of that.
	first   int64
	deleted map[int64]bool
}

// begin has the member see nothing before the sequence.
func (m *tally) begin(first int64) { m.first = max(m.first, first) }

// remove has the member delete a message that it sees; one that it does not see moves nothing.
func (m *tally) remove(sequence int64) {
	if sequence >= m.first {
		m.deleted[sequence], m.mark = true, max(m.mark, sequence)
	}
}

// TestUnreadInGroups has random members send, read, delete, clear, join and leave, and compares every count with one that is made by
// hand: what others wrote after the member's mark, which its own messages, its joining, its reading and what it removes move forward.
func TestUnreadInGroups(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, storetest.Staleness{})
		users := []id.User{w.ann, w.bob, w.register(t, "carol")}
		group := w.found(rt, users[0], users[1])
		conversation := id.Conversation(group)
		tallies := map[id.User]*tally{}
		for _, user := range users {
			tallies[user] = &tally{inside: user != users[2], first: 1, deleted: map[int64]bool{}}
		}
		messages, length := []int64{}, int64(1)
		for step := range rapid.IntRange(1, 25).Draw(rt, "steps") {
			user := rapid.SampledFrom(users).Draw(rt, "user")
			mine := tallies[user]
			switch action := rapid.SampledFrom([]string{"send", "send", "send", "read", "move", "edit", "recall", "react", "delete", "clear"}).Draw(rt, "action"); {
			case action == "move" && user != users[0]:
				kind := message.UserLeft
				if !mine.inside {
					kind = message.UsersJoined
				}
				entry, err := w.turn(rt.Context(), w.healthy(), group, user, kind)
				storetest.OK(rt, "move", err)
				length++
				if mine.inside = !mine.inside; mine.inside {
					mine.begin(entry.Sequence)
				}
				mine.mark = entry.Sequence
			case action == "delete" && mine.inside && len(messages) > 0:
				sequences := rapid.SliceOfN(rapid.SampledFrom(messages), 1, 3).Draw(rt, "sequences")
				w.delete(rt, user, conversation, sequences...)
				for _, sequence := range sequences {
					mine.remove(sequence)
				}
			case action == "clear" && mine.inside:
				to := rapid.Int64Range(1, length).Draw(rt, "to")
				w.clear(rt, user, conversation, to)
				if to >= mine.first {
					mine.mark = max(mine.mark, to)
				}
				mine.begin(to + 1)
			case action == "send" && mine.inside:
				_, err := w.healthy().Send(rt.Context(), w.draft(user, group, fmt.Sprint(step)))
				storetest.OK(rt, "send", err)
				length++
				messages, mine.mark = append(messages, length), length
			case slices.Contains([]string{"edit", "recall", "react"}, action) && mine.inside && len(messages) > 0:
				length += w.operate(rt, group, user, action, rapid.SampledFrom(messages).Draw(rt, "message"))
			case action == "read" && mine.inside:
				to := rapid.Int64Range(1, length).Draw(rt, "to")
				marks, err := w.healthy().MarkRead(rt.Context(), w.app, user, conversation, to)
				storetest.OK(rt, "read", err)
				mine.mark = max(mine.mark, to)
				if *marks.Unread != unread(messages, mine.mark) {
					rt.Fatalf("after reading to %d of %d the answer says %d unread, want %d", to, length, *marks.Unread, unread(messages, mine.mark))
				}
			}
			for _, user := range users {
				checkUnread(rt, w, user, messages, tallies[user])
			}
		}
	})
}

// operate does something with a message of the group, where that is the user's to do, and returns how many entries tell of it.
func (w *world) operate(rt *rapid.T, group id.Group, user id.User, action string, sequence int64) (entries int64) {
	act, before := w.inGroup(user, group, sequence), int64(len(w.groupLog(rt, group)))
	var err error
	switch action {
	case "edit":
		_, err = w.healthy().Edit(rt.Context(), act, edit(rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "text")))
	case "recall":
		_, err = w.healthy().Recall(rt.Context(), act)
	default:
		_, err = w.healthy().React(rt.Context(), act, "👍")
	}
	if err != nil && !fault.Is(err, fault.MessageNotYours) && !fault.Is(err, fault.MessageRecalled) && !fault.Is(err, fault.MessageNotFound) {
		rt.Fatalf("%s: %v", action, err)
	}
	return int64(len(w.groupLog(rt, group))) - before
}

func unread(messages []int64, mark int64) (count int64) {
	for _, sequence := range messages {
		if sequence > mark {
			count++
		}
	}
	return count
}

// checkUnread compares the list of conversations and the inbox with the tally.
func checkUnread(t storetest.T, w *world, user id.User, messages []int64, want *tally) {
	list, _, err := w.healthy().Conversations(t.(*rapid.T).Context(), w.app, user, "", 10)
	storetest.OK(t, "list", err)
	inbox, _, err := w.healthy().Inbox(t.(*rapid.T).Context(), w.app, user, true, "", 100)
	storetest.OK(t, "inbox", err)
	if !want.inside {
		if len(list) != 0 || len(inbox) != 0 {
			t.Fatalf("who is outside has %+v and %+v", list, inbox)
		}
		return
	}
	count := unread(messages, want.mark)
	if len(list) != 1 || list[0].Unread != count || int64(len(inbox)) != count {
		t.Fatalf("%d unread in %+v and %d in the inbox, want %d", list[0].Unread, list, len(inbox), count)
	}
	want.checkHistory(t, w, user, list[0].ConversationID)
	if slices.ContainsFunc(inbox, func(m message.Message) bool { return m.From == user }) {
		t.Fatalf("a user's own message is unread")
	}
}

// checkHistory compares what the member sees with what it has removed.
func (m *tally) checkHistory(t storetest.T, w *world, user id.User, conversation id.Conversation) {
	page, _, err := w.healthy().History(t.(*rapid.T).Context(), w.app, user, conversation, message.Ascending, "", 100)
	storetest.OK(t, "history", err)
	for i, shown := range page {
		if shown.Seq != m.first+int64(i) || (shown.Type == message.TypeVoid) != m.deleted[shown.Seq] {
			t.Fatalf("who sees from %d on, and has deleted %v, is shown %+v", m.first, m.deleted, shown)
		}
	}
}
