package check

import (
	"context"
	"strconv"
	"strings"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
)

// membership is a user's row of a conversation.
type membership struct {
	Key          string `dynamodbav:"pk"`
	Conversation string `dynamodbav:"sk"`
	Peer         string `dynamodbav:"peer"`
	Acknowledged int64  `dynamodbav:"ack"`
	Read         int64  `dynamodbav:"read"`
	ReadOrdinal  int64  `dynamodbav:"read_ord"`
	Cleared      int64  `dynamodbav:"cleared"`
	Deletes      bool   `dynamodbav:"deletes"`
	inGroup
	reactionRow
}

func (c *checker) readMembers(ctx context.Context) error {
	return each(ctx, c, "CONVERSATIONS", func(row membership) error {
		if c.readReactions(row) || c.readDeleted(row) {
			return nil
		}
		c.report.Members++
		who, ok := userKey(row.Key)
		if !ok || !id.IsConversation(row.Conversation) {
			c.problem(Unreadable, "CONVERSATIONS "+row.Key+" "+row.Conversation, "not an app, a user and a conversation")
			return nil
		}
		if c.leaves(who.app, "CONVERSATIONS "+row.Key+" "+row.Conversation) {
			return nil
		}
		c.rows[rowKey{who, id.Conversation(row.Conversation)}] = row
		return nil
	})
}

// userKey takes app#user apart.
func userKey(key string) (member, bool) {
	app, user, _ := strings.Cut(key, "#")
	return member{id.StoredApp(app), id.User(user)}, id.IsApp(app) && id.IsUser(user)
}

// checkMembers checks every row against its pair and its log.
func (c *checker) checkMembers() {
	for at, row := range c.rows {
		where := row.Key + " " + row.Conversation
		if at.conversation.Group() != "" {
			c.checkGroupMember(where, at, row)
			continue
		}
		peer := member{at.app, id.User(row.Peer)}
		if id.Pair(at.app, at.user, peer.user) != at.conversation {
			c.problem(Pair, where, "is not the conversation with %s", row.Peer)
			continue
		}
		if _, ok := c.rows[rowKey{peer, at.conversation}]; !ok && !c.gone(peer) {
			c.problem(Member, where, "the other user, %s, has no row", row.Peer)
		}
		if !c.known(at.member) {
			c.problem(Member, where, "its user is missing")
		}
		c.checkMarks(where, at, row)
	}
}

func (c *checker) checkMarks(where string, at rowKey, row membership) {
	log := c.logs[place{at.app, at.conversation}]
	if tail := c.tail(place{at.app, at.conversation}); max(row.Acknowledged, row.Read) > tail || min(row.Acknowledged, row.Read) < 0 {
		c.problem(Mark, where, "acknowledged %d and read %d; the log ends at %d", row.Acknowledged, row.Read, tail)
		return
	}
	ordinal := int64(0)
	if row.Read > 0 {
		entry, found := log.find(row.Read)
		if !found {
			return // a gap, which has its own problem
		}
		if ordinal = entry.toUpper; at.user == log.lower {
			ordinal = entry.toLower
		}
	}
	if row.ReadOrdinal != ordinal {
		c.problem(ReadOrdinal, where, "has %d at %d, where the entry says %d", row.ReadOrdinal, row.Read, ordinal)
	}
}

// record is an item of the table of connections: a routing record, a socket, a redeemed ticket, a watch or a subscription.
type record struct {
	Key     string           `dynamodbav:"pk"`
	Sort    string           `dynamodbav:"sk"`
	Version int64            `dynamodbav:"v"`
	Floor   int64            `dynamodbav:"f"`
	Ring    map[string]int64 `dynamodbav:"ring"`
	Devices map[string]any   `dynamodbav:"dev"`
}

// sequenceUnit is where the sequence begins in a number of the ring, above the version.
const sequenceUnit = 10_000_000_000

// isImport tells whether the row is an import of users or one of its rows.
func isImport(key, sort string) bool {
	app, of, _ := strings.Cut(key, "#")
	shard, ok := strings.CutPrefix(of, "import#")
	job, _, _ := strings.Cut(sort, "#")
	return ok && id.IsApp(app) && len(shard) == 1 && id.IsImport(job)
}

