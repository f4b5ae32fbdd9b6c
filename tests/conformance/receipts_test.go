//go:build conformance

package conformance

import (
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// receiptsOf returns by user how far a message has come: "", "delivered" or "read".
func receiptsOf(t *testing.T, by client.Installation, conversation string, seq int64, limit int) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, row := range pages[struct {
		UserID    string `json:"user_id"`
		Delivered bool   `json:"delivered"`
		Read      bool   `json:"read"`
	}](t, by, fmt.Sprintf("/conversations/%s/messages/%d/receipts?limit=%d", conversation, seq, limit)) {
		if _, twice := found[row.UserID]; twice {
			t.Errorf("two receipts of %s", row.UserID)
		}
		switch {
		case row.Read && row.Delivered:
			found[row.UserID] = "read"
		case row.Read:
			t.Errorf("%s has read what was not delivered", row.UserID)
		case row.Delivered:
			found[row.UserID] = "delivered"
		default:
			found[row.UserID] = ""
		}
	}
	return found
}

func wantReceipts(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// awaitReceipt waits for the event with the marks.
func awaitReceipt(t *testing.T, socket *client.Socket, from person, conversation string, ack, read int64) {
	t.Helper()
	awaitEvent(t, socket, 0, func(f client.Frame) bool {
		return f.Event == "receipt" && f.From == from.ID && f.ConversationID == conversation && f.AckSeq == ack && f.ReadSeq == read
	})
}

// TestReceiptsBetweenTwo has bob acknowledge and read, over HTTP and over the socket. Ann's devices are told at once.
func TestReceiptsBetweenTwo(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	var conversation string
	for i := range 4 {
		conversation = send(t, ann, bob, fmt.Sprint("to bob ", i+1), nil).Text("conversation_id")
	}
	send(t, bob, ann, "to ann", nil)
	phone, laptop := online(t, ann, object{"device": "phone"}), online(t, ann, object{"device": "laptop"})
	his := online(t, bob, nil)
	by := map[string]client.Installation{"ann": as(t, app, ann, nil), "bob": as(t, app, bob, nil), "the application": app}
	want := func(seq int64, user person, state string) {
		t.Helper()
		for name, token := range by {
			wantReceipts(t, fmt.Sprint(seq, " for ", name), receiptsOf(t, token, conversation, seq, 1), map[string]string{user.ID: state})
		}
	}
	want(1, bob, "")
	mark := "/users/" + bob.ID + "/conversations/" + conversation
	for _, step := range []struct {
		do        func()
		ack, read int64
	}{
		{func() { wantStatus(t, post(t, app, mark+"/ack", object{"seq": 2}), http.StatusOK) }, 2, 0},
		{func() { wantStatus(t, post(t, by["bob"], mark+"/read", object{"seq": 1}), http.StatusOK) }, 2, 1},
		{func() { ask(t, his, object{"action": "ack", "conversation_id": conversation, "seq": 3}) }, 3, 1},
		{func() { ask(t, his, object{"action": "ack", "conversation_id": conversation, "seq": 2}) }, 3, 1}, // moves nothing
		{func() { ask(t, his, object{"action": "read", "conversation_id": conversation, "seq": 3}) }, 3, 3},
	} {
		step.do()
		awaitReceipt(t, phone, bob, conversation, step.ack, step.read)
		awaitReceipt(t, laptop, bob, conversation, step.ack, step.read)
	}
	for i, state := range []string{"read", "read", "read", ""} {
		want(int64(i+1), bob, state)
	}
	want(5, ann, "")
	told := 0
	for _, event := range phone.Events(0) {
		if event.Event == "receipt" {
			told++
		}
	}
	if told != 4 {
		t.Errorf("ann's phone was told %d times, want 4: %s", told, shown(phone.Events(0)))
	}
	for _, event := range his.Events(0) {
		if event.Event == "receipt" {
			t.Errorf("bob was told of himself: %s", event.Raw)
		}
	}
}

func TestReceiptsOfAGroup(t *testing.T) {
	t.Parallel()
	g := gather(t, 4, object{"join": "open"})
	ann, bob, eve, dan := g.members[0], g.members[1], g.members[2], g.members[3]
	sent := g.say(t, ann, "hello", nil)
	wantStatus(t, sent, http.StatusOK)
	seq, later := int64(sent.Number("seq")), register(t, "late")
	wantStatus(t, post(t, app, "/groups/"+g.id+"/join", object{"as": later.ID}), http.StatusOK)
	wantStatus(t, post(t, app, "/users/"+bob.ID+"/conversations/"+g.id+"/ack", object{"seq": seq}), http.StatusOK)
	wantStatus(t, post(t, app, "/users/"+eve.ID+"/conversations/"+g.id+"/read", object{"seq": seq}), http.StatusOK)
	want := map[string]string{bob.ID: "delivered", eve.ID: "read", dan.ID: ""}
	token := as(t, app, dan, nil)
	for name, by := range map[string]client.Installation{"a member": token, "the application": app} {
		for _, limit := range []int{1, 2, 100} {
			wantReceipts(t, name, receiptsOf(t, by, g.id, seq, limit), want)
		}
	}
	path := fmt.Sprintf("/conversations/%s/messages/%d/receipts", g.id, seq)
	wantRefusal(t, get(t, as(t, app, later, nil), path), http.StatusNotFound, "message_not_found") // before it joined
	wantRefusal(t, get(t, as(t, app, register(t, "stranger"), nil), path), http.StatusNotFound, "conversation_not_found")
	wantRefusal(t, get(t, app, fmt.Sprintf("/conversations/%s/messages/1/receipts", g.id)), http.StatusNotFound, "message_not_found") // of its creation
	wantStatus(t, post(t, app, "/groups/"+g.id+"/leave", object{"as": dan.ID}), http.StatusOK)
	wantRefusal(t, get(t, token, path), http.StatusNotFound, "conversation_not_found")
	delete(want, dan.ID)
	wantReceipts(t, "after one has left", receiptsOf(t, app, g.id, seq, 100), want)
}

// traced is what GET /messages/{id}/trace answers.
type traced struct {
	MessageID      string `json:"message_id"`
	ConversationID string `json:"conversation_id"`
	Seq            int64  `json:"seq"`
	StoredAt       string `json:"stored_at"`
	State          string `json:"state"`
	NextCursor     string `json:"next_cursor"`
	Items          []struct {
		UserID  string `json:"user_id"`
		Status  string `json:"status"`
		Why     string `json:"why"`
		Devices []struct {
			Device      string `json:"device"`
			Connection  string `json:"connection"`
			ConnectedAt string `json:"connected_at"`
			Result      string `json:"result"`
		} `json:"devices"`
	} `json:"items"`
}

// line is the trace of a message to one user: status, why, and each device with its result.
func (tr traced) line() string {
	if len(tr.Items) != 1 {
		return fmt.Sprintf("%+v", tr)
	}
	line := tr.Items[0].Status + " " + tr.Items[0].Why
	for _, device := range tr.Items[0].Devices {
		line += fmt.Sprintf(" %s:%s", device.Device, device.Result)
	}
	return line
}

func traceOf(t *testing.T, by client.Installation, id string) traced {
	t.Helper()
	answer := get(t, by, "/messages/"+id+"/trace")
	wantStatus(t, answer, http.StatusOK)
	return into[traced](t, answer)
}

// TestWhereIsMyMessage follows a message from its being stored to its being read.
func TestWhereIsMyMessage(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	token := as(t, app, ann, nil)
	early := send(t, ann, bob, "before he came", nil)
	want := func(of client.Answer, application, sender string) {
		t.Helper()
		for name, by := range map[string]client.Installation{application: app, sender: token} {
			got := traceOf(t, by, of.Text("message_id"))
			if got.line() != name {
				t.Errorf("%q, want %q", got.line(), name)
			}
			if got.State != "stored" || got.MessageID != of.Text("message_id") || got.ConversationID != of.Text("conversation_id") ||
				float64(got.Seq) != float64(of.Number("seq")) || got.StoredAt != of.Text("sent_at") || got.Items[0].UserID != bob.ID {
				t.Errorf("%+v of %s", got, of)
			}
		}
	}
	want(early, "waiting offline", "waiting offline")
	phone := online(t, bob, object{"device": "phone"})
	late := send(t, ann, bob, "while he is there", nil)
	awaitEvent(t, phone, 0, func(f client.Frame) bool { return f.Event == "message" })
	want(late, "pushed  phone:pushed", "pushed ")
	ask(t, phone, object{"action": "ack", "conversation_id": late.Text("conversation_id"), "seq": 2})
	want(late, "delivered  phone:pushed", "delivered ")
	ask(t, phone, object{"action": "read", "conversation_id": late.Text("conversation_id"), "seq": 2})
	want(late, "read  phone:pushed", "read ")
	for name, by := range map[string]client.Installation{"its receiver": as(t, app, bob, nil), "a stranger": as(t, app, register(t, "eve"), nil)} {
		if answer := get(t, by, "/messages/"+late.Text("message_id")+"/trace"); answer.Status != http.StatusNotFound || answer.Text("code") != "message_not_found" {
			t.Errorf("%s: %s", name, answer)
		}
	}
}

// TestWhereIsMyGroupMessage pages through the members.
func TestWhereIsMyGroupMessage(t *testing.T) {
	t.Parallel()
	g := gather(t, 4, nil)
	sent := g.say(t, g.members[1], "hello", nil)
	wantStatus(t, sent, http.StatusOK)
	read := "/users/" + g.members[2].ID + "/conversations/" + g.id + "/read"
	wantStatus(t, post(t, app, read, object{"seq": sent.Number("seq")}), http.StatusOK)
	want := map[string]string{g.members[0].ID: "waiting offline", g.members[2].ID: "read ", g.members[3].ID: "waiting offline"}
	for _, by := range []client.Installation{app, as(t, app, g.members[1], nil)} {
		got := map[string]string{}
		for cursor := ""; ; {
			answer := get(t, by, "/messages/"+sent.Text("message_id")+"/trace?limit=2&cursor="+cursor)
			wantStatus(t, answer, http.StatusOK)
			page := into[traced](t, answer)
			for _, item := range page.Items {
				got[item.UserID] = item.Status + " " + item.Why
			}
			if cursor = page.NextCursor; cursor == "" {
				break
			}
		}
		wantReceipts(t, "trace", got, want)
	}
}

// TestSilenceIsNotTold has a message accepted silently: the sender is told of it what it would be of one that nobody has
// acknowledged, whatever the receiver marks.
func TestSilenceIsNotTold(t *testing.T) {
	t.Parallel()
	owner := sharedTeam(t).owner
	appID := newApp(t, owner)
	_, by := keyOf(t, owner, appID, nil, scopes...)
	wantStatus(t, patch(t, owner.session, "/apps/"+appID, object{"blocked_senders": "accept_silently"}), http.StatusOK)
	ann, bob := registerBy(t, by, "ann"), registerBy(t, by, "bob")
	block(t, by, ann, bob)
	sent := post(t, by, "/send", object{"from": bob.ID, "to": ann.ID, "message": "unseen"})
	wantStatus(t, sent, http.StatusOK)
	conversation, his := sent.Text("conversation_id"), as(t, by, bob, nil)
	wantStatus(t, post(t, by, "/users/"+ann.ID+"/conversations/"+conversation+"/read", object{"seq": 1}), http.StatusOK)
	for name, token := range map[string]client.Installation{"bob": his, "the application": by} {
		wantReceipts(t, name, receiptsOf(t, token, conversation, 1, 10), map[string]string{ann.ID: ""})
	}
	wantRefusal(t, get(t, as(t, by, ann, nil), "/conversations/"+conversation+"/messages/1/receipts"), http.StatusNotFound, "message_not_found")
	if got := traceOf(t, his, sent.Text("message_id")); got.State != "stored" || got.line() != "waiting offline" {
		t.Errorf("bob is told %+v", got)
	}
	if got := traceOf(t, by, sent.Text("message_id")); got.State != "hidden" || got.line() != "waiting blocked" {
		t.Errorf("the application is told %+v", got)
	}
}

func TestReceiptsOfNothing(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	conversation := send(t, ann, bob, "one", nil).Text("conversation_id")
	receipts := "/conversations/" + conversation + "/messages/"
	wantRefusal(t, get(t, app, receipts+"2/receipts"), http.StatusNotFound, "message_not_found")
	wantRefusal(t, get(t, app, receipts+"0/receipts"), 422, "field_out_of_range")
	wantRefusal(t, get(t, app, receipts+"x/receipts"), 422, "field_type")
	wantRefusal(t, get(t, app, receipts+"1/receipts?cursor=x"), http.StatusBadRequest, "cursor_invalid")
	wantRefusal(t, get(t, app, "/conversations/x/messages/1/receipts"), http.StatusNotFound, "conversation_not_found")
	for _, id := range []string{"x", "m_", "m_1", "m_x_1", conversation, "m_" + conversation[2:] + "_2", "m_" + conversation[2:] + "_01", "%00", "m_%FF_1"} {
		wantRefusal(t, get(t, app, "/messages/"+id+"/trace"), http.StatusNotFound, "message_not_found")
	}
	wantRefusal(t, get(t, app, "/messages/m_"+conversation[2:]+"_1/trace?cursor=x"), http.StatusBadRequest, "cursor_invalid")
}
