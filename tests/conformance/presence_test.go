//go:build conformance

package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// lease is the longest that a user is told to be online without having been heard.
const lease = 20 * time.Minute

// presenceRow is what is told of one user.
type presenceRow struct {
	UserID      string   `json:"user_id"`
	Status      string   `json:"status"`
	LastSeen    string   `json:"last_seen"`
	Until       string   `json:"until"`
	Devices     int      `json:"devices"`
	DeviceNames []string `json:"device_names"`
	Hidden      bool     `json:"hidden"`
}

// seen is the presence of a user as the caller is told it.
func seen(t *testing.T, by client.Installation, user person) presenceRow {
	t.Helper()
	answer := get(t, by, "/presence/"+user.ID)
	wantStatus(t, answer, http.StatusOK)
	return into[presenceRow](t, answer)
}

// queried is the presence of users, in the order asked.
func queried(t *testing.T, by client.Installation, users ...string) []presenceRow {
	t.Helper()
	answer := post(t, by, "/presence/query", object{"users": users})
	wantStatus(t, answer, http.StatusOK)
	return into[struct{ Items []presenceRow }](t, answer).Items
}

// watch begins to watch users and returns the answer.
func watch(t *testing.T, socket *client.Socket, users ...person) []presenceRow {
	t.Helper()
	var ids []string
	for _, user := range users {
		ids = append(ids, user.ID)
	}
	answer := ask(t, socket, object{"action": "watch", "users": ids})
	var found struct{ Items []presenceRow }
	if err := json.Unmarshal(answer.Raw, &found); err != nil || len(found.Items) != len(users) {
		t.Fatalf("watch: %s, %v", answer.Raw, err)
	}
	return found.Items
}

// changes are the statuses of the user that the socket was told, in order. One that comes again says nothing new: a job may be
// done twice.
func changes(t *testing.T, socket *client.Socket, user person) (statuses []string) {
	t.Helper()
	for _, event := range socket.Events(0) {
		var row presenceRow
		if err := json.Unmarshal(event.Raw, &row); err == nil && event.Event == "presence" && row.UserID == user.ID {
			statuses = append(statuses, row.Status)
		}
	}
	return slices.Compact(statuses)
}

// awaitChange waits for an event after which the user has had these statuses.
func awaitChange(t *testing.T, socket *client.Socket, user person, statuses ...string) presenceRow {
	t.Helper()
	event := awaitEvent(t, socket, 0, func(f client.Frame) bool {
		return f.Event == "presence" && slices.Equal(changes(t, socket, user), statuses)
	})
	var last presenceRow
	for _, event = range socket.Events(0) {
		var row presenceRow
		if json.Unmarshal(event.Raw, &row) == nil && row.UserID == user.ID {
			last = row
		}
	}
	return last
}

func wantSeen(t *testing.T, what string, got presenceRow, status string, devices int, names ...string) {
	t.Helper()
	until, _ := time.Parse(time.RFC3339, got.Until)
	ahead := time.Until(until)
	if got.Status != status || got.Devices != devices || !slices.Equal(got.DeviceNames, names) ||
		(status == "online") != (ahead > lease/2 && ahead < lease+time.Minute) || (status == "online") != (got.Until != "") {
		t.Errorf("%s: %+v; want %s on %d devices, %v", what, got, status, devices, names)
	}
}

// offline waits until an application is told that the user is offline: $disconnect comes in its own time.
func offline(t *testing.T, user person) presenceRow {
	t.Helper()
	client.WaitFor(t, user.Name+" to be offline", limit, func() bool { return seen(t, app, user).Status == "offline" })
	return seen(t, app, user)
}

func TestPresenceOfAUser(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	asAnn, asBob := as(t, app, ann, nil), as(t, app, bob, nil)
	if never := seen(t, app, ann); never.Status != "offline" || never.LastSeen != "" || never.UserID != ann.ID {
		t.Errorf("never there: %+v", never)
	}
	phone, nameless := online(t, ann, object{"device": "phone"}), online(t, ann, nil)
	wantSeen(t, "to others", seen(t, asBob, ann), "online", 2)
	wantSeen(t, "to itself", seen(t, asAnn, ann), "online", 2, "phone")
	wantSeen(t, "to an application", seen(t, app, ann), "online", 2, "phone")
	byName := get(t, asBob, "/presence/"+ann.Name)
	wantStatus(t, byName, http.StatusOK)
	if byName.Text("user_id") != ann.ID {
		t.Errorf("by name: %s", byName)
	}
	nameless.Close()
	client.WaitFor(t, "one device to be left", limit, func() bool { return seen(t, app, ann).Devices == 1 })
	phone.Close()
	gone := offline(t, ann)
	last, err := time.Parse(time.RFC3339, gone.LastSeen)
	if since := time.Since(last); err != nil || since < -time.Minute || since > time.Minute || gone.Until != "" || gone.DeviceNames != nil {
		t.Errorf("gone: %+v", gone)
	}
	for _, nobody := range []string{"nobody" + mark, "u_0000000000000000000000"} {
		wantRefusal(t, get(t, app, "/presence/"+nobody), http.StatusNotFound, "user_not_found")
	}
}

