package apikey

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Sockets cuts the live connections of tokens that a key has minted.
type Sockets interface {
	// CutKey closes every socket whose token the key minted. A socket that it cannot reach in time is refused at its
	// next frame all the same.
	CutKey(ctx context.Context, app id.App, key id.Key) error
}

// Service makes, lists and revokes keys.
type Service struct {
	Store   Store
	Sockets Sockets
	Clock   clock.Clock
	IDs     id.Source
}

// Request is what a new key shall be.
type Request struct {
	// Name is for people.
	Name string
	// Scopes are the permissions it gets.
	Scopes []string
	// ExpiresAt is when it stops working; zero for never.
	ExpiresAt time.Time
	// IdempotencyKey makes a repeated request find the key of the first; "" for none.
	IdempotencyKey string
}

// Create makes a key, allowed no more than its maker: fault.ScopeExceedsKey otherwise. The text of the key is returned
// once; a repeated request (same IdempotencyKey, same maker) gets the record with an empty text, and another request
// under the same IdempotencyKey is fault.IdempotencyConflict.
func (s *Service) Create(ctx context.Context, maker Key, request Request) (made Key, text string, err error) {
	if lacking := maker.Lacks(request.Scopes); lacking != "" {
		return Key{}, "", fault.New(fault.ScopeExceedsKey, lacking)
	}
	if !request.ExpiresAt.IsZero() && !request.ExpiresAt.After(s.Clock.Now()) {
		return Key{}, "", fault.Invalid(fault.Field{Name: "expires_at", Code: fault.FieldInvalid, Args: []any{"expires_at"}})
	}
	request.ExpiresAt = request.ExpiresAt.Truncate(time.Millisecond) // as it is kept
	keyID := s.IDs.Key(maker.App)
	if request.IdempotencyKey != "" {
		keyID = id.DeriveKey(maker.App, string(maker.ID), request.IdempotencyKey)
	}
	secret := s.IDs.Text(secretLength)
	made = Key{ID: keyID, App: maker.App, Name: request.Name, Scopes: request.Scopes, Hash: sha256.Sum256([]byte(secret)),
		CreatedAt: s.Clock.Now(), CreatedBy: maker.ID, ExpiresAt: request.ExpiresAt}
	standing, err := s.Store.Create(ctx, made)
	switch {
	case errors.Is(err, ErrExists) && standing.Hash == made.Hash:
		return made, Format(keyID, secret), nil // the SDK tried again after an answer was lost
	case errors.Is(err, ErrExists):
		return replay(standing, made)
	}
	return made, Format(keyID, secret), err
}

// replay answers a repeated creation with the standing record, without its text.
func replay(standing, asked Key) (Key, string, error) {
	same := standing.Name == asked.Name && slices.Equal(standing.Scopes, asked.Scopes) &&
		standing.ExpiresAt.Equal(asked.ExpiresAt) && standing.CreatedBy == asked.CreatedBy
	if !same {
		return Key{}, "", fault.New(fault.IdempotencyConflict)
	}
	return standing, "", nil
}

// Bootstrap makes the first key of an app, with all the scopes.
func (s *Service) Bootstrap(ctx context.Context, app id.App, scopes []string) (text string, err error) {
	secret := s.IDs.Text(secretLength)
	key := Key{ID: s.IDs.Key(app), App: app, Name: "bootstrap", Scopes: scopes, Hash: sha256.Sum256([]byte(secret)),
		CreatedAt: s.Clock.Now()}
	_, err = s.Store.Create(ctx, key)
	return Format(key.ID, secret), err
}

// Revoke ends a key: the next request with it is refused, and the sockets of its tokens are cut. Revoking again repeats
// the cut and changes nothing else.
func (s *Service) Revoke(ctx context.Context, app id.App, keyID id.Key) (Key, error) {
	if keyID.App() != app { // nothing else that stands beside the keys may be touched
		return Key{}, fault.New(fault.KeyNotFound)
	}
	key, err := s.Store.Revoke(ctx, app, keyID, s.Clock.Now())
	if errors.Is(err, ErrNotFound) {
		return Key{}, fault.New(fault.KeyNotFound)
	}
	if err != nil {
		return Key{}, err
	}
	// The state comes first: a socket that opens between the two is refused by its own strong read of the key.
	return key, s.Sockets.CutKey(ctx, app, keyID)
}
