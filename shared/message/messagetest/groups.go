package messagetest

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Groups implements message.Groups in memory.
type Groups struct {
	mutex  sync.Mutex
	groups map[groupPlace]*Group
}

type groupPlace struct {
	app   id.App
	group id.Group
}

// Group is what Groups keeps of one.
type Group struct {
	message.Roster
	message.Number
	Dismissed, AdminsOnly, Hushed bool
}

var _ message.Groups = (*Groups)(nil)

// NewGroups returns an empty store.
func NewGroups() *Groups { return &Groups{groups: map[groupPlace]*Group{}} }

// Change does something to the group at once, as a transaction does; a group that does not exist comes to be.
func (g *Groups) Change(app id.App, group id.Group, do func(*Group)) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.groups[groupPlace{app, group}] == nil {
		g.groups[groupPlace{app, group}] = &Group{Roster: message.Roster{Members: map[id.User]message.Seat{}}}
	}
	do(g.groups[groupPlace{app, group}])
}

// Roster implements message.Groups.
func (g *Groups) Roster(_ context.Context, app id.App, group id.Group) (message.Roster, error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	found := g.groups[groupPlace{app, group}]
	if found == nil {
		return message.Roster{}, message.ErrNoGroup
	}
	return message.Roster{Members: maps.Clone(found.Members), Reach: found.Roster.Reach}, nil
}

// Take implements message.Groups.
func (g *Groups) Take(_ context.Context, app id.App, group id.Group, speaker message.Speaker) (message.Number, error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	found := g.groups[groupPlace{app, group}]
	switch {
	case found == nil:
		return message.Number{}, message.ErrNoGroup
	case speaker.Dismissible() && found.Dismissed:
		return message.Number{}, message.ErrDismissed
	case speaker.Speaks() && found.AdminsOnly:
		return message.Number{}, message.ErrAdminsOnly
	case speaker.Muted() && found.Hushed:
		return message.Number{}, message.ErrHushed
	}
	found.Sequence++
	if speaker.Counts() {
		found.Ordinal++
	}
	return found.Number, nil
}

// Joined implements message.Groups.
func (g *Groups) Joined(_ context.Context, app id.App, group id.Group, position string, limit int) ([]id.User, string, error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	var users []id.User
	if found := g.groups[groupPlace{app, group}]; found != nil {
		users = slices.Sorted(maps.Keys(found.Members))
	}
	users = slices.DeleteFunc(users, func(user id.User) bool { return string(user) <= position })
	if len(users) <= limit {
		return users, "", nil
	}
	return users[:limit], string(users[limit-1]), nil
}

type fusedGroups struct {
	fuse   *storetest.Fuse
	groups message.Groups
}

// FuseGroups wraps a store of groups so that the fuse counts and fails its writes.
func FuseGroups(fuse *storetest.Fuse, groups message.Groups) message.Groups {
	return &fusedGroups{fuse, groups}
}

func (f *fusedGroups) Roster(ctx context.Context, app id.App, group id.Group) (message.Roster, error) {
	if err := f.fuse.Read(); err != nil {
		return message.Roster{}, err
	}
	return f.groups.Roster(ctx, app, group)
}

func (f *fusedGroups) Take(ctx context.Context, app id.App, group id.Group, speaker message.Speaker) (number message.Number, err error) {
	err = f.fuse.Write(func() (err error) {
		number, err = f.groups.Take(ctx, app, group, speaker)
		return err
	})
	return number, err
}

func (f *fusedGroups) Joined(ctx context.Context, app id.App, group id.Group, position string, limit int) ([]id.User, string, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, "", err
	}
	return f.groups.Joined(ctx, app, group, position, limit)
}
