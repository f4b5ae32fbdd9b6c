//go:build conformance

package conformance

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// belongings are what an app has, and its account, by every ID that the API gives them.
type belongings struct {
	owner               developer
	app                 string
	key                 client.Key
	by, token           client.Installation // the app's key, and ann's
	ann, bob            person
	conversation        string
	device              string // ann's
	session, invitation string // the owner's, the account's
	grant, role         string // bob's role, the app's own
	media               string // ann's, uploading
	imported            string // an import of one row, which is refused
	broadcast           string // from ann, which bob has
	group               string // ann's, with bob, open to everybody of the app
}

// settle fills an app: two users who have talked, a key, a token.
func settle(t *testing.T, owner developer, app string) belongings {
	t.Helper()
	has := belongings{owner: owner, app: app, device: "phone"}
	has.key, has.by = keyOf(t, owner, app, nil, scopes...)
	has.ann, has.bob = registerBy(t, has.by, "ann"), registerBy(t, has.by, "bob")
	sent := post(t, has.by, "/send", object{"from": has.ann.ID, "to": has.bob.ID, "message": "ours alone"})
	wantStatus(t, sent, http.StatusOK)
	has.conversation = sent.Text("conversation_id")
	begun := post(t, has.by, "/users/import", object{"users": []object{{"username": "a b"}}})
	wantStatus(t, begun, http.StatusAccepted)
	has.imported = begun.Text("import_id")
	has.broadcast = proclaimed(t, has.by, has.ann, "to all of us").BroadcastID
	has.media = declare(t, has.by, declaration(has.ann, "image", "image/png", []byte("x"))).MediaID
	made := post(t, has.by, "/groups", object{"name": "ours alone", "owner": has.ann.ID, "members": []string{has.bob.ID}, "join": "open"})
	wantStatus(t, made, http.StatusCreated)
	has.group = made.Text("group_id")
	has.token = as(t, has.by, has.ann, object{"device": has.device})
	has.role = newRole(t, has.by, []string{"users:list"}, nil)
	has.grant = grant(t, has.by, object{"subject": has.bob.ID, "role": has.role}).GrantID
	return has
}

// row is what a route is asked for with IDs of another app or account. It has no requests where the route takes no ID.
type row struct {
	requests []client.Request
	// code is the route's own word for not found.
	code string
	// developers says that the route is for sessions only, apps that it is not for user tokens.
	developers, apps bool
}

