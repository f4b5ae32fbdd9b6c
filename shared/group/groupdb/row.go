package groupdb

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/table"
)

type profileRow struct {
	Key         string `dynamodbav:"pk"`
	Item        string `dynamodbav:"sk"`
	Group       string `dynamodbav:"group"`
	Name        string `dynamodbav:"name"`
	Description string `dynamodbav:"description"`
	Avatar      string `dynamodbav:"avatar"`
	Custom      string `dynamodbav:"custom"`
	Join        string `dynamodbav:"join"`
	Speak       string `dynamodbav:"speak"`
	Invite      string `dynamodbav:"invite"`
	MutedAll    bool   `dynamodbav:"muted_all"`
	Owner       string `dynamodbav:"owner"`
	Members     int    `dynamodbav:"members"`
	Reach       int    `dynamodbav:"reach,omitempty"`
	Version     int64  `dynamodbav:"version"`
	CreatedAt   int64  `dynamodbav:"created_at"`
	CreatedBy   string `dynamodbav:"created_by"`
	DismissedAt int64  `dynamodbav:"dismissed_at,omitempty"`
	Fingerprint string `dynamodbav:"fingerprint"`
}

// counterRow is the one item that each message writes. What is not said is not there: the conditions ask for that.
type counterRow struct {
	Key      string `dynamodbav:"pk"`
	Item     string `dynamodbav:"sk"`
	Sequence int64  `dynamodbav:"seq"`
	Ordinal  int64  `dynamodbav:"ord"`
	// Closed refuses everybody, Admins and Hushed all but the owner and the admins.
	Closed bool `dynamodbav:"closed,omitempty"`
	Admins bool `dynamodbav:"admins,omitempty"`
	Hushed bool `dynamodbav:"hushed,omitempty"`
	Reach  int  `dynamodbav:"reach,omitempty"`
}

type rosterRow struct {
	Key     string            `dynamodbav:"pk"`
	Item    string            `dynamodbav:"sk"`
	Members map[string]string `dynamodbav:"m"`
	Reach   int               `dynamodbav:"reach,omitempty"`
}

// memberRow is what of a conversation's row packages group knows; package messagedb has the marks.
type memberRow struct {
	Key     string `dynamodbav:"pk"`
	Group   string `dynamodbav:"sk"`
	State   string `dynamodbav:"state"`
	Role    string `dynamodbav:"role"`
	Since   int64  `dynamodbav:"since"`
	Muted   int64  `dynamodbav:"muted"` // seconds
	By      string `dynamodbav:"by"`
	Version int64  `dynamodbav:"ver"`
}

func profileOf(g group.Group) profileRow {
	return profileRow{Key: groupKey(g.App, g.ID), Item: profileItem, Group: string(g.ID), Name: g.Name,
		Description: g.Description, Avatar: g.Avatar, Custom: g.Custom, Join: string(g.Join), Speak: string(g.Speak),
		Invite: string(g.Invite), MutedAll: g.MutedAll, Owner: string(g.Owner), Members: g.Members, Reach: int(g.Reach), Version: g.Version,
		CreatedAt: table.Millis(g.CreatedAt), CreatedBy: g.CreatedBy, DismissedAt: table.Millis(g.DismissedAt), Fingerprint: g.Fingerprint}
}

func (r profileRow) group(app id.App) group.Group {
	return group.Group{App: app, ID: id.Group(r.Group), Profile: group.Profile{
		Profile: profile.Profile{Name: r.Name, Avatar: r.Avatar, Custom: r.Custom}, Description: r.Description,
		Join: group.Joining(r.Join), Speak: group.Who(r.Speak), Invite: group.Who(r.Invite), MutedAll: r.MutedAll},
		Owner: id.User(r.Owner), Members: r.Members, Reach: message.Reach(r.Reach), Version: r.Version, CreatedAt: table.Instant(r.CreatedAt),
		CreatedBy: r.CreatedBy, DismissedAt: table.Instant(r.DismissedAt), Fingerprint: r.Fingerprint}
}

func decodeGroup(app id.App, item table.Item) (group.Group, error) {
	var row profileRow
	err := table.Decode(item, &row)
	return row.group(app), err
}

func decodeMember(app id.App, item table.Item) (group.Member, error) {
	var row memberRow
	if err := table.Decode(item, &row); err != nil {
		return group.Member{}, err
	}
	member := group.Member{App: app, Group: id.Group(row.Group), User: userOf(app, row.Key), By: id.User(row.By), Version: row.Version,
		Seat: message.Seat{State: message.State(row.State), Since: row.Since}}
	if row.Role != "" {
		member.Role = authz.GroupRole(row.Role)
	}
	if row.Muted != 0 {
		member.MutedUntil = time.Unix(row.Muted, 0).UTC()
	}
	return member, nil
}

// ownerOf returns the row of a new group's owner.
func ownerOf(made group.Group) group.Member {
	return group.Member{App: made.App, Group: made.ID, User: made.Owner, By: made.Owner, Version: made.Version,
		Seat: message.Seat{State: message.Joined, Role: authz.GroupOwner, Since: made.Version}}
}

// letters are the roles in a roster: 75 members have to fit into 4 KB.
var letters = map[authz.Role]string{authz.GroupOwner: "o", authz.GroupAdmin: "a", authz.GroupMember: "m"}

// seatText writes a member's seat for the roster: the role's letter, since in base 36, and where the member is muted "|" and
// until when, in seconds in base 36.
func seatText(seat message.Seat) string {
	text := letters[seat.Role] + strconv.FormatInt(seat.Since, 36)
	if !seat.MutedUntil.IsZero() {
		text += "|" + strconv.FormatInt(seat.MutedUntil.Unix(), 36)
	}
	return text
}

// parseSeat reads what seatText has written.
func parseSeat(text string) (message.Seat, error) {
	since, muted, isMuted := strings.Cut(text, "|")
	seat := message.Seat{State: message.Joined}
	for role, letter := range letters {
		if rest, ok := strings.CutPrefix(since, letter); ok && seat.Role == "" {
			seat.Role, since = role, rest
			break
		}
	}
	var err error
	if seat.Since, err = strconv.ParseInt(since, 36, 64); err != nil || seat.Role == "" {
		return message.Seat{}, fmt.Errorf("groupdb: no seat: %q", text)
	}
	if isMuted {
		seconds, err := strconv.ParseInt(muted, 36, 64)
		if err != nil {
			return message.Seat{}, fmt.Errorf("groupdb: no seat: %q", text)
		}
		seat.MutedUntil = time.Unix(seconds, 0).UTC()
	}
	return seat, nil
}
