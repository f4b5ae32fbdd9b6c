package appdb

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/id"
)

// Keys implements app.Keys with the store of the keys.
type Keys struct{ Store keyStore }

// keyStore is what Keys needs of apikey.Store.
type keyStore interface {
	List(ctx context.Context, app id.App, after id.Key, limit int) ([]apikey.Key, error)
	Suspend(ctx context.Context, app id.App, key id.Key, on bool) error
}

var _ app.Keys = Keys{}

// IDs implements app.Keys.
func (k Keys) IDs(ctx context.Context, appID id.App, after id.Key, limit int) ([]id.Key, error) {
	keys, err := k.Store.List(ctx, appID, after, limit)
	ids := make([]id.Key, len(keys))
	for i, key := range keys {
		ids[i] = key.ID
	}
	return ids, err
}

// Suspend implements app.Keys.
func (k Keys) Suspend(ctx context.Context, appID id.App, key id.Key, on bool) error {
	err := k.Store.Suspend(ctx, appID, key, on)
	if errors.Is(err, apikey.ErrNotFound) {
		return nil
	}
	return err
}
