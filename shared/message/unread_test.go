package message_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// tally is what a member's unread count has to be made of: the group's messages, and up to where the member has read.
type tally struct {
	inside bool
	mark   int64
}

// TestUnreadInGroups has random members send, read, join and leave, and compares every count with one that is made by hand:
// what others wrote after the member's mark, which its own messages, its joining and its reading move forward.
func TestUnreadInGroups(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, storetest.Staleness{})
		users := []id.User{w.ann, w.bob, w.register(t, "carol")}
		group := w.found(rt, users[0], users[1])
		conversation := id.Conversation(group)
		tallies := map[id.User]*tally{users[0]: {inside: true}, users[1]: {inside: true}, users[2]: {}}
		messages, length := []int64{}, int64(1)
		for step := range rapid.IntRange(1, 25).Draw(rt, "steps") {
			user := rapid.SampledFrom(users).Draw(rt, "user")
			mine := tallies[user]
			switch action := rapid.SampledFrom([]string{"send", "send", "read", "move"}).Draw(rt, "action"); {
			case action == "move" && user != users[0]:
				kind := message.UserLeft
				if !mine.inside {
					kind = message.UsersJoined
				}
				entry, err := w.turn(rt.Context(), w.healthy(), group, user, kind)
				storetest.OK(rt, "move", err)
				length++
				mine.inside, mine.mark = !mine.inside, entry.Sequence
			case action == "send" && mine.inside:
				_, err := w.healthy().Send(rt.Context(), w.draft(user, group, fmt.Sprint(step)))
				storetest.OK(rt, "send", err)
				length++
				messages, mine.mark = append(messages, length), length
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
	if slices.ContainsFunc(inbox, func(m message.Message) bool { return m.From == user }) {
		t.Fatalf("a user's own message is unread")
	}
}
