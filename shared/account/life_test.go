package account_test

import (
	"bytes"
	"image/png"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/mail"
)

func TestSignUpAndLogin(t *testing.T) {
	w := newWorld(t)
	developer, made := w.signUp(ann)
	if developer.Email != ann || made.Name != "Acme" {
		t.Errorf("signed up as %s in %q", developer.Email, made.Name)
	}
	caller := w.caller(w.login("ANN@example.com", good))
	if caller.Developer != developer.ID || caller.Account != made.ID || caller.Role != authz.Owner {
		t.Errorf("logged in as %+v", caller)
	}
	_, err := w.try(ann, account.Proof{Password: wrong})
	w.refused("a wrong password", err, fault.InvalidCredentials)
	_, err = w.try(unknown, account.Proof{Password: good})
	w.refused("an unknown address", err, fault.InvalidCredentials)
	_, err = w.try("no address", account.Proof{Password: good})
	w.refused("no address", err, fault.EmailInvalid)
}

func TestSignUpRefuses(t *testing.T) {
	w := newWorld(t)
	for password, want := range map[string]fault.Code{
		"short": fault.PasswordTooShort, "passwordpassword": fault.PasswordCommon, "ann@example.com": fault.PasswordOwnWords,
		"acme widgets 12": fault.PasswordOwnWords, "a\x00 control character": fault.PasswordInvalid,
		string(bytes.Repeat([]byte{'x', 'y', 'z'}, 100)): fault.PasswordTooLong,
	} {
		err := w.SignUp(t.Context(), account.SignUp{Email: ann, Password: password, Account: "Acme Widgets"}, w.visit)
		w.refused(password, err, want)
	}
	if mails := w.mails(ann); len(mails) > 0 {
		t.Errorf("mails %v", mails)
	}
}

// The login exists with the confirmation, and not before; a lost mail can be had again.
func TestConfirm(t *testing.T) {
	w := newWorld(t)
	w.ok("SignUp", w.SignUp(t.Context(), account.SignUp{Email: ann, Password: good}, w.visit))
	first := w.token(ann, account.ActionConfirm)
	_, err := w.try(ann, account.Proof{Password: good})
	w.refused("before the confirmation", err, fault.AccountNotActivated)
	w.ok("Resend", w.Resend(t.Context(), ann, w.visit))
	second := w.token(ann, account.ActionConfirm)
	_, made, err := w.Confirm(t.Context(), second, good, w.visit)
	w.ok("Confirm", err)
	if made.Name != ann {
		t.Errorf("an account without a name is called %q", made.Name)
	}
	for _, token := range []string{first, second, "", "no token"} {
		_, _, err := w.Confirm(t.Context(), token, good, w.visit)
		w.refused("Confirm again", err, fault.LinkInvalid)
	}
	w.login(ann, good)
	w.ok("Resend", w.Resend(t.Context(), ann, w.visit))
	w.ok("SignUp", w.SignUp(t.Context(), account.SignUp{Email: ann, Password: better}, w.visit))
	if kinds := w.kinds(ann); !slices.Equal(kinds, []mail.Kind{mail.AlreadyRegistered}) {
		t.Errorf("a known address got %v", kinds)
	}
	w.login(ann, good)
}

func TestConfirmTooLate(t *testing.T) {
	w := newWorld(t)
	w.ok("SignUp", w.SignUp(t.Context(), account.SignUp{Email: ann, Password: good}, w.visit))
	token := w.token(ann, account.ActionConfirm)
	w.clock.Advance(24 * time.Hour)
	_, _, err := w.Confirm(t.Context(), token, good, w.visit)
	w.refused("Confirm after a day", err, fault.LinkInvalid)
	_, err = w.try(ann, account.Proof{Password: good})
	w.refused("Login after a day", err, fault.InvalidCredentials)
}

// Whoever follows the link of a stranger's sign-up confirms nothing: it asks for the password that the stranger chose. A
// link is good for a few guesses at that.
func TestConfirmNeedsThePassword(t *testing.T) {
	w := newWorld(t)
	w.ok("SignUp", w.SignUp(t.Context(), account.SignUp{Email: ann, Password: better}, w.visit))
	strangers := w.token(ann, account.ActionConfirm)
	w.ok("SignUp", w.SignUp(t.Context(), account.SignUp{Email: ann, Password: good}, w.visit))
	mine := w.token(ann, account.ActionConfirm)
	_, _, err := w.Confirm(t.Context(), strangers, good, w.visit)
	w.refused("the stranger's link", err, fault.InvalidCredentials)
	for range 4 {
		_, _, err = w.Confirm(t.Context(), strangers, wrong, w.visit)
		w.refused("a guess", err, fault.InvalidCredentials)
	}
	_, _, err = w.Confirm(t.Context(), strangers, better, w.visit)
	w.refused("a sixth guess", err, fault.TooManyAttempts)
	_, _, err = w.Confirm(t.Context(), mine, good, w.visit)
	w.ok("Confirm", err)
	w.login(ann, good)
}

