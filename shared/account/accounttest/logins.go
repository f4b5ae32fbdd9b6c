package accounttest

import (
	"bytes"
	"context"
	"slices"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// PutPending implements account.Logins.
func (s *Store) PutPending(_ context.Context, pending account.Pending) error {
	defer s.lock()()
	s.pending[pending.Email] = roundPending(pending)
	return nil
}

func roundPending(pending account.Pending) account.Pending {
	pending.CreatedAt, pending.ExpiresAt = millis(pending.CreatedAt), millis(pending.ExpiresAt)
	return pending
}

// Pending implements account.Logins.
func (s *Store) Pending(_ context.Context, email account.Email) (account.Pending, error) {
	defer s.lock()()
	found, ok := s.pending[email]
	if !ok || !s.live(found.ExpiresAt) {
		return account.Pending{}, account.ErrNotFound
	}
	return found, nil
}

// ByEmail implements account.Logins.
func (s *Store) ByEmail(_ context.Context, email account.Email) (id.Developer, error) {
	defer s.lock()()
	found, ok := s.claims[email]
	if !ok {
		return "", account.ErrNotFound
	}
	return found, nil
}

// Developer implements account.Logins.
func (s *Store) Developer(_ context.Context, developer id.Developer) (account.Developer, *account.Factor, error) {
	defer s.lock()()
	found, ok := s.developers[developer]
	if !ok {
		return account.Developer{}, nil, account.ErrNotFound
	}
	factor, ok := s.factors[developer]
	if !ok {
		return found, nil, nil
	}
	factor = cloneFactor(factor)
	return found, &factor, nil
}

// Developers implements account.Logins.
func (s *Store) Developers(_ context.Context, developers []id.Developer) ([]account.Developer, error) {
	defer s.lock()()
	var all []account.Developer
	for developer, found := range s.developers {
		if slices.Contains(developers, developer) {
			all = append(all, found)
		}
	}
	return all, nil
}

// PutLink implements account.Logins.
func (s *Store) PutLink(_ context.Context, link account.Link) error {
	defer s.lock()()
	link.ExpiresAt, link.Pending = millis(link.ExpiresAt), roundPending(link.Pending)
	s.links[link.Hash] = link
	return nil
}

// Link implements account.Logins.
func (s *Store) Link(_ context.Context, hash [32]byte) (account.Link, error) {
	defer s.lock()()
	if !s.linkWorks(hash) {
		return account.Link{}, account.ErrNotFound
	}
	return s.links[hash], nil
}

func (s *Store) linkWorks(hash [32]byte) bool {
	link, ok := s.links[hash]
	return ok && s.live(link.ExpiresAt)
}

// TakeLink implements account.Logins.
func (s *Store) TakeLink(_ context.Context, hash [32]byte, records ...record.Record) error {
	defer s.lock()()
	if !s.linkWorks(hash) {
		return account.ErrUsed
	}
	delete(s.links, hash)
	s.Logs.Add(records...)
	return nil
}

// Activate implements account.Logins.
func (s *Store) Activate(
	_ context.Context, link [32]byte, developer account.Developer, made account.Account, records ...record.Record,
) error {
	defer s.lock()()
	if !s.linkWorks(link) {
		return account.ErrUsed
	}
	if _, taken := s.claims[developer.Email]; taken {
		return account.ErrTaken
	}
	delete(s.links, link)
	delete(s.pending, developer.Email)
	s.addDeveloper(developer)
	s.addAccount(made, developer.ID)
	s.Logs.Add(records...)
	return nil
}

func (s *Store) addAccount(made account.Account, owner id.Developer) {
	made.CreatedAt = millis(made.CreatedAt)
	s.accounts[made.ID] = made
	s.members[memberPlace{made.ID, owner}] = account.Member{Account: made.ID, Developer: owner,
		Role: authz.Owner, Since: made.CreatedAt}
}

func (s *Store) addDeveloper(developer account.Developer) {
	developer.CreatedAt = millis(developer.CreatedAt)
	s.developers[developer.ID] = developer
	s.claims[developer.Email] = developer.ID
}

// SetPassword implements account.Logins.
func (s *Store) SetPassword(
	_ context.Context, developer id.Developer, version int64, hash string, link *[32]byte, keep string, records ...record.Record,
) error {
	defer s.lock()()
	if link != nil && !s.linkWorks(*link) {
		return account.ErrUsed
	}
	found, ok := s.developers[developer]
	if !ok || found.Version != version {
		return account.ErrChanged
	}
	if link != nil {
		delete(s.links, *link)
	}
	found.Password = hash
	found.Version++
	s.developers[developer] = found
	s.endAll(developer, keep)
	s.Logs.Add(records...)
	return nil
}

// Rehash implements account.Logins.
func (s *Store) Rehash(_ context.Context, developer id.Developer, version int64, hash string) error {
	defer s.lock()()
	found, ok := s.developers[developer]
	if !ok || found.Version != version {
		return account.ErrChanged
	}
	found.Password = hash
	s.developers[developer] = found
	return nil
}

// SetEmail implements account.Logins.
func (s *Store) SetEmail(_ context.Context, developer account.Developer, to account.Email, link [32]byte, records ...record.Record) error {
	defer s.lock()()
	if !s.linkWorks(link) {
		return account.ErrUsed
	}
	if holder, taken := s.claims[to]; taken && holder != developer.ID {
		return account.ErrTaken
	}
	found, ok := s.developers[developer.ID]
	if !ok || found.Version != developer.Version || found.Email != developer.Email {
		return account.ErrChanged
	}
	delete(s.links, link)
	delete(s.claims, found.Email)
	s.claims[to] = found.ID
	found.Email = to
	found.Version++
	s.developers[found.ID] = found
	s.Logs.Add(records...)
	return nil
}

// PutSetup implements account.Logins.
func (s *Store) PutSetup(_ context.Context, developer id.Developer, setup account.Setup) error {
	defer s.lock()()
	setup.Secret, setup.ExpiresAt = slices.Clone(setup.Secret), millis(setup.ExpiresAt)
	s.setups[developer] = setup
	return nil
}

// Setup implements account.Logins.
func (s *Store) Setup(_ context.Context, developer id.Developer) (account.Setup, error) {
	defer s.lock()()
	found, ok := s.setups[developer]
	if !ok || !s.live(found.ExpiresAt) {
		return account.Setup{}, account.ErrNotFound
	}
	found.Secret = slices.Clone(found.Secret)
	return found, nil
}

// PutFactor implements account.Logins.
func (s *Store) PutFactor(
	_ context.Context, developer id.Developer, setup account.Setup, factor account.Factor, keep string, records ...record.Record,
) error {
	defer s.lock()()
	found, ok := s.setups[developer]
	if !ok || !s.live(found.ExpiresAt) || !bytes.Equal(found.Secret, setup.Secret) {
		return account.ErrUsed
	}
	if _, on := s.factors[developer]; on {
		return account.ErrChanged
	}
	delete(s.setups, developer)
	factor.CreatedAt = millis(factor.CreatedAt)
	s.factors[developer] = cloneFactor(factor)
	s.endAll(developer, keep)
	s.Logs.Add(records...)
	return nil
}

// RemoveFactor implements account.Logins.
func (s *Store) RemoveFactor(_ context.Context, developer id.Developer, version int64, records ...record.Record) error {
	defer s.lock()()
	now, ok := s.developers[developer]
	if !ok || now.Version != version {
		return account.ErrChanged
	}
	now.Version++
	s.developers[developer] = now
	delete(s.factors, developer)
	s.Logs.Add(records...)
	return nil
}

// SetRecovery implements account.Logins.
func (s *Store) SetRecovery(_ context.Context, developer id.Developer, codes [][]byte, records ...record.Record) error {
	defer s.lock()()
	factor, ok := s.factors[developer]
	if !ok {
		return account.ErrNotFound
	}
	factor.Recovery = codes
	s.factors[developer] = cloneFactor(factor)
	s.Logs.Add(records...)
	return nil
}

// UseStep implements account.Logins.
func (s *Store) UseStep(_ context.Context, developer id.Developer, step int64) error {
	defer s.lock()()
	factor, ok := s.factors[developer]
	if !ok {
		return account.ErrNotFound
	}
	if step <= factor.Step {
		return account.ErrUsed
	}
	factor.Step = step
	s.factors[developer] = factor
	return nil
}

// UseRecovery implements account.Logins.
func (s *Store) UseRecovery(_ context.Context, developer id.Developer, code []byte, records ...record.Record) (int, error) {
	defer s.lock()()
	factor := cloneFactor(s.factors[developer])
	at := slices.IndexFunc(factor.Recovery, func(unused []byte) bool { return bytes.Equal(unused, code) })
	if at < 0 {
		return 0, account.ErrUsed
	}
	factor.Recovery = slices.Delete(factor.Recovery, at, at+1)
	s.factors[developer] = factor
	s.Logs.Add(records...)
	return len(factor.Recovery), nil
}
