// Package usertest has what tests of users share: a store in memory and the suite that every store passes.
package usertest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
)

// Store implements user.Store in memory. Like the table it keeps times to the millisecond.
type Store struct {
	// Routing makes a new user's routing record; nil makes none.
	Routing func(app id.App, user id.User)

	creating sync.Mutex // makes Create's writes one step
	users    *storetest.Table[userPlace, user.User]
	names    *storetest.Table[namePlace, claim]
}

type userPlace struct {
	app  id.App
	user id.User
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
	return &Store{users: storetest.NewTable[userPlace, user.User](stale), names: storetest.NewTable[namePlace, claim](stale)}
}

// Create implements user.Store.
func (s *Store) Create(_ context.Context, made user.User, compared string) error {
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
	if s.Routing != nil {
		s.Routing(made.App, made.ID)
	}
	return nil
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
func (s *Store) List(_ context.Context, app id.App, after string, limit int) ([]user.User, string, error) {
	claims := s.names.Select(false, func(n namePlace) bool { return n.app == app && n.compared > after })
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
