// Package oracle holds the decision of package authz against Cedar, an evaluator that others wrote for such rules. Random
// states of an app are put into both forms and asked the same; the answers have to be the same.
//
//	TOKENIM_ORACLE_CASES=1000000 TOKENIM_ORACLE_SEED=1 go test ./tests/oracle -v
package oracle

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Of each world so much is asked: so many permissions, at so many times, in each of the groups.
const (
	permissionsPerWorld = 6
	timesPerWorld       = 2
)

var casesPerWorld = uint64(permissionsPerWorld * timesPerWorld * len(groups))

// number returns the number in the environment.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return number
}

func TestDecisionsAreCedars(t *testing.T) {
	cases, seed := number(t, "TOKENIM_ORACLE_CASES", 1_000_000), number(t, "TOKENIM_ORACLE_SEED", rand.Uint64())
	t.Logf("TOKENIM_ORACLE_SEED=%d", seed)
	begin, worlds := time.Now(), (cases+casesPerWorld-1)/casesPerWorld
	seen := together(t, func(next *atomic.Uint64, seen tally) error {
		for n := next.Add(1); n <= worlds; n = next.Add(1) {
			if err := compare(real{}, seed, n, seen); err != nil {
				return err
			}
		}
		return nil
	})
	if t.Failed() {
		return
	}
	t.Logf("%d cases in %v, no disagreement", worlds*casesPerWorld, time.Since(begin).Round(time.Millisecond))
	for _, class := range classes {
		t.Logf("%8d %s", seen[class], class)
		if uint64(seen[class]) < cases/500 {
			t.Errorf("only %d cases were %s", seen[class], class)
		}
	}
}

// together runs the work on all cores and adds the tallies up.
func together(t *testing.T, work func(next *atomic.Uint64, seen tally) error) tally {
	t.Helper()
	var (
		next  atomic.Uint64
		lock  sync.Mutex
		group sync.WaitGroup
		all   = tally{}
	)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			seen := tally{}
			err := work(&next, seen)
			lock.Lock()
			defer lock.Unlock()
			for class, count := range seen {
				all[class] += count
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	return all
}

// compare asks the product and Cedar about all of a world's cases and returns the first disagreement. With a tally, it also
// counts, and checks what the product gives as its reasons.
func compare(p product, seed, n uint64, seen tally) error {
	w, d := worldOf(seed, n)
	entities := w.entities()
	c := court{world: w, product: p, seen: seen, policy: w.policy(), caller: w.caller(),
		application: w.judge(w.application, entities), user: w.judge(w.user, entities)}
	for range permissionsPerWorld {
		permission := d.permission()
		for range timesPerWorld {
			now := d.instant()
			for _, group := range groups {
				if err := c.try(request{permission, group, now}); err != nil {
					return fmt.Errorf("seed %d, world %d, %q in %q at %v, called in way %d: %w\n%v\n%v",
						seed, n, permission, group, now, w.how, err, c.application.policies, c.user.policies)
				}
			}
		}
	}
	return nil
}

// court hears a world's cases.
type court struct {
	world             world
	product           product
	seen              tally
	policy            *authz.Policy
	caller            authz.Caller
	application, user judge
}

func (c court) try(r request) error {
	application, err := c.subject(c.application, r)
	if err != nil {
		return err
	}
	user, err := c.subject(c.user, r)
	if err != nil {
		return err
	}
	c.caller.At = r.now
	err = c.product.requireIn(c.caller, r.permission, r.group)
	if want := c.world.verdict(r.permission, application, user); verdictOf(err) != want {
		return fmt.Errorf("a caller is %s, by Cedar %s", verdictOf(err), want)
	}
	if c.seen == nil {
		return nil
	}
	c.seen.caller(c.world, r.permission, application, user)
	return c.denialFits(err, application, user)
}

// subject compares the answers about one subject.
func (c court) subject(j judge, r request) (answer, error) {
	want := j.ask(r)
	got := c.product.decide(j.rights, c.policy, r.permission, r.group, r.now)
	if got.Allowed != want.may {
		return want, fmt.Errorf("%s: %+v, by Cedar %+v", j.of.name, got, want)
	}
	if c.seen == nil {
		return want, nil
	}
	c.seen.subject(j, r, want)
	if !reasonFits(got, want) {
		return want, fmt.Errorf("%s: the reason of %+v is none by Cedar: %+v", j.of.name, got, want)
	}
	return want, nil
}

// reasonFits tells whether what the product gives as its reason is one of Cedar's.
func reasonFits(got authz.Decision, want answer) bool {
	switch got.Via {
	case authz.ViaNothing:
		return !want.may && !want.explicit()
	case authz.ViaBase:
		return want.from("", byScopes, byMember)
	case authz.ViaDefault:
		return want.from("", byDefault)
	}
	return got.Via == authz.ViaGrant && want.from(got.Statement.Grant, byGrant, byRole)
}

// denialFits tells whether a refusal names one who may not, and a grant that denies it where there is one.
func (c court) denialFits(err error, application, user answer) error {
	var refusal *fault.Error
	if !errors.As(err, &refusal) || refusal.Denial == nil {
		return nil
	}
	lacks := application
	if refusal.Denial.Subject == c.world.user.name {
		lacks = user
	} else if refusal.Denial.Subject != c.world.application.name {
		return fmt.Errorf("the refusal names %q", refusal.Denial.Subject)
	}
	from := refusal.Denial.DeniedBy
	named := lacks.from(id.Grant(from), byGrant, byRole)
	switch {
	case from == "": // nothing denies it
		named = !lacks.explicit()
	case !id.IsGrant(from) && !strings.HasPrefix(from, "gr_"): // a role of every user
		named = lacks.from("", byDefault)
	}
	if lacks.may || !named {
		return fmt.Errorf("the refusal says %+v, by Cedar %+v", *refusal.Denial, lacks)
	}
	return nil
}
