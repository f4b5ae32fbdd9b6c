//go:build conformance

package conformance

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// scopes are what a key can be allowed.
var scopes = []string{"keys:read", "keys:manage", "roles:read", "roles:manage", "grants:read", "grants:manage", "records:read", "users:register", "users:read", "users:list", "tokens:manage", "messages:send", "messages:read", "messages:mark", "groups:create", "groups:read", "groups:join", "groups:send", "groups:invite", "groups:manage", "groups:own", "presence:read", "presence:manage", "media:upload", "media:read", "users:edit", "users:manage", "blocks:manage",
	"messages:edit", "messages:react", "messages:pin", "messages:moderate", "messages:delete", "groups:mention_all", "broadcasts:manage", "messages:trace"}

// newKey makes a key with the scopes.
func newKey(t *testing.T, more object, scopes ...string) (client.Key, client.Installation) {
	t.Helper()
	answer := post(t, app, "/keys", with(object{"name": "test", "scopes": scopes}, more))
	wantStatus(t, answer, http.StatusCreated)
	var key client.Key
	if err := answer.Into(&key); err != nil {
		t.Fatal(err)
	}
	return key, app.With(key.APIKey)
}

func TestKeyIsShownOnce(t *testing.T) {
	t.Parallel()
	key, by := newKey(t, object{"name": "shown once"}, "users:read", "messages:send", "users:read")
	if !strings.HasPrefix(key.APIKey, "tk_") || !strings.Contains(key.APIKey, strings.TrimPrefix(key.KeyID, "key_")) {
		t.Errorf("key %q of ID %q", key.APIKey, key.KeyID)
	}
	if !slices.Equal(key.Scopes, []string{"messages:send", "users:read"}) || key.CreatedBy == "" {
		t.Errorf("record %+v", key)
	}
	wantStatus(t, get(t, by, "/users/"+register(t, "ann").ID), http.StatusOK)
	for _, listed := range pages[client.Key](t, app, "/keys?limit=100") {
		if listed.APIKey != "" {
			t.Errorf("the list shows a key")
		}
		if listed.KeyID == key.KeyID && (listed.Name != "shown once" || !slices.Equal(listed.Scopes, key.Scopes)) {
			t.Errorf("listed as %+v", listed)
		}
	}
}

func TestKeysArePaged(t *testing.T) {
	t.Parallel()
	var made []string
	for range 5 {
		key, _ := newKey(t, nil, "users:read")
		made = append(made, key.KeyID)
	}
	var small []string
	for _, key := range pages[client.Key](t, app, "/keys?limit=2") {
		small = append(small, key.KeyID)
	}
	if !slices.IsSorted(small) || len(slices.Compact(slices.Clone(small))) != len(small) {
		t.Errorf("not each once, in order: %v", small)
	}
	for _, id := range made {
		if !slices.Contains(small, id) {
			t.Errorf("%s is not in the list", id)
		}
	}
}

// probe is a request that needs one permission.
type probe struct {
	request    client.Request
	permission string
}

