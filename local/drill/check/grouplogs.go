package check

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/seal"
)

// groupLog is what stays in memory of a group's log.
type groupLog struct {
	last, ordinal int64 // the highest of both
	base          int64 // up to where a writer knew it to have no gaps
	entries       []groupEntry
	events        []event
	// whole tells, once checkGroupLogs has run, that no event is lost or does not open.
	whole bool
	// closed counts the events that do not open.
	closed int
}

// groupEntry is one entry of it. Author is its sender and client ID, "" without one.
type groupEntry struct {
	sequence, ordinal int64
	kind              string
	author            string
}

// event is an entry that tells of a change.
type event struct {
	sequence int64
	by       string
	message.GroupChange
}

// find returns the entry of the sequence.
func (l *groupLog) find(sequence int64) (groupEntry, bool) {
	at, ok := slices.BinarySearchFunc(l.entries, sequence, func(e groupEntry, s int64) int { return cmp.Compare(e.sequence, s) })
	if !ok {
		return groupEntry{}, false
	}
	return l.entries[at], true
}

// readGroupEntry keeps what a group's log is checked by, and opens the entry; voids have no text.
func (c *checker) readGroupEntry(ctx context.Context, at place, row entryRow) error {
	where := fmt.Sprintf("%s %d", row.Key, row.Sequence)
	log := c.groupLogs[at]
	if log == nil {
		log = &groupLog{}
		c.groupLogs[at] = log
	}
	author := ""
	if row.ClientID != "" {
		author = row.From + "#" + row.ClientID
	}
	log.entries = append(log.entries, groupEntry{sequence: row.Sequence, ordinal: row.ToLower, kind: row.Type, author: author})
	log.last, log.ordinal, log.base = max(log.last, row.Sequence), max(log.ordinal, row.ToLower), max(log.base, row.Base)
	nobody := row.From == ""
	if row.To != "" || !nobody && !id.IsUser(row.From) || nobody && row.Type != message.TypeEvent && row.Type != message.TypeVoid && row.Type != message.TypeOperation ||
		row.Type == message.TypeVoid && (!nobody || len(row.Sealed) > 0) {
		c.problem(Pair, where, "is from %q to %q, of type %s: that is no entry of a group", row.From, row.To, row.Type)
	}
	if row.Base >= row.Sequence {
		c.problem(Gap, where, "knows of %d, which comes later", row.Base)
	}
	c.operated.note(at, row)
	if row.Type == message.TypeVoid || row.recalled(c, where) {
		return nil
	}
	text, err := c.opened(ctx, Sealed, where, at.app,
		seal.Place{Conversation: at.conversation, Sequence: row.Sequence, Sender: id.User(row.From)}, row.Sealed)
	c.checkRich(where, row, text)
	if err != nil || row.Type != message.TypeEvent {
		return err
	}
	told := event{sequence: row.Sequence, by: row.From}
	switch err := json.Unmarshal(text, &told.GroupChange); {
	case text == nil:
		log.closed++
	case err != nil:
		log.closed++
		c.problem(Unreadable, "MESSAGES "+where, "tells of no change")
	default:
		log.events = append(log.events, told)
	}
	return nil
}

// checkGroupLogs counts every log from 1 and follows its ordinals. A number that is missing was taken and not put, and is
// filled with a void when somebody waits for it; only where a writer knew the entry, that is lost.
func (c *checker) checkGroupLogs() {
	for at, log := range c.groupLogs {
		slices.SortFunc(log.entries, func(a, b groupEntry) int { return cmp.Compare(a.sequence, b.sequence) })
		slices.SortFunc(log.events, func(a, b event) int { return cmp.Compare(a.sequence, b.sequence) })
		log.whole = log.closed == 0
		var last groupEntry
		known, empty := int64(0), int64(0) // the last sure ordinal, and how many numbers after it may have counted
		for _, next := range log.entries {
			empty += next.sequence - last.sequence - 1
			if lost := min(next.sequence-1, log.base); lost > last.sequence {
				c.problem(Gap, at.String(), "%d to %d are missing", last.sequence+1, lost)
				log.whole = false
			}
			before := next.ordinal
			switch next.kind {
			case message.TypeVoid:
				empty++
			case message.TypeEvent, message.TypeOperation:
			default:
				before--
			}
			if before < known || before > known+empty {
				c.problem(Ordinal, fmt.Sprintf("%s %d", at, next.sequence), "has %d; %d messages and %d empty numbers are before it",
					next.ordinal, known, empty)
			}
			if next.kind != message.TypeVoid {
				known, empty = next.ordinal, 0
			}
			last = next
		}
	}
}

// checkGroupClaims checks client-ID records of groups: each names the one number at which its message may stand.
func (c *checker) checkGroupClaims() {
	for _, row := range c.groupClaims {
		parts := strings.SplitN(row.Key, "#", 3)
		at := place{id.StoredApp(parts[0]), id.Conversation(parts[1])}
		taken, log := c.tail(at), c.groupLogs[at]
		if items := c.groups[at]; items != nil && items.counter != nil {
			taken = max(taken, items.counter.Sequence)
		}
		if row.From > taken {
			c.problem(Claim, row.Key, "was made at %d; its log ends at %d by the counter", row.From, taken)
		}
		if log == nil {
			continue
		}
		stands, ok := log.find(row.From)
		if ok && stands.kind != message.TypeVoid && (stands.author != parts[2] || stands.ordinal != row.Ordinal) {
			c.problem(Claim, row.Key, "names number %d and ordinal %d, where another message stands", row.From, row.Ordinal)
		}
	}
}
