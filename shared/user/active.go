package user

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// recordedState is what records say of a user that was deactivated or reactivated. Names are none of it: records cannot be
// changed, and a user's name has to go when the user does.
type recordedState struct {
	Active bool `json:"active"`
}

// SetActive deactivates the user, or reactivates it, and returns it after that: fault.UserNotFound where there is none. Who
// is deactivated loses its tokens for good and its open sockets. Repeating it completes what broke off, and is not recorded.
func (s *Service) SetActive(ctx context.Context, app id.App, userID id.User, active bool, origin record.Origin) (User, error) {
	action, now := record.UserDeactivated, s.Clock.Now()
	if active {
		action = record.UserReactivated
	}
	changed := record.New(record.OfApp(app), now, origin, action, string(userID), recordedState{!active}, recordedState{active})
	after, err := s.Store.SetActive(ctx, app, userID, active, now, changed)
	if errors.Is(err, ErrNotFound) {
		return User{}, NotFound("id")
	}
	if err != nil || active {
		return after, err
	}
	return after, s.Sockets.CutUser(ctx, app, userID)
}

// Deactivated is the refusal of a field that names a deactivated user.
func Deactivated(field string) error {
	return fault.Invalid(fault.Field{Name: field, Code: fault.UserDeactivated})
}
