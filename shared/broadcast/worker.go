package broadcast

import (
	"cmp"
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/task"
	"github.com/tokenim/tokenim/shared/user"
)

const (
	// PerSecond is how many users a second are sent to while a worker is at a broadcast. A message to somebody new takes about
	// 5 write units, two of them in one partition of the sender's and in the receiver's: MaxUnfinished broadcasts of one sender
	// stay below a third of the 1,000 that a partition takes, and of the 4,000 that a new table takes.
	PerSecond = 100
	// burst is how many may be sent to at once.
	burst = 10
	// atOnce is how many sends are under way at a time.
	atOnce = 10
	// turn is how long a worker stays at a broadcast, unless a page takes longer; pause is how long it then leaves its place to the
	// others in the queue.
	turn, pause = 15 * time.Second, 5 * time.Second
	// maxTries is how often a page is tried whose sends fail for no fault of the users; then those with whom it went wrong count
	// as failed. Between two tries the queue waits 3 minutes.
	maxTries = 5
	// runLength is the length of a run's name: two have the same once in 2^95 times.
	runLength = 16
)

// Pace returns what a worker's messages are held to in a turn.
func Pace() Limiter { return rate.NewLimiter(PerSecond, burst) }

// Worker sends broadcasts.
type Worker struct {
	Store     Store
	Directory Directory
	Users     Users
	Messages  Messages
	Devices   Devices
	Sealer    Sealer
	Later     Later
	// Pace returns the limiter of a turn; see the function Pace.
	Pace  func() Limiter
	Clock clock.Clock
	IDs   id.Source
}

// Do does the job for a while, from the first user on that is not counted, and sends itself on where more is left. It does nothing
// where the broadcast is finished, over, or erased with its app, and stops where another worker is at it.
func (w *Worker) Do(ctx context.Context, job Job) error {
	found, err := w.Store.Get(ctx, id.StoredApp(job.App), job.Broadcast)
	if err == nil && found.Over(w.Clock.Now()) {
		return nil
	}
	if err == nil && !found.Finished() {
		found, err = w.run(ctx, found)
	}
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrOvertaken):
		return nil
	case err != nil:
		return err
	case !found.Finished():
		return w.Later.Send(ctx, job, pause)
	}
	return w.Store.Release(ctx, found)
}

// run sends for a turn, and returns the broadcast after that.
func (w *Worker) run(ctx context.Context, b Broadcast) (Broadcast, error) {
	content, err := w.content(ctx, b)
	if err != nil {
		return b, err
	}
	limiter, ends := w.Pace(), w.Clock.Now().Add(turn)
	b.Run = w.IDs.Text(runLength)
	for !b.Finished() && w.Clock.Now().Before(ends) && task.TimeLeft(ctx) {
		next, failure := w.step(ctx, b, content, limiter)
		if failure != nil && next.Tries == b.Tries { // it was not about single users
			return b, failure
		}
		if next.Finished() {
			if err := w.outdate(ctx, next); err != nil {
				return b, err
			}
		}
		next.Steps++
		b, err = w.Store.Save(ctx, next)
		if errors.Is(err, ErrOvertaken) {
			return b, cmp.Or(w.amend(ctx, next), err)
		}
		if err != nil || failure != nil {
			return b, errors.Join(err, failure)
		}
	}
	return b, nil
}

// amend counts the users of a page that was being sent when another worker ended the broadcast, because it was cancelled. It does
// nothing where anything else has overtaken the page: then the other has sent it too, or is going to.
func (w *Worker) amend(ctx context.Context, page Broadcast) error {
	ended, err := w.Store.Get(ctx, page.App, page.ID)
	if err != nil || ended.State != Cancelled || ended.Steps != page.Steps {
		return err
	}
	if err := w.outdate(ctx, page); err != nil {
		return err
	}
	ended.Sent, ended.Skipped, ended.Failed, ended.Last = page.Sent, page.Skipped, page.Failed, page.Last
	ended.Steps, ended.Run = ended.Steps+1, page.Run
	_, err = w.Store.Save(ctx, ended)
	return err
}

// outdate has the sender's devices look at all its conversations, if somebody was sent to.
func (w *Worker) outdate(ctx context.Context, b Broadcast) error {
	if b.Last == (Mark{}) {
		return nil
	}
	return w.Devices.Outdate(ctx, b.App, b.From, b.Last.Conversation, b.Last.Sequence)
}

// content opens the broadcast's content.
func (w *Worker) content(ctx context.Context, of Broadcast) (content Content, err error) {
	sealed, err := w.Store.Content(ctx, of.App, of.ID)
	if err != nil {
		return Content{}, err
	}
	text, err := w.Sealer.Open(ctx, of.App, of.place(contentPlace), sealed)
	if err != nil {
		return Content{}, err
	}
	return content, decode(text, &content)
}

