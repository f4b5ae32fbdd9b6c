//go:build conformance

package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// tenant is an app as the routes of apps show it.
type tenant struct {
	AppID     string   `json:"app_id"`
	Name      string   `json:"name"`
	Origins   []string `json:"allowed_origins"`
	CreatedAt string   `json:"created_at"`
	DeletedAt string   `json:"deleted_at"`
	EraseAt   string   `json:"erase_at"`
}

func showApp(t *testing.T, by developer, id string) tenant {
	t.Helper()
	answer := get(t, by.session, "/apps/"+id)
	wantStatus(t, answer, http.StatusOK)
	var shown tenant
	if err := answer.Into(&shown); err != nil {
		t.Fatal(err)
	}
	return shown
}

func TestApps(t *testing.T) {
	t.Parallel()
	owner := newDeveloper(t, "owner")
	request := client.Request{Path: "/apps", Body: object{"name": "Chat", "allowed_origins": []string{"https://chat.example.com"}},
		Header: map[string]string{"Idempotency-Key": unique("app")}}
	answers := together(10, func(int) client.Answer { return do(t, owner.session, request) })
	for _, answer := range answers {
		if answer.Status != http.StatusCreated || string(answer.Body) != string(answers[0].Body) {
			t.Errorf("%s, but %s", answers[0], answer)
		}
	}
	request.Body = object{"name": "Talk"}
	wantRefusal(t, do(t, owner.session, request), http.StatusConflict, "idempotency_conflict")
	first := answers[0].Text("app_id")
	elsewhere := do(t, sharedTeam(t).outsider.session, request) // an account's keys are its own
	wantStatus(t, elsewhere, http.StatusCreated)
	second := newApp(t, owner)
	if listed := pages[tenant](t, owner.session, "/apps?limit=1"); len(listed) != 2 || !slices.ContainsFunc(listed, func(a tenant) bool { return a.AppID == second }) {
		t.Errorf("apps %+v", listed)
	}
	renamed := patch(t, owner.session, "/apps/"+first, object{"name": "Talk"})
	wantStatus(t, renamed, http.StatusOK)
	if shown := showApp(t, owner, first); shown.Name != "Talk" || len(shown.Origins) != 1 || shown.DeletedAt != "" {
		t.Errorf("%+v", shown)
	}
	wantStatus(t, patch(t, owner.session, "/apps/"+first, object{}), http.StatusOK)
	for _, id := range []string{sharedTeam(t).foreign, "app_0000000000000000", "app", "x", first + "0"} {
		wantRefusal(t, get(t, owner.session, "/apps/"+id), http.StatusNotFound, "app_not_found")
		wantRefusal(t, patch(t, owner.session, "/apps/"+id, object{"name": "x"}), http.StatusNotFound, "app_not_found")
		wantRefusal(t, remove(t, owner.session, "/apps/"+id), http.StatusNotFound, "app_not_found")
		wantRefusal(t, post(t, owner.session, "/apps/"+id+"/restore", nil), http.StatusNotFound, "app_not_found")
	}
	wantRefusal(t, post(t, owner.session, "/apps/"+first+"/restore", nil), http.StatusConflict, "app_not_deleted")
	for _, name := range []string{" ", "a\nb", "a\u202eb"} {
		wantField(t, wantRefusal(t, patch(t, owner.session, "/apps/"+first, object{"name": name}), 422, "field_invalid"), "name", "field_invalid")
	}
}

// TestTooManyApps: an account has a hundred apps at most.
func TestTooManyApps(t *testing.T) {
	t.Parallel()
	if !onRunner {
		t.Skip("a hundred apps are for the laptop")
	}
	owner := newDeveloper(t, "owner")
	made := together(105, func(n int) client.Answer {
		return post(t, owner.session, "/apps", object{"name": fmt.Sprint("app ", n)})
	})
	created := 0
	for _, answer := range made {
		if answer.Status == http.StatusCreated {
			created++
		}
	}
	for ; created < 100; created++ { // those that lost a race were told to try again
		wantStatus(t, post(t, owner.session, "/apps", object{"name": "one more"}), http.StatusCreated)
	}
	wantRefusal(t, post(t, owner.session, "/apps", object{"name": "one too many"}), http.StatusConflict, "too_many")
	if created != 100 {
		t.Errorf("%d apps", created)
	}
}

