// Package authn finds out who is calling: an application by its API key, a developer by a session, or an end user by a
// user token, a connect ticket or an open socket. Whatever the credential says is checked against the records of key and user, read strongly
// in one round trip, on every request and every frame: a revocation bites at the next one.
package authn

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/token"
	"github.com/tokenim/tokenim/shared/user"
)

// Records reads keys and users.
type Records interface {
	// Load returns the key and the user of the app, read strongly and in one round trip; nil for what does not exist or
	// is "".
	Load(ctx context.Context, app id.App, key id.Key, user id.User) (*apikey.Key, *user.User, error)
	// LoadUser returns the user of the app, nil where there is none, and the app's policy, in the same way. It is for
	// developers, who bring no key that has a copy of it.
	LoadUser(ctx context.Context, app id.App, user id.User) (*user.User, authz.Policy, error)
}

// Uses writes down that keys are used. apikey.Store has the methods.
type Uses interface {
	// Used writes down when and from where the key was used, where that has not been done since the time before.
	Used(ctx context.Context, app id.App, key id.Key, at, before time.Time, source string) error
	// UsedFor writes down that the key used the permission on the day, where no later day is.
	UsedFor(ctx context.Context, app id.App, key id.Key, permission authz.Permission, day int64) error
}

// UserUses writes down that users use what they were granted. user.Store has the method.
type UserUses interface {
	// UsedFor writes down that the user used the permission on the day, where no later day is.
	UsedFor(ctx context.Context, app id.App, user id.User, permission authz.Permission, day int64) error
}

// Names resolves usernames. user.Service is one.
type Names interface {
	// Resolve returns the ID that an ID or username stands for, without checking that an ID exists.
	Resolve(ctx context.Context, app id.App, idOrName, field string) (id.User, error)
}

// Authenticator checks credentials.
type Authenticator struct {
	Records    Records
	Developers *Developers
	// Uses and UserUses may be nil where nothing is written down.
	Uses     Uses
	UserUses UserUses
	Names    Names
	Tokens   *token.Issuer
	Clock    clock.Clock
}

// Key checks an API key and loads the user that it acts for; an empty actor is none. The key is judged first: whoever
// has none learns nothing about users, not even by the time that an answer takes.
func (a *Authenticator) Key(ctx context.Context, text string, request authz.Request) (authz.Caller, error) {
	actor := request.Actor
	secret, err := apikey.Parse(text)
	if err != nil {
		return authz.Caller{}, err
	}
	app, userID := secret.ID.App(), id.User("")
	if id.IsUser(actor.User) {
		userID = id.User(actor.User) // an ID comes in the same round trip
	}
	key, found, err := a.Records.Load(ctx, app, secret.ID, userID)
	if err != nil {
		return authz.Caller{}, err
	}
	if key == nil {
		return authz.Caller{}, fault.New(fault.APIKeyUnknown)
	}
	if err := key.Check(secret, a.Clock.Now()); err != nil {
		return authz.Caller{}, err
	}
	if err := key.AllowsSource(request.Source); err != nil {
		return authz.Caller{}, err
	}
	a.noteUse(ctx, *key, request.Source)
	caller := authz.Caller{App: app, Key: key.ID, Rights: key.Rights, Policy: &key.Policy, At: a.Clock.Now()}
	if actor.User == "" {
		return caller, nil
	}
	if userID == "" {
		if found, err = a.byName(ctx, app, actor); err != nil {
			return caller, err
		}
	}
	if found == nil {
		return caller, user.NotFound(actor.Field)
	}
	return acting(caller, *found, actor.Field)
}

// acting returns the caller as acting for the user, whom the field named. Nobody acts for one who is deactivated.
func acting(caller authz.Caller, found user.User, field string) (authz.Caller, error) {
	if found.Deactivated() {
		return caller, user.Deactivated(field)
	}
	caller.User, caller.UserRights, caller.Epoch = found.ID, found.Rights, found.TokenEpoch
	return caller, nil
}

// Note writes down that the caller uses what it asked for, at most once a day for each. Its failure is nobody's: the review of
// rights then knows of one day less.
func (a *Authenticator) Note(ctx context.Context, caller authz.Caller, asked authz.Asked) {
	if a.Uses == nil || a.UserUses == nil {
		return
	}
	for _, use := range caller.Unnoted(asked) {
		var err error
		if use.Key != "" {
			err = a.Uses.UsedFor(ctx, caller.App, use.Key, use.Permission, use.Day)
		} else {
			err = a.UserUses.UsedFor(ctx, caller.App, use.User, use.Permission, use.Day)
		}
		if err != nil {
			slog.WarnContext(ctx, "use of a permission not written down", "error", err)
		}
	}
}

