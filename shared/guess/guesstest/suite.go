package guesstest

import (
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/guess"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// crowd is how many guess at once.
const crowd = 1000

// Run checks that a store keeps the contract of guess.Store, and that a limiter on it lets no guess pass uncounted.
func Run(t *testing.T, store guess.Store) {
	t.Run("Save and Get keep every field", func(t *testing.T) { runKeeps(t, store) })
	t.Run("Save looks at the version", func(t *testing.T) { runVersions(t, store) })
	t.Run("one of many saves a version", func(t *testing.T) { runRace(t, store) })
	t.Run("subjects are apart", func(t *testing.T) { runApart(t, store) })
	t.Run("of 1,000 guesses at once only the free ones pass", func(t *testing.T) { runCrowd(t, store) })
	t.Run("after a wait one of 1,000 passes", func(t *testing.T) { runWait(t, store) })
	t.Run("an expired counter is none", func(t *testing.T) { runExpired(t, store) })
	t.Run("refunds and clearings lose nothing", func(t *testing.T) { runRefunds(t, store) })
}

// subject returns one that no other test has.
func subject() string { return id.Source{}.Text(22) }

func newCounter(count int) guess.Counter {
	noon := storetest.Noon()
	return guess.Counter{Subject: subject(), Count: count, Next: noon, Expires: noon.Truncate(time.Second)}
}

func wantCounter(t *testing.T, store guess.Store, want guess.Counter) {
	t.Helper()
	if got, err := store.Get(t.Context(), want.Subject); err != nil || got != want {
		t.Fatalf("Get = %+v, %v; want %+v", got, err, want)
	}
}

func runKeeps(t *testing.T, store guess.Store) {
	ctx, counter := t.Context(), newCounter(3)
	wantCounter(t, store, guess.Counter{Subject: counter.Subject})
	storetest.OK(t, "Save", store.Save(ctx, counter, 0))
	counter.Version = 1
	wantCounter(t, store, counter)
	counter.Next, counter.Count, counter.Version = time.Time{}, 0, 77
	storetest.OK(t, "Save again", store.Save(ctx, counter, 1))
	counter.Version = 2
	wantCounter(t, store, counter)
}

func runVersions(t *testing.T, store guess.Store) {
	ctx, counter := t.Context(), newCounter(1)
	storetest.Refused(t, "Save of what is not there", store.Save(ctx, counter, 1), guess.ErrChanged)
	wantCounter(t, store, guess.Counter{Subject: counter.Subject})
	storetest.OK(t, "Save", store.Save(ctx, counter, 0))
	other := counter
	other.Count = 9
	for _, version := range []int64{0, 2} {
		storetest.Refused(t, "Save of another version", store.Save(ctx, other, version), guess.ErrChanged)
	}
	counter.Version = 1
	wantCounter(t, store, counter)
}

func runRace(t *testing.T, store guess.Store) {
	counter := newCounter(0)
	for version := range int64(3) {
		winner := storetest.OneWins(t, storetest.Racers, guess.ErrChanged, func(i int) error {
			mine := counter
			mine.Count = i
			return store.Save(t.Context(), mine, version)
		})
		want := counter
		want.Count, want.Version = winner, version+1
		wantCounter(t, store, want)
	}
}

func runApart(t *testing.T, store guess.Store) {
	mine, theirs := newCounter(1), newCounter(2)
	storetest.OK(t, "Save", store.Save(t.Context(), mine, 0))
	wantCounter(t, store, guess.Counter{Subject: theirs.Subject})
}

// passed checks that every error is the refusal, with a wait, and returns how many guesses passed.
func passed(t *testing.T, errs []error) (passed int) {
	t.Helper()
	for _, err := range errs {
		switch {
		case err == nil:
			passed++
		case !fault.Is(err, fault.TooManyAttempts) || fault.Of(err).RetryAfter < time.Second:
			t.Errorf("refused with %v", err)
		}
	}
	return passed
}

func runCrowd(t *testing.T, store guess.Store) {
	limiter, target := Limiter(store), subject()
	take := func(int) error { return limiter.Take(t.Context(), target, Rule) }
	together := passed(t, storetest.AtOnce(crowd, take))
	if together < 1 || together > Rule.Free {
		t.Errorf("%d guesses of %d passed, want at most %d", together, crowd, Rule.Free)
	}
	alone := 0
	for range Rule.Free + 1 {
		alone += passed(t, []error{take(0)})
	}
	if together+alone != Rule.Free {
		t.Errorf("%d guesses passed at once and %d after that, want %d in all", together, alone, Rule.Free)
	}
}

func runWait(t *testing.T, store guess.Store) {
	set := clocktest.New(storetest.Noon())
	limiter, target := &guess.Limiter{Store: store, Clock: set}, subject()
	rule := guess.Rule{Free: 1, Delay: time.Second, MaxDelay: time.Minute, Forget: time.Hour}
	take := func(int) error { return limiter.Take(t.Context(), target, rule) }
	storetest.OK(t, "the first", take(0))
	for wait := time.Second; wait <= 4*time.Second; wait *= 2 {
		set.Advance(wait)
		if n := passed(t, storetest.AtOnce(crowd/4, take)); n != 1 {
			t.Errorf("%d guesses passed after %v, want 1", n, wait)
		}
	}
}

func runExpired(t *testing.T, store guess.Store) {
	set := clocktest.New(storetest.Noon())
	limiter, target := &guess.Limiter{Store: store, Clock: set}, subject()
	for round := range 3 {
		errs := storetest.AtOnce(storetest.Racers, func(int) error { return limiter.Take(t.Context(), target, Rule) })
		if n := passed(t, errs); n < 1 || n > Rule.Free {
			t.Errorf("%d guesses passed in round %d", n, round)
		}
		set.Advance(Rule.MaxDelay + Rule.Forget + time.Second)
	}
}

// runRefunds lets half of the guesses be right: what is left is the other half. They are so few that none can be overtaken
// too often.
func runRefunds(t *testing.T, store guess.Store) {
	limiter, target := Limiter(store), subject()
	for i, err := range storetest.AtOnce(4, func(i int) error {
		if err := limiter.Take(t.Context(), target, Rule); err != nil || i%2 == 0 {
			return err
		}
		return limiter.Refund(t.Context(), target)
	}) {
		if err != nil {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	counter, err := store.Get(t.Context(), id.Hash("guess", target))
	if err != nil || counter.Count != 2 || counter.Version != 6 {
		t.Errorf("%+v, %v; want 2 guesses after 6 changes", counter, err)
	}
	storetest.OK(t, "Clear", limiter.Clear(t.Context(), target))
	if counter, err = store.Get(t.Context(), id.Hash("guess", target)); err != nil || counter.Count != 0 {
		t.Errorf("%+v, %v; want none", counter, err)
	}
}
