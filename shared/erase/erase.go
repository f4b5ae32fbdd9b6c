// Package erase removes everything that a deleted app has, once its grace period is over.
//
// The data keys go first: from then on no message of the app can be read by anybody, wherever a copy of it may be, for
// instance in a backup (a process that has unwrapped a key forgets it within 15 minutes). The rest follows row by row.
// What is left is the app's own record as a tombstone, with a receipt of what was removed and without its name.
//
// Two things cannot be found by the app's ID and are not removed here: the client-ID records of sends, which hold
// fingerprints under a secret of the destroyed data keys and expire by themselves within seven days; and reminders of
// package task, which hold IDs and go when they are due.
package erase

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/media"
	"github.com/tokenim/tokenim/shared/task"
)

// workers is how many users are erased at once.
const workers = 16

// Apps keeps the apps' own records. An app.Store is one.
type Apps interface {
	BeginErasing(ctx context.Context, app id.App, now time.Time) (app.App, error)
	CountErased(ctx context.Context, app id.App, rows map[string]int) error
	FinishErasing(ctx context.Context, app id.App, at time.Time) error
}

// Eraser erases apps. A run may end at any point, by its time or by a crash; the next one goes on from there.
type Eraser struct {
	Apps    Apps
	Store   Store
	Objects Objects
	Notices app.Notices
	Clock   clock.Clock
}

// Task handles task.AppErase: task.ErrUnfinished where there is more to do than there was time.
func (e *Eraser) Task(ctx context.Context, due task.Task) error { return e.Erase(ctx, due.App) }

// Erase erases an app that is deleted and whose grace period is over, and does nothing about any other. It returns
// task.ErrUnfinished where it has to be called again.
func (e *Eraser) Erase(ctx context.Context, appID id.App) error {
	found, err := e.Apps.BeginErasing(ctx, appID, e.Clock.Now())
	switch {
	case errors.Is(err, app.ErrNotDue), errors.Is(err, app.ErrNotFound):
		return nil // it was restored, or never deleted
	case err != nil:
		return err
	case !found.ErasedAt.IsZero():
		return nil
	}
	run := &run{Eraser: e, app: appID, rows: map[string]int{}, taken: map[id.Conversation]bool{}}
	if err := errors.Join(run.everything(ctx), run.count(ctx)); err != nil {
		return err
	}
	// The mail comes before the record that stops the runs: a crash between the two sends it twice, never not at all.
	if err := e.Notices.AppNotice(ctx, found.Account, app.NoticeErased, found); err != nil {
		return err
	}
	return e.Apps.FinishErasing(ctx, appID, e.Clock.Now())
}

// run is one run of the erasing of one app.
type run struct {
	*Eraser
	app id.App

	mutex sync.Mutex
	rows  map[string]int           // removed and not counted yet
	taken map[id.Conversation]bool // whose messages one of its users has been given
}

// everything removes the app's rows in the order that makes them unreadable soonest.
func (r *run) everything(ctx context.Context) error {
	if err := r.credentials(ctx); err != nil {
		return err
	}
	if err := r.records(ctx); err != nil {
		return err
	}
	// Before the users: a row that is gone registers nobody, and a broadcast that is gone sends nothing.
	if err := r.jobs(ctx); err != nil {
		return err
	}
	if err := r.media(ctx); err != nil {
		return err
	}
	users := 0
	for shard := range Shards {
		found, err := r.shard(ctx, shard)
		if err != nil {
			return err
		}
		users += found
	}
	if users > 0 {
		// The directory lags behind. It is believed to be empty only by a run that finds it so, minutes after the last
		// row went.
		return task.ErrUnfinished
	}
	// A request that was under way when the app left its account may have made a data key, a record, a job or a media since.
	return errors.Join(r.credentials(ctx), r.records(ctx), r.jobs(ctx), r.media(ctx))
}

