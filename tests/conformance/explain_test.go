//go:build conformance

package conformance

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// explained is the answer to who may do what.
type explained struct {
	Decision  string    `json:"decision"`
	Via       string    `json:"via"`
	Role      string    `json:"role"`
	Grant     *granted  `json:"grant"`
	Since     time.Time `json:"since"`
	By        string    `json:"by"`
	Reason    string    `json:"reason"`
	GrantedBy []string  `json:"granted_by"`
	NeedsKey  bool      `json:"needs_key"`
}

// explain asks who may do what; at is "" for now.
func explain(t *testing.T, by client.Installation, subject, permission, at string) explained {
	t.Helper()
	path := "/authorizations/explain?subject=" + subject + "&permission=" + permission
	if at != "" {
		path += "&at=" + at
	}
	answer := get(t, by, path)
	wantStatus(t, answer, http.StatusOK)
	return into[explained](t, answer)
}

// wantExplained waits for the answer: what the records tell lags behind.
func wantExplained(t *testing.T, s scene, subject, permission, at, decision, via string) explained {
	t.Helper()
	var found explained
	client.WaitFor(t, decision+" by "+via+" of "+permission+" at "+at, limit, func() bool {
		found = explain(t, s.key, subject, permission, at)
		return found.Decision == decision && found.Via == via || at == ""
	})
	if found.Decision != decision || found.Via != via {
		t.Errorf("%s of %s: %s by %s wanted, not %+v", permission, subject, decision, via, found)
	}
	return found
}

// beside is a moment so many milliseconds from another.
func beside(t *testing.T, at string, millis int) string {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		t.Fatal(err)
	}
	return moment(parsed.Add(time.Duration(millis) * time.Millisecond))
}

func TestExplain(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann := registerBy(t, s.key, "ann")
	key, _ := keyOf(t, s.owner, s.app, nil, "users:read")
	if found := wantExplained(t, s, key.KeyID, "users:read", "", "allow", "scopes"); found.By != s.owner.id || found.Since.IsZero() || found.NeedsKey {
		t.Errorf("%+v", found)
	}
	if found := wantExplained(t, s, key.KeyID, "users:list", "", "deny", "default_deny"); !slices.Equal(found.GrantedBy, []string{"owner", "admin", "grants:manage+users:list"}) {
		t.Errorf("%+v", found)
	}
	wantExplained(t, s, key.KeyID, "account:manage", "", "deny", "default_deny")
	if found := wantExplained(t, s, ann.ID, "messages:send", "", "allow", "default_role"); found.Role != "member" || found.NeedsKey {
		t.Errorf("%+v", found)
	}
	made := grant(t, s.key, object{"subject": ann.ID, "role": "moderator", "reason": "on duty"})
	if found := wantExplained(t, s, ann.ID, "users:list", "", "allow", "grant"); found.Grant == nil || found.Grant.GrantID != made.GrantID || found.Role != "moderator" || found.By != s.keyID || found.Reason != "on duty" || !found.NeedsKey {
		t.Errorf("%+v", found)
	}
	denial := grant(t, s.session, object{"subject": ann.ID, "permissions": []string{"users:list"}, "effect": "deny", "reason": "not today"})
	if found := wantExplained(t, s, ann.ID, "users:list", "", "deny", "grant"); found.Grant == nil || found.Grant.GrantID != denial.GrantID || found.By != s.owner.id || found.Reason != "not today" {
		t.Errorf("%+v", found)
	}
	team := sharedTeam(t)
	wantExplained(t, s, team.auditor.id, "users:list", "", "allow", "account_role")
	wantExplained(t, s, team.auditor.id, "grants:manage", "", "deny", "default_deny")
	wantStatus(t, remove(t, s.session, "/keys/"+key.KeyID+"?reason=lost"), http.StatusOK)
	wantExplained(t, s, key.KeyID, "users:read", "", "deny", "key_not_active")

	group := s.group(t)
	founder := into[groupRow](t, get(t, s.key, "/groups/"+group)).Owner
	if found := wantExplained(t, s, founder, "groups:own&resource="+group, "", "allow", "group_role"); found.Role != "group_owner" {
		t.Errorf("the owner of a group: %+v", found)
	}
	wantExplained(t, s, founder, "groups:own", "", "deny", "default_deny")
	wantExplained(t, s, ann.ID, "groups:own&resource="+group, "", "deny", "default_deny")
	wantRefusal(t, get(t, s.key, "/authorizations/explain?permission=groups:send&resource=g_0000000000000000000000&subject="+ann.ID), http.StatusNotFound, "group_not_found")
	absent := "&subject=u_0000000000000000000000"
	for query, code := range map[string]string{"permission=users:list" + absent: "subject_not_found", "permission=users:list&subject=" + team.outsider.id: "subject_not_found",
		"permission=users:eat&subject=" + ann.ID: "permission_unknown", "permission=users:list&resource=here&subject=" + ann.ID: "field_invalid",
		"permission=users:list&at=yesterday&subject=" + ann.ID: "field_type", "permission=users:list&at=2999-01-01T00:00:00Z&subject=" + ann.ID: "field_invalid",
		"permission=users:list&at=1969-01-01T00:00:00Z&subject=" + ann.ID: "field_invalid", "permission=users:list": "field_missing", "subject=" + ann.ID: "field_missing"} {
		wantRefusal(t, get(t, s.key, "/authorizations/explain?"+query), 422, code)
	}
}

