//go:build conformance

package conformance

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// losses are the ways to lose what a socket stands on. Each gets a scene of its own, in which users have what socketRole
// gives, by default or by a grant.
func losses() map[string]func(t *testing.T, s scene, users []person) (take func() []client.Answer) {
	deny := func(permission string) func(t *testing.T, s scene, users []person) func() []client.Answer {
		return func(t *testing.T, s scene, users []person) func() []client.Answer {
			return func() []client.Answer {
				return together(len(users), func(i int) client.Answer {
					return post(t, s.session, "/grants", object{"subject": users[i].ID, "permissions": []string{permission}, "effect": "deny"})
				})
			}
		}
	}
	own := func(t *testing.T, s scene) string {
		return newRole(t, s.session, nil, object{"permissions": []string{"socket:connect", "messages:read", "messages:send"}})
	}
	once := func(take func() client.Answer) func() []client.Answer {
		return func() []client.Answer { return []client.Answer{take()} }
	}
	return map[string]func(t *testing.T, s scene, users []person) (take func() []client.Answer){
		"a denial of socket:connect": deny("socket:connect"),
		"a denial of messages:read":  deny("messages:read"),
		"a grant's revocation": func(t *testing.T, s scene, users []person) func() []client.Answer {
			wantStatus(t, setDefaults(t, s.session), http.StatusOK)
			var ids []string
			for _, user := range users {
				ids = append(ids, grant(t, s.session, object{"subject": user.ID, "role": "member"}).GrantID)
			}
			return once(func() client.Answer { return post(t, s.session, "/grants/revoke", object{"grant_ids": ids}) })
		},
		"another role": func(t *testing.T, s scene, users []person) func() []client.Answer {
			wantStatus(t, setDefaults(t, s.session), http.StatusOK)
			role := own(t, s)
			for _, user := range users {
				grant(t, s.session, object{"subject": user.ID, "role": role})
			}
			return once(func() client.Answer {
				return patch(t, s.session, "/roles/"+role, object{"permissions": []string{"socket:connect"}})
			})
		},
		"a role that denies": func(t *testing.T, s scene, users []person) func() []client.Answer {
			role := own(t, s)
			for _, user := range users {
				grant(t, s.session, object{"subject": user.ID, "role": role})
			}
			return once(func() client.Answer {
				return patch(t, s.session, "/roles/"+role, object{"denied": []string{"messages:read"}})
			})
		},
		"a role's end": func(t *testing.T, s scene, users []person) func() []client.Answer {
			wantStatus(t, setDefaults(t, s.session), http.StatusOK)
			role := own(t, s)
			for _, user := range users {
				grant(t, s.session, object{"subject": user.ID, "role": role})
			}
			return once(func() client.Answer { return remove(t, s.session, "/roles/"+role) })
		},
		"other defaults": func(t *testing.T, s scene, _ []person) func() []client.Answer {
			return once(func() client.Answer { return setDefaults(t, s.session, "auditor") })
		},
	}
}

// TestSocketsFollow: whoever may have no socket any more has none, and is pushed nothing that is sent after the answer.
func TestSocketsFollow(t *testing.T) {
	t.Parallel()
	for name, prepare := range losses() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			sender := registerBy(t, s.key, "sender")
			var users []person
			for range 10 {
				users = append(users, registerBy(t, s.key, "user"))
			}
			take := prepare(t, s, users)
			grant(t, s.session, object{"subject": sender.ID, "role": "member"}) // who sends may go on
			minter := s.minter(t)
			stays := dial(t, as(t, minter, sender, nil), client.DialOptions{})
			awaitResume(t, stays)
			sockets := together(len(users), func(i int) *client.Socket {
				socket := dial(t, as(t, minter, users[i], nil), client.DialOptions{})
				awaitResume(t, socket)
				return socket
			})
			if t.Failed() {
				return
			}
			for _, answer := range take() {
				if answer.Status >= 300 {
					t.Fatalf("not taken: %s", answer)
				}
			}
			for i, socket := range sockets {
				before := len(socket.Events(0))
				answer := post(t, s.key, "/send", object{"from": sender.ID, "to": users[i].ID, "message": "after"})
				if answer.Status >= 300 {
					t.Fatal(answer)
				}
				waitClosed(t, socket)
				if late := socket.Events(before); len(late) > 0 {
					t.Errorf("pushed after the answer: %s", shown(late))
				}
				wantNoEntry(t, as(t, s.key, users[i], nil), client.DialOptions{})
			}
			wantBack(t, s, sender, stays)
		})
	}
}

// wantBack checks that somebody who may still have a socket has one, or gets one again: a change for all closes those of
// all, and a client comes back.
func wantBack(t *testing.T, s scene, user person, socket *client.Socket) {
	t.Helper()
	if _, err := socket.Ask(within(t), object{"action": "ping"}); err == nil {
		return
	}
	again := dial(t, as(t, s.minter(t), user, nil), client.DialOptions{})
	awaitResume(t, again)
	ask(t, again, object{"action": "ping"})
}

