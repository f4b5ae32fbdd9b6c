// Package guesstest has what tests of guesses share: a store in memory, and the suite that every store passes.
package guesstest

import (
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/guess"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Store implements guess.Store in memory. Like the table it keeps Next to the millisecond and Expires to the second.
type Store struct {
	counters *storetest.Table[string, guess.Counter]
}

var _ guess.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{counters: storetest.NewTable[string, guess.Counter](storetest.Staleness{})}
}

// Get implements guess.Store.
func (s *Store) Get(_ context.Context, subject string) (guess.Counter, error) {
	counter, ok := s.counters.Get(subject, true)
	if !ok {
		return guess.Counter{Subject: subject}, nil
	}
	return counter, nil
}

// Save implements guess.Store.
func (s *Store) Save(_ context.Context, counter guess.Counter, ifVersion int64) error {
	saved := false
	s.counters.Do(counter.Subject, func(now guess.Counter, _ bool) (guess.Counter, bool) {
		saved = now.Version == ifVersion
		counter.Version = ifVersion + 1
		counter.Next, counter.Expires = counter.Next.Truncate(time.Millisecond), counter.Expires.Truncate(time.Second)
		return counter, saved
	})
	if !saved {
		return guess.ErrChanged
	}
	return nil
}

// Fused is a store whose writes a fuse counts and fails.
type Fused struct {
	guess.Store
	// Fuse decides which.
	Fuse *storetest.Fuse
}

// Stuck is a store whose every Save is overtaken.
type Stuck struct{ guess.Store }

// Get implements guess.Store.
func (f Fused) Get(ctx context.Context, subject string) (guess.Counter, error) {
	if err := f.Fuse.Read(); err != nil {
		return guess.Counter{}, err
	}
	return f.Store.Get(ctx, subject)
}

// Save implements guess.Store.
func (f Fused) Save(ctx context.Context, counter guess.Counter, ifVersion int64) error {
	return f.Fuse.Write(func() error { return f.Store.Save(ctx, counter, ifVersion) })
}

// Save implements guess.Store.
func (Stuck) Save(context.Context, guess.Counter, int64) error { return guess.ErrChanged }

// Rule is a rule for tests: 5 free guesses, then 1 s, 2 s, 4 s, 8 s and 10 s for every further one.
var Rule = guess.Rule{Free: 5, Delay: time.Second, MaxDelay: 10 * time.Second, Forget: time.Hour}

// Limiter returns a limiter on the store whose clock stands at storetest.Noon.
func Limiter(store guess.Store) *guess.Limiter {
	return &guess.Limiter{Store: store, Clock: clocktest.New(storetest.Noon())}
}
