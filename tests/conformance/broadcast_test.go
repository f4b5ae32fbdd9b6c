//go:build conformance

package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// broadcastRow is how far a broadcast has come.
type broadcastRow struct {
	BroadcastID string `json:"broadcast_id"`
	Status      string `json:"status"`
	Code        string `json:"code"`
	From        string `json:"from"`
	Type        string `json:"type"`
	Total       int    `json:"total"`
	Sent        int    `json:"sent"`
	Skipped     int    `json:"skipped"`
	Failed      int    `json:"failed"`
	CreatedAt   string `json:"created_at"`
	FinishedAt  string `json:"finished_at"`
}

// broadcastBy begins a broadcast, under the idempotency key where it is not "".
func broadcastBy(t *testing.T, by client.Installation, key string, body object) client.Answer {
	t.Helper()
	header := map[string]string{}
	if key != "" {
		header["Idempotency-Key"] = key
	}
	return do(t, by, client.Request{Method: http.MethodPost, Path: "/broadcasts", Body: body, Header: header})
}

// awaitBroadcast waits until the broadcast has come so far.
func awaitBroadcast(t *testing.T, by client.Installation, job string, far func(broadcastRow) bool) (found broadcastRow) {
	t.Helper()
	client.WaitFor(t, "the broadcast "+job, 2*limit, func() bool {
		found = into[broadcastRow](t, get(t, by, "/broadcasts/"+job))
		if found.Total != found.Sent+found.Skipped+found.Failed {
			t.Fatalf("the counts of %+v", found)
		}
		return far(found)
	})
	return found
}

func (b broadcastRow) finished() bool { return b.FinishedAt != "" }

// proclaimed sends the text to everybody, and returns the broadcast when it is done.
func proclaimed(t *testing.T, by client.Installation, from person, text string) broadcastRow {
	t.Helper()
	answer := broadcastBy(t, by, "", object{"from": from.ID, "message": text})
	wantStatus(t, answer, http.StatusAccepted)
	return awaitBroadcast(t, by, answer.Text("broadcast_id"), broadcastRow.finished)
}

// listeners are an app with a sender and others. It is no app of others' tests: they would get what is sent here.
type listeners struct {
	owner  developer
	app    string
	by     client.Installation
	sender person
	others []person
}

func newListeners(t *testing.T, owner developer, others int) listeners {
	t.Helper()
	a := listeners{owner: owner, app: newApp(t, owner)}
	_, a.by = keyOf(t, a.owner, a.app, nil, scopes...)
	a.sender = registerBy(t, a.by, "sender")
	for range others {
		a.others = append(a.others, registerBy(t, a.by, "listener"))
	}
	return a
}

// crowded imports users into the app, which nobody looks at one by one.
func (a listeners) crowded(t *testing.T, many int) listeners {
	t.Helper()
	users := make([]object, many)
	for i := range users {
		users[i] = object{"username": fmt.Sprintf("crowd%04d", i)}
	}
	begun := post(t, a.by, "/users/import", object{"users": users})
	wantStatus(t, begun, http.StatusAccepted)
	client.WaitFor(t, "the crowd", 2*limit, func() bool {
		return get(t, a.by, "/users/import/"+begun.Text("import_id")+"/rows?limit=1").Text("status") == "done"
	})
	return a
}

// wantHas checks what the user has of the broadcast.
func (a listeners) wantHas(t *testing.T, who person, job string, times int, message string) {
	t.Helper()
	has := 0
	for _, m := range pages[client.Message](t, a.by, "/users/"+who.ID+"/messages?limit=100") {
		if m.ClientID == job && m.From == a.sender.ID && m.To == who.ID && m.Message == message {
			has++
		}
	}
	if has != times {
		t.Errorf("%s has the broadcast %d times, want %d", who.Name, has, times)
	}
}

