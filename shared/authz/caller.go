package authz

import (
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Caller is who is calling, as package authn found out. The app ID of everything that a request touches comes from
// here, never from the request.
type Caller struct {
	// App is the tenant; "" for nobody.
	App id.App
	// Key is the application's key, Scopes its permissions; for an end user the key that minted its token.
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
}

// Require refuses a caller without the permission, naming it. An end user has what every end user may do for itself,
// whatever the scopes of the key that minted its token.
func (c Caller) Require(permission Permission) error {
	allowed := slices.Contains(c.Scopes, string(permission))
	if c.EndUser {
		allowed = UserMay(permission)
	}
	if !allowed {
		return fault.New(fault.PermissionDenied, string(permission))
	}
	return nil
}

// Actor is the user that a request names as acting: its ID or username, and the field that it stands in.
type Actor struct{ User, Field string }
