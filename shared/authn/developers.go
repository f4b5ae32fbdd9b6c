package authn

import (
	"context"
	"log/slog"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
)

// Sessions reads what a developer's session stands on. Every method reads strongly.
type Sessions interface {
	// Session returns the session and its developer's session epoch; nil where it does not exist.
	Session(ctx context.Context, developer id.Developer, session string) (*login.Session, int64, error)
	// Standing returns the developer's role in the account, "" for no member, and the app of that text if it is one of
	// the account's; none for another text and for "".
	Standing(ctx context.Context, of id.Account, developer id.Developer, app string) (authz.Role, id.App, error)
	// Seen writes down that the session was used, where that has not been done since the time before.
	Seen(ctx context.Context, developer id.Developer, session string, at, before time.Time) error
}

// Developers checks the sessions of developers. By itself it is what functions use that serve nobody else: there, keys and
// user tokens are refused unread.
type Developers struct {
	Sessions Sessions
	Clock    clock.Clock
}

// Session checks a developer's session. The app that the request chooses has to be one of the session's account; that is
// found out here and nowhere else.
func (d *Developers) Session(ctx context.Context, text string, request authz.Request) (authz.Caller, error) {
	parsed, err := login.Parse(text)
	if err != nil {
		return authz.Caller{}, err
	}
	session, epoch, err := d.Sessions.Session(ctx, parsed.Developer, parsed.ID)
	if err != nil {
		return authz.Caller{}, err
	}
	if session == nil {
		return authz.Caller{}, fault.New(fault.SessionInvalid)
	}
	now := d.Clock.Now()
	if err := session.Check(parsed, epoch, now); err != nil {
		return authz.Caller{}, err
	}
	d.noteUse(ctx, *session, now)
	var role authz.Role
	var app id.App
	if session.Account != "" { // whoever is a member nowhere has a login all the same
		role, app, err = d.Sessions.Standing(ctx, session.Account, session.Developer, request.App)
	}
	if fault.Is(err, fault.AppDeleted) {
		deleted := err
		if role, _, err = d.Sessions.Standing(ctx, session.Account, session.Developer, ""); err == nil {
			return at(session.Caller(role), now), deleted
		}
	}
	if err != nil {
		return authz.Caller{}, err
	}
	caller := at(session.Caller(role), now)
	if request.App != "" && (role == "" || app.IsZero()) {
		return caller, fault.New(fault.AppNotFound)
	}
	caller.App = app
	return caller, nil
}

// at returns the caller as checked at the time.
func at(caller authz.Caller, now time.Time) authz.Caller {
	caller.At = now
	return caller
}

// Note does nothing: a session is no subject that is granted anything.
func (d *Developers) Note(context.Context, authz.Caller, authz.Asked) {}

// noteUse writes down that the session is used, at most every few minutes. Its failure makes it idle that much earlier.
func (d *Developers) noteUse(ctx context.Context, session login.Session, now time.Time) {
	if !session.Stale(now) {
		return
	}
	if err := d.Sessions.Seen(ctx, session.Developer, session.ID, now, session.SeenAt); err != nil {
		slog.WarnContext(ctx, "use of a session not written down", "error", err)
	}
}

// Key refuses an API key.
func (d *Developers) Key(context.Context, string, authz.Request) (authz.Caller, error) {
	return authz.Caller{}, fault.New(fault.SessionNeeded)
}

// Token refuses a user token.
func (d *Developers) Token(context.Context, string, authz.Request) (authz.Caller, error) {
	return authz.Caller{}, fault.New(fault.SessionNeeded)
}
