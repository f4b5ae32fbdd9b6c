// Package clocktest has a clock that stands still until a test moves it.
package clocktest

import (
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
)

// Clock implements clock.Clock. It is safe for concurrent use.
type Clock struct {
	mutex sync.Mutex
	now   time.Time
}

var _ clock.Clock = (*Clock)(nil)

// New returns a clock that stands at the time.
func New(now time.Time) *Clock { return &Clock{now: now} }

// Now returns the time at which the clock stands.
func (c *Clock) Now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.now
}

// Advance moves the clock forward.
func (c *Clock) Advance(by time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.now = c.now.Add(by)
}
