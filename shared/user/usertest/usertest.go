// Package usertest has what tests of users share: a store in memory and the suite that every store passes.
package usertest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
)

// Store implements user.Store in memory. Like the table it keeps times to the millisecond.
type Store struct {
	// Routing makes a new user's routing record; nil makes none.
	Routing func(app id.App, user id.User)

	// Logs has the records.
	Logs *recordtest.Logs

	// Silent tells that the apps accept silently what blocked users send.
	Silent bool

	creating sync.Mutex // makes the writes of Create, of Change, and of a block one step
	blocks   *storetest.Table[blockPlace, user.Block]
	profiles *storetest.Table[userPlace, shown]
	users    *storetest.Table[userPlace, user.User]
	names    *storetest.Table[namePlace, claim]
}

type userPlace struct {
	app  id.App
	user id.User
}

type shown struct {
	userPlace
	profile.Profile
}

type namePlace struct {
	app      id.App
	compared string
}

type claim struct {
	namePlace
	user id.User
}

var _ user.Store = (*Store)(nil)

// NewStore returns an empty store, whose every read sees everything.
func NewStore() *Store { return NewStale(storetest.Staleness{}) }

// NewStale returns an empty store, whose reads that are not strong see older states.
func NewStale(stale storetest.Staleness) *Store {
	return &Store{Logs: recordtest.NewLogs(), blocks: storetest.NewTable[blockPlace, user.Block](stale),
		profiles: storetest.NewTable[userPlace, shown](stale),
		users:    storetest.NewTable[userPlace, user.User](stale), names: storetest.NewTable[namePlace, claim](stale)}
}

// Create implements user.Store.
func (s *Store) Create(_ context.Context, made user.User, compared string) error {
	return s.CreateWith(made, compared, profile.Profile{})
}

// CreateWith is Create of a user who shows the profile, where its version is not 0.
func (s *Store) CreateWith(made user.User, compared string, shows profile.Profile) error {
	s.creating.Lock()
	defer s.creating.Unlock()
	place, name := userPlace{made.App, made.ID}, namePlace{made.App, compared}
	if _, exists := s.users.Get(place, true); exists {
		return user.ErrExists
	}
	if _, inserted := s.names.Insert(name, claim{name, made.ID}); !inserted {
		return user.ErrNameTaken
	}
	made.CreatedAt, made.Rights = made.CreatedAt.Truncate(time.Millisecond), authz.Rights{Kind: authz.Users}
	s.users.Put(place, made)
	if made.Version != 0 {
		s.profiles.Put(place, shown{place, shows})
	}
	if s.Routing != nil {
		s.Routing(made.App, made.ID)
	}
	return nil
}

// Profiles implements user.Store.
func (s *Store) Profiles(_ context.Context, app id.App, users []id.User, strong bool) (map[id.User]profile.Profile, error) {
	found := map[id.User]profile.Profile{}
	for _, each := range users {
		if row, ok := s.profiles.Get(userPlace{app, each}, strong); ok {
			found[each] = row.Profile
		}
	}
	return found, nil
}

// Change implements user.Store.
func (s *Store) Change(_ context.Context, change user.Change) error {
	s.creating.Lock()
	defer s.creating.Unlock()
	was := change.Was
	place := userPlace{was.App, was.ID}
	if now, exists := s.users.Get(place, true); !exists || now.Version != was.Version {
		return user.ErrChanged
	}
	if change.From != change.To {
		name := namePlace{was.App, change.To}
		if _, inserted := s.names.Insert(name, claim{name, was.ID}); !inserted {
			return user.ErrNameTaken
		}
		s.names.Delete(namePlace{was.App, change.From})
	}
	s.profiles.Put(place, shown{place, change.Profile})
	s.users.Do(place, func(now user.User, exists bool) (user.User, bool) {
		now.Username, now.Version = change.Username, now.Version+1
		return now, exists
	})
	return nil
}

// SetActive implements user.Store.
func (s *Store) SetActive(_ context.Context, app id.App, userID id.User, active bool, at time.Time, changed record.Record) (user.User, error) {
	done := false
	after, ok := s.users.Do(userPlace{app, userID}, func(now user.User, exists bool) (user.User, bool) {
		switch done = exists && active == now.Deactivated(); {
		case done && active:
			now.DeactivatedAt = time.Time{}
		case done:
			now.DeactivatedAt, now.TokenEpoch = at.Truncate(time.Millisecond), now.TokenEpoch+1
		}
		return now, exists
	})
	if !ok {
		return user.User{}, user.ErrNotFound
	}
	if done {
		s.Logs.Add(changed)
	}
	return after, nil
}

// Get implements user.Store.
func (s *Store) Get(_ context.Context, app id.App, userID id.User, strong bool) (user.User, error) {
	found, ok := s.users.Get(userPlace{app, userID}, strong)
	if !ok {
		return user.User{}, user.ErrNotFound
	}
	return found, nil
}

// ByName implements user.Store.
func (s *Store) ByName(_ context.Context, app id.App, compared string, strong bool) (id.User, error) {
	found, ok := s.names.Get(namePlace{app, compared}, strong)
	if !ok {
		return "", user.ErrNotFound
	}
	return found.user, nil
}

// List implements user.Store.
func (s *Store) List(_ context.Context, app id.App, prefix, after string, limit int) ([]user.User, string, error) {
	claims := s.names.Select(false, func(n namePlace) bool {
		return n.app == app && n.compared > after && strings.HasPrefix(n.compared, prefix)
	})
	slices.SortFunc(claims, func(a, b claim) int { return cmp.Compare(a.compared, b.compared) })
	next := ""
	if len(claims) >= limit {
		claims = claims[:limit]
		next = claims[limit-1].compared
	}
	var users []user.User
	for _, claim := range claims {
		if found, ok := s.users.Get(userPlace{app, claim.user}, false); ok {
			users = append(users, found)
		}
	}
	return users, next, nil
}

// RevokeTokens implements user.Store.
func (s *Store) RevokeTokens(_ context.Context, app id.App, userID id.User) (user.User, error) {
	after, ok := s.users.Do(userPlace{app, userID}, func(now user.User, exists bool) (user.User, bool) {
		now.TokenEpoch++
		return now, exists
	})
	if !ok {
		return user.User{}, user.ErrNotFound
	}
	return after, nil
}

// UsedFor implements user.Store.
func (s *Store) UsedFor(_ context.Context, app id.App, userID id.User, permission authz.Permission, day int64) error {
	s.users.Do(userPlace{app, userID}, func(now user.User, exists bool) (user.User, bool) {
		used := maps.Clone(now.Rights.Used)
		if used == nil {
			used = map[authz.Permission]int64{}
		}
		used[permission] = max(used[permission], day)
		now.Rights.Used = used
		return now, exists
	})
	return nil
}
