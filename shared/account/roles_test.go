package account_test

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/account/accounttest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/mail"
)

// team is an account with members of every role, all of whom have just logged in.
type team struct {
	*world
	account  account.Account
	sessions map[string]string
}

func newTeam(t testing.TB) *team {
	w := newWorld(t)
	developer, made := w.enter(ann)
	tm := &team{w, made, map[string]string{"owner": w.planted(developer.ID)}}
	for name, role := range map[string]authz.Role{"other owner": authz.Owner, "admin": authz.Admin, "other admin": authz.Admin,
		"auditor": authz.Auditor, "other auditor": authz.Auditor} {
		tm.sessions[name] = tm.add(name, role)
	}
	return tm
}

// add makes a member with a session straight in the store, which spares the hashes of passwords.
func (tm *team) add(name string, role authz.Role) string {
	tm.t.Helper()
	ctx, now := tm.t.Context(), tm.clock.Now()
	made := accounttest.NewDeveloper(now)
	made.Email, made.Language = account.Email(strings.ReplaceAll(name, " ", ".")+"@example.com"), fault.English
	link := account.Link{Hash: sha256.Sum256([]byte(name)), Action: account.ActionInvitation, Account: tm.account.ID, Invitation: name,
		Role: role, ExpiresAt: now.Add(time.Hour)}
	tm.ok("PutLink", tm.store.PutLink(ctx, link))
	tm.ok("PutInvitation", tm.store.PutInvitation(ctx, account.Invitation{Account: tm.account.ID, ID: name, ExpiresAt: link.ExpiresAt}))
	tm.ok("Join", tm.store.Join(ctx, link, account.Member{Account: tm.account.ID, Developer: made.ID, Role: role, Since: now}, &made))
	return tm.planted(made.ID)
}

func (tm *team) developer(name string) string { return string(tm.caller(tm.sessions[name]).Developer) }

// as sends a request as the member and returns what it was refused with.
func (tm *team) as(name, method, path, sent string) fault.Code {
	return answered(tm.call(method, path, sent, "Authorization: Bearer "+tm.sessions[name]))
}

// Each role and each thing to do: "" for what is done, else why not.
func TestRoles(t *testing.T) {
	const denied, high = fault.PermissionDenied, fault.RoleTooHigh
	for action, test := range map[string]struct {
		method, path, sent            string
		owner, admin, auditor, nobody fault.Code
	}{
		"see the login":         {"GET", "/account", "", "", "", "", ""},
		"rename":                {"PATCH", "/account", body("name", "New"), "", denied, denied, denied},
		"list members":          {"GET", "/account/members", "", "", "", "", denied},
		"list invitations":      {"GET", "/account/invitations", "", "", "", "", denied},
		"invite an owner":       {"POST", "/account/invitations", body("email", "x1@example.com", "role", "owner"), "", high, denied, denied},
		"invite an admin":       {"POST", "/account/invitations", body("email", "x2@example.com", "role", "admin"), "", "", denied, denied},
		"invite an auditor":     {"POST", "/account/invitations", body("email", "x3@example.com", "role", "auditor"), "", "", denied, denied},
		"withdraw an owner's":   {"DELETE", "/account/invitations/OWNER", "", "", high, denied, denied},
		"withdraw an admin's":   {"DELETE", "/account/invitations/ADMIN", "", "", "", denied, denied},
		"make an owner":         {"PATCH", "/account/members/other admin", body("role", "owner"), "", high, denied, denied},
		"make oneself an owner": {"PATCH", "/account/members/SELF", body("role", "owner"), "", high, denied, denied},
		"demote an owner":       {"PATCH", "/account/members/other owner", body("role", "auditor"), "", high, denied, denied},
		"demote an admin":       {"PATCH", "/account/members/other admin", body("role", "auditor"), "", "", denied, denied},
		"promote an auditor":    {"PATCH", "/account/members/other auditor", body("role", "admin"), "", "", denied, denied},
		"remove an owner":       {"DELETE", "/account/members/other owner", "", "", high, denied, denied},
		"remove an admin":       {"DELETE", "/account/members/other admin", "", "", "", denied, denied},
		"remove an auditor":     {"DELETE", "/account/members/other auditor", "", "", "", denied, denied},
		"leave":                 {"DELETE", "/account/members/SELF", "", "", "", "", denied},
		"remove nobody":         {"DELETE", "/account/members/" + string(never()), "", fault.MemberNotFound, fault.MemberNotFound, fault.MemberNotFound, denied},
		"name another's app":    {"GET", "/account/members", "APP", "", "", "", denied}, // no app matters to it
	} {
		t.Run(action, func(t *testing.T) {
			for name, want := range map[string]fault.Code{"auditor": test.auditor, "admin": test.admin, "owner": test.owner, "gone": test.nobody} {
				newTeam(t).check(name, test.method, test.path, test.sent, want)
			}
		})
	}
}

