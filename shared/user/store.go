package user

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
)

// ErrNotFound says that the app has no such user.
var ErrNotFound = errors.New("user: not found")

// ErrNameTaken says that another user of the app has the name.
var ErrNameTaken = errors.New("user: name taken")

// ErrExists says that a user of that ID exists already.
var ErrExists = errors.New("user: exists")

// Store keeps users. Every method sees only the app that it is given.
type Store interface {
	// Create stores a new user together with the claim to its name and its empty routing record, all or nothing. Of
	// any number of concurrent calls for one name exactly one succeeds; the others get ErrNameTaken, or ErrExists
	// where the ID is taken (whatever the name).
	Create(ctx context.Context, user User, compared string) error
	// Get returns the user, or ErrNotFound. A read that is not strong may miss what was written just now.
	Get(ctx context.Context, app id.App, user id.User, strong bool) (User, error)
	// ByName returns the ID of the user with the compared form of the name, or ErrNotFound.
	ByName(ctx context.Context, app id.App, compared string, strong bool) (id.User, error)
	// List returns up to limit users in the order of their compared names, those after the name; "" begins. next is
	// the name to go on after, "" at the end. It is eventually consistent.
	List(ctx context.Context, app id.App, after string, limit int) (users []User, next string, err error)
	// RevokeTokens raises the user's TokenEpoch by one and returns the user after that, or ErrNotFound.
	RevokeTokens(ctx context.Context, app id.App, user id.User) (User, error)
	// UsedFor sets the day in Rights.Used of the permission, unless a later one, or the same, stands there; where there is no
	// such user, it does nothing. It touches nothing else, so that functions can be allowed just that.
	UsedFor(ctx context.Context, app id.App, user id.User, permission authz.Permission, day int64) error
}
