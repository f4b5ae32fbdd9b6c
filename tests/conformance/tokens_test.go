//go:build conformance

package conformance

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

func TestMintedToken(t *testing.T) {
	t.Parallel()
	ann := register(t, "ann")
	for asked, life := range map[any]time.Duration{nil: time.Hour, 10: 10 * time.Second, 86400: 24 * time.Hour} {
		answer := post(t, app, "/users/"+ann.ID+"/tokens", with(object{}, object{"expires_in": asked}))
		wantStatus(t, answer, http.StatusCreated)
		expires, err := time.Parse(time.RFC3339, answer.Text("expires_at"))
		if err != nil || (time.Until(expires)-life).Abs() > 3*time.Second {
			t.Errorf("expires_in %v: expires_at %s (%v)", asked, answer.Text("expires_at"), err)
		}
		if answer.Text("user_id") != ann.ID || strings.Count(answer.Text("token"), ".") != 2 {
			t.Errorf("%s", answer)
		}
	}
	wantStatus(t, do(t, app, client.Request{Method: http.MethodPost, Path: "/users/" + ann.ID + "/tokens"}), http.StatusCreated)
	path := "/users/" + ann.ID + "/tokens"
	for value, code := range map[any]string{9: "field_out_of_range", 0: "field_out_of_range", -1: "field_out_of_range", 86401: "field_out_of_range", 1.5: "field_type", "60": "field_type"} {
		wantField(t, wantRefusal(t, post(t, app, path, object{"expires_in": value}), 422, code), "expires_in", code)
	}
	for device, code := range map[string]string{strings.Repeat("d", 33): "field_too_long", "my phone": "field_invalid", "~x": "field_invalid", "téléphone": "field_invalid"} {
		wantField(t, wantRefusal(t, post(t, app, path, object{"device": device}), 422, code), "device", code)
	}
	wantRefusal(t, post(t, app, "/users/u_nobody/tokens", object{}), http.StatusNotFound, "user_not_found")
	wantRefusal(t, remove(t, app, "/users/u_nobody/tokens"), http.StatusNotFound, "user_not_found")
}

// ownRequests are those that a user token may make about a user, and the field that names the user.
func ownRequests(user person, conversation string) map[string]client.Request {
	base := "/users/" + user.ID
	return map[string]client.Request{
		"messages":      {Path: base + "/messages"},
		"conversations": {Path: base + "/conversations"},
		"ack":           {Path: base + "/conversations/" + conversation + "/ack", Body: object{"seq": 1}},
		"read":          {Path: base + "/conversations/" + conversation + "/read", Body: object{"seq": 1}},
		"delete":        {Path: base + "/conversations/" + conversation + "/delete", Body: object{"seqs": []int64{1}}},
		"clear":         {Path: base + "/conversations/" + conversation + "/clear", Body: object{}},
		"export":        {Path: base + "/export"},
		"send":          {Path: "/send", Body: object{"from": user.ID, "to": user.ID + "x", "message": "x"}},
	}
}

func TestTokenIsForItsOwnUserOnly(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	eve := register(t, "eve")
	conversation := send(t, ann, bob, "secret", nil).Text("conversation_id")
	token := as(t, app, eve, nil)
	for what, request := range ownRequests(ann, conversation) {
		if answer := do(t, token, request); answer.Status != http.StatusForbidden || answer.Text("code") != "not_yourself" {
			t.Errorf("%s of another user: %s", what, answer)
		}
	}
	for what, request := range ownRequests(person{ID: "u_0000000000000000000000"}, conversation) {
		if answer := do(t, token, request); answer.Status != http.StatusNotFound || answer.Text("code") != "user_not_found" {
			t.Errorf("%s of nobody: %s", what, answer)
		}
	}
	for _, path := range []string{"/conversations/" + conversation + "/messages"} {
		wantRefusal(t, get(t, token, path), http.StatusNotFound, "conversation_not_found")
	}
	for _, mark := range []string{"ack", "read"} {
		answer := post(t, token, "/users/"+eve.ID+"/conversations/"+conversation+"/"+mark, object{"seq": 1})
		wantRefusal(t, answer, http.StatusNotFound, "conversation_not_found")
	}
	wantRefusal(t, post(t, token, "/send", object{"from": ann.Name, "to": bob.ID, "message": "x"}), http.StatusForbidden, "not_yourself")
	wantStatus(t, get(t, token, "/users/"+ann.ID), http.StatusOK)
}

