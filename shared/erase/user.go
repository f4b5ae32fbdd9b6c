package erase

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/task"
)

// What a user's receipt counts.
const (
	LeftGroups    = "groups"        // groups that it was taken out of, or had been invited to or asked to join
	Pairs         = "conversations" // its rows of conversations with one other user
	LostMessages  = "messages"      // those of conversations whose both users are erased, and the user's own log
	LostReactions = "reactions"     // and pins, of those conversations
	Removals      = "removals"      // messages that it had deleted for itself
	ConnectionRow = "connections"   // its routing record, sockets and watches
	GrantRows     = "grants"
	BlockRows     = "blocks"
	ProfileRow    = "profiles"
	NameRow       = "names"
)

// ErrNoUser says that the app has no such user, or for receipts that the user was never deleted.
var ErrNoUser = errors.New("erase: no such user")

// Receipt is what is known of a deleted user.
type Receipt struct {
	User id.User
	// RequestedAt is when it was deleted: since then it is no user any more. ErasedAt is when the last of what it had was
	// removed; zero for not yet.
	RequestedAt, ErasedAt time.Time
	// Rows counts what was removed, by kind. A run that dies before it counts leaves some out; what two remove at once, such as
	// the messages of a pair whose both users are deleted, both may count.
	Rows map[string]int
}

// Pair is a conversation of a user with another.
type Pair struct {
	Conversation id.Conversation
	Peer         id.User
}

// UserStore ends users and finds what they have.
type UserStore interface {
	// BeginUser removes the user's record and puts a receipt in its place, together with the record told, all or nothing: from
	// then on there is no such user. Of a user who was deleted before it returns the receipt that stands; ErrNoUser for any
	// other.
	BeginUser(ctx context.Context, app id.App, user id.User, at time.Time, told record.Record) (Receipt, error)
	// Receipt returns the receipt, read strongly, or ErrNoUser.
	Receipt(ctx context.Context, app id.App, user id.User) (Receipt, error)
	// CountUser adds to the receipt's Rows.
	CountUser(ctx context.Context, app id.App, user id.User, rows map[string]int) error
	// FinishUser frees the username, counts it and sets ErasedAt, all or nothing; the second time it does nothing.
	FinishUser(ctx context.Context, app id.App, user id.User, at time.Time) error
	// UserConversations returns a page of the user's conversations, those after the one named, groups apart; next as in
	// Store.Conversations. It reads strongly.
	UserConversations(ctx context.Context, app id.App, user id.User, after id.Conversation) (pairs []Pair, groups []id.Group, next id.Conversation, err error)
	// RemoveGrants removes what was ever granted to the user and returns how many grants. It is eventually consistent.
	RemoveGrants(ctx context.Context, app id.App, user id.User) (removed int, err error)
	// RemoveProfile removes what the user shows of itself and returns how many rows, one or none.
	RemoveProfile(ctx context.Context, app id.App, user id.User) (removed int, err error)
}

// Memberships takes users out of groups. group.Service is one.
type Memberships interface {
	// Withdraw takes the user out of the group, and tells whether it was more than gone already.
	Withdraw(ctx context.Context, app id.App, group id.Group, user id.User) (bool, error)
}

// Sockets closes sockets. connection.Service does.
type Sockets interface {
	// CutUser closes every socket of the user.
	CutUser(ctx context.Context, app id.App, user id.User) error
}

// Later sends jobs. A queue.Queue does.
type Later interface {
	// Send sends a job that is done after the delay.
	Send(ctx context.Context, job any, delay time.Duration) error
}

// UserJob asks for the erasing of a user.
type UserJob struct {
	App  string  `json:"app"`
	User id.User `json:"user"`
}

// UserEraser erases deleted users. A run may end at any point, by its time or by a crash; the next one goes on from there.
//
// What the user wrote to others stays theirs, under the bare ID. Of conversations whose both users are deleted nothing stays.
type UserEraser struct {
	Store   UserStore
	Rows    Store
	Groups  Memberships
	Sockets Sockets
	Later   Later
	Clock   clock.Clock
}

