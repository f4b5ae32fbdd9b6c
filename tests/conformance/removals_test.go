//go:build conformance

package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// forget deletes the messages for the user.
func forget(t *testing.T, user person, conversation string, seqs ...int64) client.Answer {
	t.Helper()
	answer := post(t, app, "/users/"+user.ID+"/conversations/"+conversation+"/delete", object{"seqs": seqs})
	wantStatus(t, answer, http.StatusOK)
	return answer
}

// wipe clears the conversation for the user, up to the sequence or, for 0, to its end.
func wipe(t *testing.T, user person, conversation string, seq int64) client.Answer {
	t.Helper()
	body := object{}
	if seq > 0 {
		body["seq"] = seq
	}
	answer := post(t, app, "/users/"+user.ID+"/conversations/"+conversation+"/clear", body)
	wantStatus(t, answer, http.StatusOK)
	return answer
}

// exported returns the texts of the user's export, read to its end.
func exported(t *testing.T, by client.Installation, user person) (all []string) {
	t.Helper()
	for cursor := ""; ; {
		answer := get(t, by, "/users/"+user.ID+"/export?cursor="+cursor)
		wantStatus(t, answer, http.StatusOK)
		if kind, name := answer.Header.Get("Content-Type"), answer.Header.Get("Content-Disposition"); kind != "application/x-ndjson" || name != `attachment; filename="messages.ndjson"` {
			t.Fatalf("an export of %q as %q", kind, name)
		}
		for line := range strings.Lines(string(answer.Body)) {
			var message client.Message
			if err := json.Unmarshal([]byte(line), &message); err != nil {
				t.Fatalf("a line %q: %v", line, err)
			}
			all = append(all, message.Message)
		}
		if cursor = answer.Header.Get("X-Next-Cursor"); cursor == "" {
			return all
		}
	}
}

// kinds lists messages by number and, where they are voids, that.
func kinds(messages []client.Message) (all []string) {
	for _, message := range messages {
		all = append(all, fmt.Sprint(message.Seq, message.Message, strings.TrimPrefix(message.Type, "text")))
	}
	return all
}

// readBy reads the conversation under the user's token, in both orders and over the socket, and polls for it.
func readBy(t *testing.T, user person, socket *client.Socket, conversation string) map[string][]string {
	t.Helper()
	token := as(t, app, user, nil)
	down := pages[client.Message](t, token, "/conversations/"+conversation+"/messages?order=desc&limit=2")
	slices.Reverse(down)
	return map[string][]string{
		"history":          kinds(pages[client.Message](t, token, "/conversations/"+conversation+"/messages?limit=2")),
		"history backward": kinds(down), "socket": kinds(socketHistory(t, socket, conversation, "asc")),
		"polling": kinds(pages[client.Message](t, token, "/users/"+user.ID+"/messages?limit=3")),
	}
}

func wantRead(t *testing.T, user person, socket *client.Socket, conversation string, want ...string) {
	t.Helper()
	for how, got := range readBy(t, user, socket, conversation) {
		if !slices.Equal(got, want) {
			t.Errorf("%s shows %q, want %q", how, got, want)
		}
	}
}

// heard waits until the device is told of an operation in its user's own log.
func heard(t *testing.T, socket *client.Socket, kind string) client.Frame {
	t.Helper()
	return awaitEvent(t, socket, 0, func(f client.Frame) bool {
		return f.Event == "message" && strings.Contains(string(f.Raw), `"operation":{"kind":"`+kind+`"`)
	})
}

