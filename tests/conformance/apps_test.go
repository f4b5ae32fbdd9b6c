//go:build conformance

package conformance

import (
	"net/http"
	"os"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// stranger is a user of another app, with a token and its app's key.
type stranger struct {
	person
	key, token client.Installation
}

// anotherApp registers a user in another app, or skips the test where there is none to use.
func anotherApp(t *testing.T) stranger {
	t.Helper()
	key := os.Getenv("TOKENIM_OTHER_API_KEY")
	if key == "" {
		t.Skip("TOKENIM_OTHER_API_KEY names no key of another app")
	}
	by := app.With(key)
	name := unique("stranger")
	answer := post(t, by, "/register", object{"username": name})
	wantStatus(t, answer, http.StatusCreated)
	user := person{ID: answer.Text("user_id"), Name: name}
	return stranger{person: user, key: by, token: as(t, by, user, nil)}
}

func TestAnAppSeesNothingOfAnother(t *testing.T) {
	t.Parallel()
	other := anotherApp(t)
	ann, bob := pair(t)
	conversation := send(t, ann, bob, "ours", nil).Text("conversation_id")
	own, _ := newKey(t, nil, "users:read")
	for name, by := range map[string]client.Installation{"key": other.key, "token": other.token} {
		for what, request := range ownRequests(ann, conversation) {
			if answer := do(t, by, request); answer.Status != http.StatusNotFound || answer.Text("code") != "user_not_found" {
				t.Errorf("%s with another app's %s: %s", what, name, answer)
			}
		}
		wantRefusal(t, get(t, by, "/users/"+ann.ID), http.StatusNotFound, "user_not_found")
		wantRefusal(t, get(t, by, "/conversations/"+conversation+"/messages"), http.StatusNotFound, "conversation_not_found")
		for _, to := range []string{bob.ID, bob.Name} {
			wantRefusal(t, post(t, by, "/send", object{"from": other.ID, "to": to, "message": "x"}), http.StatusNotFound, "user_not_found")
		}
	}
	wantRefusal(t, remove(t, other.key, "/keys/"+own.KeyID), http.StatusNotFound, "key_not_found")
	wantRefusal(t, post(t, other.key, "/users/"+ann.ID+"/tokens", object{}), http.StatusNotFound, "user_not_found")
	wantRefusal(t, remove(t, other.key, "/users/"+ann.ID+"/tokens"), http.StatusNotFound, "user_not_found")
	wantStatus(t, post(t, other.key, "/register", object{"username": ann.Name}), http.StatusCreated)
}

func TestCursorsOfAnotherApp(t *testing.T) {
	t.Parallel()
	other := anotherApp(t)
	for list, cursor := range cursors(t) {
		if list == "/keys?limit=1" || list == "/users?limit=1" {
			wantRefusal(t, get(t, other.key, list+"&cursor="+cursor), http.StatusBadRequest, "cursor_invalid")
		}
	}
}

func TestSocketsOfAnotherApp(t *testing.T) {
	t.Parallel()
	other := anotherApp(t)
	ann, bob := pair(t)
	conversation := send(t, ann, bob, "ours", nil).Text("conversation_id")
	theirs, ours := dial(t, other.token, client.DialOptions{}), online(t, ann, nil)
	for code, frames := range map[string][]object{
		"user_not_found":         {{"action": "send", "to": bob.ID, "message": "x"}, {"action": "send", "to": bob.Name, "message": "x"}, {"action": "typing", "to": bob.ID}},
		"conversation_not_found": {{"action": "history", "conversation_id": conversation}, {"action": "ack", "conversation_id": conversation, "seq": 1}},
	} {
		for _, frame := range frames {
			answer, err := theirs.Ask(within(t), frame)
			if err != nil {
				t.Fatal(err)
			}
			wantFrameRefusal(t, answer, code)
		}
	}
	answer, err := ours.Ask(within(t), object{"action": "auth", "token": other.token.APIKey})
	if err != nil {
		t.Fatal(err)
	}
	wantFrameRefusal(t, answer, "not_yourself")
	ask(t, ours, object{"action": "ping"})
}
