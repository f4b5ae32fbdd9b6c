// Package guess counts guesses at secrets and makes whoever guesses wait.
//
//	if err := limiter.Take(ctx, "login#"+email, rule); err != nil { return err } // nothing was evaluated
//	… compare the password …
//	if right { limiter.Clear(ctx, "login#"+email); limiter.Refund(ctx, guess.SourceSubject(ip)) }
//
// A guess is counted before it is evaluated, in one atomic write: a thousand guesses at once are not evaluated a
// thousand times, and a caller that hangs up, or a process that dies, has spent its guess. Waiting grows with each guess
// and ends at the rule's MaxDelay: nobody is locked out for good, because whoever could lock an account by guessing
// could lock anybody's.
package guess

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Rule says how many guesses are free, and how the delay then grows.
type Rule struct {
	// Free is how many guesses need not wait for each other; at least 1, since the first has nothing to wait for.
	Free int
	// Delay is the wait after the last free guess. It doubles with each further one, up to MaxDelay.
	Delay, MaxDelay time.Duration
	// Forget is how long after the last wait, or the last guess where it made none, the count begins anew.
	Forget time.Duration
}

// delay returns the wait after the guess of that number, from 1.
func (r Rule) delay(number int) time.Duration {
	if number < r.Free {
		return 0
	}
	wait := r.Delay
	for doubled := max(r.Free, 1); doubled < number && wait < r.MaxDelay; doubled++ {
		wait *= 2
	}
	return min(wait, r.MaxDelay)
}

// Counter is what is kept of a subject.
type Counter struct {
	// Subject is the hash of what is guessed at, or of who guesses. Addresses never stand in a table's keys.
	Subject string
	// Count is how many guesses there were.
	Count int
	// Next is the earliest time of the next guess, to the millisecond; the zero time for at once.
	Next time.Time
	// Version is the number of changes; 0 for a counter that is not stored.
	Version int64
	// Expires is when the counter may be dropped, in whole seconds. A counter past it counts as none.
	Expires time.Time
}

// ErrChanged says that a counter has another version than the caller saw. Nothing was written.
var ErrChanged = errors.New("guess: the counter was changed by another")

// Store keeps counters. Only a Limiter calls it.
type Store interface {
	// Get returns the subject's counter, strongly consistent; where there is none, an empty one with the subject. It
	// does not look at Expires.
	Get(ctx context.Context, subject string) (Counter, error)
	// Save replaces the subject's counter where its version is still ifVersion (0: where there is none), else it
	// returns ErrChanged, in one atomic step. What is stored has the version ifVersion+1, whatever the argument says.
	Save(ctx context.Context, counter Counter, ifVersion int64) error
}

// Limiter counts guesses. It is safe for concurrent use, as are limiters of many processes on one store.
type Limiter struct {
	// Store keeps the counters.
	Store Store
	// Clock tells the time.
	Clock clock.Clock
}

// errOvertaken says that a caller lost every race: it did not get to count, so it must not guess.
var errOvertaken = errors.New("guess: overtaken too often")

// overtakenRetry is how long such a caller is told to wait.
const overtakenRetry = time.Second

// Take counts one guess at the subject. An error means that the guess must not be evaluated: fault.TooManyAttempts with
// RetryAfter where it came too early, or was overtaken by too many others; any other where it could not be counted.
//
// A refused guess is not counted and moves nothing: however many come, the subject is free again when the wait that the
// last counted guess began is over, so that an attacker cannot hold its owner off for longer than MaxDelay at a time.
func (l *Limiter) Take(ctx context.Context, subject string, rule Rule) error {
	err := l.change(ctx, subject, func(now time.Time, counter *Counter) (bool, error) {
		if wait := counter.Next.Sub(now); wait > 0 {
			return false, tooMany(wait, nil)
		}
		counter.Count++
		counter.Next = now.Add(rule.delay(counter.Count))
		counter.Expires = wholeSecond(counter.Next.Add(rule.Forget))
		return true, nil
	})
	if errors.Is(err, errOvertaken) {
		return tooMany(overtakenRetry, err)
	}
	return err
}

