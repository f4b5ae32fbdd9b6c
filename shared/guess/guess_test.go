package guess_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/guess"
	"github.com/tokenim/tokenim/shared/guess/guesstest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestMemoryStore(t *testing.T) { guesstest.Run(t, guesstest.NewStore()) }

// bench is a limiter, its store and its clock.
type bench struct {
	*guess.Limiter
	store *guesstest.Store
	clock *clocktest.Clock
}

func newBench() bench {
	store, set := guesstest.NewStore(), clocktest.New(storetest.Noon())
	return bench{Limiter: &guess.Limiter{Store: store, Clock: set}, store: store, clock: set}
}

// wantWait checks that a guess is refused for that long; 0 means that it passes.
func (b bench) wantWait(t *testing.T, rule guess.Rule, want time.Duration) {
	t.Helper()
	err := b.Take(t.Context(), "subject", rule)
	if want == 0 && err != nil {
		t.Fatalf("Take: %v", err)
	}
	if want > 0 && (!fault.Is(err, fault.TooManyAttempts) || fault.Of(err).RetryAfter != want) {
		t.Fatalf("Take: %v; want a wait of %v", err, want)
	}
}

func TestTheDelayGrows(t *testing.T) {
	b := newBench()
	for range guesstest.Rule.Free {
		b.wantWait(t, guesstest.Rule, 0)
	}
	for _, wait := range []time.Duration{1, 2, 4, 8, 10, 10, 10} {
		b.wantWait(t, guesstest.Rule, wait*time.Second)
		b.clock.Advance(wait*time.Second - time.Millisecond)
		b.wantWait(t, guesstest.Rule, time.Second) // rounded up
		b.clock.Advance(time.Millisecond)
		b.wantWait(t, guesstest.Rule, 0)
	}
}

func TestOddRules(t *testing.T) {
	for _, rule := range []guess.Rule{
		{Free: 0, Delay: time.Second, MaxDelay: time.Minute, Forget: time.Hour},
		{Free: -3, Delay: time.Second, MaxDelay: time.Minute, Forget: time.Hour},
	} {
		b := newBench()
		for _, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			b.wantWait(t, rule, 0)
			b.wantWait(t, rule, wait*time.Second)
			b.clock.Advance(wait * time.Second)
		}
	}
	b := newBench() // a delay above the most
	rule := guess.Rule{Free: 1, Delay: time.Hour, MaxDelay: time.Minute, Forget: time.Hour}
	b.wantWait(t, rule, 0)
	b.wantWait(t, rule, time.Minute)
}

// Doubling stops in time, however long somebody goes on.
func TestTheDelayDoesNotOverflow(t *testing.T) {
	b := newBench()
	rule := guess.Rule{Free: 1, Delay: time.Second, MaxDelay: 1 << 62, Forget: time.Hour}
	for range 100 {
		b.wantWait(t, rule, 0)
		err := b.Take(t.Context(), "subject", rule)
		wait := fault.Of(err).RetryAfter
		if wait <= 0 {
			t.Fatalf("Take: %v", err)
		}
		if wait > 1e6*time.Hour {
			return
		}
		b.clock.Advance(wait)
	}
}

// An attacker who goes on and on does not push the owner's turn away.
func TestRefusedGuessesMoveNothing(t *testing.T) {
	b := newBench()
	for range guesstest.Rule.Free {
		b.wantWait(t, guesstest.Rule, 0)
	}
	before, err := b.store.Get(t.Context(), id.Hash("guess", "subject"))
	storetest.OK(t, "Get", err)
	for range 100 {
		b.wantWait(t, guesstest.Rule, time.Second)
	}
	if after, err := b.store.Get(t.Context(), id.Hash("guess", "subject")); err != nil || after != before {
		t.Errorf("%+v became %+v, %v", before, after, err)
	}
	b.clock.Advance(time.Second)
	b.wantWait(t, guesstest.Rule, 0)
}

