//go:build conformance

package conformance

import (
	"net/http"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// roles are a team's, the mightiest first, and then nobody: a login that is no member of its session's account any more.
var roles = []string{"owner", "admin", "auditor", "nobody"}

// allowance is a request with a session, and what each of the roles is answered.
type allowance struct {
	request client.Request
	// answers has, by role, a code, or "" for success.
	answers [4]string
}

// answers by what the least role is that may do it; code is what it is answered, "" for success.
func fromOwner(code string) [4]string {
	return [4]string{code, "permission_denied", "permission_denied", "permission_denied"}
}
func fromAdmin(code string) [4]string {
	return [4]string{code, code, "permission_denied", "permission_denied"}
}
func fromAuditor(code string) [4]string { return [4]string{code, code, code, "permission_denied"} }
func forAnybody(code string) [4]string  { return [4]string{code, code, code, code} }
func forNobody() [4]string {
	return [4]string{"permission_denied", "permission_denied", "permission_denied", "permission_denied"}
}

// outsideApps are the requests that concern a login or an account. None changes anything that another test minds.
func outsideApps(t team) []allowance {
	del, patch := http.MethodDelete, http.MethodPatch
	absent := "dev_" + "0000000000000000000000"
	return []allowance{
		{client.Request{Path: "/account"}, forAnybody("")},
		{client.Request{Path: "/sessions"}, forAnybody("")},
		{client.Request{Method: del, Path: "/sessions/absent"}, forAnybody("session_not_found")},
		{client.Request{Path: "/session/confirm", Body: object{"password": password}}, forAnybody("")},
		{client.Request{Path: "/account/password", Body: object{"password": password, "new_password": "short"}}, forAnybody("password_too_short")},
		{client.Request{Path: "/account/email", Body: object{"email": "nowhere"}}, forAnybody("email_invalid")},
		{client.Request{Method: http.MethodPost, Path: "/account/mfa"}, forAnybody("")},
		{client.Request{Path: "/account/mfa/confirm", Body: object{"code": "x"}}, forAnybody("second_factor_wrong")},
		{client.Request{Method: http.MethodPost, Path: "/account/mfa/recovery-codes"}, forAnybody("second_factor_off")},
		{client.Request{Path: "/account/mfa/off", Body: object{"password": password}}, forAnybody("second_factor_off")},
		{client.Request{Path: "/account/switch", Body: object{"account_id": t.outsider.account}}, forAnybody("account_not_found")},
		{client.Request{Method: patch, Path: "/account", Body: object{"name": "Account of owner"}}, fromOwner("")},
		{client.Request{Path: "/accounts", Body: object{"name": " "}}, forAnybody("field_invalid")},
		{client.Request{Path: "/account/members"}, fromAuditor("")},
		{client.Request{Method: patch, Path: "/account/members/" + absent, Body: object{"role": "auditor"}}, fromAdmin("member_not_found")},
		{client.Request{Method: patch, Path: "/account/members/" + t.auditor.id, Body: object{"role": "auditor"}}, fromAdmin("")},
		{client.Request{Method: patch, Path: "/account/members/" + t.auditor.id, Body: object{"role": "owner"}},
			[4]string{"-", "role_too_high", "permission_denied", "permission_denied"}},
		{client.Request{Method: patch, Path: "/account/members/" + t.owner.id, Body: object{"role": "auditor"}},
			[4]string{"last_owner", "role_too_high", "permission_denied", "permission_denied"}},
		{client.Request{Method: del, Path: "/account/members/" + absent}, fromAuditor("member_not_found")},
		{client.Request{Method: del, Path: "/account/members/" + t.owner.id}, [4]string{"last_owner", "role_too_high", "permission_denied", "permission_denied"}},
		{client.Request{Path: "/account/invitations", Body: object{"email": "nowhere", "role": "auditor"}}, fromAdmin("email_invalid")},
		{client.Request{Path: "/account/invitations", Body: object{"email": "new@example.com", "role": "owner"}},
			[4]string{"-", "role_too_high", "permission_denied", "permission_denied"}},
		{client.Request{Path: "/account/invitations"}, fromAuditor("")},
		{client.Request{Method: del, Path: "/account/invitations/absent"}, fromAdmin("invitation_not_found")},
		{client.Request{Path: "/apps", Body: object{"name": "x", "allowed_origins": []string{"nowhere"}}}, fromAdmin("origin_invalid")},
		{client.Request{Path: "/apps"}, fromAuditor("")},
		{client.Request{Path: "/apps/" + t.app}, fromAuditor("")},
		{client.Request{Method: patch, Path: "/apps/" + t.app, Body: object{"name": "Chat"}}, fromAdmin("")},
		{client.Request{Method: del, Path: "/apps/app_0000000000000000"}, fromAdmin("app_not_found")},
		{client.Request{Method: http.MethodPost, Path: "/apps/" + t.app + "/restore"}, fromAdmin("app_not_deleted")},
	}
}

// withinApps are the requests that are made in an app, which X-App-Id names.
func withinApps(ann, bob person, conversation string) []allowance {
	del := http.MethodDelete
	mark := func(which string) client.Request {
		return client.Request{Path: "/users/" + bob.ID + "/conversations/" + conversation + "/" + which, Body: object{"seq": 1}}
	}
	return []allowance{
		{client.Request{Path: "/keys"}, fromAuditor("")},
		{client.Request{Path: "/keys/key_absent"}, fromAuditor("key_not_found")},
		{client.Request{Path: "/keys", Body: object{"name": "x", "scopes": []string{"x"}}}, fromAdmin("scope_unknown")},
		{client.Request{Path: "/keys/key_absent/rotate", Body: object{}}, fromAdmin("key_not_found")},
		{client.Request{Method: del, Path: "/keys/key_absent"}, fromAdmin("key_not_found")},
		{client.Request{Path: "/register", Body: object{"username": ann.Name}}, fromAdmin("username_taken")},
		{client.Request{Path: "/users"}, fromAuditor("")},
		{client.Request{Path: "/users/" + ann.ID}, fromAuditor("")},
		{client.Request{Path: "/users/absent/tokens", Body: object{}}, fromAdmin("user_not_found")},
		{client.Request{Method: del, Path: "/users/absent/tokens"}, fromAdmin("user_not_found")},
		{client.Request{Path: "/tickets", Body: object{}}, forNobody()},
		{client.Request{Path: "/send", Body: object{"from": ann.ID, "to": bob.ID, "message": "hello"}}, fromAdmin("")},
		{client.Request{Path: "/users/" + bob.ID + "/messages"}, fromAdmin("")},
		{client.Request{Path: "/users/" + bob.ID + "/conversations"}, fromAdmin("")},
		{client.Request{Path: "/conversations/" + conversation + "/messages"}, fromAdmin("")},
		{mark("ack"), fromAdmin("")}, {mark("read"), fromAdmin("")},
	}
}

func TestWhatRolesMayDo(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	former := newMember(t, all.owner, "admin")
	wantStatus(t, remove(t, all.owner.session, "/account/members/"+former.id), http.StatusOK)
	members := []developer{all.owner, all.admin, all.auditor, former}
	for _, allowed := range outsideApps(all) {
		wantAllowance(t, members, allowed)
	}
	_, key := keyOf(t, all.owner, all.app, nil, "users:register", "messages:send")
	ann, bob := registerBy(t, key, "ann"), registerBy(t, key, "bob")
	conversation := post(t, key, "/send", object{"from": ann.ID, "to": bob.ID, "message": "hello"}).Text("conversation_id")
	for _, allowed := range withinApps(ann, bob, conversation) {
		for i, member := range members[:3] {
			if allowed.answers[i] != "permission_denied" { // what is denied is denied without an app, too
				wantRefusal(t, do(t, member.session, allowed.request), http.StatusBadRequest, "app_not_chosen")
			}
		}
		allowed.answers[3] = "app_not_found" // who is no member finds none of the account's apps
		if allowed.answers == [4]string{"permission_denied", "permission_denied", "permission_denied", "app_not_found"} {
			allowed.answers[3] = "permission_denied"
		}
		allowed.request.Header = map[string]string{"X-App-Id": all.app}
		wantAllowance(t, members, allowed)
	}
}

// registerBy makes a user in the app of a key.
func registerBy(t *testing.T, key client.Installation, prefix string) person {
	t.Helper()
	name := unique(prefix)
	answer := post(t, key, "/register", object{"username": name})
	wantStatus(t, answer, http.StatusCreated)
	return person{ID: answer.Text("user_id"), Name: name}
}

func wantAllowance(t *testing.T, members []developer, allowed allowance) {
	t.Helper()
	for i, want := range allowed.answers {
		if want == "-" {
			continue
		}
		answer := do(t, members[i].session, allowed.request)
		code := answer.Text("code")
		denied := want == "app_not_found" && code == "permission_denied" && roles[i] == "nobody" // either says nothing of the app
		if code != want && !denied || answer.Status >= 500 {
			t.Errorf("%s %s by %s: %q wanted, not %s", allowed.request.Method, allowed.request.Path, roles[i], want, answer)
		}
	}
}

// memberRow is a member as the list shows one.
type memberRow struct {
	DeveloperID string `json:"developer_id"`
	Email       string `json:"email"`
	Role        string `json:"role"`
}

func TestInvitingANewLogin(t *testing.T) {
	t.Parallel()
	owner, email := newDeveloper(t, "owner"), address("invited")
	withdrawn := invite(t, owner, email, "admin")
	var open client.Page[struct {
		ID    string `json:"invitation_id"`
		Email string `json:"email"`
		Role  string `json:"role"`
	}]
	if err := get(t, owner.session, "/account/invitations").Into(&open); err != nil || len(open.Items) != 1 || open.Items[0].Email != email || open.Items[0].Role != "admin" {
		t.Fatalf("open invitations %+v (%v)", open, err)
	}
	foreign := sharedTeam(t).outsider
	wantRefusal(t, remove(t, foreign.session, "/account/invitations/"+open.Items[0].ID), http.StatusNotFound, "invitation_not_found")
	wantStatus(t, remove(t, owner.session, "/account/invitations/"+open.Items[0].ID), http.StatusOK)
	wantRefusal(t, remove(t, owner.session, "/account/invitations/"+open.Items[0].ID), http.StatusNotFound, "invitation_not_found")
	accept := func(token, text string) client.Answer {
		return post(t, owner.visitor, "/invitations/accept", object{"token": token, "password": text})
	}
	wantRefusal(t, accept(withdrawn, password), http.StatusGone, "link_invalid")
	token := invite(t, owner, email, "auditor")
	for text, code := range passwords {
		wantField(t, wantRefusal(t, accept(token, text), 422, code), "password", code)
	}
	wantRefusal(t, post(t, owner.visitor, "/invitations/accept", object{"token": token}), 422, "password_too_short")
	wantRefusal(t, post(t, owner.visitor, "/invitations/accept", object{"token": token, "password": password, "role": "owner"}), 422, "field_unknown")
	joined := accept(token, password)
	wantStatus(t, joined, http.StatusCreated)
	if joined.Text("role") != "auditor" || joined.Text("account_id") != owner.account {
		t.Errorf("%s", joined)
	}
	wantRefusal(t, accept(token, password), http.StatusGone, "link_invalid")
	member := developer{email: email, password: password, visitor: visitor(), id: joined.Text("developer_id")}
	member.session = logIn(t, member, nil)
	listed := pages[memberRow](t, owner.session, "/account/members?limit=1")
	if !slices.Contains(listed, memberRow{member.id, email, "auditor"}) || !slices.Contains(listed, memberRow{owner.id, owner.email, "owner"}) || len(listed) != 2 {
		t.Errorf("members %+v", listed)
	}
	wantRoles(t, owner, member)
}

// wantRoles moves a member up and down and takes it out.
func wantRoles(t *testing.T, owner, member developer) {
	t.Helper()
	role := func(by, of developer, role string) client.Answer {
		return patch(t, by.session, "/account/members/"+of.id, object{"role": role})
	}
	wantRefusal(t, role(owner, member, "emperor"), 422, "field_invalid")
	wantStatus(t, role(owner, member, "owner"), http.StatusOK)
	awaitMail(t, member.email, "owner")
	wantStatus(t, role(member, owner, "admin"), http.StatusOK)
	wantRefusal(t, role(owner, member, "admin"), http.StatusForbidden, "role_too_high")
	wantRefusal(t, role(member, member, "admin"), http.StatusConflict, "last_owner")
	wantRefusal(t, remove(t, member.session, "/account/members/"+member.id), http.StatusConflict, "last_owner")
	wantRefusal(t, remove(t, owner.session, "/account/members/"+member.id), http.StatusForbidden, "role_too_high")
	wantRefusal(t, patch(t, owner.session, "/account", object{"name": "mine"}), http.StatusForbidden, "permission_denied")
	wantStatus(t, role(member, owner, "owner"), http.StatusOK)
	wantStatus(t, remove(t, member.session, "/account/members/"+member.id), http.StatusOK) // everybody may leave
	wantRefusal(t, get(t, member.session, "/account/members"), http.StatusForbidden, "permission_denied")
	if accounts := get(t, member.session, "/account"); string(accounts.Body) == "" || accounts.Status != http.StatusOK {
		t.Errorf("the login is gone: %s", accounts)
	}
}

func TestInvitingALoginAndSwitching(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	guest := newDeveloper(t, "guest")
	own := newApp(t, guest)
	token := invite(t, all.owner, guest.email, "admin")
	again := invite(t, all.owner, guest.email, "auditor")
	joined := post(t, guest.visitor, "/invitations/accept", object{"token": token, "password": otherPassword})
	wantStatus(t, joined, http.StatusCreated)
	if joined.Text("developer_id") != guest.id || joined.Text("role") != "admin" {
		t.Errorf("%s", joined)
	}
	logIn(t, guest, nil) // the password stays
	if answer := tryLogin(t, guest, object{"password": otherPassword}); answer.Text("code") != "invalid_credentials" {
		t.Errorf("the invitation has set a password: %s", answer)
	}
	wantRefusal(t, post(t, guest.visitor, "/invitations/accept", object{"token": again}), http.StatusConflict, "member_exists")
	wantStatus(t, get(t, guest.in(own), "/keys"), http.StatusOK)
	wantRefusal(t, get(t, guest.in(all.app), "/keys"), http.StatusNotFound, "app_not_found")
	elsewhere := logIn(t, guest, nil)
	switched := post(t, guest.session, "/account/switch", object{"account_id": all.owner.account})
	wantStatus(t, switched, http.StatusOK)
	if switched.Text("role") != "admin" {
		t.Errorf("%s", switched)
	}
	wantStatus(t, get(t, guest.in(all.app), "/keys"), http.StatusOK)
	wantRefusal(t, get(t, guest.in(own), "/keys"), http.StatusNotFound, "app_not_found")
	wantStatus(t, get(t, elsewhere.In(own), "/keys"), http.StatusOK) // each session stands for itself
	for _, id := range []string{all.outsider.account, "acct_0000000000000000", "acct_", "x", guest.id, own} {
		wantRefusal(t, post(t, guest.session, "/account/switch", object{"account_id": id}), http.StatusNotFound, "account_not_found")
	}
	wantStatus(t, remove(t, all.owner.session, "/account/members/"+guest.id), http.StatusOK)
	awaitMail(t, guest.email, "no longer")
	wantRefusal(t, get(t, guest.session, "/apps"), http.StatusForbidden, "permission_denied")
	wantStatus(t, post(t, guest.session, "/account/switch", object{"account_id": guest.account}), http.StatusOK)
	wantStatus(t, get(t, guest.in(own), "/keys"), http.StatusOK)
}

// TestChoosingAnApp: the header names one of the account's apps, or nothing is done.
func TestChoosingAnApp(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	wantRefusal(t, get(t, all.owner.session, "/keys"), http.StatusBadRequest, "app_not_chosen")
	wantStatus(t, get(t, all.owner.in(all.app), "/keys"), http.StatusOK)
	for _, id := range []string{all.foreign, "app_0000000000000000", "app_", "x", "app", all.app + "0", all.app[:len(all.app)-1], all.owner.account, "*",
		all.app + "," + all.foreign, all.foreign + "#x", "%00"} {
		wantRefusal(t, get(t, all.owner.in(id), "/keys"), http.StatusNotFound, "app_not_found")
		wantRefusal(t, post(t, all.owner.in(id), "/keys", object{"name": "x", "scopes": []string{"users:read"}}), http.StatusNotFound, "app_not_found")
	}
	_, key := keyOf(t, all.owner, all.app, nil, "users:list")
	for _, id := range []string{all.foreign, all.app, "x"} { // a key has its app; the header changes nothing
		answer := do(t, key, client.Request{Path: "/users", Header: map[string]string{"X-App-Id": id}})
		wantStatus(t, answer, http.StatusOK)
	}
}

// TestActingForUsersWithASession: what a developer's session has in an app is what a key with the role's permissions has.
func TestActingForUsersWithASession(t *testing.T) {
	t.Parallel()
	all := sharedTeam(t)
	appID := newApp(t, all.owner)
	by := all.admin.in(appID)
	ann, bob := registerBy(t, by, "ann"), registerBy(t, by, "bob")
	if minted := post(t, by, "/users/"+ann.ID+"/tokens", object{}); minted.Status < 400 { // or it is refused
		wantStatus(t, get(t, app.With(minted.Text("token")), "/users/"+ann.ID), http.StatusOK)
	}
	_, key := keyOf(t, all.admin, appID, nil, "tokens:manage")
	socket := dial(t, as(t, key, ann, nil), client.DialOptions{})
	awaitResume(t, socket)
	for _, from := range []string{bob.ID, bob.Name} {
		sent := post(t, by, "/send", object{"from": from, "to": ann.ID, "message": "hello"})
		wantStatus(t, sent, http.StatusOK)
		awaitEvent(t, socket, 0, carries(sent.Text("message_id")))
	}
	wantStatus(t, remove(t, by, "/users/"+ann.ID+"/tokens"), http.StatusNoContent)
	waitClosed(t, socket)
}

// TestAnotherAccount: a developer may own several; the session stands in the one that was made last.
func TestAnotherAccount(t *testing.T) {
	t.Parallel()
	who := newDeveloper(t, "ann")
	first := newApp(t, who)
	request := client.Request{Path: "/accounts", Body: object{"name": "Second"}, Header: map[string]string{"Idempotency-Key": unique("account")}}
	answers := together(5, func(int) client.Answer { return do(t, who.session, request) })
	second := answers[0].Text("account_id")
	for _, answer := range answers {
		if answer.Status != http.StatusCreated || answer.Text("account_id") != second {
			t.Errorf("%s, but %s", answers[0], answer)
		}
	}
	request.Body = object{"name": "Third"}
	wantRefusal(t, do(t, who.session, request), http.StatusConflict, "idempotency_conflict")
	wantRefusal(t, get(t, who.in(first), "/keys"), http.StatusNotFound, "app_not_found")
	if members := pages[memberRow](t, who.session, "/account/members?limit=10"); len(members) != 1 || members[0].Role != "owner" {
		t.Errorf("members %+v", members)
	}
	wantStatus(t, post(t, who.session, "/account/switch", object{"account_id": who.account}), http.StatusOK)
	wantStatus(t, get(t, who.in(first), "/keys"), http.StatusOK)
}
