package user

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/profile"
)

// Wish is what a user's name and profile shall be, as a caller says it; nil leaves as it is.
type Wish struct {
	Username *string
	profile.Wish
}

// overtaken is how often a change is decided anew because another one was faster.
const overtaken = 5

// Change changes the user's username and profile: fault.UsernameTaken where another user has the name, a refusal that names
// every field that is wrong, and fault.UserNotFound. The name before is free from then on. A wish that is fulfilled already
// changes nothing, so a repeated change has one effect.
func (s *Service) Change(ctx context.Context, app id.App, userID id.User, wish Wish) (User, profile.Profile, error) {
	for range overtaken {
		change, done, err := s.decide(ctx, app, userID, wish)
		if err != nil || done {
			return change.Was, change.Profile, err
		}
		err = s.Store.Change(ctx, change)
		switch {
		case errors.Is(err, ErrNameTaken):
			return User{}, profile.Profile{}, fault.New(fault.UsernameTaken)
		case err == nil:
			is := change.Was
			is.Username, is.Version = change.Username, is.Version+1
			return is, change.Profile, nil
		case !errors.Is(err, ErrChanged):
			return User{}, profile.Profile{}, err
		}
	}
	return User{}, profile.Profile{}, fault.TooOften("change of a user")
}

// decide returns the change that fulfils the wish; done where nothing is to be changed.
func (s *Service) decide(ctx context.Context, app id.App, userID id.User, wish Wish) (change Change, done bool, err error) {
	was, err := s.Store.Get(ctx, app, userID, true)
	if errors.Is(err, ErrNotFound) {
		return Change{}, false, NotFound("id")
	}
	if err != nil {
		return Change{}, false, err
	}
	profiles, err := s.Profiles(ctx, app, true, was)
	if err != nil {
		return Change{}, false, err
	}
	standing, err := ParseName(was.Username)
	if err != nil {
		return Change{}, false, err
	}
	change = Change{Was: was, Username: was.Username, From: standing.Compared, To: standing.Compared}
	var wrong []fault.Field
	change.Profile, wrong = wish.Of(profiles[userID])
	if wish.Username != nil {
		name, err := NewName(*wish.Username)
		if err != nil {
			wrong = append(wrong, fault.Of(err).Fields...)
		}
		change.Username, change.To = name.Shown, name.Compared
	}
	if len(wrong) > 0 {
		return Change{}, false, fault.Invalid(wrong...)
	}
	return change, change.Username == was.Username && change.Profile == profiles[userID], nil
}

// Profiles returns the profiles of the users, at most 100, which were read before. Those that have never set one are not
// looked for.
func (s *Service) Profiles(ctx context.Context, app id.App, strong bool, users ...User) (map[id.User]profile.Profile, error) {
	var set []id.User
	for _, user := range users {
		if user.Version > 0 {
			set = append(set, user.ID)
		}
	}
	if len(set) == 0 {
		return nil, nil
	}
	return s.Store.Profiles(ctx, app, set, strong)
}
