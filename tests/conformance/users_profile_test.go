//go:build conformance

package conformance

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// profile is a user with all that it shows.
type profile struct {
	client.Profile
	Name          string `json:"name"`
	Avatar        string `json:"avatar"`
	Custom        object `json:"custom"`
	DeactivatedAt string `json:"deactivated_at"`
}

func TestUserChangesItself(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	token := as(t, app, ann, nil)
	if plain := get(t, app, "/users/"+ann.ID); strings.Contains(string(plain.Body), "custom") || strings.Contains(string(plain.Body), "name\":\"\"") {
		t.Errorf("a user who has set nothing shows it: %s", plain)
	}
	name := unique("Anna")
	changed := patch(t, token, "/users/"+ann.ID, object{"username": name, "name": "Ann of the Mill", "avatar": "https://example.com/a.png", "custom": object{"team": "blue"}})
	wantStatus(t, changed, http.StatusOK)
	again := patch(t, token, "/users/"+ann.ID, object{"username": name})
	if string(again.Body) != string(changed.Body) {
		t.Errorf("changed %s, repeated %s", changed, again)
	}
	found := into[profile](t, get(t, app, "/users/"+strings.ToLower(name)))
	if found.UserID != ann.ID || found.Username != name || found.Name != "Ann of the Mill" || found.Avatar == "" || found.Custom["team"] != "blue" {
		t.Errorf("found %+v", found)
	}
	listed := false
	for _, user := range pages[profile](t, app, "/users?limit=100") {
		listed = listed || user.UserID == ann.ID && user.Name == "Ann of the Mill" && user.Custom["team"] == "blue"
	}
	if !listed {
		t.Error("the list does not show the profile")
	}
	wantRefusal(t, get(t, app, "/users/"+ann.Name), http.StatusNotFound, "user_not_found")
	wantStatus(t, post(t, app, "/register", object{"username": ann.Name}), http.StatusCreated) // the old name is free
	wantRefusal(t, patch(t, token, "/users/"+ann.ID, object{"username": ann.Name}), http.StatusConflict, "username_taken")
	wantStatus(t, post(t, app, "/send", object{"from": bob.ID, "to": name, "message": "to the new name"}), http.StatusOK)
	wantRefusal(t, patch(t, token, "/users/"+bob.ID, object{"name": "mine"}), http.StatusForbidden, "not_yourself")
	emptied := into[profile](t, patch(t, token, "/users/"+ann.ID, object{"name": "", "avatar": "", "custom": object{}}))
	if emptied.Name+emptied.Avatar != "" || emptied.Custom != nil || emptied.Username != name {
		t.Errorf("emptied %+v", emptied)
	}
}

func TestProfilesOfUsersAreChecked(t *testing.T) {
	t.Parallel()
	ann := register(t, "ann")
	for name, body := range map[string]object{"name": {"name": "a\nb"}, "avatar": {"avatar": "javascript:alert(1)"}} {
		wantField(t, wantRefusal(t, patch(t, app, "/users/"+ann.ID, body), 422, "field_invalid"), name, "field_invalid")
	}
	for name, body := range map[string]object{"name": {"name": strings.Repeat("好", 43)}, "avatar": {"avatar": strings.Repeat("x", 1025)}, "custom": {"custom": object{"k": strings.Repeat("x", 2048)}}} {
		wantField(t, wantRefusal(t, patch(t, app, "/users/"+ann.ID, body), 422, "field_too_long"), name, "field_too_long")
	}
	wantRefusal(t, patch(t, app, "/users/"+ann.ID, object{"username": "two words"}), 422, "username_invalid")
	wantRefusal(t, patch(t, app, "/users/"+ann.ID, object{"username": "u_x"}), 422, "username_reserved")
}

func TestUsersAreFoundByThePrefixOfTheirNames(t *testing.T) {
	t.Parallel()
	prefix := unique("Pre")
	var want []string
	for i := range 23 {
		name := prefix + string(rune('a'+i))
		wantStatus(t, post(t, app, "/register", object{"username": name}), http.StatusCreated)
		want = append(want, name)
	}
	for _, limit := range []string{"1", "7", "100"} {
		var got []string
		for _, user := range pages[profile](t, app, "/users?limit="+limit+"&prefix="+strings.ToUpper(prefix)) {
			got = append(got, user.Username)
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %s: %v, want %v", limit, got, want)
		}
	}
	cursor := get(t, app, "/users?limit=1&prefix="+prefix).Text("next_cursor")
	for _, other := range []string{"", "&prefix=" + prefix + "a"} {
		wantRefusal(t, get(t, app, "/users?limit=1&cursor="+cursor+other), http.StatusBadRequest, "cursor_invalid")
	}
	wantField(t, wantRefusal(t, get(t, app, "/users?prefix=a%20b"), 422, "field_invalid"), "prefix", "field_invalid")
	wantRefusal(t, get(t, app, "/users?prefix="+strings.Repeat("x", 65)), 422, "field_too_long")
	wantRefusal(t, get(t, as(t, app, register(t, "ann"), nil), "/users?prefix=a"), http.StatusForbidden, "permission_denied")
}

