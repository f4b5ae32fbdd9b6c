package apikey

import (
	"context"
	"errors"
	"slices"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// narrowAttempts bounds how often a key may be narrowed by others while one is at it.
const narrowAttempts = 5

// Narrow takes the permissions out of a key's scopes: the next request with the key is judged without them. What the key
// does not have is passed over; where nothing is to be taken away, nothing changes. A key that is left without scopes may do
// what it was granted and nothing else. fault.KeyNotFound; fault.KeyNotActive for a key that has ended.
func (s *Service) Narrow(ctx context.Context, app id.App, keyID id.Key, remove []string, origin record.Origin) (Key, error) {
	for range narrowAttempts {
		key, err := s.Get(ctx, app, keyID)
		if err != nil {
			return Key{}, err
		}
		now := s.Clock.Now()
		if !key.RevokedAt.IsZero() || key.expired(now) {
			return Key{}, fault.New(fault.KeyNotActive)
		}
		stay, gone := split(key.Scopes, remove)
		if len(gone) == 0 {
			return key, nil
		}
		after, err := s.Store.Narrow(ctx, app, keyID, stay, key.Scopes, key.recordNarrowed(now, origin, stay, gone))
		switch {
		case errors.Is(err, ErrChanged):
			continue
		case errors.Is(err, ErrNotFound):
			return Key{}, fault.New(fault.KeyNotFound)
		}
		return after, err
	}
	return Key{}, fault.TooOften("narrow a key")
}

// split returns the scopes that stay and those that go.
func split(scopes, remove []string) (stay, gone []string) {
	stay = []string{}
	for _, scope := range scopes {
		if slices.Contains(remove, scope) {
			gone = append(gone, scope)
		} else {
			stay = append(stay, scope)
		}
	}
	return stay, gone
}
