package authn_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/account/accounttest"
	"github.com/tokenim/tokenim/shared/authn"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// desk is a developer's session and what checks it.
type desk struct {
	t      *testing.T
	clock  *clocktest.Clock
	store  *accounttest.Store
	checks *authn.Developers
	owner  account.Developer
	of     account.Account
	app    id.App
	id     string
	text   string
}

// newDesk has an owner who is logged in, and an app of the account.
func newDesk(t *testing.T) *desk {
	clock, ids := clocktest.New(storetest.Noon()), id.Source{}
	store := accounttest.NewStore(clock)
	d := &desk{t: t, clock: clock, store: store, checks: &authn.Developers{Sessions: store, Clock: clock},
		owner: accounttest.NewDeveloper(clock.Now()), of: account.Account{ID: ids.Account(), Name: "Acme"}, app: ids.App()}
	link := account.Link{Hash: sha256.Sum256([]byte("link")), ExpiresAt: clock.Now().Add(time.Hour)}
	storetest.OK(t, "PutLink", store.PutLink(t.Context(), link))
	storetest.OK(t, "Activate", store.Activate(t.Context(), link.Hash, d.owner, d.of))
	store.AddApp(d.of.ID, d.app)
	session, secret := accounttest.NewSession(d.owner.ID, clock.Now()), ids.Text(login.SecretLength)
	session.Hash, session.Account, session.ExpiresAt = sha256.Sum256([]byte(secret)), d.of.ID, clock.Now().Add(login.Life)
	storetest.OK(t, "PutSession", store.PutSession(t.Context(), session))
	d.id, d.text = session.ID, login.Format(d.owner.ID, session.ID, secret)
	return d
}

func (d *desk) try(text, app string) (authz.Caller, error) {
	return d.checks.Session(d.t.Context(), text, authz.Request{App: app})
}

func (d *desk) refused(doing, text, app string, want fault.Code) {
	d.t.Helper()
	if caller, err := d.try(text, app); !fault.Is(err, want) || !caller.App.IsZero() {
		d.t.Errorf("%s: %+v, %v; want %s", doing, caller, err, want)
	}
}

func TestDevelopersSession(t *testing.T) {
	d := newDesk(t)
	caller, err := d.try(d.text, "")
	if err != nil || caller.Developer != d.owner.ID || caller.Role != authz.Owner || caller.Account != d.of.ID || !caller.App.IsZero() {
		t.Fatalf("Session = %+v, %v", caller, err)
	}
	if err := caller.Require(authz.KeysRead); !fault.Is(err, fault.AppNotChosen) {
		t.Errorf("keys without an app: %v", err)
	}
	caller, err = d.try(d.text, d.app.String())
	if err != nil || caller.App != d.app || caller.Require(authz.KeysRead) != nil {
		t.Fatalf("Session with an app = %+v, %v", caller, err)
	}
}

func TestDevelopersSessionRefuses(t *testing.T) {
	d := newDesk(t)
	other := newDesk(t)
	d.refused("no session", "ts_x", "", fault.SessionInvalid)
	d.refused("one that is not stored", other.text, "", fault.SessionInvalid)
	d.refused("another secret", d.text[:len(d.text)-1]+"~", "", fault.SessionInvalid)
	flipped := map[bool]string{true: "b", false: "a"}[d.text[len(d.text)-1] == 'a']
	d.refused("a secret that is off by one", d.text[:len(d.text)-1]+flipped, "", fault.SessionInvalid)
	storetest.OK(t, "EndAll", d.store.EndAll(t.Context(), d.owner.ID, ""))
	d.refused("an ended one", d.text, d.app.String(), fault.SessionInvalid)
}

// An app of another account, one that does not exist and what is no app are one and the same.
func TestDevelopersSessionAndApps(t *testing.T) {
	d := newDesk(t)
	foreign := id.Source{}.App()
	d.store.AddApp(id.Source{}.Account(), foreign)
	for _, app := range []string{foreign.String(), id.Source{}.App().String(), id.Platform().String(), "app_", "x", " " + d.app.String(),
		d.app.String() + "\x00", "member#" + string(d.owner.ID), "\xff"} {
		d.refused("app "+app, d.text, app, fault.AppNotFound)
	}
}

