package account_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// accident is an operation during which the process dies, and what has to be so after another try.
type accident struct {
	// try does the operation; the second time it may answer one of the codes in done, because the first took effect.
	try  func() error
	done []fault.Code
	// check looks at the end.
	check func()
}

// blow lets a fuse decide over every write of the service, the queue's and the counters' among them.
func (w *world) blow(fuse *storetest.Fuse) {
	w.around = func(_ string, write bool, do func() error) error {
		if write {
			return fuse.Write(do)
		}
		if err := fuse.Read(); err != nil {
			return err
		}
		return do()
	}
}

// Whatever write a process dies at, before it or after it, another try leads to the right end, and nothing is left half
// done: each change has its record, and each record its change.
func TestCrashes(t *testing.T) {
	for name, prepare := range accidents {
		t.Run(name, func(t *testing.T) {
			for at := 1; ; at++ {
				blown := false
				for _, tookEffect := range []bool{false, true} {
					w := newWorld(t)
					fuse := &storetest.Fuse{At: at, TookEffect: tookEffect, Dies: true}
					blown = w.crash(fmt.Sprintf("write %d, took effect %v", at, tookEffect), fuse, prepare(w)) || blown
				}
				if !blown {
					return
				}
			}
		})
	}
}

func (w *world) crash(where string, fuse *storetest.Fuse, a accident) (blown bool) {
	w.t.Helper()
	w.blow(fuse)
	first := a.try()
	w.around = nil
	if first != nil {
		w.clock.Advance(time.Minute) // a new code, and no wait
		if second := a.try(); second != nil && !slices.Contains(a.done, code(second)) {
			w.t.Fatalf("%s: %v, then %v", where, first, second)
		}
	}
	a.check()
	return fuse.Blown()
}

// wantRecords checks how many records of the action there are in the account's log.
func (w *world) wantRecords(of id.Account, action record.Action, want int) {
	w.t.Helper()
	got := 0
	for _, each := range w.store.Logs.All(record.OfAccount(of)) {
		if each.Action == action {
			got++
		}
	}
	if got != want {
		w.t.Fatalf("%d records of %s, want %d", got, action, want)
	}
}

// wantLogins checks that every session of the developer has a record of its beginning, and every such record a session.
func (w *world) wantLogins(of id.Account, developer id.Developer) {
	w.t.Helper()
	sessions, err := w.store.List(w.t.Context(), developer)
	w.ok("List", err)
	w.wantRecords(of, record.LoginSucceeded, len(sessions))
}

// accidents are prepared in a new world.
var accidents = map[string]func(w *world) accident{
	"sign up":         crashSignUp,
	"confirm":         crashConfirm,
	"login":           crashLogin,
	"login by code":   crashLoginByCode,
	"recovery code":   crashRecovery,
	"unlocked login":  crashUnlocked,
	"reset":           crashReset,
	"change password": crashChangePassword,
	"confirm e-mail":  crashConfirmEmail,
	"turn on":         crashTurnOn,
	"turn off":        crashTurnOff,
	"invite":          crashInvite,
	"accept":          crashAccept,
	"remove":          crashRemove,
	"set role":        crashSetRole,
	"end others":      crashEndOthers,
}

func crashSignUp(w *world) accident {
	try := func() error { return w.SignUp(w.t.Context(), account.SignUp{Email: ann, Password: good}, w.visit) }
	return accident{try, nil, func() {
		_, _, err := w.Confirm(w.t.Context(), w.token(ann, account.ActionConfirm), good, w.visit)
		w.ok("Confirm", err)
		w.login(ann, good)
	}}
}

func crashConfirm(w *world) accident {
	w.ok("SignUp", w.SignUp(w.t.Context(), account.SignUp{Email: ann, Password: good}, w.visit))
	token := w.token(ann, account.ActionConfirm)
	try := func() error {
		_, _, err := w.Confirm(w.t.Context(), token, good, w.visit)
		return err
	}
	return accident{try, []fault.Code{fault.LinkInvalid}, func() {
		if caller := w.caller(w.login(ann, good)); caller.Role != authz.Owner {
			w.t.Fatalf("confirmed as %+v", caller)
		} else {
			w.wantRecords(caller.Account, record.AccountCreated, 1)
			w.wantRecords(caller.Account, record.MemberJoined, 1)
		}
	}}
}

