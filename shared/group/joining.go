package group

import (
	"context"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// own makes a change of the caller's own membership, which decide says, and returns the membership after it.
func (s *Service) own(ctx context.Context, caller authz.Caller, group id.Group,
	decide func(seen scene, me Member) (kind message.ChangeKind, is Member, holds Holds, err error)) (Membership, error) {
	seen, made, err := s.change(ctx, caller, authz.GroupsJoin, group, nil, func(seen scene) (plan, error) {
		if err := seen.caller.RequireIn(authz.GroupsJoin, seen.group.ID); err != nil {
			return plan{}, err
		}
		me := seen.me()
		kind, is, holds, err := decide(seen, me)
		if err != nil {
			return plan{}, err
		}
		planned := plan{told: message.GroupChange{Kind: kind, Users: []id.User{me.User}}, is: seen.group, holds: holds}
		planned.move(me, is)
		return planned, nil
	})
	if err != nil {
		return Membership{}, err
	}
	me := seen.me()
	if len(made.Moves) == 0 {
		err = s.remind(ctx, seen, me.User)
	}
	for _, move := range made.Moves {
		me = move.Is
	}
	return me.View(s.Clock.Now()), err
}

// Join lets the caller's user in where the group is open or it was invited, and has it ask where somebody has to admit it:
// fault.JoinRefused where only the invited get in, GroupFull. Whoever is a member, or has asked, stays so.
func (s *Service) Join(ctx context.Context, caller authz.Caller, group id.Group) (Membership, error) {
	return s.own(ctx, caller, group, func(seen scene, me Member) (message.ChangeKind, Member, Holds, error) {
		invited := me.State == message.Invited
		switch {
		case me.joined():
			return "", Member{}, Holds{}, errNothing
		case !invited && seen.group.Join == InviteOnly:
			return "", Member{}, Holds{}, fault.New(fault.JoinRefused)
		case !invited && seen.group.Join == Approval:
			if me.State == message.Asked {
				return "", Member{}, Holds{}, errNothing
			}
			return message.UserAsked, me.becomes(message.Asked), Holds{Join: true}, nil
		case seen.group.Dismissed():
			return "", Member{}, Holds{}, fault.New(fault.GroupDismissed)
		case seen.group.Members >= MaxMembers:
			return "", Member{}, Holds{}, fault.New(fault.GroupFull, MaxMembers)
		}
		return message.UsersJoined, me.admitted(), Holds{Join: !invited}, nil
	})
}

// Decline turns an invitation down, or takes the caller's own request back; where there is neither, it changes nothing.
func (s *Service) Decline(ctx context.Context, caller authz.Caller, group id.Group) (Membership, error) {
	return s.own(ctx, caller, group, func(seen scene, me Member) (message.ChangeKind, Member, Holds, error) {
		switch {
		case me.State == message.Invited || me.State == message.Asked:
			return message.UserDeclined, me.becomes(message.Left), Holds{}, nil
		case me.State == "" && !seen.visible():
			return "", Member{}, Holds{}, fault.New(fault.GroupNotFound)
		}
		return "", Member{}, Holds{}, errNothing
	})
}

// Leave takes the caller's user out; fault.OwnerStays for the owner, unless the group was dismissed. For whoever is no member it
// changes nothing.
func (s *Service) Leave(ctx context.Context, caller authz.Caller, group id.Group) (Membership, error) {
	return s.own(ctx, caller, group, func(seen scene, me Member) (message.ChangeKind, Member, Holds, error) {
		switch {
		case me.joined() && me.Role == authz.GroupOwner && !seen.group.Dismissed():
			return "", Member{}, Holds{}, fault.New(fault.OwnerStays)
		case me.joined():
			return message.UserLeft, me.becomes(message.Left), Holds{}, nil
		case me.State == "" && !seen.visible():
			return "", Member{}, Holds{}, fault.New(fault.GroupNotFound)
		}
		return "", Member{}, Holds{}, errNothing
	})
}
