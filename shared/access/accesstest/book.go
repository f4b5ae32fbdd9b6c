package accesstest

import (
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// Book implements access.Store.
func (s *Store) Book(_ context.Context, app id.App) (access.Book, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return keptBook(s.books[app]), nil
}

// SetBook implements access.Store.
func (s *Store) SetBook(_ context.Context, by access.Grantor, app id.App, book access.Book, record record.Record) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case s.books[app].Version != book.Version-1:
		return access.ErrChanged
	case s.deleted[app]:
		return access.ErrAppDeleted
	case !s.stands(by, app, book.ChangedAt):
		return access.ErrGrantorChanged
	}
	s.books[app] = keptBook(book)
	s.Logs.Add(record)
	return nil
}

// Align implements access.Store.
func (s *Store) Align(_ context.Context, app id.App, policy authz.Policy, now time.Time) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for at, key := range s.subjects {
		alive := key.EndedAt.IsZero() || key.EndedAt.After(now)
		if at.app == app && id.IsKey(at.subject) && alive && s.policies[at].Version < policy.Version {
			s.policies[at] = policy
		}
	}
	return nil
}
