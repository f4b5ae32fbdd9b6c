package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

const (
	// batch is how many tasks a run reads at once.
	batch = 100
	// margin is how long before the end of a run a handler's own time ends at the latest: enough to write down what became
	// of the task.
	margin = 3 * time.Second
	// step is the least time that it is worth starting something with.
	step = 5 * time.Second
	// retryAfter is how long a task waits after its first failure; the wait doubles up to retryMost.
	retryAfter = 5 * time.Minute
	retryMost  = 6 * time.Hour
)

// Handler does a task. It may be called again for one that it has done: a run can end between the work and writing it
// down.
type Handler func(ctx context.Context, due Task) error

// Runner does the tasks that are due.
type Runner struct {
	Store Store
	// Handlers has one for every kind.
	Handlers map[Kind]Handler
}

// Run does what is due by now until nothing is left or the context's time is nearly over; the rest is for the next run.
// A task that fails is due again later and keeps no other from its turn. The error says how many failed; what went wrong
// with each is in the log.
func (r *Runner) Run(ctx context.Context, now time.Time) error {
	for done, failed := 0, 0; ; {
		due, err := r.Store.Due(ctx, now, batch)
		if err != nil {
			return fmt.Errorf("read the tasks that are due: %w", err)
		}
		for _, next := range due {
			if !TimeLeft(ctx) {
				return outcome(done, failed)
			}
			moved, err := r.do(ctx, next, now)
			if err != nil {
				return err
			}
			done++
			if moved {
				failed++
			}
		}
		if len(due) < batch {
			return outcome(done, failed)
		}
	}
}

func outcome(done, failed int) error {
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d tasks failed", failed, done)
}

// do does one task and tells whether it failed. The error is of the store, not of the task.
func (r *Runner) do(ctx context.Context, due Task, now time.Time) (failed bool, err error) {
	next := due
	switch err := r.handle(ctx, due); {
	case err == nil:
		return false, r.Store.Done(ctx, due)
	case errors.Is(err, ErrUnfinished):
		next.Due, next.Attempts = now.Add(time.Millisecond), 0 // not in this run again
	default:
		slog.ErrorContext(ctx, "task failed", "kind", due.Kind, "app", due.App, "subject", due.Subject,
			"attempts", due.Attempts, "error", err)
		next.Due, next.Attempts, failed = now.Add(wait(due.Attempts)), due.Attempts+1, true
	}
	// The new one comes first: a run that ends between the two leaves the task twice, never nowhere.
	if err := r.Store.Add(ctx, next); err != nil {
		return failed, err
	}
	return failed, r.Store.Done(ctx, due)
}

// share is until when one task may go on in a run that ends at the deadline: for half of the time that is left. An erasure
// of many hours is the oldest of what is due in every run; with all the time it would keep the others from their turn.
func share(now, deadline time.Time) time.Time {
	left := deadline.Sub(now)
	return deadline.Add(-max(margin, left/2))
}

// handle calls the task's handler. A defect in one handler must not stop the others' work for good.
func (r *Runner) handle(ctx context.Context, due Task) (err error) {
	handler := r.Handlers[due.Kind]
	if handler == nil {
		return errors.New("no handler for this kind of task")
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, share(time.Now(), deadline))
		defer cancel()
	}
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	return handler(ctx, due)
}

// wait is how long a task waits that has failed so often before.
func wait(attempts int) time.Duration {
	return min(retryAfter<<min(attempts, 10), retryMost)
}

// TimeLeft tells whether the context has time for another step of work. A handler with much to do asks before each, and
// returns ErrUnfinished where there is none.
func TimeLeft(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(deadline) > step)
}
