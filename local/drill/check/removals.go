package check

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tokenim/tokenim/shared/id"
)

// deletedSuffix ends the key of the messages that a user has deleted for itself.
const deletedSuffix = "#deleted"

// readDeleted keeps that a user has deleted a message. It tells whether the row says so.
func (c *checker) readDeleted(row membership) bool {
	key, ok := strings.CutSuffix(row.Key, deletedSuffix)
	if !ok {
		return false
	}
	where := "CONVERSATIONS " + row.Key + " " + row.Conversation
	who, ok := userKey(key)
	conversation, text, _ := strings.Cut(row.Conversation, "#")
	sequence, err := strconv.ParseInt(text, 10, 64)
	if !ok || !id.IsConversation(conversation) || err != nil || sequence < 1 || len(text) != 16 {
		c.problem(Unreadable, where, "not an app, a user, a conversation and a number")
	} else if !c.leaves(who.app, where) {
		at := rowKey{who, id.Conversation(conversation)}
		c.deleted[at] = append(c.deleted[at], sequence)
	}
	return true
}

// checkRemovals demands that what users have removed is on their rows, that they have read up to it, and that their own logs tell of it.
func (c *checker) checkRemovals() {
	for at, sequences := range c.deleted {
		row, ok := c.rows[at]
		where := at.app.String() + " " + string(at.user) + " " + string(at.conversation)
		switch last := slices.Max(sequences); {
		case c.gone(at.member):
		case !ok || !row.Deletes:
			c.problem(Removal, where, "has deleted %d, of which its row says nothing", last)
		case row.Read < last:
			c.problem(Removal, where, "has deleted %d and read %d", last, row.Read)
		}
	}
	for at, row := range c.rows {
		if row.Cleared == 0 && !row.Deletes || c.gone(at.member) {
			continue
		}
		where := row.Key + " " + row.Conversation
		if row.Cleared > min(row.Acknowledged, row.Read) {
			c.problem(Removal, where, "cleared %d, acknowledged %d and read %d", row.Cleared, row.Acknowledged, row.Read)
		}
		if c.tail(place{at.app, id.Pair(at.app, at.user, at.user)}) == 0 {
			c.problem(Removal, where, "has removed something, of which its own log tells nothing")
		}
	}
}
