package account_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/mail"
)

func TestCVE_2026_3590_ResetLinkUsedTwice(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	w.ok("Forgot", w.Forgot(t.Context(), ann, w.visit))
	first := w.token(ann, account.ActionReset)
	w.ok("Forgot", w.Forgot(t.Context(), ann, w.visit))
	second := w.token(ann, account.ActionReset)
	w.ok("Reset", w.Reset(t.Context(), second, better, w.visit))
	for name, token := range map[string]string{"the same link": second, "one mailed before the change": first} {
		w.refused(name, w.Reset(t.Context(), token, "yet another set of words", w.visit), fault.LinkInvalid)
	}
	w.login(ann, better)
}

// Which account, which role and which address an invitation is for was decided when it was mailed.
func TestCVE_2022_21706_InvitationAcrossTenants(t *testing.T) {
	w := newWorld(t)
	_, mine := w.signUp(ann)
	_, other := w.signUp("eve@example.com")
	_, err := w.Invite(t.Context(), w.caller(w.login(ann, good)), bob, authz.Auditor, w.visit)
	w.ok("Invite", err)
	token := w.token(bob, account.ActionInvitation)
	for _, member := range []string{"account_id", "account", "role", "email", "invitation_id"} {
		got := w.call(http.MethodPost, "/invitations/accept", body("token", token, "password", good, member, string(other.ID)))
		if answered(got) != fault.FieldUnknown {
			t.Errorf("%s: %s", member, got.Body)
		}
	}
	member, err := w.Accept(t.Context(), token, good, w.visit)
	if err != nil || member.Account != mine.ID || member.Role != authz.Auditor {
		t.Fatalf("Accept = %+v, %v", member, err)
	}
	eve := w.caller(w.login("eve@example.com", good))
	open, err := w.Invite(t.Context(), w.caller(w.login(ann, good)), "carl@example.com", authz.Admin, w.visit)
	w.ok("Invite", err)
	w.refused("Withdraw another's", w.Withdraw(t.Context(), eve, open.ID, w.visit), fault.InvitationNotFound)
	w.refused("Remove another's", w.Remove(t.Context(), eve, member.Developer, w.visit), fault.MemberNotFound)
	_, err = w.SetRole(t.Context(), eve, member.Developer, authz.Admin, w.visit)
	w.refused("SetRole of another's", err, fault.MemberNotFound)
	_, err = w.Switch(t.Context(), eve, mine.ID)
	w.refused("Switch to another's", err, fault.AccountNotFound)
}

// A code is good for one proof, whether at a login or at a step-up, and however the clock stands within its window.
func TestCVE_2026_27855_TOTPReplay(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	session := w.login(ann, good)
	f := w.turnOn(session)
	first := account.Proof{Password: good, Code: f.now()}
	_, err := w.try(ann, first)
	w.refused("the code that turned it on, at a login", err, fault.SecondFactorWrong)
	used := account.Proof{Password: good, Code: f.next()}
	_, err = w.try(ann, used)
	w.ok("Login", err)
	for name, proof := range map[string]account.Proof{"used": used, "older": first} {
		_, err = w.try(ann, proof)
		w.refused(name+" at a login", err, fault.SecondFactorWrong)
		caller := w.caller(session)
		w.refused(name+" at a step-up", w.StepUp(t.Context(), caller, proof, w.visit), fault.SecondFactorWrong)
		w.refused(name+" to turn it off", w.TurnOffFactor(t.Context(), caller, proof, w.visit), fault.SecondFactorWrong)
	}
	caller := w.caller(session)
	w.refused("for a password", w.ChangePassword(t.Context(), caller, used, better, w.visit), fault.SecondFactorWrong)
	w.clock.Advance(30 * time.Second)
	fresh := account.Proof{Password: good, Code: f.now()}
	w.ok("StepUp", w.StepUp(t.Context(), caller, fresh, w.visit))
	_, err = w.try(ann, fresh)
	w.refused("that of a step-up, at a login", err, fault.SecondFactorWrong)
}

