//go:build conformance

package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

func TestAGrantIsInForceAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	key, by := keyOf(t, s.owner, s.app, nil, "users:read")
	wantDenied(t, get(t, by, "/users"), "users:list", key.KeyID)
	made := grant(t, s.key, object{"subject": key.KeyID, "permissions": []string{"users:list"}, "reason": "support needs it"})
	wantStatus(t, get(t, by, "/users"), http.StatusOK)
	shown := into[granted](t, get(t, s.key, "/grants/"+made.GrantID))
	if shown.Subject != key.KeyID || shown.CreatedBy != s.keyID || shown.Reason != "support needs it" || shown.Effect != "allow" || shown.RevokedAt != "" {
		t.Errorf("%+v", shown)
	}
	first := revoke(t, s.session, made.GrantID)
	wantDenied(t, get(t, by, "/users"), "users:list", key.KeyID)
	if again := revoke(t, s.session, made.GrantID); again.RevokedAt == "" || again.RevokedAt != first.RevokedAt || again.RevokedBy != s.owner.id {
		t.Errorf("%+v, then %+v", first, again)
	}
	client.WaitFor(t, "the lists to follow", limit, func() bool { // they lag behind
		now, ended := pages[granted](t, s.key, "/grants?subject="+key.KeyID), pages[granted](t, s.key, "/grants?ended=true&subject="+key.KeyID)
		return len(now) == 0 && len(ended) == 1 && ended[0].RevokedAt == first.RevokedAt
	})
	for _, id := range []string{"absent", "grant_0000000000000000000000", "policy", made.GrantID + "0", "%00"} {
		wantRefusal(t, get(t, s.key, "/grants/"+id), http.StatusNotFound, "grant_not_found")
		wantRefusal(t, remove(t, s.key, "/grants/"+id), http.StatusNotFound, "grant_not_found")
	}
}

// TestAGrantInAGroup: what holds in one group does not hold in the whole app.
func TestAGrantInAGroup(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	group, another := s.group(t), s.group(t)
	key, by := keyOf(t, s.owner, s.app, nil, "groups:read")
	made := grant(t, s.key, object{"subject": key.KeyID, "permissions": []string{"groups:manage"}, "group": group})
	grant(t, s.key, object{"subject": key.KeyID, "permissions": []string{"groups:read"}, "effect": "deny", "group": group})
	wantDenied(t, patch(t, by, "/groups/"+another, object{}), "groups:manage", key.KeyID)
	wantStatus(t, patch(t, by, "/groups/"+group, object{}), http.StatusOK)
	wantDenied(t, get(t, by, "/groups/"+group), "groups:read", key.KeyID)
	wantStatus(t, get(t, by, "/groups/"+another), http.StatusOK)
	wantRefusal(t, get(t, s.key, "/authorizations/explain?subject="+key.KeyID+"&permission=messages:read&resource="+group), http.StatusUnprocessableEntity, "permission_not_in_group")
	for resource, want := range map[string][2]string{"app": {"deny", "allow"}, group: {"allow", "deny"}, another: {"deny", "allow"}} {
		for i, permission := range []string{"groups:manage", "groups:read"} {
			found := explain(t, s.key, key.KeyID, permission+"&resource="+resource, "")
			if found.Decision != want[i] || found.Decision == "allow" && resource == group && found.Grant.GrantID != made.GrantID {
				t.Errorf("%s in %s: %+v", permission, resource, found)
			}
		}
	}
}

func TestADenialBeatsWhateverAllows(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann, bob := registerBy(t, s.key, "ann"), registerBy(t, s.key, "bob")
	key, by := keyOf(t, s.owner, s.app, nil, "users:list", "messages:send")
	grant(t, s.key, object{"subject": key.KeyID, "role": "moderator"})
	denial := grant(t, s.key, object{"subject": key.KeyID, "permissions": []string{"users:list"}, "effect": "deny"})
	if said := wantDenied(t, get(t, by, "/users"), "users:list", key.KeyID); said.DeniedBy != denial.GrantID {
		t.Errorf("denied by %+v, not %s", said, denial.GrantID)
	}
	revoke(t, s.key, denial.GrantID)
	wantStatus(t, get(t, by, "/users"), http.StatusOK)
	// Whoever acts for a user needs that the user may.
	denial = grant(t, s.key, object{"subject": ann.ID, "permissions": []string{"messages:send"}, "effect": "deny"})
	token := as(t, s.key, ann, nil)
	for name, sender := range map[string]client.Installation{"key": by, "mighty key": s.key, "session": s.session, "token": token} {
		for _, from := range []string{ann.ID, ann.Name} {
			said := wantDenied(t, post(t, sender, "/send", object{"from": from, "to": bob.ID, "message": "x"}), "messages:send", ann.ID)
			if said.DeniedBy != denial.GrantID {
				t.Errorf("%s: %+v", name, said)
			}
		}
	}
	wantStatus(t, post(t, by, "/send", object{"from": bob.ID, "to": ann.ID, "message": "x"}), http.StatusOK)
	revoke(t, s.key, denial.GrantID)
	wantStatus(t, post(t, by, "/send", object{"from": ann.ID, "to": bob.ID, "message": "x"}), http.StatusOK)
	wantStatus(t, post(t, token, "/send", object{"to": bob.ID, "message": "x"}), http.StatusOK)
}