func TestABroadcast(t *testing.T) {
	t.Parallel()
	a := newListeners(t, sharedTeam(t).owner, 8)
	blocking, inactive, deleted, rest := a.others[0], a.others[1], a.others[2], a.others[3:]
	wantStatus(t, do(t, a.by, client.Request{Method: http.MethodPut, Path: "/users/" + blocking.ID + "/blocks/" + a.sender.ID}), http.StatusNoContent)
	wantStatus(t, post(t, a.by, "/users/"+inactive.ID+"/deactivate", nil), http.StatusOK)
	wantStatus(t, remove(t, a.by, "/users/"+deleted.ID), http.StatusAccepted)
	phone, own := dial(t, as(t, a.by, rest[0], nil), client.DialOptions{}), dial(t, as(t, a.by, a.sender, nil), client.DialOptions{})
	awaitResume(t, phone)
	awaitResume(t, own)
	text, key := unique("to all"), unique("broadcast")
	begun := broadcastBy(t, a.by, key, object{"from": a.sender.Name, "message": text})
	wantStatus(t, begun, http.StatusAccepted)
	job := begun.Text("broadcast_id")
	if begun.Text("from") != a.sender.ID || begun.Text("type") != "text" || begun.Text("status") != "running" {
		t.Errorf("begun: %s", begun)
	}
	for range 3 {
		again := broadcastBy(t, a.by, key, object{"from": a.sender.ID, "message": text})
		if wantStatus(t, again, http.StatusAccepted); again.Text("broadcast_id") != job {
			t.Errorf("again: %s", again)
		}
	}
	for _, other := range []object{{"from": a.sender.ID, "message": "another"}, {"from": rest[0].ID, "message": text}} {
		wantRefusal(t, broadcastBy(t, a.by, key, other), http.StatusConflict, "idempotency_conflict")
	}
	done := awaitBroadcast(t, a.by, job, broadcastRow.finished)
	// The deleted user may have left the directory.
	if done.Status != "done" || done.Sent != len(rest) || done.Skipped < 3 || done.Skipped > 4 || done.Failed != 0 || done.Code != "" {
		t.Errorf("done: %+v", done)
	}
	for _, who := range rest {
		a.wantHas(t, who, job, 1, text)
	}
	a.wantHas(t, blocking, job, 0, text)
	if talks := pages[client.Conversation](t, a.by, "/users/"+a.sender.ID+"/conversations?limit=100"); len(talks) != len(rest) {
		t.Errorf("the sender's conversations: %+v", talks)
	}
	awaitEvent(t, phone, 0, func(f client.Frame) bool { return strings.Contains(string(f.Raw), text) })
	ask(t, own, object{"action": "ping"})
	for _, event := range own.Events(0) {
		if event.Event != "messages" || len(event.Items) > 0 { // the resume's window is empty, and may come twice
			t.Errorf("the sender's device was told %s", event.Raw)
		}
	}
	if changes := ask(t, own, object{"action": "sync", "v": 0}); !strings.Contains(string(changes.Raw), `"full":true`) {
		t.Errorf("the sender's sync: %s", changes.Raw)
	}
	if stopped := into[broadcastRow](t, post(t, a.by, "/broadcasts/"+job+"/cancel", nil)); stopped != done {
		t.Errorf("cancelled when it was done: %+v, before %+v", stopped, done)
	}
}

// What messages can be, broadcasts can be; they are listed, the latest first.
func TestBroadcastsOfAllTypes(t *testing.T) {
	t.Parallel()
	a := newListeners(t, sharedTeam(t).owner, 2)
	content := drawn(t, 8, 8)
	picture := declare(t, a.by, declaration(a.sender, "image", "image/png", content))
	if status, body, _ := follow(t, picture.Upload, content); status != http.StatusOK {
		t.Fatalf("the upload: %d %s", status, body)
	}
	settledBy(t, a.by, picture.MediaID)
	var jobs []string
	for _, body := range []object{{"type": "image", "media_id": picture.MediaID, "message": "a picture"}, {"type": "location", "location": object{"lat": 48.8584, "lon": 2.2945}},
		{"type": "custom", "custom": object{"offer": 7}}, {"message": "plain"}} {
		begun := broadcastBy(t, a.by, "", with(body, object{"from": a.sender.ID}))
		wantStatus(t, begun, http.StatusAccepted)
		job := begun.Text("broadcast_id")
		jobs = append([]string{job}, jobs...)
		if done := awaitBroadcast(t, a.by, job, broadcastRow.finished); done.Sent != 2 || done.Skipped != 1 {
			t.Errorf("%v: %+v", body, done)
		}
		text, _ := body["message"].(string)
		for _, who := range a.others {
			a.wantHas(t, who, job, 1, text)
		}
	}
	for _, size := range []string{"1", "3", "100"} {
		var listed []string
		for _, each := range pages[broadcastRow](t, a.by, "/broadcasts?limit="+size) {
			listed = append(listed, each.BroadcastID)
		}
		if !slices.Equal(listed, jobs) {
			t.Errorf("listed by %s: %v, want %v", size, listed, jobs)
		}
	}
	wantRefusal(t, get(t, a.by, "/broadcasts?cursor=x"), http.StatusBadRequest, "cursor_invalid")
	wantRefusal(t, get(t, app, "/broadcasts/"+jobs[0]), http.StatusNotFound, "broadcast_not_found")
}

