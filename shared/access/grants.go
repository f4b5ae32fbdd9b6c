package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// Wish is what shall be granted or denied, as a caller says it.
type Wish struct {
	// Subject is a key or a user.
	Subject string
	// Role is the ID or the name of a role; or Permissions are what is granted, or denied with Deny.
	Role        string
	Permissions []string
	Deny        bool
	// Group is the one group in which it shall hold; "" for the whole app.
	Group string
	// Until is when it shall end; zero for never.
	Until  time.Time
	Reason string
	// IdempotencyKey makes a repeated wish find the grant of the first; "" for none.
	IdempotencyKey string
}

func (w Wish) fingerprint() string {
	parts := append([]string{w.Subject, w.Role, fmt.Sprint(w.Deny), w.Group, w.Until.Format(time.RFC3339Nano), w.Reason}, w.Permissions...)
	return id.Hash(parts...)
}

// Grant grants or denies what the caller wishes, and is in force when it returns. Nobody gives what they do not have
// themselves and for good: fault.GrantExceeds. A repeated wish (same caller, same IdempotencyKey) gets the grant of the first
// as it is by now; another under the same key is fault.IdempotencyConflict.
func (s *Service) Grant(ctx context.Context, caller authz.Caller, wish Wish) (Grant, error) {
	statement, err := wish.statement()
	if err != nil {
		return Grant{}, err
	}
	if _, err := s.roleIn(ctx, caller.App, statement.Group, "", "group"); err != nil {
		return Grant{}, err
	}
	made := Grant{ID: s.IDs.Grant(), App: caller.App, Subject: wish.Subject, CreatedBy: caller.By(), Reason: wish.Reason,
		Fingerprint: wish.fingerprint()}
	if wish.IdempotencyKey != "" {
		made.ID = id.DeriveGrant(caller.App, caller.By(), wish.IdempotencyKey)
		if standing, err := s.Store.Get(ctx, caller.App, made.ID); !errors.Is(err, ErrNotFound) {
			return s.replay(ctx, standing, made, err)
		}
	}
	statement.Grant = made.ID
	made.Statement = statement
	err = s.decide(ctx, &caller, authz.GrantsManage, func() error { return s.put(ctx, caller, &made, wish.Role) })
	if errors.Is(err, ErrExists) {
		return s.replay(ctx, made, Grant{App: caller.App, CreatedBy: caller.By(), Fingerprint: wish.fingerprint()}, nil)
	}
	return made, refusal(err)
}

// replay answers a repeated wish with the standing grant.
func (s *Service) replay(ctx context.Context, standing, asked Grant, err error) (Grant, error) {
	if err != nil {
		return Grant{}, err
	}
	if standing.Fingerprint != asked.Fingerprint || standing.CreatedBy != asked.CreatedBy {
		return Grant{}, fault.New(fault.IdempotencyConflict)
	}
	return standing, s.repeat(ctx, asked.App, standing, nil)
}

// statement reads the wish, its role apart.
func (w Wish) statement() (authz.Statement, error) {
	statement := authz.Statement{Deny: w.Deny, Group: id.Group(w.Group), Until: w.Until}
	if w.Group != "" && !id.IsGroup(w.Group) {
		return statement, fault.Invalid(fault.Wrong("group", fault.NoGroupID))
	}
	if (w.Role == "") == (len(w.Permissions) == 0) || w.Role != "" && w.Deny {
		return statement, fault.New(fault.GrantUnclear)
	}
	var err error
	statement.Set, err = parse(w.Permissions, "permissions", kindOf(w.Subject))
	if err == nil {
		err = checkPlace(w.Permissions, statement.Group)
	}
	return statement, err
}

// checkPlace refuses permissions that nobody is asked for in the group: a denial would promise what it does not keep.
func checkPlace(names []string, group id.Group) error {
	had := authz.HadIn(group)
	for i, name := range names {
		if !had.Has(authz.Permission(name)) {
			return fault.Invalid(fault.Field{Name: fmt.Sprintf("permissions[%d]", i), Code: fault.PermissionNotInGroup, Args: []any{name}})
		}
	}
	return nil
}

