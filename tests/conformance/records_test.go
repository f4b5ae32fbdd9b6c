//go:build conformance

package conformance

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// awaitRecords waits for the app's records that the query chooses to be so many, the oldest first; lists lag behind.
func awaitRecords(t *testing.T, by client.Installation, query string, n int) []recordRow {
	t.Helper()
	var found []recordRow
	client.WaitFor(t, fmt.Sprintf("%d records of %s", n, query), limit, func() bool {
		found = pages[recordRow](t, by, "/records?order=asc&"+query)
		return len(found) >= n
	})
	if len(found) != n {
		t.Errorf("%s: %d records wanted, not %d: %s", query, n, len(found), lines(found))
	}
	return found
}

func lines(records []recordRow) string {
	var all strings.Builder
	for _, each := range records {
		fmt.Fprintf(&all, "\n%s %s %s by %s to %s, %v %q: %s → %s", each.RecordID, each.At, each.Action, each.Actor, each.Subject, each.Permissions, each.Reason, each.Before, each.After)
	}
	return all.String()
}

// told is what a record has to tell: pieces of what was before and is after, "" for nothing at all.
type told struct {
	action, actor, subject, reason, before, after string
	permissions                                   []string
}

func wantTold(t *testing.T, record recordRow, want told) {
	t.Helper()
	same := record.Action == want.action && record.Actor == want.actor && record.Subject == want.subject && record.Reason == want.reason
	if !same || record.Source == "" || time.Since(record.At).Abs() > 5*time.Minute {
		t.Errorf("%+v wanted, not %s", want, lines([]recordRow{record}))
	}
	wantSaid(t, want.action+" before", record.Before, want.before)
	wantSaid(t, want.action+" after", record.After, want.after)
	for _, permission := range want.permissions {
		if !slices.Contains(record.Permissions, permission) {
			t.Errorf("%s: %s should be in %v", want.action, permission, record.Permissions)
		}
	}
}

// wantSaid checks that what is said has the piece, or that nothing is said for "".
func wantSaid(t *testing.T, what string, said json.RawMessage, piece string) {
	t.Helper()
	if (piece == "") != (len(said) == 0) || !strings.Contains(string(said), piece) {
		t.Errorf("%s: %q should be in %s", what, piece, said)
	}
}