// Whoever signs up with another's address sets no password for it: each link leads to the password of its own sign-up.
func TestSignUpsWithOneAddressAreApart(t *testing.T) {
	w := newWorld(t)
	w.ok("SignUp", w.SignUp(t.Context(), account.SignUp{Email: ann, Password: good}, w.visit))
	mine := w.token(ann, account.ActionConfirm)
	w.ok("SignUp", w.SignUp(t.Context(), account.SignUp{Email: ann, Password: better}, w.visit))
	_, _, err := w.Confirm(t.Context(), mine, good, w.visit)
	w.ok("Confirm", err)
	w.login(ann, good)
	_, err = w.try(ann, account.Proof{Password: better})
	w.refused("the other's password", err, fault.InvalidCredentials)
}

func TestReset(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	session := w.login(ann, good)
	w.ok("Forgot", w.Forgot(t.Context(), ann, w.visit))
	token := w.token(ann, account.ActionReset)
	w.refused("a short one", w.Reset(t.Context(), token, short, w.visit), fault.PasswordTooShort)
	w.ok("Reset", w.Reset(t.Context(), token, better, w.visit))
	if kinds := w.kinds(ann); !slices.Equal(kinds, []mail.Kind{mail.PasswordChanged}) {
		t.Errorf("mails %v", kinds)
	}
	_, err := w.whoever(session)
	w.refused("an older session", err, fault.SessionInvalid)
	_, err = w.try(ann, account.Proof{Password: good})
	w.refused("the old password", err, fault.InvalidCredentials)
	w.login(ann, better)
	w.ok("Forgot", w.Forgot(t.Context(), unknown, w.visit))
	if kinds := w.kinds(unknown); !slices.Equal(kinds, []mail.Kind{mail.ResetUnknown}) {
		t.Errorf("an unknown address got %v", kinds)
	}
}

func TestResetTooLate(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	w.ok("Forgot", w.Forgot(t.Context(), ann, w.visit))
	token := w.token(ann, account.ActionReset)
	w.clock.Advance(time.Hour)
	w.refused("Reset after an hour", w.Reset(t.Context(), token, better, w.visit), fault.LinkInvalid)
}

func TestSecondFactor(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	session := w.login(ann, good)
	made, err := w.BeginFactor(t.Context(), w.caller(session))
	w.ok("BeginFactor", err)
	if _, err := png.Decode(bytes.NewReader(made.QR)); err != nil {
		t.Errorf("the QR code is no PNG: %v", err)
	}
	_, err = w.TurnOnFactor(t.Context(), w.caller(session), (&factor{w: w, secret: made.Secret}).other(), w.visit)
	w.refused("a wrong first code", err, fault.SecondFactorWrong)
	f := w.turnOn(session)
	_, err = w.BeginFactor(t.Context(), w.caller(session))
	w.refused("a second one", err, fault.SecondFactorOn)
	_, err = w.try(ann, account.Proof{Password: good})
	w.refused("no code", err, fault.SecondFactorRequired)
	_, err = w.try(ann, account.Proof{Password: good, Code: f.other()})
	w.refused("a wrong code", err, fault.SecondFactorWrong)
	_, err = w.try(ann, account.Proof{Password: wrong, Code: f.next()})
	w.refused("a wrong password with a right code", err, fault.InvalidCredentials)
	_, err = w.try(ann, account.Proof{Password: good, Code: f.now()})
	w.ok("Login", err)
	if kinds := w.kinds(ann); !slices.Equal(kinds, []mail.Kind{mail.MFAEnabled}) {
		t.Errorf("mails %v", kinds)
	}
}

