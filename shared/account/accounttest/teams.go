package accounttest

import (
	"cmp"
	"context"
	"slices"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// Account implements account.Teams.
func (s *Store) Account(_ context.Context, of id.Account) (account.Account, error) {
	defer s.lock()()
	found, ok := s.accounts[of]
	if !ok {
		return account.Account{}, account.ErrNotFound
	}
	return found, nil
}

// Rename implements account.Teams.
func (s *Store) Rename(_ context.Context, of account.Account, name string, records ...record.Record) error {
	defer s.lock()()
	found, ok := s.accounts[of.ID]
	if !ok || found.Name != of.Name {
		return account.ErrChanged
	}
	found.Name = name
	s.accounts[of.ID] = found
	s.Logs.Add(records...)
	return nil
}

// Accounts implements account.Teams.
func (s *Store) Accounts(_ context.Context, developer id.Developer) ([]id.Account, error) {
	defer s.lock()()
	var all []id.Account
	for place := range s.members {
		if place.developer == developer {
			all = append(all, place.account)
		}
	}
	slices.SortFunc(all, func(a, b id.Account) int {
		first, second := s.members[memberPlace{a, developer}], s.members[memberPlace{b, developer}]
		return cmp.Or(first.Since.Compare(second.Since), cmp.Compare(a, b))
	})
	return all, nil
}

// Member implements account.Teams.
func (s *Store) Member(_ context.Context, of id.Account, developer id.Developer) (account.Member, error) {
	defer s.lock()()
	found, ok := s.members[memberPlace{of, developer}]
	if !ok {
		return account.Member{}, account.ErrNotFound
	}
	return found, nil
}

// Members implements account.Teams.
func (s *Store) Members(_ context.Context, of id.Account, after id.Developer, limit int) ([]account.Member, error) {
	defer s.lock()()
	all := s.team(of, func(member account.Member) bool { return member.Developer > after })
	slices.SortFunc(all, func(a, b account.Member) int { return cmp.Compare(a.Developer, b.Developer) })
	return all[:min(limit, len(all))], nil
}

// team returns the members of the account that match, in no order.
func (s *Store) team(of id.Account, match func(account.Member) bool) (all []account.Member) {
	for place, member := range s.members {
		if place.account == of && match(member) {
			all = append(all, member)
		}
	}
	return all
}

// Create implements account.Teams.
func (s *Store) Create(
	_ context.Context, made account.Account, owner id.Developer, records ...record.Record,
) (account.Account, error) {
	defer s.lock()()
	if standing, taken := s.accounts[made.ID]; taken {
		return standing, account.ErrTaken
	}
	s.addAccount(made, owner)
	s.Logs.Add(records...)
	return made, nil
}

// Join implements account.Teams.
func (s *Store) Join(
	_ context.Context, link account.Link, member account.Member, made *account.Developer, records ...record.Record,
) error {
	defer s.lock()()
	offer := invitationPlace{link.Account, link.Invitation}
	place := memberPlace{member.Account, member.Developer}
	if !s.linkWorks(link.Hash) || !s.live(s.invitations[offer].ExpiresAt) {
		return account.ErrUsed
	}
	if made != nil {
		if _, taken := s.claims[made.Email]; taken {
			return account.ErrTaken
		}
	}
	if _, is := s.members[place]; is {
		return account.ErrMember
	}
	if len(s.team(member.Account, func(account.Member) bool { return true })) >= account.MaxMembers {
		return account.ErrFull
	}
	delete(s.links, link.Hash)
	delete(s.invitations, offer)
	if made != nil {
		s.addDeveloper(*made)
	}
	member.Since = millis(member.Since)
	s.members[place] = member
	s.Logs.Add(records...)
	return nil
}

// SetRole implements account.Teams.
func (s *Store) SetRole(_ context.Context, member account.Member, to authz.Role, records ...record.Record) error {
	defer s.lock()()
	found, err := s.standing(member, to)
	if err != nil {
		return err
	}
	found.Role = to
	s.members[memberPlace{member.Account, member.Developer}] = found
	s.Logs.Add(records...)
	return nil
}

// Leave implements account.Teams.
func (s *Store) Leave(_ context.Context, member account.Member, records ...record.Record) error {
	defer s.lock()()
	if _, err := s.standing(member, ""); err != nil {
		return err
	}
	delete(s.members, memberPlace{member.Account, member.Developer})
	s.Logs.Add(records...)
	return nil
}

// standing returns the member as it stands, where it may become what is said.
func (s *Store) standing(member account.Member, to authz.Role) (account.Member, error) {
	found, ok := s.members[memberPlace{member.Account, member.Developer}]
	if !ok || found.Role != member.Role {
		return account.Member{}, account.ErrChanged
	}
	owners := s.team(member.Account, func(one account.Member) bool { return one.Role == authz.Owner })
	if found.Role == authz.Owner && to != authz.Owner && len(owners) == 1 {
		return account.Member{}, account.ErrLastOwner
	}
	return found, nil
}

// PutInvitation implements account.Teams.
func (s *Store) PutInvitation(_ context.Context, invitation account.Invitation, records ...record.Record) error {
	defer s.lock()()
	invitation.CreatedAt, invitation.ExpiresAt = millis(invitation.CreatedAt), millis(invitation.ExpiresAt)
	s.invitations[invitationPlace{invitation.Account, invitation.ID}] = invitation
	s.Logs.Add(records...)
	return nil
}

// Invitation implements account.Teams.
func (s *Store) Invitation(_ context.Context, of id.Account, invitation string) (account.Invitation, error) {
	defer s.lock()()
	found, ok := s.invitations[invitationPlace{of, invitation}]
	if !ok || !s.live(found.ExpiresAt) {
		return account.Invitation{}, account.ErrNotFound
	}
	return found, nil
}

// Invitations implements account.Teams.
func (s *Store) Invitations(_ context.Context, of id.Account) ([]account.Invitation, error) {
	defer s.lock()()
	var all []account.Invitation
	for place, found := range s.invitations {
		if place.account == of && s.live(found.ExpiresAt) {
			all = append(all, found)
		}
	}
	slices.SortFunc(all, func(a, b account.Invitation) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// RemoveInvitation implements account.Teams.
func (s *Store) RemoveInvitation(_ context.Context, of id.Account, invitation string, records ...record.Record) error {
	defer s.lock()()
	place := invitationPlace{of, invitation}
	if !s.live(s.invitations[place].ExpiresAt) {
		return account.ErrNotFound
	}
	delete(s.invitations, place)
	s.Logs.Add(records...)
	return nil
}