// sweep is what is asked of every route: theirs is what must not be found, ours what the caller has.
func sweep(theirs, ours belongings) map[string]row {
	user, conversation, key, member := theirs.ann.ID, theirs.conversation, theirs.key.KeyID, theirs.owner.id
	to := func(path string, body any) client.Request {
		return client.Request{Method: http.MethodPost, Path: path, Body: body}
	}
	from := func(path string) client.Request { return client.Request{Path: path} }
	del := func(path string) client.Request { return client.Request{Method: http.MethodDelete, Path: path} }
	change := func(path string, body any) client.Request {
		return client.Request{Method: http.MethodPatch, Path: path, Body: body}
	}
	list := func(requests ...client.Request) []client.Request { return requests }
	rows := map[string]row{
		"GET /users/{id}":               {list(from("/users/"+user), from("/users/"+theirs.bob.ID)), "user_not_found", false, false},
		"GET /users/{id}/conversations": {list(from("/users/" + user + "/conversations")), "user_not_found", false, false},
		"GET /users/{id}/messages":      {list(from("/users/" + user + "/messages")), "user_not_found", false, false},
		"POST /users/{id}/tokens":       {list(to("/users/"+user+"/tokens", object{"device": theirs.device})), "user_not_found", false, false},
		"DELETE /users/{id}/tokens":     {list(del("/users/" + user + "/tokens")), "user_not_found", false, false},
		"GET /conversations/{id}/messages": {list(from("/conversations/"+conversation+"/messages"), from("/conversations/"+conversation+"/messages?limit=1&order=desc")),
			"conversation_not_found", false, false},
		"POST /send": {list(to("/send", object{"from": user, "to": theirs.bob.ID, "message": "x"}), to("/send", object{"from": user, "to": ours.ann.ID, "message": "x"}),
			to("/send", object{"from": ours.ann.ID, "to": user, "message": "x"}), to("/send", object{"from": ours.ann.ID, "to": theirs.ann.Name, "message": "x"}),
			to("/send", object{"from": theirs.ann.Name, "to": ours.ann.ID, "message": "x"})), "user_not_found", false, false},
		"GET /keys/{id}":                   {list(from("/keys/" + key)), "key_not_found", false, true},
		"DELETE /keys/{id}":                {list(del("/keys/" + key)), "key_not_found", false, true},
		"POST /keys/{id}/rotate":           {list(to("/keys/"+key+"/rotate", object{"overlap_seconds": 0})), "key_not_found", false, true},
		"GET /apps/{id}":                   {list(from("/apps/" + theirs.app)), "app_not_found", true, false},
		"PATCH /apps/{id}":                 {list(change("/apps/"+theirs.app, object{"name": "taken over"})), "app_not_found", true, false},
		"DELETE /apps/{id}":                {list(del("/apps/" + theirs.app)), "app_not_found", true, false},
		"POST /apps/{id}/restore":          {list(to("/apps/"+theirs.app+"/restore", nil)), "app_not_found", true, false},
		"PATCH /account/members/{id}":      {list(change("/account/members/"+member, object{"role": "auditor"})), "member_not_found", true, false},
		"DELETE /account/members/{id}":     {list(del("/account/members/" + member)), "member_not_found", true, false},
		"DELETE /account/invitations/{id}": {list(del("/account/invitations/" + theirs.invitation)), "invitation_not_found", true, false},
		"DELETE /sessions/{id}":            {list(del("/sessions/" + theirs.session)), "session_not_found", true, false},
		"POST /account/switch":             {list(to("/account/switch", object{"account_id": theirs.owner.account})), "account_not_found", true, false},
		"GET /presence/{id}":               {list(from("/presence/"+user), from("/presence/"+theirs.bob.Name)), "user_not_found", false, false},
		"PUT /users/{id}/presence":         {list(client.Request{Method: http.MethodPut, Path: "/users/" + user + "/presence", Body: object{"hidden": true}}), "user_not_found", false, false},
		"POST /presence/query":             {},
		"POST /media":                      {list(to("/media", declaration(theirs.ann, "image", "image/png", []byte("x")))), "user_not_found", false, false},
		"GET /media/{id}":                  {list(from("/media/" + theirs.media)), "media_not_found", false, false},
		"GET /conversations/{id}/messages/{seq}/media": {list(from("/conversations/"+conversation+"/messages/1/media"), from("/conversations/"+theirs.group+"/messages/1/media")),
			"conversation_not_found", false, false},
		"POST /send of a media": {list(to("/send", object{"from": ours.ann.ID, "to": ours.bob.ID, "type": "image", "media_id": theirs.media})), "media_not_found", false, false},
		"GET /broadcasts":       {}, "GET /users": {}, "POST /register": {}, "POST /users/import": {}, "GET /keys": {}, "POST /keys": {}, "POST /tickets": {}, "GET /apps": {}, "POST /apps": {}, "POST /accounts": {},
		"GET /account": {}, "PATCH /account": {}, "GET /account/members": {}, "GET /account/invitations": {}, "POST /account/invitations": {}, "GET /sessions": {},
		"DELETE /sessions": {}, "POST /session/confirm": {}, "POST /logout": {}, "POST /login": {}, "POST /login/unlock": {}, "POST /signup": {}, "POST /signup/resend": {},
		"POST /signup/confirm": {}, "POST /password/forgot": {}, "POST /password/reset": {}, "POST /account/password": {}, "POST /account/email": {},
		"POST /account/email/confirm": {}, "POST /invitations/accept": {}, "POST /account/mfa": {}, "POST /account/mfa/confirm": {},
		"POST /account/mfa/recovery-codes": {}, "POST /account/mfa/off": {},
		"GET /grants/{id}":    {list(from("/grants/" + theirs.grant)), "grant_not_found", false, true},
		"DELETE /grants/{id}": {list(del("/grants/" + theirs.grant)), "grant_not_found", false, true},
		"POST /grants": {list(to("/grants", object{"subject": user, "role": "bot"}), to("/grants", object{"subject": key, "permissions": []string{"users:list"}}),
			to("/grants", object{"subject": user, "permissions": []string{"messages:send"}, "effect": "deny"}), to("/grants", object{"subject": user, "role": theirs.role})), "subject_not_found", false, true},
		"POST /grants of a role": {list(to("/grants", object{"subject": ours.ann.ID, "role": theirs.role})), "role_not_found", false, true},
		"GET /grants":            {list(from("/grants?role=" + theirs.role)), "role_not_found", false, true},
		"GET /roles/{id}":        {list(from("/roles/" + theirs.role)), "role_not_found", false, true},
		"PATCH /roles/{id}":      {list(change("/roles/"+theirs.role, object{"permissions": []string{}})), "role_not_found", false, true},
		"DELETE /roles/{id}":     {list(del("/roles/" + theirs.role)), "role_not_found", false, true},
		"PUT /authorizations/defaults": {list(client.Request{Method: http.MethodPut, Path: "/authorizations/defaults", Body: object{"roles": []string{theirs.role}}}),
			"role_not_found", false, true},
		"GET /authorizations/explain": {list(from("/authorizations/explain?permission=users:list&subject="+user), from("/authorizations/explain?permission=users:list&subject="+key),
			from("/authorizations/explain?permission=users:list&at=2026-01-01T00:00:00Z&subject="+user)), "subject_not_found", false, true},
		"POST /grants/bulk": {}, "POST /grants/revoke": {}, "GET /authorizations/defaults": {}, "GET /authorizations/review": {}, "GET /permissions": {}, "GET /roles": {}, "POST /roles": {},
		"GET /records": {}, "GET /records/export": {}, "GET /records/verify": {}, "GET /account/records": {}, "GET /account/records/export": {}, "GET /account/records/verify": {},
	}
	group, seat := "/groups/"+theirs.group, "/groups/"+theirs.group+"/members/"+theirs.bob.ID
	put := func(path string, body any) client.Request {
		return client.Request{Method: http.MethodPut, Path: path, Body: body}
	}
	for operation, request := range map[string]client.Request{
		"GET /groups/{id}": from(group), "PATCH /groups/{id}": change(group, object{"name": "taken over"}), "DELETE /groups/{id}": del(group),
		"POST /groups/{id}/transfer": to(group+"/transfer", object{"to": ours.ann.ID}), "GET /groups/{id}/members": from(group + "/members"),
		"POST /groups/{id}/members":            to(group+"/members", object{"users": []string{ours.ann.ID}}),
		"DELETE /groups/{id}/members/{user}":   del(seat),
		"PUT /groups/{id}/members/{user}/role": put(seat+"/role", object{"role": "admin"}),
		"PUT /groups/{id}/members/{user}/mute": put(seat+"/mute", object{"until": "2100-01-01T00:00:00Z"}),
		"POST /groups/{id}/join":               to(group+"/join", object{"as": ours.ann.ID}),
		"POST /groups/{id}/decline":            to(group+"/decline", object{"as": ours.ann.ID}),
		"POST /groups/{id}/leave":              to(group+"/leave", object{"as": ours.ann.ID}),
	} {
		rows[operation] = row{list(request), "group_not_found", false, false}
	}
	rows["POST /groups"] = row{list(to("/groups", object{"name": "x", "owner": user}), to("/groups", object{"name": "x", "owner": theirs.ann.Name})), "user_not_found", false, false}
	rows["POST /groups/{id}/join of another's"] = row{list(to("/groups/"+ours.group+"/join", object{"as": user})), "user_not_found", false, false}
	rows["GET /users/{id}/groups"] = row{list(from("/users/" + user + "/groups")), "user_not_found", false, false}
	rows["GET /conversations/{id}/messages/{seq}/receipts"] = row{list(from("/conversations/"+conversation+"/messages/1/receipts"), from("/conversations/"+theirs.group+"/messages/1/receipts")),
		"conversation_not_found", false, false}
	rows["GET /messages/{id}/trace"] = row{list(from("/messages/m_" + strings.TrimPrefix(conversation, "c_") + "_1/trace")), "message_not_found", false, false}
	rows["GET /conversations/{id}/messages of one"] = row{list(from("/conversations/" + theirs.group + "/messages")), "conversation_not_found", false, false}
	rows["POST /send to a group"] = row{list(to("/send", object{"from": ours.ann.ID, "to": theirs.group, "message": "x"})), "group_not_found", false, false}
	rows["PATCH /users/{id}"] = row{list(change("/users/"+user, object{"name": "taken over"})), "user_not_found", false, false}
	rows["GET /users/{id}/blocks"] = row{list(from("/users/" + user + "/blocks")), "user_not_found", false, false}
	rows["PUT /users/{id}/blocks/{other}"] = row{list(put("/users/"+user+"/blocks/"+ours.ann.ID, nil), put("/users/"+ours.ann.ID+"/blocks/"+user, nil)), "user_not_found", false, false}
	rows["DELETE /users/{id}/blocks/{other}"] = row{list(del("/users/" + user + "/blocks/" + ours.ann.ID)), "user_not_found", false, false}
	rows["DELETE /users/{id}"] = row{list(del("/users/"+user), del("/users/"+theirs.bob.ID)), "user_not_found", false, false}
	rows["GET /users/import/{id}/rows"] = row{list(from("/users/import/" + theirs.imported + "/rows")), "import_not_found", false, true}
	rows["POST /broadcasts"] = row{list(to("/broadcasts", object{"from": user, "message": "x"})), "user_not_found", false, false}
	rows["POST /broadcasts of a media"] = row{list(to("/broadcasts", object{"from": ours.ann.ID, "type": "image", "media_id": theirs.media})), "media_not_found", false, true}
	rows["GET /broadcasts/{id}"] = row{list(from("/broadcasts/" + theirs.broadcast)), "broadcast_not_found", false, true}
	rows["POST /broadcasts/{id}/cancel"] = row{list(to("/broadcasts/"+theirs.broadcast+"/cancel", nil)), "broadcast_not_found", false, true}
	rows["GET /users/{id}/erasure"] = row{list(from("/users/" + user + "/erasure")), "user_not_found", false, true}
	for _, state := range []string{"deactivate", "reactivate"} {
		rows["POST /users/{id}/"+state] = row{list(to("/users/"+user+"/"+state, nil), to("/users/"+theirs.bob.Name+"/"+state, nil)), "user_not_found", false, true}
	}
	const message = "/users/{id}/conversations/{conversation}/messages/{seq}"
	for operation, request := range map[string]client.Request{"PATCH " + message: change("", object{"message": "taken over"}), "POST " + message + "/recall": to("/recall", nil),
		"POST " + message + "/reactions": to("/reactions", object{"reaction": "👍"}), "DELETE " + message + "/reactions": del("/reactions?reaction=%F0%9F%91%8D"),
		"PUT " + message + "/pin": put("/pin", nil), "DELETE " + message + "/pin": del("/pin")} {
		at := func(user, conversation string) client.Request {
			filled := request
			filled.Path = "/users/" + user + "/conversations/" + conversation + "/messages/1" + request.Path
			return filled
		}
		rows[operation] = row{list(at(user, conversation), at(user, ours.conversation)), "user_not_found", false, false}
		rows[operation+" of one's own"] = row{list(at(ours.ann.ID, conversation), at(ours.ann.ID, theirs.group)), "conversation_not_found", false, false}
	}
	rows["POST /conversations/{id}/messages/{seq}/recall"] = row{list(to("/conversations/"+conversation+"/messages/1/recall", nil)), "conversation_not_found", false, true}
	for _, which := range []string{"messages/{seq}", "messages/{seq}/reactions", "pins"} {
		path := "/" + strings.ReplaceAll(which, "{seq}", "1")
		rows["GET /conversations/{id}/"+which] = row{list(from("/conversations/"+conversation+path), from("/conversations/"+theirs.group+path)), "conversation_not_found", false, false}
	}
	rows["GET /users/{id}/export"] = row{list(from("/users/" + user + "/export")), "user_not_found", false, false}
	for which, body := range map[string]object{"ack": {"seq": 1}, "read": {"seq": 1}, "delete": {"seqs": []int64{1}}, "clear": {}} {
		path := "/users/{id}/conversations/{conversation}/" + which
		fill := func(user, conversation string) client.Request {
			return to(strings.NewReplacer("{id}", user, "{conversation}", conversation).Replace(path), body)
		}
		rows["POST "+path] = row{list(fill(user, conversation), fill(user, ours.conversation)), "user_not_found", false, false}
		rows["POST "+path+" of one's own"] = row{list(fill(ours.ann.ID, conversation)), "conversation_not_found", false, false}
	}
	return rows
}