// TestExplainAsOfBefore: what was is told as it was, whatever has been changed since.
func TestExplainAsOfBefore(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann := registerBy(t, s.key, "ann")
	key, _ := keyOf(t, s.owner, s.app, nil, "users:read", "messages:send")
	role := newRole(t, s.key, []string{"users:list"}, nil)
	made := grant(t, s.key, object{"subject": key.KeyID, "role": role, "reason": "support"})
	changed := patch(t, s.key, "/roles/"+role, object{"permissions": []string{"records:read"}})
	wantStatus(t, changed, http.StatusOK)
	revoked := revoke(t, s.key, made.GrantID)
	defaults := moment(time.Now())
	if onRunner { // elsewhere the clocks differ
		wantStatus(t, setDefaults(t, s.session, "bot"), http.StatusOK)
		wantExplained(t, s, ann.ID, "tickets:create", defaults, "allow", "default_role")
	}
	narrow(t, s.key, key.KeyID, "messages:send")
	gone := remove(t, s.key, "/keys/"+key.KeyID)
	wantStatus(t, gone, http.StatusOK)

	before := beside(t, made.CreatedAt, -1)
	wantExplained(t, s, key.KeyID, "users:list", before, "deny", "default_deny")
	for _, at := range []string{beside(t, made.CreatedAt, 0), beside(t, changed.Text("changed_at"), -1)} {
		if found := wantExplained(t, s, key.KeyID, "users:list", at, "allow", "grant"); found.Grant == nil || found.Grant.GrantID != made.GrantID || found.By != s.keyID || found.Reason != "support" || found.Role != role {
			t.Errorf("at %s: %+v", at, found)
		}
	}
	wantExplained(t, s, key.KeyID, "users:list", beside(t, changed.Text("changed_at"), 0), "deny", "default_deny")
	wantExplained(t, s, key.KeyID, "records:read", beside(t, revoked.RevokedAt, -1), "allow", "grant")
	wantExplained(t, s, key.KeyID, "records:read", beside(t, revoked.RevokedAt, 0), "deny", "default_deny")
	wantExplained(t, s, key.KeyID, "messages:send", before, "allow", "scopes")
	wantExplained(t, s, key.KeyID, "messages:send", beside(t, gone.Text("revoked_at"), -1), "deny", "default_deny")
	wantExplained(t, s, key.KeyID, "users:read", beside(t, gone.Text("revoked_at"), -1), "allow", "scopes")
	wantExplained(t, s, key.KeyID, "users:read", beside(t, gone.Text("revoked_at"), 0), "deny", "key_not_active")
	wantExplained(t, s, key.KeyID, "users:read", "2026-01-01T00:00:00Z", "deny", "key_not_active")
	wantExplained(t, s, ann.ID, "messages:send", "2026-01-01T00:00:00Z", "deny", "not_registered")
}

// reviewed is a subject in the review.
type reviewed struct {
	Subject     string `json:"subject"`
	Kind        string `json:"kind"`
	Active      bool   `json:"active"`
	Permissions []struct {
		Permission string `json:"permission"`
		Via        string `json:"via"`
		GrantID    string `json:"grant_id"`
		LastUsed   string `json:"last_used"`
		Unused     bool   `json:"unused"`
	} `json:"permissions"`
	Grants   []granted `json:"grants"`
	Findings []string  `json:"findings"`
}

// review reads the review of an app, by subject.
func review(t *testing.T, by client.Installation) map[string]reviewed {
	t.Helper()
	found := map[string]reviewed{}
	for _, each := range pages[reviewed](t, by, "/authorizations/review?unused_days=1&limit=3") {
		if _, twice := found[each.Subject]; twice {
			t.Errorf("%s is listed twice", each.Subject)
		}
		found[each.Subject] = each
	}
	return found
}

// lastUsed is the day of the last use of each permission, "" for those that were never used.
func (r reviewed) lastUsed() map[string]string {
	days := map[string]string{}
	for _, each := range r.Permissions {
		days[each.Permission] = each.LastUsed
	}
	return days
}

