package account_test

import (
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/account/accounttest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/guess"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/record"
)

// around is called with every call of a store and of the queue: it counts it, delays it or fails it.
type around func(method string, write bool, do func() error) error

// watched is the store as the service sees it in tests.
type watched struct {
	*accounttest.Store
	around *around
}

// call passes the call on through what is around it.
func (w watched) call(method string, write bool, do func() error) error {
	if *w.around == nil {
		return do()
	}
	return (*w.around)(method, write, do)
}

// got passes a reading call on.
func got[R any](w watched, method string, do func() (R, error)) (result R, err error) {
	err = w.call(method, false, func() error {
		result, err = do()
		return err
	})
	return result, err
}

func (w watched) put(method string, do func() error) error { return w.call(method, true, do) }

func (w watched) PutPending(ctx context.Context, pending account.Pending) error {
	return w.put("PutPending", func() error { return w.Store.PutPending(ctx, pending) })
}

func (w watched) Pending(ctx context.Context, email account.Email) (account.Pending, error) {
	return got(w, "Pending", func() (account.Pending, error) { return w.Store.Pending(ctx, email) })
}

func (w watched) ByEmail(ctx context.Context, email account.Email) (id.Developer, error) {
	return got(w, "ByEmail", func() (id.Developer, error) { return w.Store.ByEmail(ctx, email) })
}

func (w watched) Developer(ctx context.Context, developer id.Developer) (found account.Developer, factor *account.Factor, err error) {
	err = w.call("Developer", false, func() error {
		found, factor, err = w.Store.Developer(ctx, developer)
		return err
	})
	return found, factor, err
}

func (w watched) Link(ctx context.Context, hash [32]byte) (account.Link, error) {
	return got(w, "Link", func() (account.Link, error) { return w.Store.Link(ctx, hash) })
}

func (w watched) TakeLink(ctx context.Context, hash [32]byte, records ...record.Record) error {
	return w.put("TakeLink", func() error { return w.Store.TakeLink(ctx, hash, records...) })
}

func (w watched) Activate(ctx context.Context, link [32]byte, developer account.Developer, made account.Account, records ...record.Record) error {
	return w.put("Activate", func() error { return w.Store.Activate(ctx, link, developer, made, records...) })
}

func (w watched) SetPassword(ctx context.Context, developer id.Developer, version int64, hash string, link *[32]byte, keep string, records ...record.Record) error {
	return w.put("SetPassword", func() error { return w.Store.SetPassword(ctx, developer, version, hash, link, keep, records...) })
}

func (w watched) SetEmail(ctx context.Context, developer account.Developer, to account.Email, link [32]byte, records ...record.Record) error {
	return w.put("SetEmail", func() error { return w.Store.SetEmail(ctx, developer, to, link, records...) })
}

func (w watched) PutSetup(ctx context.Context, developer id.Developer, setup account.Setup) error {
	return w.put("PutSetup", func() error { return w.Store.PutSetup(ctx, developer, setup) })
}

func (w watched) Setup(ctx context.Context, developer id.Developer) (account.Setup, error) {
	return got(w, "Setup", func() (account.Setup, error) { return w.Store.Setup(ctx, developer) })
}

func (w watched) PutFactor(ctx context.Context, developer id.Developer, setup account.Setup, factor account.Factor, keep string, records ...record.Record) error {
	return w.put("PutFactor", func() error { return w.Store.PutFactor(ctx, developer, setup, factor, keep, records...) })
}

func (w watched) RemoveFactor(ctx context.Context, developer id.Developer, version int64, records ...record.Record) error {
	return w.put("RemoveFactor", func() error { return w.Store.RemoveFactor(ctx, developer, version, records...) })
}

func (w watched) SetRecovery(ctx context.Context, developer id.Developer, codes [][]byte, records ...record.Record) error {
	return w.put("SetRecovery", func() error { return w.Store.SetRecovery(ctx, developer, codes, records...) })
}

func (w watched) UseStep(ctx context.Context, developer id.Developer, step int64) error {
	return w.put("UseStep", func() error { return w.Store.UseStep(ctx, developer, step) })
}

func (w watched) UseRecovery(ctx context.Context, developer id.Developer, code []byte, records ...record.Record) (left int, err error) {
	err = w.put("UseRecovery", func() error {
		left, err = w.Store.UseRecovery(ctx, developer, code, records...)
		return err
	})
	return left, err
}

