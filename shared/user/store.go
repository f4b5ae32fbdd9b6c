package user

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/record"
)

// ErrNotFound says that the app has no such user.
var ErrNotFound = errors.New("user: not found")

// ErrNameTaken says that another user of the app has the name.
var ErrNameTaken = errors.New("user: name taken")

// ErrExists says that a user of that ID exists already.
var ErrExists = errors.New("user: exists")

// ErrChanged says that the user was changed since it was read.
var ErrChanged = errors.New("user: changed")

// ErrBlocked and ErrNotBlocked say that a user has blocked another already, or has not.
var (
	ErrBlocked    = errors.New("user: blocked already")
	ErrNotBlocked = errors.New("user: not blocked")
)

// Change is a change of a user's username and profile.
type Change struct {
	// Was is the user as it was read, strongly: what the change was decided on.
	Was User
	// Username is the name after it, as it is shown.
	Username string
	// From and To are the compared forms of the names before and after; the same where that stays.
	From, To string
	// Profile is the profile after it.
	Profile profile.Profile
}

// Store keeps users. Every method sees only the app that it is given.
type Store interface {
	// Create stores a new user together with the claim to its name and its empty routing record, all or nothing. Of
	// any number of concurrent calls for one name exactly one succeeds; the others get ErrNameTaken, or ErrExists
	// where the ID is taken, or was that of a user who is erased (whatever the name).
	Create(ctx context.Context, user User, compared string) error
	// Get returns the user, or ErrNotFound. A read that is not strong may miss what was written just now.
	Get(ctx context.Context, app id.App, user id.User, strong bool) (User, error)
	// ByName returns the ID of the user with the compared form of the name, or ErrNotFound.
	ByName(ctx context.Context, app id.App, compared string, strong bool) (id.User, error)
	// List returns up to limit users in the order of their compared names: of the names that begin with the prefix, which is
	// in that form too, those after the name; "" begins. next is the name to go on after, "" at the end. It is eventually
	// consistent.
	List(ctx context.Context, app id.App, prefix, after string, limit int) (users []User, next string, err error)
	// Profiles returns the profiles of those of the users, at most 100, that have set one: half a read unit for each user, a
	// whole one if strong.
	Profiles(ctx context.Context, app id.App, users []id.User, strong bool) (map[id.User]profile.Profile, error)
	// Change changes the username and the profile and raises the user's Version by one, all or nothing: ErrChanged where the
	// user has another Version than the one in Was, or is gone; ErrNameTaken where another user has the name. The name
	// before is free from then on.
	Change(ctx context.Context, change Change) error
	// SetActive reactivates the user, or deactivates it at the time and raises its TokenEpoch by one, together with the
	// record of it. It returns the user after that, or ErrNotFound. A user that is so already stays as it is, and is not
	// recorded.
	SetActive(ctx context.Context, app id.App, user id.User, active bool, at time.Time, changed record.Record) (User, error)
	// PutBlock stores the block and counts it in the user's Blocks, all or nothing: ErrBlocked where it stands already,
	// ErrChanged where the user has other Blocks than the one read, strongly, as was, or is gone.
	PutBlock(ctx context.Context, was User, block Block) error
	// RemoveBlock removes the user's block of the other in the same way; ErrNotBlocked where there is none.
	RemoveBlock(ctx context.Context, was User, other id.User) error
	// Blocking tells whether the user has blocked the other, and whether the app accepts what blocked users send silently, in
	// one round trip: half a read unit each. It is eventually consistent.
	Blocking(ctx context.Context, app id.App, user, other id.User) (blocked, silently bool, err error)
	// Blocks returns up to limit of the user's blocks by the other's ID, those after the ID; "" begins. next is the ID to go
	// on after, "" at the end. Which blocks there are is eventually consistent.
	Blocks(ctx context.Context, app id.App, user, after id.User, limit int) (blocks []Block, next id.User, err error)
	// RevokeTokens raises the user's TokenEpoch by one and returns the user after that, or ErrNotFound.
	RevokeTokens(ctx context.Context, app id.App, user id.User) (User, error)
	// UsedFor sets the day in Rights.Used of the permission, unless a later one, or the same, stands there; where there is no
	// such user, it does nothing. It touches nothing else, so that functions can be allowed just that.
	UsedFor(ctx context.Context, app id.App, user id.User, permission authz.Permission, day int64) error
}