// TestWhoManagesUsersChangesAny: also those for whom it could not act.
func TestWhoManagesUsersChangesAny(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	_, editor := newKey(t, nil, "users:edit")
	_, manager := newKey(t, nil, "users:manage")
	denied := object{"subject": ann.ID, "permissions": []string{"users:edit"}, "effect": "deny"}
	grant(t, app, denied)
	wantRefusal(t, patch(t, editor, "/users/"+ann.ID, object{"name": "Ann"}), http.StatusForbidden, "permission_denied")
	wantStatus(t, patch(t, editor, "/users/"+bob.ID, object{"name": "Bob"}), http.StatusOK)
	wantStatus(t, patch(t, manager, "/users/"+ann.ID, object{"name": "Ann"}), http.StatusOK)
	wantStatus(t, post(t, manager, "/users/"+ann.ID+"/deactivate", nil), http.StatusOK)
	wantRefusal(t, patch(t, editor, "/users/"+ann.ID, object{"name": "Ann"}), http.StatusForbidden, "user_deactivated")
	wantStatus(t, patch(t, manager, "/users/"+ann.ID, object{"name": "Ann again"}), http.StatusOK)
	grant(t, app, object{"subject": bob.ID, "role": "admin"})
	wantStatus(t, patch(t, as(t, app, bob, nil), "/users/"+ann.ID, object{"name": "by an admin"}), http.StatusOK)
	wantRefusal(t, patch(t, manager, "/users/u_"+strings.Repeat("0", 22), object{"name": "x"}), http.StatusNotFound, "user_not_found")
}

func TestDeactivatedUsers(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	token, socket := as(t, app, ann, nil), online(t, ann, nil)
	send(t, ann, bob, "before", nil)
	var shown profile
	for range 2 { // the second changes nothing
		answer := post(t, app, "/users/"+ann.Name+"/deactivate", nil)
		wantStatus(t, answer, http.StatusOK)
		if shown.DeactivatedAt != "" && into[profile](t, answer).DeactivatedAt != shown.DeactivatedAt {
			t.Errorf("deactivated again: %s", answer)
		}
		shown = into[profile](t, answer)
	}
	if shown.DeactivatedAt == "" || into[profile](t, get(t, app, "/users/"+ann.ID)).DeactivatedAt != shown.DeactivatedAt {
		t.Errorf("deactivated %+v", shown)
	}
	wantCut(t, []*client.Socket{socket})
	wantRefusal(t, get(t, token, "/users/"+bob.ID), http.StatusForbidden, "user_deactivated")
	wantRefusal(t, post(t, app, "/users/"+ann.ID+"/tokens", nil), http.StatusForbidden, "user_deactivated")
	wantRefusal(t, post(t, app, "/send", object{"from": ann.ID, "to": bob.ID, "message": "x"}), http.StatusForbidden, "user_deactivated")
	wantField(t, wantRefusal(t, post(t, app, "/send", object{"from": bob.ID, "to": ann.Name, "message": "x"}), http.StatusForbidden, "user_deactivated"), "to", "user_deactivated")
	beside := online(t, bob, nil)
	if answer, err := beside.Ask(within(t), object{"action": "send", "to": ann.ID, "message": "x"}); err != nil || answer.Code() != "user_deactivated" {
		t.Errorf("over the socket: %s, %v", answer.Raw, err)
	}
	ask(t, beside, object{"action": "ping"}) // another's end is not this socket's
	wantNoEntry(t, token, client.DialOptions{})
	if got := texts(pages[client.Message](t, as(t, app, bob, nil), "/users/"+bob.ID+"/messages?limit=10")); len(got) != 1 || got[0] != "before" {
		t.Errorf("bob has %v", got)
	}
	wantStatus(t, post(t, app, "/users/"+ann.ID+"/reactivate", nil), http.StatusOK)
	wantStatus(t, post(t, app, "/users/"+ann.ID+"/reactivate", nil), http.StatusOK)
	wantRefusal(t, get(t, token, "/users/"+bob.ID), http.StatusUnauthorized, "token_revoked")
	send(t, bob, ann, "after", nil)
	online(t, ann, nil)
	var actions []string
	for _, record := range awaitRecords(t, app, "subject="+ann.ID, 2) {
		actions = append(actions, record.Action)
	}
	if got := strings.Join(actions, " "); got != "user.deactivated user.reactivated" {
		t.Errorf("recorded: %s", got)
	}
}
