package apikey

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// ErrNotFound says that the app has no such key.
var ErrNotFound = errors.New("apikey: not found")

// ErrExists says that a key of that ID exists already.
var ErrExists = errors.New("apikey: exists")

// ErrAppDeleted says that the app has been deleted.
var ErrAppDeleted = errors.New("apikey: app deleted")

// ErrMakerChanged says that the key that would make another has been revoked or suspended meanwhile, or may do something else
// than when it was read.
var ErrMakerChanged = errors.New("apikey: maker changed")

// ErrNotRotatable says that the key has been revoked, rotated, suspended or narrowed meanwhile, or granted or denied something.
var ErrNotRotatable = errors.New("apikey: not rotatable")

// ErrChanged says that the key has been revoked or narrowed meanwhile.
var ErrChanged = errors.New("apikey: changed")

// Seen is what of a key a decision was made by: the versions of its Rights and of its Policy.
type Seen struct{ Rights, Policy int64 }

// Store keeps keys. Every method sees only the app that it is given. The records that methods take are written in the same
// transaction as the change that they tell of; a call that changes nothing leaves none.
type Store interface {
	// Create stores a new key in one transaction, which says by ErrAppDeleted that the app has been deleted, and by
	// ErrMakerChanged that CreatedBy names a key of the app that is revoked or suspended, or is not as the maker was seen.
	// Where the ID is taken, it returns the standing record and ErrExists, whatever else there is to say. The very same key
	// again, to its hash, is the same creation: it may succeed or be ErrExists. The new key has its scopes as Rights, with the
	// Statements and the Version that are given, and as Policy what its app has decided at that moment; with both it is returned.
	Create(ctx context.Context, key Key, maker Seen, made record.Record) (standing Key, err error)
	// Rotate is Create, and in the same transaction gives the key that made.RotatedFrom names the ExpiresAt, RotatedAt,
	// RotatedTo and RevokedAt of replaced, which counts in the Version of its Rights. Where that key is revoked, rotated or suspended, or has other Scopes or other
	// Rights than replaced, it returns its standing record and ErrNotRotatable; also where it is its own maker, and not as
	// the maker was seen.
	Rotate(ctx context.Context, replaced, made Key, maker Seen, records ...record.Record) (standing Key, err error)
	// Get returns the key, read strongly, or ErrNotFound.
	Get(ctx context.Context, app id.App, key id.Key) (Key, error)
	// List returns up to limit keys of the app by ID, those after the ID; "" begins. It reads strongly, so that whoever
	// deletes an app finds every key.
	List(ctx context.Context, app id.App, after id.Key, limit int) ([]Key, error)
	// Revoke sets RevokedAt if it is not set yet and returns the record after that, or ErrNotFound.
	Revoke(ctx context.Context, app id.App, key id.Key, at time.Time, revoked record.Record) (Key, error)
	// Narrow sets Scopes, if they are those of was and the key is not revoked, counts that in the Version of Rights, and returns
	// the record after that; else it
	// returns the standing record and ErrChanged, or ErrNotFound.
	Narrow(ctx context.Context, app id.App, key id.Key, scopes, was []string, narrowed record.Record) (Key, error)
	// Suspend sets Suspended, or ErrNotFound.
	Suspend(ctx context.Context, app id.App, key id.Key, on bool) error
	// Used sets UsedAt and UsedFrom where UsedAt is zero or not after the time before; otherwise, and where there is no
	// such key, it does nothing. It touches nothing else, so that functions can be allowed just that.
	Used(ctx context.Context, app id.App, key id.Key, at, before time.Time, source string) error
	// UsedFor sets the day in Rights.Used of the permission, unless a later one, or the same, stands there; where there is no
	// such key, it does nothing. It touches nothing else, as Used.
	UsedFor(ctx context.Context, app id.App, key id.Key, permission authz.Permission, day int64) error
}