func TestOriginsOfAnApp(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	id := newApp(t, all.owner)
	for _, origin := range []string{"chat.example.com", "https://", "https://chat.example.com/", "https://chat.example.com/x", "http://chat.example.com", "https://*.example.com", "*", "null",
		"https://user@chat.example.com", "https://chat.example.com?x", "javascript://x", "https://chat.example.com:0", "https://chat.example.com:65536", "https://exämple.com"} {
		refused := wantRefusal(t, patch(t, all.owner.session, "/apps/"+id, object{"allowed_origins": []string{"https://ok.example.com", origin}}), 422, "origin_invalid")
		wantField(t, refused, "allowed_origins[1]", "origin_invalid")
	}
	_, by := keyOf(t, all.owner, id, nil, "users:register", "tokens:manage")
	token := as(t, by, registerBy(t, by, "ann"), nil)
	const page, another = "https://chat.example.com", "https://evil.example"
	wantPage(t, token, page, false)
	wantStatus(t, patch(t, all.owner.session, "/apps/"+id, object{"allowed_origins": []string{"HTTPS://Chat.Example.com:443", "http://localhost:*"}}), http.StatusOK)
	if shown := showApp(t, all.owner, id); !slices.Equal(shown.Origins, []string{page, "http://localhost:*"}) {
		t.Errorf("%+v", shown)
	}
	wantPage(t, token, page, true)
	wantPage(t, token, "http://localhost:5173", true)
	for _, origin := range []string{another, "http://chat.example.com", page + ":8443", page + ".evil.example", "https://evilchat.example.com", "null", "http://localhost.evil.example:1"} {
		wantPage(t, token, origin, false)
	}
	wantStatus(t, patch(t, all.owner.session, "/apps/"+id, object{"allowed_origins": []string{}}), http.StatusOK)
	wantPage(t, token, page, false)
	dial(t, token, client.DialOptions{}).Close() // a program names no origin
}

// wantPage checks whether a page of the origin gets a socket. What an app allows is remembered for a short time.
func wantPage(t *testing.T, token client.Installation, origin string, allowed bool) {
	t.Helper()
	status := 0
	tried := func() bool {
		socket, answered, err := token.Dial(within(t), client.DialOptions{Header: map[string]string{"Origin": origin}})
		if status = answered; err == nil {
			socket.Drop()
		}
		return (err == nil) == allowed
	}
	client.WaitFor(t, fmt.Sprintf("%s to be allowed: %v", origin, allowed), limit, tried)
	if !allowed && status != http.StatusForbidden && status != http.StatusUnauthorized {
		t.Errorf("%s is refused with %d", origin, status)
	}
}

