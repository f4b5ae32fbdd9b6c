//go:build conformance

package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

func history(t *testing.T, conversation, query string) []client.Message {
	t.Helper()
	return pages[client.Message](t, app, "/conversations/"+conversation+"/messages?"+query)
}

func TestSend(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	first := send(t, ann, bob, "Hello! 你好 \U0001F600 <b>&</b> \u2028", object{"type": "text", "client_id": "c-1"})
	second := post(t, app, "/send", object{"from": strings.ToUpper(bob.Name), "to": ann.Name, "message": "back"})
	wantStatus(t, second, http.StatusOK)
	third := post(t, app.With(""), "/send", object{"api_key": app.APIKey, "from": ann.Name, "to": bob.ID, "message": "again"})
	conversation := first.Text("conversation_id")
	if first.Number("seq") != 1 || second.Number("seq") != 2 || third.Number("seq") != 3 || third.Text("conversation_id") != conversation {
		t.Errorf("%s; %s; %s", first, second, third)
	}
	messages := history(t, conversation, "")
	want := client.Message{ConversationID: conversation, Seq: 1, MessageID: first.Text("message_id"), From: ann.ID, To: bob.ID, Type: "text",
		Message: "Hello! 你好 \U0001F600 <b>&</b> \u2028", ClientID: "c-1", SentAt: first.Text("sent_at")}
	if len(messages) != 3 || messages[0] != want || messages[1].From != bob.ID || messages[1].To != ann.ID {
		t.Errorf("sent %+v, read %+v", want, messages)
	}
	if at, err := time.Parse(time.RFC3339, want.SentAt); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("sent_at %q: %v", want.SentAt, err)
	}
}

func TestLongestMessage(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	for i, text := range []string{strings.Repeat("x", 4096), strings.Repeat("好", 1365), strings.Repeat("\u0001", 4096), strings.Repeat("\"", 4096)} {
		conversation := send(t, ann, bob, text, nil).Text("conversation_id")
		if found := history(t, conversation, ""); found[i].Message != text {
			t.Errorf("message %d has %d bytes after %d", i, len(found[i].Message), len(text))
		}
	}
	for _, text := range []string{strings.Repeat("x", 4097), strings.Repeat("好", 1366)} {
		answer := post(t, app, "/send", object{"from": ann.ID, "to": bob.ID, "message": text})
		wantField(t, wantRefusal(t, answer, http.StatusRequestEntityTooLarge, "message_too_large"), "message", "message_too_large")
	}
}

func TestARetryHasOneEffect(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]any{"without known": nil, "with known": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ann, bob := pair(t)
			more := object{"client_id": "once", "known": known}
			first := send(t, ann, bob, "text", more)
			send(t, bob, ann, "between", nil)
			for range 3 {
				if again := send(t, ann, bob, "text", more); !sameMessage(first, again) {
					t.Errorf("%s, then %s", first, again)
				}
			}
			conflicting := object{"from": ann.ID, "to": bob.ID, "message": "other"}
			problem := wantRefusal(t, post(t, app, "/send", with(conflicting, more)), http.StatusConflict, "client_id_conflict")
			wantField(t, problem, "client_id", "client_id_conflict")
			if same := send(t, bob, ann, "the other side's own", more); same.Number("seq") != 3 {
				t.Errorf("client IDs of two senders are not one: %s", same)
			}
			if found := sequences(history(t, first.Text("conversation_id"), "")); !slices.Equal(found, upTo(3)) {
				t.Errorf("sequences %v", found)
			}
		})
	}
}

func sameMessage(a, b client.Answer) bool {
	return a.Text("message_id") == b.Text("message_id") && a.Number("seq") == b.Number("seq") && a.Text("sent_at") == b.Text("sent_at")
}