// TestWhatADenialSaysIsEnough does what denials say, and nothing else, until the call works.
func TestWhatADenialSaysIsEnough(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann, bob := registerBy(t, s.key, "ann"), registerBy(t, s.key, "bob")
	_, lesser := keyOf(t, s.owner, s.app, nil, "tokens:manage")
	token := as(t, lesser, ann, nil)
	_, weak := keyOf(t, s.owner, s.app, nil, "users:read")
	wantStatus(t, setDefaults(t, s.session), http.StatusOK)
	for _, permission := range []string{"users:list", "messages:send"} {
		grant(t, s.session, object{"subject": ann.ID, "permissions": []string{permission}, "effect": "deny"})
	}
	for _, c := range []struct {
		by      client.Installation
		request client.Request
	}{
		{weak, client.Request{Path: "/users"}}, {token, client.Request{Path: "/users"}}, {token, client.Request{Path: "/tickets", Body: object{}}},
		{token, client.Request{Path: "/send", Body: object{"to": bob.ID, "message": "x"}}}, {weak, client.Request{Path: "/send", Body: object{"from": ann.ID, "to": bob.ID, "message": "x"}}},
		{weak, client.Request{Path: "/keys"}}, {weak, client.Request{Path: "/records"}}, {token, client.Request{Path: "/roles"}},
	} {
		rounds := 0
		for answer := do(t, c.by, c.request); answer.Status >= 400; answer = do(t, c.by, c.request) {
			problem := wantRefusal(t, answer, http.StatusForbidden, "permission_denied")
			if rounds++; rounds > 4 || problem.Denial == nil {
				t.Fatalf("%s is still denied: %s", c.request.Path, answer)
			}
			followDenial(t, s, *problem.Denial)
		}
		if rounds == 0 {
			t.Errorf("%s was not denied", c.request.Path)
		}
	}
}

// followDenial has somebody whom the denial names as able give what is missing.
func followDenial(t *testing.T, s scene, denial client.Denial) {
	t.Helper()
	by := s.session
	joined := denial.GrantedBy[len(denial.GrantedBy)-1]
	if !slices.Contains(denial.GrantedBy, "owner") || !strings.Contains(joined, "grants:manage") {
		t.Errorf("%+v", denial)
	}
	if denial.Permission != "tickets:create" && denial.Permission != "socket:connect" { // which no key can have
		_, by = keyOf(t, s.owner, s.app, nil, strings.Split(joined, "+")...)
	}
	if denial.DeniedBy != "" {
		revoke(t, by, denial.DeniedBy)
		return
	}
	grant(t, by, object{"subject": denial.Subject, "permissions": []string{denial.Permission}})
}

func TestAGrantEndsByItself(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	key, by := keyOf(t, s.owner, s.app, nil, "users:read")
	until := inMillis(2000)
	made := grant(t, s.key, object{"subject": key.KeyID, "permissions": []string{"users:list"}, "until": until})
	denied := grant(t, s.key, object{"subject": key.KeyID, "permissions": []string{"users:read"}, "effect": "deny", "until": until})
	wantStatus(t, get(t, by, "/users"), http.StatusOK)
	if said := wantDenied(t, get(t, by, "/users/u_x"), "users:read", key.KeyID); said.DeniedBy != denied.GrantID {
		t.Errorf("%+v", said)
	}
	client.WaitFor(t, "the grant to end", limit, func() bool { return get(t, by, "/users").Status == http.StatusForbidden })
	wantRefusal(t, get(t, by, "/users/u_x"), http.StatusNotFound, "user_not_found") // and the denial with it
	if shown := into[granted](t, get(t, s.key, "/grants/"+made.GrantID)); shown.Until == "" || shown.RevokedAt != "" {
		t.Errorf("%+v", shown)
	}
	if again := revoke(t, s.key, made.GrantID); again.RevokedAt != "" {
		t.Errorf("what has ended is revoked: %+v", again)
	}
	for _, past := range []string{inMillis(-1000), "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z"} {
		refused := post(t, s.key, "/grants", object{"subject": key.KeyID, "permissions": []string{"users:list"}, "until": past})
		wantField(t, wantRefusal(t, refused, 422, "field_invalid"), "until", "field_invalid")
	}
}