func probes(user person, conversation string) []probe {
	return []probe{
		{client.Request{Path: "/keys?limit=1"}, "keys:read"},
		{client.Request{Path: "/keys/key_unknown"}, "keys:read"},
		{client.Request{Path: "/keys", Body: object{"name": "x", "scopes": []string{"keys:manage"}}}, "keys:manage"},
		{client.Request{Path: "/keys/key_unknown/rotate", Body: object{}}, "keys:manage"},
		{client.Request{Method: http.MethodDelete, Path: "/keys/key_unknown"}, "keys:manage"},
		{client.Request{Path: "/roles"}, "roles:read"},
		{client.Request{Path: "/roles/absent"}, "roles:read"},
		{client.Request{Path: "/authorizations/defaults"}, "roles:read"},
		{client.Request{Path: "/roles", Body: object{"name": "owner", "permissions": []string{}}}, "roles:manage"},
		{client.Request{Method: http.MethodPatch, Path: "/roles/absent", Body: object{}}, "roles:manage"},
		{client.Request{Method: http.MethodDelete, Path: "/roles/absent"}, "roles:manage"},
		{client.Request{Method: http.MethodPut, Path: "/authorizations/defaults", Body: object{"roles": []string{"absent"}}}, "roles:manage"},
		{client.Request{Path: "/grants?limit=1"}, "grants:read"},
		{client.Request{Path: "/grants/absent"}, "grants:read"},
		{client.Request{Path: "/authorizations/explain?permission=users:list&subject=" + user.ID}, "grants:read"},
		{client.Request{Path: "/authorizations/review?limit=1"}, "grants:read"},
		{client.Request{Path: "/grants", Body: object{"subject": "absent", "role": "bot"}}, "grants:manage"},
		{client.Request{Path: "/grants/bulk", Body: object{"grants": []object{{"subject": "absent", "role": "bot"}}}}, "grants:manage"},
		{client.Request{Path: "/grants/revoke", Body: object{}}, "grants:manage"},
		{client.Request{Method: http.MethodDelete, Path: "/grants/absent"}, "grants:manage"},
		{client.Request{Path: "/records?limit=1"}, "records:read"},
		{client.Request{Path: "/records/export?until=2020-01-01T00:00:00Z"}, "records:read"},
		{client.Request{Path: "/records/verify"}, "records:read"},
		{client.Request{Path: "/register", Body: object{"username": unique("probe")}}, "users:register"},
		{client.Request{Path: "/users/import", Body: object{"users": []object{{"username": "a b"}}}}, "users:register"},
		{client.Request{Path: "/users/import/absent/rows"}, "users:register"},
		{client.Request{Path: "/broadcasts", Body: object{"from": user.ID, "message": ""}}, "broadcasts:manage"},
		{client.Request{Path: "/broadcasts?limit=1"}, "broadcasts:manage"},
		{client.Request{Path: "/broadcasts/absent"}, "broadcasts:manage"},
		{client.Request{Path: "/broadcasts/absent/cancel", Body: object{}}, "broadcasts:manage"},
		{client.Request{Path: "/users?limit=1"}, "users:list"},
		{client.Request{Path: "/users/" + user.ID}, "users:read"},
		{client.Request{Path: "/users/" + user.ID + "/tokens", Body: object{}}, "tokens:manage"},
		{client.Request{Method: http.MethodDelete, Path: "/users/" + user.ID + "/tokens"}, "tokens:manage"},
		{client.Request{Path: "/tickets", Body: object{}}, "tickets:create"},
		{client.Request{Path: "/send", Body: object{"from": user.ID, "to": "nobody" + mark, "message": "x"}}, "messages:send"},
		{client.Request{Path: "/users/" + user.ID + "/messages?limit=1"}, "messages:read"},
		{client.Request{Path: "/users/" + user.ID + "/conversations?limit=1"}, "messages:read"},
		{client.Request{Path: "/conversations/" + conversation + "/messages?limit=1"}, "messages:read"},
		{client.Request{Path: "/users/" + user.ID + "/conversations/" + conversation + "/ack", Body: object{"seq": 1}}, "messages:mark"},
		{client.Request{Path: "/users/" + user.ID + "/conversations/" + conversation + "/read", Body: object{"seq": 1}}, "messages:mark"},
		{client.Request{Method: http.MethodPatch, Path: "/users/" + user.ID + "/conversations/absent/messages/1", Body: object{"message": "x"}}, "messages:edit"},
		{client.Request{Path: "/users/" + user.ID + "/conversations/absent/messages/1/recall", Body: object{}}, "messages:edit"},
		{client.Request{Path: "/users/" + user.ID + "/conversations/absent/messages/1/reactions", Body: object{"reaction": "👍"}}, "messages:react"},
		{client.Request{Method: http.MethodDelete, Path: "/users/" + user.ID + "/conversations/absent/messages/1/pin"}, "messages:pin"},
		{client.Request{Path: "/conversations/absent/messages/1/recall", Body: object{}}, "messages:moderate"},
		{client.Request{Path: "/conversations/" + conversation + "/messages/1"}, "messages:read"},
		{client.Request{Path: "/conversations/" + conversation + "/pins"}, "messages:read"},
		{client.Request{Path: "/users/" + user.ID + "/conversations/" + conversation + "/delete", Body: object{"seqs": []int64{1}}}, "messages:delete"},
		{client.Request{Path: "/users/" + user.ID + "/conversations/" + conversation + "/clear", Body: object{}}, "messages:delete"},
		{client.Request{Path: "/users/" + user.ID + "/export"}, "messages:read"},
	}
}

func TestEveryRouteNeedsItsScopeAndNoMore(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	conversation := send(t, ann, bob, "hello", nil).Text("conversation_id")
	keys := map[string]client.Installation{}
	for _, scope := range scopes {
		_, keys[scope] = newKey(t, nil, scope)
	}
	for _, probe := range probes(bob, conversation) {
		for _, scope := range scopes {
			answer := do(t, keys[scope], probe.request)
			what := fmt.Sprintf("%s %s with %s", probe.request.Method, probe.request.Path, scope)
			if scope == probe.permission {
				if answer.Status == http.StatusForbidden || answer.Status == http.StatusUnauthorized || answer.Status >= 500 {
					t.Errorf("%s: %s", what, answer)
				}
				continue
			}
			problem := wantRefusal(t, answer, http.StatusForbidden, "permission_denied")
			if !strings.Contains(problem.Detail, probe.permission) {
				t.Errorf("%s: the detail does not name %s: %s", what, probe.permission, problem.Detail)
			}
		}
	}
}

