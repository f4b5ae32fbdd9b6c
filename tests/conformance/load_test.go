//go:build conformance

package conformance

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// taking is a way to take a permission from somebody while it is used. The clients send by any of the senders.
type taking struct {
	senders func(t *testing.T, s scene, ann person) []client.Installation
	// prepare makes what take then takes away; back gives it again.
	prepare func(t *testing.T, s scene, ann person) (take, back func() client.Answer)
}

// revocation takes a grant away, and makes another.
func revocation(t *testing.T, s scene, body object) (take, back func() client.Answer) {
	t.Helper()
	id := grant(t, s.session, body).GrantID
	return func() client.Answer { return remove(t, s.key, "/grants/"+id) }, func() client.Answer {
		answer := post(t, s.session, "/grants", body)
		id = answer.Text("grant_id")
		return answer
	}
}

// takings are the ways to lose messages:send that a grant of a user, a role and the defaults offer, and then those of a key.
func takings() map[string]taking {
	token := func(t *testing.T, s scene, ann person) []client.Installation {
		return []client.Installation{as(t, s.key, ann, nil)}
	}
	forUser := func(t *testing.T, s scene, ann person) []client.Installation {
		_, by := keyOf(t, s.owner, s.app, nil, "messages:send")
		return []client.Installation{as(t, s.key, ann, nil), by, s.session}
	}
	denial := func(t *testing.T, s scene, subject string) (take, back func() client.Answer) {
		id := ""
		return func() client.Answer {
				answer := post(t, s.key, "/grants", object{"subject": subject, "permissions": []string{"messages:send"}, "effect": "deny"})
				id = answer.Text("grant_id")
				return answer
			}, func() client.Answer {
				return remove(t, s.key, "/grants/"+id)
			}
	}
	roleOf := func(t *testing.T, s scene) (role string, take, back func() client.Answer) {
		role = newRole(t, s.session, []string{"messages:send"}, nil)
		change := func(permissions ...string) func() client.Answer {
			return func() client.Answer {
				return patch(t, s.session, "/roles/"+role, object{"permissions": append([]string{}, permissions...)})
			}
		}
		return role, change("users:read"), change("messages:send")
	}
	return map[string]taking{
		"a denial of the user": {forUser, func(t *testing.T, s scene, ann person) (take, back func() client.Answer) { return denial(t, s, ann.ID) }},
		"a grant of the user": {forUser, func(t *testing.T, s scene, ann person) (take, back func() client.Answer) {
			wantStatus(t, setDefaults(t, s.session), http.StatusOK)
			return revocation(t, s, object{"subject": ann.ID, "permissions": []string{"messages:send"}})
		}},
		"a role": {token, func(t *testing.T, s scene, ann person) (take, back func() client.Answer) {
			wantStatus(t, setDefaults(t, s.session), http.StatusOK)
			role, take, back := roleOf(t, s)
			grant(t, s.session, object{"subject": ann.ID, "role": role})
			return take, back
		}},
		"the defaults": {forUser, func(t *testing.T, s scene, _ person) (take, back func() client.Answer) {
			return func() client.Answer { return setDefaults(t, s.session) }, func() client.Answer { return setDefaults(t, s.session, "member") }
		}},
		"a default role": {token, func(t *testing.T, s scene, _ person) (take, back func() client.Answer) {
			role, take, back := roleOf(t, s)
			wantStatus(t, setDefaults(t, s.session, role), http.StatusOK)
			return take, back
		}},
	}
}

// keyTakings are the ways in which a key that has these scopes loses messages:send.
func keyTakings() map[string]keyTaking {
	reads := []string{"users:read"}
	return map[string]keyTaking{
		"a grant of the key": {reads, func(t *testing.T, s scene, key string) (take, back func() client.Answer) {
			return revocation(t, s, object{"subject": key, "permissions": []string{"messages:send"}})
		}},
		"a role of the key": {reads, func(t *testing.T, s scene, key string) (take, back func() client.Answer) {
			return revocation(t, s, object{"subject": key, "role": "bot"})
		}},
		"a role's end": {reads, func(t *testing.T, s scene, key string) (take, back func() client.Answer) {
			role := newRole(t, s.session, []string{"messages:send"}, nil)
			grant(t, s.session, object{"subject": key, "role": role})
			return func() client.Answer { return remove(t, s.session, "/roles/"+role) }, nil
		}},
		"a scope of the key": {[]string{"messages:send"}, func(t *testing.T, s scene, key string) (take, back func() client.Answer) {
			return func() client.Answer {
				return post(t, s.session, "/grants/revoke", object{"scopes": []object{{"key_id": key, "scopes": []string{"messages:send"}}}})
			}, nil
		}},
	}
}