// credentials removes the data keys, then the API keys and what was granted to them and to users.
func (r *run) credentials(ctx context.Context) error {
	for _, part := range []Part{{DataKeys, ""}, {Keys, ""}, {Grants, ""}} {
		if err := r.clear(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// records removes what was done in the app, and by whom. What the account's log says of the app stays: that it was made
// and deleted.
func (r *run) records(ctx context.Context) error {
	for chain := range Chains {
		if err := r.clear(ctx, Part{Records, fmt.Sprintf("%x", chain)}); err != nil {
			return err
		}
	}
	return nil
}

// jobs removes the imports of users, and what waits in them, and the broadcasts.
func (r *run) jobs(ctx context.Context) error {
	for shard := range ImportShards {
		if err := r.clear(ctx, Part{Connections, fmt.Sprintf("import#%x", shard)}); err != nil {
			return err
		}
	}
	return r.clear(ctx, Part{Connections, "broadcast"})
}

// media removes the uploads: the rows first, so that a check that is under way takes back what it puts.
func (r *run) media(ctx context.Context) error {
	if err := r.clear(ctx, Part{Media, ""}); err != nil {
		return err
	}
	for _, prefix := range []string{media.UploadPrefix(r.app), media.ServedPrefix(r.app)} {
		for more := true; more; {
			if !task.TimeLeft(ctx) {
				return task.ErrUnfinished
			}
			var err error
			if more, err = r.Objects.DeletePrefix(ctx, prefix); err != nil {
				return err
			}
		}
	}
	return nil
}

// shard erases the users of one shard of the directory and returns how many there were.
func (r *run) shard(ctx context.Context, shard int) (users int, err error) {
	for after := ""; ; {
		page, next, err := r.Store.Users(ctx, r.app, shard, after)
		if err != nil {
			return users, err
		}
		if err := r.users(ctx, page); err != nil {
			return users, err
		}
		users += len(page)
		if next == "" {
			return users, nil
		}
		after = next
	}
}

// users erases what the users have and then the users, whose rows are the way to the rest.
func (r *run) users(ctx context.Context, page []User) error {
	if len(page) == 0 {
		return nil
	}
	var group errgroup.Group // without a context of its own: what has begun comes to its end and is counted
	group.SetLimit(workers)
	for _, user := range page {
		group.Go(func() error { return r.user(ctx, user.ID) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	removed, err := r.Store.RemoveUsers(ctx, r.app, page)
	r.add(Users, removed)
	return errors.Join(err, r.count(ctx))
}

// user erases a user's conversations, whose rows are the way to their messages, what it has removed from them, its blocks and
// connections.
func (r *run) user(ctx context.Context, user id.User) error {
	for after := id.Conversation(""); ; {
		conversations, next, err := r.Store.Conversations(ctx, r.app, user, after)
		if err != nil {
			return err
		}
		if err := r.conversations(ctx, user, conversations); err != nil {
			return err
		}
		if next == "" {
			break
		}
		after = next
	}
	for _, part := range []Part{{Conversations, string(user)}, deletedBy(user)} {
		if err := r.clear(ctx, part); err != nil {
			return err
		}
	}
	removed, err := r.Store.RemoveBlocks(ctx, r.app, user)
	if r.add(Users, removed); err != nil {
		return err
	}
	return r.clear(ctx, Part{Connections, string(user)})
}

// conversations erases a page of a user's conversations. It goes with its rows, so that the next run need not look at it
// again: one who talks to everybody has more pages than a run has time for.
func (r *run) conversations(ctx context.Context, user id.User, page []id.Conversation) error {
	for _, conversation := range page {
		if !r.take(conversation) {
			continue
		}
		if err := r.clear(ctx, Part{Messages, string(conversation)}); err != nil {
			return err
		}
		if err := r.clear(ctx, Part{Conversations, string(conversation)}); err != nil { // reactions and pins
			return err
		}
		if conversation.Group() == "" {
			continue
		}
		if err := r.clear(ctx, Part{Groups, string(conversation)}); err != nil {
			return err
		}
		if err := r.clear(ctx, Part{Connections, string(conversation)}); err != nil { // what devices have subscribed
			return err
		}
	}
	removed, err := r.Store.RemoveConversations(ctx, r.app, user, page)
	r.add(Conversations, removed)
	return err
}

// take tells the first of a conversation's users to erase the messages. The others need not wait: where the first fails, its own
// row is left and is found by the next run.
func (r *run) take(conversation id.Conversation) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	first := !r.taken[conversation]
	r.taken[conversation] = true
	return first
}

// clear removes a part.
func (r *run) clear(ctx context.Context, part Part) error {
	return clearPart(ctx, r.Store, r.app, part, func(removed int) { r.add(part.Table, removed) })
}

// clearPart removes a part, page by page while there is time, and counts what each page had. It returns task.ErrUnfinished where more is
// left than there was time for.
func clearPart(ctx context.Context, store Store, app id.App, part Part, count func(removed int)) error {
	for {
		if !task.TimeLeft(ctx) {
			return task.ErrUnfinished
		}
		removed, more, err := store.Clear(ctx, app, part)
		count(removed)
		if err != nil || !more {
			return err
		}
	}
}

func (r *run) add(table Table, removed int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if removed > 0 {
		r.rows[string(table)] += removed
	}
}

// count writes on the receipt what was removed since the last time. A crash in between leaves that out: the receipt says
// how many rows there were at least.
func (r *run) count(ctx context.Context) error {
	if len(r.rows) == 0 {
		return nil
	}
	err := r.Apps.CountErased(ctx, r.app, r.rows)
	r.rows = map[string]int{}
	return err
}
