//go:build conformance

package conformance

import (
	"net/http"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// wantExceeding tries to give what the caller does not have itself.
func wantExceeding(t *testing.T, by client.Installation, wishes ...object) {
	t.Helper()
	for _, wish := range wishes {
		if answer := post(t, by, "/grants", wish); answer.Status != http.StatusForbidden || answer.Text("code") != "grant_exceeds_grantor" {
			t.Errorf("%v: grant_exceeds_grantor wanted, not %s", wish, answer)
		}
	}
}

func TestNobodyGrantsAboveThemselves(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann := registerBy(t, s.key, "ann")
	mine, by := keyOf(t, s.owner, s.app, nil, "grants:manage", "users:read")
	other, _ := keyOf(t, s.owner, s.app, nil, "users:read")
	role, group := newRole(t, s.key, []string{"users:read", "records:read"}, nil), s.group(t)
	for _, subject := range []string{mine.KeyID, other.KeyID, ann.ID} {
		wantExceeding(t, by, object{"subject": subject, "permissions": []string{"messages:send"}}, object{"subject": subject, "permissions": []string{"users:read", "users:list"}},
			object{"subject": subject, "role": "owner"}, object{"subject": subject, "role": "member"}, object{"subject": subject, "role": role},
			object{"subject": subject, "permissions": []string{"groups:send"}, "group": group})
	}
	grant(t, by, object{"subject": other.KeyID, "permissions": []string{"users:read", "grants:manage"}}) // what it has
	// A denial of its own is not its own to revoke, whoever made it.
	denial := grant(t, s.key, object{"subject": mine.KeyID, "permissions": []string{"users:read"}, "effect": "deny"})
	wantRefusal(t, remove(t, by, "/grants/"+denial.GrantID), http.StatusForbidden, "grant_exceeds_grantor")
	if done := into[many](t, post(t, by, "/grants/revoke", object{"grant_ids": []string{denial.GrantID}})); done.Items[0].Status != "refused" || done.Items[0].Error.Code != "grant_exceeds_grantor" {
		t.Errorf("%+v", done)
	}
	own := grant(t, by, object{"subject": mine.KeyID, "permissions": []string{"grants:manage"}, "effect": "deny"}) // it may shut itself out
	wantDenied(t, remove(t, by, "/grants/"+own.GrantID), "grants:manage", mine.KeyID)
	revoke(t, s.key, own.GrantID)
	wantExceeding(t, by, object{"subject": other.KeyID, "permissions": []string{"users:read"}})
	revoke(t, s.key, denial.GrantID)
	grant(t, by, object{"subject": other.KeyID, "permissions": []string{"users:read"}})
}

func TestWhatEndsIsNotHandedOn(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	mine, by := keyOf(t, s.owner, s.app, nil, "grants:manage", "keys:manage", "roles:manage")
	friend, _ := keyOf(t, s.owner, s.app, nil, "users:read")
	grant(t, s.key, object{"subject": mine.KeyID, "permissions": []string{"users:list"}, "until": inMillis(600_000)})
	wantStatus(t, get(t, by, "/users"), http.StatusOK)
	wantExceeding(t, by, object{"subject": friend.KeyID, "permissions": []string{"users:list"}}, object{"subject": friend.KeyID, "permissions": []string{"users:list"}, "until": inMillis(300_000)})
	wantRefusal(t, post(t, by, "/keys", object{"name": "x", "scopes": []string{"users:list"}}), http.StatusForbidden, "scope_exceeds_key")
	wantRefusal(t, post(t, by, "/roles", object{"name": unique("x"), "permissions": []string{"users:list"}}), http.StatusForbidden, "grant_exceeds_grantor")
	grant(t, s.key, object{"subject": mine.KeyID, "permissions": []string{"users:list"}}) // now for good
	grant(t, by, object{"subject": friend.KeyID, "permissions": []string{"users:list"}})
	wantStatus(t, post(t, by, "/keys", object{"name": "x", "scopes": []string{"users:list"}}), http.StatusCreated)
}

// TestAKeyMakesNoKeyAboveItself: neither by its scopes nor by leaving its denials behind.
func TestAKeyMakesNoKeyAboveItself(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	mine, by := keyOf(t, s.owner, s.app, nil, "keys:manage", "users:list", "users:read")
	grant(t, s.key, object{"subject": mine.KeyID, "permissions": []string{"users:list"}, "effect": "deny"})
	wantRefusal(t, post(t, by, "/keys", object{"name": "x", "scopes": []string{"users:list"}}), http.StatusForbidden, "scope_exceeds_key")
	rotated := post(t, by, "/keys/"+mine.KeyID+"/rotate", object{"overlap_seconds": 60})
	if rotated.Status < 400 {
		if answer := get(t, app.With(rotated.Text("api_key")), "/users"); answer.Text("code") != "permission_denied" {
			t.Errorf("rotation has left the denial behind: %s, then %s", rotated, answer)
		}
	}
	strong, _ := keyOf(t, s.owner, s.app, nil, "users:list", "users:read", "messages:send")
	taken := post(t, by, "/keys/"+strong.KeyID+"/rotate", object{"overlap_seconds": 60}) // of a key that can do more
	if taken.Status < 400 {
		t.Errorf("a key was made above the one that made it: %s", taken)
	}
}

func TestRolesAreNoWayUp(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	_, by := keyOf(t, s.owner, s.app, nil, "roles:manage", "users:read")
	small, denying := newRole(t, s.key, []string{"users:read"}, nil), newRole(t, s.key, []string{"users:read"}, object{"denied": []string{"users:list"}})
	list := []string{"users:list"}
	for what, answer := range map[string]client.Answer{
		"a role with more":           post(t, by, "/roles", object{"name": unique("x"), "permissions": list}),
		"more in a role":             patch(t, by, "/roles/"+small, object{"permissions": list}),
		"less denied":                patch(t, by, "/roles/"+denying, object{"denied": []string{}}),
		"a denial's end":             remove(t, by, "/roles/"+denying),
		"defaults that are more":     setDefaults(t, by, "member", "owner"),
		"defaults of a built-in one": setDefaults(t, by, "member", "moderator"),
	} {
		if answer.Status != http.StatusForbidden || answer.Text("code") != "grant_exceeds_grantor" {
			t.Errorf("%s: grant_exceeds_grantor wanted, not %s", what, answer)
		}
	}
	wantStatus(t, patch(t, by, "/roles/"+small, object{"denied": list}), http.StatusOK) // whoever manages roles may make them smaller
	wantStatus(t, remove(t, s.key, "/roles/"+denying), http.StatusOK)
	wantStatus(t, setDefaults(t, by), http.StatusOK)
	wantRefusal(t, setDefaults(t, by, "member"), http.StatusForbidden, "grant_exceeds_grantor") // and cannot take that back
	wantStatus(t, setDefaults(t, s.session, "member"), http.StatusOK)
}

// TestAUserReachesNoFurtherThanTheKeyOfItsToken: what reaches beyond the user's own data needs the user's permission and
// that of the key that minted its token.
func TestAUserReachesNoFurtherThanTheKeyOfItsToken(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann, bob := registerBy(t, s.key, "ann"), registerBy(t, s.key, "bob")
	lesser, lesserBy := keyOf(t, s.owner, s.app, nil, "tokens:manage", "grants:manage", "grants:read")
	mighty, weak := as(t, s.key, ann, nil), as(t, lesserBy, ann, nil)
	wantDenied(t, get(t, mighty, "/users"), "users:list", ann.ID)
	made := grant(t, s.key, object{"subject": ann.ID, "permissions": []string{"users:list", "grants:manage", "records:read"}})
	wantStatus(t, get(t, mighty, "/users"), http.StatusOK)
	wantDenied(t, get(t, weak, "/users"), "users:list", lesser.KeyID)
	grant(t, mighty, object{"subject": bob.ID, "permissions": []string{"users:list"}})
	wantExceeding(t, weak, object{"subject": bob.ID, "permissions": []string{"users:list"}}, object{"subject": bob.ID, "permissions": []string{"records:read"}})
	wantExceeding(t, mighty, object{"subject": ann.ID, "role": "owner"}, object{"subject": ann.ID, "permissions": []string{"roles:manage"}}, object{"subject": bob.ID, "role": "admin"})
	grant(t, weak, object{"subject": bob.ID, "permissions": []string{"messages:send", "grants:manage"}}) // its own, and what both have
	for _, request := range []client.Request{{Path: "/users/" + ann.ID + "/tokens", Body: object{}}, {Path: "/keys", Body: object{"name": "x", "scopes": []string{"users:list"}}}, {Path: "/keys"}} {
		if answer := do(t, mighty, request); answer.Text("code") != "permission_denied" {
			t.Errorf("%s with a user token: %s", request.Path, answer)
		}
	}
	revoke(t, s.key, made.GrantID)
	awaitRecords(t, s.key, "action=data.read&actor="+ann.ID, 1) // the one read that showed something
	wantDenied(t, get(t, mighty, "/users"), "users:list", ann.ID)
	wantDenied(t, get(t, weak, "/users"), "users:list", ann.ID)
}

// TestARotatedKeyCarriesWhatWasGranted: the new key may what the old one may, by grants of its own, and no more.
func TestARotatedKeyCarriesWhatWasGranted(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	old, _ := keyOf(t, s.owner, s.app, nil, "users:list", "users:read")
	role := newRole(t, s.key, []string{"grants:read"}, nil)
	given := grant(t, s.key, object{"subject": old.KeyID, "role": role})
	grant(t, s.key, object{"subject": old.KeyID, "permissions": []string{"users:list"}, "effect": "deny"})
	answer := post(t, s.session, "/keys/"+old.KeyID+"/rotate", object{"overlap_seconds": 60})
	wantStatus(t, answer, http.StatusCreated)
	fresh := app.With(answer.Text("api_key"))
	wantStatus(t, get(t, fresh, "/grants"), http.StatusOK)
	denial := wantDenied(t, get(t, fresh, "/users"), "users:list", answer.Text("key_id"))
	revoke(t, s.key, denial.DeniedBy)
	wantStatus(t, get(t, fresh, "/users"), http.StatusOK)
	wantDenied(t, get(t, app.With(old.APIKey), "/users"), "users:list", old.KeyID) // the old one's own stands
	revoke(t, s.key, given.GrantID)
	wantDenied(t, get(t, app.With(old.APIKey), "/grants"), "grants:read", old.KeyID)
	wantStatus(t, get(t, fresh, "/grants"), http.StatusOK)
	wantStatus(t, remove(t, s.key, "/roles/"+role), http.StatusOK)
	wantDenied(t, get(t, fresh, "/grants"), "grants:read", answer.Text("key_id"))
}

// TestAUserGivesNoKeyWhatIsTheUsersOwn: what users may do with their own data, a key may do with everybody's. Else a key that
// mints tokens and grants could have anything: by a user that it makes for it.
func TestAUserGivesNoKeyWhatIsTheUsersOwn(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	made, by := keyOf(t, s.owner, s.app, nil, "tokens:manage", "grants:manage", "roles:manage", "users:register", "users:list")
	puppet := registerBy(t, by, "puppet")
	grant(t, by, object{"subject": puppet.ID, "permissions": []string{"grants:manage", "roles:manage", "users:list"}})
	read, group := []string{"messages:read"}, s.group(t)
	denial := grant(t, s.key, object{"subject": made.KeyID, "permissions": read, "effect": "deny"})
	role, denying := newRole(t, s.key, []string{"users:list"}, nil), newRole(t, s.key, []string{"users:list"}, object{"denied": read})
	for _, key := range []client.Installation{by, s.key} { // one that has it makes no difference: the user has it for its own data
		token := as(t, key, puppet, nil)
		wantExceeding(t, token, object{"subject": made.KeyID, "permissions": read}, object{"subject": made.KeyID, "role": "member"},
			object{"subject": made.KeyID, "permissions": []string{"groups:send"}, "group": group})
		for what, answer := range map[string]client.Answer{
			"a denial's end":             remove(t, token, "/grants/"+denial.GrantID),
			"more in a role":             patch(t, token, "/roles/"+role, object{"permissions": read}),
			"less denied":                patch(t, token, "/roles/"+denying, object{"denied": []string{}}),
			"the end of a role's denial": remove(t, token, "/roles/"+denying),
		} {
			if answer.Status != http.StatusForbidden || answer.Text("code") != "grant_exceeds_grantor" {
				t.Errorf("%s: grant_exceeds_grantor wanted, not %s", what, answer)
			}
		}
		grant(t, token, object{"subject": made.KeyID, "permissions": []string{"users:list"}}) // what both have for all
		grant(t, token, object{"subject": registerBy(t, by, "ann").ID, "permissions": read})  // its own, for somebody's own
		newRole(t, token, []string{"users:list"}, nil)
	}
}

// TestWhatIsDeniedInAGroupIsNotHandedOn: whoever may do something but for one group has nothing to give for the whole app.
func TestWhatIsDeniedInAGroupIsNotHandedOn(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	group, other := s.group(t), s.group(t)
	mine, by := keyOf(t, s.owner, s.app, nil, "grants:manage", "keys:manage", "roles:manage", "groups:manage", "users:read")
	friend, _ := keyOf(t, s.owner, s.app, nil, "users:read")
	list := []string{"groups:manage"}
	denial := grant(t, s.key, object{"subject": mine.KeyID, "permissions": list, "effect": "deny", "group": group})
	wantDenied(t, patch(t, by, "/groups/"+group, object{}), "groups:manage", mine.KeyID)
	wantStatus(t, patch(t, by, "/groups/"+other, object{}), http.StatusOK)
	wantExceeding(t, by, object{"subject": friend.KeyID, "permissions": list}, object{"subject": friend.KeyID, "permissions": list, "group": group})
	wantRefusal(t, post(t, by, "/keys", object{"name": "x", "scopes": list}), http.StatusForbidden, "scope_exceeds_key")
	wantRefusal(t, post(t, by, "/roles", object{"name": unique("x"), "permissions": list}), http.StatusForbidden, "grant_exceeds_grantor")
	wantRefusal(t, remove(t, by, "/grants/"+denial.GrantID), http.StatusForbidden, "grant_exceeds_grantor")
	grant(t, by, object{"subject": friend.KeyID, "permissions": list, "group": other})
	revoke(t, s.key, denial.GrantID)
	wantStatus(t, post(t, by, "/keys", object{"name": "x", "scopes": list}), http.StatusCreated)
}
