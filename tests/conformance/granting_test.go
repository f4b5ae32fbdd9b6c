//go:build conformance

package conformance

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// granted is a grant as the API shows it.
type granted struct {
	GrantID     string   `json:"grant_id"`
	Subject     string   `json:"subject"`
	Effect      string   `json:"effect"`
	Role        string   `json:"role"`
	Permissions []string `json:"permissions"`
	Until       string   `json:"until"`
	CreatedAt   string   `json:"created_at"`
	CreatedBy   string   `json:"created_by"`
	Reason      string   `json:"reason"`
	RevokedAt   string   `json:"revoked_at"`
	RevokedBy   string   `json:"revoked_by"`
	Ended       string   `json:"ended"`
}

// into decodes an answer, or ends the test.
func into[T any](t *testing.T, answer client.Answer) (decoded T) {
	t.Helper()
	if err := answer.Into(&decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// grant grants or denies, which has to succeed.
func grant(t *testing.T, by client.Installation, body object) granted {
	t.Helper()
	answer := post(t, by, "/grants", body)
	wantStatus(t, answer, http.StatusCreated)
	return into[granted](t, answer)
}

// revoke ends a grant, which has to succeed.
func revoke(t *testing.T, by client.Installation, id string) granted {
	t.Helper()
	answer := remove(t, by, "/grants/"+id)
	wantStatus(t, answer, http.StatusOK)
	return into[granted](t, answer)
}

// many is what became of each of many.
type many struct {
	Items []struct {
		Status string          `json:"status"`
		Grant  *granted        `json:"grant"`
		KeyID  string          `json:"key_id"`
		Error  *client.Problem `json:"error"`
	} `json:"items"`
}

// narrow takes scopes from a key.
func narrow(t *testing.T, by client.Installation, key string, scopes ...string) {
	t.Helper()
	answer := post(t, by, "/grants/revoke", object{"scopes": []object{{"key_id": key, "scopes": scopes}}})
	wantStatus(t, answer, http.StatusOK)
	if done := into[many](t, answer); len(done.Items) != 1 || done.Items[0].Status != "done" {
		t.Fatalf("the key is not narrowed: %s", answer)
	}
}

// setDefaults says which roles every user has.
func setDefaults(t *testing.T, by client.Installation, roles ...string) client.Answer {
	t.Helper()
	return do(t, by, client.Request{Method: http.MethodPut, Path: "/authorizations/defaults", Body: object{"roles": append([]string{}, roles...)}})
}

// newRole makes a role of the app and returns its ID.
func newRole(t *testing.T, by client.Installation, permissions []string, more object) string {
	t.Helper()
	answer := post(t, by, "/roles", with(object{"name": unique("role"), "permissions": permissions}, more))
	wantStatus(t, answer, http.StatusCreated)
	return answer.Text("role_id")
}

// wantDenied checks that the answer is a denial for want of the permission, and returns what it says of it.
func wantDenied(t *testing.T, answer client.Answer, permission, subject string) client.Denial {
	t.Helper()
	problem := wantRefusal(t, answer, http.StatusForbidden, "permission_denied")
	if problem.Denial == nil {
		t.Fatalf("no denial: %s", answer)
	}
	if problem.Denial.Permission != permission || problem.Denial.Subject != subject {
		t.Errorf("the denial should name %s and %s: %s", permission, subject, answer)
	}
	return *problem.Denial
}

// inMillis is a moment that is so far away.
func inMillis(n int) string {
	return time.Now().Add(time.Duration(n) * time.Millisecond).UTC().Format(time.RFC3339Nano)
}

// expiredKey makes a key with every scope, and waits until it has expired.
func expiredKey(t *testing.T, owner developer, app string) client.Installation {
	t.Helper()
	_, by := keyOf(t, owner, app, object{"expires_at": inMillis(1500)}, scopes...)
	client.WaitFor(t, "the key to expire", limit, func() bool { return get(t, by, "/keys").Text("code") == "api_key_expired" })
	return by
}

// expiredToken mints a token for the user, and waits until it has expired.
func expiredToken(t *testing.T, by client.Installation, user person) client.Installation {
	t.Helper()
	token := as(t, by, user, object{"expires_in": 10})
	client.WaitFor(t, "the token to expire", limit, func() bool { return get(t, token, "/users/"+user.ID).Text("code") == "token_expired" })
	return token
}

// scene is an app of one's own, with a key that has every scope.
type scene struct {
	owner developer
	app   string
	// session is the owner's in the app, key the key's.
	session, key client.Installation
	keyID        string
}

// newScene makes an app in the shared team's account: what a test decides about its users is nobody else's business.
func newScene(t *testing.T) scene {
	t.Helper()
	owner := sharedTeam(t).owner
	s := scene{owner: owner, app: newApp(t, owner)}
	s.session = owner.in(s.app)
	made, by := keyOf(t, owner, s.app, nil, scopes...)
	s.key, s.keyID = by, made.KeyID
	return s
}

// group founds a group of somebody's.
func (s scene) group(t *testing.T) string {
	t.Helper()
	answer := post(t, s.key, "/groups", object{"name": unique("group"), "owner": registerBy(t, s.key, "founder").ID})
	wantStatus(t, answer, http.StatusCreated)
	return answer.Text("group_id")
}

// minter makes a key that mints tokens. A change for all closes the sockets of all keys there are, and once more some seconds
// later those that were opened within a second of it: sockets of a key that is made after it are left alone.
func (s scene) minter(t *testing.T) client.Installation {
	t.Helper()
	_, by := keyOf(t, s.owner, s.app, nil, "tokens:manage")
	return by
}

// recordRow is a record as the API shows it.
type recordRow struct {
	RecordID    string          `json:"record_id"`
	At          time.Time       `json:"at"`
	Action      string          `json:"action"`
	Actor       string          `json:"actor"`
	Source      string          `json:"source"`
	Subject     string          `json:"subject"`
	Permissions []string        `json:"permissions"`
	Reason      string          `json:"reason"`
	Before      json.RawMessage `json:"before"`
	After       json.RawMessage `json:"after"`
}

// recordsOf reads the app's records that the query chooses, the newest first.
func recordsOf(t *testing.T, by client.Installation, query string) []recordRow {
	t.Helper()
	return pages[recordRow](t, by, "/records?limit=100&"+query)
}