// check lets the member do it.
func (tm *team) check(name, method, path, sent string, want fault.Code) {
	tm.t.Helper()
	if name == "gone" {
		tm.sessions["gone"] = tm.sessions["other auditor"]
		tm.ok("Remove", tm.Remove(tm.t.Context(), tm.caller(tm.sessions["owner"]), tm.caller(tm.sessions["gone"]).Developer, tm.visit))
	}
	if sent == "APP" {
		got := tm.call(method, path, "", "Authorization: Bearer "+tm.sessions[name], "X-App-Id: "+id.Source{}.App().String())
		if name != "gone" && answered(got) != want {
			tm.t.Errorf("%s: %s, want %s", name, got.Body, want)
		}
		return
	}
	if got := tm.as(name, method, tm.fill(name, path), sent); got != want {
		tm.t.Errorf("%s, %s %s: %q, want %q", name, method, path, got, want)
	}
}

// fill puts the IDs into a path.
func (tm *team) fill(name, path string) string {
	folder, last := path[:strings.LastIndex(path, "/")+1], path[strings.LastIndex(path, "/")+1:]
	switch {
	case last == "SELF":
		return folder + tm.developer(name)
	case last == "OWNER" || last == "ADMIN":
		role := map[string]authz.Role{"OWNER": authz.Owner, "ADMIN": authz.Admin}[last]
		made, err := tm.Invite(tm.t.Context(), tm.caller(tm.sessions["owner"]), "x9@example.com", role, tm.visit)
		tm.ok("Invite", err)
		return folder + made.ID
	case tm.sessions[last] != "":
		return folder + tm.developer(last)
	}
	return path
}

// What one member loses shows at the next request.
func TestRemovalBitesAtOnce(t *testing.T) {
	tm := newTeam(t)
	app := id.Source{}.App()
	tm.store.AddApp(tm.account.ID, app)
	admin := tm.sessions["admin"]
	if got := tm.as("admin", "POST", "/account/invitations", body("email", bob, "role", "admin")); got != "" {
		t.Fatal(got)
	}
	_, err := tm.SetRole(t.Context(), tm.caller(tm.sessions["owner"]), tm.caller(admin).Developer, authz.Auditor, tm.visit)
	tm.ok("SetRole", err)
	if got := tm.as("admin", "POST", "/account/invitations", body("email", bob, "role", "admin")); got != fault.PermissionDenied {
		t.Errorf("after the demotion: %q", got)
	}
	tm.ok("Remove", tm.Remove(t.Context(), tm.caller(tm.sessions["owner"]), tm.caller(admin).Developer, tm.visit))
	for _, path := range []string{"/account/members", "/account/invitations"} {
		if got := tm.as("admin", "GET", path, ""); got != fault.PermissionDenied {
			t.Errorf("after the removal, %s: %q", path, got)
		}
	}
	_, err = tm.checks.Session(t.Context(), admin, authz.Request{App: app.String()})
	tm.refused("choosing an app after the removal", err, fault.AppNotFound)
	if kinds := tm.kinds("admin@example.com"); !slices.Equal(kinds, []mail.Kind{mail.RoleChanged, mail.MemberRemoved}) {
		t.Errorf("mails %v", kinds)
	}
}

// An account's name is one line that shows something.
func TestNames(t *testing.T) {
	tm := newTeam(t)
	for name, want := range map[string]fault.Code{"New name": "", "新公司 (上海)": "", " ": fault.FieldInvalid, "\t": fault.FieldInvalid,
		"a\nb": fault.FieldInvalid, "a\u202eb": fault.FieldInvalid, "a\u2028b": fault.FieldInvalid, "\ufffe": fault.FieldInvalid} {
		if got := tm.as("owner", "PATCH", "/account", body("name", name)); got != want {
			t.Errorf("rename to %q: %q, want %q", name, got, want)
		}
		err := tm.SignUp(t.Context(), account.SignUp{Email: bob, Password: good, Account: name}, tm.visit)
		if got := code(err); got != want {
			t.Errorf("sign up as %q: %q, want %q", name, got, want)
		}
	}
}