// TestEveryChangeHasItsRecord makes each change that an app can see and looks at its whole log.
func TestEveryChangeHasItsRecord(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann := registerBy(t, s.key, "ann")
	list := []string{"users:list"}
	key, _ := keyOf(t, s.owner, s.app, object{"name": "narrow me"}, "users:list", "users:read")
	made := grant(t, s.key, object{"subject": key.KeyID, "permissions": list, "effect": "deny", "reason": "for now"})
	wantStatus(t, remove(t, s.session, "/grants/"+made.GrantID+"?reason=no+more"), http.StatusOK)
	revoke(t, s.session, made.GrantID) // changes nothing
	role := newRole(t, s.key, list, object{"reason": "a role", "name": "r1"})
	wantStatus(t, patch(t, s.session, "/roles/"+role, object{"name": "r2", "denied": []string{"users:read"}, "reason": "renamed"}), http.StatusOK)
	wantStatus(t, patch(t, s.session, "/roles/"+role, object{"name": "r2"}), http.StatusOK) // changes nothing
	wantStatus(t, setDefaults(t, s.session, "member", "bot"), http.StatusOK)
	wantStatus(t, setDefaults(t, s.session, "member", "bot"), http.StatusOK) // changes nothing
	wantStatus(t, remove(t, s.session, "/roles/"+role+"?reason=gone"), http.StatusOK)
	wantStatus(t, post(t, s.session, "/grants/revoke", object{"scopes": []object{{"key_id": key.KeyID, "scopes": list}}, "reason": "unused"}), http.StatusOK)
	rotated := post(t, s.session, "/keys/"+key.KeyID+"/rotate", object{"overlap_seconds": 60})
	wantStatus(t, rotated, http.StatusCreated)
	wantStatus(t, remove(t, s.session, "/keys/"+rotated.Text("key_id")), http.StatusOK)
	wantStatus(t, get(t, s.session, "/users/"+ann.ID+"/messages"), http.StatusOK)
	wantStatus(t, get(t, s.key, "/users/"+ann.ID+"/messages"), http.StatusOK) // a key's read is none
	wantStatus(t, get(t, s.session, "/users"), http.StatusOK)
	// What is refused leaves nothing.
	wantRefusal(t, post(t, s.key, "/grants", object{"subject": "absent", "role": "bot"}), 422, "subject_not_found")
	wantRefusal(t, post(t, s.key, "/roles", object{"name": "owner", "permissions": list}), http.StatusConflict, "role_name_taken")
	wantRefusal(t, setDefaults(t, s.key, "absent"), http.StatusNotFound, "role_not_found")
	wantRefusal(t, post(t, s.key, "/keys", object{"name": "x", "scopes": []string{"x"}}), 422, "scope_unknown")
	wantRefusal(t, remove(t, s.key, "/keys/absent"), http.StatusNotFound, "key_not_found")

	owner, byKey := s.owner.id, s.keyID
	want := []told{
		{"key.created", owner, s.keyID, "", "", `"backend"`, scopes},
		{"key.created", owner, key.KeyID, "", "", "narrow me", []string{"users:list", "users:read"}},
		{"grant.created", byKey, key.KeyID, "for now", "", `"deny"`, list},
		{"grant.revoked", owner, key.KeyID, "no more", made.GrantID, "", list},
		{"role.created", byKey, role, "a role", "", `"r1"`, list},
		{"role.changed", owner, role, "renamed", `"r1"`, `"r2"`, []string{"users:list", "users:read"}},
		{"defaults.changed", owner, "defaults", "", `["member"]`, `["member","bot"]`, nil},
		{"role.deleted", owner, role, "gone", `"r2"`, "", list},
		{"key.narrowed", owner, key.KeyID, "unused", `users:list`, "users:read", list},
		{"key.rotated", owner, key.KeyID, "", "", rotated.Text("key_id"), nil},
		{"key.created", owner, rotated.Text("key_id"), "", "", key.KeyID, []string{"users:read"}},
		{"key.revoked", owner, rotated.Text("key_id"), "", "", "", nil},
		{"data.read", owner, ann.ID, "", "", "", []string{"messages:read"}},
		{"data.read", owner, "", "", "", "", []string{"users:list"}},
	}
	found := awaitRecords(t, s.session, "limit=5", len(want))
	if len(found) != len(want) {
		return
	}
	for _, each := range want {
		at := slices.IndexFunc(found, func(r recordRow) bool { return r.Action == each.action && r.Subject == each.subject })
		if at < 0 {
			t.Errorf("no record of %s to %s: %s", each.action, each.subject, lines(found))
			continue
		}
		if each.action == "data.read" || each.action == "key.revoked" { // in their own words
			each.after, each.before = piece(found[at].After), piece(found[at].Before)
		}
		wantTold(t, found[at], each)
	}
	if !slices.IsSortedFunc(found, func(a, b recordRow) int { return a.At.Compare(b.At) }) {
		t.Errorf("not the oldest first: %s", lines(found))
	}
	if secret := strings.Split(s.key.APIKey, "_"); strings.Contains(lines(found), secret[len(secret)-1]) {
		t.Error("a record has a key in it")
	}
}

// piece is something that a text has, "" for no text.
func piece(text json.RawMessage) string {
	if len(text) == 0 {
		return ""
	}
	return string(text[:1])
}