func TestAKeyGrantsNothingAboveItself(t *testing.T) {
	t.Parallel()
	_, limited := newKey(t, nil, "keys:manage", "users:read")
	problem := wantRefusal(t, post(t, limited, "/keys", object{"name": "x", "scopes": []string{"users:read", "messages:send"}}),
		http.StatusForbidden, "scope_exceeds_key")
	if !strings.Contains(problem.Detail, "messages:send") {
		t.Errorf("detail %q", problem.Detail)
	}
	wantStatus(t, post(t, limited, "/keys", object{"name": "x", "scopes": []string{"users:read"}}), http.StatusCreated)
	unknown := wantRefusal(t, post(t, app, "/keys", object{"name": "x", "scopes": []string{"users:read", "users:eat"}}), 422, "scope_unknown")
	wantField(t, unknown, "scopes[1]", "scope_unknown")
	// What end users may do for themselves is nothing that a key can have.
	wantRefusal(t, post(t, app, "/keys", object{"name": "x", "scopes": []string{"tickets:create"}}), 422, "scope_unknown")
	wantRefusal(t, post(t, app, "/keys", object{"name": "x", "scopes": []string{}}), 422, "field_too_short")
}

func TestKeyCreationIsIdempotent(t *testing.T) {
	t.Parallel()
	request := client.Request{Path: "/keys", Body: object{"name": "once", "scopes": []string{"users:read"}},
		Header: map[string]string{"Idempotency-Key": unique("key")}}
	first, second := do(t, app, request), do(t, app, request)
	wantStatus(t, first, http.StatusCreated)
	wantStatus(t, second, http.StatusCreated)
	var one, again client.Key
	if first.Into(&one) != nil || second.Into(&again) != nil {
		t.Fatal(first, second)
	}
	if one.APIKey == "" || second.Has("api_key") {
		t.Errorf("the key itself belongs into the first answer only: %s, then %s", first, second)
	}
	if one.APIKey = ""; !reflect.DeepEqual(one, again) {
		t.Errorf("%+v, then %+v", one, again)
	}
	request.Body = object{"name": "another", "scopes": []string{"users:read"}}
	wantRefusal(t, do(t, app, request), http.StatusConflict, "idempotency_conflict")
}

func TestKeyExpires(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(1500 * time.Millisecond).UTC().Format(time.RFC3339Nano)
	_, by := newKey(t, object{"expires_at": soon}, "users:list")
	wantStatus(t, get(t, by, "/users?limit=1"), http.StatusOK)
	client.WaitFor(t, "the key to expire", limit, func() bool { return get(t, by, "/users?limit=1").Status != http.StatusOK })
	wantRefusal(t, get(t, by, "/users?limit=1"), http.StatusUnauthorized, "api_key_expired")
	past := wantRefusal(t, post(t, app, "/keys", object{"name": "x", "scopes": []string{"users:read"}, "expires_at": "2020-01-01T00:00:00Z"}),
		422, "field_invalid")
	wantField(t, past, "expires_at", "field_invalid")
}

func TestKeyRevocation(t *testing.T) {
	t.Parallel()
	key, by := newKey(t, nil, "users:list")
	wantStatus(t, get(t, by, "/users?limit=1"), http.StatusOK)
	first := remove(t, app, "/keys/"+key.KeyID)
	wantStatus(t, first, http.StatusOK)
	if first.Text("revoked_at") == "" {
		t.Errorf("no revoked_at: %s", first)
	}
	wantRefusal(t, get(t, by, "/users?limit=1"), http.StatusUnauthorized, "api_key_revoked")
	if again := remove(t, app, "/keys/"+key.KeyID); again.Status != http.StatusOK || again.Text("revoked_at") != first.Text("revoked_at") {
		t.Errorf("revoked again: %s, first %s", again, first)
	}
	unknown := key.KeyID[:len(key.KeyID)-1] + other(key.KeyID[len(key.KeyID)-1])
	for _, id := range []string{unknown, "key_nothing", "app", "%20", "KEY_", "c_1"} {
		wantRefusal(t, remove(t, app, "/keys/"+id), http.StatusNotFound, "key_not_found")
	}
}

// other returns another character of base62.
func other(c byte) string {
	if c == 'a' {
		return "b"
	}
	return "a"
}

