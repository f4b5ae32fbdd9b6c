// Package grouptest has what tests of groups share: a store in memory, a fuse for crash tests, and the suite that every store
// passes.
package grouptest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// Store implements group.Store and message.Groups in memory. Its entries go to the log that it is given.
type Store struct {
	mu     sync.Mutex
	log    message.Log
	groups map[place]*kept
	rows   map[seatPlace]message.Member
	seats  map[seatPlace]group.Member
}

type place struct {
	app   id.App
	group id.Group
}

type seatPlace struct {
	place
	user id.User
}

// kept is a group with the counter of its log.
type kept struct {
	group  group.Group
	number message.Number
	// roster are those of the members who came before the fan-out took over.
	roster map[id.User]bool
}

var (
	_ group.Store    = (*Store)(nil)
	_ message.Groups = (*Store)(nil)
)

// NewStore returns an empty store.
func NewStore(log message.Log) *Store {
	return &Store{log: log, groups: map[place]*kept{}, rows: map[seatPlace]message.Member{}, seats: map[seatPlace]group.Member{}}
}

// Create implements group.Store.
func (s *Store) Create(ctx context.Context, made group.Group, entry message.Entry) (group.Group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place{made.App, made.ID}
	if standing, exists := s.groups[at]; exists {
		return standing.group, group.ErrExists
	}
	if err := s.log.Append(ctx, entry); err != nil {
		return group.Group{}, err
	}
	s.groups[at] = &kept{group: made, number: message.Number{Sequence: entry.Sequence}, roster: map[id.User]bool{}}
	s.set(group.Member{App: made.App, Group: made.ID, User: made.Owner, By: made.Owner, Version: made.Version,
		Seat: message.Seat{State: message.Joined, Role: authz.GroupOwner, Since: made.Version}}, entry)
	return made, nil
}

// set writes a row, with the marks of one who joins by the entry.
func (s *Store) set(member group.Member, entry message.Entry) {
	at := seatPlace{place{member.App, member.Group}, member.User}
	was := s.seats[at]
	s.seats[at] = member
	row := s.rows[at]
	of := s.groups[at.place]
	switch {
	case member.State != message.Joined:
		delete(of.roster, member.User)
		row.Subscribes = false
	case member.Since == entry.Sequence:
		row.Subscribes = of.group.Reach != message.Direct
		if was.State != message.Joined && of.group.Reach != message.Fanned {
			of.roster[member.User] = true
		}
	}
	row.App, row.User, row.Conversation, row.Seat = member.App, member.User, id.Conversation(member.Group), member.Seat
	if member.State == message.Joined && member.Since == entry.Sequence {
		row.Acknowledged, row.Read, row.ReadOrdinal = entry.Sequence-1, entry.Sequence-1, entry.ToLower
	}
	s.rows[at] = row
}

// Row returns the user's row of the group's conversation, as package message sees it.
func (s *Store) Row(app id.App, user id.User, of id.Group) message.Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows[seatPlace{place{app, of}, user}]
}

// Read implements group.Store.
func (s *Store) Read(_ context.Context, app id.App, of id.Group, users ...id.User) (group.Group, map[id.User]group.Member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	standing, exists := s.groups[place{app, of}]
	if !exists {
		return group.Group{}, nil, group.ErrNotFound
	}
	rows := map[id.User]group.Member{}
	for _, user := range users {
		row, there := s.seats[seatPlace{place{app, of}, user}]
		if !there {
			row = group.Member{App: app, Group: of, User: user}
		}
		rows[user] = row
	}
	return standing.group, rows, nil
}

// Commit implements group.Store.
func (s *Store) Commit(ctx context.Context, c group.Commit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place{c.Was.App, c.Was.ID}
	standing, exists := s.groups[at]
	if !exists || !s.stands(standing.group, c) {
		return group.ErrChanged
	}
	if err := s.log.Append(ctx, c.Entry); err != nil {
		return err
	}
	merged := standing.group
	merged.Profile = merge(merged.Profile, c.Was.Profile, c.Is.Profile)
	if c.Was.Owner != c.Is.Owner {
		merged.Owner = c.Is.Owner
	}
	merged.DismissedAt, merged.Version = c.Is.DismissedAt, c.Entry.Sequence
	merged.Members += c.Gain()
	standing.group = merged
	for _, move := range c.Moves {
		s.set(move.Is, c.Entry)
	}
	return nil
}

// stands tells whether the commit can be made on the group that stands there.
func (s *Store) stands(now group.Group, c group.Commit) bool {
	ok := now.Dismissed() == c.Was.Dismissed() && now.Version < c.Entry.Sequence &&
		(!c.Holds.Join || now.Join == c.Was.Join) && (!c.Holds.Invite || now.Invite == c.Was.Invite) &&
		(!c.Holds.Owner || now.Owner == c.Was.Owner) && (!c.Holds.Version || now.Version == c.Was.Version) &&
		now.Reach == c.Was.Reach && (c.Gain() <= 0 || now.Members+c.Gain() <= c.Room())
	rows := slices.Clone(c.Stands)
	for _, move := range c.Moves {
		rows = append(rows, move.Was)
	}
	for _, row := range rows {
		ok = ok && s.seats[seatPlace{place{row.App, row.Group}, row.User}].Version == row.Version
	}
	return ok
}

