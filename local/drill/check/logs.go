package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/seal"
)

type entryRow struct {
	Key      string `dynamodbav:"pk"`
	Sequence int64  `dynamodbav:"seq"`
	From     string `dynamodbav:"from"`
	To       string `dynamodbav:"to"`
	Type     string `dynamodbav:"type"`
	ClientID string `dynamodbav:"client_id"`
	Base     int64  `dynamodbav:"base"`
	Sealed   []byte `dynamodbav:"sealed"`
	Hidden   bool   `dynamodbav:"hidden"`
	Rich     bool   `dynamodbav:"rich"`
	ToLower  int64  `dynamodbav:"lo"`
	ToUpper  int64  `dynamodbav:"up"`
	altered
}

// log is what stays in memory of a conversation's log.
type log struct {
	lower, upper id.User // the pair's users, by ID
	last         int64   // the highest sequence
	entries      []entry // in order once checkLogs has run
}

// entry is one entry of it: its number, whose it is, and its ordinals.
type entry struct {
	sequence         int64
	forLower, silent bool // silent entries count for nobody
	toLower, toUpper int64
}

func (l *log) add(e entry) {
	l.entries, l.last = append(l.entries, e), max(l.last, e.sequence)
}

// find returns the entry of the sequence.
func (l *log) find(sequence int64) (entry, bool) {
	at, ok := slices.BinarySearchFunc(l.entries, sequence, func(e entry, s int64) int { return cmp.Compare(e.sequence, s) })
	if !ok {
		return entry{}, false
	}
	return l.entries[at], true
}

// tail is the highest sequence of the log at the place; 0 for none.
func (c *checker) tail(at place) int64 {
	if log := c.logs[at]; log != nil {
		return log.last
	}
	if log := c.groupLogs[at]; log != nil {
		return log.last
	}
	return 0
}

// readLogs reads the entries, opens each and keeps what the logs are checked by.
func (c *checker) readLogs(ctx context.Context) error {
	return each(ctx, c, "MESSAGES", func(row entryRow) error {
		c.report.Entries++
		where := fmt.Sprintf("%s %d", row.Key, row.Sequence)
		app, conversation, ok := conversationKey(row.Key)
		if !ok || row.Sequence < 1 {
			c.problem(Unreadable, "MESSAGES "+where, "not an app, a conversation and a number")
			return nil
		}
		if c.leaves(app, "MESSAGES "+where) {
			return nil
		}
		if conversation.Group() != "" {
			return c.readGroupEntry(ctx, place{app, conversation}, row)
		}
		from, to := id.User(row.From), id.User(row.To)
		operation := row.Type == message.TypeOperation // it does not count, and only such are in a user's own log
		if from == to && !operation || id.Pair(app, from, to) != conversation {
			c.problem(Pair, where, "is from %s to %s, whose conversation is another", from, to)
		}
		at := place{app, conversation}
		c.operated.note(at, row)
		if c.logs[at] == nil {
			c.logs[at] = &log{lower: min(from, to), upper: max(from, to)}
		}
		c.logs[at].add(entry{sequence: row.Sequence, forLower: to < from, silent: row.Hidden || operation, toLower: row.ToLower, toUpper: row.ToUpper})
		if row.recalled(c, where) {
			return nil
		}
		text, err := c.opened(ctx, Sealed, where, app, seal.Place{Conversation: conversation, Sequence: row.Sequence, Sender: from}, row.Sealed)
		c.checkRich(where, row, text)
		return err
	})
}

// recalled tells whether the message was taken back. It has no content then.
func (r entryRow) recalled(c *checker, where string) bool {
	if r.Recall != 0 && len(r.Sealed) > 0 {
		c.problem(Operation, where, "was recalled and has content still")
	}
	return r.Recall != 0
}

// open checks that a ciphertext opens at its place. The error is about reading data keys.
func (c *checker) open(ctx context.Context, kind Kind, where string, app id.App, place seal.Place, sealed []byte) error {
	_, err := c.opened(ctx, kind, where, app, place, sealed)
	return err
}

// opened is open that returns the text too; nil where it does not open.
func (c *checker) opened(ctx context.Context, kind Kind, where string, app id.App, place seal.Place, sealed []byte) ([]byte, error) {
	text, err := c.keyring.Open(ctx, app, place, sealed)
	switch {
	case errors.Is(err, seal.ErrNoKey):
		c.problem(kind, where, "its data key is gone")
	case errors.Is(err, seal.ErrOpen):
		c.problem(kind, where, "does not open at its place")
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", where, err)
	}
	return text, nil
}

