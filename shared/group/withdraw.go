package group

import (
	"cmp"
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

const (
	// heirPage and heirsLooked are how many members are read at once, and at most, to find who has been in a group longest.
	heirPage    = 100
	heirsLooked = 1000
)

// Withdraw takes a user whom the app does not have any more out of a group, or takes its invitation or request back, and tells
// whether it was more than gone already. A group that it owns goes to the admin who has been in it longest, else to the member,
// to a deactivated one only where all are; one with nobody else in it is dismissed, and keeps the row. A dismissed group is left
// as it is.
func (s *Service) Withdraw(ctx context.Context, app id.App, group id.Group, user id.User) (was bool, err error) {
	caller := authz.Caller{App: app, Rights: authz.Rights{Kind: authz.Keys, Base: authz.HeldBy(authz.Keys)}, At: s.Clock.Now()}
	for attempt := range attempts {
		if attempt > 0 {
			if err := s.pause(ctx, attempt); err != nil {
				return was, err
			}
		}
		found, rows, err := s.Store.Read(ctx, app, group, user)
		if errors.Is(err, ErrNotFound) {
			return was, nil
		}
		if err != nil {
			return was, err
		}
		if state := rows[user].State; found.Dismissed() || state == "" || state == message.Left {
			return was, nil
		}
		was = true
		if err := s.withdraw(ctx, caller, found, user); err != nil && !decidedAnew(err) {
			return was, err
		}
	}
	return was, fault.New(fault.ConversationBusy)
}

// decidedAnew tells whether a step of a withdrawal was refused because the group is another by now.
func decidedAnew(err error) bool {
	return fault.Is(err, fault.OwnerProtected) || fault.Is(err, fault.GroupMemberNotFound) || fault.Is(err, fault.GroupDismissed)
}

// withdraw does the next step: it removes the user, or first hands on or dismisses what it owns.
func (s *Service) withdraw(ctx context.Context, caller authz.Caller, group Group, user id.User) error {
	if group.Owner != user {
		_, err := s.Remove(ctx, caller, group.ID, user)
		return err
	}
	heir, err := s.heir(ctx, group)
	switch {
	case err != nil:
	case heir == "":
		_, err = s.Dismiss(ctx, caller, group.ID)
	default:
		_, err = s.transfer(ctx, caller, group.ID, heir, true)
	}
	return err
}

// heir returns who is to own the group after its owner; "" where there is nobody. Of a group of more than heirsLooked members
// it looks at those whose membership changed longest ago.
func (s *Service) heir(ctx context.Context, group Group) (id.User, error) {
	best := map[bool]Member{} // of those who are active, and of the others
	for position, read := "", 0; read < heirsLooked; {
		page, next, err := s.Store.Members(ctx, group.App, group.ID, Filter{State: message.Joined}, position, heirPage)
		if err != nil {
			return "", err
		}
		var users []id.User
		for _, member := range page {
			users = append(users, member.User)
		}
		active, err := s.Users.Known(ctx, group.App, users)
		if err != nil {
			return "", err
		}
		for _, member := range page {
			is, known := active[member.User]
			if member.User != group.Owner && known && (best[is].User == "" || member.before(best[is])) {
				best[is] = member
			}
		}
		if next == "" {
			break
		}
		position, read = next, read+len(page)
	}
	return cmp.Or(best[true].User, best[false].User), nil
}

// before tells whether the member inherits before the other.
func (m Member) before(other Member) bool {
	if admin := m.Role == authz.GroupAdmin; admin != (other.Role == authz.GroupAdmin) {
		return admin
	}
	return m.Since < other.Since || m.Since == other.Since && m.User < other.User
}
