package group

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/name"
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
func (w Wish) of(profile Profile) (Profile, error) {
	set(&profile.Name, w.Name)
	set(&profile.Description, w.Description)
	set(&profile.Avatar, w.Avatar)
	set(&profile.Join, w.Join)
	set(&profile.Speak, w.Speak)
	set(&profile.Invite, w.Invite)
	set(&profile.MutedAll, w.MutedAll)
	var wrong []fault.Field
	if w.Custom != nil {
		var text bytes.Buffer
		if err := json.Compact(&text, encoded(w.Custom)); err != nil || text.Len() == 0 {
			wrong = append(wrong, fault.Field{Name: "custom", Code: fault.FieldInvalid, Args: []any{"custom"}})
		}
		if profile.Custom = text.String(); profile.Custom == "{}" {
			profile.Custom = ""
		}
	}
	for _, field := range []struct {
		name, text string
		most       int
	}{{"name", profile.Name, maxName}, {"description", profile.Description, maxDescription}, {"avatar", profile.Avatar, maxAvatar},
		{"custom", profile.Custom, maxCustom}} {
		if len(field.text) > field.most {
			wrong = append(wrong, fault.Field{Name: field.name, Code: fault.FieldTooLong, Args: []any{field.name, fmt.Sprintf("%d bytes", field.most)}})
		}
	}
	if !name.Plain(profile.Name) {
		wrong = append(wrong, fault.Field{Name: "name", Code: fault.FieldInvalid, Args: []any{"name"}})
	}
	if !picture(profile.Avatar) {
		wrong = append(wrong, fault.Field{Name: "avatar", Code: fault.FieldInvalid, Args: []any{"avatar"}})
	}
	if len(wrong) > 0 {
		return Profile{}, fault.Invalid(wrong...)
	}
	return profile, nil
}

// picture tells whether the address can be one of a picture: on the web, or a path of the app's own. An address that runs a
// script would do so in every member's browser.
func picture(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && slices.Contains([]string{"", "http", "https"}, parsed.Scheme)
}

func set[T any](field, wish *T) {
	if wish != nil {
		*field = *wish
	}
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
