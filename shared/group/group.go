// Package group has the groups of an app: what they are called, who is in them and who may do what there.
//
// Every change of a group is one entry of the group's log, written in the same transaction as the rows that it tells of:
// whoever reads the log knows the group, and nobody sees the one without the other. A change is decided on what was read,
// and the transaction stands on what the decision depended on; whoever is overtaken reads and decides again.
package group

import (
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/profile"
)

const (
	// DirectMembers is how many members a group has at most whose messages the sender's function pushes itself: where thirty are
	// online, a message costs 1.3 times its pushes then, for each member's record is looked up; the fan-out, which takes over
	// for good with one member more, looks up who is online only. The roster, which each send reads for one read unit, stays
	// well within 4 KB.
	DirectMembers = 75
	// MaxMembers is how many members a group may have.
	MaxMembers = 100_000
	// chunk is how many users one transaction takes in: with the group's own items it stays far below DynamoDB's 100, and
	// an entry that names them all below 1 KB.
	chunk = 25

	// maxDescription bounds the description in bytes of UTF-8. With package profile's bounds a profile stays within the 10 KB
	// that a change of it costs.
	maxDescription = 1024
)

// Joining says who may join a group.
type Joining string

// The ways to join. Whoever was invited may join in any case.
const (
	// Open lets everybody of the app in.
	Open Joining = "open"
	// Approval lets in whom somebody admits who may invite.
	Approval Joining = "approval"
	// InviteOnly lets nobody in who was not invited. Nobody else sees the group.
	InviteOnly Joining = "invite"
)

// Who says which members may do something.
type Who string

// Those who may.
const (
	Everyone Who = "everyone"
	Admins   Who = "admins"
)

// Profile is what of a group its members change.
type Profile struct {
	// Profile is what groups show as users do; a group has a name.
	profile.Profile
	Description string
	// Join says who may join, Speak who may send messages, Invite who may invite.
	Join   Joining
	Speak  Who
	Invite Who
	// MutedAll mutes all members but the owner and the admins.
	MutedAll bool
}

// Group is a group of users. Two are equal if nothing has changed.
type Group struct {
	App id.App
	ID  id.Group
	Profile
	// Owner is the one member who owns it.
	Owner id.User
	// Members is how many members it has.
	Members int
	// Reach says who brings its messages to the members' devices.
	Reach message.Reach
	// Version is the sequence of the last change, in the group's log.
	Version int64
	// CreatedAt is when it was created, CreatedBy by whom: a key, a developer or a user.
	CreatedAt time.Time
	CreatedBy string
	// DismissedAt is when it was dismissed; zero for not.
	DismissedAt time.Time
	// Fingerprint is that of the request that created it, by which a repeated one is known.
	Fingerprint string
}

// Dismissed tells whether the group can only be read any more.
func (g Group) Dismissed() bool { return !g.DismissedAt.IsZero() }

// Member is how one user stands to one group: invited, asking, a member, or one no more.
type Member struct {
	App   id.App
	Group id.Group
	User  id.User
	// Seat has the state, "" for a user whom the group never had to do with. MutedUntil is in whole seconds.
	message.Seat
	// By is the user who changed it last, who invited the invited; "" for an application.
	By id.User
	// Version is the sequence of the change that touched it last; 0 for none.
	Version int64
}

// room returns how many members the group may have while its reach is what it is.
func (g Group) room() int {
	if g.Reach == message.Fanned {
		return MaxMembers
	}
	return DirectMembers
}

// joined tells whether the user is a member now.
func (m Member) joined() bool { return m.State == message.Joined }

// becomes returns the row of a user who stands to the group as the state says. What only a member has is gone, but not until when
// it is muted: nobody speaks again by leaving and coming back.
func (m Member) becomes(state message.State) Member {
	m.Seat = message.Seat{State: state, MutedUntil: m.MutedUntil}
	return m
}

// admitted returns the row of a user who becomes a member.
func (m Member) admitted() Member {
	m = m.becomes(message.Joined)
	m.Role = authz.GroupMember
	return m
}
