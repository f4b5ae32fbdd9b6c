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

// Roster is who is in a group.
type Roster struct {
	// Members are the members by ID; each Seat's State is Joined.
	Members map[id.User]Seat
}

// Speaker says for what a number is taken, and so who has to be allowed to speak.
type Speaker int

// The speakers. A change of the group is nobody's message: it does not count as unread.
const (
	Nobody Speaker = iota
	AnyMember
	AnAdmin
)

// Number is a place in a group's log.
type Number struct {
	// Sequence is the entry's, Ordinal how many messages were numbered up to it.
	Sequence int64
	Ordinal  int64
}

// Groups is what the log asks of groups. groupdb.Store is one.
type Groups interface {
	// Roster returns the group's members, read strongly: one read unit. ErrNoGroup where there is no such group.
	Roster(ctx context.Context, app id.App, group id.Group) (Roster, error)
	// Take takes the next number of the group's log, one write; ErrNoGroup, ErrDismissed, ErrAdminsOnly or ErrHushed where
	// the speaker may not. Whoever takes a number has to put an entry there: others wait for it.
	Take(ctx context.Context, app id.App, group id.Group, speaker Speaker) (Number, error)
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
	return m.Event != nil && (m.Event.Kind == UserLeft || m.Event.Kind == UserRemoved) && slices.Contains(m.Event.Users, user)
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