// TestRecordsAreListedFilteredAndExported compares every view of a log with all of it.
func TestRecordsAreListedFilteredAndExported(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann := registerBy(t, s.key, "ann")
	var ids []string
	for n := range 30 {
		by := []client.Installation{s.key, s.session}[n%2]
		made := grant(t, by, object{"subject": ann.ID, "permissions": []string{[]string{"users:list", "users:read"}[n%2]}, "reason": fmt.Sprintf("=%d, \"quoted\",\nand broken", n)})
		ids = append(ids, made.GrantID)
	}
	for _, id := range ids[:10] {
		revoke(t, s.key, id)
	}
	all := awaitRecords(t, s.session, "limit=100", 41)
	middle := all[20].At
	for name, c := range map[string]struct {
		query string
		takes func(recordRow) bool
	}{
		"subject":    {"subject=" + ann.ID, func(r recordRow) bool { return r.Subject == ann.ID }},
		"actor":      {"actor=" + s.keyID, func(r recordRow) bool { return r.Actor == s.keyID }},
		"action":     {"action=grant.revoked", func(r recordRow) bool { return r.Action == "grant.revoked" }},
		"permission": {"permission=users:list", func(r recordRow) bool { return slices.Contains(r.Permissions, "users:list") }},
		"from":       {"from=" + moment(middle), func(r recordRow) bool { return !r.At.Before(middle) }},
		"until":      {"until=" + moment(middle), func(r recordRow) bool { return r.At.Before(middle) }},
		"of nobody":  {"subject=absent", func(recordRow) bool { return false }},
		"all of them": {"subject=" + ann.ID + "&actor=" + s.owner.id + "&action=grant.created&permission=users:read&from=" + moment(middle), func(r recordRow) bool {
			return r.Subject == ann.ID && r.Actor == s.owner.id && r.Action == "grant.created" && slices.Contains(r.Permissions, "users:read") && !r.At.Before(middle)
		}},
	} {
		var want []string
		for _, each := range all {
			if c.takes(each) {
				want = append(want, each.RecordID)
			}
		}
		for _, size := range []string{"3", "100"} {
			forth, back := recordIDs(pages[recordRow](t, s.key, "/records?order=asc&limit="+size+"&"+c.query)), recordIDs(pages[recordRow](t, s.key, "/records?limit="+size+"&"+c.query))
			if slices.Reverse(back); !slices.Equal(forth, want) || !slices.Equal(back, want) {
				t.Errorf("%s in pages of %s:\n%v\n%v\n%v", name, size, want, forth, back)
			}
		}
		wantExports(t, s.key, c.query, all, want)
	}
	for _, bad := range []string{"action=nothing", "permission=users:eat"} {
		field, _, _ := strings.Cut(bad, "=")
		wantField(t, wantRefusal(t, get(t, s.key, "/records?"+bad), 422, "field_invalid"), field, "field_invalid")
	}
	wantVerified(t, s.key, "/records/verify", 41)
}

func moment(at time.Time) string { return url.QueryEscape(at.Format(time.RFC3339Nano)) }

func recordIDs(records []recordRow) []string {
	var all []string
	for _, each := range records {
		all = append(all, each.RecordID)
	}
	return all
}

// wantExports checks that both forms of an export have the records of the IDs, as the list shows them.
func wantExports(t *testing.T, by client.Installation, query string, all []recordRow, want []string) {
	t.Helper()
	shown := map[string]recordRow{}
	for _, each := range all {
		shown[each.RecordID] = each
	}
	lined := get(t, by, "/records/export?order=asc&"+query)
	wantStatus(t, lined, http.StatusOK)
	var exported []string
	for line := range strings.Lines(string(lined.Body)) {
		var each recordRow
		if err := json.Unmarshal([]byte(line), &each); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if exported = append(exported, each.RecordID); text(each) != text(shown[each.RecordID]) {
			t.Errorf("exported %s, listed %s", text(each), text(shown[each.RecordID]))
		}
	}
	answer := get(t, by, "/records/export?order=asc&format=csv&"+query)
	wantStatus(t, answer, http.StatusOK)
	table, err := csv.NewReader(strings.NewReader(string(answer.Body))).ReadAll()
	if err != nil || len(table) == 0 {
		t.Fatalf("%v: %.300s", err, answer.Body)
	}
	var rows []string
	for _, row := range table[1:] {
		rows = append(rows, row[0])
		each := shown[row[0]]
		if row[2] != string(each.Action) || row[3] != each.Actor || row[5] != each.Subject || row[6] != strings.Join(each.Permissions, " ") || strings.TrimPrefix(row[7], "'") != each.Reason || row[9] != string(each.After) {
			t.Errorf("exported %q, listed %s", row, text(each))
		}
		for _, cell := range row {
			if strings.HasPrefix(cell, "=") {
				t.Errorf("a spreadsheet takes %q for a formula", cell)
			}
		}
	}
	if !slices.Equal(exported, want) || !slices.Equal(rows, want) {
		t.Errorf("%s: %v wanted, not %v and %v", query, want, exported, rows)
	}
	if media := lined.Header.Get("Content-Type") + answer.Header.Get("Content-Type"); !strings.Contains(media, "ndjson") || !strings.Contains(media, "csv") {
		t.Errorf("of the types %s", media)
	}
}