func TestFiftySendsWithOneClientID(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]any{"without known": nil, "with known": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ann, bob := pair(t)
			answers := together(50, func(int) client.Answer {
				return post(t, app, "/send", with(object{"from": ann.ID, "to": bob.ID, "message": "one", "client_id": "same"}, object{"known": known}))
			})
			for _, answer := range answers {
				if answer.Status != http.StatusOK || !sameMessage(answer, answers[0]) {
					t.Errorf("%s, but %s", answers[0], answer)
				}
			}
			if found := history(t, answers[0].Text("conversation_id"), ""); len(found) != 1 {
				t.Errorf("%d messages", len(found))
			}
		})
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	try := func(known int64) client.Answer {
		return post(t, app, "/send", object{"from": ann.ID, "to": bob.ID, "message": "x", "client_id": unique("k"), "known": known})
	}
	wantField(t, wantRefusal(t, try(1), http.StatusConflict, "known_ahead"), "known", "known_ahead")
	wantStatus(t, try(0), http.StatusOK)
	wantStatus(t, try(0), http.StatusOK)
	wantStatus(t, try(2), http.StatusOK)
	wantRefusal(t, try(4), http.StatusConflict, "known_ahead")
	wantRefusal(t, try(-1), 422, "field_out_of_range")
	for n := 4; n <= 102; n++ {
		send(t, bob, ann, "on", nil)
	}
	wantField(t, wantRefusal(t, try(0), http.StatusConflict, "known_too_old"), "known", "known_too_old")
	wantRefusal(t, try(1), http.StatusConflict, "known_too_old")
	if last := try(2); last.Number("seq") != 103 {
		t.Errorf("a page behind: %s", last)
	}
	conversation := send(t, ann, bob, "x", nil).Text("conversation_id")
	if found := sequences(history(t, conversation, "limit=100")); !slices.Equal(found, upTo(104)) {
		t.Errorf("sequences %v", found)
	}
}

func TestARetryFarBehindStillFindsItsMessage(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	first := send(t, ann, bob, "early", object{"client_id": "early"})
	pinned := send(t, ann, bob, "pinned", object{"client_id": "pinned", "known": 1})
	for range 110 {
		send(t, bob, ann, "on", nil)
	}
	if again := send(t, ann, bob, "early", object{"client_id": "early"}); !sameMessage(first, again) {
		t.Errorf("%s, then %s", first, again)
	}
	if again := send(t, ann, bob, "pinned", object{"client_id": "pinned", "known": 1}); !sameMessage(pinned, again) {
		t.Errorf("%s, then %s", pinned, again)
	}
}

func TestUsersOfASend(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	cases := map[string]struct {
		from, to string
		status   int
		code     string
		field    string
	}{
		"oneself by ID":         {ann.ID, ann.ID, 422, "recipient_is_sender", "to"},
		"oneself by name":       {ann.ID, strings.ToUpper(ann.Name), 422, "recipient_is_sender", "to"},
		"unknown receiver name": {ann.ID, "nobody" + mark, 404, "user_not_found", "to"},
		"unknown receiver ID":   {ann.ID, "u_0000000000000000000000", 404, "user_not_found", "to"},
		"a bad name":            {ann.ID, "two words", 404, "user_not_found", "to"},
		"a conversation":        {ann.ID, "c_0000000000000000000000", 404, "user_not_found", "to"},
		"a group":               {ann.ID, "g_0000000000000000000000", 404, "group_not_found", "to"},
		"unknown sender":        {"nobody" + mark, bob.ID, 404, "user_not_found", "from"},
		"unknown sender ID":     {"u_0000000000000000000000", bob.ID, 404, "user_not_found", "from"},
		"no sender":             {"", bob.ID, 422, "field_missing", "from"},
		"no receiver":           {ann.ID, "", 422, "field_too_short", "to"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			answer := post(t, app, "/send", object{"from": c.from, "to": c.to, "message": "x"})
			wantField(t, wantRefusal(t, answer, c.status, c.code), c.field, c.code)
		})
	}
	if rows := pages[client.Conversation](t, app, "/users/"+ann.ID+"/conversations?limit=10"); len(rows) != 0 {
		t.Errorf("refused sends left conversations: %+v", rows)
	}
}