func TestGrantsInBulk(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann := registerBy(t, s.key, "ann")
	key, by := keyOf(t, s.owner, s.app, nil, "users:read")
	_, limited := keyOf(t, s.owner, s.app, nil, "grants:manage", "grants:read", "users:list", "users:read")
	gone, _ := keyOf(t, s.owner, s.app, nil, "users:read")
	wantStatus(t, remove(t, s.session, "/keys/"+gone.KeyID), http.StatusOK)
	wishes := []struct {
		code string
		wish object
	}{
		{"", object{"subject": key.KeyID, "permissions": []string{"users:list"}}},
		{"subject_not_found", object{"subject": "u_0000000000000000000000", "permissions": []string{"users:list"}}},
		{"subject_not_found", object{"subject": s.owner.id, "permissions": []string{"users:list"}}},
		{"grant_unclear", object{"subject": ann.ID}},
		{"grant_unclear", object{"subject": ann.ID, "role": "bot", "permissions": []string{"users:list"}}},
		{"grant_unclear", object{"subject": ann.ID, "role": "bot", "effect": "deny"}},
		{"permission_unknown", object{"subject": ann.ID, "permissions": []string{"users:eat"}}},
		{"permission_unknown", object{"subject": ann.ID, "permissions": []string{"account:manage"}}},
		{"permission_unfit", object{"subject": ann.ID, "permissions": []string{"tokens:manage"}}},
		{"permission_unfit", object{"subject": key.KeyID, "permissions": []string{"tickets:create"}}},
		{"role_not_found", object{"subject": ann.ID, "role": "king"}},
		{"field_invalid", object{"subject": ann.ID, "permissions": []string{"users:list"}, "group": "the group"}},
		{"permission_not_in_group", object{"subject": ann.ID, "permissions": []string{"groups:send", "messages:read"}, "group": "g_0000000000000000000000", "effect": "deny"}},
		{"group_not_found", object{"subject": ann.ID, "permissions": []string{"groups:send"}, "group": "g_0000000000000000000000"}},
		{"grant_exceeds_grantor", object{"subject": ann.ID, "role": "owner"}},
		{"key_not_active", object{"subject": gone.KeyID, "permissions": []string{"users:list"}}},
		{"", object{"subject": ann.ID, "permissions": []string{"users:list"}, "effect": "deny"}},
	}
	var grants []object
	for _, each := range wishes {
		grants = append(grants, each.wish)
	}
	request := client.Request{Path: "/grants/bulk", Body: object{"grants": grants}, Header: map[string]string{"Idempotency-Key": unique("bulk")}}
	first, second := do(t, limited, request), do(t, limited, request)
	wantStatus(t, first, http.StatusOK)
	done, again := into[many](t, first), into[many](t, second)
	if len(done.Items) != len(wishes) || len(again.Items) != len(wishes) {
		t.Fatalf("%s\n%s", first, second)
	}
	var made []string
	for i, item := range done.Items {
		if want := wishes[i].code; want != "" {
			if item.Status != "refused" || item.Error == nil || item.Error.Code != want {
				t.Errorf("number %d: %s wanted, not %+v", i, want, item)
			}
			continue
		}
		if item.Status != "done" || item.Grant == nil || again.Items[i].Grant == nil || item.Grant.GrantID != again.Items[i].Grant.GrantID {
			t.Fatalf("number %d: %+v, then %+v", i, item, again.Items[i])
		}
		made = append(made, item.Grant.GrantID)
	}
	wantStatus(t, get(t, by, "/users"), http.StatusOK)
	ended := into[many](t, post(t, limited, "/grants/revoke", object{"grant_ids": append(made, "absent"), "reason": "over", "scopes": []object{{"key_id": key.KeyID, "scopes": []string{"users:read"}}}}))
	for i, want := range []string{"", "", "grant_not_found", "permission_denied"} { // scopes are taken by keys:manage only
		if code := codeOf(ended.Items[i].Error); code != want {
			t.Errorf("number %d of revocations: %q wanted, not %q", i, want, code)
		}
	}
	wantDenied(t, get(t, by, "/users"), "users:list", key.KeyID)
	narrow(t, s.key, key.KeyID, "users:read", "messages:send")
	wantDenied(t, get(t, by, "/users/"+ann.ID), "users:read", key.KeyID)
}