// A broadcast stops when it is told to, and when its sender is no more. Few are unfinished at a time.
func TestBroadcastsThatEndEarly(t *testing.T) {
	t.Parallel()
	many := 1000
	if testing.Short() {
		many = 120 // the emulator would have nothing left for the other tests for minutes
	}
	a := newListeners(t, sharedTeam(t).owner, 0).crowded(t, many)
	var jobs []string
	for range 3 {
		begun := broadcastBy(t, a.by, "", object{"from": a.sender.ID, "message": "hello"})
		wantStatus(t, begun, http.StatusAccepted)
		jobs = append(jobs, begun.Text("broadcast_id"))
	}
	refused := broadcastBy(t, a.by, "", object{"from": a.sender.ID, "message": "one too many"})
	wantRefusal(t, refused, http.StatusTooManyRequests, "broadcasts_too_many")
	if seconds, err := strconv.Atoi(refused.Header.Get("Retry-After")); err != nil || seconds < 1 {
		t.Errorf("Retry-After %q", refused.Header.Get("Retry-After"))
	}
	for _, job := range jobs[:2] {
		stopped := into[broadcastRow](t, post(t, a.by, "/broadcasts/"+job+"/cancel", nil))
		if stopped.Status != "cancelling" && stopped.Status != "cancelled" {
			t.Errorf("told to stop: %+v", stopped)
		}
	}
	for _, job := range jobs[:2] {
		if ended := awaitBroadcast(t, a.by, job, broadcastRow.finished); ended.Status != "cancelled" || ended.Sent > many*7/10 {
			t.Errorf("cancelled: %+v", ended)
		}
	}
	client.WaitFor(t, "a free place", limit, func() bool {
		begun := broadcastBy(t, a.by, "", object{"from": a.sender.ID, "message": "after two have ended"})
		if begun.Status == http.StatusAccepted {
			jobs = append(jobs, begun.Text("broadcast_id"))
		}
		return begun.Status == http.StatusAccepted
	})
	wantStatus(t, post(t, a.by, "/users/"+a.sender.ID+"/deactivate", nil), http.StatusOK)
	for _, job := range jobs[2:] {
		ended := awaitBroadcast(t, a.by, job, broadcastRow.finished)
		if ended.Status != "failed" || ended.Code != "user_deactivated" || ended.Sent > many*8/10 {
			t.Errorf("without a sender: %+v", ended)
		}
	}
	wantRefusal(t, broadcastBy(t, a.by, "", object{"from": a.sender.ID, "message": "x"}), http.StatusForbidden, "user_deactivated")
}