func TestLastOwner(t *testing.T) {
	w := newWorld(t)
	developer, made := w.signUp(ann)
	owner := w.login(ann, good)
	w.refused("leave", w.Remove(t.Context(), w.caller(owner), developer.ID, w.visit), fault.LastOwner)
	_, err := w.SetRole(t.Context(), w.caller(owner), developer.ID, authz.Admin, w.visit)
	w.refused("step down", err, fault.LastOwner)
	w.member(made, owner, bob, authz.Owner)
	w.ok("leave with another", w.Remove(t.Context(), w.caller(owner), developer.ID, w.visit))
}

// Whoever was only invited, or has left every account, makes one of their own; a repeated creation finds the first.
func TestCreateAnotherAccount(t *testing.T) {
	w := newWorld(t)
	_, of := w.enter(ann)
	session := w.member(of, w.login(ann, good), bob, authz.Auditor)
	w.ok("leave", w.Remove(t.Context(), w.caller(session), w.caller(session).Developer, w.visit))
	if caller := w.caller(session); caller.Role != "" {
		t.Fatalf("left, and still %q", caller.Role)
	}
	made, err := w.Create(t.Context(), w.caller(session), "Bob's own", "first")
	w.ok("Create", err)
	if caller := w.caller(session); caller.Role != authz.Owner || caller.Account != made.ID {
		t.Errorf("the session stands in %q as %q", caller.Account, caller.Role)
	}
	again, err := w.Create(t.Context(), w.caller(session), "Bob's own", "first")
	w.ok("Create again", err)
	if again != made {
		t.Errorf("created again: %+v, want %+v", again, made)
	}
	_, err = w.Create(t.Context(), w.caller(session), "Another", "first")
	w.refused("another under the same key", err, fault.IdempotencyConflict)
	_, err = w.Create(t.Context(), w.caller(session), "\u202ebad", "")
	w.refused("a bad name", err, fault.FieldInvalid)
	for range 49 {
		_, err = w.Create(t.Context(), w.caller(session), "one more", "")
		w.ok("Create one more", err)
	}
	_, err = w.Create(t.Context(), w.caller(session), "too many", "")
	w.refused("too many", err, fault.TooMany)
}

func TestSwitch(t *testing.T) {
	w := newWorld(t)
	_, mine := w.signUp(ann)
	_, theirs := w.signUp(bob)
	session := w.login(ann, good)
	_, err := w.Switch(t.Context(), w.caller(session), theirs.ID)
	w.refused("Switch", err, fault.AccountNotFound)
	_, err = w.Invite(t.Context(), w.caller(w.login(bob, good)), ann, authz.Auditor, w.visit)
	w.ok("Invite", err)
	token := w.token(ann, account.ActionInvitation)
	_, err = w.Accept(t.Context(), token, "", w.visit)
	w.ok("Accept", err)
	member, err := w.Switch(t.Context(), w.caller(session), theirs.ID)
	if caller := w.caller(session); err != nil || member.Role != authz.Auditor || caller.Account != theirs.ID || caller.Role != authz.Auditor {
		t.Fatalf("Switch = %+v, %v; then %+v", member, err, caller)
	}
	_, err = w.Switch(t.Context(), w.caller(session), mine.ID)
	w.ok("Switch back", err)
	if caller := w.caller(session); caller.Role != authz.Owner {
		t.Errorf("back as %+v", caller)
	}
}

func TestInvitations(t *testing.T) {
	w := newWorld(t)
	_, made := w.signUp(ann)
	owner := w.login(ann, good)
	open, err := w.Invite(t.Context(), w.caller(owner), bob, authz.Admin, w.visit)
	w.ok("Invite", err)
	token := w.token(bob, account.ActionInvitation)
	_, err = w.Accept(t.Context(), token, short, w.visit)
	w.refused("a short password", err, fault.PasswordTooShort)
	w.ok("Withdraw", w.Withdraw(t.Context(), w.caller(owner), open.ID, w.visit))
	_, err = w.Accept(t.Context(), token, good, w.visit)
	w.refused("a withdrawn one", err, fault.LinkInvalid)
	w.member(made, owner, bob, authz.Admin)
	_, err = w.Invite(t.Context(), w.caller(owner), bob, authz.Owner, w.visit)
	w.ok("Invite a member", err)
	_, err = w.Accept(t.Context(), w.token(bob, account.ActionInvitation), "", w.visit)
	w.refused("a member", err, fault.MemberExists)
	if got := w.call(http.MethodGet, "/account/invitations", "", "Authorization: Bearer "+owner); got.Code != http.StatusOK {
		t.Errorf("list: %s", got.Body)
	}
}