// kindOf returns the kind of a subject, which may be gone by now.
func kindOf(subject string) authz.Kind {
	if id.IsUser(subject) {
		return authz.Users
	}
	return authz.Keys
}

// parse reads permissions that can be granted in an app, to subjects of one of the kinds.
func parse(names []string, field string, kinds authz.Kind) (authz.Set, error) {
	set, _ := authz.ParseSet(names)
	for i, name := range names {
		entry, known := authz.Lookup(authz.Permission(name))
		at := fmt.Sprintf("%s[%d]", field, i)
		if !known || !entry.InApp() {
			return 0, fault.Invalid(fault.Field{Name: at, Code: fault.PermissionUnknown, Args: []any{name}})
		}
		if entry.Holders&kinds == 0 {
			return 0, fault.Invalid(fault.Field{Name: at, Code: fault.PermissionUnfit, Args: []any{name, kindName(kinds)}})
		}
	}
	return set, nil
}

func kindName(kinds authz.Kind) fault.Text {
	switch kinds {
	case authz.Users:
		return fault.Text{EN: "users", ZH: "用户"}
	case authz.Keys:
		return fault.Text{EN: "keys", ZH: "密钥"}
	}
	return fault.Text{EN: "keys or users", ZH: "密钥或用户"}
}

// put stores the grant for the subject as it is now. Where the ID is taken, made becomes the standing grant.
func (s *Service) put(ctx context.Context, caller authz.Caller, made *Grant, role string) error {
	subject, err := s.subject(ctx, caller.App, made.Subject)
	if err != nil {
		return err
	}
	book, err := s.Store.Book(ctx, caller.App)
	if err != nil {
		return err
	}
	policy := book.Policy()
	if role != "" {
		named, ok := book.Named(role)
		if !ok {
			return fault.Invalid(fault.Field{Name: "role", Code: fault.RoleNotFound, Args: []any{role}})
		}
		made.Statement.Role = named
	}
	now := s.after(subject.ChangedAt)
	if until := made.Statement.Until; !until.IsZero() && !until.After(now) {
		return fault.Invalid(fault.Wrong("until", fault.MustBeFuture))
	}
	if !subject.EndedAt.IsZero() && !now.Before(subject.EndedAt) {
		return fault.New(fault.KeyNotActive)
	}
	effect := made.Statement.Effect(&policy)
	if err := lacking(caller, made.Statement.Group, subject.Rights.Kind, effect.Allow&authz.HeldBy(subject.Rights.Kind)); err != nil {
		return err
	}
	made.CreatedAt = now
	statements := append(standing(subject.Rights.Statements, &policy, now), made.Statement)
	if len(statements) > MaxGrants {
		return fault.New(fault.TooMany, MaxGrants)
	}
	written := record.New(record.OfApp(caller.App), now, record.By(caller, made.Reason), record.GrantCreated, made.Subject, nil, made.View())
	kept, err := s.Store.Put(ctx, grantor(caller), *made, subject, statements, written.About((effect.Allow | effect.Deny).Names()...))
	switch {
	case errors.Is(err, ErrExists):
		*made = kept
		return err
	case errors.Is(err, ErrNotFound):
		return notFound()
	case err != nil:
		return err
	}
	return s.follow(ctx, caller.App, subject, policy, statements, now)
}

// subject reads who shall be granted something.
func (s *Service) subject(ctx context.Context, app id.App, name string) (Subject, error) {
	if !id.IsUser(name) && (!id.IsKey(name) || id.Key(name).App() != app) {
		return Subject{}, notFound()
	}
	found, err := s.Store.Subject(ctx, app, name)
	if errors.Is(err, ErrNotFound) {
		return Subject{}, notFound()
	}
	return found, err
}

func notFound() error {
	return fault.Invalid(fault.Field{Name: "subject", Code: fault.SubjectNotFound, Args: []any{"subject"}})
}