func TestMistypedKeys(t *testing.T) {
	t.Parallel()
	key := app.APIKey
	for i := range len(key) {
		mistyped := key[:i] + other(key[i]) + key[i+1:]
		if answer := get(t, app.With(mistyped), "/users?limit=1"); answer.Text("code") != "api_key_malformed" || answer.Status != 401 {
			t.Errorf("character %d changed: %s", i, answer)
		}
	}
	for _, bad := range []string{key[:len(key)-1], key + "a", " ", "tk_", "x", "tk_x_y", strings.ToUpper(key), key[3:], "日本", strings.Repeat("k", 9000)} {
		answer := post(t, app.With(""), "/register", object{"api_key": bad, "username": "x"})
		wantRefusal(t, answer, http.StatusUnauthorized, "api_key_malformed")
	}
	wantRefusal(t, post(t, app.With(""), "/register", object{"username": "x"}), http.StatusUnauthorized, "api_key_missing")
	wantRefusal(t, post(t, app.With(""), "/register", object{"username": "x", "api_key": ""}), http.StatusUnauthorized, "api_key_missing")
	wantRefusal(t, get(t, app.With(""), "/users"), http.StatusUnauthorized, "api_key_missing")
}

func TestWhereTheKeyMayStand(t *testing.T) {
	t.Parallel()
	nobody, key := app.With(""), app.APIKey
	request := func(header map[string]string, body object) client.Answer {
		return do(t, nobody, client.Request{Path: "/register", Header: header, Body: with(object{"username": unique("where")}, body)})
	}
	wantStatus(t, request(nil, object{"api_key": key}), http.StatusCreated)
	wantStatus(t, request(map[string]string{"Authorization": "Bearer " + key}, nil), http.StatusCreated)
	wantStatus(t, request(map[string]string{"Authorization": "bearer " + key}, nil), http.StatusCreated)
	wantStatus(t, request(map[string]string{"X-Api-Key": key}, nil), http.StatusCreated)
	wantStatus(t, request(map[string]string{"X-Api-Key": key, "Authorization": "Bearer " + key}, object{"api_key": key}), http.StatusCreated)
	_, second := newKey(t, nil, "users:register")
	for _, header := range []map[string]string{{"X-Api-Key": second.APIKey}, {"Authorization": "Bearer " + second.APIKey}} {
		wantRefusal(t, request(header, object{"api_key": key}), http.StatusBadRequest, "credential_conflict")
	}
	wantRefusal(t, request(map[string]string{"Authorization": "Basic " + key}, nil), http.StatusUnauthorized, "api_key_malformed")
	wantRefusal(t, get(t, nobody, "/users?api_key="+key), http.StatusUnauthorized, "api_key_missing")
}

func TestAKeyIsJudgedBeforeTheBody(t *testing.T) {
	t.Parallel()
	for _, body := range []any{"", "{", "[]", object{"nonsense": 1}, object{"username": 7}} {
		wantRefusal(t, post(t, app.With(""), "/register", body), http.StatusUnauthorized, "api_key_missing")
		wantRefusal(t, post(t, app.With("tk_x"), "/register", body), http.StatusUnauthorized, "api_key_malformed")
	}
}

func TestRevokedKeyCutsItsSockets(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	key, by := newKey(t, nil, "tokens:manage")
	token := as(t, by, ann, nil)
	socket := dial(t, token, client.DialOptions{})
	awaitResume(t, socket)
	stays := online(t, bob, nil)
	wantStatus(t, get(t, token, "/users/"+ann.ID), http.StatusOK)
	wantStatus(t, remove(t, app, "/keys/"+key.KeyID), http.StatusOK)
	waitClosed(t, socket)
	wantRefusal(t, get(t, token, "/users/"+ann.ID), http.StatusUnauthorized, "token_revoked")
	wantNoEntry(t, token, client.DialOptions{})
	ask(t, stays, object{"action": "ping"})
}

// waitClosed waits for the server to close the socket.
func waitClosed(t *testing.T, socket *client.Socket) {
	t.Helper()
	select {
	case <-socket.Closed():
	case <-within(t).Done():
		t.Fatalf("the socket is still open; there came %s", shown(socket.Events(0)))
	}
}

// wantNoEntry checks that a handshake is refused.
func wantNoEntry(t *testing.T, by client.Installation, o client.DialOptions) {
	t.Helper()
	socket, status, err := by.Dial(within(t), o)
	if err == nil {
		socket.Drop()
		t.Fatal("the socket opened")
	}
	if status != http.StatusUnauthorized && status != http.StatusForbidden {
		t.Errorf("the handshake is refused with %d: %v", status, err)
	}
}
