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

// Store keeps key records. Every method sees only the app that it is given.
type Store interface {
	// Create stores a new key, atomically; where its ID is taken, it returns the standing record and ErrExists.
	Create(ctx context.Context, key Key) (standing Key, err error)
	// Get returns the key, read strongly, or ErrNotFound.
	Get(ctx context.Context, app id.App, key id.Key) (Key, error)
	// List returns up to limit keys of the app by ID, those after the ID; "" begins.
	List(ctx context.Context, app id.App, after id.Key, limit int) ([]Key, error)
	// Revoke sets RevokedAt if it is not set yet and returns the record after that, or ErrNotFound.
	Revoke(ctx context.Context, app id.App, key id.Key, at time.Time) (Key, error)
}
