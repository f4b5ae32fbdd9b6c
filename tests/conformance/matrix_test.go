//go:build conformance

package conformance

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// matrix is where the published table of who may do what stands. What is published has to be true: the cells are read from
// there, and each is tried.
const matrix = "../../docs/authorization.md"

// builtIns are the built-in roles, in the order of the table's columns.
var builtIns = []string{"owner", "admin", "moderator", "member", "auditor", "bot"}

// asked is a row of the table: what the operation asks for, and by role who may do it with the role and nothing else.
type asked struct {
	operation, permission string
	holders               map[string][]string
}

// overSocket tells an action from a route.
func (a asked) overSocket() bool { return strings.HasPrefix(a.operation, "socket ") }

// inAccount tells what is done with a session only.
func (a asked) inAccount() bool {
	return slices.Contains([]string{"login:manage", "account:read", "account:manage", "account:audit", "members:manage", "apps:read", "apps:manage"}, a.permission)
}

var matrixRow = regexp.MustCompile("^\\| `([^`]+)` \\| `([^`]+)` \\|(.*)\\|$")

// readMatrix reads the rows of all operations.
func readMatrix(t *testing.T) (rows []asked) {
	t.Helper()
	text, err := os.ReadFile(matrix)
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "## What each operation asks for")
	if !found || !strings.Contains(table, "| "+strings.Join(builtIns, " | ")+" |") {
		t.Fatalf("%s has no table of operations with the columns %v", matrix, builtIns)
	}
	for line := range strings.Lines(table) {
		match := matrixRow.FindStringSubmatch(strings.TrimSpace(line))
		if match == nil {
			continue
		}
		row := asked{match[1], match[2], map[string][]string{}}
		for i, cell := range strings.Split(match[3], "|") {
			row.holders[builtIns[i]] = strings.Fields(cell)
		}
		rows = append(rows, row)
	}
	return rows
}

func TestTheMatrixHasEveryOperation(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	have, routes := []string{}, published(t)
	for _, action := range actions(bob, send(t, ann, bob, "x", nil).Text("conversation_id")) {
		routes = append(routes, "socket "+action.path)
	}
	for _, row := range readMatrix(t) {
		have = append(have, row.operation)
		if !slices.Contains(routes, row.operation) {
			t.Errorf("the matrix has %s, which there is not", row.operation)
		}
	}
	for _, operation := range routes {
		if !slices.Contains(have, operation) {
			t.Errorf("%s has no row in the matrix", operation)
		}
	}
}

// request asks for the operation in a way that is refused after the permission was looked at, or does nothing. acting is the
// user whom it names, where it names one.
func (a asked) request(acting person) client.Request {
	method, path, _ := strings.Cut(a.operation, " ")
	id := "absent"
	if strings.HasPrefix(path, "/users/{id}") && a.permission != "users:manage" { // what is done to any user names nobody
		id = acting.ID
	}
	request := client.Request{Method: method, Path: strings.NewReplacer("{id}", id, "{conversation}", "absent").Replace(path)}
	switch {
	case a.operation == "DELETE /users/{id}": // who may is told of the member that nobody reads, and is still there
		request.Body = object{"unread": true}
	case insideBodies[a.operation] != nil:
		request.Body = insideBodies[a.operation]
	case a.operation == "POST /send":
		request.Body = object{"from": acting.ID, "to": "nobody" + mark, "message": "x"}
	case method == http.MethodPost || method == http.MethodPatch || method == http.MethodPut:
		request.Body = object{}
	}
	return request
}

// insideBodies are the bodies of the operations whose permission a role in the group can give: it is asked for behind the
// form of the body.
var insideBodies = map[string]object{"PATCH /groups/{id}": {}, "POST /groups/{id}/members": {"users": []string{"absent"}},
	"POST /groups/{id}/transfer": {"to": "absent"}, "PUT /groups/{id}/members/{user}/role": {"role": "member"}, "PUT /groups/{id}/members/{user}/mute": {}}

// inside tells whether a user may have the permission by a role in the group that the request names. To others there is no
// such group.
func (a asked) inside() bool {
	return strings.Contains(a.operation, " /groups/{id}") && slices.Contains([]string{"groups:invite", "groups:manage", "groups:own"}, a.permission)
}

// holder is somebody who has one role and nothing else.
type holder struct {
	kind, role, id string
	by             client.Installation
	// acting is the user whom requests name.
	acting person
	// lacking is the ID of the key that minted a token and lacks all that a user can do beyond its own data; "" for any other.
	lacking string
}