func crashLogin(w *world) accident {
	developer, made := w.enter(ann)
	var session string
	return accident{func() (err error) {
		session, err = w.try(ann, account.Proof{Password: good})
		return err
	}, nil, func() {
		w.caller(session)
		w.wantLogins(made.ID, developer.ID)
	}}
}

func crashLoginByCode(w *world) accident {
	developer, made := w.enter(ann)
	f := w.turnOn(w.login(ann, good))
	var session string
	return accident{func() (err error) {
		session, err = w.try(ann, account.Proof{Password: good, Code: f.next()})
		return err
	}, nil, func() {
		w.caller(session)
		w.wantLogins(made.ID, developer.ID)
	}}
}

func crashRecovery(w *world) accident {
	developer, made := w.enter(ann)
	codes := w.turnOn(w.login(ann, good)).codes
	return accident{func() error {
		_, err := w.try(ann, account.Proof{Password: good, Recovery: codes[0]})
		return err
	}, []fault.Code{fault.SecondFactorWrong}, func() {
		_, factor, err := w.store.Developer(w.t.Context(), developer.ID)
		if err != nil || len(factor.Recovery) != len(codes)-1 {
			w.t.Fatalf("%d codes left, %v", len(factor.Recovery), err)
		}
		w.wantRecords(made.ID, record.RecoveryUsed, 1)
		w.wantLogins(made.ID, developer.ID)
	}}
}

func crashUnlocked(w *world) accident {
	_, made := w.enter(ann)
	w.ok("AskUnlock", w.AskUnlock(w.t.Context(), ann, w.visit))
	attempt := account.Attempt{Email: ann, Proof: account.Proof{Password: good}, Unlock: w.token(ann, account.ActionUnlock)}
	return accident{func() error {
		_, _, err := w.Login(w.t.Context(), attempt, w.visit)
		return err
	}, []fault.Code{fault.LinkInvalid}, func() {
		w.login(ann, good)
		w.wantRecords(made.ID, record.AccountUnlocked, 1)
	}}
}

func crashReset(w *world) accident {
	_, made := w.enter(ann)
	session := w.login(ann, good)
	w.ok("Forgot", w.Forgot(w.t.Context(), ann, w.visit))
	token := w.token(ann, account.ActionReset)
	try := func() error { return w.Reset(w.t.Context(), token, better, w.visit) }
	return accident{try, []fault.Code{fault.LinkInvalid}, func() {
		w.wantRecords(made.ID, record.PasswordReset, 1)
		w.login(ann, better)
		_, err := w.whoever(session)
		w.refused("an older session", err, fault.SessionInvalid)
		_, err = w.try(ann, account.Proof{Password: good})
		w.refused("the old password", err, fault.InvalidCredentials)
	}}
}

func crashChangePassword(w *world) accident {
	_, made := w.enter(ann)
	session, other := w.login(ann, good), w.login(ann, good)
	caller := w.caller(session)
	try := func() error {
		return w.ChangePassword(w.t.Context(), caller, account.Proof{Password: good}, better, w.visit)
	}
	return accident{try, []fault.Code{fault.InvalidCredentials}, func() {
		w.wantRecords(made.ID, record.PasswordChanged, 1)
		w.login(ann, better)
		w.caller(session)
		_, err := w.whoever(other)
		w.refused("another session", err, fault.SessionInvalid)
	}}
}

func crashConfirmEmail(w *world) accident {
	developer, made := w.enter(ann)
	w.ok("ChangeEmail", w.ChangeEmail(w.t.Context(), w.caller(w.login(ann, good)), bob, w.visit))
	token := w.token(bob, account.ActionEmail)
	return accident{func() error { return w.ConfirmEmail(w.t.Context(), token, w.visit) }, []fault.Code{fault.LinkInvalid}, func() {
		if caller := w.caller(w.login(bob, good)); caller.Developer != developer.ID {
			w.t.Fatalf("logged in as %+v", caller)
		}
		w.wantRecords(made.ID, record.EmailChanged, 1)
		w.signUp(ann) // the old address is free
	}}
}

func crashTurnOn(w *world) accident {
	_, of := w.enter(ann)
	caller := w.caller(w.login(ann, good))
	made, err := w.BeginFactor(w.t.Context(), caller)
	w.ok("BeginFactor", err)
	f := &factor{w: w, secret: made.Secret}
	return accident{func() error {
		_, err := w.TurnOnFactor(w.t.Context(), caller, f.now(), w.visit)
		return err
	}, []fault.Code{fault.SecondFactorOn}, func() {
		_, err := w.try(ann, account.Proof{Password: good})
		w.refused("without a code", err, fault.SecondFactorRequired)
		_, err = w.try(ann, account.Proof{Password: good, Code: f.next()})
		w.ok("with a code", err)
		w.wantRecords(of.ID, record.FactorAdded, 1)
	}}
}