// The count is kept for as long as the rule says after the wait is over, and not a millisecond longer than the table's
// whole seconds make it.
func TestForget(t *testing.T) {
	b := newBench()
	for range guesstest.Rule.Free {
		b.wantWait(t, guesstest.Rule, 0)
	}
	b.clock.Advance(time.Second + guesstest.Rule.Forget) // just not yet
	b.wantWait(t, guesstest.Rule, 0)
	b.wantWait(t, guesstest.Rule, 2*time.Second)
	counter, err := b.store.Get(t.Context(), id.Hash("guess", "subject"))
	storetest.OK(t, "Get", err)
	b.clock.Advance(counter.Expires.Sub(b.clock.Now()))
	for range guesstest.Rule.Free {
		b.wantWait(t, guesstest.Rule, 0)
	}
	b.wantWait(t, guesstest.Rule, time.Second)
}

func TestRefundAndClear(t *testing.T) {
	b, ctx := newBench(), t.Context()
	storetest.OK(t, "Refund of nothing", b.Refund(ctx, "subject"))
	storetest.OK(t, "Clear of nothing", b.Clear(ctx, "subject"))
	for range 3 * guesstest.Rule.Free { // who is right may come as often as wanted
		b.wantWait(t, guesstest.Rule, 0)
		storetest.OK(t, "Refund", b.Refund(ctx, "subject"))
	}
	for range guesstest.Rule.Free {
		b.wantWait(t, guesstest.Rule, 0)
	}
	storetest.OK(t, "Refund", b.Refund(ctx, "subject"))
	b.wantWait(t, guesstest.Rule, 0)
	b.wantWait(t, guesstest.Rule, time.Second)
	storetest.OK(t, "Clear", b.Clear(ctx, "subject"))
	storetest.OK(t, "Refund after Clear", b.Refund(ctx, "subject"))
	for range guesstest.Rule.Free {
		b.wantWait(t, guesstest.Rule, 0)
	}
	b.wantWait(t, guesstest.Rule, time.Second)
}

// With an account of one's own, logging in to it does not buy guesses at others: from one source, each wrong guess beyond
// the free ones costs its wait, however many right ones stand between.
func TestOwnSuccessesBuyNoGuesses(t *testing.T) {
	b, wrong := newBench(), 0
	for second := 0; second < 60; second++ {
		for range 10 {
			if b.Take(t.Context(), "subject", guesstest.Rule) == nil {
				storetest.OK(t, "Refund", b.Refund(t.Context(), "subject"))
			}
			if b.Take(t.Context(), "subject", guesstest.Rule) == nil {
				wrong++
			}
		}
		b.clock.Advance(time.Second)
	}
	if most := guesstest.Rule.Free + 4 + 5; wrong > most { // free; 1, 2, 4, 8 s; then one in 10 s
		t.Errorf("%d wrong guesses passed in a minute, want at most %d", wrong, most)
	}
}

// Whatever fails, a guess that passed was counted.
func TestNoGuessPassesUncounted(t *testing.T) {
	for _, tookEffect := range []bool{false, true} {
		b := newBench()
		b.Store = guesstest.Fused{Store: b.store, Fuse: &storetest.Fuse{At: 1, TookEffect: tookEffect, Dies: true}}
		for _, doing := range []string{"write", "read"} {
			if err := b.Take(t.Context(), "subject", guesstest.Rule); !errors.Is(err, storetest.ErrFuse) {
				t.Errorf("Take with a broken %s: %v", doing, err)
			}
		}
		if err := b.Refund(t.Context(), "subject"); !errors.Is(err, storetest.ErrFuse) {
			t.Errorf("Refund: %v", err)
		}
	}
}

func TestWhoIsOvertakenAlwaysDoesNotPass(t *testing.T) { synctest.Test(t, runOvertaken) }

