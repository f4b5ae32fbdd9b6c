package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/name"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/task"
)

// subjectDefaults is the subject of the records about the roles that every user has.
const subjectDefaults = "defaults"

// Who gets what a role gives: a new one is nobody's until it is granted, which is asked then; one that there is may be a key's.
const (
	nobodyYet = authz.Users
	anybody   = authz.Keys | authz.Users
)

// DefaultsView is the roles that every user has, in records.
type DefaultsView struct {
	Roles []authz.Role `json:"roles"`
}

// RoleWish is what a role shall be, as a caller says it; nil leaves as it is.
type RoleWish struct {
	Name, Description *string
	// Permissions are what it allows, Denied what it denies.
	Permissions, Denied []string
	Reason              string
	// IdempotencyKey makes a repeated creation find the role of the first; "" for none.
	IdempotencyKey string
}

func (w RoleWish) fingerprint() string {
	return id.Hash(text(w.Name), text(w.Description), strings.Join(w.Permissions, " "), strings.Join(w.Denied, " "))
}

func text(of *string) string {
	if of == nil {
		return ""
	}
	return *of
}

// anID says that a name would be taken for the ID of a role.
var anID = fault.Text{EN: "It looks like the ID of a role.", ZH: "不能与角色 ID 的形式相同。"}

// of returns the role after the wish.
func (w RoleWish) of(role Role) (Role, error) {
	if w.Name != nil {
		role.Name = *w.Name
	}
	if w.Description != nil {
		role.Description = *w.Description
	}
	if !name.Handle(role.Name) {
		return Role{}, fault.Invalid(fault.Wrong("name", fault.NoHandle))
	}
	if id.IsRole(role.Name) {
		return Role{}, fault.Invalid(fault.Wrong("name", anID))
	}
	for field, names := range map[string][]string{"permissions": w.Permissions, "denied": w.Denied} {
		if names == nil {
			continue
		}
		set, err := parse(names, field, authz.Keys|authz.Users)
		if err != nil {
			return Role{}, err
		}
		if field == "denied" {
			role.Deny = set
		} else {
			role.Allow = set
		}
	}
	return role, nil
}

// likeBuiltIn tells whether the name would pass for that of a built-in role.
func likeBuiltIn(name string) bool {
	return slices.ContainsFunc(authz.BuiltIns, func(b authz.BuiltIn) bool { return strings.EqualFold(string(b.Role), name) })
}

// Roles returns the app's own roles.
func (s *Service) Roles(ctx context.Context, app id.App) ([]Role, error) {
	book, err := s.Store.Book(ctx, app)
	return book.Roles, err
}

// Role returns the role of the ID or the name, built-in or the app's own; fault.RoleNotFound.
func (s *Service) Role(ctx context.Context, app id.App, named string) (Role, error) {
	if authz.Role(named).IsBuiltIn() {
		return builtIn(authz.Role(named)), nil
	}
	book, err := s.Store.Book(ctx, app)
	if err != nil {
		return Role{}, err
	}
	roleID, _ := book.Named(named)
	role, ok := book.Find(roleID)
	if !ok {
		return Role{}, fault.New(fault.RoleNotFound, named)
	}
	return role, nil
}

// builtIn returns a built-in role as one of an app is shown.
func builtIn(role authz.Role) Role {
	at := slices.IndexFunc(authz.BuiltIns, func(b authz.BuiltIn) bool { return b.Role == role })
	return Role{ID: role, Name: string(role), Description: authz.BuiltIns[at].EN,
		Effect: authz.Effect{Allow: role.Set() & (authz.HeldBy(authz.Keys) | authz.HeldBy(authz.Users))}}
}

// CreateRole makes a role of the app; fault.RoleNameTaken, TooMany at MaxRoles, GrantExceeds where it would allow what the
// caller cannot hand on. A repeated creation gets the role of the first, for as long as that is there.
func (s *Service) CreateRole(ctx context.Context, caller authz.Caller, wish RoleWish) (Role, error) {
	made, err := wish.of(Role{ID: authz.Role(s.IDs.Role()), CreatedBy: caller.By(), Fingerprint: wish.fingerprint()})
	if err != nil {
		return Role{}, err
	}
	if wish.IdempotencyKey != "" {
		// The ID does not follow from it: a role that was deleted must not come back, with all whom it was granted to.
		made.Request = id.Hash("role", caller.By(), wish.IdempotencyKey)
	}
	err = s.change(ctx, &caller, func(book *Book) (record.Record, error) {
		if standing, exists := book.made(made.Request); exists {
			if standing.Fingerprint != made.Fingerprint {
				return record.Record{}, fault.New(fault.IdempotencyConflict)
			}
			made = standing
			return record.Record{}, errNothing
		}
		if len(book.Roles) >= MaxRoles {
			return record.Record{}, fault.New(fault.TooMany, MaxRoles)
		}
		if _, taken := book.Named(made.Name); taken || likeBuiltIn(made.Name) {
			return record.Record{}, fault.New(fault.RoleNameTaken)
		}
		if err := lacking(caller, "", nobodyYet, made.Allow); err != nil {
			return record.Record{}, err
		}
		made.CreatedAt, made.ChangedAt = book.ChangedAt, book.ChangedAt
		book.Roles = append(slices.Clone(book.Roles), made)
		return s.ofRole(caller, record.RoleCreated, made.ID, wish.Reason, nil, &made), nil
	})
	return made, err
}

