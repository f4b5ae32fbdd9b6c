package group

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// What stores refuse.
var (
	// ErrNotFound says that the app has no such group.
	ErrNotFound = errors.New("group: not found")
	// ErrExists says that there is a group of that ID already.
	ErrExists = errors.New("group: exists")
	// ErrChanged says that something that the change stands on is no longer as it was read, or that a later change was made
	// meanwhile.
	ErrChanged = errors.New("group: changed")
)

// Commit is a change of a group, to be made if what it stands on still stands.
type Commit struct {
	// Entry is the change's place in the group's log.
	Entry message.Entry
	// Was is the group as it was read, Is as it shall be; Is.Version is the entry's sequence.
	Was, Is Group
	// Holds is what of Was has to hold still, besides that it is not dismissed.
	Holds Holds
	// Moves are the membership rows that change.
	Moves []Move
	// Stands are the rows that have to be as they were read.
	Stands []Member
}

// Holds names what of a group a change depends on.
type Holds struct{ Join, Invite, Owner, Version bool }

// Move is the change of a membership row: Was as it was read, Is as it shall be, with the entry's sequence as its Version.
// Where Is.Since is the entry's sequence too, the user joins: its marks are set to right before the entry.
type Move struct{ Was, Is Member }

// gains returns how many members more the moves make, or less.
func gains(moves []Move) (more int) {
	for _, move := range moves {
		if move.Is.joined() {
			more++
		}
		if move.Was.joined() {
			more--
		}
	}
	return more
}

// Gain returns how many members more the group has after the commit.
func (c Commit) Gain() int { return gains(c.Moves) }

// Room returns how many members the group may have after the commit.
func (c Commit) Room() int { return c.Was.room() }

// Filter chooses members.
type Filter struct {
	// Since chooses those whom a change after this version touched; 0 for all.
	Since int64
	// State chooses those of the state; "" for all.
	State message.State
}

// Store keeps groups and their members. Every method sees only the app that it is given. It also gives the numbers of the
// groups' logs: see message.Groups.
type Store interface {
	// Create stores a group of one member, its owner, whose row it makes too, together with the first entry of its log, all
	// or nothing. Where the ID is taken, it returns the standing group and ErrExists.
	Create(ctx context.Context, made Group, entry message.Entry) (standing Group, err error)
	// Read returns the group and how the users stand to it, read strongly at once; ErrNotFound. Every user asked for is in
	// the answer. At most 99 users. One read unit for each user and for each 4 KB of the group.
	Read(ctx context.Context, app id.App, group id.Group, users ...id.User) (Group, map[id.User]Member, error)
	// Commit makes the change, all or nothing: the entry, the group, its count of members, the rows, the roster and what each
	// send asks about. Whoever joins a group whose reach is not Direct is marked as one who subscribes. ErrChanged where the group
	// is gone, dismissed, of a later version or another reach, where what the commit stands on does not hold, or where there
	// would be more members than Room; message.ErrTaken where another entry has the number.
	Commit(ctx context.Context, commit Commit) error
	// SetReach changes the group's reach from one to the next, and with it that of the numbers that are taken from then on, all or
	// nothing; ErrChanged where it is another by now, or the group is gone.
	SetReach(ctx context.Context, app id.App, group id.Group, from, to message.Reach) error
	// Subscribing marks the members of a group of at most DirectMembers as ones who subscribe, and returns them. Whoever leaves
	// meanwhile is not marked. One read, and one write each.
	Subscribing(ctx context.Context, app id.App, group id.Group) ([]id.User, error)
	// Members returns the rows of the group, in the order of their versions, up to limit of them, those after the position,
	// "" to begin; next is the position to go on after, "" at the end. A page can be short before the end. It is eventually
	// consistent.
	Members(ctx context.Context, app id.App, group id.Group, filter Filter, position string, limit int) (members []Member, next string, err error)
	// Of returns the user's rows of the state, by the groups' IDs, with position, limit and next as in Members. It is
	// strongly consistent.
	Of(ctx context.Context, app id.App, user id.User, state message.State, position string, limit int) (members []Member, next string, err error)
	// Profiles returns those of up to 100 groups that there are, read strongly.
	Profiles(ctx context.Context, app id.App, groups []id.Group) (map[id.Group]Group, error)
}