// keyTaking is a way to take messages:send from a key.
type keyTaking struct {
	scopes  []string
	prepare func(t *testing.T, s scene, key string) (take, back func() client.Answer)
}

// TestNothingIsAcceptedAfterARevocation has eight clients send without a pause while what they may is taken from them:
// whatever begins after the taking was answered is refused.
func TestNothingIsAcceptedAfterARevocation(t *testing.T) {
	t.Parallel()
	for name, way := range takings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			ann, bob := registerBy(t, s.key, "ann"), registerBy(t, s.key, "bob")
			senders := way.senders(t, s, ann)
			take, back := way.prepare(t, s, ann)
			underLoad(t, senders, object{"from": ann.ID, "to": bob.ID, "message": "x"}, take, back)
		})
	}
	for name, way := range keyTakings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			ann, bob := registerBy(t, s.key, "ann"), registerBy(t, s.key, "bob")
			key, by := keyOf(t, s.owner, s.app, nil, way.scopes...)
			take, back := way.prepare(t, s, key.KeyID)
			underLoad(t, []client.Installation{by}, object{"from": ann.ID, "to": bob.ID, "message": "x"}, take, back)
		})
	}
}

// attempt is a request of a client: when it began, and what it was answered.
type attempt struct {
	begun  time.Time
	answer client.Answer
}

// underLoad takes the permission from clients that send, three times where it can be given back.
func underLoad(t *testing.T, senders []client.Installation, body object, take, back func() client.Answer) {
	t.Helper()
	for round := range 3 {
		var sent atomic.Int64
		var group sync.WaitGroup
		attempts := make([][]attempt, 8)
		ctx, stop := context.WithTimeout(context.Background(), 3*limit)
		for i := range attempts {
			group.Go(func() { attempts[i] = sendUntilRefused(ctx, senders[i%len(senders)], body, &sent) })
		}
		client.WaitFor(t, "the clients to send", 2*limit, func() bool { return sent.Load() >= 16 })
		answer := take()
		taken := time.Now()
		if answer.Status >= 300 {
			t.Errorf("not taken: %s", answer)
		}
		group.Wait()
		stop()
		for i, each := range attempts {
			judge(t, fmt.Sprintf("round %d, client %d", round, i), each, taken)
		}
		if back == nil {
			return
		}
		if answer := back(); answer.Status >= 300 {
			t.Fatalf("not given back: %s", answer)
		}
	}
}

// sendUntilRefused sends until it was denied three times.
func sendUntilRefused(ctx context.Context, by client.Installation, body object, sent *atomic.Int64) (attempts []attempt) {
	for refused := 0; refused < 3 && ctx.Err() == nil; {
		begun := time.Now()
		answer, err := by.Do(ctx, client.Request{Path: "/send", Body: body})
		if err != nil {
			return attempts
		}
		attempts = append(attempts, attempt{begun, answer})
		switch answer.Text("code") {
		case "permission_denied":
			refused++
		case "":
			sent.Add(1)
		}
	}
	return attempts
}

// judge checks that the client was refused all that it began after the permission was taken, and has come to that.
func judge(t *testing.T, who string, attempts []attempt, taken time.Time) {
	t.Helper()
	refused, late := 0, 0
	for _, each := range attempts {
		code := each.answer.Text("code")
		switch {
		case code == "permission_denied":
			refused++
		case each.begun.After(taken) && each.answer.Status == http.StatusOK:
			if late++; late == 1 {
				t.Errorf("%s: accepted %s after the permission was taken: %s", who, each.begun.Sub(taken), each.answer)
			}
		case code != "" && code != "conversation_busy":
			t.Errorf("%s: %s", who, each.answer)
		}
	}
	if refused < 3 {
		t.Errorf("%s was refused %d times in %d", who, refused, len(attempts))
	}
}