func TestDeletingAndRestoringAnApp(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	id, other := newApp(t, all.owner), newApp(t, all.owner)
	key, by := keyOf(t, all.owner, id, nil, "users:register", "tokens:manage", "users:list", "keys:manage")
	revoked, revokedBy := keyOf(t, all.owner, id, nil, "users:list")
	wantStatus(t, remove(t, all.owner.in(id), "/keys/"+revoked.KeyID), http.StatusOK)
	_, otherBy := keyOf(t, all.owner, other, nil, "users:register", "tokens:manage", "users:list")
	token, otherToken := as(t, by, registerBy(t, by, "ann"), nil), as(t, otherBy, registerBy(t, otherBy, "ann"), nil)
	socket, stays := dial(t, token, client.DialOptions{}), dial(t, otherToken, client.DialOptions{})
	awaitResume(t, socket)
	awaitResume(t, stays)

	deleted := remove(t, all.admin.session, "/apps/"+id)
	wantStatus(t, deleted, http.StatusOK)
	wantCut(t, []*client.Socket{socket})
	wantRefusal(t, get(t, by, "/users"), http.StatusForbidden, "app_deleted")
	wantRefusal(t, post(t, by, "/register", object{"username": "late"}), http.StatusForbidden, "app_deleted")
	if answer := get(t, token, "/users"); answer.Status < 400 {
		t.Errorf("a token of the deleted app: %s", answer)
	}
	wantNoEntry(t, token, client.DialOptions{})
	wantRefusal(t, get(t, revokedBy, "/users"), http.StatusUnauthorized, "api_key_revoked")
	ask(t, stays, object{"action": "ping"})
	wantStatus(t, get(t, otherBy, "/users"), http.StatusOK)
	wantRefusal(t, patch(t, all.owner.session, "/apps/"+id, object{"name": "x"}), http.StatusForbidden, "app_deleted")
	for _, body := range []object{{"name": "x", "scopes": []string{"users:list"}}} {
		if answer := post(t, all.owner.in(id), "/keys", body); answer.Text("code") != "app_deleted" && answer.Text("code") != "app_not_found" {
			t.Errorf("a new key for a deleted app: %s", answer)
		}
	}
	wantRefusal(t, post(t, all.owner.in(id), "/keys/"+key.KeyID+"/rotate", object{}), http.StatusForbidden, "app_deleted")
	awaitMail(t, all.owner.email, "was deleted", deleted.Text("name"))
	awaitMail(t, all.admin.email, "was deleted", deleted.Text("name"))
	if again := remove(t, all.owner.session, "/apps/"+id); again.Status != http.StatusOK || again.Text("erase_at") != deleted.Text("erase_at") || again.Text("erase_at") == "" {
		t.Errorf("%s, then %s", deleted, again)
	}

	wantStatus(t, post(t, all.admin.session, "/apps/"+id+"/restore", nil), http.StatusOK)
	wantStatus(t, get(t, by, "/users"), http.StatusOK)
	wantRefusal(t, get(t, revokedBy, "/users"), http.StatusUnauthorized, "api_key_revoked")
	socket = dial(t, token, client.DialOptions{})
	awaitResume(t, socket)
	wantRefusal(t, post(t, all.owner.session, "/apps/"+id+"/restore", nil), http.StatusConflict, "app_not_deleted")
	if shown := showApp(t, all.owner, id); shown.DeletedAt != "" || shown.EraseAt != "" {
		t.Errorf("%+v", shown)
	}
}

