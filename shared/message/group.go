package message

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
)

// What a group can refuse. Groups returns these.
var (
	// ErrNoGroup says that the app has no such group.
	ErrNoGroup = errors.New("message: no such group")
	// ErrDismissed says that the group was dismissed: it can be read, and nothing more.
	ErrDismissed = errors.New("message: group dismissed")
	// ErrAdminsOnly says that only the group's owner and admins may speak.
	ErrAdminsOnly = errors.New("message: only admins may speak")
	// ErrHushed says that all members but the owner and the admins are muted.
	ErrHushed = errors.New("message: all muted")
)

// State is how a user stands to a group.
type State string

// The states. Rows of pairs have none.
const (
	Invited State = "invited"
	Asked   State = "asked"
	Joined  State = "member"
	Left    State = "left"
)

// Seat is what a membership row of a group has besides the marks.
type Seat struct {
	// State is how the user stands to the group; "" in a pair.
	State State
	// Role is the member's role in the group.
	Role authz.Role
	// Since is the sequence of the entry by which the user joined. The member sees nothing before it.
	Since int64
	// MutedUntil is until when the member may not speak; zero for not at all.
	MutedUntil time.Time
}

// leads tells whether the member is heard where others are not.
func (s Seat) leads() bool { return s.Role == authz.GroupOwner || s.Role == authz.GroupAdmin }

// speaker returns as what the member takes numbers.
func (s Seat) speaker() Speaker {
	if s.leads() {
		return AnAdmin
	}
	return AnyMember
}

// Reach says who brings a group's messages to its members' devices.
type Reach int

// The reaches. A group begins with the first and never goes back.
const (
	// Direct says that whoever writes posts to the roster.
	Direct Reach = iota
	// Both says that the group is on its way from the one to the other: both are done, and a device may get an entry twice.
	Both
	// Fanned says that the fan-out posts to whoever has subscribed, and the writer to nobody.
	Fanned
)

// Roster is who is in a group.
type Roster struct {
	// Members are the members by ID; each Seat's State is Joined. Where the reach is Fanned they are those of the members
	// from before that are members still.
	Members map[id.User]Seat
	// Reach is the group's.
	Reach Reach
}

// Speaker says for what a number is taken, and so who has to be allowed to speak.
type Speaker int

// The speakers. A change of the group is nobody's message: it does not count as unread.
const (
	Nobody Speaker = iota
	AnyMember
	AnAdmin
	// Editing and Reacting are of members who do something with a message that is there: it counts for nobody.
	Editing
	Reacting
	// Leaving is who goes, or takes an invitation or a request back: nobody is kept in a group that was dismissed.
	Leaving
)

// Counts tells whether the number is a message's, which others have unread.
func (s Speaker) Counts() bool { return s == AnyMember || s == AnAdmin }

// Speaks tells whether the speaker is refused where only admins may speak.
func (s Speaker) Speaks() bool { return s == AnyMember || s == Editing }

// Muted tells whether the speaker is refused where all members are muted.
func (s Speaker) Muted() bool { return s.Speaks() || s == Reacting }

// Dismissible tells whether the speaker is refused where the group was dismissed.
func (s Speaker) Dismissible() bool { return s != Leaving }

// Number is a place in a group's log.
type Number struct {
	// Sequence is the entry's, Ordinal how many messages were numbered up to it.
	Sequence int64
	Ordinal  int64
	// Reach is the group's at that number. It never goes back from one number to the next.
	Reach Reach
}

// Groups is what the log asks of groups. groupdb.Store is one.
type Groups interface {
	// Roster returns the group's members, read strongly: one read unit. ErrNoGroup where there is no such group.
	Roster(ctx context.Context, app id.App, group id.Group) (Roster, error)
	// Take takes the next number of the group's log, one write; ErrNoGroup, ErrDismissed, ErrAdminsOnly or ErrHushed where
	// the speaker may not. Whoever takes a number has to put an entry there: others wait for it.
	Take(ctx context.Context, app id.App, group id.Group, speaker Speaker) (Number, error)
	// Joined returns up to limit of the group's members in a lasting order, those after the position ("" begins), and the next
	// position ("" at the end). A page may be short before the end. It is eventually consistent: half a read unit for each
	// 4 KB.
	Joined(ctx context.Context, app id.App, group id.Group, position string, limit int) (users []id.User, next string, err error)
}

// GroupChange is what an entry tells of a group: who did what to whom. Its author is the entry's sender, "" for an application.
type GroupChange struct {
	Kind  ChangeKind `json:"kind" enum:"created,updated,invited,asked,declined,joined,left,removed,role,muted,transferred,dismissed" doc:"What happened." example:"joined"`
	Users []id.User  `json:"users,omitempty" doc:"Whom it concerns." maxItems:"100" example:"[\"u_4oKyQ1F8aXbT0mJ2cLw7Zr\"]"`
	Role  string     `json:"role,omitempty" enum:"admin,member" doc:"The new role, for kind role."`
	Until *time.Time `json:"until,omitempty" doc:"Until when they are muted, for kind muted; absent where that ends."`
	// Group has the members of the group's JSON that are new; all of them for kind created.
	Group json.RawMessage `json:"group,omitempty" doc:"What of the group is new, as GET /groups/{id} shows it."`
}

// ends tells whether the user's membership ends with the message. What comes after it is not the user's, though the user's row
// was read before.
func (m Message) ends(user id.User) bool {
	return slices.Contains(m.Left(), user)
}

// Joined returns the users who come into a group with the message.
func (m Message) Joined() []id.User {
	if m.Event == nil || m.Event.Kind != GroupCreated && m.Event.Kind != UsersJoined {
		return nil
	}
	return m.Event.Users
}

// Left returns the users who leave a group with the message, or who were invited to it, or asked, and are not any more.
func (m Message) Left() []id.User {
	if m.Event == nil || m.Event.Kind != UserLeft && m.Event.Kind != UserRemoved {
		return nil
	}
	return m.Event.Users
}

// ChangeKind names a kind of change.
type ChangeKind string

// The kinds of changes.
const (
	GroupCreated     ChangeKind = "created"
	GroupUpdated     ChangeKind = "updated"
	UsersInvited     ChangeKind = "invited"
	UserAsked        ChangeKind = "asked"
	UserDeclined     ChangeKind = "declined"
	UsersJoined      ChangeKind = "joined"
	UserLeft         ChangeKind = "left"
	UserRemoved      ChangeKind = "removed"
	RoleChanged      ChangeKind = "role"
	MemberMuted      ChangeKind = "muted"
	OwnerTransferred ChangeKind = "transferred"
	GroupDismissed   ChangeKind = "dismissed"
)

// Leaves tells whether somebody ends what it had in the group by it: that can be done in a dismissed one too.
func (k ChangeKind) Leaves() bool { return k == UserLeft || k == UserDeclined }

// speaker returns for whom the number of the change is taken.
func (k ChangeKind) speaker() Speaker {
	if k.Leaves() {
		return Leaving
	}
	return Nobody
}