func TestPresenceOfAThousand(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	online(t, ann, nil)
	stranger := registerBy(t, otherApp(t), "stranger")
	users := []string{bob.ID, "nobody", "", stranger.ID, ann.ID, ann.ID}
	want := []string{"offline", "unknown", "unknown", "unknown", "online", "online"}
	for n := len(users); n < 999; n++ {
		users, want = append(users, fmt.Sprintf("u_%022d", n)), append(want, "unknown")
	}
	users, want = append(users, ann.ID), append(want, "online")
	for _, by := range []client.Installation{app, as(t, app, bob, nil)} {
		rows := queried(t, by, users...)
		if len(rows) != len(users) {
			t.Fatalf("asked about %d, told of %d", len(users), len(rows))
		}
		for i, row := range rows {
			if row.UserID != users[i] || row.Status != want[i] {
				t.Fatalf("number %d, %q: %+v, want %s", i, users[i], row, want[i])
			}
		}
	}
	for code, bad := range map[string][]string{"field_too_long": append(users, ann.ID), "field_too_short": {}} {
		wantField(t, wantRefusal(t, post(t, app, "/presence/query", object{"users": bad}), http.StatusUnprocessableEntity, code), "users", code)
	}
}

// otherApp is another app with a key of every scope.
func otherApp(t *testing.T) client.Installation {
	t.Helper()
	outsider := sharedTeam(t).outsider
	_, by := keyOf(t, outsider, newApp(t, outsider), nil, scopes...)
	return by
}

func TestWatching(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	annPhone, annLaptop := online(t, ann, object{"device": "phone"}), online(t, ann, object{"device": "laptop"})
	bobPhone, bobLaptop := online(t, bob, object{"device": "phone"}), online(t, bob, object{"device": "laptop"})
	wantSeen(t, "watch", watch(t, annPhone, bob)[0], "online", 2)
	watch(t, bobPhone, ann)
	bobPhone.Close()
	bobLaptop.Close()
	for _, device := range []*client.Socket{annPhone, annLaptop} {
		if row := awaitChange(t, device, bob, "offline"); row.LastSeen == "" || row.Until != "" {
			t.Errorf("the event: %+v", row)
		}
	}
	again := online(t, bob, object{"device": "phone"})
	for _, device := range []*client.Socket{annPhone, annLaptop} {
		wantSeen(t, "the event", awaitChange(t, device, bob, "offline", "online"), "online", 1)
	}
	if told := changes(t, again, ann); told != nil {
		t.Errorf("ann has not moved, but bob was told %v", told)
	}
}

// Two watched users: one comes and goes within the damping, the other comes to stay. When that is told, the first would
// have been.
func TestFlappingIsNotTold(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	watcher := register(t, "watcher")
	socket := online(t, watcher, nil)
	watch(t, socket, ann, bob)
	online(t, ann, nil).Close()
	offline(t, ann)
	online(t, bob, nil)
	awaitChange(t, socket, bob, "online")
	if told := changes(t, socket, ann); told != nil {
		t.Errorf("ann flapped, and was told as %v", told)
	}
}

func TestUnwatch(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	watcher := register(t, "watcher")
	socket := online(t, watcher, nil)
	watch(t, socket, ann, bob)
	answer := ask(t, socket, object{"action": "unwatch", "users": []string{ann.ID, "nobody"}})
	if string(answer.Raw) != fmt.Sprintf(`{"id":%q}`, answer.ID) {
		t.Errorf("the answer to unwatch: %s", answer.Raw)
	}
	online(t, ann, nil)
	online(t, bob, nil)
	awaitChange(t, socket, bob, "online")
	if told := changes(t, socket, ann); told != nil {
		t.Errorf("ann is watched no more, and was told as %v", told)
	}
}

