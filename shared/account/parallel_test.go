package account_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

const (
	// crowd is how many try at once.
	crowd = 1000
	// hashing is how many do where each hashes a password before it is decided; the suite of the stores lets a thousand try.
	hashing = 100
)

// one lets n try at once and checks that one succeeds and all others are refused with one of the codes.
func (w *world) one(n int, do func() error, lost ...fault.Code) {
	w.t.Helper()
	counts := map[fault.Code]int{}
	for _, err := range storetest.AtOnce(n, func(int) error { return do() }) {
		counts[code(err)]++
	}
	rest := n - 1
	for _, each := range lost {
		rest -= counts[each]
	}
	if counts[""] != 1 || rest != 0 {
		w.t.Fatalf("of %d at once: %v", n, counts)
	}
}

// Of a thousand guesses at once only the free ones are looked at.
func TestGuessesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	for _, email := range []string{ann, unknown} {
		var looked atomic.Int64
		w.around = func(method string, _ bool, do func() error) error {
			if method == "ByEmail" {
				looked.Add(1)
			}
			return do()
		}
		var errs []error
		spent := hashed(func() {
			errs = storetest.AtOnce(crowd, func(int) error {
				_, err := w.try(email, account.Proof{Password: wrong})
				return err
			})
		})
		for _, err := range errs {
			if !fault.Is(err, fault.InvalidCredentials) && !fault.Is(err, fault.TooManyAttempts) {
				t.Fatal(err)
			}
		}
		if looked.Load() > 5 || spent > 10 {
			t.Errorf("%s: %d guesses looked at, %d hashes", email, looked.Load(), spent)
		}
	}
}

func TestConfirmAtOnce(t *testing.T) {
	w := newWorld(t)
	w.ok("SignUp", w.SignUp(t.Context(), account.SignUp{Email: ann, Password: good}, w.visit))
	token := w.token(ann, account.ActionConfirm)
	w.one(crowd, func() error {
		_, _, err := w.Confirm(t.Context(), token, good, w.visit)
		return err
	}, fault.LinkInvalid, fault.TooManyAttempts)
}

func TestResetAtOnce(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	w.ok("Forgot", w.Forgot(t.Context(), ann, w.visit))
	token := w.token(ann, account.ActionReset)
	w.one(hashing, func() error { return w.Reset(t.Context(), token, better, w.visit) }, fault.LinkInvalid)
}

func TestConfirmEmailAtOnce(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	w.ok("ChangeEmail", w.ChangeEmail(t.Context(), w.caller(w.login(ann, good)), bob, w.visit))
	token := w.token(bob, account.ActionEmail)
	w.one(crowd, func() error { return w.ConfirmEmail(t.Context(), token, w.visit) }, fault.LinkInvalid)
}

func TestAcceptAtOnce(t *testing.T) {
	w := newWorld(t)
	_, made := w.signUp(ann)
	w.signUp(bob)
	owner := w.caller(w.login(ann, good))
	for email, many := range map[string]int{bob: crowd, unknown: hashing} {
		_, err := w.Invite(t.Context(), owner, email, authz.Admin, w.visit)
		w.ok("Invite", err)
		token := w.token(email, account.ActionInvitation)
		w.one(many, func() error {
			_, err := w.Accept(t.Context(), token, good, w.visit)
			return err
		}, fault.LinkInvalid)
	}
	if members, err := w.store.Members(t.Context(), made.ID, "", 10); err != nil || len(members) != 3 {
		t.Errorf("members %v, %v", members, err)
	}
}

// One code, one session, however many log in with it at once.
func TestCodeAtOnce(t *testing.T) {
	w := newWorld(t)
	developer, _ := w.signUp(ann)
	f := w.turnOn(w.login(ann, good))
	w.ok("EndAll", w.store.EndAll(t.Context(), developer.ID, ""))
	for _, proof := range []account.Proof{{Password: good, Code: f.next()}, {Password: good, Recovery: f.codes[3]}} {
		w.clock.Advance(time.Second)
		w.one(crowd, func() error {
			_, err := w.try(ann, proof)
			return err
		}, fault.TooManyAttempts, fault.SecondFactorWrong)
	}
	if all, err := w.store.List(t.Context(), developer.ID); err != nil || len(all) != 2 {
		t.Errorf("%d sessions, %v", len(all), err)
	}
}