func TestTokenMayDoWhatItsUserMay(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	token := as(t, app, ann, nil)
	sent := post(t, token, "/send", object{"to": bob.ID, "message": "from is the token's"})
	wantStatus(t, sent, http.StatusOK)
	wantStatus(t, post(t, token, "/send", object{"from": ann.Name, "to": bob.Name, "message": "by name"}), http.StatusOK)
	conversation := sent.Text("conversation_id")
	wantStatus(t, get(t, token, "/users/"+ann.ID+"/messages"), http.StatusOK)
	wantStatus(t, get(t, token, "/users/"+ann.ID+"/conversations"), http.StatusOK)
	wantStatus(t, get(t, token, "/conversations/"+conversation+"/messages"), http.StatusOK)
	wantStatus(t, post(t, token, "/users/"+ann.ID+"/conversations/"+conversation+"/ack", object{"seq": 2}), http.StatusOK)
	wantStatus(t, post(t, token, "/users/"+ann.ID+"/conversations/"+conversation+"/read", object{"seq": 2}), http.StatusOK)
	wantStatus(t, post(t, token, "/tickets", object{}), http.StatusCreated)
	for _, probe := range probes(ann, conversation) {
		switch probe.permission {
		case "keys:manage", "users:register", "users:list", "tokens:manage":
			wantRefusal(t, do(t, token, probe.request), http.StatusForbidden, "permission_denied")
		}
	}
}

func TestTamperedTokens(t *testing.T) {
	t.Parallel()
	ann := register(t, "ann")
	token := as(t, app, ann, nil).APIKey
	parts := strings.Split(token, ".")
	none := "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + "."
	for _, bad := range []string{none, parts[0] + "." + parts[1] + ".", "a.b.c", "..", parts[0] + "." + parts[0] + "." + parts[2], token + strings.Repeat("A", 3000)} {
		wantRefusal(t, get(t, app.With(bad), "/users/"+ann.ID), http.StatusUnauthorized, "token_invalid")
	}
	for i := 0; i < len(token); i += 3 {
		if token[i] == '.' {
			continue
		}
		bad := token[:i] + other(token[i]) + token[i+1:]
		if answer := get(t, app.With(bad), "/users/"+ann.ID); answer.Status != http.StatusUnauthorized || answer.Text("code") != "token_invalid" {
			t.Errorf("character %d changed: %s", i, answer)
		}
	}
}

func TestRevokedTokens(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	token, stranger := as(t, app, ann, nil), as(t, app, bob, nil)
	first, second := dial(t, token, client.DialOptions{}), dial(t, token, client.DialOptions{})
	ticket := newTicket(t, token)
	wantStatus(t, remove(t, app, "/users/"+ann.ID+"/tokens"), http.StatusNoContent)
	waitClosed(t, first)
	waitClosed(t, second)
	wantRefusal(t, get(t, token, "/users/"+ann.ID), http.StatusUnauthorized, "token_revoked")
	wantNoEntry(t, token, client.DialOptions{})
	wantNoEntry(t, app.With(""), client.DialOptions{Query: "?ticket=" + ticket})
	wantStatus(t, get(t, as(t, app, ann, nil), "/users/"+ann.ID), http.StatusOK)
	wantStatus(t, get(t, stranger, "/users/"+ann.ID), http.StatusOK)
}

func TestTokenExpires(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	token := as(t, app, ann, object{"expires_in": 10})
	socket := dial(t, token, client.DialOptions{})
	awaitResume(t, socket)
	ask(t, socket, object{"action": "ping"})
	client.WaitFor(t, "the token to expire", limit, func() bool { return get(t, token, "/users/"+ann.ID).Status != http.StatusOK })
	wantRefusal(t, get(t, token, "/users/"+ann.ID), http.StatusUnauthorized, "token_expired")
	wantNoEntry(t, token, client.DialOptions{})
	before := len(socket.Events(0))
	send(t, bob, ann, "too late", nil)
	waitClosed(t, socket)
	if late := socket.Events(before); len(late) > 0 {
		t.Errorf("pushed after the token had expired: %s", shown(late))
	}
}

func TestAFrameOnAnExpiredSocketClosesIt(t *testing.T) {
	t.Parallel()
	ann := register(t, "ann")
	token := as(t, app, ann, object{"expires_in": 10})
	socket := dial(t, token, client.DialOptions{})
	client.WaitFor(t, "the token to expire", limit, func() bool { return get(t, token, "/users/"+ann.ID).Status != http.StatusOK })
	frame, err := socket.Ask(within(t), object{"action": "ping"})
	if err == nil {
		wantFrameRefusal(t, frame, "token_expired")
	}
	waitClosed(t, socket)
}

func TestAuthFrameRenewsTheSocket(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	short := as(t, app, ann, object{"expires_in": 10, "device": "phone"})
	socket := dial(t, short, client.DialOptions{})
	long := as(t, app, ann, object{"device": "phone"})
	wantBadRenewals(t, socket, bob, ann)
	renewed := ask(t, socket, object{"action": "auth", "token": long.APIKey})
	if expires, err := time.Parse(time.RFC3339, renewed.ExpiresAt); err != nil || time.Until(expires) < 50*time.Minute || renewed.V == nil {
		t.Errorf("the answer to auth: %s", renewed.Raw)
	}
	client.WaitFor(t, "the first token to expire", limit, func() bool { return get(t, short, "/users/"+ann.ID).Status != http.StatusOK })
	ask(t, socket, object{"action": "ping"})
	sent := send(t, bob, ann, "still there", nil)
	awaitEvent(t, socket, 0, func(f client.Frame) bool {
		return f.Event == "message" && f.Messages()[0].MessageID == sent.Text("message_id")
	})
}