func runOvertaken(t *testing.T) {
	b, begin := newBench(), time.Now()
	b.wantWait(t, guesstest.Rule, 0)
	b.Store = guesstest.Stuck{Store: b.store}
	b.wantWait(t, guesstest.Rule, time.Second)
	for doing, err := range map[string]error{"Refund": b.Refund(t.Context(), "subject"), "Clear": b.Clear(t.Context(), "subject")} {
		if !fault.Is(err, fault.Overtaken) {
			t.Errorf("%s: %v", doing, err)
		}
	}
	if took := time.Since(begin); took > 3*512*time.Millisecond {
		t.Errorf("three changes gave up after %v", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Take(ctx, "subject", guesstest.Rule); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Take by somebody who left: %v", err)
	}
}

// What a subject says is never stored.
func TestSubjectsAreHashed(t *testing.T) {
	b := newBench()
	storetest.OK(t, "Take", b.Take(t.Context(), "login#ann@example.com", guesstest.Rule))
	counter, err := b.store.Get(t.Context(), id.Hash("guess", "login#ann@example.com"))
	if err != nil || counter.Count != 1 || strings.Contains(counter.Subject, "ann") {
		t.Errorf("%+v, %v", counter, err)
	}
	storetest.OK(t, "another subject", b.Take(t.Context(), "login#bob@example.com", guesstest.Rule))
}

// model is a limiter in words: the times of the guesses that count, and when the next may come.
type model struct {
	count         int
	next, expires time.Time
}

func (m *model) take(now time.Time, rule guess.Rule, delays []time.Duration) (wait time.Duration) {
	if !now.Before(m.expires) {
		*m = model{}
	}
	if now.Before(m.next) {
		return m.next.Sub(now)
	}
	m.count++
	m.next = now
	if m.count >= rule.Free {
		m.next = now.Add(delays[min(m.count-rule.Free, len(delays)-1)])
	}
	m.expires = m.next.Add(rule.Forget)
	return 0
}

func (m *model) settle(now time.Time, count int) {
	if now.Before(m.expires) && m.count > 0 {
		m.count, m.next = count, time.Time{}
	}
}

// A limiter does what the model says, in any order of guesses, successes and waits.
func TestModel(t *testing.T) {
	rule := guess.Rule{Free: 3, Delay: 2 * time.Second, MaxDelay: 13 * time.Second, Forget: 20 * time.Second}
	delays := []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 13 * time.Second}
	rapid.Check(t, func(r *rapid.T) {
		b, m := newBench(), &model{}
		b.clock.Advance(-123 * time.Millisecond) // whole seconds: Expires is rounded up to them
		r.Repeat(map[string]func(*rapid.T){
			"take": func(r *rapid.T) {
				want, err := m.take(b.clock.Now(), rule, delays), b.Take(context.Background(), "subject", rule)
				if (err == nil) != (want == 0) || err != nil && fault.Of(err).RetryAfter != want {
					r.Fatalf("Take: %v; want a wait of %v", err, want)
				}
				if want > rule.MaxDelay {
					r.Fatalf("a wait of %v", want)
				}
			},
			"refund": func(r *rapid.T) {
				m.settle(b.clock.Now(), m.count-1)
				storetest.OK(r, "Refund", b.Refund(context.Background(), "subject"))
			},
			"clear": func(r *rapid.T) {
				m.settle(b.clock.Now(), 0)
				storetest.OK(r, "Clear", b.Clear(context.Background(), "subject"))
			},
			"wait": func(r *rapid.T) {
				b.clock.Advance(time.Duration(rapid.IntRange(1, 24).Draw(r, "seconds")) * time.Second)
			},
		})
	})
}

func TestSourceSubject(t *testing.T) {
	for ip, want := range map[string]string{
		"203.0.113.7": "source#203.0.113.7", "::ffff:203.0.113.7": "source#203.0.113.7",
		"2001:db8:1:2:3:4:5:6": "source#2001:db8:1:2::/64", "2001:db8:1:2::": "source#2001:db8:1:2::/64",
		"2001:DB8:1:2:ffff::1": "source#2001:db8:1:2::/64", "2001:db8:1:3::1": "source#2001:db8:1:3::/64",
		"fe80::1%eth0": "source#fe80::/64", "::1": "source#::/64",
		"": "source#unknown", "203.0.113.7:443": "source#unknown", "203.0.113.07": "source#unknown", "ann": "source#unknown",
	} {
		if got := guess.SourceSubject(ip); got != want {
			t.Errorf("SourceSubject(%q) = %q, want %q", ip, got, want)
		}
	}
}

func FuzzSourceSubject(f *testing.F) {
	for _, ip := range []string{"203.0.113.7", "2001:db8::1", "fe80::1%eth0", "", "::ffff:1.2.3.4"} {
		f.Add(ip)
	}
	f.Fuzz(func(t *testing.T, ip string) {
		subject := guess.SourceSubject(ip)
		address, isSource := strings.CutPrefix(subject, "source#")
		if !isSource || strings.ContainsAny(address, "% \n#") {
			t.Fatalf("SourceSubject(%q) = %q", ip, subject)
		}
		if again := guess.SourceSubject(strings.TrimSuffix(address, "/64")); again != subject {
			t.Fatalf("%q becomes %q", subject, again)
		}
	})
}