// The store alone decides about a code, whoever asks.
func TestStepUpsWithOneCodeAtOnce(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	session := w.login(ann, good)
	f := w.turnOn(session)
	caller, proof := w.caller(session), account.Proof{Password: good, Code: f.next()}
	w.one(crowd, func() error { return w.StepUp(t.Context(), caller, proof, w.visit) }, fault.TooManyAttempts, fault.SecondFactorWrong)
}

// A session that begins while all are being ended does not survive, wherever in between the end comes.
func TestLoginWhileSessionsEnd(t *testing.T) {
	for at := 1; ; at++ {
		w := newWorld(t)
		developer, _ := w.signUp(ann)
		w.ok("Forgot", w.Forgot(t.Context(), ann, w.visit))
		token := w.token(ann, account.ActionReset)
		calls, ended := 0, false
		w.around = func(_ string, _ bool, do func() error) error {
			if calls++; calls == at {
				w.around, ended = nil, true
				w.ok("Reset", w.Reset(t.Context(), token, better, w.visit))
			}
			return do()
		}
		session, err := w.try(ann, account.Proof{Password: good})
		if !ended {
			return // the login has fewer calls than that
		}
		if _, refusal := w.whoever(session); err == nil && refusal == nil {
			t.Fatalf("a reset before call %d of a login with the old password: the session lives", at)
		}
		if all, err := w.store.List(t.Context(), developer.ID); err != nil || len(all) != 0 {
			t.Fatalf("a reset before call %d: sessions %v, %v", at, all, err)
		}
	}
}

// A login without a code that comes in between does not survive the second factor.
func TestLoginWhileTheFactorIsTurnedOn(t *testing.T) {
	for at := 1; ; at++ {
		w := newWorld(t)
		developer, _ := w.enter(ann)
		caller := w.caller(w.planted(developer.ID))
		made, err := w.BeginFactor(t.Context(), caller)
		w.ok("BeginFactor", err)
		calls, thief := 0, ""
		w.around = func(_ string, _ bool, do func() error) error {
			if calls++; calls == at {
				w.around = nil
				thief, _ = w.try(ann, account.Proof{Password: good})
			}
			return do()
		}
		_, err = w.TurnOnFactor(t.Context(), caller, (&factor{w: w, secret: made.Secret}).now(), w.visit)
		w.ok("TurnOnFactor", err)
		if calls < at {
			return
		}
		if _, err := w.whoever(thief); err == nil {
			t.Fatalf("a login before call %d: the session lives", at)
		}
	}
}

// Two owners who leave at once do not leave the account without one.
func TestOwnersLeaveAtOnce(t *testing.T) {
	w := newWorld(t)
	_, made := w.signUp(ann)
	owner := w.login(ann, good)
	second := w.member(made, owner, bob, authz.Owner)
	callers := []authz.Caller{w.caller(owner), w.caller(second)}
	left := 0
	for _, err := range storetest.AtOnce(2, func(i int) error {
		return w.Remove(t.Context(), callers[i], callers[i].Developer, w.visit)
	}) {
		if err == nil {
			left++
		} else if !fault.Is(err, fault.LastOwner) {
			t.Error(err)
		}
	}
	if left != 1 {
		t.Errorf("%d owners left", left)
	}
}

// Two changes of the password at once: one is made, and the other's proof is of a password that is no more.
func TestChangePasswordAtOnce(t *testing.T) {
	w := newWorld(t)
	w.signUp(ann)
	caller := w.caller(w.login(ann, good))
	wished := []string{better, "the words of the other change"}
	won := -1
	for i, err := range storetest.AtOnce(2, func(i int) error {
		return w.ChangePassword(t.Context(), caller, account.Proof{Password: good}, wished[i], w.visit)
	}) {
		switch {
		case err == nil && won < 0:
			won = i
		case err == nil || !fault.Is(err, fault.InvalidCredentials):
			t.Errorf("change %d: %v", i, err)
		}
	}
	if won < 0 {
		t.Fatal("neither was made")
	}
	w.login(ann, wished[won])
}