// standing returns the statements that have not ended, by themselves or with their role, but for the grant of the ID.
func standing(statements []authz.Statement, policy *authz.Policy, now time.Time, without ...id.Grant) []authz.Statement {
	kept := []authz.Statement{}
	for _, each := range statements {
		gone := len(without) > 0 && each.Grant == without[0] || each.Role != "" && !policy.Has(each.Role)
		if !gone && (each.Until.IsZero() || now.Before(each.Until)) {
			kept = append(kept, each)
		}
	}
	return kept
}

// follow has open sockets follow what has changed.
func (s *Service) follow(ctx context.Context, app id.App, was Subject, policy authz.Policy, statements []authz.Statement, now time.Time) error {
	if was.Rights.Kind != authz.Users {
		return nil
	}
	rights := was.Rights
	rights.Statements = statements
	return s.cutUser(ctx, app, id.User(was.ID), was.Rights.Now(&policy, "", now), rights.Now(&policy, "", now))
}

// Find returns the grant; fault.GrantNotFound.
func (s *Service) Find(ctx context.Context, app id.App, grant id.Grant) (Grant, error) {
	if !id.IsGrant(string(grant)) { // nothing else that stands beside the grants may be touched
		return Grant{}, fault.New(fault.GrantNotFound)
	}
	found, err := s.Store.Get(ctx, app, grant)
	if errors.Is(err, ErrNotFound) {
		return Grant{}, fault.New(fault.GrantNotFound)
	}
	return found, err
}

// Revoke ends a grant: what it gave is refused from now on, and what it denied is not denied any more, which only those may
// bring about who have it themselves. One that has ended is answered as it stands.
func (s *Service) Revoke(ctx context.Context, caller authz.Caller, grant id.Grant, reason string) (Grant, error) {
	var revoked Grant
	err := s.decide(ctx, &caller, authz.GrantsManage, func() (err error) {
		revoked, err = s.revoke(ctx, caller, grant, reason)
		return err
	})
	if errors.Is(err, ErrExists) {
		err = nil
	}
	return revoked, refusal(err)
}

func (s *Service) revoke(ctx context.Context, caller authz.Caller, grant id.Grant, reason string) (Grant, error) {
	found, err := s.Find(ctx, caller.App, grant)
	if err != nil || found.Ended(s.Clock.Now()) {
		return found, s.repeat(ctx, caller.App, found, err)
	}
	subject, err := s.Store.Subject(ctx, caller.App, found.Subject)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Grant{}, err
	}
	book, err := s.Store.Book(ctx, caller.App)
	if err != nil {
		return Grant{}, err
	}
	policy := book.Policy()
	effect := found.Statement.Effect(&policy)
	if err := lacking(caller, found.Statement.Group, kindOf(found.Subject), effect.Deny); err != nil {
		return Grant{}, err
	}
	now := s.after(subject.ChangedAt)
	before := found.View()
	found.RevokedAt, found.RevokedBy = now, caller.By()
	statements := standing(subject.Rights.Statements, &policy, now, grant)
	written := record.New(record.OfApp(caller.App), now, record.By(caller, reason), record.GrantRevoked, found.Subject, before, nil)
	kept, err := s.Store.Revoke(ctx, grantor(caller), found, subject, statements, written.About((effect.Allow | effect.Deny).Names()...))
	if errors.Is(err, ErrNotFound) {
		return Grant{}, fault.New(fault.GrantNotFound)
	}
	if err != nil {
		return kept, err
	}
	return found, s.follow(ctx, caller.App, subject, policy, statements, now)
}

// repeat does again what may have been left undone behind a change whose answer was lost: a user who may have no socket
// has none.
func (s *Service) repeat(ctx context.Context, app id.App, found Grant, err error) error {
	if err != nil || !id.IsUser(found.Subject) {
		return err
	}
	subject, err := s.Store.Subject(ctx, app, found.Subject)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	book, err := s.Store.Book(ctx, app)
	if err != nil {
		return err
	}
	policy := book.Policy()
	return s.cutUser(ctx, app, id.User(found.Subject), opening, subject.Rights.Now(&policy, "", s.Clock.Now()))
}
