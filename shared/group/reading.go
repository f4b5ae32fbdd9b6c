package group

import (
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// after returns the group as the caller sees it after the commit.
func (s scene) after(made Commit, now time.Time) Details {
	me := s.me()
	for _, move := range made.Moves {
		if move.Is.User == me.User {
			me = move.Is
		}
	}
	return s.shown(made.Is, me, now)
}

// Get returns the group: to its members, to those invited or asking, to applications, and to everybody of the app where it
// can be joined or asked to join; fault.GroupNotFound for others.
func (s *Service) Get(ctx context.Context, caller authz.Caller, group id.Group) (Details, error) {
	seen, err := s.read(ctx, caller, authz.GroupsRead, group)
	if err != nil {
		return Details{}, err
	}
	if err := seen.require(authz.GroupsRead); err != nil {
		return Details{}, err
	}
	return seen.shown(seen.group, seen.me(), s.Clock.Now()), nil
}

// Members returns a page of the group's members in the order in which they changed last: those of the filter's state, or
// its members where the filter says nothing at all. After a version, it returns all whom a later change touched, those too
// who have left. fault.NotAMember for users who are none.
func (s *Service) Members(ctx context.Context, caller authz.Caller, group id.Group, filter Filter, position string, limit int) ([]Membership, string, error) {
	seen, err := s.read(ctx, caller, authz.GroupsRead, group)
	if err != nil {
		return nil, "", err
	}
	if err := seen.requireInside(authz.GroupsRead); err != nil {
		return nil, "", err
	}
	if filter == (Filter{}) {
		filter.State = message.Joined
	}
	members, next, err := s.Store.Members(ctx, caller.App, group, filter, position, limit)
	views := make([]Membership, 0, len(members))
	for _, member := range members {
		views = append(views, member.View(s.Clock.Now()))
	}
	return views, next, err
}

// Of returns a page of the groups that the caller's user is in, was invited to or asks to join, by the groups' IDs.
func (s *Service) Of(ctx context.Context, caller authz.Caller, state message.State, position string, limit int) ([]Standing, string, error) {
	members, next, err := s.Store.Of(ctx, caller.App, caller.User, state, position, limit)
	if err != nil {
		return nil, "", err
	}
	var ids []id.Group
	for _, member := range members {
		if caller.RequireIn(authz.GroupsRead, member.Group) == nil { // else it may not see that one
			ids = append(ids, member.Group)
		}
	}
	groups, err := s.Store.Profiles(ctx, caller.App, ids)
	if err != nil {
		return nil, "", err
	}
	views := make([]Standing, 0, len(members))
	for _, member := range members {
		if group, ok := groups[member.Group]; ok {
			views = append(views, Standing{Membership: member.View(s.Clock.Now()), Group: group.View()})
		}
	}
	return views, next, nil
}
