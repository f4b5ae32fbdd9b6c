package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
)

// The system's clock is as fine as the tables are: a time is the same when it comes back from there.
func TestSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1_234_567 * time.Nanosecond) // the bubble's time, not ours
		now := clock.System{}.Now()
		if now.Location() != time.UTC || !now.Equal(time.UnixMilli(time.Now().UnixMilli())) {
			t.Errorf("Now = %v at %v", now, time.Now())
		}
	})
}

func TestSetClocks(t *testing.T) {
	noon := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	if got := clock.Func(func() time.Time { return noon }).Now(); !got.Equal(noon) {
		t.Errorf("Func: %v", got)
	}
	set := clocktest.New(noon)
	set.Advance(time.Hour)
	if got := set.Now(); !got.Equal(noon.Add(time.Hour)) {
		t.Errorf("after an hour: %v", got)
	}
}
