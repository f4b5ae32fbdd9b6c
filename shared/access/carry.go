package access

import (
	"context"
	"errors"
	"slices"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// Carry implements apikey.Grants: it makes the grants, with their records, of the statements that a key was given by its
// rotation. They are in force already, and whoever rotated was asked whether they may hand them on: this adds no rights, so
// nobody is asked again.
func (s *Service) Carry(ctx context.Context, app id.App, from, to id.Key, origin record.Origin) error {
	subject, err := s.Store.Subject(ctx, app, string(to))
	if err != nil {
		return err
	}
	origin.Reason = "carried over at the rotation of " + string(from)
	for _, statement := range subject.Rights.Statements {
		if err := untilUnchanged(ctx, func() error { return s.carry(ctx, app, to, statement.Grant, origin) }); err != nil {
			return refusal(err)
		}
	}
	return nil
}

// carry makes the grant of a statement, if that stands and there is none.
func (s *Service) carry(ctx context.Context, app id.App, to id.Key, grant id.Grant, origin record.Origin) error {
	if _, err := s.Store.Get(ctx, app, grant); !errors.Is(err, ErrNotFound) {
		return err
	}
	subject, err := s.Store.Subject(ctx, app, string(to))
	if err != nil {
		return err
	}
	book, err := s.Store.Book(ctx, app)
	if err != nil {
		return err
	}
	now, policy := s.after(subject.ChangedAt), book.Policy()
	statements := standing(subject.Rights.Statements, &policy, now)
	for _, statement := range statements {
		if statement.Grant != grant {
			continue
		}
		made := Grant{ID: grant, App: app, Subject: string(to), Statement: statement, CreatedAt: now, CreatedBy: origin.Actor, Reason: origin.Reason}
		effect := statement.Effect(&policy)
		written := record.New(record.OfApp(app), now, origin, record.GrantCreated, made.Subject, nil, made.View())
		_, err := s.Store.Put(ctx, Grantor{}, made, subject, slices.Clone(statements), written.About((effect.Allow | effect.Deny).Names()...))
		if errors.Is(err, ErrExists) {
			return nil
		}
		return err
	}
	return nil
}
