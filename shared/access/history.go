package access

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// event is that something came to be as it is.
type event struct {
	at         time.Time
	by, reason string
}

func eventOf(r record.Record) event { return event{r.At, r.Actor, r.Reason} }

// state is what a subject may do at a moment, and where that comes from.
type state struct {
	rights authz.Rights
	policy authz.Policy
	// seat is the user's role in the group that is asked about; "" for none, and in the past.
	seat authz.Role
	// made is when the subject came to be; ended when it stopped or will stop working, zero for never.
	made, ended event
	// defaults is when the roles of every user were last chosen; zero for never.
	defaults event
	// grants are the grants behind the statements, as far as they are known.
	grants map[id.Grant]View
}

// history is a state in the making: the records of one subject, read in any order of those that commute.
type history struct {
	state
	// kept are the scopes that no narrowing has taken away.
	kept authz.Set
	// recorded tells that the records begin with the key's creation: keys older than the records are known from the store.
	recorded bool
}

// past returns what the subject could do at the moment, a whole millisecond, as the records tell it. Grants that were made
// and revoked since then are in it, whether or not their rows are still kept.
func (s *Service) past(ctx context.Context, app id.App, subject Subject, at time.Time) (state, error) {
	h := history{kept: ^authz.Set(0), state: state{grants: map[id.Grant]View{}}}
	h.rights.Kind = subject.Rights.Kind
	for r, err := range s.records(ctx, app, record.Filter{Subject: subject.ID, Until: at.Add(time.Millisecond)}, true) {
		if err == nil {
			err = h.apply(r)
		}
		if err != nil {
			return state{}, err
		}
	}
	if !h.recorded {
		if err := s.unrecorded(ctx, app, subject, at, &h); err != nil {
			return state{}, err
		}
	}
	h.rights.Base &= h.kept
	return h.state, s.pastPolicy(ctx, app, at, &h.state)
}

