// Package storetest has what the suites and memory stores of all resources share: a table in memory that is atomic and,
// on request, eventually consistent as DynamoDB is; a fuse that fails one chosen write; and helpers for races.
//
// Only tests import it.
package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"
)

// Racers is how many goroutines a suite lets run for one prize: enough that a check and a write that are not one step
// come apart.
const Racers = 32

// AtOnce runs do for 0 to n-1, all released at the same moment, and returns their errors by number.
func AtOnce(n int, do func(i int) error) []error {
	var done sync.WaitGroup
	start, errs := make(chan struct{}), make([]error, n)
	for i := range n {
		done.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	done.Wait()
	return errs
}

// T is what these helpers need of a test: *testing.T and *rapid.T have it.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// OneWins runs do n times at once, checks that exactly one succeeded and that all others got the error, and returns the
// number of the winner.
func OneWins(t *testing.T, n int, lost error, do func(i int) error) int {
	t.Helper()
	winner, winners := -1, 0
	for i, err := range AtOnce(n, do) {
		switch {
		case err == nil:
			winner, winners = i, winners+1
		case !errors.Is(err, lost):
			t.Errorf("racer %d: %v, want %v", i, err, lost)
		}
	}
	if winners != 1 {
		t.Fatalf("%d of %d racers won, want 1", winners, n)
	}
	return winner
}

// OK ends the test where err is not nil.
func OK(t T, doing string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", doing, err)
	}
}

// Refused ends the test where err is not the wanted one.
func Refused(t *testing.T, doing string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v, want %v", doing, err, want)
	}
}

// Noon is the fixed time of the suites: to the millisecond, which is how finely the stores keep times. It lies far ahead
// for the sake of engines that sweep expired rows away by their own clock.
func Noon() time.Time { return time.Date(2096, 3, 14, 12, 0, 0, 123e6, time.UTC) }