// published are the operations of the API's description.
func published(t *testing.T) []string {
	t.Helper()
	var description struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := get(t, app.With(""), "/openapi.json").Into(&description); err != nil {
		t.Fatal(err)
	}
	var all []string
	for path, operations := range description.Paths {
		for method := range operations {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	return all
}

// TestNothingOfOthersIsFound tries every ID of an app with the credentials of another app of the same account and of another
// account, on every route and every action: it is never found, and nothing happens to it.
func TestNothingOfOthersIsFound(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	theirs, sister, stranger := settle(t, all.owner, newApp(t, all.owner)), settle(t, all.owner, newApp(t, all.owner)), settle(t, all.outsider, newApp(t, all.outsider))
	theirs.session = sessionsOf(t, all.owner.session)[0].SessionID
	invited := post(t, all.owner.session, "/account/invitations", object{"email": address("invited"), "role": "auditor"})
	wantStatus(t, invited, http.StatusCreated)
	theirs.invitation = invited.Text("invitation_id")
	known := slices.Collect(maps.Keys(sweep(theirs, sister)))
	for _, operation := range published(t) {
		if !slices.Contains(known, operation) {
			t.Errorf("%s has no row in the sweep", operation)
		}
	}
	phone := dial(t, theirs.token, client.DialOptions{})
	awaitResume(t, phone)
	before := holdings(t, theirs)
	for name, ours := range map[string]belongings{"another app's": sister, "another account's": stranger} {
		wantNoRecords(t, name, theirs, ours) // before anything is asked: a read of what is not there is recorded, too
		for operation, row := range sweep(theirs, ours) {
			wantNotFound(t, operation+" by "+name, row, ours, ours.owner.account == theirs.owner.account)
		}
		wantNoAction(t, name, theirs, ours)
		wantNoBulk(t, name, theirs, ours)
	}
	for operation, row := range sweep(theirs, stranger) { // another account's session does not get into the app either
		want := "app_not_found"
		if row.developers { // what is done in an account does not ask for an app
			want = row.code
		}
		for _, request := range row.requests {
			if answer := do(t, stranger.owner.in(theirs.app), request); answer.Text("code") != want {
				t.Errorf("%s in another account's app: %s, want %s", operation, answer, want)
			}
		}
	}
	if after := holdings(t, theirs); after != before {
		t.Errorf("something has changed:\n%s\n%s", before, after)
	}
	ask(t, phone, object{"action": "ping"})
}

// wantNotFound asks with a session, a key and a user token. What a session of the same account may see of its account is no
// other's.
func wantNotFound(t *testing.T, what string, row row, ours belongings, sameAccount bool) {
	t.Helper()
	for _, request := range row.requests {
		want := map[string]string{"session": row.code, "key": row.code, "token": row.code}
		if row.developers {
			want["key"], want["token"] = "session_needed", "session_needed"
		}
		if row.apps {
			want["token"] = "permission_denied"
		}
		if row.developers && sameAccount {
			delete(want, "session")
		}
		by := map[string]client.Installation{"session": ours.owner.in(ours.app), "key": ours.by, "token": ours.token}
		for credential, code := range want {
			if answer := do(t, by[credential], request); answer.Text("code") != code || answer.Status < 400 {
				t.Errorf("%s %s, %s %v: %s wanted, not %s", what, credential, request.Path, request.Body, code, answer)
			}
		}
	}
}

// wantNoBulk tries the routes whose answer has a result for each of many.
func wantNoBulk(t *testing.T, name string, theirs, ours belongings) {
	t.Helper()
	for path, body := range map[string]object{
		"/grants/bulk":   {"grants": []object{{"subject": theirs.ann.ID, "role": "bot"}, {"subject": theirs.key.KeyID, "role": "bot"}, {"subject": ours.ann.ID, "role": theirs.role}}},
		"/grants/revoke": {"grant_ids": []string{theirs.grant}, "scopes": []object{{"key_id": theirs.key.KeyID, "scopes": scopes}}},
	} {
		for credential, by := range map[string]client.Installation{"session": ours.owner.in(ours.app), "key": ours.by} {
			answer := post(t, by, path, body)
			wantStatus(t, answer, http.StatusOK)
			for i, item := range into[many](t, answer).Items {
				if item.Status != "refused" || item.Error == nil || !strings.HasSuffix(item.Error.Code, "_not_found") {
					t.Errorf("%s by %s %s, number %d: %s", path, name, credential, i, answer)
				}
			}
		}
	}
}

// wantNoRecords looks for IDs of the others in all that tells of grants and records.
func wantNoRecords(t *testing.T, name string, theirs, ours belongings) {
	t.Helper()
	paths := []string{"/records?limit=100", "/records/export", "/records/verify", "/grants?limit=100&ended=true", "/authorizations/review?limit=100", "/roles",
		"/records?subject=" + theirs.key.KeyID, "/records?actor=" + theirs.key.KeyID, "/records?subject=" + theirs.bob.ID, "/grants?subject=" + theirs.bob.ID}
	if ours.owner.account != theirs.owner.account {
		paths = append(paths, "/account/records?limit=100", "/account/records/export", "/account/records?subject="+theirs.app)
	}
	for _, path := range paths {
		answer := get(t, ours.owner.in(ours.app), path)
		wantStatus(t, answer, http.StatusOK)
		for _, id := range []string{theirs.key.KeyID, theirs.ann.ID, theirs.bob.ID, theirs.role, theirs.grant, theirs.app} {
			if strings.Contains(string(answer.Body), id) {
				t.Errorf("%s by %s shows %s: %s", path, name, id, answer)
			}
		}
	}
}

// wantNoAction tries every action of the socket.
func wantNoAction(t *testing.T, name string, theirs, ours belongings) {
	t.Helper()
	socket := dial(t, as(t, ours.by, ours.ann, object{"device": theirs.device}), client.DialOptions{})
	awaitResume(t, socket)
	mark := object{"conversation_id": theirs.conversation, "seq": 1}
	rows := map[string]map[string][]object{
		"send":    {"user_not_found": {{"to": theirs.ann.ID, "message": "x"}, {"to": theirs.bob.Name, "message": "x"}}},
		"typing":  {"user_not_found": {{"to": theirs.ann.ID}, {"to": theirs.bob.Name}}},
		"ack":     {"conversation_not_found": {mark}},
		"read":    {"conversation_not_found": {mark}},
		"edit":    {"conversation_not_found": {with(mark, object{"message": "x"})}},
		"recall":  {"conversation_not_found": {mark}},
		"react":   {"conversation_not_found": {with(mark, object{"reaction": "👍"})}},
		"history": {"conversation_not_found": {{"conversation_id": theirs.conversation}}},
		"delete":  {"conversation_not_found": {{"conversation_id": theirs.conversation, "seqs": []int64{1}}}},
		"clear":   {"conversation_not_found": {mark}},
		"auth":    {"not_yourself": {{"token": theirs.token.APIKey}}},
		"sync":    nil, "ping": nil, "watch": nil, "unwatch": nil, // unknown users are no error: TestPresenceOfAnotherApp
	}
	for _, action := range actions(theirs.bob, theirs.conversation) {
		row, known := rows[action.path]
		if !known {
			t.Errorf("the action %s has no row in the sweep", action.path)
		}
		for code, frames := range row {
			for _, frame := range frames {
				answer, err := socket.Ask(within(t), with(frame, object{"action": action.path}))
				if err != nil {
					t.Fatal(err)
				}
				if answer.Code() != code {
					t.Errorf("%s with %s token, %v: %s wanted, not %s", action.path, name, frame, code, answer.Raw)
				}
			}
		}
	}
	socket.Close()
}

// holdings describes everything that an app and its account have, but when things were used last.
func holdings(t *testing.T, of belongings) string {
	t.Helper()
	var all strings.Builder
	for _, key := range pages[client.Key](t, of.by, "/keys?limit=100") {
		key.LastUsedAt, key.LastUsedFrom = "", ""
		fmt.Fprintln(&all, key)
	}
	for _, path := range []string{"/users?limit=100", "/roles", "/authorizations/defaults", "/grants?limit=100&ended=true", "/users/" + of.ann.ID + "/conversations", "/users/" + of.bob.ID + "/conversations", "/conversations/" + of.conversation + "/messages"} {
		answer := get(t, of.by, path)
		wantStatus(t, answer, http.StatusOK)
		fmt.Fprintf(&all, "%s\n", answer.Body)
	}
	app := get(t, of.owner.session, "/apps/"+of.app)
	wantStatus(t, app, http.StatusOK)
	fmt.Fprintf(&all, "%s\n", app.Body)
	for _, member := range pages[memberRow](t, of.owner.session, "/account/members?limit=100") {
		if member.DeveloperID == of.owner.id {
			fmt.Fprintln(&all, member)
		}
	}
	for what, found := range map[string]bool{
		"session":    slices.ContainsFunc(sessionsOf(t, of.owner.session), func(s sessionRow) bool { return s.SessionID == of.session }),
		"invitation": strings.Contains(string(get(t, of.owner.session, "/account/invitations").Body), of.invitation),
	} {
		if !found {
			t.Errorf("the %s is gone", what)
		}
	}
	return all.String()
}

// TestCursorsOfOthers: a place in a list is good for whoever it was made for.
func TestCursorsOfOthers(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	appID, sister := newApp(t, all.owner), newApp(t, all.owner)
	_, by := keyOf(t, all.owner, appID, nil, scopes...)
	_, sisterBy := keyOf(t, all.owner, sister, nil, scopes...)
	registerBy(t, by, "ann")
	registerBy(t, by, "bob")
	for range 2 {
		grant(t, by, object{"subject": registerBy(t, by, "granted").ID, "role": "moderator"})
	}
	sisters, outsiders := []client.Installation{sisterBy, all.owner.in(sister)}, []client.Installation{all.outsider.session}
	for list, others := range map[string][]client.Installation{"/users": sisters, "/keys": sisters, "/grants": sisters, "/records": sisters, "/authorizations/review": sisters,
		"/apps": outsiders, "/account/members": outsiders, "/account/records": outsiders} {
		ours := by
		if others[0] == outsiders[0] {
			ours = all.owner.session
		}
		keyOf(t, all.owner, appID, nil, "users:list") // so that there are two
		cursor := get(t, ours, list+"?limit=1").Text("next_cursor")
		if cursor == "" {
			t.Fatalf("%s has one page", list)
		}
		for _, other := range others {
			wantRefusal(t, get(t, other, list+"?limit=1&cursor="+cursor), http.StatusBadRequest, "cursor_invalid")
		}
		for _, bad := range []string{"x", cursor + "A", cursor[1:], strings.Repeat("A", 600)} {
			answer := get(t, ours, list+"?limit=1&cursor="+bad)
			if code := answer.Text("code"); code != "cursor_invalid" && !(len(bad) > 512 && code == "field_too_long") {
				t.Errorf("%s with the cursor %.50s: %s", list, bad, answer)
			}
		}
	}
}