// There is no way to a session, nor past a step-up, that leaves the second factor out.
func TestCVE_2025_55070_WithoutMFA(t *testing.T) {
	w := newWorld(t)
	w.signUp("eve@example.com")
	developer, _ := w.signUp(ann)
	session := w.login(ann, good)
	f := w.turnOn(session)
	w.ok("Forgot", w.Forgot(t.Context(), ann, w.visit))
	w.ok("Reset", w.Reset(t.Context(), w.token(ann, account.ActionReset), better, w.visit))
	needs := func(way string, attempt account.Attempt) {
		t.Helper()
		attempt.Proof = account.Proof{Password: better}
		_, _, err := w.Login(t.Context(), attempt, w.visit)
		w.refused(way, err, fault.SecondFactorRequired)
		attempt.Code = f.other()
		_, _, err = w.Login(t.Context(), attempt, w.visit)
		w.refused(way, err, fault.SecondFactorWrong)
	}
	needs("after a reset", account.Attempt{Email: ann})
	w.ok("AskUnlock", w.AskUnlock(t.Context(), ann, w.visit))
	needs("with an unlock link", account.Attempt{Email: ann, Unlock: w.token(ann, account.ActionUnlock)})
	_, err := w.Invite(t.Context(), w.caller(w.login("eve@example.com", good)), ann, authz.Admin, w.visit)
	w.ok("Invite", err)
	_, err = w.Accept(t.Context(), w.token(ann, account.ActionInvitation), "a password of the one who invites", w.visit)
	w.ok("Accept", err)
	w.clock.Advance(time.Hour)
	needs("after an invitation", account.Attempt{Email: ann})
	if all, err := w.Sessions.List(t.Context(), developer.ID); err != nil || len(all) > 0 {
		t.Errorf("sessions %v, %v", all, err)
	}
	w.clock.Advance(time.Hour)
	session, err = w.try(ann, account.Proof{Password: better, Code: f.next()})
	w.ok("Login", err)
	w.refused("a step-up", w.StepUp(t.Context(), w.caller(session), account.Proof{Password: better}, w.visit), fault.SecondFactorRequired)
	w.ok("ChangeEmail", w.ChangeEmail(t.Context(), w.caller(session), bob, w.visit))
	w.ok("ConfirmEmail", w.ConfirmEmail(t.Context(), w.token(bob, account.ActionEmail), w.visit))
	needs("after a change of address", account.Attempt{Email: bob})
}

// The right password does not give new guesses at the code: whoever has stolen it would try all million.
func TestGuessesAtCodesAreCounted(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	f := w.turnOn(w.login(ann, good))
	tried := 0
	for range 50 {
		_, err := w.try(ann, account.Proof{Password: good})
		if code(err) == fault.SecondFactorRequired {
			_, err = w.try(ann, account.Proof{Password: good, Code: f.other()})
		}
		if code(err) == fault.SecondFactorWrong {
			tried++
		}
	}
	if tried > 5 {
		t.Errorf("%d codes were tried without a wait", tried)
	}
}

func TestCVE_2026_9162_RevokedSession(t *testing.T) {
	w := newWorld(t)
	developer, made := w.signUp(ann)
	app := id.Source{}.App()
	w.store.AddApp(made.ID, app)
	reset := func() error {
		w.ok("Forgot", w.Forgot(t.Context(), ann, w.visit))
		return w.Reset(t.Context(), w.token(ann, account.ActionReset), good, w.visit)
	}
	for way, end := range map[string]func(mine, other authz.Caller) error{
		"ended": func(mine, _ authz.Caller) error { return w.Sessions.End(t.Context(), developer.ID, mine.Session) },
		"all":   func(_, other authz.Caller) error { return w.EndOthers(t.Context(), other, w.visit) },
		"reset": func(authz.Caller, authz.Caller) error { return reset() },
		"changed": func(_, other authz.Caller) error {
			return w.ChangePassword(t.Context(), other, account.Proof{Password: good}, good, w.visit)
		},
		"logged out": func(authz.Caller, authz.Caller) error { return nil },
	} {
		mine, other := w.login(ann, good), w.login(ann, good)
		if got := w.call(http.MethodGet, "/account", "", "Authorization: Bearer "+mine); got.Code != http.StatusOK {
			t.Fatalf("%s, before: %s", way, got.Body)
		}
		w.ok(way, end(w.caller(mine), w.caller(other)))
		if way == "logged out" {
			w.call(http.MethodPost, "/logout", "", "Authorization: Bearer "+mine)
		}
		for _, request := range []string{"GET /account", "GET /sessions", "DELETE /sessions", "POST /account/mfa", "GET /account/members"} {
			method, path, _ := strings.Cut(request, " ")
			got := w.call(method, path, "", "Authorization: Bearer "+mine, "X-App-Id: "+app.String())
			if answered(got) != fault.SessionInvalid {
				t.Errorf("%s, then %s: %s", way, request, got.Body)
			}
		}
	}
}

