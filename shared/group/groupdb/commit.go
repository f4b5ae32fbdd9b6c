package groupdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/table"
)

// Commit implements group.Store with one transaction.
func (s *Store) Commit(ctx context.Context, c group.Commit) error {
	work := &table.Transaction{DB: s.DB, Doing: "change a group"}
	work.Put(s.Messages, messagedb.EntryRow(c.Entry), absent, message.ErrTaken)
	work.Update(s.profileUpdate(c), group.ErrChanged)
	for _, move := range c.Moves {
		work.Update(s.rowUpdate(move, c.Entry, c.Was.Reach), group.ErrChanged)
	}
	for _, row := range c.Stands {
		check := table.Update{Table: s.Conversations, Key: rowKey(row.App, row.User, row.Group)}
		check.If, check.Values = standing(row)
		work.Check(check, group.ErrChanged)
	}
	if roster := s.rosterUpdate(c); roster.Set != "" {
		work.Update(roster, group.ErrChanged)
	}
	if counter := s.counterUpdate(c); counter.Set != "" {
		work.Update(counter, group.ErrChanged)
	}
	return work.Run(ctx)
}

// standing is the condition that the row is as it was read: its version moves with every change, and with nothing else.
func standing(row group.Member) (string, table.Item) {
	if row.Version == 0 {
		return "attribute_not_exists(ver)", nil
	}
	return "ver = :was", table.Item{":was": table.N(row.Version)}
}

// expression collects an update expression. Every name gets a placeholder: many of ours are reserved words.
type expression struct {
	set, remove []string
	names       map[string]string
	values      table.Item
}

func newExpression() *expression {
	return &expression{names: map[string]string{}, values: table.Item{}}
}

func (e *expression) assign(name string, value types.AttributeValue) {
	e.names["#"+name], e.values[":"+name] = name, value
	e.set = append(e.set, "#"+name+" = :"+name)
}

func (e *expression) drop(name string) {
	e.names["#"+name] = name
	e.remove = append(e.remove, "#"+name)
}

// assignText sets the attribute, or drops it where the text is empty.
func (e *expression) assignText(name, text string) {
	if text == "" {
		e.drop(name)
		return
	}
	e.assign(name, table.S(text))
}

// assignNumber sets the attribute, or drops it where the number is 0.
func (e *expression) assignNumber(name string, number int64) {
	if number == 0 {
		e.drop(name)
		return
	}
	e.assign(name, table.N(number))
}

// flag sets the attribute to true, or drops it.
func (e *expression) flag(name string, on bool) {
	if on {
		e.assign(name, &types.AttributeValueMemberBOOL{Value: true})
		return
	}
	e.drop(name)
}

// update returns the expression as an update; its Set is "" where nothing is to be done.
func (e *expression) update(name string, key table.Item, condition string) table.Update {
	var clauses []string
	if len(e.set) > 0 {
		clauses = append(clauses, "SET "+strings.Join(e.set, ", "))
	}
	if len(e.remove) > 0 {
		clauses = append(clauses, "REMOVE "+strings.Join(e.remove, ", "))
	}
	return table.Update{Table: name, Key: key, Set: strings.Join(clauses, " "), If: condition, Names: e.names, Values: e.values}
}

// profileUpdate changes what is other in the group's profile than it was.
func (s *Store) profileUpdate(c group.Commit) table.Update {
	was, is := profileOf(c.Was), profileOf(c.Is)
	e := newExpression()
	e.assign("version", table.N(c.Entry.Sequence))
	for _, text := range []struct{ name, was, is string }{
		{"name", was.Name, is.Name}, {"description", was.Description, is.Description}, {"avatar", was.Avatar, is.Avatar},
		{"custom", was.Custom, is.Custom}, {"join", was.Join, is.Join}, {"speak", was.Speak, is.Speak},
		{"invite", was.Invite, is.Invite}, {"owner", was.Owner, is.Owner},
	} {
		if text.was != text.is {
			e.assign(text.name, table.S(text.is))
		}
	}
	if was.MutedAll != is.MutedAll {
		e.assign("muted_all", &types.AttributeValueMemberBOOL{Value: is.MutedAll})
	}
	if was.DismissedAt != is.DismissedAt {
		e.assign("dismissed_at", table.N(is.DismissedAt))
	}
	e.names["#dismissed_at"] = "dismissed_at"
	dismissed := "attribute_not_exists(#dismissed_at)"
	if c.Was.Dismissed() {
		dismissed = "attribute_exists(#dismissed_at)"
	}
	conditions := append([]string{"attribute_exists(pk)", "#version < :version", dismissed, e.reaches(c.Was.Reach)}, e.holds(c)...)
	update := e.update(s.Groups, s.key(c.Was.App, c.Was.ID, profileItem), strings.Join(conditions, " AND "))
	if gain := c.Gain(); gain != 0 {
		update.Names["#members"], update.Values[":gain"] = "members", table.N(int64(gain))
		update.Set += " ADD #members :gain"
	}
	return update
}

