// Package apikeytest has what tests of API keys share: a store, tasks and a mailer in memory, and the suite that every
// store passes.
package apikeytest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Store implements apikey.Store in memory. Like the table it keeps times to the millisecond.
type Store struct {
	keys    *storetest.Table[place, apikey.Key]
	deleted *storetest.Table[id.App, bool]
	// transaction is held by writes of more than one row.
	transaction sync.Mutex
}

type place struct {
	app id.App
	key id.Key
}

var _ apikey.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{keys: storetest.NewTable[place, apikey.Key](storetest.Staleness{}),
		deleted: storetest.NewTable[id.App, bool](storetest.Staleness{})}
}

// DeleteApp deletes the app or restores it, which another store's business is.
func (s *Store) DeleteApp(app id.App, deleted bool) { s.deleted.Put(app, deleted) }

// Create implements apikey.Store.
func (s *Store) Create(_ context.Context, key apikey.Key) (apikey.Key, error) {
	s.transaction.Lock()
	defer s.transaction.Unlock()
	if standing, err := s.makes(key); err != nil {
		return standing, err
	}
	s.insert(key)
	return key, nil
}

// Rotate implements apikey.Store.
func (s *Store) Rotate(_ context.Context, replaced, made apikey.Key) (apikey.Key, error) {
	s.transaction.Lock()
	defer s.transaction.Unlock()
	standing, err := s.makes(made)
	itself := made.CreatedBy == string(replaced.ID) // then there is more to say than that the maker is revoked
	if err != nil && !(itself && errors.Is(err, apikey.ErrMakerRevoked)) {
		return standing, err
	}
	old, exists := s.keys.Get(place{replaced.App, replaced.ID}, true)
	switch {
	case !exists:
		return apikey.Key{}, apikey.ErrNotFound
	case old.RotatedTo != "" || !old.RevokedAt.IsZero() || old.Suspended:
		return old, apikey.ErrNotRotatable
	}
	s.insert(made)
	_, err = s.change(replaced.App, replaced.ID, func(now *apikey.Key) {
		now.RotatedTo, now.RotatedAt = replaced.RotatedTo, millis(replaced.RotatedAt)
		now.ExpiresAt, now.RevokedAt = millis(replaced.ExpiresAt), millis(replaced.RevokedAt)
	})
	return made, err
}

// makes tells whether the key can be made.
func (s *Store) makes(key apikey.Key) (apikey.Key, error) {
	if standing, exists := s.keys.Get(place{key.App, key.ID}, true); exists {
		return standing, apikey.ErrExists
	}
	if deleted, _ := s.deleted.Get(key.App, true); deleted {
		return apikey.Key{}, apikey.ErrAppDeleted
	}
	maker, exists := s.keys.Get(place{key.App, id.Key(key.CreatedBy)}, true)
	if exists && (!maker.RevokedAt.IsZero() || maker.Suspended) {
		return apikey.Key{}, apikey.ErrMakerRevoked
	}
	return apikey.Key{}, nil
}

func (s *Store) insert(key apikey.Key) {
	key.Scopes, key.Sources = slices.Clone(key.Scopes), slices.Clone(key.Sources)
	key.CreatedAt, key.ExpiresAt = millis(key.CreatedAt), millis(key.ExpiresAt)
	s.keys.Insert(place{key.App, key.ID}, key)
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
	s.transaction.Lock()
	defer s.transaction.Unlock()
	return s.change(app, key, func(now *apikey.Key) {
		if now.RevokedAt.IsZero() {
			now.RevokedAt = millis(at)
		}
	})
}

// Suspend implements apikey.Store.
func (s *Store) Suspend(_ context.Context, app id.App, key id.Key, on bool) error {
	s.transaction.Lock()
	defer s.transaction.Unlock()
	_, err := s.change(app, key, func(now *apikey.Key) { now.Suspended = on })
	return err
}

// Used implements apikey.Store.
func (s *Store) Used(_ context.Context, app id.App, key id.Key, at, before time.Time, source string) error {
	_, err := s.change(app, key, func(now *apikey.Key) {
		if now.UsedAt.IsZero() || !now.UsedAt.After(before) {
			now.UsedAt, now.UsedFrom = millis(at), source
		}
	})
	if errors.Is(err, apikey.ErrNotFound) {
		return nil
	}
	return err
}

func (s *Store) change(app id.App, key id.Key, change func(now *apikey.Key)) (apikey.Key, error) {
	after, ok := s.keys.Do(place{app, key}, func(now apikey.Key, exists bool) (apikey.Key, bool) {
		change(&now)
		return now, exists
	})
	if !ok {
		return apikey.Key{}, apikey.ErrNotFound
	}
	return after, nil
}

func millis(t time.Time) time.Time { return t.Truncate(time.Millisecond) }