// runSchedule has the laptop runner set a function's schedule off as if it were that time, or skips the test elsewhere.
func runSchedule(t *testing.T, function string, at time.Time) {
	t.Helper()
	if !onRunner {
		t.Skip("only the laptop runner's schedules can be set off")
	}
	body, err := json.Marshal(object{"time": at.UTC().Format(time.RFC3339)})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(os.Getenv("TOKENIM_LOCAL")+"/schedules/"+function, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK { // the text is for the message only
		t.Fatalf("%s at %s: %d %s", function, at, answer.StatusCode, text)
	}
}

const day = 24 * time.Hour

// TestErasingAnApp has the grace period pass.
func TestErasingAnApp(t *testing.T) {
	if !onRunner {
		t.Skip("nobody waits for a week")
	}
	owner := newDeveloper(t, "owner")
	id, other := newApp(t, owner), newApp(t, owner)
	scopes := []string{"users:register", "users:list", "messages:send", "messages:read", "groups:create", "groups:send", "groups:read", "media:upload", "media:read"}
	_, by := keyOf(t, owner, id, nil, scopes...)
	_, otherBy := keyOf(t, owner, other, nil, scopes...)
	conversations, groups, pictures := map[string]string{}, map[string]string{}, map[string]signed{}
	for app, by := range map[string]client.Installation{id: by, other: otherBy} {
		ann, bob := registerBy(t, by, "ann"), registerBy(t, by, "bob")
		sent := post(t, by, "/send", object{"from": ann.ID, "to": bob.ID, "message": "to be erased, or not"})
		wantStatus(t, sent, http.StatusOK)
		conversations[app] = sent.Text("conversation_id")
		wantStatus(t, post(t, owner.in(app), "/grants", object{"subject": ann.ID, "permissions": []string{"users:read"}}), http.StatusCreated)
		made := post(t, by, "/groups", object{"name": "both", "owner": ann.ID, "members": []string{bob.ID}})
		wantStatus(t, made, http.StatusCreated)
		wantStatus(t, post(t, by, "/send", object{"from": bob.ID, "to": made.Text("group_id"), "message": "to be erased, or not"}), http.StatusOK)
		groups[app] = made.Text("group_id")
		pictures[app] = shows(t, by, ann, bob)
	}
	wantStatus(t, remove(t, owner.session, "/apps/"+id), http.StatusOK)
	for _, wait := range []time.Duration{2 * time.Minute, 6 * day} {
		runSchedule(t, "TasksFunction", time.Now().Add(wait))
	}
	wantRefusal(t, get(t, by, "/users"), http.StatusForbidden, "app_deleted") // not yet
	showApp(t, owner, id)

	at, erased := time.Now().Add(8*day), []string{"was erased"}
	client.WaitFor(t, "the app to be erased", 2*limit, func() bool {
		runSchedule(t, "TasksFunction", at)
		at = at.Add(2 * time.Hour) // what is unfinished is due again later
		return slices.ContainsFunc(inbox(t, owner.email), func(mail letter) bool { return hasAll(mail.Subject, erased) })
	})
	wantRefusal(t, get(t, by, "/users"), http.StatusUnauthorized, "api_key_unknown")
	wantRefusal(t, get(t, owner.session, "/apps/"+id), http.StatusNotFound, "app_not_found")
	wantRefusal(t, post(t, owner.session, "/apps/"+id+"/restore", nil), http.StatusNotFound, "app_not_found")
	wantRefusal(t, get(t, owner.in(id), "/keys"), http.StatusNotFound, "app_not_found")
	if listed := pages[tenant](t, owner.session, "/apps?limit=10"); len(listed) != 1 || listed[0].AppID != other {
		t.Errorf("apps %+v", listed)
	}
	wantStatus(t, get(t, otherBy, "/groups/"+groups[other]), http.StatusOK)
	read := get(t, otherBy, "/conversations/"+conversations[other]+"/messages")
	wantStatus(t, read, http.StatusOK)
	pictures[other].read(t)
	if status, _, _ := follow(t, pictures[id], nil); status < 400 {
		t.Errorf("the erased app's picture: %d", status)
	}
	if kept := pages[object](t, owner.in(other), "/grants?limit=10"); len(kept) != 1 {
		t.Errorf("the other app's grants: %+v", kept)
	}
	if users := pages[client.Profile](t, otherBy, "/users?limit=10"); len(users) != 2 || !bytes.Contains(read.Body, []byte("to be erased, or not")) {
		t.Errorf("the other app has %+v and %s", users, read)
	}
}

// TestWarningsOfKeys: the owners of an app hear of a key that ends soon, and of one that is used although it was replaced.
func TestWarningsOfKeys(t *testing.T) {
	if !onRunner {
		t.Skip("nobody waits for a week")
	}
	owner := newDeveloper(t, "owner")
	id := newApp(t, owner)
	lasting, _ := keyOf(t, owner, id, object{"expires_at": time.Now().Add(60 * day).UTC().Format(time.RFC3339)}, "users:list")
	ending, _ := keyOf(t, owner, id, object{"expires_at": time.Now().Add(8 * day).UTC().Format(time.RFC3339)}, "users:list")
	replaced, by := keyOf(t, owner, id, nil, "users:list")
	silent, _ := keyOf(t, owner, id, nil, "users:list")
	for _, key := range []client.Key{replaced, silent} {
		rotate(t, owner.in(id), key.KeyID, object{"overlap_seconds": 30 * 86400})
	}
	wantStatus(t, get(t, by, "/users"), http.StatusOK) // its first use, after the rotation
	runSchedule(t, "TasksFunction", time.Now().Add(2*time.Hour))
	awaitMail(t, owner.email, "still in use", replaced.KeyID)
	runSchedule(t, "TasksFunction", time.Now().Add(1*day+2*time.Hour))
	awaitMail(t, owner.email, "expires", ending.KeyID)
	for _, mail := range inbox(t, owner.email) {
		for _, quiet := range []client.Key{lasting, silent} {
			if hasAll(mail.Text, []string{quiet.KeyID}) {
				t.Errorf("a needless mail: %s", mail.Subject)
			}
		}
	}
}
