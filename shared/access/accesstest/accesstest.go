// Package accesstest has what tests of grants and roles share: a store in memory, and the suite that every store passes.
package accesstest

import (
	"context"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record/recordtest"
)

// Store implements access.Store in memory. Like the tables it keeps times to the millisecond.
type Store struct {
	// Logs has the records.
	Logs *recordtest.Logs

	mutex    sync.Mutex
	grants   map[grantPlace]access.Grant
	subjects map[subjectPlace]access.Subject
	policies map[subjectPlace]authz.Policy
	books    map[id.App]access.Book
	deleted  map[id.App]bool
	// suspended are the keys that are, of which nothing else shows it.
	suspended map[subjectPlace]bool
}

type grantPlace struct {
	app   id.App
	grant id.Grant
}

type subjectPlace struct {
	app     id.App
	subject string
}

var _ access.Store = (*Store)(nil)

// NewStore returns a store without grants and subjects.
func NewStore() *Store {
	return &Store{Logs: recordtest.NewLogs(), grants: map[grantPlace]access.Grant{}, subjects: map[subjectPlace]access.Subject{},
		policies: map[subjectPlace]authz.Policy{}, books: map[id.App]access.Book{}, deleted: map[id.App]bool{},
		suspended: map[subjectPlace]bool{}}
}

// AddKey adds the key to the app, or replaces it, as package apikey does: with the policy of the moment.
func (s *Store) AddKey(app id.App, key access.Subject) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	key.Rights.Kind = authz.Keys
	at := subjectPlace{app, key.ID}
	s.subjects[at] = kept(key)
	s.policies[at] = s.books[app].Policy()
}

// AddUser adds the user to the app, or replaces it, as package user does.
func (s *Store) AddUser(app id.App, user access.Subject) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	user.Rights.Kind = authz.Users
	s.subjects[subjectPlace{app, user.ID}] = kept(user)
}

// Remove removes the subject, but not its grants.
func (s *Store) Remove(app id.App, subject string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.subjects, subjectPlace{app, subject})
}

// End revokes or suspends the key, which another store's business is.
func (s *Store) End(app id.App, key id.Key, suspended bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	at := subjectPlace{app, string(key)}
	if suspended {
		s.suspended[at] = true
		return
	}
	ended := s.subjects[at]
	ended.EndedAt = time.Unix(0, 0).UTC()
	s.subjects[at] = ended
}

// DeleteApp deletes the app or restores it, which another store's business is.
func (s *Store) DeleteApp(app id.App, deleted bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.deleted[app] = deleted
}

// Policy returns the policy that the key has.
func (s *Store) Policy(app id.App, key id.Key) authz.Policy {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.policies[subjectPlace{app, string(key)}]
}

// read returns the subject with the policy that it has.
func (s *Store) read(at subjectPlace, subject access.Subject) access.Subject {
	subject = kept(subject)
	subject.Policy = s.policies[at]
	return subject
}

// Subject implements access.Store.
func (s *Store) Subject(_ context.Context, app id.App, subject string) (access.Subject, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, ok := s.subjects[subjectPlace{app, subject}]
	if !ok {
		return access.Subject{}, access.ErrNotFound
	}
	return s.read(subjectPlace{app, subject}, found), nil
}

// Subjects implements access.Store. A position is the ID of a subject: those of keys come before those of users.
func (s *Store) Subjects(_ context.Context, app id.App, position string, limit int) ([]access.Subject, string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var all []access.Subject
	for at, subject := range s.subjects {
		if at.app == app && at.subject > position && (id.IsKey(at.subject) || subject.Rights.Version > 0) {
			all = append(all, s.read(at, subject))
		}
	}
	page, next := cut(all, limit, func(s access.Subject) string { return s.ID })
	return page, next, nil
}
