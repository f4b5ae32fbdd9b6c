package grouptest

import (
	"cmp"
	"context"
	"slices"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// Rows returns the rows of the store's groups as package message reads and marks them.
func (s *Store) Rows() message.Members { return members{s} }

type members struct{ store *Store }

// Ensure implements message.Members; the rows of pairs are not here.
func (m members) Ensure(context.Context, message.Member) error { panic("grouptest: a row of a pair") }

// Get implements message.Members.
func (m members) Get(_ context.Context, app id.App, user id.User, conversation id.Conversation, _ bool) (message.Member, error) {
	row, _, err := m.change(app, user, conversation, func(*message.Member) {})
	return row, err
}

// GetAll implements message.Members.
func (m members) GetAll(ctx context.Context, app id.App, users []id.User, conversation id.Conversation, strong bool) (map[id.User]message.Member, error) {
	rows := map[id.User]message.Member{}
	for _, user := range users {
		if row, err := m.Get(ctx, app, user, conversation, strong); err == nil {
			rows[user] = row
		}
	}
	return rows, nil
}

// List implements message.Members.
func (m members) List(_ context.Context, app id.App, user id.User, after id.Conversation, limit int, _ bool) ([]message.Member, error) {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	var rows []message.Member
	for at, row := range m.store.rows {
		if at.app == app && at.user == user && row.Conversation > after {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b message.Member) int { return cmp.Compare(a.Conversation, b.Conversation) })
	return rows[:min(limit, len(rows))], nil
}

// Acknowledge implements message.Members.
func (m members) Acknowledge(_ context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (message.Member, bool, error) {
	return m.change(app, user, conversation, func(row *message.Member) { row.Acknowledged = max(row.Acknowledged, sequence) })
}

// MarkRead implements message.Members.
func (m members) MarkRead(_ context.Context, app id.App, user id.User, conversation id.Conversation, sequence, ordinal int64) (message.Member, bool, error) {
	return m.change(app, user, conversation, func(row *message.Member) {
		if row.Read < sequence {
			row.Read, row.ReadOrdinal = sequence, ordinal
		}
	})
}

// change changes a row and returns it, and whether it is another now; message.ErrNotMember where there is none.
func (m members) change(app id.App, user id.User, conversation id.Conversation, do func(*message.Member)) (message.Member, bool, error) {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	at := seatPlace{place{app, conversation.Group()}, user}
	row, there := m.store.rows[at]
	if !there {
		return message.Member{}, false, message.ErrNotMember
	}
	was := row
	do(&row)
	m.store.rows[at] = row
	return row, row != was, nil
}
