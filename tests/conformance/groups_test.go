//go:build conformance

package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// groupRow is a group in an answer.
type groupRow struct {
	GroupID     string          `json:"group_id"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Avatar      string          `json:"avatar"`
	Custom      json.RawMessage `json:"custom"`
	Join        string          `json:"join"`
	Speak       string          `json:"speak"`
	Invite      string          `json:"invite"`
	MutedAll    bool            `json:"muted_all"`
	Owner       string          `json:"owner"`
	Members     int             `json:"members"`
	Version     int64           `json:"version"`
	DismissedAt *time.Time      `json:"dismissed_at"`
	Membership  *seatRow        `json:"membership"`
	Results     []groupResult   `json:"results"`
}

// seatRow is how a user stands to a group, in an answer.
type seatRow struct {
	UserID     string     `json:"user_id"`
	State      string     `json:"state"`
	Role       string     `json:"role"`
	Since      int64      `json:"since"`
	MutedUntil *time.Time `json:"muted_until"`
	By         string     `json:"by"`
	Version    int64      `json:"version"`
	Group      groupRow   `json:"group"`
}

type groupResult struct {
	UserID string `json:"user_id"`
	Result string `json:"result"`
}

func put(t *testing.T, by client.Installation, path string, body any) client.Answer {
	t.Helper()
	return do(t, by, client.Request{Method: http.MethodPut, Path: path, Body: body})
}

// succeeded decodes the answer of what has to be a success.
func succeeded[T any](t *testing.T, answer client.Answer) T {
	t.Helper()
	wantStatus(t, answer, http.StatusOK)
	return into[T](t, answer)
}

// bring invites users, or adds them, and returns the results by user.
func bring(t *testing.T, by client.Installation, group string, body object) map[string]string {
	t.Helper()
	done := succeeded[struct{ Items []groupResult }](t, post(t, by, "/groups/"+group+"/members", body))
	results := map[string]string{}
	for _, each := range done.Items {
		results[each.UserID] = each.Result
	}
	return results
}

// seats lists the group's members by ID.
func seats(t *testing.T, by client.Installation, group, query string) map[string]seatRow {
	t.Helper()
	found := map[string]seatRow{}
	for _, seat := range pages[seatRow](t, by, "/groups/"+group+"/members?limit=2"+query) {
		found[seat.UserID] = seat
	}
	return found
}

// changesOf reads what the group's history tells, as its kind and the users.
func changesOf(t *testing.T, by client.Installation, group string) (kinds []string) {
	t.Helper()
	for _, message := range pages[struct {
		Type  string
		Event struct {
			Kind  string
			Users []string
		}
	}](t, by, "/conversations/"+group+"/messages?limit=100") {
		if message.Type == "event" {
			kinds = append(kinds, message.Event.Kind)
		}
	}
	return kinds
}

// TestGroupLife is a group from its creation to its end.
func TestGroupLife(t *testing.T) {
	t.Parallel()
	owner, ann, bob := register(t, "owner"), register(t, "ann"), register(t, "bob")
	mine, hers, his := as(t, app, owner, nil), as(t, app, ann, nil), as(t, app, bob, nil)
	made := post(t, mine, "/groups", object{"name": "Hiking", "description": "Up and down", "custom": object{"color": "green"}, "members": []string{ann.ID, bob.ID, "u_0000000000000000000000"}})
	wantStatus(t, made, http.StatusCreated)
	g := into[groupRow](t, made)
	if g.Name != "Hiking" || g.Owner != owner.ID || g.Join != "invite" || g.Members != 1 || string(g.Custom) != `{"color":"green"}` || g.Membership.Role != "owner" {
		t.Errorf("created %s", made)
	}
	want := []groupResult{{ann.ID, "invited"}, {bob.ID, "invited"}, {"u_0000000000000000000000", "user_not_found"}}
	if !slices.Equal(g.Results, want) {
		t.Errorf("results %+v", g.Results)
	}
	if listed := pages[seatRow](t, hers, "/users/"+ann.ID+"/groups?limit=1&state=invited"); len(listed) != 1 || listed[0].By != owner.ID || listed[0].Group.Name != "Hiking" {
		t.Errorf("invitations %+v", listed)
	}
	path := "/groups/" + g.GroupID
	if seat := succeeded[seatRow](t, post(t, hers, path+"/join", nil)); seat.State != "member" || seat.Role != "member" || seat.Since == 0 {
		t.Errorf("joined %+v", seat)
	}
	if seat := succeeded[seatRow](t, post(t, his, path+"/decline", object{})); seat.State != "left" {
		t.Errorf("declined %+v", seat)
	}
	wantRefusal(t, post(t, his, path+"/join", object{}), http.StatusForbidden, "join_refused")
	wantRefusal(t, get(t, his, path), http.StatusNotFound, "group_not_found")
	if results := bring(t, app, g.GroupID, object{"users": []string{bob.ID, ann.ID}, "add": true}); results[bob.ID] != "added" || results[ann.ID] != "already_member" {
		t.Errorf("added %v", results)
	}
	succeeded[seatRow](t, put(t, mine, path+"/members/"+ann.ID+"/role", object{"role": "admin"}))
	changed := succeeded[groupRow](t, patch(t, hers, path, object{"name": "Climbing", "speak": "admins"}))
	if changed.Name != "Climbing" || changed.Speak != "admins" || changed.Members != 3 {
		t.Errorf("changed %+v", changed)
	}
	wantDenied(t, patch(t, his, path, object{"name": "Running"}), "groups:manage", bob.ID)
	wantRefusal(t, patch(t, mine, path, object{"name": "Running", "version": 1}), http.StatusConflict, "group_changed")
	wantRefusal(t, post(t, mine, path+"/leave", object{}), http.StatusConflict, "owner_stays")
	wantRefusal(t, remove(t, hers, path+"/members/"+owner.ID), http.StatusForbidden, "owner_protected")
	succeeded[groupRow](t, post(t, mine, path+"/transfer", object{"to": ann.ID}))
	if now := seats(t, mine, g.GroupID, ""); len(now) != 3 || now[ann.ID].Role != "owner" || now[owner.ID].Role != "admin" || now[bob.ID].Role != "member" {
		t.Errorf("members %+v", now)
	}
	succeeded[seatRow](t, post(t, app, path+"/leave", object{"as": owner.Name}))
	if since := seats(t, hers, g.GroupID, fmt.Sprintf("&since=%d", changed.Version)); len(since) != 2 || since[owner.ID].State != "left" || since[ann.ID].Role != "owner" {
		t.Errorf("since the change %+v", since)
	}
	if ended := succeeded[groupRow](t, remove(t, hers, path)); ended.DismissedAt == nil {
		t.Errorf("dismissed %+v", ended)
	}
	succeeded[groupRow](t, remove(t, hers, path))
	succeeded[groupRow](t, get(t, his, path))
	wantRefusal(t, patch(t, hers, path, object{"name": "Running"}), http.StatusConflict, "group_dismissed")
	wantRefusal(t, bringTo(t, hers, g.GroupID, owner), http.StatusConflict, "group_dismissed")
	kinds := strings.Join(changesOf(t, app, g.GroupID), " ")
	if kinds != "created invited joined declined joined role updated transferred left dismissed" {
		t.Errorf("the history tells %s", kinds)
	}
	for range 2 {
		succeeded[seatRow](t, post(t, hers, path+"/leave", object{})) // who owns it can go now
	}
	wantRefusal(t, get(t, hers, path), http.StatusNotFound, "group_not_found")
	if row := succeeded[groupRow](t, get(t, his, path)); row.Members != 1 || row.DismissedAt == nil {
		t.Errorf("who stayed sees %+v", row)
	}
}

func bringTo(t *testing.T, by client.Installation, group string, who person) client.Answer {
	t.Helper()
	return post(t, by, "/groups/"+group+"/members", object{"users": []string{who.ID}})
}

// TestGroupCreationIsIdempotent repeats a creation: one group, and the members who have left since stay away.
func TestGroupCreationIsIdempotent(t *testing.T) {
	t.Parallel()
	owner, ann := register(t, "owner"), register(t, "ann")
	request := client.Request{Method: http.MethodPost, Path: "/groups", Header: map[string]string{"Idempotency-Key": unique("group")},
		Body: object{"name": "Hiking", "owner": owner.Name, "members": []string{ann.ID}}}
	first := do(t, app, request)
	wantStatus(t, first, http.StatusCreated)
	path := "/groups/" + first.Text("group_id")
	succeeded[seatRow](t, post(t, app, path+"/leave", object{"as": ann.ID}))
	again := do(t, app, request)
	wantStatus(t, again, http.StatusCreated)
	if again.Text("group_id") != first.Text("group_id") || into[groupRow](t, again).Members != 1 || !slices.Equal(into[groupRow](t, again).Results, into[groupRow](t, first).Results) {
		t.Errorf("again %s", again)
	}
	request.Body = object{"name": "Climbing", "owner": owner.Name}
	wantRefusal(t, do(t, app, request), http.StatusConflict, "idempotency_conflict")
	wantField(t, wantRefusal(t, post(t, app, "/groups", object{"name": "Hiking"}), 422, "field_missing"), "owner", "field_missing")
	wantRefusal(t, post(t, as(t, app, ann, nil), "/groups", object{"name": "Hiking", "owner": owner.ID}), http.StatusForbidden, "not_yourself")
}

// TestGroupJoinModes goes into groups that are open, that admit, and that invite.
func TestGroupJoinModes(t *testing.T) {
	t.Parallel()
	ann := register(t, "ann")
	hers := as(t, app, ann, nil)
	open, asking, hidden := gather(t, 1, object{"join": "open"}), gather(t, 1, object{"join": "approval"}), gather(t, 1, nil)
	for range 2 {
		if seat := succeeded[seatRow](t, post(t, hers, "/groups/"+open.id+"/join", object{})); seat.State != "member" {
			t.Errorf("open: %+v", seat)
		}
		if seat := succeeded[seatRow](t, post(t, hers, "/groups/"+asking.id+"/join", object{})); seat.State != "asked" {
			t.Errorf("approval: %+v", seat)
		}
		wantRefusal(t, post(t, hers, "/groups/"+hidden.id+"/join", object{}), http.StatusForbidden, "join_refused")
	}
	wantRefusal(t, get(t, hers, "/groups/"+asking.id+"/members"), http.StatusForbidden, "not_a_member")
	if results := bring(t, as(t, app, asking.members[0], nil), asking.id, object{"users": []string{ann.ID}}); results[ann.ID] != "added" {
		t.Errorf("admitted %v", results)
	}
	wantRefusal(t, bringTo(t, hers, hidden.id, ann), http.StatusNotFound, "group_not_found")
	// A denial in one group bans from it.
	grant(t, app, object{"subject": ann.ID, "permissions": []string{"groups:join"}, "effect": "deny", "group": open.id})
	wantDenied(t, post(t, hers, "/groups/"+open.id+"/leave", object{}), "groups:join", ann.ID)
}

// TestGroupMutes mutes a member, everybody, and lets only admins speak.
func TestGroupMutes(t *testing.T) {
	t.Parallel()
	g := gather(t, 3, nil)
	owner, ann := as(t, app, g.members[0], nil), g.members[1]
	mute := "/groups/" + g.id + "/members/" + ann.ID + "/mute"
	seat := succeeded[seatRow](t, put(t, owner, mute, object{"until": time.Now().Add(time.Hour)}))
	if seat.MutedUntil == nil {
		t.Errorf("muted %+v", seat)
	}
	wantRefusal(t, g.say(t, ann, "x", nil), http.StatusForbidden, "member_muted")
	wantStatus(t, g.say(t, g.members[2], "x", nil), http.StatusOK)
	succeeded[seatRow](t, put(t, owner, mute, object{}))
	wantStatus(t, g.say(t, ann, "x", nil), http.StatusOK)
	wantField(t, wantRefusal(t, put(t, owner, mute, object{"until": "2020-01-01T00:00:00Z"}), 422, "field_invalid"), "until", "field_invalid")
	succeeded[groupRow](t, patch(t, owner, "/groups/"+g.id, object{"muted_all": true}))
	wantRefusal(t, g.say(t, ann, "y", nil), http.StatusForbidden, "group_muted")
	wantStatus(t, g.say(t, g.members[0], "y", nil), http.StatusOK)
	succeeded[groupRow](t, patch(t, owner, "/groups/"+g.id, object{"muted_all": false, "speak": "admins"}))
	wantRefusal(t, g.say(t, ann, "z", nil), http.StatusForbidden, "group_admins_only")
	succeeded[seatRow](t, put(t, owner, "/groups/"+g.id+"/members/"+ann.ID+"/role", object{"role": "admin"}))
	wantStatus(t, g.say(t, ann, "z", nil), http.StatusOK)
}

// TestGroupChangesAreSeen has an online member told of a change at once, and one who is removed of that.
func TestGroupChangesAreSeen(t *testing.T) {
	t.Parallel()
	g := gather(t, 3, nil)
	sockets := map[string]*client.Socket{g.members[1].ID: online(t, g.members[1], nil), g.members[2].ID: online(t, g.members[2], nil)}
	seen := func(user, part string) {
		t.Helper()
		awaitEvent(t, sockets[user], 0, func(f client.Frame) bool {
			return f.Event == "message" && strings.Contains(string(f.Raw), part)
		})
	}
	succeeded[groupRow](t, patch(t, app, "/groups/"+g.id, object{"name": "Climbing"}))
	for user := range sockets {
		seen(user, `"kind":"updated"`)
	}
	succeeded[seatRow](t, remove(t, app, "/groups/"+g.id+"/members/"+g.members[2].ID))
	for user := range sockets {
		seen(user, `"kind":"removed"`)
	}
	if left := pages[seatRow](t, app, "/users/"+g.members[2].ID+"/groups?limit=10"); len(left) != 0 {
		t.Errorf("the removed is in %+v", left)
	}
}

// TestGroupInvitesMany adds more users at once than there are places: each has its result, and the whole can be repeated.
func TestGroupInvitesMany(t *testing.T) {
	t.Parallel()
	g := gather(t, 1, nil)
	var users []string
	for range 40 {
		users = append(users, register(t, "crowd").ID)
	}
	for _, want := range []string{"added", "already_member"} {
		results := bring(t, app, g.id, object{"users": append(slices.Clone(users), "u_0000000000000000000000"), "add": true})
		for _, user := range users {
			if results[user] != want {
				t.Fatalf("%s is %s, not %s", user, results[user], want)
			}
		}
		if results["u_0000000000000000000000"] != "user_not_found" {
			t.Errorf("the unknown are %v", results)
		}
	}
	if now := seats(t, app, g.id, ""); len(now) != 41 {
		t.Errorf("%d members", len(now))
	}
}

// TestGroupsInACrowd has many join and leave at once: everybody is where it went, and the count is right.
func TestGroupsInACrowd(t *testing.T) {
	t.Parallel()
	g := gather(t, 1, object{"join": "open"})
	var users []person
	for range 8 {
		users = append(users, register(t, "crowd"))
	}
	for _, what := range []string{"join", "leave"} {
		for i, answer := range together(len(users), func(i int) client.Answer {
			return post(t, app, "/groups/"+g.id+"/"+what, object{"as": users[i].ID})
		}) {
			if answer.Status != http.StatusOK {
				t.Errorf("%s %d: %s", what, i, answer)
			}
		}
		want := map[string]int{"join": 9, "leave": 1}[what]
		if now := succeeded[groupRow](t, get(t, app, "/groups/"+g.id)); now.Members != want || len(seats(t, app, g.id, "")) != want {
			t.Errorf("after %s: %+v", what, now)
		}
	}
}

// TestGroupBounds: each value out of bounds has a code of its own, and changes nothing.
func TestGroupBounds(t *testing.T) {
	t.Parallel()
	g := gather(t, 3, nil)
	path, inactive := "/groups/"+g.id, g.members[2]
	wantStatus(t, post(t, app, "/users/"+inactive.ID+"/deactivate", nil), http.StatusOK)
	before := succeeded[groupRow](t, get(t, app, path))
	valid := object{"name": "x", "owner": g.members[0].ID}
	for _, c := range []struct {
		method, path string
		body         object
		code, field  string
	}{
		{"", "/groups", with(valid, object{"name": ""}), "field_too_short", "name"},
		{"", "/groups", with(valid, object{"name": " "}), "field_invalid", "name"},
		{"", "/groups", with(valid, object{"name": strings.Repeat("n", 129)}), "field_too_long", "name"},
		{"", "/groups", with(valid, object{"name": strings.Repeat("好", 50)}), "field_too_long", "name"},
		{"", "/groups", with(valid, object{"join": "closed"}), "field_invalid", "join"},
		{"", "/groups", with(valid, object{"speak": "nobody"}), "field_invalid", "speak"},
		{"", "/groups", with(valid, object{"custom": object{"k": strings.Repeat("x", 2048)}}), "field_too_long", "custom"},
		{"", "/groups", with(valid, object{"members": slices.Repeat([]string{"u"}, 101)}), "field_too_long", "members"},
		{"", "/groups", with(valid, object{"owner": "nobody-of-that-name"}), "user_not_found", "owner"},
		{http.MethodPatch, path, object{"description": strings.Repeat("d", 1025)}, "field_too_long", "description"},
		{http.MethodPatch, path, object{"name": "a\nb"}, "field_invalid", "name"},
		{http.MethodPatch, path, object{"version": 0}, "field_out_of_range", "version"},
		{http.MethodPatch, path, object{"owner": g.members[1].ID}, "field_unknown", "owner"},
		{"", path + "/members", object{"users": []string{}}, "field_too_short", "users"},
		{"", path + "/members", object{"users": slices.Repeat([]string{"u"}, 1001)}, "field_too_long", "users"},
		{"", path + "/transfer", object{"to": register(t, "stranger").ID}, "group_member_not_found", "to"},
		{"", path + "/transfer", object{"to": "nobody"}, "group_member_not_found", "to"},
		{"", path + "/transfer", object{"to": inactive.ID}, "user_deactivated", "to"},
		{"", path + "/join", object{}, "field_missing", "as"},
		{"", path + "/join", object{"as": "nobody-of-that-name"}, "user_not_found", "as"},
		{http.MethodPut, path + "/members/" + g.members[1].ID + "/role", object{"role": "owner"}, "field_invalid", "role"},
		{http.MethodPut, path + "/members/" + g.members[1].ID + "/mute", object{"until": "0001-01-01T00:00:00Z"}, "field_invalid", "until"},
		{http.MethodPut, path + "/members/" + g.members[1].ID + "/mute", object{"until": "tomorrow"}, "field_type", "until"},
	} {
		answer := do(t, app, client.Request{Method: c.method, Path: c.path, Body: c.body})
		wantField(t, wantRefusal(t, answer, answer.Status, c.code), c.field, c.code)
	}
	for query, code := range map[string]string{"limit=0": "field_out_of_range", "limit=101": "field_out_of_range", "since=0": "field_out_of_range",
		"since=x": "field_type", "state=gone": "field_invalid", "x=1": "field_unknown"} {
		if answer := get(t, app, path+"/members?"+query); answer.Status != 422 || answer.Text("code") != code {
			t.Errorf("%s: %s wanted, not %s", query, code, answer)
		}
	}
	wantRefusal(t, get(t, app, path+"/members?cursor=x"), http.StatusBadRequest, "cursor_invalid")
	wantRefusal(t, remove(t, app, path+"/members/nobody"), http.StatusNotFound, "group_member_not_found")
	wantRefusal(t, get(t, app, "/groups/nothing"), http.StatusNotFound, "group_not_found")
	if after := succeeded[groupRow](t, get(t, app, path)); after.Version != before.Version {
		t.Errorf("refused requests changed the group: %+v", after)
	}
}
