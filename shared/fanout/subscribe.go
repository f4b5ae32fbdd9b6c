package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

const (
	// subscribers is how many subscriptions are made at once.
	subscribers = 25
	// rowsPerPage is how many of a user's rows are read at once.
	rowsPerPage = 100
)

// Records keeps routing records. A connection.Store is one.
type Records interface {
	// Record returns the user's record; connection.ErrNotFound where there is none.
	Record(ctx context.Context, app id.App, user id.User, strong bool) (connection.Record, error)
	// Note records that the conversation changed for the user up to the sequence, and returns the record after that. One write.
	Note(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (connection.Record, error)
}

// Audience subscribes devices.
//
// A device that opens is entered into its user's record and then reads the user's rows; whoever makes a group large, or takes a user
// into one that is, writes the row and then reads the record. So one of the two sees the other. Whoever subscribes may have read
// the row before the user left, and write so late that the end of its subscriptions has come before: that end stays, and what
// began before it does not count. So a user who leaves needs nobody's luck, nor that anybody lives to look again.
type Audience struct {
	Subscriptions Subscriptions
	Records       Records
	Members       message.Members
	Clock         clock.Clock
}

// Connect subscribes a socket that has opened, or whose token was renewed, to the large groups of its user.
func (a *Audience) Connect(ctx context.Context, socket connection.Socket) error {
	groups, err := a.large(ctx, socket.App, socket.User)
	if err != nil || len(groups) == 0 {
		return err
	}
	work, inner := errgroup.WithContext(ctx)
	work.SetLimit(subscribers)
	for group, since := range groups {
		work.Go(func() error {
			return a.Subscriptions.Put(inner, a.subscription(socket.App, group, socket.User, socket.Connection, since, socket.ExpiresAt))
		})
	}
	if err := work.Wait(); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}

// large returns the large groups that the user is in, each with the sequence from which on.
func (a *Audience) large(ctx context.Context, app id.App, user id.User) (map[id.Group]int64, error) {
	groups := map[id.Group]int64{}
	for after := message.BeforeGroups; ; {
		rows, err := a.Members.List(ctx, app, user, after, rowsPerPage, true)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if row.Subscribes && row.In() {
				groups[row.Conversation.Group()] = row.Seat.Since
			}
		}
		if len(rows) < rowsPerPage {
			return groups, nil
		}
		after = rows[len(rows)-1].Conversation
	}
}

// Follow subscribes the open sockets of those of the users who are members of a large group, from right after the entry by
// which the user joined, which is noted for it and posted by that.
func (a *Audience) Follow(ctx context.Context, app id.App, group id.Group, users []id.User) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(subscribers)
	for _, user := range users {
		work.Go(func() error { return a.follow(ctx, app, group, user) })
	}
	return work.Wait()
}

func (a *Audience) follow(ctx context.Context, app id.App, group id.Group, user id.User) error {
	since, in, err := a.member(ctx, app, group, user)
	if err != nil || !in {
		return err
	}
	return a.enter(ctx, app, group, user, since+1)
}

// member tells whether the user is a member, and since which sequence.
func (a *Audience) member(ctx context.Context, app id.App, group id.Group, user id.User) (since int64, in bool, err error) {
	row, err := a.Members.Get(ctx, app, user, id.Conversation(group), true)
	if errors.Is(err, message.ErrNotMember) {
		return 0, false, nil
	}
	return row.Seat.Since, err == nil && row.In(), err
}

// enter subscribes the user's open sockets. A socket that opens later subscribes itself where the record says that the user has to
// do with groups; whoever took the user in may have died before that was noted, so that it is noted here.
func (a *Audience) enter(ctx context.Context, app id.App, group id.Group, user id.User, since int64) error {
	record, err := a.Records.Record(ctx, app, user, true)
	if err == nil && !record.Groups {
		record, err = a.Records.Note(ctx, app, user, id.Conversation(group), since-1)
	}
	if errors.Is(err, connection.ErrNotFound) {
		return nil
	}
	for _, device := range record.Devices {
		if err == nil && device.Live(a.Clock.Now()) {
			err = a.Subscriptions.Put(ctx, a.subscription(app, group, user, device.Connection, since, time.Unix(device.Expires, 0)))
		}
	}
	return err
}

// Leave ends all that the user, who left the group by the entry of the sequence, has subscribed to before: when it returns, a job
// that begins posts it nothing more, until it joins again.
func (a *Audience) Leave(ctx context.Context, app id.App, group id.Group, user id.User, sequence int64) error {
	// Whoever writes late writes within minutes; what it writes lasts as long as a socket at most.
	return a.Subscriptions.End(ctx, app, group, user, sequence, a.Clock.Now().Add(connection.MaxLife).UTC().Truncate(time.Second))
}

func (a *Audience) subscription(app id.App, group id.Group, user id.User, connectionID string, since int64, expires time.Time) Subscription {
	until := a.Clock.Now().Add(connection.MaxLife)
	if expires.Before(until) {
		until = expires
	}
	return Subscription{App: app, Group: group, User: user, Connection: connectionID, Since: since, Until: until.UTC().Truncate(time.Second)}
}
