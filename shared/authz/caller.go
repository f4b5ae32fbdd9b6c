package authz

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Caller is who is calling, as package authn found out. The app ID of everything that a request touches comes from
// here, never from the request.
type Caller struct {
	// App is the tenant; none for nobody, and for a developer who has not chosen one of the account's apps.
	App id.App
	// Key is the application's key, Scopes its permissions; for an end user the key that minted its token. A developer has
	// no key, and the permissions of the role.
	Key    id.Key
	Scopes []string
	// User is the end user, or the user whom an application acts for; "" where the operation has none.
	User id.User
	// Epoch is the user's token epoch now.
	Epoch int64
	// EndUser tells a caller with a user token from an application.
	EndUser bool
	// Device and ExpiresAt are what an end user's token says.
	Device    string
	ExpiresAt time.Time

	// Developer is who is logged in, in which session, standing in which account with which role. "" for keys and tokens.
	Developer id.Developer
	Session   string
	Account   id.Account
	Role      Role
	// ConfirmedAt is when the developer last proved in this session to be there: at login, or by a step-up since.
	ConfirmedAt time.Time

	// Source is the address that the request came from, as API Gateway saw it; the zero value where there is none.
	Source netip.Addr
}

// Known tells whether the credential was good, whatever it may do.
func (c Caller) Known() bool { return !c.App.IsZero() || c.Developer != "" }

// By names the caller for records: a developer, else a key.
func (c Caller) By() string {
	if c.Developer != "" {
		return string(c.Developer)
	}
	return string(c.Key)
}

// Require refuses a caller without the permission, naming it. An end user has what every end user may do for itself,
// whatever the scopes of the key that minted its token. A developer needs to have chosen an app for what is done in one.
func (c Caller) Require(permission Permission) error {
	allowed := slices.Contains(c.Scopes, string(permission))
	if c.EndUser {
		allowed = UserMay(permission)
	}
	if !allowed {
		return fault.New(fault.PermissionDenied, string(permission))
	}
	if c.Developer != "" && c.App.IsZero() && slices.Contains(Scopes(), string(permission)) {
		return fault.New(fault.AppNotChosen)
	}
	return nil
}

// stepUpFor is how long a developer who proved to be there may make the changes that ask for it.
const stepUpFor = 10 * time.Minute

// RequireConfirmed refuses a developer who has not proved to be there lately: a session left open, or a stolen cookie,
// must not be enough to take an account over.
func (c Caller) RequireConfirmed(now time.Time) error {
	if now.Sub(c.ConfirmedAt) > stepUpFor {
		return fault.New(fault.StepUpRequired)
	}
	return nil
}

// Request is what an edge knows of a request besides its credential.
type Request struct {
	// Actor is the user that the request names as acting.
	Actor Actor
	// Source is the address that it came from.
	Source netip.Addr
	// App is the app that a developer chooses for it; it is looked up among the apps of the session's account.
	App string
}

// Actor is the user that a request names as acting: its ID or username, and the field that it stands in.
type Actor struct{ User, Field string }