// isBroadcast tells whether the row is a broadcast, its content, its place in the list, or a slot of one.
func isBroadcast(key, sort string) bool {
	app, of, _ := strings.Cut(key, "#")
	first, last, _ := strings.Cut(sort, "#")
	at, job, _ := strings.Cut(last, "#")
	number := func(text string) bool { _, err := strconv.ParseUint(text, 10, 64); return err == nil }
	switch {
	case !id.IsApp(app) || of != "broadcast":
		return false
	case first == "at":
		return number(at) && id.IsBroadcast(job)
	case first == "slot":
		return number(last)
	}
	return id.IsBroadcast(first) && (last == "" || last == "content")
}

// isSubscription tells whether the row is a device's subscription to a group, or the end of a user's.
func isSubscription(conversation id.Conversation, sort string) bool {
	user, _, ok := strings.Cut(sort, "#")
	return ok && conversation.Group() != "" && id.IsUser(string(id.UserOf(user)))
}

func (c *checker) readConnections(ctx context.Context) error {
	return each(ctx, c, "CONNECTIONS", func(row record) error {
		who, ok := userKey(row.Key)
		app, conversation, ofConversation := conversationKey(row.Key)
		switch {
		case ok && c.leaves(who.app, "CONNECTIONS "+row.Key+" "+row.Sort):
		case ok && row.Sort == "R":
			c.records[who] = row
		case ok && strings.HasPrefix(row.Sort, "C#"):
			c.report.Sockets++
		case ok && strings.HasPrefix(row.Sort, "T#"):
			c.report.Tickets++
		case ok && strings.HasPrefix(row.Sort, "W#"): // a watch, which lasts as long as a socket and is made anew
		case ofConversation && isSubscription(conversation, row.Sort): // made anew by its device, as a watch
			c.leaves(app, "CONNECTIONS "+row.Key+" "+row.Sort)
		case isImport(row.Key, row.Sort), isBroadcast(row.Key, row.Sort):
			app, _, _ := strings.Cut(row.Key, "#")
			c.leaves(id.StoredApp(app), "CONNECTIONS "+row.Key+" "+row.Sort)
		default:
			c.problem(Unreadable, "CONNECTIONS "+row.Key+" "+row.Sort, "neither a record nor a socket nor a ticket nor a watch nor a subscription nor of an import or a broadcast")
		}
		return nil
	})
}

// checkRecords gives every user one routing record and checks it against the logs.
func (c *checker) checkRecords() {
	for who := range c.profiles {
		if _, ok := c.records[who]; !ok {
			c.problem(Routing, who.app.String()+" "+string(who.user), "has no routing record")
		}
	}
	for who, row := range c.records {
		if c.gone(who) {
			continue // it goes with the rest
		}
		if _, ok := c.profiles[who]; !ok {
			c.problem(Routing, row.Key, "its user is missing")
		}
		// An outdating raises the floor to the next version before that is there.
		if row.Floor < 0 || row.Floor > row.Version+1 || len(row.Devices) > connection.MaxDevices {
			c.problem(Routing, row.Key, "floor %d, version %d, %d devices", row.Floor, row.Version, len(row.Devices))
		}
		for conversation, both := range row.Ring {
			c.checkChange(who, row, id.Conversation(conversation), both%sequenceUnit, both/sequenceUnit)
		}
	}
}

func (c *checker) checkChange(who member, row record, conversation id.Conversation, version, sequence int64) {
	if version <= row.Floor || version > row.Version {
		c.problem(Routing, row.Key, "%s changed at version %d, outside of %d to %d", conversation, version, row.Floor+1, row.Version)
	}
	if _, ok := c.rows[rowKey{who, conversation}]; !ok {
		c.problem(Routing, row.Key, "%s changed, of which the user has no row", conversation)
	}
	if tail := c.tail(place{who.app, conversation}); sequence > tail {
		c.problem(Routing, row.Key, "%s changed up to %d; its log ends at %d", conversation, sequence, tail)
	}
}
