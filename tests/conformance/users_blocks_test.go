//go:build conformance

package conformance

import (
	"net/http"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

func block(t *testing.T, by client.Installation, who, other person) {
	t.Helper()
	answer := do(t, by, client.Request{Method: http.MethodPut, Path: "/users/" + who.ID + "/blocks/" + other.ID})
	wantStatus(t, answer, http.StatusNoContent)
}

type blockRow struct {
	UserID    string `json:"user_id"`
	BlockedAt string `json:"blocked_at"`
}

func blockList(t *testing.T, by client.Installation, who person, limit string) (listed []string) {
	t.Helper()
	for _, row := range pages[blockRow](t, by, "/users/"+who.ID+"/blocks?limit="+limit) {
		if listed = append(listed, row.UserID); row.BlockedAt == "" {
			t.Errorf("a block without a time: %+v", row)
		}
	}
	return listed
}

func TestBlockList(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	token := as(t, app, ann, nil)
	var others []string
	for range 5 {
		other := register(t, "blocked")
		others = append(others, other.ID)
		for range 2 { // the second changes nothing
			block(t, token, ann, other)
		}
	}
	slices.Sort(others)
	for _, limit := range []string{"1", "2", "100"} {
		if got := blockList(t, token, ann, limit); !slices.Equal(got, others) {
			t.Errorf("pages of %s: %v, want %v", limit, got, others)
		}
	}
	if got := blockList(t, app, ann, "100"); !slices.Equal(got, others) { // the application, for her
		t.Errorf("the application sees %v", got)
	}
	if got := blockList(t, app, bob, "100"); len(got) != 0 {
		t.Errorf("bob has blocked %v", got)
	}
	for range 2 {
		wantStatus(t, remove(t, token, "/users/"+ann.ID+"/blocks/"+others[0]), http.StatusNoContent)
	}
	if got := blockList(t, token, ann, "100"); !slices.Equal(got, others[1:]) {
		t.Errorf("left: %v, want %v", got, others[1:])
	}
	wantRefusal(t, get(t, as(t, app, bob, nil), "/users/"+ann.ID+"/blocks"), http.StatusForbidden, "not_yourself")
	itself := client.Request{Method: http.MethodPut, Path: "/users/" + ann.ID + "/blocks/" + ann.ID}
	wantField(t, wantRefusal(t, do(t, token, itself), 422, "field_invalid"), "other", "field_invalid")
}

func TestBlockedSendersAreTold(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	g := gather(t, 2, nil)
	block(t, app, g.members[0], g.members[1])
	wantStatus(t, g.say(t, g.members[1], "groups are not affected", nil), http.StatusOK)
	send(t, bob, ann, "before", nil)
	block(t, app, ann, bob)
	for _, to := range []string{ann.ID, ann.Name} {
		wantField(t, wantRefusal(t, post(t, app, "/send", object{"from": bob.ID, "to": to, "message": "x"}), http.StatusForbidden, "blocked"), "to", "blocked")
	}
	socket := online(t, bob, nil)
	for _, frame := range []object{{"action": "send", "to": ann.ID, "message": "x"}, {"action": "typing", "to": ann.ID}} {
		if answer, err := socket.Ask(within(t), frame); err != nil || answer.Code() != "blocked" {
			t.Errorf("%v: %s, %v", frame["action"], answer.Raw, err)
		}
	}
	send(t, ann, bob, "the other way", nil)
	wantStatus(t, remove(t, app, "/users/"+ann.ID+"/blocks/"+bob.ID), http.StatusNoContent)
	send(t, bob, ann, "after", nil)
}

// TestBlockedSendersAreAcceptedSilently follows a message that only its sender sees: the sender's own devices show it as any
// other, and who has blocked the sender notices nothing.
func TestBlockedSendersAreAcceptedSilently(t *testing.T) {
	t.Parallel()
	owner := sharedTeam(t).owner
	appID := newApp(t, owner)
	_, by := keyOf(t, owner, appID, nil, scopes...)
	shown := patch(t, owner.session, "/apps/"+appID, object{"blocked_senders": "accept_silently"})
	wantStatus(t, shown, http.StatusOK)
	if shown.Text("blocked_senders") != "accept_silently" {
		t.Errorf("the app shows %s", shown)
	}
	ann, bob := registerBy(t, by, "ann"), registerBy(t, by, "bob")
	say := func(from, to person, text string, more object) client.Answer {
		answer := post(t, by, "/send", with(object{"from": from.ID, "to": to.ID, "message": text}, more))
		wantStatus(t, answer, http.StatusOK)
		return answer
	}
	say(bob, ann, "seen", nil)
	block(t, by, ann, bob)
	annToken, bobToken := as(t, by, ann, nil), as(t, by, bob, nil)
	her, his := dial(t, annToken, client.DialOptions{}), dial(t, bobToken, client.DialOptions{})
	awaitResume(t, her)
	awaitResume(t, his)
	silent := say(bob, ann, "unseen", object{"client_id": "c1"})
	if again := say(bob, ann, "unseen", object{"client_id": "c1"}); again.Text("message_id") != silent.Text("message_id") {
		t.Errorf("sent %s, again %s", silent, again)
	}
	awaitEvent(t, his, 0, func(f client.Frame) bool { return f.Event == "message" && f.Messages()[0].Message == "unseen" })
	ask(t, his, object{"action": "typing", "to": ann.ID})
	say(ann, bob, "from ann", nil) // comes to her other devices behind what she must not have been told
	awaitEvent(t, her, 0, func(f client.Frame) bool { return f.Event == "message" && f.Messages()[0].Message == "from ann" })
	for _, event := range her.Events(0) {
		if event.Event == "typing" {
			t.Errorf("ann was told that bob is writing")
		}
		for _, m := range event.Messages() {
			if m.Message == "unseen" {
				t.Errorf("ann was told %s", event.Raw)
			}
		}
	}
	conversation := silent.Text("conversation_id")
	views := map[string][]string{}
	for name, token := range map[string]client.Installation{"ann": annToken, "bob": bobToken} {
		for _, m := range pages[client.Message](t, token, "/conversations/"+conversation+"/messages?limit=2") {
			views[name] = append(views[name], m.Type+" "+m.Message)
		}
	}
	if want := []string{"text seen", "void ", "text from ann"}; !slices.Equal(views["ann"], want) {
		t.Errorf("ann sees %q, want %q", views["ann"], want)
	}
	if want := []string{"text seen", "text unseen", "text from ann"}; !slices.Equal(views["bob"], want) {
		t.Errorf("bob sees %q, want %q", views["bob"], want)
	}
	rows := pages[client.Conversation](t, by, "/users/"+ann.ID+"/conversations?limit=10")
	if len(rows) != 1 || rows[0].Unread != 1 {
		t.Errorf("ann's conversations: %+v", rows)
	}
	if got := texts(pages[client.Message](t, annToken, "/users/"+ann.ID+"/messages?unread=true")); !slices.Equal(got, []string{"seen"}) {
		t.Errorf("ann has unread %q", got)
	}
	fresh := dial(t, as(t, by, bob, nil), client.DialOptions{})
	frame := awaitResume(t, fresh)
	if got := texts(frame.Messages()); !slices.Contains(got, "from ann") && !slices.Contains(got, "unseen") {
		t.Errorf("bob's new device resumes with %q", got)
	}
}
