package check

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// altered is what a message's row says of what was done with it.
type altered struct {
	Edit      int64            `dynamodbav:"edit"`
	Recall    int64            `dynamodbav:"recall"`
	Reactions map[string]int64 `dynamodbav:"reactions"`
}

// operated is what stays in memory of what was done with the messages of the logs.
type operated struct {
	told    map[spot]bool    // entries that tell of an operation
	altered map[spot]altered // messages that something was done with
	counts  map[spot]map[string]int64
	pins    []pinned
}

// spot is one place of a log.
type spot struct {
	place
	sequence int64
}

// pinned is a pin as its row has it.
type pinned struct {
	where string
	spot
}

// reactionRow is a row beside the membership rows: a user's reactions to a message, or what is pinned.
type reactionRow struct {
	Reactions []string `dynamodbav:"reactions"`
	Pinned    []int64  `dynamodbav:"pinned"`
}

// note keeps what the entry tells of operations.
func (o *operated) note(at place, row entryRow) {
	where := spot{at, row.Sequence}
	if row.Type == message.TypeOperation {
		o.told[where] = true
	}
	if row.Edit != 0 || row.Recall != 0 || len(row.Reactions) != 0 {
		o.altered[where] = row.altered
	}
}

// readReactions keeps a row of a conversation's: who has reacted, or what is pinned. It tells whether it is one.
func (c *checker) readReactions(row membership) bool {
	app, conversation, ok := conversationKey(row.Key)
	if !ok {
		return false
	}
	at, where := place{app, conversation}, "CONVERSATIONS "+row.Key+" "+row.Conversation
	if c.leaves(app, where) {
		return true
	}
	if row.Conversation == "pins" {
		for _, sequence := range row.Pinned {
			c.operated.pins = append(c.operated.pins, pinned{where, spot{at, sequence}})
		}
		return true
	}
	digits, user, _ := strings.Cut(row.Conversation, "#")
	sequence, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || row.Conversation != fmt.Sprintf("%016d#%s", sequence, user) || !id.IsUser(user) {
		return false
	}
	counts := c.operated.counts[spot{at, sequence}]
	if counts == nil {
		counts = map[string]int64{}
		c.operated.counts[spot{at, sequence}] = counts
	}
	for _, reaction := range row.Reactions {
		counts[reaction]++
	}
	if !c.known(member{app, id.User(user)}) {
		c.problem(Operation, where, "its user is missing")
	}
	return true
}

// checkOperations checks that the log tells of what was done with each message, and that reactions and pins are those of messages.
func (c *checker) checkOperations() {
	for at, row := range c.operated.altered {
		where := fmt.Sprintf("%s %d", at.place, at.sequence)
		for _, sequence := range []int64{row.Edit, row.Recall} {
			if sequence != 0 && !c.operated.told[spot{at.place, sequence}] {
				c.problem(Operation, where, "was changed by %d, where no operation stands", sequence)
			}
		}
		if row.Recall == 0 && !maps.Equal(row.Reactions, c.operated.counts[at]) {
			c.problem(Operation, where, "counts other reactions than its users have")
		}
	}
	for at, counts := range c.operated.counts {
		if _, ok := c.operated.altered[at]; !ok && len(counts) > 0 {
			c.problem(Operation, fmt.Sprintf("%s %d", at.place, at.sequence), "does not count the reactions of its users")
		}
	}
	for _, pin := range c.operated.pins {
		if pin.sequence < 1 || pin.sequence > c.tail(pin.place) {
			c.problem(Operation, pin.where, "has %d pinned; the log ends at %d", pin.sequence, c.tail(pin.place))
		}
	}
}