func TestRecoveryCodes(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	session := w.login(ann, good)
	f := w.turnOn(session)
	for _, want := range []fault.Code{"", fault.SecondFactorWrong} {
		if _, err := w.try(ann, account.Proof{Password: good, Recovery: f.codes[0]}); code(err) != want {
			t.Fatalf("a recovery code: %v, want %q", err, want)
		}
	}
	if kinds := w.kinds(ann); !slices.Equal(kinds, []mail.Kind{mail.MFAEnabled, mail.RecoveryCodeUsed}) {
		t.Errorf("mails %v", kinds)
	}
	renewed, err := w.NewRecoveryCodes(t.Context(), w.caller(session))
	w.ok("NewRecoveryCodes", err)
	_, err = w.try(ann, account.Proof{Password: good, Recovery: f.codes[1]})
	w.refused("a replaced code", err, fault.SecondFactorWrong)
	_, err = w.try(ann, account.Proof{Password: good, Recovery: renewed[9]})
	w.ok("a new code", err)
}

// Without the second factor the password stands alone, so a short one does not do.
func TestTurnOffFactor(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	session := w.login(ann, good)
	f := w.turnOn(session)
	proof := account.Proof{Password: good, Code: f.next()}
	w.ok("ChangePassword", w.ChangePassword(t.Context(), w.caller(session), proof, short, w.visit))
	proof = account.Proof{Password: short, Code: f.next()}
	w.refused("TurnOffFactor", w.TurnOffFactor(t.Context(), w.caller(session), proof, w.visit), fault.PasswordTooShort)
	proof.Code = f.next()
	w.ok("ChangePassword", w.ChangePassword(t.Context(), w.caller(session), proof, good, w.visit))
	w.refused("without a code", w.TurnOffFactor(t.Context(), w.caller(session), account.Proof{Password: good}, w.visit),
		fault.SecondFactorRequired)
	proof = account.Proof{Password: good, Code: f.next()}
	w.ok("TurnOffFactor", w.TurnOffFactor(t.Context(), w.caller(session), proof, w.visit))
	w.refused("TurnOffFactor again", w.TurnOffFactor(t.Context(), w.caller(session), proof, w.visit), fault.SecondFactorOff)
	w.login(ann, good)
	if kinds := w.kinds(ann); !slices.Equal(kinds, []mail.Kind{mail.MFAEnabled, mail.PasswordChanged, mail.PasswordChanged, mail.MFADisabled}) {
		t.Errorf("mails %v", kinds)
	}
}

// Whoever has the password and begins a session before the second factor is on has it no longer afterwards.
func TestTurnOnFactorEndsOtherSessions(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	mine, thief := w.login(ann, good), w.login(ann, good)
	w.turnOn(mine)
	_, err := w.whoever(thief)
	w.refused("a session without the second factor", err, fault.SessionInvalid)
	w.caller(mine)
}

func TestChangeEmail(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	w.signUp(bob)
	session := w.login(ann, good)
	w.ok("ChangeEmail to another's", w.ChangeEmail(t.Context(), w.caller(session), bob, w.visit))
	if mails := w.mails(bob); len(mails) > 0 {
		t.Errorf("the other got %v", mails)
	}
	w.ok("Forgot", w.Forgot(t.Context(), ann, w.visit))
	old := w.token(ann, account.ActionReset)
	w.ok("ChangeEmail", w.ChangeEmail(t.Context(), w.caller(session), unknown, w.visit))
	token := w.token(unknown, account.ActionEmail)
	w.ok("ConfirmEmail", w.ConfirmEmail(t.Context(), token, w.visit))
	w.refused("ConfirmEmail again", w.ConfirmEmail(t.Context(), token, w.visit), fault.LinkInvalid)
	if kinds := w.kinds(ann); !slices.Equal(kinds, []mail.Kind{mail.EmailChanged}) {
		t.Errorf("the old address got %v", kinds)
	}
	_, err := w.try(ann, account.Proof{Password: good})
	w.refused("the old address", err, fault.InvalidCredentials)
	w.login(unknown, good)
	w.refused("a reset mailed to the old address", w.Reset(t.Context(), old, better, w.visit), fault.LinkInvalid)
}

func TestChangeEmailToOneThatWasTakenSince(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	w.ok("ChangeEmail", w.ChangeEmail(t.Context(), w.caller(w.login(ann, good)), bob, w.visit))
	token := w.token(bob, account.ActionEmail)
	w.signUp(bob)
	w.refused("ConfirmEmail", w.ConfirmEmail(t.Context(), token, w.visit), fault.EmailTaken)
	w.login(ann, good)
}