// verified is what a verification says.
type verified struct {
	OK      bool `json:"ok"`
	Checked int  `json:"checked"`
	Chains  []struct {
		Records int64  `json:"records"`
		OK      bool   `json:"ok"`
		Problem string `json:"problem"`
	} `json:"chains"`
	NextCursor string `json:"next_cursor"`
}

// wantVerified verifies a log, which has to be whole and of at least so many records.
func wantVerified(t *testing.T, by client.Installation, path string, least int) {
	t.Helper()
	checked := 0
	for cursor := ""; ; {
		answer := get(t, by, path+"?cursor="+cursor)
		wantStatus(t, answer, http.StatusOK)
		found := into[verified](t, answer)
		if !found.OK || len(found.Chains) == 0 {
			t.Errorf("not whole: %s", answer)
		}
		checked += found.Checked
		if cursor = found.NextCursor; cursor == "" {
			break
		}
	}
	if checked < least {
		t.Errorf("%d records checked, %d wanted", checked, least)
	}
}

// TestRecordsOfAnAccount has what is done to a team, its logins and its apps.
func TestRecordsOfAnAccount(t *testing.T) {
	t.Parallel()
	owner := newDeveloper(t, "owner")
	member := newMember(t, owner, "auditor")
	id := newApp(t, owner)
	wantStatus(t, patch(t, owner.session, "/apps/"+id, object{"name": "Renamed"}), http.StatusOK)
	wantStatus(t, patch(t, owner.session, "/account/members/"+member.id, object{"role": "admin"}), http.StatusOK)
	wantStatus(t, patch(t, owner.session, "/account", object{"name": "Another name"}), http.StatusOK)
	if answer := tryLogin(t, member, object{"password": wrongPassword}); answer.Status < 400 {
		t.Fatal(answer)
	}
	second := logIn(t, member, nil)
	wantStatus(t, post(t, second, "/logout", nil), http.StatusOK)
	wantStatus(t, remove(t, owner.session, "/apps/"+id), http.StatusOK)
	wantStatus(t, post(t, owner.session, "/apps/"+id+"/restore", nil), http.StatusOK)
	wantStatus(t, remove(t, owner.session, "/account/members/"+member.id), http.StatusOK)
	want := []told{
		{action: "account.created", subject: owner.account}, {action: "member.joined", subject: owner.id}, {action: "login.succeeded", subject: owner.id},
		{action: "member.invited"}, {action: "member.joined", subject: member.id}, {action: "login.succeeded", subject: member.id},
		{action: "app.created", actor: owner.id, subject: id}, {action: "app.changed", actor: owner.id, subject: id},
		{action: "member.role_changed", actor: owner.id, subject: member.id}, {action: "account.renamed", actor: owner.id, subject: owner.account},
		{action: "login.failed", subject: member.id}, {action: "session.ended", actor: member.id, subject: member.id},
		{action: "app.deleted", actor: owner.id, subject: id}, {action: "app.restored", actor: owner.id, subject: id}, {action: "member.removed", actor: owner.id, subject: member.id},
	}
	var found []recordRow
	missing := func() (absent []told) {
		for _, each := range want {
			if !slices.ContainsFunc(found, func(r recordRow) bool {
				return r.Action == each.action && (each.actor == "" || r.Actor == each.actor) && (each.subject == "" || r.Subject == each.subject) && r.Source != ""
			}) {
				absent = append(absent, each)
			}
		}
		return absent
	}
	deadline := time.Now().Add(limit)
	client.WaitFor(t, "the records of the account", 2*limit, func() bool {
		found = pages[recordRow](t, owner.session, "/account/records?limit=7&order=asc")
		return len(missing()) == 0 || time.Now().After(deadline)
	})
	if absent := missing(); len(absent) > 0 {
		t.Errorf("no records of %+v in %s", absent, lines(found))
	}
	if everything := lines(found); strings.Contains(everything, password) || strings.Contains(everything, wrongPassword) {
		t.Error("a record has a password in it")
	}
	wantRefusal(t, get(t, member.session, "/account/records"), http.StatusForbidden, "permission_denied")
	wantVerified(t, owner.session, "/account/records/verify", len(want))
	lined := get(t, owner.session, "/account/records/export?order=asc")
	wantStatus(t, lined, http.StatusOK)
	if n := strings.Count(string(lined.Body), "\n"); n < len(found) {
		t.Errorf("%d records exported, %d listed", n, len(found))
	}
}
