package accesstest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// Put implements access.Store.
func (s *Store) Put(_ context.Context, by access.Grantor, grant access.Grant, was access.Subject, statements []authz.Statement,
	record record.Record) (access.Grant, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	at, of := grantPlace{grant.App, grant.ID}, subjectPlace{grant.App, grant.Subject}
	if standing, taken := s.grants[at]; taken {
		return standing, access.ErrExists
	}
	subject, there := s.subjects[of]
	switch {
	case itself(by, grant.Subject) && !s.stands(by, grant.App, grant.CreatedAt):
		return access.Grant{}, access.ErrGrantorChanged
	case !there:
		return access.Grant{}, access.ErrNotFound
	case subject.Rights.Version != was.Rights.Version:
		return access.Grant{}, access.ErrChanged
	case s.deleted[grant.App]:
		return access.Grant{}, access.ErrAppDeleted
	case !s.stands(by, grant.App, grant.CreatedAt):
		return access.Grant{}, access.ErrGrantorChanged
	}
	s.grants[at] = keptGrant(grant)
	s.recompile(of, statements, grant.CreatedAt)
	s.Logs.Add(record)
	return s.grants[at], nil
}

// Revoke implements access.Store.
func (s *Store) Revoke(_ context.Context, by access.Grantor, grant access.Grant, was access.Subject, statements []authz.Statement,
	record record.Record) (access.Grant, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	at, of := grantPlace{grant.App, grant.ID}, subjectPlace{grant.App, grant.Subject}
	standing, there := s.grants[at]
	subject, stands := s.subjects[of]
	switch {
	case !there:
		return access.Grant{}, access.ErrNotFound
	case !standing.RevokedAt.IsZero():
		return standing, access.ErrExists
	case stands && itself(by, grant.Subject) && !s.stands(by, grant.App, grant.RevokedAt):
		return access.Grant{}, access.ErrGrantorChanged
	case stands && (subject.Rights.Version != was.Rights.Version || was.ID == ""):
		return access.Grant{}, access.ErrChanged
	case s.deleted[grant.App]:
		return access.Grant{}, access.ErrAppDeleted
	case !s.stands(by, grant.App, grant.RevokedAt):
		return access.Grant{}, access.ErrGrantorChanged
	}
	standing.RevokedAt, standing.RevokedBy = grant.RevokedAt, grant.RevokedBy
	s.grants[at] = keptGrant(standing)
	if stands {
		s.recompile(of, statements, grant.RevokedAt)
	}
	s.Logs.Add(record)
	return s.grants[at], nil
}

// itself tells whether the grantor is the subject.
func itself(by access.Grantor, subject string) bool {
	return string(by.Key) == subject || string(by.User) == subject
}

// stands tells whether the grantor is as it was read.
func (s *Store) stands(by access.Grantor, app id.App, now time.Time) bool {
	at := subjectPlace{app, string(by.Key)}
	key, there := s.subjects[at]
	ended := !key.EndedAt.IsZero() && !key.EndedAt.After(now)
	if by.Key != "" && (!there || ended || s.suspended[at] || key.Rights.Version != by.KeyVersion || s.policies[at].Version != by.PolicyVersion) {
		return false
	}
	user, there := s.subjects[subjectPlace{app, string(by.User)}]
	return by.User == "" || there && user.Rights.Version == by.UserVersion && user.Epoch == by.Epoch
}

// recompile changes the subject's statements.
func (s *Store) recompile(of subjectPlace, statements []authz.Statement, at time.Time) {
	subject := s.subjects[of]
	subject.Rights.Statements, subject.ChangedAt = statements, at
	subject.Rights.Version++
	s.subjects[of] = kept(subject)
}

// Get implements access.Store.
func (s *Store) Get(_ context.Context, app id.App, grant id.Grant) (access.Grant, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, ok := s.grants[grantPlace{app, grant}]
	if !ok {
		return access.Grant{}, access.ErrNotFound
	}
	return found, nil
}

// List implements access.Store.
func (s *Store) List(_ context.Context, app id.App, filter access.Filter, position string, limit int) ([]access.Grant, string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var all []access.Grant
	for at, grant := range s.grants {
		if at.app == app && string(at.grant) > position && chosen(filter, grant) {
			all = append(all, grant)
		}
	}
	page, next := cut(all, limit, func(g access.Grant) string { return string(g.ID) })
	return page, next, nil
}

func chosen(filter access.Filter, grant access.Grant) bool {
	kept := grant.KeptUntil()
	if !kept.IsZero() && !kept.After(filter.Now) {
		return false
	}
	return (filter.Subject == "" || filter.Subject == grant.Subject) && (filter.Role == "" || filter.Role == grant.Statement.Role) &&
		(filter.Ended || !grant.Ended(filter.Now))
}

// cut returns the first of all by ID, and the position to go on after.
func cut[T any](all []T, limit int, idOf func(T) string) (page []T, next string) {
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(idOf(a), idOf(b)) })
	if len(all) <= limit {
		return all, ""
	}
	return all[:limit], idOf(all[limit-1])
}