// Requests at once under one key begin one broadcast, and everybody has it once.
func TestOneBroadcastInACrowd(t *testing.T) {
	t.Parallel()
	a := newListeners(t, sharedTeam(t).owner, 3)
	text, key := unique("at once"), unique("broadcast")
	var mutex sync.Mutex
	jobs := map[string]bool{}
	for _, answer := range together(crowd(), func(int) client.Answer {
		return broadcastBy(t, a.by, key, object{"from": a.sender.ID, "message": text})
	}) {
		mutex.Lock()
		if wantStatus(t, answer, http.StatusAccepted); answer.Status == http.StatusAccepted {
			jobs[answer.Text("broadcast_id")] = true
		}
		mutex.Unlock()
	}
	if len(jobs) != 1 {
		t.Fatalf("there are %v", jobs)
	}
	for job := range jobs {
		if done := awaitBroadcast(t, a.by, job, broadcastRow.finished); done.Status != "done" || done.Sent != 3 || done.Total != 4 {
			t.Errorf("done: %+v", done)
		}
		for _, who := range a.others {
			a.wantHas(t, who, job, 1, text)
		}
	}
}

func TestWhoMayBroadcast(t *testing.T) {
	t.Parallel()
	a := newListeners(t, sharedTeam(t).owner, 1)
	self := as(t, a.by, a.sender, nil)
	wantRefusal(t, broadcastBy(t, self, "", object{"message": "x"}), http.StatusForbidden, "permission_denied")
	grant(t, a.by, object{"subject": a.sender.ID, "permissions": []string{"broadcasts:manage"}})
	wantRefusal(t, broadcastBy(t, self, "", object{"from": a.others[0].ID, "message": "x"}), http.StatusForbidden, "not_yourself")
	text := unique("from a user")
	begun := broadcastBy(t, self, "", object{"message": text})
	wantStatus(t, begun, http.StatusAccepted)
	job := begun.Text("broadcast_id")
	if done := awaitBroadcast(t, self, job, broadcastRow.finished); done.Status != "done" || done.From != a.sender.ID {
		t.Errorf("done: %+v", done)
	}
	a.wantHas(t, a.others[0], job, 1, text)
	_, lesser := keyOf(t, a.owner, a.app, nil, "tokens:manage", "messages:send")
	wantRefusal(t, broadcastBy(t, as(t, lesser, a.sender, nil), "", object{"message": "x"}), http.StatusForbidden, "permission_denied")
	wantStatus(t, broadcastBy(t, a.owner.in(a.app), "", object{"from": a.sender.ID, "message": "by the owner"}), http.StatusAccepted)
}

func TestBadBroadcastsAreRefused(t *testing.T) {
	t.Parallel()
	a := newListeners(t, sharedTeam(t).owner, 1)
	for _, bad := range []struct {
		body   object
		status int
		code   string
	}{
		{object{"message": "x"}, 422, "field_missing"}, {object{"from": a.sender.ID}, 422, "field_missing"}, {object{"from": "nobody" + mark, "message": "x"}, 404, "user_not_found"},
		{object{"from": a.sender.ID, "message": ""}, 422, "message_empty"}, {object{"from": a.sender.ID, "message": strings.Repeat("x", 4097)}, 413, "message_too_large"},
		{object{"from": a.sender.ID, "type": "song", "message": "x"}, 422, "field_invalid"}, {object{"from": a.sender.ID, "type": "event", "message": "x"}, 422, "field_invalid"},
		{object{"from": a.sender.ID, "type": "location"}, 422, "field_missing"}, {object{"from": a.sender.ID, "message": "x", "custom": object{}}, 422, "field_invalid"},
		{object{"from": a.sender.ID, "type": "image", "media_id": "media_0000000000000000000000"}, 404, "media_not_found"},
		{object{"from": a.sender.ID, "message": "x", "to": a.others[0].ID}, 422, "field_unknown"}, {object{"from": a.sender.ID, "message": "x", "client_id": "c"}, 422, "field_unknown"},
	} {
		wantRefusal(t, broadcastBy(t, a.by, "", bad.body), bad.status, bad.code)
	}
	for _, path := range []string{"/broadcasts/x", "/broadcasts/broadcast_0000000000000000000000"} {
		wantRefusal(t, get(t, a.by, path), http.StatusNotFound, "broadcast_not_found")
		wantRefusal(t, post(t, a.by, path+"/cancel", nil), http.StatusNotFound, "broadcast_not_found")
	}
	if listed := pages[broadcastRow](t, a.by, "/broadcasts?limit=100"); len(listed) > 0 {
		t.Errorf("there are %+v", listed)
	}
}