// Refund takes one guess back that turned out right, with the wait that it began: a success is no guess. Where there is
// none, as after Clear, it does nothing. An error leaves the count one too high and may be ignored.
//
// With every right guess that is refunded, one wrong guess that was taken meanwhile may be relieved of its wait, never
// of being counted.
func (l *Limiter) Refund(ctx context.Context, subject string) error {
	return l.settle(ctx, subject, func(counter *Counter) { counter.Count-- })
}

// Clear sets the subject's count to none: its owner has shown who it is. An error leaves it as it was.
func (l *Limiter) Clear(ctx context.Context, subject string) error {
	return l.settle(ctx, subject, func(counter *Counter) { counter.Count = 0 })
}

// settle changes a counter for the better. The row stays until it expires, because versions of a row that is deleted and
// made again would repeat, and somebody may still hold one of the old.
func (l *Limiter) settle(ctx context.Context, subject string, change func(*Counter)) error {
	err := l.change(ctx, subject, func(_ time.Time, counter *Counter) (bool, error) {
		if counter.Count == 0 {
			return false, nil
		}
		change(counter)
		counter.Next = time.Time{}
		return true, nil
	})
	if errors.Is(err, errOvertaken) {
		return fault.Wrap(err, fault.Overtaken)
	}
	return err
}

// attempts bounds how often one change is overtaken by others: its pauses add up to half a second at most.
const attempts = 8

// decision changes a counter, and says whether it is to be written. It may be asked more than once.
type decision func(now time.Time, counter *Counter) (write bool, err error)

// change reads the counter, lets decide change it, and writes it where decide says so and nobody was faster; else it
// begins anew, up to errOvertaken.
func (l *Limiter) change(ctx context.Context, subject string, decide decision) error {
	key := id.Hash("guess", subject)
	for attempt := range attempts {
		if err := pause(ctx, attempt); err != nil {
			return err
		}
		counter, err := l.Store.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("read a counter of guesses: %w", err)
		}
		now := l.Clock.Now()
		if !now.Before(counter.Expires) {
			counter = Counter{Subject: key, Version: counter.Version}
		}
		if write, err := decide(now, &counter); err != nil || !write {
			return err
		}
		err = l.Store.Save(ctx, counter, counter.Version)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrChanged) {
			return fmt.Errorf("count a guess: %w", err)
		}
	}
	return errOvertaken
}

// pause waits before a further attempt: up to 4 ms, then up to twice as long each time, at random so that those who
// collided come apart.
func pause(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return fault.Wrap(fmt.Errorf("count a guess: %w", ctx.Err()), fault.Unavailable)
	case <-time.After(rand.N(2 * time.Millisecond << attempt)):
		return nil
	}
}

// tooMany is the refusal; the wait is rounded up to whole seconds, which is what Retry-After can say.
func tooMany(wait time.Duration, cause error) error {
	wait = (wait + time.Second - 1).Truncate(time.Second)
	refusal := fault.Wrap(cause, fault.TooManyAttempts, wait)
	refusal.RetryAfter = wait
	return refusal
}

// wholeSecond rounds up, so that nothing is dropped too early.
func wholeSecond(t time.Time) time.Time {
	return t.Add(time.Second - 1).Truncate(time.Second)
}

// SourceSubject returns the subject that stands for where a request comes from: its IPv4 address, or the /64 of its IPv6
// address, which is what one customer has at least. All that is no address is one subject.
func SourceSubject(ip string) string {
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return "source#unknown"
	}
	address = address.Unmap()
	if address.Is4() {
		return "source#" + address.String()
	}
	return "source#" + netip.PrefixFrom(address.WithZone(""), 64).Masked().String()
}
