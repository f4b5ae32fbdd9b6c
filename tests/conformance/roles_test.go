//go:build conformance

package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// roleRow is a role as the API shows it.
type roleRow struct {
	RoleID      string   `json:"role_id"`
	Name        string   `json:"name"`
	BuiltIn     bool     `json:"built_in"`
	Permissions []string `json:"permissions"`
	Denied      []string `json:"denied"`
}

func rolesOf(t *testing.T, by client.Installation) []roleRow {
	t.Helper()
	answer := get(t, by, "/roles")
	wantStatus(t, answer, http.StatusOK)
	return into[client.Page[roleRow]](t, answer).Items
}

func TestAChangedRoleIsInForceForAllAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	role := newRole(t, s.key, []string{"users:list"}, nil)
	var ids []string
	var keys []client.Installation
	add := func() {
		key, by := keyOf(t, s.owner, s.app, nil, "keys:read")
		grant(t, s.key, object{"subject": key.KeyID, "role": role})
		ids, keys = append(ids, key.KeyID), append(keys, by)
	}
	for range 5 {
		add()
	}
	want := func(allowed bool) {
		t.Helper()
		for i, answer := range together(len(keys), func(i int) client.Answer { return get(t, keys[i], "/users") }) {
			if allowed {
				wantStatus(t, answer, http.StatusOK)
			} else {
				wantDenied(t, answer, "users:list", ids[i])
			}
		}
	}
	for range 3 {
		want(true)
		wantStatus(t, patch(t, s.key, "/roles/"+role, object{"permissions": []string{"users:read"}}), http.StatusOK)
		want(false)
		add() // a key made after the change knows the role as it is
		want(false)
		wantStatus(t, patch(t, s.key, "/roles/"+role, object{"permissions": []string{"users:list"}}), http.StatusOK)
		want(true)
		wantStatus(t, patch(t, s.key, "/roles/"+role, object{"denied": []string{"users:list"}}), http.StatusOK)
		want(false)
		wantStatus(t, patch(t, s.key, "/roles/"+role, object{"denied": []string{}}), http.StatusOK)
	}
	want(true)
	name := into[roleRow](t, get(t, s.key, "/roles/"+role)).Name
	wantStatus(t, remove(t, s.key, "/roles/"+name), http.StatusOK)
	want(false)
	wantRefusal(t, get(t, s.key, "/roles/"+role), http.StatusNotFound, "role_not_found")
	wantStatus(t, post(t, s.key, "/roles", object{"name": name, "permissions": []string{"users:list"}}), http.StatusCreated)
	want(false) // another role of that name is another role
	for _, each := range pages[granted](t, s.key, "/grants?role="+role) {
		if each.Ended != "role_deleted" {
			t.Errorf("a grant of a deleted role: %+v", each)
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	var names []string
	for _, role := range rolesOf(t, s.key) {
		if names = append(names, role.Name); !role.BuiltIn || role.RoleID != role.Name {
			t.Errorf("%+v", role)
		}
	}
	if !slices.Equal(names, builtIns) {
		t.Errorf("roles of a new app: %v", names)
	}
	for _, name := range builtIns {
		wantRefusal(t, patch(t, s.key, "/roles/"+name, object{"permissions": []string{}}), http.StatusConflict, "role_built_in")
		wantRefusal(t, remove(t, s.key, "/roles/"+name), http.StatusConflict, "role_built_in")
		wantRefusal(t, post(t, s.key, "/roles", object{"name": name, "permissions": []string{}}), http.StatusConflict, "role_name_taken")
		wantStatus(t, get(t, s.key, "/roles/"+name), http.StatusOK)
	}
	request := client.Request{Path: "/roles", Body: object{"name": "support", "permissions": []string{"users:list"}}, Header: map[string]string{"Idempotency-Key": unique("role")}}
	answers := together(10, func(int) client.Answer { return do(t, s.key, request) })
	for _, answer := range answers {
		if answer.Status != http.StatusCreated || answer.Text("role_id") != answers[0].Text("role_id") {
			t.Errorf("%s, but %s", answers[0], answer)
		}
	}
	request.Body = object{"name": "support", "permissions": []string{"users:read"}}
	wantRefusal(t, do(t, s.key, request), http.StatusConflict, "idempotency_conflict")
	wantRefusal(t, post(t, s.key, "/roles", object{"name": "support", "permissions": []string{}}), http.StatusConflict, "role_name_taken")
	wantRefusal(t, post(t, s.key, "/roles", object{"name": "Owner", "permissions": []string{}}), http.StatusConflict, "role_name_taken")
	for _, name := range []string{" ", "a\nb", "a\u202eb", " a", "a ", "a/b", ".", "..", answers[0].Text("role_id")} {
		wantField(t, wantRefusal(t, post(t, s.key, "/roles", object{"name": name, "permissions": []string{}}), 422, "field_invalid"), "name", "field_invalid")
	}
	wantField(t, wantRefusal(t, post(t, s.key, "/roles", object{"name": "x", "permissions": []string{"users:list", "users:eat"}}), 422, "permission_unknown"), "permissions[1]", "permission_unknown")
	wantField(t, wantRefusal(t, post(t, s.key, "/roles", object{"name": "x", "permissions": []string{}, "denied": []string{"login:manage"}}), 422, "permission_unknown"), "denied[0]", "permission_unknown")
	other := newRole(t, s.key, nil, object{"permissions": []string{}})
	wantRefusal(t, patch(t, s.key, "/roles/"+other, object{"name": "support"}), http.StatusConflict, "role_name_taken")
	wantStatus(t, patch(t, s.key, "/roles/"+other, object{"name": "Support 2"}), http.StatusOK)
	wantStatus(t, get(t, s.key, "/roles/Support%202"), http.StatusOK)
}

func TestTooManyRoles(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	made := together(50, func(n int) string {
		request := client.Request{Path: "/roles", Body: object{"name": fmt.Sprint("role ", n), "permissions": []string{"users:list"}}, Header: map[string]string{"Idempotency-Key": unique("role")}}
		var answer client.Answer
		client.WaitFor(t, "the role to be made", 3*limit, func() bool {
			answer = do(t, s.key, request)
			return answer.Text("code") != "overtaken"
		})
		if answer.Status != http.StatusCreated {
			t.Errorf("%s", answer)
		}
		return answer.Text("role_id")
	})
	wantRefusal(t, post(t, s.key, "/roles", object{"name": "one too many", "permissions": []string{}}), http.StatusConflict, "too_many")
	slices.Sort(made)
	if distinct := len(slices.Compact(made)); distinct != 50 || len(rolesOf(t, s.key)) != 50+len(builtIns) {
		t.Errorf("%d roles, listed %d", distinct, len(rolesOf(t, s.key)))
	}
	key, by := keyOf(t, s.owner, s.app, nil, "users:read")
	grant(t, s.key, object{"subject": key.KeyID, "role": made[7]})
	wantStatus(t, get(t, by, "/users"), http.StatusOK)
}

func TestDefaultsOfUsers(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann, bob := registerBy(t, s.key, "ann"), registerBy(t, s.key, "bob")
	token := as(t, s.key, ann, nil)
	sent := post(t, token, "/send", object{"to": bob.ID, "message": "x"})
	wantStatus(t, sent, http.StatusOK)
	own := ownRequests(ann, sent.Text("conversation_id"))
	own["profile"], own["ticket"] = client.Request{Path: "/users/" + bob.ID}, client.Request{Path: "/tickets", Body: object{}}
	if shown := into[struct{ Roles []string }](t, get(t, s.key, "/authorizations/defaults")); !slices.Equal(shown.Roles, []string{"member"}) {
		t.Errorf("%+v", shown)
	}
	wantStatus(t, setDefaults(t, s.session), http.StatusOK)
	late := registerBy(t, s.key, "late")
	lateToken := as(t, s.key, late, nil)
	for what, request := range own {
		if answer := do(t, token, request); answer.Text("code") != "permission_denied" {
			t.Errorf("%s without a role: %s", what, answer)
		}
	}
	wantNoEntry(t, token, client.DialOptions{})
	wantNoEntry(t, lateToken, client.DialOptions{})
	wantDenied(t, get(t, lateToken, "/users/"+bob.ID), "users:read", late.ID)
	wantDenied(t, post(t, s.key, "/send", object{"from": ann.ID, "to": bob.ID, "message": "x"}), "messages:send", ann.ID) // nor may anybody for them
	role := newRole(t, s.key, []string{"messages:send", "messages:read"}, nil)
	wantStatus(t, setDefaults(t, s.key, role), http.StatusOK)
	wantStatus(t, post(t, token, "/send", object{"to": bob.ID, "message": "x"}), http.StatusOK)
	wantDenied(t, post(t, token, "/tickets", object{}), "tickets:create", ann.ID)
	wantStatus(t, remove(t, s.key, "/roles/"+role), http.StatusOK) // gone from the defaults, too
	wantDenied(t, post(t, token, "/send", object{"to": bob.ID, "message": "x"}), "messages:send", ann.ID)
	wantField(t, wantRefusal(t, setDefaults(t, s.key, "member", role), http.StatusNotFound, "role_not_found"), "roles[1]", "role_not_found")
	wantStatus(t, setDefaults(t, s.session, "member", "member"), http.StatusOK)
	for what, request := range own {
		if answer := do(t, token, request); answer.Text("code") == "permission_denied" {
			t.Errorf("%s with the role again: %s", what, answer)
		}
	}
	dial(t, token, client.DialOptions{}).Close()
}