// TestASocketOutlivesWhatItDoesNotStandOn: who loses messages:send or messages:mark keeps the socket, and the next frame is
// refused, or works again.
func TestASocketOutlivesWhatItDoesNotStandOn(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann, bob := registerBy(t, s.key, "ann"), registerBy(t, s.key, "bob")
	grant(t, s.session, object{"subject": bob.ID, "role": "member"}) // whatever the defaults are
	conversation := post(t, s.key, "/send", object{"from": bob.ID, "to": ann.ID, "message": "x"}).Text("conversation_id")
	socket := dial(t, as(t, s.key, ann, nil), client.DialOptions{})
	awaitResume(t, socket)
	frames := map[string][]object{
		"messages:send": {{"action": "send", "to": bob.ID, "message": "x"}, {"action": "typing", "to": bob.ID}},
		"messages:mark": {{"action": "ack", "conversation_id": conversation, "seq": 1}, {"action": "read", "conversation_id": conversation, "seq": 1}},
	}
	role := newRole(t, s.session, nil, object{"permissions": []string{"socket:connect", "messages:read"}})
	for permission, asked := range frames {
		for what, take := range map[string]func() (deniedBy string, back func()){
			"denial": func() (string, func()) {
				made := grant(t, s.key, object{"subject": ann.ID, "permissions": []string{permission}, "effect": "deny"})
				return made.GrantID, func() { revoke(t, s.key, made.GrantID) }
			},
			"defaults": func() (string, func()) {
				wantStatus(t, setDefaults(t, s.session, role), http.StatusOK)
				return "", func() { wantStatus(t, setDefaults(t, s.session, "member"), http.StatusOK) }
			},
		} {
			deniedBy, back := take()
			for _, frame := range asked {
				answer, err := socket.Ask(within(t), frame)
				if err != nil {
					t.Fatalf("%s by %s: %v", permission, what, err)
				}
				wantFrameRefusal(t, answer, "permission_denied")
				if denial := answer.Error; denial == nil || denial.Denial == nil || denial.Denial.Permission != permission || denial.Denial.Subject != ann.ID || denial.Denial.DeniedBy != deniedBy {
					t.Errorf("%s by %s: %s", permission, what, answer.Raw)
				}
			}
			ask(t, socket, object{"action": "ping"})
			sent := post(t, s.key, "/send", object{"from": bob.ID, "to": ann.ID, "message": "still there"})
			wantStatus(t, sent, http.StatusOK)
			awaitEvent(t, socket, 0, carries(sent.Text("message_id")))
			back()
			for _, frame := range asked {
				ask(t, socket, frame)
			}
		}
	}
}

// TestASocketEndsWithTheGrantItStandsOn: rights that end by themselves end the socket, too.
func TestASocketEndsWithTheGrantItStandsOn(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann, bob := registerBy(t, s.key, "ann"), registerBy(t, s.key, "bob")
	wantStatus(t, setDefaults(t, s.session), http.StatusOK)
	grant(t, s.session, object{"subject": bob.ID, "role": "member"})
	until := time.Now().Add(4 * time.Second)
	grant(t, s.session, object{"subject": ann.ID, "role": "member", "until": until.UTC().Format(time.RFC3339Nano)})
	token := as(t, s.minter(t), ann, nil)
	socket := dial(t, token, client.DialOptions{})
	awaitResume(t, socket)
	ask(t, socket, object{"action": "ping"})
	client.WaitFor(t, "the grant to end", limit, func() bool { return get(t, token, "/users/"+ann.ID).Status == http.StatusForbidden })
	before := len(socket.Events(0))
	wantStatus(t, post(t, s.key, "/send", object{"from": bob.ID, "to": ann.ID, "message": "too late"}), http.StatusOK)
	waitClosed(t, socket)
	if late := socket.Events(before); len(late) > 0 {
		t.Errorf("pushed after the grant had ended: %s", shown(late))
	}
	wantNoEntry(t, token, client.DialOptions{})
}

// TestOpeningASocketAsksForTwoPermissions tries every pair of the two, and then each frame with nothing but them.
func TestOpeningASocketAsksForTwoPermissions(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	wantStatus(t, setDefaults(t, s.session), http.StatusOK)
	bob := registerBy(t, s.key, "bob")
	rows := readMatrix(t)
	for _, has := range [][]string{nil, {"socket:connect"}, {"messages:read"}, {"socket:connect", "messages:read"}} {
		ann := registerBy(t, s.key, "ann")
		if has != nil {
			grant(t, s.session, object{"subject": ann.ID, "permissions": has})
		}
		token := as(t, s.minter(t), ann, nil)
		if len(has) < 2 {
			wantNoEntry(t, token, client.DialOptions{})
			continue
		}
		socket := dial(t, token, client.DialOptions{})
		for _, action := range actions(bob, "c_0000000000000000000000") {
			at := slices.IndexFunc(rows, func(row asked) bool { return row.operation == "socket "+action.path })
			answer, err := socket.Ask(within(t), with(action.valid, object{"action": action.path}))
			if err != nil || at < 0 {
				t.Fatalf("%s: %v", action.path, err)
			}
			if allowed := slices.Contains(has, rows[at].permission); allowed == (answer.Code() == "permission_denied") {
				t.Errorf("%s with %v: %s", action.path, has, answer.Raw)
			}
		}
	}
}
