package task_test

import (
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/task"
)

func TestAhead(t *testing.T) {
	set := clocktest.New(storetest.Noon())
	ahead := &task.Ahead{Clock: set}
	for _, test := range []struct {
		tick time.Time
		want time.Duration
	}{
		{time.Time{}, 0}, {storetest.Noon(), 0}, {storetest.Noon().Add(-time.Hour), 0},
		{storetest.Noon().Add(8 * 24 * time.Hour), 8 * 24 * time.Hour}, {time.Time{}, 0},
	} {
		ahead.Begin(task.Tick{Time: test.tick})
		if got := ahead.Now().Sub(storetest.Noon()); got != test.want {
			t.Errorf("a tick at %v is %v ahead, want %v", test.tick, got, test.want)
		}
	}
	ahead.Begin(task.Tick{Time: storetest.Noon().Add(time.Hour)})
	set.Advance(time.Minute)
	if got := ahead.Now().Sub(storetest.Noon()); got != time.Hour+time.Minute {
		t.Errorf("a minute on it is %v", got)
	}
}