func TestWhatIsDeletedForOneself(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	conversation := ""
	for i, text := range []string{"a", "b", "c", "d"} {
		from, to := bob, ann
		if i == 0 {
			from, to = ann, bob
		}
		conversation = send(t, from, to, text, nil).Text("conversation_id")
	}
	phone, laptop, other := online(t, ann, object{"device": "phone"}), online(t, ann, object{"device": "laptop"}), online(t, bob, nil)
	answer := ask(t, phone, object{"action": "delete", "conversation_id": conversation, "seqs": []int64{1, 3}})
	if answer.ReadSeq != 3 || answer.Unread != 1 {
		t.Errorf("answered %s", answer.Raw)
	}
	for _, device := range []*client.Socket{phone, laptop} {
		if event := heard(t, device, "deleted"); !strings.Contains(string(event.Raw), `"seqs":[1,3]`) || event.V == nil {
			t.Errorf("the device is told %s", event.Raw)
		}
	}
	wantRead(t, ann, phone, conversation, "1void", "2b", "3void", "4d")
	wantRead(t, bob, other, conversation, "1a", "2b", "3c", "4d")
	if got := history(t, conversation, ""); len(got) != 4 || got[2].Message != "c" {
		t.Errorf("an application reads %v", got)
	}
	if again := forget(t, ann, conversation, 1, 3); again.Number("read_seq") != 3 {
		t.Errorf("once more: %s", again)
	}
	forget(t, ann, conversation, 4)
	list := pages[client.Conversation](t, app, "/users/"+ann.ID+"/conversations?limit=10")
	if len(list) != 1 || list[0].Last.Message != "b" || list[0].Unread != 0 {
		t.Errorf("the list is %+v", list)
	}
	if list = pages[client.Conversation](t, app, "/users/"+bob.ID+"/conversations?limit=10"); list[0].Last.Message != "d" {
		t.Errorf("bob's list is %+v", list)
	}
	if got := exported(t, as(t, app, ann, nil), ann); !slices.Equal(got, []string{"b"}) {
		t.Errorf("exported %q", got)
	}
	if got := exported(t, app, bob); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("exported for bob %q", got)
	}
}

// TestRemovalsReachOfflineDevices: a device that comes back is told in order what another has removed, by resume and by sync.
func TestRemovalsReachOfflineDevices(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	conversation := send(t, bob, ann, "a", nil).Text("conversation_id")
	send(t, bob, ann, "b", nil)
	forget(t, ann, conversation, 1)
	wipe(t, ann, conversation, 0)
	socket := dial(t, as(t, app, ann, nil), client.DialOptions{})
	var operations []string
	own := ""
	for _, message := range awaitResume(t, socket).Items {
		if message.Type == "operation" && message.From == ann.ID && message.To == ann.ID {
			operations, own = append(operations, fmt.Sprint(message.Seq)), message.ConversationID
		} else {
			t.Errorf("resumed %+v", message)
		}
	}
	if !slices.Equal(operations, []string{"1", "2"}) {
		t.Fatalf("resumed the operations %v", operations)
	}
	sync := ask(t, socket, object{"action": "sync", "v": 0})
	for _, change := range sync.Changed {
		if change.ConversationID == own && change.Seq != 2 || change.ConversationID != own && change.ConversationID != conversation {
			t.Errorf("sync: %s", sync.Raw)
		}
	}
	if len(sync.Changed) != 2 || strings.Contains(string(sync.Raw), `"message":"b"`) {
		t.Errorf("sync: %s", sync.Raw)
	}
	ask(t, socket, object{"action": "ack", "conversation_id": own, "seq": 2})
	whole := ask(t, socket, object{"action": "history", "conversation_id": own})
	if len(whole.Items) != 2 || !strings.Contains(string(whole.Raw), `"operation":{"kind":"cleared","seq":2,"conversation_id":"`+conversation+`"}`) {
		t.Errorf("the own log is %s", whole.Raw)
	}
	wantRefusal(t, get(t, as(t, app, bob, nil), "/conversations/"+own+"/messages"), http.StatusNotFound, "conversation_not_found")
	wantRefusal(t, post(t, app, "/send", object{"from": ann.ID, "to": ann.ID, "message": "x"}), 422, "recipient_is_sender")
	for _, list := range []string{"/conversations?limit=10", "/messages?limit=10"} {
		if got := get(t, app, "/users/"+ann.ID+list); strings.Contains(string(got.Body), own) {
			t.Errorf("%s shows the own log: %s", list, got)
		}
	}
}