// conversationKey takes app#conversation apart.
func conversationKey(key string) (id.App, id.Conversation, bool) {
	app, conversation, _ := strings.Cut(key, "#")
	return id.StoredApp(app), id.Conversation(conversation), id.IsApp(app) && id.IsConversation(conversation)
}

// checkLogs counts every log from 1 and follows its ordinals.
func (c *checker) checkLogs() {
	c.report.Conversations = len(c.logs) + len(c.groupLogs)
	for at, log := range c.logs {
		slices.SortFunc(log.entries, func(a, b entry) int { return cmp.Compare(a.sequence, b.sequence) })
		where := at.app.String() + " " + string(at.conversation)
		var last entry
		for _, entry := range log.entries {
			c.checkEntry(where, last, entry)
			last = entry
		}
		for _, user := range []id.User{log.lower, log.upper} {
			who := member{at.app, user}
			if c.gone(who) {
				continue // what it wrote stays the other's
			}
			if _, ok := c.profiles[who]; !ok {
				c.problem(Pair, where, "its user %s is missing", user)
			}
			if _, ok := c.rows[rowKey{who, at.conversation}]; !ok {
				c.problem(Member, where, "its user %s has no row", user)
			}
		}
	}
}

// checkEntry compares an entry with the one before it. Behind a gap the ordinals are believed, so that one loss is one
// problem.
func (c *checker) checkEntry(where string, last, next entry) {
	if next.sequence != last.sequence+1 {
		c.problem(Gap, where, "%d to %d are missing", last.sequence+1, next.sequence-1)
		return
	}
	lower, upper := last.toLower, last.toUpper
	switch {
	case next.silent:
	case next.forLower:
		lower++
	default:
		upper++
	}
	if next.toLower != lower || next.toUpper != upper {
		c.problem(Ordinal, fmt.Sprintf("%s %d", where, next.sequence), "has %d and %d, not %d and %d", next.toLower, next.toUpper, lower, upper)
	}
}

type claimRow struct {
	Key       string `dynamodbav:"pk"`
	From      int64  `dynamodbav:"from"`
	KeyNumber uint32 `dynamodbav:"key"`
	Ordinal   int64  `dynamodbav:"ord"`
	Expires   int64  `dynamodbav:"expires"`
}

// failedPush tells whether the key is of a push that failed, which is kept beside the client-ID records. It says something of an
// entry and a user, either of which may be gone before it expires.
func failedPush(key []string) bool {
	if len(key) != 4 || !id.IsApp(key[0]) || !id.IsConversation(key[1]) {
		return false
	}
	_, err := strconv.ParseUint(key[2], 10, 63)
	user, found := strings.CutPrefix(key[3], "trace#")
	return err == nil && found && id.IsUser(user)
}

// readClaims checks client-ID records. An expired one counts as none; DynamoDB deletes it within days.
func (c *checker) readClaims(ctx context.Context) error {
	return each(ctx, c, "SENDS", func(row claimRow) error {
		if row.Expires < time.Now().Unix() {
			return nil
		}
		parts := strings.SplitN(row.Key, "#", 4) // a client ID may have a # of its own
		if failedPush(parts) {
			return nil
		}
		c.report.Claims++
		if len(parts) != 4 || !id.IsApp(parts[0]) || !id.IsConversation(parts[1]) || !id.IsUser(parts[2]) {
			c.problem(Unreadable, "SENDS "+row.Key, "not an app, a conversation, a sender and a client ID")
			return nil
		}
		app := id.StoredApp(parts[0])
		if c.apps[app].Erasing != 0 { // an erased app's records stay until they expire
			return nil
		}
		if id.IsGroup(parts[1]) {
			c.groupClaims = append(c.groupClaims, row)
		} else if tail := c.tail(place{app, id.Conversation(parts[1])}); row.From > tail {
			c.problem(Claim, row.Key, "was made at %d; the log ends at %d", row.From, tail)
		}
		if !c.known(member{app, id.User(parts[2])}) {
			c.problem(Claim, row.Key, "its sender is missing")
		}
		if _, ok := c.dataKeys[app][row.KeyNumber]; !ok {
			c.problem(Claim, row.Key, "data key %d of its fingerprint is gone", row.KeyNumber)
		}
		return nil
	})
}