// Every field that takes a password bounds it before anything is computed from it.
func TestCVE_2026_24458_PasswordLength(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	session := w.login(ann, good)
	w.ok("Forgot", w.Forgot(t.Context(), ann, w.visit))
	reset := w.token(ann, account.ActionReset)
	_, err := w.Invite(t.Context(), w.caller(session), bob, authz.Admin, w.visit)
	w.ok("Invite", err)
	invitation := w.token(bob, account.ActionInvitation)
	for _, length := range []int{257, 1025, 60_000} {
		long := strings.Repeat("x7", length)[:length]
		for request, sent := range map[string]string{
			"/signup":              body("email", unknown, "password", long),
			"/login":               body("email", ann, "password", long),
			"/password/reset":      body("token", reset, "password", long),
			"/invitations/accept":  body("token", invitation, "password", long),
			"/session/confirm":     body("password", long),
			"/account/mfa/off":     body("password", long),
			"/account/password":    body("password", long, "new_password", better),
			"/account/password?":   body("password", good, "new_password", long),
			"/account/mfa/confirm": body("code", long),
		} {
			w.clock.Advance(time.Hour)
			session = w.login(ann, good)
			var got *httptest.ResponseRecorder
			spent := hashed(func() {
				got = w.call(http.MethodPost, strings.TrimSuffix(request, "?"), sent, "Authorization: Bearer "+session)
			})
			if got.Code < 400 || got.Code >= 500 || spent > 1 || spent > 0 && !strings.HasSuffix(request, "?") {
				t.Errorf("%s with %d characters: %d hashes, %d %s", request, length, spent, got.Code, got.Body)
			}
		}
	}
}

// Whoever was removed does not come back by an invitation of their own, nor one who was demoted to the old role.
func TestInvitationsFallWithTheInviter(t *testing.T) {
	w := newWorld(t)
	_, made := w.signUp(ann)
	owner := w.login(ann, good)
	for _, fate := range []string{"removed", "demoted"} {
		address := fate + "@example.com"
		admin := w.member(made, owner, address, authz.Admin)
		_, err := w.Invite(t.Context(), w.caller(admin), "second."+address, authz.Admin, w.visit)
		w.ok("Invite", err)
		token := w.token("second."+address, account.ActionInvitation)
		if fate == "removed" {
			w.ok("Remove", w.Remove(t.Context(), w.caller(owner), w.caller(admin).Developer, w.visit))
		} else {
			_, err = w.SetRole(t.Context(), w.caller(owner), w.caller(admin).Developer, authz.Auditor, w.visit)
			w.ok("SetRole", err)
		}
		_, err = w.Accept(t.Context(), token, good, w.visit)
		w.refused("an invitation by one who was "+fate, err, fault.LinkInvalid)
	}
}

// An unlock link is of the login that it was mailed for, as it was then.
func TestUnlockLinkFallsWithTheAddress(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	w.ok("AskUnlock", w.AskUnlock(t.Context(), ann, w.visit))
	attempt := account.Attempt{Email: ann, Proof: account.Proof{Password: good}, Unlock: w.token(ann, account.ActionUnlock)}
	w.ok("ChangeEmail", w.ChangeEmail(t.Context(), w.caller(w.login(ann, good)), bob, w.visit))
	w.ok("ConfirmEmail", w.ConfirmEmail(t.Context(), w.token(bob, account.ActionEmail), w.visit))
	w.signUp(ann)
	_, _, err := w.Login(t.Context(), attempt, w.visit)
	w.refused("the older login's link", err, fault.LinkInvalid)
}

// Nobody can keep the mails from an owner that lead back in by asking for other mails.
func TestMailsAreCountedByKind(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	w.signUp("eve@example.com")
	eve := w.login("eve@example.com", good)
	for range 20 {
		_ = w.SignUp(t.Context(), account.SignUp{Email: ann, Password: better}, w.visit)
		_ = w.Resend(t.Context(), ann, w.visit)
		_ = w.ChangeEmail(t.Context(), w.caller(eve), ann, w.visit)
		_, _ = w.Invite(t.Context(), w.caller(eve), ann, authz.Admin, w.visit)
	}
	mails := w.kinds(ann)
	if len(mails) > 15 || slices.Contains(mails, mail.ConfirmSignUp) {
		t.Errorf("%d mails: %v", len(mails), mails)
	}
	w.visit.Source = w.visit.Source.Next()
	w.ok("Forgot", w.Forgot(t.Context(), ann, w.visit))
	w.token(ann, account.ActionReset)
	w.ok("AskUnlock", w.AskUnlock(t.Context(), ann, w.visit))
	w.token(ann, account.ActionUnlock)
}

// What a refusal says of a new password names the field that it stood in.
func TestNewPasswordsField(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	got := w.call(http.MethodPost, "/account/password", body("password", good, "new_password", "short"), "Authorization: Bearer "+w.login(ann, good))
	var problem struct{ Errors []struct{ Field string } }
	w.ok("Unmarshal", json.Unmarshal(got.Body.Bytes(), &problem))
	if len(problem.Errors) != 1 || problem.Errors[0].Field != "new_password" {
		t.Errorf("answer %s", got.Body)
	}
}