// TestReview reads what is never used from the review and takes it away in one call.
func TestReview(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann, bob := registerBy(t, s.key, "ann"), registerBy(t, s.key, "bob")
	key, by := keyOf(t, s.owner, s.app, nil, "users:read", "messages:send")
	ending, _ := keyOf(t, s.owner, s.app, object{"expires_at": time.Now().Add(5 * day).UTC().Format(time.RFC3339)}, "users:read")
	gone, _ := keyOf(t, s.owner, s.app, nil, "users:read")
	wantStatus(t, remove(t, s.session, "/keys/"+gone.KeyID), http.StatusOK)
	used := grant(t, s.key, object{"subject": ann.ID, "permissions": []string{"users:list"}})
	unused := grant(t, s.key, object{"subject": ann.ID, "permissions": []string{"records:read"}})
	days := []string{time.Now().UTC().Format(time.DateOnly)}
	wantStatus(t, get(t, as(t, s.key, ann, nil), "/users"), http.StatusOK)
	wantStatus(t, get(t, by, "/users/"+ann.ID), http.StatusOK)
	days = append(days, time.Now().UTC().Format(time.DateOnly)) // it may have become another
	var found map[string]reviewed
	client.WaitFor(t, "the review to show the uses", limit, func() bool {
		found = review(t, s.key)
		return slices.Contains(days, found[ann.ID].lastUsed()["users:list"]) && slices.Contains(days, found[key.KeyID].lastUsed()["users:read"]) && len(found) >= 5
	})
	if day, has := found[ann.ID].lastUsed()["records:read"]; !has || day != "" || found[ann.ID].Kind != "user" {
		t.Errorf("%+v", found[ann.ID])
	}
	if day, has := found[key.KeyID].lastUsed()["messages:send"]; !has || day != "" || found[key.KeyID].Kind != "key" || len(found[key.KeyID].Findings) > 0 {
		t.Errorf("%+v", found[key.KeyID])
	}
	if _, listed := found[bob.ID]; listed {
		t.Errorf("who has no grants is listed: %+v", found[bob.ID])
	}
	if !slices.Equal(found[ending.KeyID].Findings, []string{"expires_soon"}) || !slices.Equal(found[gone.KeyID].Findings, []string{"not_active"}) || found[gone.KeyID].Active {
		t.Errorf("%+v and %+v", found[ending.KeyID], found[gone.KeyID])
	}

	var grants []string
	var keys []object
	for subject, each := range found {
		for _, permission := range each.Permissions {
			switch {
			case permission.LastUsed != "" || subject == s.keyID:
			case permission.Via == "grant":
				grants = append(grants, permission.GrantID)
			default:
				keys = append(keys, object{"key_id": subject, "scopes": []string{permission.Permission}})
			}
		}
	}
	answer := post(t, s.key, "/grants/revoke", object{"grant_ids": grants, "scopes": keys, "reason": "never used"})
	wantStatus(t, answer, http.StatusOK)
	for _, item := range into[many](t, answer).Items {
		if item.Status != "done" {
			t.Errorf("%s", answer)
		}
	}
	if !slices.Equal(grants, []string{unused.GrantID}) || into[granted](t, get(t, s.key, "/grants/"+used.GrantID)).RevokedAt != "" {
		t.Errorf("revoked %v, not %s", grants, unused.GrantID)
	}
	wantDenied(t, post(t, by, "/send", object{"from": ann.ID, "to": bob.ID, "message": "x"}), "messages:send", key.KeyID)
	wantStatus(t, get(t, by, "/users/"+ann.ID), http.StatusOK)
	client.WaitFor(t, "the review to follow", limit, func() bool {
		found = review(t, s.key)
		_, grant := found[ann.ID].lastUsed()["records:read"]
		_, scope := found[key.KeyID].lastUsed()["messages:send"]
		return !grant && !scope
	})
	awaitRecords(t, s.key, "action=key.narrowed", len(keys))
}

// TestPermissionsAreListed: the catalogue is public, in both languages, and is what the matrix asks for.
func TestPermissionsAreListed(t *testing.T) {
	t.Parallel()
	type entry struct {
		Permission  string   `json:"permission"`
		Description string   `json:"description"`
		Holders     []string `json:"holders"`
		Roles       []string `json:"roles"`
	}
	var names []string
	for _, language := range []string{"en", "zh"} {
		answer := do(t, app.With(""), client.Request{Path: "/permissions", Header: map[string]string{"Accept-Language": language}})
		wantStatus(t, answer, http.StatusOK)
		names = nil
		for _, each := range into[client.Page[entry]](t, answer).Items {
			if names = append(names, each.Permission); hasHan(each.Description) != (language == "zh") || len(each.Holders) == 0 {
				t.Errorf("in %s: %+v", language, each)
			}
		}
	}
	for _, row := range readMatrix(t) {
		if row.permission != "public" && !slices.Contains(names, row.permission) {
			t.Errorf("%s asks for %s, which is not listed", row.operation, row.permission)
		}
	}
}
