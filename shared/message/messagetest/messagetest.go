// Package messagetest has what tests of messages share: stores in memory, which on request are eventually consistent as
// DynamoDB is, a fuse for crash tests, and the suites that every store passes.
package messagetest

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Log implements message.Log in memory.
type Log struct {
	entries *storetest.Table[entryPlace, message.Entry]
}

type entryPlace struct {
	app          id.App
	conversation id.Conversation
	sequence     int64
}

var _ message.Log = (*Log)(nil)

// NewLog returns an empty log, whose every read sees everything.
func NewLog() *Log { return NewStaleLog(storetest.Staleness{}) }

// NewStaleLog returns an empty log in which a read that is not strong misses some of the latest entries, each by its
// own luck: also one in the middle.
func NewStaleLog(stale storetest.Staleness) *Log {
	return &Log{entries: storetest.NewTable[entryPlace, message.Entry](stale)}
}

// Settle makes all entries visible to every read.
func (l *Log) Settle() { l.entries.Settle() }

// Append implements message.Log.
func (l *Log) Append(_ context.Context, e message.Entry) error {
	e.Sealed, e.SentAt = slices.Clone(e.Sealed), e.SentAt.Truncate(time.Millisecond)
	standing, inserted := l.entries.Insert(entryPlace{e.App, e.Conversation, e.Sequence}, e)
	if !inserted && !bytes.Equal(standing.Sealed, e.Sealed) {
		return message.ErrTaken
	}
	return nil
}

