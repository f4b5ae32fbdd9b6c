package apikey

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

// ErrNotFound says that the app has no such key.
var ErrNotFound = errors.New("apikey: not found")

// ErrExists says that a key of that ID exists already.
var ErrExists = errors.New("apikey: exists")

// ErrAppDeleted says that the app has been deleted.
var ErrAppDeleted = errors.New("apikey: app deleted")

// ErrMakerRevoked says that the key that would make another has been revoked meanwhile.
var ErrMakerRevoked = errors.New("apikey: maker revoked")

// ErrNotRotatable says that the key has been revoked, rotated or suspended meanwhile.
var ErrNotRotatable = errors.New("apikey: not rotatable")

// Store keeps key records. Every method sees only the app that it is given.
type Store interface {
	// Create stores a new key in one transaction, which says by ErrAppDeleted that the app has been deleted, and by
	// ErrMakerRevoked that CreatedBy names a key of the app that is revoked or suspended. Where the ID is taken, it
	// returns the standing record and ErrExists, whatever else there is to say. The very same key again, to its hash, is the
	// same creation: it may succeed or be ErrExists.
	Create(ctx context.Context, key Key) (standing Key, err error)
	// Rotate is Create, and in the same transaction gives the key that made.RotatedFrom names the ExpiresAt, RotatedAt,
	// RotatedTo and RevokedAt of replaced. Where that key is revoked, rotated or suspended, it returns its standing
	// record and ErrNotRotatable.
	Rotate(ctx context.Context, replaced, made Key) (standing Key, err error)
	// Get returns the key, read strongly, or ErrNotFound.
	Get(ctx context.Context, app id.App, key id.Key) (Key, error)
	// List returns up to limit keys of the app by ID, those after the ID; "" begins. It reads strongly, so that whoever
	// deletes an app finds every key.
	List(ctx context.Context, app id.App, after id.Key, limit int) ([]Key, error)
	// Revoke sets RevokedAt if it is not set yet and returns the record after that, or ErrNotFound.
	Revoke(ctx context.Context, app id.App, key id.Key, at time.Time) (Key, error)
	// Suspend sets Suspended, or ErrNotFound.
	Suspend(ctx context.Context, app id.App, key id.Key, on bool) error
	// Used sets UsedAt and UsedFrom where UsedAt is zero or not after the time before; otherwise, and where there is no
	// such key, it does nothing. It touches nothing else, so that functions can be allowed just that.
	Used(ctx context.Context, app id.App, key id.Key, at, before time.Time, source string) error
}
