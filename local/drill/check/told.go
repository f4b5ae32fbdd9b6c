package check

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// inGroup is what a membership row of a group has besides the marks.
type inGroup struct {
	State      string `dynamodbav:"state"`
	Role       string `dynamodbav:"role"`
	Since      int64  `dynamodbav:"since"`
	Muted      int64  `dynamodbav:"muted"`
	By         string `dynamodbav:"by"`
	Group      string `dynamodbav:"gk"`
	Version    int64  `dynamodbav:"ver"`
	Subscribes bool   `dynamodbav:"fan"`
}

// The roles in rows.
const (
	ownerRole  = "owner"
	adminRole  = "admin"
	memberRole = "member"
)

func (r inGroup) state() message.State { return message.State(r.State) }

func (r inGroup) standing() standing { return standing{r.state(), r.Role, r.Since, r.Muted} }

// checkGroupMember checks a row of a group by itself, and its marks.
func (c *checker) checkGroupMember(where string, at rowKey, row membership) {
	in := place{at.app, at.conversation}
	if c.groups[in] == nil {
		c.problem(Group, where, "its group is missing")
	}
	if !c.known(at.member) {
		c.problem(Member, where, "its user is missing")
	}
	joined := row.state() == message.Joined
	if row.Peer != "" || !oneOf(row.state(), message.Invited, message.Asked, message.Joined, message.Left) || row.Version < 1 ||
		joined != oneOf(row.Role, ownerRole, adminRole, memberRole) || joined != (row.Since > 0) || !joined && row.Muted != 0 {
		c.problem(Unreadable, "CONVERSATIONS "+where, "is %v at version %d with %q", row.standing(), row.Version, row.Peer)
	}
	if row.Group != at.app.String()+"#"+string(at.conversation) {
		c.problem(Group, where, "the list of members would not have it in its place")
	}
	if joined && min(row.Acknowledged, row.Read) < row.Since-1 {
		c.problem(Mark, where, "acknowledged %d and read %d; the user joined at %d", row.Acknowledged, row.Read, row.Since)
		return
	}
	c.checkGroupMarks(where, in, row)
}

// checkGroupMarks checks marks against the log. Who joins has the ordinal of the entry that says so, at the number before.
func (c *checker) checkGroupMarks(where string, at place, row membership) {
	if tail := c.tail(at); max(row.Acknowledged, row.Read) > tail || min(row.Acknowledged, row.Read) < 0 {
		c.problem(Mark, where, "acknowledged %d and read %d; the log ends at %d", row.Acknowledged, row.Read, tail)
		return
	}
	log := c.groupLogs[at]
	if log == nil {
		return
	}
	entry, found := log.find(row.Read)
	next, follows := log.find(row.Read + 1)
	switch {
	case follows && next.kind == message.TypeEvent && next.ordinal == row.ReadOrdinal, !found && row.Read > 0:
	case entry.ordinal != row.ReadOrdinal:
		c.problem(ReadOrdinal, where, "has %d at %d, where the entry says %d", row.ReadOrdinal, row.Read, entry.ordinal)
	}
}

// told is a group as its log tells of it.
type told struct {
	profile toldProfile
	rows    map[id.User]toldRow
	version int64
}

// toldRow is how a user stands to the group: since which change, and by whom.
type toldRow struct {
	standing
	version int64
	by      string
}

// at returns the row with the event as the one that touched it last.
func (r toldRow) at(e event) toldRow {
	r.version, r.by = e.sequence, e.by
	return r
}

// toldProfile is what the events have of a group's JSON.
type toldProfile struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Avatar      string          `json:"avatar"`
	Custom      json.RawMessage `json:"custom"`
	Join        string          `json:"join"`
	Speak       string          `json:"speak"`
	Invite      string          `json:"invite"`
	MutedAll    bool            `json:"muted_all"`
	Owner       string          `json:"owner"`
	DismissedAt time.Time       `json:"dismissed_at"`
}