func TestPolling(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	carl := register(t, "carl")
	for n := range 7 {
		send(t, ann, bob, fmt.Sprintf("a%d", n), nil)
		send(t, bob, ann, "own", nil)
		send(t, carl, bob, fmt.Sprintf("c%d", n), nil)
	}
	for _, size := range []int{1, 2, 7, 100} {
		unread := pages[client.Message](t, app, fmt.Sprintf("/users/%s/messages?unread=true&limit=%d", bob.ID, size))
		byConversation(t, unread, map[string][]string{ann.ID: {"a0", "a1", "a2", "a3", "a4", "a5", "a6"}, carl.ID: {"c0", "c1", "c2", "c3", "c4", "c5", "c6"}})
	}
	all := pages[client.Message](t, app, "/users/"+bob.ID+"/messages?limit=3")
	if len(all) != 21 {
		t.Errorf("%d messages in all", len(all))
	}
	first := pages[client.Message](t, app, "/users/"+bob.ID+"/messages?unread=true")[0]
	wantStatus(t, post(t, app, "/users/"+bob.ID+"/conversations/"+first.ConversationID+"/read", object{"seq": first.Seq}), http.StatusOK)
	if left := pages[client.Message](t, app, "/users/"+bob.ID+"/messages?unread=true&limit=4"); len(left) != 13 {
		t.Errorf("%d unread after one was read", len(left))
	}
}

// byConversation checks that the messages come conversation by conversation, each in order, with the texts by sender.
func byConversation(t *testing.T, messages []client.Message, want map[string][]string) {
	t.Helper()
	seen := map[string][]string{}
	last := ""
	for _, message := range messages {
		if message.From != last && seen[message.From] != nil {
			t.Errorf("the conversation of %s is torn apart", message.From)
		}
		last = message.From
		seen[message.From] = append(seen[message.From], message.Message)
	}
	for from, texts := range want {
		if !slices.Equal(seen[from], texts) {
			t.Errorf("from %s: %v, want %v", from, seen[from], texts)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("messages from %d users, want %d", len(seen), len(want))
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	var conversation string
	for range 5 {
		conversation = send(t, ann, bob, "x", nil).Text("conversation_id")
	}
	for _, mark := range []string{"ack", "read"} {
		path := "/users/" + bob.ID + "/conversations/" + conversation + "/" + mark
		at := func(seq int64) int64 {
			t.Helper()
			answer := post(t, app, path, object{"seq": seq})
			wantStatus(t, answer, http.StatusOK)
			if mark == "read" && !answer.Has("unread") {
				t.Errorf("no unread: %s", answer)
			}
			return answer.Number(mark + "_seq")
		}
		for _, step := range [][2]int64{{2, 2}, {4, 4}, {3, 4}, {4, 4}, {1, 4}, {5, 5}} {
			if got := at(step[0]); got != step[1] {
				t.Errorf("%s %d: the mark stands at %d, want %d", mark, step[0], got, step[1])
			}
		}
		wantField(t, wantRefusal(t, post(t, app, path, object{"seq": 6}), http.StatusConflict, "sequence_ahead"), "seq", "sequence_ahead")
		wantRefusal(t, post(t, app, path, object{"seq": int64(1) << 53}), http.StatusConflict, "sequence_ahead")
		for _, bad := range []any{0, -1} {
			wantRefusal(t, post(t, app, path, object{"seq": bad}), 422, "field_out_of_range")
		}
	}
	rows := pages[client.Conversation](t, app, "/users/"+bob.ID+"/conversations?limit=10")
	if len(rows) != 1 || rows[0].AckSeq != 5 || rows[0].ReadSeq != 5 || rows[0].Unread != 0 || rows[0].Last.Seq != 5 || rows[0].With != ann.ID {
		t.Errorf("%+v", rows)
	}
}

func TestForeignConversations(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	eve := register(t, "eve")
	conversation := send(t, ann, bob, "secret", nil).Text("conversation_id")
	token := as(t, app, eve, nil)
	for _, id := range []string{conversation, "c_0000000000000000000000", "c_x", "x", conversation + "x", ann.ID} {
		for _, mark := range []string{"ack", "read"} {
			for _, seq := range []int64{1, 99} {
				wantRefusal(t, post(t, app, "/users/"+eve.ID+"/conversations/"+id+"/"+mark, object{"seq": seq}), http.StatusNotFound, "conversation_not_found")
			}
		}
		wantRefusal(t, get(t, token, "/conversations/"+id+"/messages"), http.StatusNotFound, "conversation_not_found")
		if id != conversation {
			wantRefusal(t, get(t, app, "/conversations/"+id+"/messages"), http.StatusNotFound, "conversation_not_found")
		}
	}
}