// noteUse writes down that the key is used, at most once in the interval. Its failure is nobody's: what the record says is
// then an hour older.
func (a *Authenticator) noteUse(ctx context.Context, key apikey.Key, source netip.Addr) {
	now := a.Clock.Now()
	if !key.UseDue(now) {
		return
	}
	if err := a.Uses.Used(ctx, key.App, key.ID, now, key.UseBefore(now), source.String()); err != nil {
		slog.WarnContext(ctx, "use of a key not written down", "error", err)
	}
}

// Session checks a developer's session and loads the user that the developer acts for, if any.
func (a *Authenticator) Session(ctx context.Context, text string, request authz.Request) (authz.Caller, error) {
	caller, err := a.Developers.Session(ctx, text, request)
	if err != nil {
		return caller, err
	}
	return a.actingFor(ctx, caller, request.Actor)
}

// actingFor loads the user that a developer acts for in an app.
func (a *Authenticator) actingFor(ctx context.Context, caller authz.Caller, actor authz.Actor) (authz.Caller, error) {
	if actor.User == "" || caller.App.IsZero() {
		return caller, nil
	}
	userID, err := a.Names.Resolve(ctx, caller.App, actor.User, actor.Field)
	if err != nil {
		return caller, err
	}
	found, policy, err := a.Records.LoadUser(ctx, caller.App, userID)
	if err != nil {
		return caller, err
	}
	if found == nil {
		return caller, user.NotFound(actor.Field)
	}
	caller.Policy = &policy
	return acting(caller, *found, actor.Field)
}

// byName loads the user of a name.
func (a *Authenticator) byName(ctx context.Context, app id.App, actor authz.Actor) (*user.User, error) {
	userID, err := a.Names.Resolve(ctx, app, actor.User, actor.Field)
	if err != nil {
		return nil, err
	}
	_, found, err := a.Records.Load(ctx, app, "", userID)
	return found, err
}

// Token checks a user token. An actor other than the token's user is refused: as not found where the app has no such
// user, else as not yourself. An empty actor is the token's user.
func (a *Authenticator) Token(ctx context.Context, text string, request authz.Request) (authz.Caller, error) {
	actor := request.Actor
	claims, err := a.Tokens.Verify(ctx, text, token.User)
	if err != nil {
		return authz.Caller{}, err
	}
	caller, err := a.Claims(ctx, claims)
	if err != nil || actor.User == "" || actor.User == string(claims.User) {
		return caller, err
	}
	other, err := a.Names.Resolve(ctx, claims.App, actor.User, actor.Field)
	if err != nil || other == claims.User {
		return caller, err
	}
	_, found, err := a.Records.Load(ctx, claims.App, claims.Key, other)
	if err != nil {
		return authz.Caller{}, err
	}
	if found == nil {
		return authz.Caller{}, user.NotFound(actor.Field)
	}
	return authz.Caller{}, fault.New(fault.NotYourself)
}

// Ticket checks a connect ticket, apart from whether it was used before, and returns its ID for that. The caller's rights
// last as long as those of the token that it stands for.
func (a *Authenticator) Ticket(ctx context.Context, text string) (caller authz.Caller, ticket string, err error) {
	claims, err := a.Tokens.Verify(ctx, text, token.Ticket)
	if err != nil {
		return authz.Caller{}, "", err
	}
	claims.ExpiresAt = claims.SessionExpiresAt
	caller, err = a.Claims(ctx, claims)
	return caller, claims.ID, err
}

// Claims checks what a genuine token says against the records of now: expiry, the key that minted it, the user, and the
// user's token epoch. Frames of open sockets come here with what $connect was told.
func (a *Authenticator) Claims(ctx context.Context, claims token.Claims) (authz.Caller, error) {
	now := a.Clock.Now()
	if !now.Before(claims.ExpiresAt) {
		return authz.Caller{}, fault.New(fault.TokenExpired, claims.ExpiresAt.Format(time.RFC3339))
	}
	key, found, err := a.Records.Load(ctx, claims.App, claims.Key, claims.User)
	if err != nil {
		return authz.Caller{}, err
	}
	if key == nil || key.Active(now) != nil || found == nil {
		return authz.Caller{}, fault.New(fault.TokenRevoked)
	}
	if found.Deactivated() { // which has voided the token, too: the user learns why
		return authz.Caller{}, fault.New(fault.UserDeactivated)
	}
	if found.TokenEpoch != claims.Epoch {
		return authz.Caller{}, fault.New(fault.TokenRevoked)
	}
	return acting(authz.Caller{App: claims.App, Key: key.ID, Rights: key.Rights, Policy: &key.Policy, At: now,
		EndUser: true, Device: claims.Device, ExpiresAt: claims.ExpiresAt}, *found, "")
}
