package group

import (
	"context"
	"slices"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// mode says how users come into a group.
type mode int

const (
	// inviting asks them, and lets those in who had asked themselves.
	inviting mode = iota
	// adding lets them in without asking.
	adding
)

// bringing is how users are brought into a group.
type bringing struct {
	mode mode
	// creating says that the caller may, because it has just made the group.
	creating bool
	// again says that this was done before, and perhaps not to the end: whoever the group has had to do with since stays as
	// it is.
	again bool
}

// permission returns what bringing users in so takes.
func (b bringing) permission() authz.Permission {
	switch {
	case b.creating:
		return authz.GroupsCreate
	case b.mode == adding:
		return authz.GroupsManage
	}
	return authz.GroupsInvite
}

// Invite invites the users, or adds them where add is set and the caller may manage the app's groups, each with its own
// result. Those who had asked to join are let in. It can be repeated: what is done stays done.
func (s *Service) Invite(ctx context.Context, caller authz.Caller, group id.Group, users []id.User, add bool) ([]MemberResult, error) {
	how := bringing{mode: inviting}
	if add {
		how.mode = adding
	}
	seen, err := s.read(ctx, caller, how.permission(), group)
	if err != nil {
		return nil, err
	}
	if err := seen.mayBring(how); err != nil { // before anybody is looked for: whoever may not learns nothing of users
		return nil, err
	}
	if seen.group.Dismissed() {
		return nil, fault.New(fault.GroupDismissed)
	}
	return s.bring(ctx, caller, group, users, how)
}

// mayBring refuses a caller who may not bring users into the group so. Where every member may invite, the setting gives a
// member what it gives an admin; what was denied to the user stays denied.
func (s scene) mayBring(how bringing) error {
	switch {
	case how.creating:
		return nil
	case !s.visible():
		return fault.New(fault.GroupNotFound)
	case how.mode == adding:
		if err := s.caller.Require(authz.GroupsManage); err != nil {
			return err
		}
		return s.caller.RequireIn(authz.GroupsManage, s.group.ID) // where it may be denied
	case s.byInvitingSetting():
		return s.caller.Within(s.group.ID, authz.GroupAdmin).RequireIn(authz.GroupsInvite, s.group.ID)
	}
	return s.within().RequireIn(authz.GroupsInvite, s.group.ID)
}

// byInvitingSetting tells whether the caller is a member who may invite only because every member may.
func (s scene) byInvitingSetting() bool {
	me := s.me()
	return s.group.Invite == Everyone && me.joined() && me.Role == authz.GroupMember
}

// bring takes the users in, some at a time, and returns the result for each, once.
func (s *Service) bring(ctx context.Context, caller authz.Caller, group id.Group, users []id.User, how bringing) ([]MemberResult, error) {
	users = distinct(users)
	results, err := s.unknown(ctx, caller.App, users)
	if err != nil {
		return nil, err
	}
	known := slices.DeleteFunc(slices.Clone(users), func(user id.User) bool { return results[user] != "" })
	for some := range slices.Chunk(known, chunk) {
		if err := s.bringSome(ctx, caller, group, some, how, results); err != nil {
			return nil, err
		}
	}
	items := make([]MemberResult, 0, len(users))
	for _, user := range users {
		items = append(items, MemberResult{user, results[user]})
	}
	return items, nil
}

// unknown returns the results of those of the users that the app does not have.
func (s *Service) unknown(ctx context.Context, app id.App, users []id.User) (map[id.User]Result, error) {
	results := map[id.User]Result{}
	wellFormed := slices.DeleteFunc(slices.Clone(users), func(user id.User) bool { return !id.IsUser(string(user)) })
	known := map[id.User]bool{}
	for some := range slices.Chunk(wellFormed, 100) {
		found, err := s.Users.Known(ctx, app, some)
		if err != nil {
			return nil, err
		}
		for user := range found { // who is deactivated, too: it may come back
			known[user] = true
		}
	}
	for _, user := range users {
		if !known[user] {
			results[user] = ResultUserNotFound
		}
	}
	return results, nil
}

// bringSome takes in as many users as one change can: one for those who are let in, and one for those who are invited,
// because they are told of apart. It goes on until nobody is left without a result.
func (s *Service) bringSome(ctx context.Context, caller authz.Caller, group id.Group, users []id.User, how bringing, results map[id.User]Result) error {
	for slices.ContainsFunc(users, func(user id.User) bool { return results[user] == "" }) {
		var sorted sorting
		seen, _, err := s.change(ctx, caller, how.permission(), group, users, func(seen scene) (plan, error) {
			if err := seen.mayBring(how); err != nil {
				return plan{}, err
			}
			sorted = seen.sort(users, how, results)
			return seen.taking(sorted, how)
		})
		if err != nil {
			return err
		}
		if err := s.remind(ctx, seen, sorted.before()...); err != nil {
			return err
		}
		sorted.note(results)
	}
	return nil
}

// sorting says what a change does with whom.
type sorting struct {
	// done are the results that need no change.
	done map[id.User]Result
	// admits are let in, invites invited; those who are left over when others are let in come next time.
	admits, invites []id.User
}

// before returns those who are in, or invited, since before.
func (s sorting) before() (users []id.User) {
	for user, result := range s.done {
		if result != ResultGroupFull {
			users = append(users, user)
		}
	}
	return users
}

// note writes down the results of the change that was made.
func (s sorting) note(results map[id.User]Result) {
	for user, result := range s.done {
		results[user] = result
	}
	for _, user := range s.admits {
		results[user] = ResultAdded
	}
	if len(s.admits) > 0 {
		return
	}
	for _, user := range s.invites {
		results[user] = ResultInvited
	}
}

// sort says what is to be done with those users who have no result yet.
func (s scene) sort(users []id.User, how bringing, results map[id.User]Result) sorting {
	sorted := sorting{done: map[id.User]Result{}}
	first := ResultInvited // what a repeated request did the first time
	if how.mode == adding {
		first = ResultAdded
	}
	for _, user := range users {
		row := s.rows[user]
		switch {
		case results[user] != "":
		case how.again && row.State != "" && user != s.group.Owner:
			sorted.done[user] = first
		case row.joined():
			sorted.done[user] = ResultAlreadyMember
		case how.mode == inviting && row.State == message.Invited:
			sorted.done[user] = ResultAlreadyInvited
		case how.mode == inviting && row.State != message.Asked:
			sorted.invites = append(sorted.invites, user)
		case s.group.Members+len(sorted.admits) >= MaxMembers:
			sorted.done[user] = ResultGroupFull
		default:
			sorted.admits = append(sorted.admits, user)
		}
	}
	return sorted
}

// taking plans the change that takes the sorted users in.
func (s scene) taking(sorted sorting, how bringing) (plan, error) {
	planned := plan{is: s.group, holds: Holds{Invite: how.mode == inviting && s.byInvitingSetting()}}
	switch {
	case len(sorted.admits) > 0:
		planned.told = message.GroupChange{Kind: message.UsersJoined, Users: sorted.admits}
		for _, user := range sorted.admits {
			planned.move(s.rows[user], s.rows[user].admitted())
		}
	case len(sorted.invites) > 0:
		planned.told = message.GroupChange{Kind: message.UsersInvited, Users: sorted.invites}
		for _, user := range sorted.invites {
			planned.move(s.rows[user], s.rows[user].becomes(message.Invited))
		}
	default:
		return plan{}, errNothing
	}
	return planned, nil
}