// records yields what the filter chooses, page by page.
func (s *Service) records(ctx context.Context, app id.App, filter record.Filter, oldestFirst bool) iter.Seq2[record.Record, error] {
	const page = 100
	return func(yield func(record.Record, error) bool) {
		for position := ""; ; {
			entries, next, err := s.Records.List(ctx, record.OfApp(app), filter, oldestFirst, position, page)
			if err != nil {
				yield(record.Record{}, err)
				return
			}
			for _, entry := range entries {
				if !yield(entry.Record, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			position = next
		}
	}
}

// last returns the newest record on the subject, until and with the time, that has one of the actions.
func (s *Service) last(ctx context.Context, app id.App, subject string, at time.Time, actions ...record.Action) (record.Record, bool, error) {
	for r, err := range s.records(ctx, app, record.Filter{Subject: subject, Until: at.Add(time.Millisecond)}, false) {
		if err != nil || slices.Contains(actions, r.Action) {
			return r, err == nil, err
		}
	}
	return record.Record{}, false, nil
}

// read decodes what a record says of its subject before or after.
func read[T any](r record.Record, text json.RawMessage) (said T, err error) {
	if err := json.Unmarshal(text, &said); err != nil {
		return said, fmt.Errorf("read %s of %s: %w", r.ID(), r.Log, err)
	}
	return said, nil
}

// What the records of keys say that counts for decisions; package apikey writes them.
type keyRecord struct {
	Scopes    []string  `json:"scopes"`
	ExpiresAt time.Time `json:"expires_at"`
	RevokedAt time.Time `json:"revoked_at"`
}

// apply takes one record into account. Narrowings are a mask and ends the earliest of all, so that it does not matter in
// which order the clocks of two functions have put them; the grants of a subject are in the order of its changes.
func (h *history) apply(r record.Record) error {
	switch r.Action {
	case record.GrantCreated, record.GrantRevoked:
		return h.applyGrant(r)
	case record.KeyCreated, record.KeyNarrowed, record.KeyRotated:
		key, err := read[keyRecord](r, r.After)
		if err != nil {
			return err
		}
		h.applyKey(r, key)
	case record.KeyRevoked:
		h.end(r, r.At)
	}
	return nil
}

func (h *history) applyKey(r record.Record, key keyRecord) {
	scopes, _ := authz.ParseSet(key.Scopes)
	switch r.Action {
	case record.KeyCreated:
		h.rights.Base, h.made, h.recorded = scopes, eventOf(r), true
	case record.KeyNarrowed:
		h.kept &= scopes
	}
	h.end(r, key.ExpiresAt)
	h.end(r, key.RevokedAt)
}

// end has the subject stop working at the time, zero for never, if nothing ends it earlier.
func (h *history) end(r record.Record, at time.Time) {
	if !at.IsZero() && (h.ended.at.IsZero() || at.Before(h.ended.at)) {
		h.ended = event{at, r.Actor, r.Reason}
	}
}

func (h *history) applyGrant(r record.Record) error {
	text, made := r.Before, r.Action == record.GrantCreated
	if made {
		text = r.After
	}
	view, err := read[View](r, text)
	if err != nil {
		return err
	}
	if made {
		h.rights.Statements = append(h.rights.Statements, view.Statement())
		h.grants[view.GrantID] = view
		return nil
	}
	h.rights.Statements = slices.DeleteFunc(h.rights.Statements, func(s authz.Statement) bool { return s.Grant == view.GrantID })
	return nil
}

// unrecorded fills in what of a subject no record tells: when a user registered, and what a key was made with that is
// older than the records. What was taken from that key since then, the records of it tell.
func (s *Service) unrecorded(ctx context.Context, app id.App, subject Subject, at time.Time, h *history) error {
	h.made = event{at: subject.CreatedAt, by: subject.CreatedBy}
	if subject.Rights.Kind == authz.Users {
		return nil
	}
	h.rights.Base = subject.Rights.Base
	if h.ended.at.IsZero() {
		h.ended.at = subject.EndedAt
	}
	later := record.Filter{Subject: subject.ID, Action: record.KeyNarrowed, From: at.Add(time.Millisecond)}
	for r, err := range s.records(ctx, app, later, true) {
		if err != nil {
			return err
		}
		before, err := read[keyRecord](r, r.Before)
		if err != nil {
			return err
		}
		scopes, _ := authz.ParseSet(before.Scopes)
		h.rights.Base |= scopes
	}
	return nil
}

// pastPolicy fills in what the app had decided for all: the roles that every user had, and what those and the granted ones
// were.
func (s *Service) pastPolicy(ctx context.Context, app id.App, at time.Time, st *state) error {
	if err := s.pastDefaults(ctx, app, at, st); err != nil {
		return err
	}
	roles := slices.Clone(st.policy.Defaults)
	for _, statement := range st.rights.Statements {
		roles = append(roles, statement.Role)
	}
	st.policy.Roles = map[authz.Role]authz.Effect{}
	for _, role := range roles {
		if _, read := st.policy.Roles[role]; read || role == "" || role.IsBuiltIn() {
			continue
		}
		effect, err := s.pastRole(ctx, app, role, at)
		if err != nil {
			return err
		}
		st.policy.Roles[role] = effect
	}
	return nil
}

func (s *Service) pastDefaults(ctx context.Context, app id.App, at time.Time, st *state) error {
	if st.rights.Kind != authz.Users {
		return nil
	}
	last, found, err := s.last(ctx, app, subjectDefaults, at, record.DefaultsChanged)
	if err != nil || !found {
		return err
	}
	view, err := read[DefaultsView](last, last.After)
	st.policy.Version, st.policy.Defaults, st.defaults = 1, view.Roles, eventOf(last)
	return err
}

// pastRole returns what the role of the app's own was at the time: nothing where it was not there.
func (s *Service) pastRole(ctx context.Context, app id.App, role authz.Role, at time.Time) (authz.Effect, error) {
	last, found, err := s.last(ctx, app, string(role), at, record.RoleCreated, record.RoleChanged, record.RoleDeleted)
	if err != nil || !found || last.Action == record.RoleDeleted {
		return authz.Effect{}, err
	}
	view, err := read[RoleView](last, last.After)
	return view.Effect(), err
}
