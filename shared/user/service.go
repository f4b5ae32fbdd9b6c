package user

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Sockets cuts the live connections of a user.
type Sockets interface {
	// CutUser closes every socket of the user.
	CutUser(ctx context.Context, app id.App, user id.User) error
}

// Service registers and finds users.
type Service struct {
	Store Store
	Clock clock.Clock
	IDs   id.Source
	// Sockets is needed by RevokeTokens and SetActive only.
	Sockets Sockets
}

// Register makes a user with the name: fault.UsernameTaken where another has it. With an idempotency key ("" for none)
// a repeated registration returns the user of the first; with another name it is fault.IdempotencyConflict.
func (s *Service) Register(ctx context.Context, app id.App, text, idempotencyKey string) (User, error) {
	name, err := NewName(text)
	if err != nil {
		return User{}, err
	}
	made := User{ID: s.IDs.User(), App: app, Username: name.Shown, CreatedAt: s.Clock.Now(), Rights: authz.Rights{Kind: authz.Users}}
	if idempotencyKey != "" {
		// The ID follows from the idempotency key, so the user itself is the record of the first request.
		made.ID = id.DeriveUser(app, idempotencyKey)
	}
	err = s.Store.Create(ctx, made, name.Compared)
	if idempotencyKey != "" && (errors.Is(err, ErrExists) || errors.Is(err, ErrNameTaken)) {
		return s.replay(ctx, made, err)
	}
	if errors.Is(err, ErrNameTaken) {
		return User{}, fault.New(fault.UsernameTaken)
	}
	return made, err
}

// replay tells a repeated registration from a new one under a used idempotency key or a used name.
func (s *Service) replay(ctx context.Context, asked User, refused error) (User, error) {
	standing, err := s.Store.Get(ctx, asked.App, asked.ID, true)
	switch {
	case errors.Is(err, ErrNotFound) && errors.Is(refused, ErrExists): // the user of the first request is erased
		return User{}, fault.New(fault.IdempotencyConflict)
	case errors.Is(err, ErrNotFound):
		return User{}, fault.New(fault.UsernameTaken)
	case err != nil:
		return User{}, err
	case standing.Username != asked.Username && standing.Version == 0: // else it may have been renamed since
		return User{}, fault.New(fault.IdempotencyConflict)
	}
	return standing, nil
}

// Get returns the user of the ID; field names the input that held it, for fault.UserNotFound. The cheap read comes
// first: only a user that it does not find is looked for strongly.
func (s *Service) Get(ctx context.Context, app id.App, user, field string) (User, error) {
	if !id.IsUser(user) {
		return User{}, NotFound(field)
	}
	found, err := s.Store.Get(ctx, app, id.User(user), false)
	if errors.Is(err, ErrNotFound) {
		found, err = s.Store.Get(ctx, app, id.User(user), true)
	}
	if errors.Is(err, ErrNotFound) {
		return User{}, NotFound(field)
	}
	return found, err
}

// Resolve returns the ID that an ID or username stands for, without checking that an ID exists; field as in Get.
func (s *Service) Resolve(ctx context.Context, app id.App, idOrName, field string) (id.User, error) {
	if id.IsUser(idOrName) {
		return id.User(idOrName), nil
	}
	name, err := ParseName(idOrName)
	if err != nil {
		return "", NotFound(field)
	}
	found, err := s.Store.ByName(ctx, app, name.Compared, false)
	if errors.Is(err, ErrNotFound) {
		found, err = s.Store.ByName(ctx, app, name.Compared, true)
	}
	if errors.Is(err, ErrNotFound) {
		return "", NotFound(field)
	}
	return found, err
}

// RevokeTokens voids every token of the user that was issued before now, and cuts the user's sockets.
func (s *Service) RevokeTokens(ctx context.Context, app id.App, user id.User) error {
	_, err := s.Store.RevokeTokens(ctx, app, user)
	if errors.Is(err, ErrNotFound) {
		return NotFound("id")
	}
	if err != nil {
		return err
	}
	return s.Sockets.CutUser(ctx, app, user)
}

// NotFound is the refusal of a field that names no user.
func NotFound(field string) error {
	return fault.Invalid(fault.Field{Name: field, Code: fault.UserNotFound, Args: []any{field}})
}