// Whoever was removed has the login alone, from the next request on, and none of the account's apps.
func TestDevelopersSessionOfNoMember(t *testing.T) {
	d := newDesk(t)
	ids := id.Source{}
	stray, secret := accounttest.NewSession(ids.Developer(), d.clock.Now()), ids.Text(login.SecretLength)
	stray.Hash, stray.Account = sha256.Sum256([]byte(secret)), d.of.ID
	for _, of := range []id.Account{d.of.ID, ""} {
		stray.Account = of
		storetest.OK(t, "PutSession", d.store.PutSession(t.Context(), stray))
		text := login.Format(stray.Developer, stray.ID, secret)
		caller, err := d.try(text, "")
		if err != nil || caller.Role != "" || caller.Require(authz.LoginManage) != nil || caller.Require(authz.AccountRead) == nil {
			t.Errorf("in account %q: %+v, %v", of, caller, err)
		}
		d.refused("its app", text, d.app.String(), fault.AppNotFound)
	}
}

// Use is written down every few minutes, which is what keeps a session from idling out.
func TestDevelopersNoteUse(t *testing.T) {
	d := newDesk(t)
	for range 20 {
		d.clock.Advance(11 * time.Hour)
		if d.clock.Now().Sub(storetest.Noon()) >= login.Life {
			break
		}
		_, err := d.try(d.text, "")
		storetest.OK(t, "Session", err)
	}
	d.refused("after its life", d.text, "", fault.SessionInvalid)
	d = newDesk(t)
	d.clock.Advance(13 * time.Hour)
	d.refused("idle", d.text, "", fault.SessionExpired)
	d.refused("idle, again", d.text, "", fault.SessionExpired) // a refused use is none
}

// failing is a store some of whose calls fail.
type failing struct {
	authn.Sessions
	session, standing, seen error
}

func (f failing) Session(ctx context.Context, developer id.Developer, session string) (*login.Session, int64, error) {
	if f.session != nil {
		return nil, 0, f.session
	}
	return f.Sessions.Session(ctx, developer, session)
}

func (f failing) Standing(ctx context.Context, of id.Account, developer id.Developer, app string) (authz.Role, id.App, error) {
	if f.standing != nil {
		return "", id.App{}, f.standing
	}
	return f.Sessions.Standing(ctx, of, developer, app)
}

func (f failing) Seen(ctx context.Context, developer id.Developer, session string, at, before time.Time) error {
	if f.seen != nil {
		return f.seen
	}
	return f.Sessions.Seen(ctx, developer, session, at, before)
}

// What cannot be read lets nobody in; that a use cannot be written down keeps nobody out.
func TestDevelopersWithAFailingStore(t *testing.T) {
	d, gone := newDesk(t), errors.New("the table is gone")
	d.clock.Advance(time.Hour)
	for name, test := range map[string]struct {
		store failing
		want  error
	}{
		"Session":  {failing{Sessions: d.store, session: gone}, gone},
		"Standing": {failing{Sessions: d.store, standing: gone}, gone},
		"Seen":     {failing{Sessions: d.store, seen: gone}, nil},
	} {
		d.checks.Sessions = test.store
		caller, err := d.try(d.text, d.app.String())
		if !errors.Is(err, test.want) || err != nil && caller.Known() {
			t.Errorf("%s fails: %+v, %v; want %v", name, caller, err, test.want)
		}
	}
}

func TestDevelopersTakeSessionsOnly(t *testing.T) {
	d := newDesk(t)
	for name, check := range map[string]func(context.Context, string, authz.Request) (authz.Caller, error){
		"Key": d.checks.Key, "Token": d.checks.Token,
	} {
		if caller, err := check(t.Context(), d.text, authz.Request{}); !fault.Is(err, fault.SessionNeeded) || caller.Known() {
			t.Errorf("%s: %+v, %v", name, caller, err)
		}
	}
}