func codeOf(problem *client.Problem) string {
	if problem == nil {
		return ""
	}
	return problem.Code
}

func TestGrantingIsIdempotent(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	key, by := keyOf(t, s.owner, s.app, nil, "users:read")
	body := object{"subject": key.KeyID, "permissions": []string{"users:list"}, "reason": "once"}
	request := client.Request{Path: "/grants", Body: body, Header: map[string]string{"Idempotency-Key": unique("grant")}}
	answers := together(10, func(int) client.Answer { return do(t, s.key, request) })
	id := answers[0].Text("grant_id")
	for _, answer := range answers {
		if answer.Status != http.StatusCreated || answer.Text("grant_id") != id {
			t.Errorf("%s, but %s", answers[0], answer)
		}
	}
	for change, value := range map[string]any{"reason": "twice", "permissions": []string{"users:list", "users:read"}, "effect": "deny", "subject": s.keyID, "until": inMillis(60_000)} {
		request.Body = with(body, object{change: value})
		wantRefusal(t, do(t, s.key, request), http.StatusConflict, "idempotency_conflict")
	}
	request.Body = body
	revoke(t, s.key, id)
	replayed := do(t, s.key, request)
	if replayed.Text("grant_id") != id || replayed.Text("revoked_at") == "" {
		t.Errorf("a repeat after the revocation: %s", replayed)
	}
	wantDenied(t, get(t, by, "/users"), "users:list", key.KeyID)
	if other := do(t, s.session, request); other.Status != http.StatusCreated || other.Text("grant_id") == id {
		t.Errorf("another's key is another: %s", other)
	}
	client.WaitFor(t, "the records", limit, func() bool {
		return len(recordsOf(t, s.key, "action=grant.created&subject="+key.KeyID)) == 2 && len(recordsOf(t, s.key, "action=grant.revoked&subject="+key.KeyID)) == 1
	})
}

func TestManyGrantsToOneSubjectAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann := registerBy(t, s.key, "ann")
	made := together(20, func(n int) string {
		request := client.Request{Path: "/grants", Body: object{"subject": ann.ID, "permissions": []string{"users:list"}, "reason": fmt.Sprint(n)}, Header: map[string]string{"Idempotency-Key": unique("one")}}
		var answer client.Answer
		client.WaitFor(t, "the grant to be made", limit, func() bool { // who is overtaken too often is told to try again
			answer = do(t, s.key, request)
			return answer.Text("code") != "overtaken"
		})
		if answer.Status != http.StatusCreated {
			t.Errorf("%s", answer)
		}
		return answer.Text("grant_id")
	})
	client.WaitFor(t, "all to be listed", limit, func() bool { return len(pages[granted](t, s.key, "/grants?limit=7&subject="+ann.ID)) == 20 })
	for n := range 12 { // 32 is the most
		made = append(made, grant(t, s.key, object{"subject": ann.ID, "permissions": []string{"users:list"}, "reason": fmt.Sprint("more ", n)}).GrantID)
	}
	wantRefusal(t, post(t, s.key, "/grants", object{"subject": ann.ID, "permissions": []string{"users:list"}}), http.StatusConflict, "too_many")
	revoked := together(32, func(int) client.Answer { return remove(t, s.key, "/grants/"+made[0]) })
	for _, answer := range revoked {
		if answer.Status != http.StatusOK || answer.Text("revoked_at") != revoked[0].Text("revoked_at") || answer.Text("revoked_at") == "" {
			t.Errorf("%s, but %s", revoked[0], answer)
		}
	}
	client.WaitFor(t, "one record", limit, func() bool { return len(recordsOf(t, s.key, "action=grant.revoked&subject="+ann.ID)) == 1 })
	grant(t, s.key, object{"subject": ann.ID, "permissions": []string{"users:list"}}) // what has ended counts no more
	together(31, func(n int) bool {
		var answer client.Answer
		client.WaitFor(t, "the grant to be revoked", limit, func() bool {
			answer = remove(t, s.key, "/grants/"+made[n+1])
			return answer.Text("code") != "overtaken"
		})
		return answer.Status == http.StatusOK
	})
	client.WaitFor(t, "32 records", limit, func() bool { return len(recordsOf(t, s.key, "action=grant.revoked&subject="+ann.ID)) == 32 })
}