func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	mine, other := w.login(ann, good), w.login(ann, good)
	err := w.ChangePassword(t.Context(), w.caller(mine), account.Proof{Password: wrong}, better, w.visit)
	w.refused("a wrong password", err, fault.InvalidCredentials)
	w.ok("ChangePassword", w.ChangePassword(t.Context(), w.caller(mine), account.Proof{Password: good}, better, w.visit))
	w.caller(mine)
	_, err = w.whoever(other)
	w.refused("another session", err, fault.SessionInvalid)
	w.login(ann, better)
}

func TestSessions(t *testing.T) {
	w := newWorld(t)
	developer, _ := w.signUp(ann)
	first, second, third := w.login(ann, good), w.login(ann, good), w.login(ann, good)
	all, err := w.Sessions.List(t.Context(), developer.ID)
	if err != nil || len(all) != 3 || all[0].Agent != "test/1" || all[0].Source != "192.0.2.7" {
		t.Fatalf("List = %+v, %v", all, err)
	}
	w.ok("End", w.Sessions.End(t.Context(), developer.ID, w.caller(second).Session))
	_, err = w.whoever(second)
	w.refused("an ended session", err, fault.SessionInvalid)
	w.ok("EndOthers", w.EndOthers(t.Context(), w.caller(first), w.visit))
	_, err = w.whoever(third)
	w.refused("an ended session", err, fault.SessionInvalid)
	w.caller(first)
	if kinds := w.kinds(ann); !slices.Equal(kinds, []mail.Kind{mail.SessionsEnded}) {
		t.Errorf("mails %v", kinds)
	}
}

func TestSessionLimits(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	idle, used := w.login(ann, good), w.login(ann, good)
	for range 2 {
		w.clock.Advance(11 * time.Hour)
		w.caller(used)
	}
	_, err := w.whoever(idle)
	w.refused("an idle session", err, fault.SessionExpired)
	for left := login.Life - 22*time.Hour; left > 11*time.Hour; left -= 11 * time.Hour {
		w.caller(used)
		w.clock.Advance(11 * time.Hour)
	}
	w.caller(used)
	w.clock.Advance(11 * time.Hour)
	if _, err := w.whoever(used); err == nil {
		t.Error("a session outlived a week")
	}
}

// What asks for a step-up is refused when the login is long ago, and works after it.
func TestStepUp(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	session := w.login(ann, good)
	asks := func() []error {
		caller := w.caller(session)
		_, begin := w.BeginFactor(t.Context(), caller)
		_, owner := w.Invite(t.Context(), caller, bob, authz.Owner, w.visit)
		_, codes := w.NewRecoveryCodes(t.Context(), caller)
		if fault.Is(codes, fault.SecondFactorOff) {
			codes = nil
		}
		return []error{w.ChangeEmail(t.Context(), caller, unknown, w.visit), begin, owner, codes}
	}
	w.clock.Advance(10*time.Minute + time.Second)
	for _, err := range asks() {
		w.refused("without a step-up", err, fault.StepUpRequired)
	}
	w.refused("StepUp", w.StepUp(t.Context(), w.caller(session), account.Proof{Password: wrong}, w.visit), fault.InvalidCredentials)
	w.ok("StepUp", w.StepUp(t.Context(), w.caller(session), account.Proof{Password: good}, w.visit))
	for _, err := range asks() {
		w.ok("after a step-up", err)
	}
}

// Others' guesses slow a login down; its owner has an unlock link, which stands in for nothing else and works once.
func TestUnlock(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	for range 5 {
		_, err := w.try(ann, account.Proof{Password: wrong})
		w.refused("a guess", err, fault.InvalidCredentials)
	}
	_, err := w.try(ann, account.Proof{Password: good})
	w.refused("the owner", err, fault.TooManyAttempts)
	w.ok("AskUnlock", w.AskUnlock(t.Context(), ann, w.visit))
	attempt := account.Attempt{Email: ann, Proof: account.Proof{Password: wrong}, Unlock: w.token(ann, account.ActionUnlock)}
	for _, want := range []fault.Code{fault.InvalidCredentials, "", fault.LinkInvalid} {
		if _, _, err := w.Login(t.Context(), attempt, w.visit); code(err) != want {
			t.Fatalf("an unlocked login: %v, want %q", err, want)
		}
		attempt.Password = good
	}
	w.ok("AskUnlock", w.AskUnlock(t.Context(), unknown, w.visit))
	if mails := w.mails(unknown); len(mails) > 0 {
		t.Errorf("an unknown address got %v", mails)
	}
}