func TestWhatIsCleared(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	conversation := ""
	for _, text := range []string{"a", "b", "c"} {
		conversation = send(t, bob, ann, text, nil).Text("conversation_id")
	}
	phone, other := online(t, ann, nil), online(t, bob, nil)
	answer := ask(t, phone, object{"action": "clear", "conversation_id": conversation, "seq": 2})
	if answer.ReadSeq != 2 || answer.AckSeq != 2 || answer.Unread != 1 || !strings.Contains(string(answer.Raw), `"cleared_seq":2`) {
		t.Errorf("answered %s", answer.Raw)
	}
	heard(t, phone, "cleared")
	wantRead(t, ann, phone, conversation, "3c")
	wantRead(t, bob, other, conversation, "1a", "2b", "3c")
	if got := wipe(t, ann, conversation, 1); got.Number("cleared_seq") != 2 {
		t.Errorf("clearing less: %s", got)
	}
	wipe(t, ann, conversation, 0)
	wantRead(t, ann, phone, conversation)
	row := get(t, app, "/users/"+ann.ID+"/conversations?limit=10")
	if list := into[client.Page[client.Conversation]](t, row).Items; len(list) != 1 || list[0].Unread != 0 || !strings.Contains(string(row.Body), `"last":null`) {
		t.Errorf("the list is %s", row)
	}
	send(t, bob, ann, "d", nil)
	wantRead(t, ann, phone, conversation, "4d")
	if list := pages[client.Conversation](t, app, "/users/"+ann.ID+"/conversations?limit=10"); list[0].Last.Message != "d" || list[0].Unread != 1 {
		t.Errorf("the list is %+v", list)
	}
	if got := exported(t, app, ann); !slices.Equal(got, []string{"d"}) {
		t.Errorf("exported %q", got)
	}
}

func TestRemovalsInGroups(t *testing.T) {
	t.Parallel()
	g := gather(t, 2, nil)
	owner, member := g.members[0], g.members[1]
	first := post(t, app, "/send", object{"from": owner.ID, "to": g.id, "message": "a"}).Number("seq")
	last := post(t, app, "/send", object{"from": owner.ID, "to": g.id, "message": "b"}).Number("seq")
	wipe(t, member, g.id, first-1)
	forget(t, member, g.id, first)
	got := pages[client.Message](t, as(t, app, member, nil), "/conversations/"+g.id+"/messages?limit=100")
	if want := []string{fmt.Sprint(first, "void"), fmt.Sprint(last, "b")}; !slices.Equal(kinds(got), want) {
		t.Errorf("the member reads %q, want %q", kinds(got), want)
	}
	if got = pages[client.Message](t, as(t, app, owner, nil), "/conversations/"+g.id+"/messages?limit=100"); int64(len(got)) != last {
		t.Errorf("the owner reads %q", kinds(got))
	}
	problem := wantRefusal(t, post(t, app, "/users/"+member.ID+"/conversations/"+g.id+"/delete", object{"seqs": []int64{last, last + 1}}), 409, "sequence_ahead")
	wantField(t, problem, "seqs[1]", "sequence_ahead")
}

func TestWhatCannotBeRemoved(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	eve := register(t, "eve")
	conversation := send(t, ann, bob, "a", nil).Text("conversation_id")
	reaction := post(t, app, "/users/"+bob.ID+"/conversations/"+conversation+"/messages/1/reactions", object{"reaction": "👍"})
	wantStatus(t, reaction, http.StatusOK)
	base := "/users/" + ann.ID + "/conversations/" + conversation
	for _, c := range []struct {
		path   string
		body   object
		status int
		code   string
	}{
		{base + "/delete", object{"seqs": []int64{3}}, 409, "sequence_ahead"},
		{base + "/delete", object{"seqs": []int64{1, 2}}, 404, "message_not_found"},
		{base + "/delete", object{"seqs": []int64{0}}, 422, "field_out_of_range"},
		{base + "/delete", object{"seqs": []int64{}}, 422, "field_too_short"},
		{base + "/delete", object{"seqs": upTo(51)}, 422, "field_too_long"},
		{base + "/clear", object{"seq": 3}, 409, "sequence_ahead"},
		{base + "/clear", object{"seq": 0}, 422, "field_out_of_range"},
		{"/users/" + eve.ID + "/conversations/" + conversation + "/delete", object{"seqs": []int64{1}}, 404, "conversation_not_found"},
		{"/users/" + eve.ID + "/conversations/" + conversation + "/clear", object{}, 404, "conversation_not_found"},
	} {
		wantRefusal(t, post(t, app, c.path, c.body), c.status, c.code)
	}
	if got := history(t, conversation, ""); len(got) != 2 {
		t.Errorf("the conversation has %v", got)
	}
	wantRefusal(t, get(t, app, "/users/"+ann.ID+"/export?cursor=x"), http.StatusBadRequest, "cursor_invalid")
	wantRefusal(t, get(t, as(t, app, eve, nil), "/users/"+ann.ID+"/export"), http.StatusForbidden, "not_yourself")
}