func crashTurnOff(w *world) accident {
	_, made := w.enter(ann)
	session := w.login(ann, good)
	f, caller := w.turnOn(session), w.caller(session)
	return accident{func() error {
		return w.TurnOffFactor(w.t.Context(), caller, account.Proof{Password: good, Code: f.next()}, w.visit)
	}, []fault.Code{fault.SecondFactorOff}, func() {
		w.login(ann, good)
		w.wantRecords(made.ID, record.FactorRemoved, 1)
	}}
}

func crashInvite(w *world) accident {
	_, made := w.enter(ann)
	owner := w.caller(w.login(ann, good))
	return accident{func() error {
		_, err := w.Invite(w.t.Context(), owner, bob, authz.Admin, w.visit)
		return err
	}, nil, func() {
		_, err := w.Accept(w.t.Context(), w.token(bob, account.ActionInvitation), good, w.visit)
		w.ok("Accept", err)
		open, err := w.store.Invitations(w.t.Context(), made.ID)
		w.ok("Invitations", err)
		w.wantRecords(made.ID, record.MemberInvited, len(open)+1)
	}}
}

func crashAccept(w *world) accident {
	_, made := w.enter(ann)
	_, err := w.Invite(w.t.Context(), w.caller(w.login(ann, good)), bob, authz.Admin, w.visit)
	w.ok("Invite", err)
	token := w.token(bob, account.ActionInvitation)
	return accident{func() error {
		_, err := w.Accept(w.t.Context(), token, good, w.visit)
		return err
	}, []fault.Code{fault.LinkInvalid}, func() {
		if caller := w.caller(w.login(bob, good)); caller.Account != made.ID || caller.Role != authz.Admin {
			w.t.Fatalf("joined as %+v", caller)
		}
		open, err := w.store.Invitations(w.t.Context(), made.ID)
		if err != nil || len(open) > 0 {
			w.t.Fatalf("open invitations %v, %v", open, err)
		}
		w.wantRecords(made.ID, record.MemberJoined, 1)
	}}
}

// withAdmin is an account with an owner and an admin.
func (w *world) withAdmin() (owner, admin authz.Caller) {
	w.t.Helper()
	_, made := w.enter(ann)
	session := w.login(ann, good)
	admin = w.caller(w.member(made, session, bob, authz.Admin))
	return w.caller(session), admin
}

// roleOf returns the member's role, "" for none.
func (w *world) roleOf(of id.Account, developer id.Developer) authz.Role {
	member, _ := w.store.Member(w.t.Context(), of, developer)
	return member.Role
}

func crashRemove(w *world) accident {
	owner, admin := w.withAdmin()
	return accident{func() error { return w.Remove(w.t.Context(), owner, admin.Developer, w.visit) },
		[]fault.Code{fault.MemberNotFound}, func() {
			if role := w.roleOf(owner.Account, admin.Developer); role != "" {
				w.t.Fatalf("still %s", role)
			}
			w.wantRecords(owner.Account, record.MemberRemoved, 1)
		}}
}

func crashSetRole(w *world) accident {
	owner, admin := w.withAdmin()
	return accident{func() error {
		_, err := w.SetRole(w.t.Context(), owner, admin.Developer, authz.Auditor, w.visit)
		return err
	}, nil, func() {
		if role := w.roleOf(owner.Account, admin.Developer); role != authz.Auditor {
			w.t.Fatalf("now %s", role)
		}
		w.wantRecords(owner.Account, record.MemberChanged, 1)
	}}
}

func crashEndOthers(w *world) accident {
	developer, made := w.enter(ann)
	mine, other := w.login(ann, good), w.login(ann, good)
	caller := w.caller(mine)
	return accident{func() error { return w.EndOthers(w.t.Context(), caller, w.visit) }, nil, func() {
		w.caller(mine)
		_, err := w.whoever(other)
		w.refused("another session", err, fault.SessionInvalid)
		epoch, err := w.store.Epoch(w.t.Context(), developer.ID)
		w.ok("Epoch", err)
		w.wantRecords(made.ID, record.SessionsEnded, int(epoch))
	}}
}