// Do does the job; it does nothing for a user who is not deleted, or is erased already. Where there is more to do than time, it
// sends itself on.
func (e *UserEraser) Do(ctx context.Context, job UserJob) error {
	receipt, err := e.Store.Receipt(ctx, id.StoredApp(job.App), job.User)
	if errors.Is(err, ErrNoUser) || err == nil && !receipt.ErasedAt.IsZero() {
		return nil
	}
	if err != nil {
		return err
	}
	run := &userRun{UserEraser: e, app: id.StoredApp(job.App), user: job.User, rows: map[string]int{}}
	err = errors.Join(run.everything(ctx), run.count(ctx))
	if errors.Is(err, task.ErrUnfinished) {
		return e.Later.Send(ctx, job, 0)
	}
	return err
}

// userRun is one run of the erasing of one user.
type userRun struct {
	*UserEraser
	app  id.App
	user id.User
	rows map[string]int // removed and not counted yet
}

// everything removes what the user has. Its sockets go first, its groups before the rows that lead to them, its name last.
func (r *userRun) everything(ctx context.Context) error {
	if err := r.Sockets.CutUser(ctx, r.app, r.user); err != nil {
		return err
	}
	if err := r.conversations(ctx); err != nil {
		return err
	}
	if err := r.clear(ctx, Removals, deletedBy(r.user)); err != nil {
		return err
	}
	if err := r.clear(ctx, ConnectionRow, Part{Connections, string(r.user)}); err != nil {
		return err
	}
	for kind, remove := range map[string]func(context.Context, id.App, id.User) (int, error){
		GrantRows: r.Store.RemoveGrants, BlockRows: r.Rows.RemoveBlocks, ProfileRow: r.Store.RemoveProfile} {
		removed, err := remove(ctx, r.app, r.user)
		if r.add(kind, removed); err != nil {
			return err
		}
	}
	if err := r.count(ctx); err != nil { // the receipt is complete when the name is free
		return err
	}
	return r.Store.FinishUser(ctx, r.app, r.user, r.Clock.Now())
}

// conversations leaves the groups and removes the rows of the others. A group's row stays: it says that the user has left, to
// those who read who did.
func (r *userRun) conversations(ctx context.Context) error {
	for after := id.Conversation(""); ; {
		if !task.TimeLeft(ctx) {
			return task.ErrUnfinished
		}
		pairs, groups, next, err := r.Store.UserConversations(ctx, r.app, r.user, after)
		if err != nil {
			return err
		}
		for _, group := range groups {
			if err := r.leave(ctx, group); err != nil {
				return err
			}
		}
		if err := r.pairs(ctx, pairs); err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		after = next
	}
}

func (r *userRun) leave(ctx context.Context, group id.Group) error {
	if !task.TimeLeft(ctx) {
		return task.ErrUnfinished
	}
	was, err := r.Groups.Withdraw(ctx, r.app, group, r.user)
	if was {
		r.add(LeftGroups, 1)
	}
	return err
}

// pairs removes the user's rows, and the messages of those conversations that are nobody's any more.
func (r *userRun) pairs(ctx context.Context, pairs []Pair) error {
	var page []id.Conversation
	for _, pair := range pairs {
		switch _, err := r.Store.Receipt(ctx, r.app, pair.Peer); {
		case err == nil:
			if err := r.clear(ctx, LostMessages, Part{Messages, string(pair.Conversation)}); err != nil {
				return err
			}
			if err := r.clear(ctx, LostReactions, Part{Conversations, string(pair.Conversation)}); err != nil {
				return err
			}
		case !errors.Is(err, ErrNoUser):
			return err
		}
		page = append(page, pair.Conversation)
	}
	removed, err := r.Rows.RemoveConversations(ctx, r.app, r.user, page)
	r.add(Pairs, removed)
	return errors.Join(err, r.count(ctx))
}

// clear removes a part, which counts as of the kind.
func (r *userRun) clear(ctx context.Context, kind string, part Part) error {
	return clearPart(ctx, r.Rows, r.app, part, func(removed int) { r.add(kind, removed) })
}

func (r *userRun) add(kind string, removed int) {
	if removed > 0 {
		r.rows[kind] += removed
	}
}

// count writes on the receipt what was removed since the last time. A crash in between leaves that out.
func (r *userRun) count(ctx context.Context) error {
	if len(r.rows) == 0 {
		return nil
	}
	err := r.Store.CountUser(ctx, r.app, r.user, r.rows)
	r.rows = map[string]int{}
	return err
}