func hide(t *testing.T, by client.Installation, user person, hidden bool) client.Answer {
	t.Helper()
	return do(t, by, client.Request{Method: http.MethodPut, Path: "/users/" + user.ID + "/presence", Body: object{"hidden": hidden}})
}

func TestHiddenPresence(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	asAnn, asBob := as(t, app, ann, nil), as(t, app, bob, nil)
	online(t, ann, object{"device": "phone"})
	socket := online(t, bob, nil)
	watch(t, socket, ann)
	hidden := hide(t, asAnn, ann, true)
	wantStatus(t, hidden, http.StatusOK)
	for what, row := range map[string]presenceRow{"the answer": into[presenceRow](t, hidden), "to itself": seen(t, asAnn, ann), "to an application": seen(t, app, ann)} {
		if wantSeen(t, what, row, "online", 1, "phone"); !row.Hidden {
			t.Errorf("%s does not say that it is hidden: %+v", what, row)
		}
	}
	want := presenceRow{UserID: ann.ID, Status: "offline"}
	for what, row := range map[string]presenceRow{"by ID": seen(t, asBob, ann), "queried": queried(t, asBob, ann.ID)[0], "watched": watch(t, socket, ann)[0],
		"told": awaitChange(t, socket, ann, "offline")} {
		if fmt.Sprint(row) != fmt.Sprint(want) {
			t.Errorf("%s: %+v", what, row)
		}
	}
	wantRefusal(t, hide(t, asBob, ann, false), http.StatusForbidden, "not_yourself")
	wantStatus(t, hide(t, app, ann, false), http.StatusOK)
	wantSeen(t, "shown again", awaitChange(t, socket, ann, "offline", "online"), "online", 1)
	wantRefusal(t, hide(t, app, person{ID: "u_0000000000000000000000"}, true), http.StatusNotFound, "user_not_found")
}

// A user whose tokens are voided is gone, and so is a watcher.
func TestVoidedTokensAreSeenAndSeeNothing(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	watcher := register(t, "watcher")
	watched, socket := online(t, ann, nil), online(t, watcher, nil)
	cut := online(t, bob, nil)
	watch(t, socket, ann)
	watch(t, cut, ann)
	for _, user := range []person{bob, ann} {
		wantStatus(t, remove(t, app, "/users/"+user.ID+"/tokens"), http.StatusNoContent)
	}
	waitClosed(t, cut)
	waitClosed(t, watched)
	awaitChange(t, socket, ann, "offline")
	if told := changes(t, cut, ann); told != nil {
		t.Errorf("a socket that is cut was told %v", told)
	}
}

func TestPresenceAsksForItsPermission(t *testing.T) {
	t.Parallel()
	ann := register(t, "ann")
	_, narrow := newKey(t, nil, "users:read", "presence:read")
	wantSeen(t, "with presence:read", seen(t, narrow, ann), "offline", 0)
	wantRefusal(t, hide(t, narrow, ann, true), http.StatusForbidden, "permission_denied")
	_, without := newKey(t, nil, "users:read")
	wantRefusal(t, get(t, without, "/presence/"+ann.ID), http.StatusForbidden, "permission_denied")
	wantRefusal(t, post(t, without, "/presence/query", object{"users": []string{ann.ID}}), http.StatusForbidden, "permission_denied")
	wantRefusal(t, get(t, app.With(""), "/presence/"+ann.ID), http.StatusUnauthorized, "api_key_missing")
}

// Users of another app are unknown, and watching them tells nothing.
func TestPresenceOfAnotherApp(t *testing.T) {
	t.Parallel()
	theirs := otherApp(t)
	stranger, watcher, bob := registerBy(t, theirs, "stranger"), register(t, "watcher"), register(t, "bob")
	socket := online(t, watcher, nil)
	if row := watch(t, socket, stranger, bob)[0]; row.Status != "unknown" {
		t.Errorf("watched a user of another app: %+v", row)
	}
	wantRefusal(t, get(t, app, "/presence/"+stranger.ID), http.StatusNotFound, "user_not_found")
	wantRefusal(t, hide(t, app, stranger, true), http.StatusNotFound, "user_not_found")
	awaitResume(t, dial(t, as(t, theirs, stranger, nil), client.DialOptions{}))
	if row := seen(t, theirs, stranger); row.Status != "online" {
		t.Errorf("in its own app: %+v", row)
	}
	online(t, bob, nil)
	awaitChange(t, socket, bob, "online")
	if told := changes(t, socket, stranger); told != nil {
		t.Errorf("was told of a user of another app: %v", told)
	}
}
