// Package userimporttest has what tests of imports share: a store in memory, a fuse around a store, and the suite that every store
// passes.
package userimporttest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/usertest"
	"github.com/tokenim/tokenim/shared/userimport"
)

// Store implements userimport.Store in memory. Like the table it keeps times to the millisecond.
type Store struct {
	// Users has who is registered.
	Users *usertest.Store

	mutex   sync.Mutex
	imports map[place]userimport.Import
	rows    map[rowPlace]userimport.Row
}

type place struct {
	app id.App
	job id.Import
}

type rowPlace struct {
	place
	number int
}

var _ userimport.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{Users: usertest.NewStore(), imports: map[place]userimport.Import{}, rows: map[rowPlace]userimport.Row{}}
}

// Begin implements userimport.Store.
func (s *Store) Begin(_ context.Context, begun userimport.Import) (userimport.Import, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	at := place{begun.App, begun.ID}
	if _, ok := s.imports[at]; !ok {
		begun.CreatedAt = begun.CreatedAt.Truncate(time.Millisecond)
		s.imports[at] = begun
	}
	return s.imports[at], nil
}

// Add implements userimport.Store.
func (s *Store) Add(_ context.Context, to userimport.Import, rows []userimport.Row) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, row := range rows {
		at := rowPlace{place{to.App, to.ID}, row.Number}
		if _, ok := s.rows[at]; !ok {
			s.rows[at] = row
		}
	}
	return nil
}

// Get implements userimport.Store.
func (s *Store) Get(_ context.Context, app id.App, job id.Import) (userimport.Import, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, ok := s.imports[place{app, job}]
	if !ok {
		return userimport.Import{}, userimport.ErrNotFound
	}
	return found, nil
}

// Rows implements userimport.Store.
func (s *Store) Rows(_ context.Context, of userimport.Import, after, limit int) (rows []userimport.Row, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for at, row := range s.rows {
		if at.place == (place{of.App, of.ID}) && at.number > after {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b userimport.Row) int { return a.Number - b.Number })
	return rows[:min(limit, len(rows))], nil
}

// Register implements userimport.Store.
func (s *Store) Register(_ context.Context, of userimport.Import, row userimport.Row, made user.User) (userimport.Outcome, error) {
	return s.decide(of, row.Number, userimport.Outcome{User: made.ID}, func() error {
		return s.Users.CreateWith(made, row.Name.Compared, row.Profile)
	})
}

// Decide implements userimport.Store.
func (s *Store) Decide(_ context.Context, of userimport.Import, number int, outcome userimport.Outcome) (userimport.Outcome, error) {
	return s.decide(of, number, outcome, func() error { return nil })
}

func (s *Store) decide(of userimport.Import, number int, outcome userimport.Outcome, more func() error) (userimport.Outcome, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	at := rowPlace{place{of.App, of.ID}, number}
	row, ok := s.rows[at]
	if !ok {
		return userimport.Outcome{}, userimport.ErrNotFound
	}
	if row.Decided() {
		return row.Outcome, nil
	}
	if err := more(); err != nil {
		return userimport.Outcome{}, err
	}
	row.Name, row.Profile, row.Outcome = user.Name{}, profile.Profile{}, outcome
	s.rows[at] = row
	return outcome, nil
}

// Count implements userimport.Store.
func (s *Store) Count(_ context.Context, counted userimport.Import) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	at := place{counted.App, counted.ID}
	now, ok := s.imports[at]
	if !ok || now.Counted() >= counted.Counted() {
		return nil
	}
	now.Registered, now.Refused, now.FinishedAt = counted.Registered, counted.Refused, counted.FinishedAt.Truncate(time.Millisecond)
	s.imports[at] = now
	return nil
}