// may tells what the row says of the holder.
func (a asked) may(h holder) bool {
	says := a.holders[h.role]
	return slices.Contains(says, "all") || slices.Contains(says, h.kind) || h.kind == "U" && slices.Contains(says, "u") && h.lacking == ""
}

// refused is who the denial has to name: the user where it lacks the permission, else the key behind its token.
func (a asked) refused(h holder) string {
	if h.lacking != "" && slices.Contains(a.holders[h.role], "u") {
		return h.lacking
	}
	return h.id
}

// cast is everybody who can hold a role in one app, in which users have nothing by default.
type cast struct {
	owner   developer
	app     string
	mighty  client.Installation // a key with every scope
	lesser  client.Key          // one that mints tokens and can do nothing else
	holders []holder
}

func newCast(t *testing.T) cast {
	t.Helper()
	owner := newDeveloper(t, "owner")
	members := []developer{owner, newMember(t, owner, "admin"), newMember(t, owner, "auditor")}
	c := cast{owner: owner, app: newApp(t, owner)}
	by := owner.in(c.app)
	_, c.mighty = keyOf(t, owner, c.app, nil, scopes...)
	lesser, lesserBy := keyOf(t, owner, c.app, nil, "tokens:manage")
	c.lesser = lesser
	wantStatus(t, setDefaults(t, by), http.StatusOK)
	acting := registerBy(t, c.mighty, "acting") // may be acted for in all that users can do
	grant(t, by, object{"subject": acting.ID, "role": "owner"})
	for i, role := range []string{"owner", "admin", "auditor"} {
		c.holders = append(c.holders, holder{"D", role, members[i].id, members[i].in(c.app), acting, ""})
	}
	for _, role := range builtIns {
		key, keyBy := keyOf(t, owner, c.app, nil, "users:read")
		narrow(t, by, key.KeyID, "users:read")
		grant(t, by, object{"subject": key.KeyID, "role": role})
		user := registerBy(t, c.mighty, role)
		grant(t, by, object{"subject": user.ID, "role": role})
		c.holders = append(c.holders, holder{"K", role, key.KeyID, keyBy, acting, ""},
			holder{"U", role, user.ID, as(t, c.mighty, user, nil), user, ""}, holder{"U", role, user.ID, as(t, lesserBy, user, nil), user, lesser.KeyID})
	}
	return c
}

// ends are the operations after which the session is no more; each gets one of its own.
var ends = []string{"POST /logout", "DELETE /sessions"}

// TestTheMatrix tries every cell: every operation, by everybody who can hold every role, and by those whose credential is
// none, or none any more.
func TestTheMatrix(t *testing.T) {
	t.Parallel()
	sharedTeam(t) // made here, where a test can be ended
	c, rows := newCast(t), readMatrix(t)
	bad := spoiledCredentials(t, c)
	var group sync.WaitGroup
	turn := make(chan struct{}, 8)
	for _, row := range rows {
		if row.overSocket() || slices.Contains(ends, row.operation) {
			continue
		}
		group.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			for _, h := range c.holders {
				wantCell(t, row, h, do(t, h.by, row.request(h.acting)))
			}
			wantOutside(t, c, row, bad)
		})
	}
	group.Wait()
	for _, row := range rows {
		for _, h := range c.holders {
			switch {
			case row.overSocket() && h.kind == "U":
				wantSocketCell(t, row, h)
			case slices.Contains(ends, row.operation) && h.kind != "D":
				wantCell(t, row, h, do(t, h.by, row.request(h.acting)))
			}
		}
	}
	wantEnds(t, c, rows)
}

// wantCell checks what one holder is answered.
func wantCell(t *testing.T, row asked, h holder, answer client.Answer) {
	t.Helper()
	code := answer.Text("code")
	what := row.operation + " by " + h.kind + " " + h.role
	if row.may(h) {
		if code == "permission_denied" || answer.Status == http.StatusUnauthorized || answer.Status >= 500 {
			t.Errorf("%s should be admitted: %s", what, answer)
		}
		return
	}
	if row.inAccount() && h.kind != "D" {
		if answer.Status != http.StatusUnauthorized || code != "session_needed" {
			t.Errorf("%s: session_needed wanted, not %s", what, answer)
		}
		return
	}
	if row.inside() && h.kind == "U" {
		wantRefusal(t, answer, http.StatusNotFound, "group_not_found")
		return
	}
	problem := wantRefusal(t, answer, http.StatusForbidden, "permission_denied")
	if problem.Denial == nil || problem.Denial.Permission != row.permission || problem.Denial.Subject != row.refused(h) || problem.Denial.DeniedBy != "" {
		t.Errorf("%s: the denial should name %s and %s: %s", what, row.permission, row.refused(h), answer)
	}
}