// ChangeRole changes a role of the app, for everybody who has it, and is in force when it returns.
func (s *Service) ChangeRole(ctx context.Context, caller authz.Caller, named string, wish RoleWish) (Role, error) {
	var changed Role
	err := s.change(ctx, &caller, func(book *Book) (record.Record, error) {
		was, err := ownRole(*book, named)
		if err != nil {
			return record.Record{}, err
		}
		if changed, err = wish.of(was); err != nil {
			return record.Record{}, err
		}
		if changed == was {
			return record.Record{}, errNothing
		}
		if other, taken := book.Named(changed.Name); taken && other != was.ID || likeBuiltIn(changed.Name) {
			return record.Record{}, fault.New(fault.RoleNameTaken)
		}
		given := changed.Allow&^was.Allow | was.Deny&^changed.Deny
		if changed.Name != was.Name { // the name can stand for it in a grant, and another role may have had that name
			given |= changed.Allow
		}
		if err := lacking(caller, "", anybody, given); err != nil {
			return record.Record{}, err
		}
		changed.ChangedAt = book.ChangedAt
		book.Roles = slices.Clone(book.Roles)
		book.Roles[slices.Index(book.Roles, was)] = changed
		return s.ofRole(caller, record.RoleChanged, was.ID, wish.Reason, &was, &changed), nil
	})
	return changed, err
}

// DeleteRole deletes a role of the app. Every grant of it ends with it, for good: its ID is never used again.
func (s *Service) DeleteRole(ctx context.Context, caller authz.Caller, named, reason string) (Role, error) {
	var was Role
	err := s.change(ctx, &caller, func(book *Book) (record.Record, error) {
		var err error
		if was, err = ownRole(*book, named); err != nil {
			return record.Record{}, err
		}
		if err := lacking(caller, "", anybody, was.Deny); err != nil {
			return record.Record{}, err
		}
		gone := func(role authz.Role) bool { return role == was.ID }
		book.Roles = slices.DeleteFunc(slices.Clone(book.Roles), func(role Role) bool { return gone(role.ID) })
		book.Defaults = slices.DeleteFunc(slices.Clone(book.Defaults), gone)
		return s.ofRole(caller, record.RoleDeleted, was.ID, reason, &was, nil), nil
	})
	return was, err
}

// ownRole returns the app's own role of the ID or name.
func ownRole(book Book, named string) (Role, error) {
	roleID, _ := book.Named(named)
	if roleID.IsBuiltIn() {
		return Role{}, fault.New(fault.RoleBuiltIn, named)
	}
	role, ok := book.Find(roleID)
	if !ok {
		return Role{}, fault.New(fault.RoleNotFound, named)
	}
	return role, nil
}

// Defaults returns the roles that every user of the app has.
func (s *Service) Defaults(ctx context.Context, app id.App) ([]authz.Role, error) {
	book, err := s.Store.Book(ctx, app)
	policy := book.Policy()
	return policy.UserRoles(), err
}

// SetDefaults says which roles every user has, by ID or name; none at all means that users may do what they are granted
// one by one, and nothing else.
func (s *Service) SetDefaults(ctx context.Context, caller authz.Caller, roles []string, reason string) ([]authz.Role, error) {
	var defaults []authz.Role
	err := s.change(ctx, &caller, func(book *Book) (record.Record, error) {
		policy := book.Policy()
		was := policy.UserRoles()
		defaults = []authz.Role{}
		for i, named := range roles {
			role, ok := book.Named(named)
			if !ok {
				return record.Record{}, fault.Invalid(fault.Field{Name: fmt.Sprintf("roles[%d]", i), Code: fault.RoleNotFound, Args: []any{named}})
			}
			if !slices.Contains(defaults, role) {
				defaults = append(defaults, role)
			}
		}
		if slices.Equal(defaults, was) {
			return record.Record{}, errNothing
		}
		before, after := together(&policy, was), together(&policy, defaults)
		users := authz.HeldBy(authz.Users)
		if err := lacking(caller, "", authz.Users, (after.Allow&^before.Allow|before.Deny&^after.Deny)&users); err != nil {
			return record.Record{}, err
		}
		book.Defaults = defaults
		return record.New(record.OfApp(caller.App), book.ChangedAt, record.By(caller, reason), record.DefaultsChanged, subjectDefaults,
			DefaultsView{Roles: was}, DefaultsView{Roles: defaults}), nil
	})
	return defaults, err
}