// step sends to the next users and returns the broadcast as it is to be saved: with the users counted, finished, or, together with
// an error, with one more of Tries.
func (w *Worker) step(ctx context.Context, b Broadcast, content Content, limiter Limiter) (Broadcast, error) {
	if !b.CancelledAt.IsZero() {
		return b.finished(Cancelled, "", w.Clock.Now()), nil
	}
	users, next, err := w.page(ctx, b)
	if err != nil {
		return b, err
	}
	count, err := w.send(ctx, b, content, users, limiter)
	if count.last != (Mark{}) {
		b.Last, next.Last = count.last, count.last
	}
	if err != nil && b.Tries+1 < maxTries {
		b.Tries++
		return b, err
	}
	next.Tries = 0
	next.Sent, next.Skipped, next.Failed = next.Sent+count.sent, next.Skipped+count.skipped, next.Failed+count.failed
	switch {
	case count.gone != "":
		next = next.finished(Failed, count.gone, w.Clock.Now())
	case next.Shard == Shards:
		next = next.finished(Done, "", w.Clock.Now())
	}
	return next, nil
}

// senderGone returns why the sender can send no more; "" where it can. The read is strong, and before every message, as for those
// who send by themselves: what a deleted user has is being erased, and nothing new is to come behind that.
func (w *Worker) senderGone(ctx context.Context, b Broadcast) (fault.Code, error) {
	sender, err := w.Users.Get(ctx, b.App, b.From, true)
	switch {
	case errors.Is(err, user.ErrNotFound):
		return fault.UserNotFound, nil
	case err == nil && sender.Deactivated():
		return fault.UserDeactivated, nil
	}
	return "", err
}

// page reads the next users that there are, and returns the broadcast as it stands behind them.
func (w *Worker) page(ctx context.Context, b Broadcast) (users []id.User, next Broadcast, err error) {
	after := ""
	if len(b.Position) > 0 {
		text, err := w.Sealer.Open(ctx, b.App, b.place(positionPlace), b.Position)
		if err != nil {
			return nil, b, err
		}
		after = string(text)
	}
	for len(users) == 0 && b.Shard < Shards {
		if users, after, err = w.Directory.Users(ctx, b.App, b.Shard, after); err != nil {
			return nil, b, err
		}
		if after == "" {
			b.Shard++
		}
	}
	if b.Position = nil; after != "" {
		b.Position, err = w.Sealer.Seal(ctx, b.App, b.place(positionPlace), []byte(after))
	}
	return users, b, err
}

// tally is what became of a page.
type tally struct {
	sent, skipped, failed int
	last                  Mark
	// gone is why the sender could send no more. Those whom it did not reach are not counted.
	gone fault.Code
}

// send sends to the users and counts them. Its error is one of those that may be none at the next try.
func (w *Worker) send(ctx context.Context, b Broadcast, content Content, users []id.User, limiter Limiter) (tally, error) {
	outcomes, failures := make([]tally, len(users)), make([]error, len(users))
	var group errgroup.Group // without a context of its own: one that fails does not keep the others from their end
	group.SetLimit(atOnce)
	for i, to := range users {
		group.Go(func() error {
			if failures[i] = limiter.Wait(ctx); failures[i] == nil {
				outcomes[i], failures[i] = w.one(ctx, b, content, to)
			} else {
				outcomes[i].failed = 1
			}
			return nil
		})
	}
	_ = group.Wait() // the failures are kept by user
	var all tally
	for _, each := range outcomes {
		all.sent, all.skipped, all.failed = all.sent+each.sent, all.skipped+each.skipped, all.failed+each.failed
		if each.sent > 0 {
			all.last = each.last
		}
		all.gone = cmp.Or(all.gone, each.gone)
	}
	return all, errors.Join(failures...)
}

// one sends to one user. Its error is one that may be none at the next try.
func (w *Worker) one(ctx context.Context, b Broadcast, content Content, to id.User) (tally, error) {
	if to == b.From {
		return tally{skipped: 1}, nil
	}
	if gone, err := w.senderGone(ctx, b); err != nil || gone != "" {
		return tally{gone: gone}, err
	}
	sent, err := w.Messages.Send(ctx, content.draft(b, to))
	switch {
	case err == nil:
		return tally{sent: 1, last: markOf(sent.Message)}, nil
	case fault.Is(err, fault.UserNotFound), fault.Is(err, fault.UserDeactivated), fault.Is(err, fault.Blocked):
		return tally{skipped: 1}, nil
	}
	if code := fault.Of(err).Code; code != fault.Internal && !fault.Lookup(code).Retryable {
		err = nil // it would be refused again
	}
	return tally{failed: 1}, err
}

func markOf(sent message.Message) Mark { return Mark{sent.ConversationID, sent.Seq} }
