// Package apikeytest has what tests of API keys share: a store in memory and the suite that every store passes.
package apikeytest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Store implements apikey.Store in memory. Like the table it keeps times to the millisecond.
type Store struct {
	keys *storetest.Table[place, apikey.Key]
}

type place struct {
	app id.App
	key id.Key
}

var _ apikey.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{keys: storetest.NewTable[place, apikey.Key](storetest.Staleness{})}
}

// Create implements apikey.Store.
func (s *Store) Create(_ context.Context, key apikey.Key) (apikey.Key, error) {
	kept := key
	kept.Scopes = slices.Clone(key.Scopes)
	kept.CreatedAt, kept.ExpiresAt = millis(key.CreatedAt), millis(key.ExpiresAt)
	if standing, inserted := s.keys.Insert(place{key.App, key.ID}, kept); !inserted {
		return standing, apikey.ErrExists
	}
	return key, nil
}

// Get implements apikey.Store.
func (s *Store) Get(_ context.Context, app id.App, key id.Key) (apikey.Key, error) {
	found, ok := s.keys.Get(place{app, key}, true)
	if !ok {
		return apikey.Key{}, apikey.ErrNotFound
	}
	return found, nil
}

// List implements apikey.Store.
func (s *Store) List(_ context.Context, app id.App, after id.Key, limit int) ([]apikey.Key, error) {
	keys := s.keys.Select(true, func(p place) bool { return p.app == app && p.key > after })
	slices.SortFunc(keys, func(a, b apikey.Key) int { return cmp.Compare(a.ID, b.ID) })
	return keys[:min(limit, len(keys))], nil
}

// Revoke implements apikey.Store.
func (s *Store) Revoke(_ context.Context, app id.App, key id.Key, at time.Time) (apikey.Key, error) {
	after, ok := s.keys.Do(place{app, key}, func(now apikey.Key, exists bool) (apikey.Key, bool) {
		if exists && now.RevokedAt.IsZero() {
			now.RevokedAt = millis(at)
		}
		return now, exists
	})
	if !ok {
		return apikey.Key{}, apikey.ErrNotFound
	}
	return after, nil
}

func millis(t time.Time) time.Time { return t.Truncate(time.Millisecond) }
