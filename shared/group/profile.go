package group

import (
	"context"
	"encoding/json"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/profile"
)

// Wish is what a group's profile shall be, as a caller says it; nil leaves as it is.
type Wish struct {
	Name, Description, Avatar *string
	Custom                    map[string]json.RawMessage
	Join                      *Joining
	Speak, Invite             *Who
	MutedAll                  *bool
	// Version is the one that the group has to have; nil for any.
	Version *int64
}

// of returns the profile after the wish, or a refusal that names every field that is wrong.
func (w Wish) of(p Profile) (Profile, error) {
	var wrong []fault.Field
	p.Profile, wrong = profile.Wish{Name: w.Name, Avatar: w.Avatar, Custom: w.Custom}.Of(p.Profile)
	profile.Set(&p.Description, w.Description)
	profile.Set(&p.Join, w.Join)
	profile.Set(&p.Speak, w.Speak)
	profile.Set(&p.Invite, w.Invite)
	profile.Set(&p.MutedAll, w.MutedAll)
	wrong = append(wrong, profile.Long("description", p.Description, maxDescription)...)
	if p.Name == "" {
		wrong = append(wrong, fault.Wrong("name", fault.NotPlain))
	}
	if len(wrong) > 0 {
		return Profile{}, fault.Invalid(wrong...)
	}
	return p, nil
}

// fingerprint tells the wish from others.
func (w Wish) fingerprint(more ...string) string {
	return id.Hash(append([]string{string(encoded(w))}, more...)...)
}

// Change changes the group's profile: fault.GroupChanged where it has another version than the one expected. A wish that
// the group fulfils already changes nothing.
func (s *Service) Change(ctx context.Context, caller authz.Caller, group id.Group, wish Wish) (Details, error) {
	seen, made, err := s.change(ctx, caller, authz.GroupsManage, group, nil, func(seen scene) (plan, error) {
		if err := seen.require(authz.GroupsManage); err != nil {
			return plan{}, err
		}
		if wish.Version != nil && *wish.Version != seen.group.Version {
			return plan{}, fault.New(fault.GroupChanged, seen.group.Version)
		}
		is := seen.group
		var err error
		if is.Profile, err = wish.of(is.Profile); err != nil {
			return plan{}, err
		}
		if is == seen.group {
			return plan{}, errNothing
		}
		// Only what is other is written: it has to be the difference from what stands there.
		return plan{told: message.GroupChange{Kind: message.GroupUpdated, Group: difference(seen.group, is)}, is: is,
			holds: Holds{Version: true}}, nil
	})
	return seen.after(made, s.Clock.Now()), err
}

// Dismiss ends the group: it can be read by its members, and nothing can be sent or changed any more. Dismissing again
// changes nothing.
func (s *Service) Dismiss(ctx context.Context, caller authz.Caller, group id.Group) (Details, error) {
	seen, made, err := s.change(ctx, caller, authz.GroupsOwn, group, nil, func(seen scene) (plan, error) {
		if err := seen.require(authz.GroupsOwn); err != nil {
			return plan{}, err
		}
		if seen.group.Dismissed() {
			return plan{}, errNothing
		}
		is := seen.group
		is.DismissedAt = s.Clock.Now()
		return plan{told: message.GroupChange{Kind: message.GroupDismissed, Group: difference(seen.group, is)}, is: is}, nil
	})
	return seen.after(made, s.Clock.Now()), err
}
