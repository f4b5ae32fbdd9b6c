package check

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// groupRow is an item of the table of groups: a profile, a counter or a roster, whose attributes differ.
type groupRow struct {
	Key  string `dynamodbav:"pk"`
	Item string `dynamodbav:"sk"`

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
	Version     int64  `dynamodbav:"version"`
	DismissedAt int64  `dynamodbav:"dismissed_at"`

	Sequence int64 `dynamodbav:"seq"`
	Ordinal  int64 `dynamodbav:"ord"`
	Closed   bool  `dynamodbav:"closed"`
	Admins   bool  `dynamodbav:"admins"`
	Hushed   bool  `dynamodbav:"hushed"`

	Seats map[string]string `dynamodbav:"m"`

	Reach int `dynamodbav:"reach"`
}

// The sort keys of a group's items.
const (
	profileItem = "G"
	counterItem = "N"
	rosterItem  = "R"
	fanoutItem  = "F"
)

// groupItems are a group's three items; nil for one that is missing.
type groupItems struct{ profile, counter, roster *groupRow }

func (c *checker) readGroups(ctx context.Context) error {
	return each(ctx, c, "GROUPS", func(row groupRow) error {
		where := "GROUPS " + row.Key + " " + row.Item
		app, conversation, ok := conversationKey(row.Key)
		if !ok || conversation.Group() == "" {
			c.problem(Unreadable, where, "not an app and a group")
			return nil
		}
		if c.leaves(app, where) {
			return nil
		}
		at := place{app, conversation}
		if c.groups[at] == nil {
			c.groups[at] = &groupItems{}
		}
		switch items := c.groups[at]; row.Item {
		case profileItem:
			c.report.Groups++
			items.profile = &row
		case counterItem:
			items.counter = &row
		case rosterItem:
			items.roster = &row
		case fanoutItem: // how far devices were posted to is nobody's state after a restore
		default:
			c.problem(Unreadable, where, "neither a profile nor a counter, a roster or a fan-out")
		}
		return nil
	})
}

// checkGroups checks every group's items against each other, its members' rows and its log.
func (c *checker) checkGroups() {
	rows := map[place]map[id.User]membership{}
	for at, row := range c.rows {
		if in := (place{at.app, at.conversation}); at.conversation.Group() != "" {
			if rows[in] == nil {
				rows[in] = map[id.User]membership{}
			}
			rows[in][at.user] = row
		}
	}
	for at := range c.groupLogs {
		if c.groups[at] == nil {
			c.problem(Group, at.String(), "has a log, and neither profile nor counter nor roster")
		}
	}
	for at, items := range c.groups {
		c.checkGroup(at, items, rows[at])
	}
}

// String names the place in a report.
func (p place) String() string { return p.app.String() + " " + string(p.conversation) }

func (c *checker) checkGroup(at place, items *groupItems, rows map[id.User]membership) {
	for _, item := range []struct {
		row  *groupRow
		name string
	}{{items.profile, "profile"}, {items.counter, "counter"}, {items.roster, "roster"}} {
		if item.row == nil {
			c.problem(Group, at.String(), "has no %s", item.name)
		}
	}
	log := c.groupLogs[at]
	if log == nil {
		c.problem(Group, at.String(), "has no log")
		return
	}
	if items.profile != nil {
		c.checkProfile(at, *items.profile, rows)
	}
	if items.counter != nil {
		c.checkCounter(at, items, log)
	}
	if items.roster != nil {
		c.checkRoster(at, items.roster, rows)
	}
	if log.whole {
		c.checkTold(at, items.profile, rows, log)
	}
}