// merge changes in the profile that stands what the change changes: others may have changed the rest meanwhile.
func merge(standing, was, is group.Profile) group.Profile {
	changed := func(standing *string, was, is string) {
		if was != is {
			*standing = is
		}
	}
	changed(&standing.Name, was.Name, is.Name)
	changed(&standing.Description, was.Description, is.Description)
	changed(&standing.Avatar, was.Avatar, is.Avatar)
	changed(&standing.Custom, was.Custom, is.Custom)
	changed((*string)(&standing.Join), string(was.Join), string(is.Join))
	changed((*string)(&standing.Speak), string(was.Speak), string(is.Speak))
	changed((*string)(&standing.Invite), string(was.Invite), string(is.Invite))
	if was.MutedAll != is.MutedAll {
		standing.MutedAll = is.MutedAll
	}
	return standing
}

// Members implements group.Store.
func (s *Store) Members(_ context.Context, app id.App, of id.Group, filter group.Filter, position string, limit int) ([]group.Member, string, error) {
	in := func(at seatPlace, row group.Member) bool {
		return at.place == place{app, of} && row.Version > filter.Since && (filter.State == "" || row.State == filter.State)
	}
	return s.page(in, func(row group.Member) string { return fmt.Sprintf("%020d %s", row.Version, row.User) }, position, limit)
}

// Joined implements message.Groups.
func (s *Store) Joined(ctx context.Context, app id.App, of id.Group, position string, limit int) ([]id.User, string, error) {
	members, next, err := s.Members(ctx, app, of, group.Filter{State: message.Joined}, position, limit)
	joined := make([]id.User, 0, len(members))
	for _, member := range members {
		joined = append(joined, member.User)
	}
	return joined, next, err
}

// Of implements group.Store.
func (s *Store) Of(_ context.Context, app id.App, user id.User, state message.State, position string, limit int) ([]group.Member, string, error) {
	in := func(at seatPlace, row group.Member) bool {
		return at.app == app && at.user == user && (state == "" || row.State == state)
	}
	return s.page(in, func(row group.Member) string { return string(row.Group) }, position, limit)
}

// page returns the rows that are in, in the order of their positions.
func (s *Store) page(in func(seatPlace, group.Member) bool, positionOf func(group.Member) string, position string, limit int) ([]group.Member, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []group.Member
	for at, row := range s.seats {
		if in(at, row) && positionOf(row) > position {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b group.Member) int { return cmp.Compare(positionOf(a), positionOf(b)) })
	if len(rows) <= limit {
		return rows, "", nil
	}
	return rows[:limit], positionOf(rows[limit-1]), nil
}

// Profiles implements group.Store.
func (s *Store) Profiles(_ context.Context, app id.App, groups []id.Group) (map[id.Group]group.Group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[id.Group]group.Group{}
	for _, each := range groups {
		if standing, exists := s.groups[place{app, each}]; exists {
			found[each] = standing.group
		}
	}
	return found, nil
}

// Roster implements message.Groups.
func (s *Store) Roster(_ context.Context, app id.App, of id.Group) (message.Roster, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place{app, of}
	if s.groups[at] == nil {
		return message.Roster{}, message.ErrNoGroup
	}
	roster := message.Roster{Members: map[id.User]message.Seat{}, Reach: s.groups[at].group.Reach}
	for user := range s.groups[at].roster {
		roster.Members[user] = s.seats[seatPlace{at, user}].Seat
	}
	return roster, nil
}

// SetReach implements group.Store.
func (s *Store) SetReach(_ context.Context, app id.App, of id.Group, from, to message.Reach) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	standing := s.groups[place{app, of}]
	if standing == nil || standing.group.Reach != from {
		return group.ErrChanged
	}
	standing.group.Reach, standing.number.Reach = to, to
	return nil
}

// Subscribing implements group.Store.
func (s *Store) Subscribing(ctx context.Context, app id.App, of id.Group) (members []id.User, err error) {
	roster, err := s.Roster(ctx, app, of)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, user := range slices.Sorted(maps.Keys(roster.Members)) {
		at := seatPlace{place{app, of}, user}
		if row := s.rows[at]; row.Seat.State == message.Joined {
			row.Subscribes = true
			s.rows[at] = row
		}
		members = append(members, user)
	}
	return members, err
}

// Take implements message.Groups.
func (s *Store) Take(_ context.Context, app id.App, of id.Group, speaker message.Speaker) (message.Number, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	standing := s.groups[place{app, of}]
	switch {
	case standing == nil:
		return message.Number{}, message.ErrNoGroup
	case speaker.Dismissible() && standing.group.Dismissed():
		return message.Number{}, message.ErrDismissed
	case speaker.Muted() && standing.group.MutedAll:
		return message.Number{}, message.ErrHushed
	case speaker.Speaks() && standing.group.Speak == group.Admins:
		return message.Number{}, message.ErrAdminsOnly
	}
	standing.number.Sequence++
	if speaker.Counts() {
		standing.number.Ordinal++
	}
	return standing.number, nil
}
