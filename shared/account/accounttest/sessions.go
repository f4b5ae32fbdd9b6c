package accounttest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/record"
)

// Session implements login.Store.
func (s *Store) Session(_ context.Context, developer id.Developer, session string) (*login.Session, int64, error) {
	defer s.lock()()
	epoch := s.epochs[developer]
	found, ok := s.sessions[sessionPlace{developer, session}]
	if !ok || !s.live(found.ExpiresAt) {
		return nil, epoch, nil
	}
	return &found, epoch, nil
}

// Standing implements login.Store.
func (s *Store) Standing(_ context.Context, of id.Account, developer id.Developer, app string) (authz.Role, id.App, error) {
	defer s.lock()()
	role := s.members[memberPlace{of, developer}].Role
	for place := range s.apps {
		if place.account == of && place.app.String() == app {
			return role, place.app, nil
		}
	}
	return role, id.App{}, nil
}

// Seen implements login.Store.
func (s *Store) Seen(_ context.Context, developer id.Developer, session string, at, before time.Time) error {
	defer s.lock()()
	place := sessionPlace{developer, session}
	found, ok := s.sessions[place]
	if ok && !found.SeenAt.After(millis(before)) {
		found.SeenAt = millis(at)
		s.sessions[place] = found
	}
	return nil
}

// Epoch implements login.Store.
func (s *Store) Epoch(_ context.Context, developer id.Developer) (int64, error) {
	defer s.lock()()
	return s.epochs[developer], nil
}

// PutSession implements login.Store.
func (s *Store) PutSession(_ context.Context, session login.Session, records ...record.Record) error {
	defer s.lock()()
	for _, at := range []*time.Time{&session.CreatedAt, &session.SeenAt, &session.ConfirmedAt, &session.ExpiresAt} {
		*at = millis(*at)
	}
	s.sessions[sessionPlace{session.Developer, session.ID}] = session
	s.Logs.Add(records...)
	return nil
}

// List implements login.Store.
func (s *Store) List(_ context.Context, developer id.Developer) ([]login.Session, error) {
	defer s.lock()()
	var all []login.Session
	for place, found := range s.sessions {
		if place.developer == developer && s.lasts(found) {
			all = append(all, found)
		}
	}
	slices.SortFunc(all, func(a, b login.Session) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// lasts tells whether the session has neither expired nor been ended with all others.
func (s *Store) lasts(session login.Session) bool {
	return s.live(session.ExpiresAt) && session.Epoch == s.epochs[session.Developer]
}

// Confirm implements login.Store.
func (s *Store) Confirm(_ context.Context, developer id.Developer, session string, at time.Time) error {
	defer s.lock()()
	found, err := s.lasting(developer, session)
	if err == nil {
		found.ConfirmedAt = millis(at)
		s.sessions[sessionPlace{developer, session}] = found
	}
	return err
}

// Switch implements login.Store.
func (s *Store) Switch(
	_ context.Context, developer id.Developer, session string, to id.Account, records ...record.Record,
) error {
	defer s.lock()()
	found, err := s.lasting(developer, session)
	if err != nil || found.Account == to {
		return err
	}
	found.Account = to
	s.sessions[sessionPlace{developer, session}] = found
	s.Logs.Add(records...)
	return nil
}

// lasting returns the session, or account.ErrNotFound where it has ended.
func (s *Store) lasting(developer id.Developer, session string) (login.Session, error) {
	found, ok := s.sessions[sessionPlace{developer, session}]
	if !ok || !s.lasts(found) {
		return login.Session{}, account.ErrNotFound
	}
	return found, nil
}

// End implements login.Store.
func (s *Store) End(_ context.Context, developer id.Developer, session string, records ...record.Record) error {
	defer s.lock()()
	if _, err := s.lasting(developer, session); err != nil {
		return err
	}
	delete(s.sessions, sessionPlace{developer, session})
	s.Logs.Add(records...)
	return nil
}

// EndAll implements login.Store.
func (s *Store) EndAll(_ context.Context, developer id.Developer, keep string, records ...record.Record) error {
	defer s.lock()()
	s.endAll(developer, keep)
	s.Logs.Add(records...)
	return nil
}

func (s *Store) endAll(developer id.Developer, keep string) {
	place := sessionPlace{developer, keep}
	kept, ok := s.sessions[place]
	ok = ok && s.lasts(kept) // one that was ended before is not brought back
	s.epochs[developer]++
	if ok {
		kept.Epoch = s.epochs[developer]
		s.sessions[place] = kept
	}
}
