package wsapi

import (
	"sync/atomic"
	"time"
)

// clock is the time of the idle and lifetime limits. Tests move it forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Advance moves the clock of the idle and lifetime limits forward and cuts what is over them.
func (a *API) Advance(d time.Duration) {
	a.clock.ahead.Add(int64(d))
	a.cut()
}

// cutOld enforces the limits until the API ends.
func (a *API) cutOld() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-a.stop:
			return
		case <-ticker.C:
			a.cut()
		}
	}
}

func (a *API) cut() {
	now := a.clock.now()
	for _, c := range a.all() {
		if now.Sub(c.opened) >= Lifetime || now.Sub(time.UnixMilli(c.active.Load())) >= IdleLimit {
			c.close(ending{codeGoingAway, reasonGoingAway})
		}
	}
}
