package group

import (
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// over makes a change of another user's membership. The caller needs the permission, and to own the group where the other
// is an admin; nobody is over the owner: fault.OwnerProtected. decide says what becomes of the row.
func (s *Service) over(ctx context.Context, caller authz.Caller, group id.Group, user id.User, permission authz.Permission,
	decide func(was Member) (told message.GroupChange, is Member, err error)) (Membership, error) {
	seen, made, err := s.change(ctx, caller, permission, group, named(user), func(seen scene) (plan, error) {
		if err := seen.require(permission); err != nil {
			return plan{}, err
		}
		was := seen.rows[user]
		told, is, err := decide(was)
		if err != nil {
			return plan{}, err
		}
		switch {
		case was.Role == authz.GroupOwner, was.Role == authz.GroupAdmin && seen.require(authz.GroupsOwn) != nil:
			return plan{}, fault.New(fault.OwnerProtected)
		}
		told.Users = []id.User{user}
		planned := plan{told: told, is: seen.group}
		planned.move(was, is)
		return planned, nil
	})
	if err != nil {
		return Membership{}, err
	}
	after := seen.rows[user]
	if len(made.Moves) == 0 {
		err = s.remind(ctx, seen, user)
	}
	for _, move := range made.Moves {
		after = move.Is
	}
	return after.View(s.Clock.Now()), err
}

// Remove takes a member out, or an invitation or a request back. Removing again changes nothing.
func (s *Service) Remove(ctx context.Context, caller authz.Caller, group id.Group, user id.User) (Membership, error) {
	return s.over(ctx, caller, group, user, authz.GroupsManage, func(was Member) (message.GroupChange, Member, error) {
		switch was.State {
		case "":
			return message.GroupChange{}, Member{}, fault.New(fault.GroupMemberNotFound)
		case message.Left:
			return message.GroupChange{}, Member{}, errNothing
		}
		return message.GroupChange{Kind: message.UserRemoved}, was.becomes(message.Left), nil
	})
}

// SetRole makes a member an admin, or an admin a member.
func (s *Service) SetRole(ctx context.Context, caller authz.Caller, group id.Group, user id.User, role authz.Role) (Membership, error) {
	return s.over(ctx, caller, group, user, authz.GroupsOwn, func(was Member) (message.GroupChange, Member, error) {
		switch {
		case !was.joined():
			return message.GroupChange{}, Member{}, fault.New(fault.GroupMemberNotFound)
		case was.Role == role:
			return message.GroupChange{}, Member{}, errNothing
		}
		is := was
		is.Role = role
		return message.GroupChange{Kind: message.RoleChanged, Role: role.GroupName()}, is, nil
	})
}

// Mute keeps a member from sending until the time, in whole seconds; a zero time ends that.
func (s *Service) Mute(ctx context.Context, caller authz.Caller, group id.Group, user id.User, until time.Time) (Membership, error) {
	if !until.IsZero() {
		until = until.UTC().Truncate(time.Second)
		switch {
		case !until.After(s.Clock.Now()):
			return Membership{}, fault.Invalid(fault.Wrong("until", fault.MustBeFuture))
		case until.Year() > lastYear:
			return Membership{}, fault.Invalid(fault.Wrong("until", fault.TooFar))
		}
	}
	return s.over(ctx, caller, group, user, authz.GroupsManage, func(was Member) (message.GroupChange, Member, error) {
		switch {
		case !was.joined():
			return message.GroupChange{}, Member{}, fault.New(fault.GroupMemberNotFound)
		case was.MutedUntil.Equal(until):
			return message.GroupChange{}, Member{}, errNothing
		}
		is, told := was, message.GroupChange{Kind: message.MemberMuted}
		if is.MutedUntil = until; !until.IsZero() {
			told.Until = &until
		}
		return told, is, nil
	})
}

// lastYear is the last that RFC 3339 can write (5.6).
const lastYear = 9999

// Transfer makes another member the owner, and the owner an admin: fault.UserDeactivated where nobody could act for it. Where that
// is done already, it changes nothing.
func (s *Service) Transfer(ctx context.Context, caller authz.Caller, group id.Group, to id.User) (Details, error) {
	return s.transfer(ctx, caller, group, to, false)
}

// transfer is Transfer; who inherits the group may be deactivated: such an owner is better than none.
func (s *Service) transfer(ctx context.Context, caller authz.Caller, group id.Group, to id.User, inherits bool) (Details, error) {
	seen, made, err := s.change(ctx, caller, authz.GroupsOwn, group, named(to), func(seen scene) (plan, error) {
		if seen.group.Owner == to && seen.me().joined() {
			return plan{}, errNothing // the owner that was, once more: it may not any longer
		}
		if err := seen.require(authz.GroupsOwn); err != nil {
			return plan{}, err
		}
		if seen.group.Owner == to {
			return plan{}, errNothing
		}
		heir := seen.rows[to]
		if !heir.joined() {
			return plan{}, notAMember("to")
		}
		if !inherits {
			if err := s.requireActive(ctx, heir, "to"); err != nil {
				return plan{}, err
			}
		}
		return s.handOn(ctx, seen, heir)
	})
	if err == nil && len(made.Moves) == 0 {
		err = s.remind(ctx, seen, to)
	}
	return seen.after(made, s.Clock.Now()), err
}

// requireActive refuses a member, whom the field names, that is deactivated, or deleted and about to leave the group.
func (s *Service) requireActive(ctx context.Context, member Member, field string) error {
	found, err := s.Users.Known(ctx, member.App, []id.User{member.User})
	if err != nil {
		return err
	}
	switch active, known := found[member.User]; {
	case !known:
		return notAMember(field)
	case !active:
		return fault.Invalid(fault.Field{Name: field, Code: fault.UserDeactivated})
	}
	return nil
}

// handOn plans the transfer to the heir. The owner is read apart where it is not who asks.
func (s *Service) handOn(ctx context.Context, seen scene, heir Member) (plan, error) {
	owner, read := seen.rows[seen.group.Owner]
	if !read {
		with, err := s.read(ctx, seen.caller, authz.GroupsOwn, seen.group.ID, seen.group.Owner)
		if err != nil {
			return plan{}, err
		}
		owner = with.rows[seen.group.Owner] // where that changed meanwhile, the commit does not stand
	}
	is := seen.group
	is.Owner = heir.User
	planned := plan{told: message.GroupChange{Kind: message.OwnerTransferred, Users: []id.User{heir.User}, Group: difference(seen.group, is)},
		is: is, holds: Holds{Owner: true}}
	before, after := owner, owner
	after.Role = authz.GroupAdmin
	planned.move(before, after)
	after = heir
	after.Role, after.MutedUntil = authz.GroupOwner, time.Time{} // nobody mutes the owner
	planned.move(heir, after)
	return planned, nil
}

// named returns the user that a request names, whose row is to be read; none where it has not the form of one.
func named(user id.User) []id.User {
	if !id.IsUser(string(user)) {
		return nil
	}
	return []id.User{user}
}

func notAMember(field string) error {
	return fault.Invalid(fault.Field{Name: field, Code: fault.GroupMemberNotFound})
}