// wantBadRenewals tries tokens that must not renew a socket, and that it stays open.
func wantBadRenewals(t *testing.T, socket *client.Socket, stranger, self person) {
	t.Helper()
	for token, code := range map[string]string{
		as(t, app, stranger, object{"device": "phone"}).APIKey: "not_yourself",
		as(t, app, self, object{"device": "tablet"}).APIKey:    "not_yourself",
		"a.b.c": "token_invalid", "": "field_too_short", strings.Repeat("x", 2049): "field_too_long", app.APIKey: "token_invalid",
	} {
		frame, err := socket.Ask(within(t), object{"action": "auth", "token": token})
		if err != nil {
			t.Fatal(err)
		}
		wantFrameRefusal(t, frame, code)
	}
	ask(t, socket, object{"action": "ping"})
}

func newTicket(t *testing.T, token client.Installation) string {
	t.Helper()
	answer := post(t, token, "/tickets", object{})
	wantStatus(t, answer, http.StatusCreated)
	if expires, err := time.Parse(time.RFC3339, answer.Text("expires_at")); err != nil || time.Until(expires) > 31*time.Second {
		t.Errorf("a ticket until %s (%v)", answer.Text("expires_at"), err)
	}
	return answer.Text("ticket")
}

func TestTicketWorksOnce(t *testing.T) {
	t.Parallel()
	token := as(t, app, register(t, "ann"), nil)
	ticket := newTicket(t, token)
	var open []*client.Socket
	for _, socket := range together(20, func(int) *client.Socket {
		socket, _, _ := app.With("").Dial(within(t), client.DialOptions{Query: "?ticket=" + ticket}) // refused: nil
		return socket
	}) {
		if socket != nil {
			open = append(open, socket)
			t.Cleanup(socket.Drop)
		}
	}
	if len(open) != 1 {
		t.Fatalf("%d sockets opened with one ticket", len(open))
	}
	ask(t, open[0], object{"action": "ping"})
	wantRefusal(t, get(t, app.With(ticket), "/users/u_x"), http.StatusUnauthorized, "token_invalid")
}

func TestTicketInTheSubprotocol(t *testing.T) {
	t.Parallel()
	token := as(t, app, register(t, "ann"), nil)
	protocols := []string{"tokenim", "ticket." + newTicket(t, token)}
	socket := dial(t, app.With(""), client.DialOptions{Protocols: protocols, Header: map[string]string{"Origin": "http://localhost:3000"}})
	if socket.Protocol() != "tokenim" {
		t.Errorf("answered with the subprotocol %q", socket.Protocol())
	}
	ask(t, socket, object{"action": "ping"})
	wantNoEntry(t, app.With(""), client.DialOptions{Protocols: protocols})
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	token := as(t, app, register(t, "ann"), nil)
	ticket := newTicket(t, token)
	for _, origin := range []string{"https://evil.example", "http://localhost.evil.example:3000", "null", "http://localhost:3000/path", "https://localhost:3000"} {
		options := client.DialOptions{Query: "?ticket=" + ticket, Header: map[string]string{"Origin": origin}}
		wantNoEntry(t, app.With(""), options)
		wantNoEntry(t, token, client.DialOptions{Header: options.Header})
	}
	// A refused page has not used the ticket up.
	dial(t, app.With(""), client.DialOptions{Query: "?ticket=" + ticket, Header: map[string]string{"Origin": "http://localhost:3000"}})
}

func TestWhoMayNotOpenASocket(t *testing.T) {
	t.Parallel()
	nobody, token := app.With(""), as(t, app, register(t, "ann"), nil)
	for _, query := range []string{"", "?token=" + token.APIKey, "?access_token=" + token.APIKey, "?ticket=" + token.APIKey, "?ticket=x", "?authorization=Bearer%20" + token.APIKey} {
		wantNoEntry(t, nobody, client.DialOptions{Query: query})
	}
	wantNoEntry(t, app, client.DialOptions{})
	wantNoEntry(t, app.With("not-a-token"), client.DialOptions{})
	wantNoEntry(t, nobody, client.DialOptions{Protocols: []string{"tokenim", "ticket.x"}})
	wantNoEntry(t, nobody, client.DialOptions{Header: map[string]string{"Authorization": "Basic " + token.APIKey}})
	_, status, err := token.Dial(within(t), client.DialOptions{Query: "?v=x"})
	if err == nil || status != 422 && !onMinistack { // it answers 403 whatever $connect has returned
		t.Errorf("?v=x: %d %v", status, err)
	}
}

func TestBadTicketBodies(t *testing.T) {
	t.Parallel()
	token := as(t, app, register(t, "ann"), nil)
	wantStatus(t, do(t, token, client.Request{Method: http.MethodPost, Path: "/tickets"}), http.StatusCreated)
	for _, bad := range malformed(object{}) {
		if answer := post(t, token, "/tickets", bad.body); answer.Status != bad.status || answer.Text("code") != bad.code {
			t.Errorf("%s: %d %s wanted, not %s", bad.name, bad.status, bad.code, answer)
		}
	}
}