// follow returns what the events tell.
func follow(events []event) (told, error) {
	t := told{rows: map[id.User]toldRow{}}
	for _, e := range events {
		if e.Kind == message.OwnerTransferred { // who owned it so far
			was := t.rows[id.User(t.profile.Owner)]
			was.role = adminRole
			t.rows[id.User(t.profile.Owner)] = was.at(e)
		}
		if len(e.Group) > 0 {
			if err := json.Unmarshal(e.Group, &t.profile); err != nil {
				return told{}, err
			}
		}
		for _, user := range e.Users {
			is := t.rows[user].at(e)
			if is.standing = is.standing.after(e); e.Kind == message.GroupCreated {
				is.by = string(user)
			}
			t.rows[user] = is
		}
		t.version = e.sequence
	}
	return t, nil
}

// after returns the seat of a user whom the event concerns.
func (s standing) after(e event) standing {
	switch e.Kind {
	case message.GroupCreated:
		return standing{state: message.Joined, role: ownerRole, since: e.sequence}
	case message.UsersJoined:
		return standing{state: message.Joined, role: memberRole, since: e.sequence}
	case message.UsersInvited:
		return standing{state: message.Invited}
	case message.UserAsked:
		return standing{state: message.Asked}
	case message.UserDeclined, message.UserLeft, message.UserRemoved:
		return standing{state: message.Left}
	case message.RoleChanged:
		s.role = e.Role
	case message.OwnerTransferred:
		s.role, s.muted = ownerRole, 0
	case message.MemberMuted:
		if s.muted = 0; e.Until != nil {
			s.muted = e.Until.Unix()
		}
	}
	return s
}

// checkTold demands that the group is as its log tells: both are written at once.
func (c *checker) checkTold(at place, profile *groupRow, rows map[id.User]membership, log *groupLog) {
	told, err := follow(log.events)
	if err != nil {
		c.problem(Unreadable, at.String(), "an event tells of no group: %v", err)
		return
	}
	if profile != nil {
		c.checkToldProfile(at, *profile, told)
	}
	for user, row := range rows {
		is := toldRow{row.standing(), row.Version, row.By}
		if told.rows[user] != is {
			c.problem(Group, at.String(), "%s is %v, by version %d of %q; the log says %v, by version %d of %q", user, is.standing, is.version, is.by,
				told.rows[user].standing, told.rows[user].version, told.rows[user].by)
		}
	}
	for user, is := range told.rows {
		if _, ok := rows[user]; !ok {
			c.problem(Group, at.String(), "%s has no row; the log says %v", user, is.standing)
		}
	}
}

func (c *checker) checkToldProfile(at place, row groupRow, told told) {
	if row.Version != told.version {
		c.problem(Group, at.String(), "changed last at %d; its log tells of %d", row.Version, told.version)
		return
	}
	is := toldProfile{Name: row.Name, Description: row.Description, Avatar: row.Avatar, Join: row.Join, Speak: row.Speak, Invite: row.Invite,
		MutedAll: row.MutedAll, Owner: row.Owner}
	says, dismissed := told.profile, int64(0)
	if !says.DismissedAt.IsZero() {
		dismissed = says.DismissedAt.UnixMilli()
	}
	custom := same(row.Custom, string(says.Custom))
	says.DismissedAt, says.Custom = time.Time{}, nil
	if !custom || dismissed != row.DismissedAt || !reflect.DeepEqual(is, says) {
		c.problem(Group, at.String(), "its profile is not as its log tells")
	}
}

// same compares two JSON objects; "" is an empty one.
func same(a, b string) bool {
	var one, other map[string]any
	if a != "" && json.Unmarshal([]byte(a), &one) != nil || b != "" && json.Unmarshal([]byte(b), &other) != nil {
		return false
	}
	return len(one) == 0 && len(other) == 0 || reflect.DeepEqual(one, other)
}