func (w watched) Session(ctx context.Context, developer id.Developer, session string) (found *login.Session, epoch int64, err error) {
	err = w.call("Session", false, func() error {
		found, epoch, err = w.Store.Session(ctx, developer, session)
		return err
	})
	return found, epoch, err
}

func (w watched) Epoch(ctx context.Context, developer id.Developer) (int64, error) {
	return got(w, "Epoch", func() (int64, error) { return w.Store.Epoch(ctx, developer) })
}

func (w watched) PutSession(ctx context.Context, session login.Session, records ...record.Record) error {
	return w.put("PutSession", func() error { return w.Store.PutSession(ctx, session, records...) })
}

func (w watched) Confirm(ctx context.Context, developer id.Developer, session string, at time.Time) error {
	return w.put("Confirm", func() error { return w.Store.Confirm(ctx, developer, session, at) })
}

func (w watched) Switch(ctx context.Context, developer id.Developer, session string, to id.Account, records ...record.Record) error {
	return w.put("Switch", func() error { return w.Store.Switch(ctx, developer, session, to, records...) })
}

func (w watched) End(ctx context.Context, developer id.Developer, session string, records ...record.Record) error {
	return w.put("End", func() error { return w.Store.End(ctx, developer, session, records...) })
}

func (w watched) EndAll(ctx context.Context, developer id.Developer, keep string, records ...record.Record) error {
	return w.put("EndAll", func() error { return w.Store.EndAll(ctx, developer, keep, records...) })
}

func (w watched) Accounts(ctx context.Context, developer id.Developer) ([]id.Account, error) {
	return got(w, "Accounts", func() ([]id.Account, error) { return w.Store.Accounts(ctx, developer) })
}

func (w watched) Member(ctx context.Context, of id.Account, developer id.Developer) (account.Member, error) {
	return got(w, "Member", func() (account.Member, error) { return w.Store.Member(ctx, of, developer) })
}

func (w watched) Join(ctx context.Context, link account.Link, member account.Member, made *account.Developer, records ...record.Record) error {
	return w.put("Join", func() error { return w.Store.Join(ctx, link, member, made, records...) })
}

func (w watched) SetRole(ctx context.Context, member account.Member, to authz.Role, records ...record.Record) error {
	return w.put("SetRole", func() error { return w.Store.SetRole(ctx, member, to, records...) })
}

func (w watched) Leave(ctx context.Context, member account.Member, records ...record.Record) error {
	return w.put("Leave", func() error { return w.Store.Leave(ctx, member, records...) })
}

func (w watched) PutInvitation(ctx context.Context, invitation account.Invitation, records ...record.Record) error {
	return w.put("PutInvitation", func() error { return w.Store.PutInvitation(ctx, invitation, records...) })
}

func (w watched) Invitation(ctx context.Context, of id.Account, invitation string) (account.Invitation, error) {
	return got(w, "Invitation", func() (account.Invitation, error) { return w.Store.Invitation(ctx, of, invitation) })
}

func (w watched) Invitations(ctx context.Context, of id.Account) ([]account.Invitation, error) {
	return got(w, "Invitations", func() ([]account.Invitation, error) { return w.Store.Invitations(ctx, of) })
}

func (w watched) RemoveInvitation(ctx context.Context, of id.Account, invitation string, records ...record.Record) error {
	return w.put("RemoveInvitation", func() error { return w.Store.RemoveInvitation(ctx, of, invitation, records...) })
}

func (w watched) Rename(ctx context.Context, of account.Account, name string, records ...record.Record) error {
	return w.put("Rename", func() error { return w.Store.Rename(ctx, of, name, records...) })
}

func (w watched) Create(ctx context.Context, made account.Account, owner id.Developer, records ...record.Record) (standing account.Account, err error) {
	err = w.put("Create", func() error {
		standing, err = w.Store.Create(ctx, made, owner, records...)
		return err
	})
	return standing, err
}

// Append implements account.Recorder.
func (w watched) Append(ctx context.Context, made record.Record) error {
	return w.put("Append", func() error { return w.Logs.Append(ctx, made) })
}

// watchedGuesses are the counters of guesses, likewise.
type watchedGuesses struct {
	store guess.Store
	watch watched
}

func (g watchedGuesses) Get(ctx context.Context, subject string) (guess.Counter, error) {
	return got(g.watch, "Get", func() (guess.Counter, error) { return g.store.Get(ctx, subject) })
}

func (g watchedGuesses) Save(ctx context.Context, counter guess.Counter, ifVersion int64) error {
	return g.watch.put("Save", func() error { return g.store.Save(ctx, counter, ifVersion) })
}
