package guess_test

import (
	"context"
	"fmt"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/guess"
	"github.com/tokenim/tokenim/shared/guess/guesstest"
)

// Two guesses are free; the third has to wait.
func Example() {
	noon := func() time.Time { return time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC) }
	limiter := &guess.Limiter{Store: guesstest.NewStore(), Clock: clock.Func(noon)}
	rule := guess.Rule{Free: 2, Delay: 30 * time.Second, MaxDelay: 15 * time.Minute, Forget: 24 * time.Hour}
	for range 3 {
		err := limiter.Take(context.Background(), "login#ann@example.com", rule)
		fmt.Println(err == nil, fault.Is(err, fault.TooManyAttempts))
	}
	err := limiter.Take(context.Background(), "login#ann@example.com", rule)
	fmt.Println(err, fault.Of(err).RetryAfter)
	// Output:
	// true false
	// true false
	// false true
	// too_many_attempts: Too many attempts; wait 30s. 30s
}
