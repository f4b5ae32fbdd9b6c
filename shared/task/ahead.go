package task

import (
	"context"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
)

// Tick is what a schedule invokes with: EventBridge's event, of which the time is all that matters.
type Tick struct {
	Time time.Time `json:"time"`
}

// Ahead is the clock of a run: the time of now, or that of the run's tick where it is later. EventBridge names the moment
// at which it fired; the laptop's schedule can be asked for a run at a later one, so that a week's grace can be tried out.
type Ahead struct {
	// Clock is the one of now.
	Clock clock.Clock

	mutex sync.Mutex
	lead  time.Duration
}

// Begin sets the clock by the tick that the run was invoked with.
func (a *Ahead) Begin(tick Tick) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.lead = max(0, tick.Time.Sub(a.Clock.Now()))
	if tick.Time.IsZero() {
		a.lead = 0
	}
}

// Handler answers ticks with runs at the time that each begins.
func (a *Ahead) Handler(run func(ctx context.Context, now time.Time) error) func(context.Context, Tick) (struct{}, error) {
	return func(ctx context.Context, tick Tick) (struct{}, error) {
		a.Begin(tick)
		return struct{}{}, run(ctx, a.Now())
	}
}

// Now returns the time.
func (a *Ahead) Now() time.Time {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.Clock.Now().Add(a.lead).Truncate(time.Millisecond)
}
