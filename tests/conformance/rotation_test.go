//go:build conformance

package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// rotate replaces a key and returns the new one.
func rotate(t *testing.T, by client.Installation, keyID string, body object) (client.Key, client.Installation) {
	t.Helper()
	answer := post(t, by, "/keys/"+keyID+"/rotate", body)
	wantStatus(t, answer, http.StatusCreated)
	var key client.Key
	if err := answer.Into(&key); err != nil {
		t.Fatal(err)
	}
	return key, app.With(key.APIKey)
}

func showKey(t *testing.T, by client.Installation, keyID string) client.Key {
	t.Helper()
	answer := get(t, by, "/keys/"+keyID)
	wantStatus(t, answer, http.StatusOK)
	var key client.Key
	if err := answer.Into(&key); err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAKeyMadeWithASession(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	key, by := keyOf(t, all.admin, all.app, object{"allowed_cidrs": []string{"127.0.0.0/8", "::1", "10.1.2.3"}}, "users:list", "keys:manage")
	slices.Sort(key.AllowedCIDRs)
	if key.CreatedBy != all.admin.id || !slices.Equal(key.AllowedCIDRs, []string{"10.1.2.3/32", "127.0.0.0/8", "::1/128"}) {
		t.Errorf("%+v", key)
	}
	if onRunner {
		wantStatus(t, get(t, by, "/users"), http.StatusOK)
	}
	_, child := keyOf(t, all.owner, all.app, nil, "keys:manage", "keys:read", "users:list")
	made := post(t, child, "/keys", object{"name": "child", "scopes": []string{"users:list"}})
	wantStatus(t, made, http.StatusCreated)
	if !strings.HasPrefix(made.Text("created_by"), "key_") {
		t.Errorf("%s", made)
	}
	wantRefusal(t, post(t, all.owner.in(all.app), "/keys", object{"name": "x", "scopes": []string{"apps:manage"}}), 422, "scope_unknown")
	wantRefusal(t, post(t, all.owner.in(all.app), "/keys", object{"name": "x", "scopes": []string{"tickets:create"}}), 422, "scope_unknown")
	wantRefusal(t, get(t, child, "/apps"), http.StatusUnauthorized, "session_needed")
}

// TestAKeyMakesNoneAboveItself: not in scopes, not in addresses, not in time.
func TestAKeyMakesNoneAboveItself(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	_, by := keyOf(t, all.owner, all.app, object{"allowed_cidrs": []string{"127.0.0.0/8", "::1/128"}, "expires_at": soon.Format(time.RFC3339)}, "keys:manage", "keys:read", "users:list")
	if !onRunner {
		t.Skip("requests come from elsewhere")
	}
	body := object{"name": "x", "scopes": []string{"users:list"}}
	for code, change := range map[string]object{
		"scope_exceeds_key":  {"scopes": []string{"messages:send"}},
		"expiry_exceeds_key": {"expires_at": soon.Add(time.Second).Format(time.RFC3339)},
	} {
		wantRefusal(t, post(t, by, "/keys", with(body, change)), http.StatusForbidden, code)
	}
	for _, cidrs := range [][]string{{"0.0.0.0/0"}, {}, {"127.0.0.0/7"}, {"10.0.0.1"}, {"127.0.0.1", "::/0"}} {
		wantRefusal(t, post(t, by, "/keys", with(body, object{"allowed_cidrs": cidrs})), http.StatusForbidden, "sources_exceed_key")
	}
	for _, cidr := range []string{"", "127.0.0.1/33", "localhost", "127.0.0.1/", "1.2.3.4-1.2.3.9", "fe80::1%eth0", "300.1.1.1"} {
		refused := wantRefusal(t, post(t, by, "/keys", with(body, object{"allowed_cidrs": []string{"127.0.0.1", cidr}})), 422, "cidr_invalid")
		wantField(t, refused, "allowed_cidrs[1]", "cidr_invalid")
	}
	inherited := post(t, by, "/keys", body)
	wantStatus(t, inherited, http.StatusCreated)
	var key client.Key
	if err := inherited.Into(&key); err != nil || len(key.AllowedCIDRs) != 2 || key.ExpiresAt == "" {
		t.Errorf("%s", inherited)
	}
	wantStatus(t, post(t, by, "/keys", with(body, object{"allowed_cidrs": []string{"127.0.0.1"}, "expires_at": soon.Format(time.RFC3339)})), http.StatusCreated)
}

func TestKeysBoundToAddresses(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	key, elsewhere := keyOf(t, all.owner, all.app, object{"allowed_cidrs": []string{"203.0.113.0/24"}}, "users:list", "tokens:manage")
	wantRefusal(t, get(t, elsewhere, "/users"), http.StatusForbidden, "source_not_allowed")
	for _, forged := range []map[string]string{{"X-Forwarded-For": "203.0.113.7"}, {"X-Real-Ip": "203.0.113.7"}, {"Forwarded": "for=203.0.113.7"}} {
		wantRefusal(t, do(t, elsewhere, client.Request{Path: "/users", Header: forged}), http.StatusForbidden, "source_not_allowed")
	}
	if !onRunner {
		return
	}
	_, by := rotate(t, all.owner.in(all.app), key.KeyID, object{"allowed_cidrs": []string{"127.0.0.1/32"}})
	wantStatus(t, get(t, by, "/users"), http.StatusOK)
	wantStatus(t, get(t, by.From("127.0.0.1"), "/users"), http.StatusOK)
	wantRefusal(t, get(t, by.From("127.0.0.9"), "/users"), http.StatusForbidden, "source_not_allowed")
}

func TestRotation(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	developer := all.owner.in(all.app)
	old, oldBy := keyOf(t, all.owner, all.app, nil, "users:list", "tokens:manage")
	request := client.Request{Path: "/keys/" + old.KeyID + "/rotate", Body: object{"overlap_seconds": 60}, Header: map[string]string{"Idempotency-Key": unique("rotation")}}
	first, again := do(t, developer, request), do(t, developer, request)
	wantStatus(t, first, http.StatusCreated)
	wantStatus(t, again, http.StatusCreated)
	if first.Text("key_id") != again.Text("key_id") || !first.Has("api_key") || again.Has("api_key") {
		t.Errorf("%s, then %s", first, again)
	}
	request.Body = object{"overlap_seconds": 61}
	wantRefusal(t, do(t, developer, request), http.StatusConflict, "idempotency_conflict")
	newID, newBy := first.Text("key_id"), app.With(first.Text("api_key"))
	if detail := wantRefusal(t, post(t, developer, "/keys/"+old.KeyID+"/rotate", object{}), http.StatusConflict, "key_rotated").Detail; !strings.Contains(detail, newID) {
		t.Errorf("the successor is not named: %s", detail)
	}
	for _, by := range []client.Installation{oldBy, newBy} {
		wantStatus(t, get(t, by, "/users"), http.StatusOK)
	}
	before, after := showKey(t, developer, old.KeyID), showKey(t, developer, newID)
	if before.RotatedTo != newID || after.RotatedFrom != old.KeyID || before.ExpiresAt == "" || after.ExpiresAt != "" || !slices.Equal(before.Scopes, after.Scopes) || before.Name != after.Name {
		t.Errorf("%+v, then %+v", before, after)
	}
	if after.LastUsedAt == "" || after.LastUsedFrom == "" {
		t.Errorf("no use is written down: %+v", after)
	}
	third, _ := rotate(t, developer, newID, object{"overlap_seconds": 0})
	wantRefusal(t, get(t, newBy, "/users"), http.StatusUnauthorized, "api_key_revoked")
	wantStatus(t, remove(t, developer, "/keys/"+third.KeyID), http.StatusOK)
	wantRefusal(t, post(t, developer, "/keys/"+third.KeyID+"/rotate", object{}), http.StatusConflict, "key_not_active")
	wantRefusal(t, post(t, developer, "/keys/key_absent/rotate", object{}), http.StatusNotFound, "key_not_found")
	wantRefusal(t, get(t, developer, "/keys/key_absent"), http.StatusNotFound, "key_not_found")
}

// TestRotatingAKeyThatMayMore: a key is rotated by whoever may do all that it may, and no other.
func TestRotatingAKeyThatMayMore(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	mighty, _ := keyOf(t, all.owner, all.app, nil, "keys:manage", "messages:send")
	_, limited := keyOf(t, all.owner, all.app, nil, "keys:manage")
	wantRefusal(t, post(t, limited, "/keys/"+mighty.KeyID+"/rotate", object{}), http.StatusForbidden, "scope_exceeds_key")
	if key := showKey(t, all.owner.in(all.app), mighty.KeyID); key.RotatedTo != "" {
		t.Errorf("rotated all the same: %+v", key)
	}
}

// TestRotationUnderLoad has clients use the old key and the new while the keys change: none is refused before the answer to
// the revocation, and none is let in after.
func TestRotationUnderLoad(t *testing.T) {
	all := sharedTeam(t)
	developer := all.owner.in(all.app)
	old, oldBy := keyOf(t, all.owner, all.app, nil, "users:list")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var revoked, clients = atomic.Int64{}, sync.WaitGroup{} // revoked is when the revocation was answered, in nanoseconds
	var asked atomic.Int64
	var revoking atomic.Bool
	load := func(by client.Installation, ends bool) {
		for ctx.Err() == nil {
			end := revoked.Load()
			answer, err := by.Do(context.Background(), client.Request{Path: "/users?limit=1"})
			asked.Add(1)
			switch {
			case err != nil:
				t.Error(err)
			case ends && end != 0 && answer.Text("code") != "api_key_revoked":
				t.Errorf("sent after the revocation was answered: %s", answer)
			case answer.Status != http.StatusOK && !(ends && revoking.Load()):
				t.Errorf("refused while the key is good: %s", answer)
			}
		}
	}
	for range 4 {
		clients.Go(func() { load(oldBy, true) })
	}
	_, newBy := rotate(t, developer, old.KeyID, object{"overlap_seconds": 3600})
	for range 4 {
		clients.Go(func() { load(newBy, false) })
	}
	client.WaitFor(t, "some hundred requests", limit, func() bool { return asked.Load() > 300 })
	revoking.Store(true)
	wantStatus(t, remove(t, developer, "/keys/"+old.KeyID), http.StatusOK)
	revoked.Store(time.Now().UnixNano())
	after := asked.Load()
	client.WaitFor(t, "some hundred more", limit, func() bool { return asked.Load() > after+300 })
	stop()
	clients.Wait()
	t.Logf("%d requests", asked.Load())
}

// cutLimit is a guard against waiting for ever; the aim is a second.
const cutLimit = 5 * time.Second

// TestHowSoonRevocationCuts measures from the answer to the revocation to the close of the last socket.
func TestHowSoonRevocationCuts(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	key, by := keyOf(t, all.owner, all.app, nil, "users:register", "tokens:manage")
	var sockets []*client.Socket
	for n := range 20 {
		token := as(t, by, registerBy(t, by, fmt.Sprint("user", n)), nil)
		sockets = append(sockets, dial(t, token, client.DialOptions{}))
	}
	for _, socket := range sockets {
		awaitResume(t, socket)
	}
	wantStatus(t, remove(t, all.owner.in(all.app), "/keys/"+key.KeyID), http.StatusOK)
	wantCut(t, sockets)
}

// wantCut waits until every socket is closed.
func wantCut(t *testing.T, sockets []*client.Socket) {
	t.Helper()
	answered := time.Now()
	for _, socket := range sockets {
		select {
		case <-socket.Closed():
		case <-time.After(time.Until(answered.Add(cutLimit))):
			t.Fatalf("a socket is open %s after the answer", cutLimit)
		}
	}
	t.Logf("%d sockets were closed within %s of the answer", len(sockets), time.Since(answered).Round(time.Millisecond))
}

// TestSocketsOpenedDuringARevocation races handshakes against the revocation of the key that minted their tokens: no socket
// that gets through stays open.
func TestSocketsOpenedDuringARevocation(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	rounds, opened := 25, atomic.Int64{}
	if onMinistack {
		rounds = 3
	}
	_, permanent := keyOf(t, all.owner, all.app, nil, "users:register")
	ann := registerBy(t, permanent, "ann")
	for range rounds {
		key, by := keyOf(t, all.owner, all.app, nil, "tokens:manage")
		token := as(t, by, ann, nil)
		sockets := together(5, func(n int) *client.Socket {
			if n == 0 {
				_, _ = all.owner.in(all.app).Do(context.Background(), client.Request{Method: http.MethodDelete, Path: "/keys/" + key.KeyID}) // looked at below
				return nil
			}
			socket, _, _ := token.Dial(within(t), client.DialOptions{}) // to be refused is right, too
			return socket
		})
		wantRefusal(t, get(t, token, "/users/"+ann.ID), http.StatusUnauthorized, "token_revoked")
		sockets = slices.DeleteFunc(sockets, func(s *client.Socket) bool { return s == nil })
		opened.Add(int64(len(sockets)))
		wantCutQuietly(t, sockets)
	}
	t.Logf("%d sockets got through in %d rounds, and were closed", opened.Load(), rounds)
}

// wantCutQuietly is wantCut without a line for each round.
func wantCutQuietly(t *testing.T, sockets []*client.Socket) {
	t.Helper()
	deadline := time.Now().Add(cutLimit)
	for _, socket := range sockets {
		select {
		case <-socket.Closed():
		case <-time.After(time.Until(deadline)):
			_, err := socket.Ask(within(t), object{"action": "ping"})
			t.Fatalf("a socket that opened during the revocation is open %s after it; a ping: %v", cutLimit, err)
		}
	}
}
