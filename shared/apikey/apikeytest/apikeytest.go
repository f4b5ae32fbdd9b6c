// Package apikeytest has what tests of API keys share: a store, tasks and a mailer in memory, and the suite that every
// store passes.
package apikeytest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Store implements apikey.Store in memory. Like the table it keeps times to the millisecond.
type Store struct {
	// Logs has the records.
	Logs *recordtest.Logs

	keys     *storetest.Table[place, apikey.Key]
	deleted  *storetest.Table[id.App, bool]
	policies *storetest.Table[id.App, authz.Policy]
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
	return &Store{Logs: recordtest.NewLogs(), keys: storetest.NewTable[place, apikey.Key](storetest.Staleness{}),
		deleted:  storetest.NewTable[id.App, bool](storetest.Staleness{}),
		policies: storetest.NewTable[id.App, authz.Policy](storetest.Staleness{})}
}

// DeleteApp deletes the app or restores it, which another store's business is.
func (s *Store) DeleteApp(app id.App, deleted bool) { s.deleted.Put(app, deleted) }

// SetPolicy decides something for all subjects of the app, which another store's business is.
func (s *Store) SetPolicy(app id.App, policy authz.Policy) {
	s.transaction.Lock()
	defer s.transaction.Unlock()
	s.policies.Put(app, policy)
}

// Decide gives the key other statements and another copy of the policy, which another store's business is.
func (s *Store) Decide(app id.App, key id.Key, statements []authz.Statement, policy authz.Policy) {
	s.transaction.Lock()
	defer s.transaction.Unlock()
	_, _ = s.change(app, key, func(now *apikey.Key) {
		now.Rights.Statements, now.Policy = slices.Clone(statements), policy
		now.Rights.Version++
	})
}

// Create implements apikey.Store.
func (s *Store) Create(_ context.Context, key apikey.Key, maker apikey.Seen, made record.Record) (apikey.Key, error) {
	s.transaction.Lock()
	defer s.transaction.Unlock()
	if standing, err := s.makes(key, maker); err != nil {
		return standing, err
	}
	s.Logs.Add(made)
	return s.insert(key), nil
}

// Rotate implements apikey.Store.
func (s *Store) Rotate(_ context.Context, replaced, made apikey.Key, maker apikey.Seen, records ...record.Record) (apikey.Key, error) {
	s.transaction.Lock()
	defer s.transaction.Unlock()
	standing, err := s.makes(made, maker)
	// Of a key that replaces itself there is more to say than that the maker is another.
	changed := errors.Is(err, apikey.ErrMakerChanged) && made.CreatedBy == string(replaced.ID)
	if err != nil && !changed {
		return standing, err
	}
	old, exists := s.keys.Get(place{replaced.App, replaced.ID}, true)
	switch {
	case !exists:
		return apikey.Key{}, apikey.ErrNotFound
	case changed || old.RotatedTo != "" || !old.RevokedAt.IsZero() || old.Suspended || !slices.Equal(old.Scopes, replaced.Scopes) ||
		old.Rights.Version != replaced.Rights.Version:
		return old, apikey.ErrNotRotatable
	}
	s.Logs.Add(records...)
	made = s.insert(made)
	_, err = s.change(replaced.App, replaced.ID, func(now *apikey.Key) {
		now.RotatedTo, now.RotatedAt = replaced.RotatedTo, millis(replaced.RotatedAt)
		now.ExpiresAt, now.RevokedAt = millis(replaced.ExpiresAt), millis(replaced.RevokedAt)
		now.Rights.Version++
	})
	return made, err
}

// makes tells whether the key can be made.
func (s *Store) makes(key apikey.Key, seen apikey.Seen) (apikey.Key, error) {
	if standing, exists := s.keys.Get(place{key.App, key.ID}, true); exists {
		return standing, apikey.ErrExists
	}
	if deleted, _ := s.deleted.Get(key.App, true); deleted {
		return apikey.Key{}, apikey.ErrAppDeleted
	}
	if !id.IsKey(key.CreatedBy) {
		return apikey.Key{}, nil
	}
	maker, exists := s.keys.Get(place{key.App, id.Key(key.CreatedBy)}, true)
	if !exists || !maker.RevokedAt.IsZero() || maker.Suspended || seen != (apikey.Seen{Rights: maker.Rights.Version, Policy: maker.Policy.Version}) {
		return apikey.Key{}, apikey.ErrMakerChanged
	}
	return apikey.Key{}, nil
}

// insert stores a new key and returns it with its rights and policy.
func (s *Store) insert(made apikey.Key) apikey.Key {
	rights := apikey.RightsOf(made.Scopes)
	rights.Statements, rights.Version = slices.Clone(made.Rights.Statements), made.Rights.Version
	made.Rights = rights
	made.Policy, _ = s.policies.Get(made.App, true)
	kept := made
	kept.Scopes, kept.Sources = slices.Clone(made.Scopes), slices.Clone(made.Sources)
	kept.CreatedAt, kept.ExpiresAt = millis(made.CreatedAt), millis(made.ExpiresAt)
	s.keys.Insert(place{made.App, made.ID}, kept)
	return made
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
func (s *Store) Revoke(_ context.Context, app id.App, key id.Key, at time.Time, revoked record.Record) (apikey.Key, error) {
	s.transaction.Lock()
	defer s.transaction.Unlock()
	return s.change(app, key, func(now *apikey.Key) {
		if now.RevokedAt.IsZero() {
			now.RevokedAt = millis(at)
			s.Logs.Add(revoked)
		}
	})
}

// Narrow implements apikey.Store.
func (s *Store) Narrow(_ context.Context, app id.App, key id.Key, scopes, was []string, narrowed record.Record) (apikey.Key, error) {
	s.transaction.Lock()
	defer s.transaction.Unlock()
	refused := error(nil)
	after, err := s.change(app, key, func(now *apikey.Key) {
		if !slices.Equal(now.Scopes, was) || !now.RevokedAt.IsZero() {
			refused = apikey.ErrChanged
			return
		}
		now.Scopes, now.Rights.Base = slices.Clone(scopes), apikey.RightsOf(scopes).Base
		now.Rights.Version++
		s.Logs.Add(narrowed)
	})
	return after, errors.Join(err, refused)
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

// UsedFor implements apikey.Store.
func (s *Store) UsedFor(_ context.Context, app id.App, key id.Key, permission authz.Permission, day int64) error {
	_, err := s.change(app, key, func(now *apikey.Key) {
		used := maps.Clone(now.Rights.Used)
		if used == nil {
			used = map[authz.Permission]int64{}
		}
		used[permission] = max(used[permission], day)
		now.Rights.Used = used
	})
	if errors.Is(err, apikey.ErrNotFound) {
		return nil
	}
	return err
}

func (s *Store) change(app id.App, key id.Key, change func(now *apikey.Key)) (apikey.Key, error) {
	after, ok := s.keys.Do(place{app, key}, func(now apikey.Key, exists bool) (apikey.Key, bool) {
		if exists {
			change(&now)
		}
		return now, exists
	})
	if !ok {
		return apikey.Key{}, apikey.ErrNotFound
	}
	return after, nil
}

func millis(t time.Time) time.Time { return t.Truncate(time.Millisecond) }
