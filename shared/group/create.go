package group

import (
	"context"
	"errors"
	"slices"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// Result is what became of one user who was to be invited or added.
type Result string

// The results.
const (
	ResultInvited        Result = "invited"
	ResultAdded          Result = "added"
	ResultAlreadyMember  Result = "already_member"
	ResultAlreadyInvited Result = "already_invited"
	ResultUserNotFound   Result = "user_not_found"
	ResultGroupFull      Result = "group_full"
)

// MemberResult is the result for one user.
type MemberResult struct {
	UserID id.User `json:"user_id" doc:"The user's ID." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Result Result  `json:"result" enum:"invited,added,already_member,already_invited,user_not_found,group_full" doc:"What became of it." example:"invited"`
}

// Creation is a group that shall be, as a caller says it.
type Creation struct {
	Wish
	// Members are who shall be in it besides the owner: an application adds them, a user invites them.
	Members []id.User
	// IdempotencyKey makes a repeated creation find the group of the first; "" for none.
	IdempotencyKey string
}

// fresh is the profile of a group about which nothing was said.
var fresh = Profile{Join: InviteOnly, Speak: Everyone, Invite: Everyone}

// Create makes a group that the caller's user owns, and then adds or invites the members, each with its own result. A
// repeated creation gets the group of the first, as it is by now, and does for the members what the first did not come to;
// another under the same key is fault.IdempotencyConflict.
func (s *Service) Create(ctx context.Context, caller authz.Caller, wish Creation) (Details, []MemberResult, error) {
	profile, err := wish.of(fresh)
	if err != nil {
		return Details{}, nil, err
	}
	made := Group{App: caller.App, ID: s.IDs.Group(), Profile: profile, Owner: caller.User, Members: 1, Version: 1,
		CreatedAt: s.Clock.Now(), CreatedBy: caller.By(), Fingerprint: wish.creation(caller)}
	if wish.IdempotencyKey != "" {
		made.ID = id.DeriveGroup(caller.App, caller.By(), wish.IdempotencyKey)
	}
	standing, err := s.create(ctx, caller, made)
	again := errors.Is(err, ErrExists)
	switch {
	case again && (standing.Fingerprint != made.Fingerprint || standing.CreatedBy != made.CreatedBy):
		return Details{}, nil, fault.New(fault.IdempotencyConflict)
	case err != nil && !again:
		return Details{}, nil, err
	case again:
		seen, err := s.read(ctx, caller, authz.GroupsCreate, made.ID)
		if err != nil {
			return Details{}, nil, err
		}
		if seen.requireInside(authz.GroupsCreate) != nil { // who made it is in it no more, and is shown what it made
			made.CreatedAt = standing.CreatedAt
			return made.View(), []MemberResult{}, nil
		}
		if standing.Dismissed() {
			return standing.View(), []MemberResult{}, nil
		}
	}
	mode, by := inviting, caller
	if !caller.EndUser {
		mode, by.User = adding, "" // an application names the owner, and adds the members itself
	}
	results, err := s.bring(ctx, by, made.ID, wish.Members, bringing{mode: mode, creating: true, again: again})
	if err != nil {
		return Details{}, nil, err
	}
	after, err := s.read(ctx, caller, authz.GroupsCreate, made.ID)
	if err == nil && again {
		err = s.remind(ctx, after, after.me().User)
	}
	return after.shown(after.group, after.me(), s.Clock.Now()), results, err
}

// creation tells the wish from others of the same caller.
func (c Creation) creation(caller authz.Caller) string {
	more := []string{string(caller.User)}
	for _, member := range c.Members {
		more = append(more, string(member))
	}
	return c.fingerprint(more...)
}

func (s *Service) create(ctx context.Context, caller authz.Caller, made Group) (Group, error) {
	told := message.GroupChange{Kind: message.GroupCreated, Users: []id.User{made.Owner}, Group: difference(Group{}, made)}
	by := caller.User
	if !caller.EndUser {
		by = "" // an application names the owner, and is who creates
	}
	entry, err := s.Log.Told(ctx, message.Entry{App: made.App, Conversation: id.Conversation(made.ID), Sequence: made.Version, Sender: by,
		Type: message.TypeEvent}, told)
	if err != nil {
		return Group{}, err
	}
	standing, err := s.Store.Create(ctx, made, entry)
	if err != nil {
		return standing, err
	}
	return standing, s.Log.Publish(ctx, entry, []id.User{made.Owner})
}

// distinct returns the users without repetitions, in their order.
func distinct(users []id.User) (once []id.User) {
	seen := map[id.User]bool{}
	return slices.DeleteFunc(slices.Clone(users), func(user id.User) bool {
		twice := seen[user]
		seen[user] = true
		return twice
	})
}
