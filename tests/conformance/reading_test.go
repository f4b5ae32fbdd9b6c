//go:build conformance

package conformance

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

func TestHistoryBothWays(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	var conversation string
	for n := range 25 {
		conversation = send(t, ann, bob, fmt.Sprint(n), nil).Text("conversation_id")
	}
	for _, size := range []int{1, 5, 7, 25, 100} {
		up := history(t, conversation, fmt.Sprintf("order=asc&limit=%d", size))
		down := history(t, conversation, fmt.Sprintf("order=desc&limit=%d", size))
		slices.Reverse(down)
		if !slices.Equal(sequences(up), upTo(25)) || !slices.Equal(up, down) {
			t.Errorf("pages of %d: up %v, down (turned) %v", size, sequences(up), sequences(down))
		}
	}
	token := as(t, app, bob, nil)
	if own := pages[client.Message](t, token, "/conversations/"+conversation+"/messages?limit=10"); len(own) != 25 {
		t.Errorf("a member reads %d messages", len(own))
	}
	wantRefusal(t, get(t, app, "/conversations/"+conversation+"/messages?order=up"), 422, "field_invalid")
}

func TestConversationList(t *testing.T) {
	t.Parallel()
	ann := register(t, "ann")
	unread := map[string]int64{}
	for n := range 7 {
		friend := register(t, "friend")
		for range n {
			send(t, friend, ann, "in", nil)
		}
		unread[friend.ID] = int64(n)
		send(t, ann, friend, "last", nil)
	}
	for _, size := range []int{1, 3, 7, 100} {
		rows := pages[client.Conversation](t, app, fmt.Sprintf("/users/%s/conversations?limit=%d", ann.ID, size))
		var ids []string
		for _, row := range rows {
			ids = append(ids, row.ConversationID)
			if row.Unread != unread[row.With] || row.Last.Message != "last" || row.Last.Seq != unread[row.With]+1 {
				t.Errorf("%+v, want %d unread", row, unread[row.With])
			}
		}
		if len(ids) != 7 || !slices.IsSorted(ids) {
			t.Errorf("pages of %d: %v", size, ids)
		}
	}
}

// TestUnreadFollowsTheFormula compares every place that tells unread messages with a model, over a random history.
func TestUnreadFollowsTheFormula(t *testing.T) {
	t.Parallel()
	users := [2]person{}
	users[0], users[1] = pair(t)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	var senders []int // by sequence
	var read [2]int
	conversation := ""
	for step := range 60 {
		who := random.IntN(2)
		if len(senders) == 0 || random.IntN(3) > 0 {
			conversation = send(t, users[who], users[1-who], fmt.Sprint(step), nil).Text("conversation_id")
			senders = append(senders, who)
		} else {
			at := 1 + random.IntN(len(senders))
			read[who] = max(read[who], at)
			how := []string{"read", "delete", "clear"}[random.IntN(3)] // what one removes one has read
			body := object{"seq": at}
			if how == "delete" {
				body = object{"seqs": []int{at}}
			}
			answer := post(t, app, "/users/"+users[who].ID+"/conversations/"+conversation+"/"+how, body)
			if got := answer.Number("unread"); answer.Status != http.StatusOK || got != int64(unreadOf(senders, read[who], who)) {
				t.Errorf("seed %d, step %d: %s, want unread %d", seed, step, answer, unreadOf(senders, read[who], who))
			}
		}
		wantUnread(t, fmt.Sprintf("seed %d, step %d", seed, step), users[who], unreadOf(senders, read[who], who))
	}
}

// unreadOf counts what the other user sent beyond the read mark.
func unreadOf(senders []int, read, who int) int {
	unread := 0
	for _, sender := range senders[read:] {
		if sender != who {
			unread++
		}
	}
	return unread
}

func wantUnread(t *testing.T, when string, user person, want int) {
	t.Helper()
	rows := pages[client.Conversation](t, app, "/users/"+user.ID+"/conversations?limit=10")
	polled := pages[client.Message](t, app, "/users/"+user.ID+"/messages?unread=true&limit=7")
	if rows[0].Unread != int64(want) || len(polled) != want {
		t.Errorf("%s: the list says %d, %d are polled, want %d", when, rows[0].Unread, len(polled), want)
	}
}

func TestCursorsOfOtherLists(t *testing.T) {
	t.Parallel()
	lists := cursors(t)
	for list, cursor := range lists {
		wantStatus(t, get(t, app, list+"&cursor="+cursor), http.StatusOK)
		for other, foreign := range lists {
			if other != list {
				wantRefusal(t, get(t, app, list+"&cursor="+foreign), http.StatusBadRequest, "cursor_invalid")
			}
		}
	}
}

// cursors returns a next_cursor of each kind of list, by its path.
func cursors(t *testing.T) map[string]string {
	t.Helper()
	ann, bob := pair(t)
	carl := register(t, "carl")
	newKey(t, nil, "users:read")
	for range 2 {
		send(t, ann, carl, "x", nil)
		send(t, bob, carl, "x", nil)
		send(t, carl, ann, "x", nil)
	}
	conversation := send(t, ann, carl, "x", nil).Text("conversation_id")
	second := send(t, bob, carl, "x", nil).Text("conversation_id")
	found := map[string]string{}
	for _, list := range []string{"/keys?limit=1", "/users?limit=1", "/users/" + carl.ID + "/messages?limit=1", "/users/" + carl.ID + "/messages?limit=1&unread=true",
		"/users/" + ann.ID + "/messages?limit=1", "/users/" + carl.ID + "/conversations?limit=1", "/conversations/" + conversation + "/messages?limit=1",
		"/conversations/" + conversation + "/messages?limit=1&order=desc", "/conversations/" + second + "/messages?limit=1"} {
		answer := get(t, app, list)
		wantStatus(t, answer, http.StatusOK)
		if found[list] = answer.Text("next_cursor"); found[list] == "" {
			t.Fatalf("%s has no next page: %s", list, answer)
		}
	}
	return found
}

func TestTamperedCursors(t *testing.T) {
	t.Parallel()
	lists := cursors(t)
	for list, cursor := range lists {
		for i := range len(cursor) {
			tampered := cursor[:i] + other(cursor[i]) + cursor[i+1:]
			if answer := get(t, app, list+"&cursor="+tampered); answer.Status != http.StatusBadRequest || answer.Text("code") != "cursor_invalid" {
				t.Errorf("%s, byte %d of %s: %s", list, i, cursor, answer)
			}
		}
		for _, bad := range []string{cursor[:len(cursor)-1], cursor + "A", cursor + "%3D", "%0A" + cursor, cursor + cursor} {
			if answer := get(t, app, list+"&cursor="+bad); answer.Status != http.StatusBadRequest && answer.Status != 422 {
				t.Errorf("%s with %s: %s", list, bad, answer)
			}
		}
	}
}