// together is what the roles allow and deny together.
func together(policy *authz.Policy, roles []authz.Role) (effect authz.Effect) {
	for _, role := range roles {
		each := policy.Role(role)
		effect.Allow |= each.Allow
		effect.Deny |= each.Deny
	}
	return effect
}

func (s *Service) ofRole(caller authz.Caller, action record.Action, role authz.Role, reason string, was, is *Role) record.Record {
	var before, after any
	var set authz.Set
	if was != nil {
		before, set = was.View(), was.Allow|was.Deny
	}
	if is != nil {
		after, set = is.View(), set|is.Allow|is.Deny
	}
	return record.New(record.OfApp(caller.App), s.Clock.Now(), record.By(caller, reason), action, string(role), before, after).About(set.Names()...)
}

// errNothing says that there is nothing to change.
var errNothing = errors.New("access: nothing to change")

// change changes the book, of which do is given the next version, and copies what follows from it into the app's keys; a
// change that finds nothing to do only does again what follows. Between the two a process can die: the reminder, which comes
// first, then copies within minutes. Nobody was told until then that the change is made.
func (s *Service) change(ctx context.Context, caller *authz.Caller, do func(book *Book) (record.Record, error)) error {
	var was, is Book
	reminder := task.Task{Kind: task.PolicyAlign, App: caller.App, Due: s.after(time.Time{}).Add(task.Settle)}
	err := s.decide(ctx, caller, authz.RolesManage, func() (err error) {
		if was, err = s.Store.Book(ctx, caller.App); err != nil {
			return err
		}
		is = was
		is.Version, is.ChangedAt = was.Version+1, s.after(was.ChangedAt)
		if was.Version == 0 {
			is.Defaults = []authz.Role{authz.Member}
		}
		written, err := do(&is)
		if err != nil {
			return err
		}
		written.At = is.ChangedAt
		if err := s.Tasks.Add(ctx, reminder); err != nil {
			return err
		}
		return s.Store.SetBook(ctx, grantor(*caller), caller.App, is, written)
	})
	switch {
	case errors.Is(err, errNothing):
		return s.alignAgain(ctx, caller.App, was)
	case err != nil:
		return refusal(err)
	}
	if err := s.align(ctx, caller.App, was, is); err != nil {
		return err
	}
	return s.Tasks.Done(ctx, reminder)
}

// align copies the policy of the new book, and closes the sockets of the app where somebody may have lost what one stands on.
func (s *Service) align(ctx context.Context, app id.App, was, is Book) error {
	if err := s.Store.Align(ctx, app, is.Policy(), s.Clock.Now()); err != nil {
		return err
	}
	if loses(was, is)&opening == 0 {
		return nil
	}
	return s.cutAll(ctx, app)
}

// unfinished is how long a change may have been left undone: by then its reminder has done the rest.
const unfinished = 5 * task.Settle

// alignAgain does what the request that changed the book may not have come to. Which sockets that was about to close, nobody
// knows any more: where roles keep somebody from having one, all.
func (s *Service) alignAgain(ctx context.Context, app id.App, book Book) error {
	policy := book.Policy()
	if err := s.Store.Align(ctx, app, policy, s.Clock.Now()); err != nil {
		return err
	}
	everybody := together(&policy, policy.UserRoles())
	withheld := opening&^everybody.Allow | opening&everybody.Deny
	for _, role := range book.Roles {
		withheld |= opening & role.Deny
	}
	if withheld == 0 || s.Clock.Now().Sub(book.ChangedAt) > unfinished {
		return nil
	}
	return s.cutAll(ctx, app)
}

// loses returns what somebody may have had by the roles of the one book, and does not have by those of the other.
func loses(was, is Book) (lost authz.Set) {
	before, after := was.Policy(), is.Policy()
	for _, role := range was.Roles {
		now := after.Role(role.ID)
		lost |= role.Allow&^now.Allow | now.Deny&^role.Deny
	}
	by, to := together(&before, before.UserRoles()), together(&after, after.UserRoles())
	return lost | by.Allow&^to.Allow | to.Deny&^by.Deny
}

// AlignTask handles task.PolicyAlign: it does what a request may not have come to that changed the book and died.
func (s *Service) AlignTask(ctx context.Context, due task.Task) error {
	book, err := s.Store.Book(ctx, due.App)
	if err != nil {
		return err
	}
	if err := s.Store.Align(ctx, due.App, book.Policy(), s.Clock.Now()); err != nil {
		return err
	}
	return s.cutAll(ctx, due.App)
}