// wantSocketCell opens a socket for the holder, who can do on it what the row says, or has none. Opening asks for
// socket:connect and messages:read.
func wantSocketCell(t *testing.T, row asked, h holder) {
	t.Helper()
	if !row.may(h) {
		wantNoEntry(t, h.by, client.DialOptions{})
		return
	}
	socket := dial(t, h.by, client.DialOptions{})
	defer socket.Drop()
	answer, err := socket.Ask(within(t), object{"action": strings.TrimPrefix(row.operation, "socket ")})
	if err != nil || answer.Code() == "permission_denied" {
		t.Errorf("%s by %s: %s (%v)", row.operation, h.role, answer.Raw, err)
	}
}

// wantEnds tries what ends sessions, each with a login of its own.
func wantEnds(t *testing.T, c cast, rows []asked) {
	t.Helper()
	for _, row := range rows {
		if !slices.Contains(ends, row.operation) {
			continue
		}
		session := logIn(t, c.owner, nil)
		h := holder{"D", "owner", c.owner.id, session, person{}, ""}
		wantCell(t, row, h, do(t, session, row.request(person{})))
		wantRefusal(t, do(t, c.owner.visitor, row.request(person{})), http.StatusUnauthorized, "session_needed")
	}
}

// credential is one that is none any more, what it is answered, and what it is answered where only a session is good.
type credential struct {
	by             client.Installation
	code, sessions string
}

// spoiledCredentials makes those of every kind that have ended.
func spoiledCredentials(t *testing.T, c cast) map[string]credential {
	t.Helper()
	by := c.owner.in(c.app)
	user := registerBy(t, c.mighty, "gone")
	revoked, revokedBy := keyOf(t, c.owner, c.app, nil, scopes...)
	orphan := as(t, revokedBy, user, nil)
	wantStatus(t, remove(t, by, "/keys/"+revoked.KeyID), http.StatusOK)
	token := as(t, c.mighty, user, nil)
	wantStatus(t, remove(t, by, "/users/"+user.ID+"/tokens"), http.StatusNoContent)
	left := logIn(t, c.owner, nil)
	wantStatus(t, post(t, left, "/logout", nil), http.StatusOK)
	return map[string]credential{
		"nobody":           {c.owner.visitor, "api_key_missing", "session_needed"},
		"an expired key":   {expiredKey(t, c.owner, c.app), "api_key_expired", "session_needed"},
		"a revoked key":    {revokedBy, "api_key_revoked", "session_needed"},
		"an expired token": {expiredToken(t, c.mighty, user), "token_expired", "session_needed"},
		"a revoked token":  {token, "token_revoked", "session_needed"},
		"a key's token":    {orphan, "token_revoked", "session_needed"},
		"a session's end":  {left.In(c.app), "session_invalid", "session_invalid"},
	}
}

// wantOutside checks that a route is for nobody whose credential is none, nor for another account's session.
func wantOutside(t *testing.T, c cast, row asked, bad map[string]credential) {
	t.Helper()
	request := row.request(c.holders[0].acting)
	for name, credential := range bad {
		answer := do(t, credential.by, request)
		want := credential.code
		if row.inAccount() {
			want = credential.sessions
		}
		switch {
		case row.permission == "public":
			if answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden || answer.Status >= 500 {
				t.Errorf("%s by %s: %s", row.operation, name, answer)
			}
		case answer.Status != http.StatusUnauthorized || answer.Text("code") != want:
			t.Errorf("%s by %s: %s wanted, not %s", row.operation, name, want, answer)
		}
	}
	if row.permission == "public" || row.inAccount() {
		return
	}
	foreign := do(t, sharedTeam(t).outsider.in(c.app), request)
	if code := foreign.Text("code"); code != "app_not_found" && (code != "permission_denied" || row.permission != "tickets:create") {
		t.Errorf("%s with another account's session: %s", row.operation, foreign)
	}
}