// reaches returns the condition that the group's reach is this.
func (e *expression) reaches(reach message.Reach) string {
	e.names["#reach"] = "reach"
	if reach == message.Direct {
		return "attribute_not_exists(#reach)"
	}
	e.values[":reach"] = table.N(int64(reach))
	return "#reach = :reach"
}

// holds returns the conditions of what the commit depends on.
func (e *expression) holds(c group.Commit) (conditions []string) {
	for _, hold := range []struct {
		holds bool
		name  string
		was   types.AttributeValue
	}{
		{c.Holds.Join, "join", table.S(string(c.Was.Join))}, {c.Holds.Invite, "invite", table.S(string(c.Was.Invite))},
		{c.Holds.Owner, "owner", table.S(string(c.Was.Owner))}, {c.Holds.Version, "version", table.N(c.Was.Version)},
	} {
		if hold.holds {
			e.names["#"+hold.name], e.values[":was_"+hold.name] = hold.name, hold.was
			conditions = append(conditions, "#"+hold.name+" = :was_"+hold.name)
		}
	}
	if gain := c.Gain(); gain > 0 {
		e.names["#members"], e.values[":room"] = "members", table.N(int64(c.Room()-gain))
		conditions = append(conditions, "#members <= :room")
	}
	return conditions
}

// rowUpdate changes a membership row, and sets the marks of one who joins to right before the entry: what is said from
// there on is unread.
func (s *Store) rowUpdate(move group.Move, entry message.Entry, reach message.Reach) table.Update {
	is := move.Is
	e := newExpression()
	switch {
	case is.State != message.Joined:
		e.drop("fan")
	case is.Since == entry.Sequence:
		e.flag("fan", reach != message.Direct)
	}
	e.assign("state", table.S(string(is.State)))
	e.assign("ver", table.N(is.Version))
	e.assign("gk", table.S(groupKey(is.App, is.Group)))
	e.assignText("role", is.Role.GroupName())
	e.assignNumber("since", is.Since)
	e.assignText("by", string(is.By))
	if is.MutedUntil.IsZero() {
		e.drop("muted")
	} else {
		e.assign("muted", table.N(is.MutedUntil.Unix()))
	}
	if is.Since == entry.Sequence && is.State == message.Joined {
		e.assign("ack", table.N(entry.Sequence-1))
		e.assign("read", table.N(entry.Sequence-1))
		e.assign("read_ord", table.N(entry.ToLower))
	} else if move.Was.Version == 0 {
		for _, mark := range []string{"ack", "read", "read_ord"} {
			e.assign(mark, table.N(0))
		}
	}
	condition, values := standing(move.Was)
	for name, value := range values {
		e.values[name] = value
	}
	return e.update(s.Conversations, rowKey(is.App, is.User, is.Group), condition)
}

// rosterUpdate changes the seats of those who are members before or after. Where the fan-out has taken over, those who come are not in
// it, and those who go are taken out: that leaves no one in it who is no member.
func (s *Store) rosterUpdate(c group.Commit) table.Update {
	e := newExpression()
	for i, move := range c.Moves {
		was, is := move.Was.State == message.Joined, move.Is.State == message.Joined
		if !was && !is {
			continue
		}
		if is && c.Was.Reach == message.Fanned {
			continue
		}
		name := fmt.Sprintf("u%d", i)
		e.names["#"+name] = string(move.Is.User)
		if is {
			e.values[":"+name] = table.S(seatText(move.Is.Seat))
			e.set = append(e.set, "m.#"+name+" = :"+name)
		} else {
			e.remove = append(e.remove, "m.#"+name)
		}
	}
	return e.update(s.Groups, s.key(c.Was.App, c.Was.ID, rosterItem), "attribute_exists(pk)")
}

// counterUpdate changes who may speak, where that changes.
func (s *Store) counterUpdate(c group.Commit) table.Update {
	e := newExpression()
	if c.Was.Speak != c.Is.Speak {
		e.flag("admins", c.Is.Speak == group.Admins)
	}
	if c.Was.MutedAll != c.Is.MutedAll {
		e.flag("hushed", c.Is.MutedAll)
	}
	if c.Was.Dismissed() != c.Is.Dismissed() {
		e.flag("closed", c.Is.Dismissed())
	}
	return e.update(s.Groups, s.key(c.Was.App, c.Was.ID, counterItem), "attribute_exists(pk)")
}

// keyOfPosition returns where a list of the group's rows goes on; nil for the beginning, and for no position of ours.
func keyOfPosition(app id.App, of id.Group, position string) table.Item {
	var version int64
	var user string
	if _, err := fmt.Sscanf(position, "%d %s", &version, &user); err != nil {
		return nil
	}
	key := rowKey(app, id.User(user), of)
	key["gk"], key["ver"] = table.S(groupKey(app, of)), table.N(version)
	return key
}