// Read implements message.Log.
func (l *Log) Read(_ context.Context, app id.App, conversation id.Conversation, from int64, limit int, strong bool) ([]message.Entry, error) {
	entries := l.entries.Select(strong, func(p entryPlace) bool {
		return p.app == app && p.conversation == conversation && p.sequence >= from
	})
	slices.SortFunc(entries, func(a, b message.Entry) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return entries[:min(limit, len(entries))], nil
}

// ReadBack implements message.Log.
func (l *Log) ReadBack(_ context.Context, app id.App, conversation id.Conversation, to int64, limit int, strong bool) ([]message.Entry, error) {
	entries := l.entries.Select(strong, func(p entryPlace) bool {
		return p.app == app && p.conversation == conversation && (to == 0 || p.sequence <= to)
	})
	slices.SortFunc(entries, func(a, b message.Entry) int { return cmp.Compare(b.Sequence, a.Sequence) })
	return entries[:min(limit, len(entries))], nil
}

// Claims implements message.Claims in memory.
type Claims struct {
	claims *storetest.Table[claimPlace, claim]
}

type claimPlace struct {
	app          id.App
	conversation id.Conversation
	sender       id.User
	clientID     string
}

type claim struct {
	message.Claim
	expires int64 // seconds, as the table keeps it
}

var _ message.Claims = (*Claims)(nil)

// NewClaims returns an empty store of client-ID records.
func NewClaims() *Claims {
	return &Claims{claims: storetest.NewTable[claimPlace, claim](storetest.Staleness{})}
}

// Put implements message.Claims.
func (c *Claims) Put(_ context.Context, app id.App, conversation id.Conversation, sender id.User, clientID string, asked message.Claim, now time.Time) (message.Claim, bool, error) {
	asked.Fingerprint = slices.Clone(asked.Fingerprint)
	put := false
	after, _ := c.claims.Do(claimPlace{app, conversation, sender, clientID}, func(standing claim, exists bool) (claim, bool) {
		put = !exists || standing.expires < now.Unix()
		return claim{asked, now.Add(message.ClientIDLife).Unix()}, put
	})
	return after.Claim, put, nil
}

// Get implements message.Claims.
func (c *Claims) Get(_ context.Context, app id.App, conversation id.Conversation, sender id.User, clientID string, strong bool, now time.Time) (message.Claim, bool, error) {
	standing, found := c.claims.Get(claimPlace{app, conversation, sender, clientID}, strong)
	return standing.Claim, found && standing.expires >= now.Unix(), nil
}

// Move implements message.Claims.
func (c *Claims) Move(_ context.Context, app id.App, conversation id.Conversation, sender id.User, clientID string, from int64, to message.Claim) (message.Claim, error) {
	after, _ := c.claims.Do(claimPlace{app, conversation, sender, clientID}, func(standing claim, exists bool) (claim, bool) {
		if !exists || standing.From != from {
			return standing, false
		}
		standing.From, standing.Ordinal = to.From, to.Ordinal
		return standing, true
	})
	return after.Claim, nil
}

// Members implements message.Members in memory.
type Members struct {
	rows *storetest.Table[memberPlace, message.Member]
}

type memberPlace struct {
	app          id.App
	user         id.User
	conversation id.Conversation
}

var _ message.Members = (*Members)(nil)

// NewMembers returns an empty store of rows, whose every read sees everything.
func NewMembers() *Members { return NewStaleMembers(storetest.Staleness{}) }

// NewStaleMembers returns an empty store in which Get and List, where they are not strong, see older rows or none.
func NewStaleMembers(stale storetest.Staleness) *Members {
	return &Members{rows: storetest.NewTable[memberPlace, message.Member](stale)}
}

// Settle makes all rows visible to every read.
func (m *Members) Settle() { m.rows.Settle() }

// Ensure implements message.Members.
func (m *Members) Ensure(_ context.Context, member message.Member) error {
	m.rows.Insert(memberPlace{member.App, member.User, member.Conversation},
		message.Member{App: member.App, User: member.User, Conversation: member.Conversation, Peer: member.Peer})
	return nil
}

// Get implements message.Members.
func (m *Members) Get(_ context.Context, app id.App, user id.User, conversation id.Conversation, strong bool) (message.Member, error) {
	row, ok := m.rows.Get(memberPlace{app, user, conversation}, strong)
	if !ok {
		return message.Member{}, message.ErrNotMember
	}
	return row, nil
}

// GetAll implements message.Members.
func (m *Members) GetAll(_ context.Context, app id.App, users []id.User, conversation id.Conversation, strong bool) (map[id.User]message.Member, error) {
	rows := map[id.User]message.Member{}
	for _, user := range users {
		if row, ok := m.rows.Get(memberPlace{app, user, conversation}, strong); ok {
			rows[user] = row
		}
	}
	return rows, nil
}

// List implements message.Members.
func (m *Members) List(_ context.Context, app id.App, user id.User, after id.Conversation, limit int, strong bool) ([]message.Member, error) {
	rows := m.rows.Select(strong, func(p memberPlace) bool { return p.app == app && p.user == user && p.conversation > after })
	slices.SortFunc(rows, func(a, b message.Member) int { return cmp.Compare(a.Conversation, b.Conversation) })
	return rows[:min(limit, len(rows))], nil
}

// Acknowledge implements message.Members.
func (m *Members) Acknowledge(_ context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (message.Member, bool, error) {
	return m.forward(memberPlace{app, user, conversation}, func(row *message.Member) {
		row.Acknowledged = max(row.Acknowledged, sequence)
	})
}

// MarkRead implements message.Members.
func (m *Members) MarkRead(_ context.Context, app id.App, user id.User, conversation id.Conversation, sequence, ordinal int64) (message.Member, bool, error) {
	return m.forward(memberPlace{app, user, conversation}, func(row *message.Member) {
		if row.Read < sequence {
			row.Read, row.ReadOrdinal = sequence, ordinal
		}
	})
}

// SetSeat gives the user a row of the group with the seat and marks, whatever stood there.
func (m *Members) SetSeat(app id.App, user id.User, group id.Group, seat message.Seat, read, ordinal int64) {
	conversation := id.Conversation(group)
	m.rows.Put(memberPlace{app, user, conversation}, message.Member{App: app, User: user, Conversation: conversation, Seat: seat,
		Acknowledged: read, Read: read, ReadOrdinal: ordinal})
}

// SetSubscriber gives the user a row of a large group with the seat.
func (m *Members) SetSubscriber(app id.App, user id.User, group id.Group, seat message.Seat) {
	conversation := id.Conversation(group)
	m.rows.Put(memberPlace{app, user, conversation}, message.Member{App: app, User: user, Conversation: conversation, Seat: seat, Subscribes: true})
}

func (m *Members) forward(place memberPlace, move func(*message.Member)) (after message.Member, moved bool, err error) {
	after, ok := m.rows.Do(place, func(now message.Member, exists bool) (message.Member, bool) {
		next := now
		move(&next)
		moved = exists && next != now
		return next, moved
	})
	if !ok {
		return message.Member{}, false, message.ErrNotMember
	}
	return after, moved, nil
}