// checkProfile checks a group's profile by itself and its count of members against the rows.
func (c *checker) checkProfile(at place, row groupRow, rows map[id.User]membership) {
	if row.Group != string(at.conversation) || !oneOf(group.Joining(row.Join), group.Open, group.Approval, group.InviteOnly) ||
		!oneOf(group.Who(row.Speak), group.Everyone, group.Admins) || !oneOf(group.Who(row.Invite), group.Everyone, group.Admins) {
		c.problem(Unreadable, at.String(), "no profile of the group: %q, join %q, speak %q, invite %q", row.Group, row.Join, row.Speak, row.Invite)
	}
	members := 0
	for user, row := range rows {
		if row.state() == message.Joined {
			members++
		}
		if row.Role == ownerRole && string(user) != c.groups[at].profile.Owner {
			c.problem(Group, at.String(), "%s owns it by its row, not by the profile", user)
		}
	}
	if row.Members != members || members > group.MaxMembers {
		c.problem(Group, at.String(), "counts %d members; %d rows are of members", row.Members, members)
	}
	if owner := rows[id.User(row.Owner)]; owner.Role != ownerRole {
		c.problem(Group, at.String(), "its owner, %s, has the role %q", row.Owner, owner.Role)
	}
}

// checkCounter checks that no number of the log is taken again, and that the counter refuses whom the profile does. A counter
// ahead of the log is none's problem: who had the numbers has gone, and the next message fills them.
func (c *checker) checkCounter(at place, items *groupItems, log *groupLog) {
	counter := items.counter
	if counter.Sequence < log.last || counter.Ordinal < log.ordinal {
		c.problem(Group, at.String(), "its counter stands at %d and %d; its log ends at %d and %d: raise it", counter.Sequence, counter.Ordinal,
			log.last, log.ordinal)
	}
	if items.profile == nil {
		return
	}
	if items.roster != nil && (counter.Reach != items.profile.Reach || counter.Reach != items.roster.Reach) {
		c.problem(Group, at.String(), "its reach is %d by the profile, %d by the counter, %d by the roster", items.profile.Reach, counter.Reach,
			items.roster.Reach)
	}
	says, asked := [3]bool{counter.Closed, counter.Admins, counter.Hushed},
		[3]bool{items.profile.DismissedAt != 0, items.profile.Speak == string(group.Admins), items.profile.MutedAll}
	if says != asked {
		c.problem(Group, at.String(), "closed, for admins only, hushed: %v in the counter, %v in the profile", says, asked)
	}
}

// checkRoster demands that the roster has just the members, as their rows say. A group that is fanned out keeps in it who was a
// member before and is one still; its members' rows say that they subscribe.
func (c *checker) checkRoster(at place, roster *groupRow, rows map[id.User]membership) {
	fanned := message.Reach(roster.Reach) == message.Fanned
	for user, text := range roster.Seats {
		seat, err := parseSeat(text)
		if err != nil {
			c.problem(Unreadable, at.String(), "%s has the seat %q", user, text)
			continue
		}
		if row := rows[id.User(user)].standing(); row != seat && (!fanned || row.state != message.Joined) {
			c.problem(Group, at.String(), "%s is in the roster as %v, by its row %v", user, seat, row)
		}
	}
	for user, row := range rows {
		_, listed := roster.Seats[string(user)]
		switch {
		case row.state() != message.Joined:
		case fanned && !row.Subscribes:
			c.problem(Group, at.String(), "the row of its member %s does not say that it subscribes", user)
		case !fanned && !listed:
			c.problem(Group, at.String(), "its member %s is not in the roster", user)
		}
	}
}

// standing is how a user stands to a group; muted is until when, in seconds since 1970.
type standing struct {
	state        message.State
	role         string
	since, muted int64
}

func (s standing) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s since %d, muted until %d", s.state, s.role, s.since, s.muted))
}

// seatRoles are the roles by their letters in a roster.
var seatRoles = map[string]string{"o": ownerRole, "a": adminRole, "m": memberRole}

// parseSeat reads a roster's text: the role's letter, since and, behind a |, until when the member is muted, in base 36.
func parseSeat(text string) (standing, error) {
	if text == "" || seatRoles[text[:1]] == "" {
		return standing{}, strconv.ErrSyntax
	}
	made := standing{state: message.Joined, role: seatRoles[text[:1]]}
	since, muted, isMuted := strings.Cut(text[1:], "|")
	var err error
	if made.since, err = strconv.ParseInt(since, 36, 64); err == nil && isMuted {
		made.muted, err = strconv.ParseInt(muted, 36, 64)
	}
	return made, err
}

func oneOf[T comparable](value T, others ...T) bool { return slices.Contains(others, value) }
