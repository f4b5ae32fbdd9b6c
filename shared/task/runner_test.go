package task_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/task"
	"github.com/tokenim/tokenim/shared/task/tasktest"
)

// TestMain keeps quiet what these tests provoke on purpose.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// recorder is a handler that writes down what it was given, and answers with err.
type recorder struct {
	seen []task.Task
	err  error
}

func (r *recorder) handle(_ context.Context, due task.Task) error {
	r.seen = append(r.seen, due)
	return r.err
}

// setUp returns a runner on a store in memory whose handlers record.
func setUp() (runner *task.Runner, store *tasktest.Store, warnings, erasures *recorder) {
	store, warnings, erasures = tasktest.NewStore(), &recorder{}, &recorder{}
	return &task.Runner{Store: store, Handlers: map[task.Kind]task.Handler{
		task.KeyExpiring: warnings.handle, task.AppErase: erasures.handle,
	}}, store, warnings, erasures
}

func add(t *testing.T, store task.Store, kind task.Kind, due time.Time) task.Task {
	t.Helper()
	added := tasktest.NewTask(due)
	added.Kind, added.Attempts = kind, 0
	storetest.OK(t, "Add", store.Add(t.Context(), added))
	return added
}

func TestRunDispatches(t *testing.T) {
	runner, store, warnings, erasures := setUp()
	noon := storetest.Noon()
	var want []task.Task
	for i := range 250 { // more than one batch
		want = append(want, add(t, store, task.KeyExpiring, noon.Add(time.Duration(i-250)*time.Second)))
	}
	erase := add(t, store, task.AppErase, noon)
	later := add(t, store, task.AppErase, noon.Add(time.Millisecond))
	storetest.OK(t, "Run", runner.Run(t.Context(), noon))
	if !reflect.DeepEqual(warnings.seen, want) || !slices.Equal(erasures.seen, []task.Task{erase}) {
		t.Errorf("did %d warnings and %+v", len(warnings.seen), erasures.seen)
	}
	if left := store.All(); !slices.Equal(left, []task.Task{later}) {
		t.Errorf("left: %+v", left)
	}
}

func TestRunGoesOnAfterAFailure(t *testing.T) {
	runner, store, warnings, erasures := setUp()
	warnings.err = errors.New("no answer")
	now := storetest.Noon()
	failing := add(t, store, task.KeyExpiring, now.Add(-time.Hour))
	add(t, store, task.AppErase, now)
	for attempt, wait := range []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute} {
		if err := runner.Run(t.Context(), now); err == nil {
			t.Fatal("Run tells of no failure")
		}
		failing.Due, failing.Attempts = now.Add(wait), attempt+1
		if left := store.All(); !slices.Equal(left, []task.Task{failing}) {
			t.Fatalf("left: %+v, want %+v", left, failing)
		}
		storetest.OK(t, "Run before it is due", runner.Run(t.Context(), failing.Due.Add(-time.Millisecond)))
		now = failing.Due
	}
	if len(warnings.seen) != 3 || len(erasures.seen) != 1 {
		t.Errorf("did %d warnings and %d erasures", len(warnings.seen), len(erasures.seen))
	}
	warnings.err = nil
	storetest.OK(t, "Run", runner.Run(t.Context(), now))
	if left := store.All(); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

// A task that keeps failing waits hours at most, so it stays within what a store finds, and never overflows.
func TestRunWaitsSixHoursAtMost(t *testing.T) {
	runner, store, warnings, _ := setUp()
	warnings.err = errors.New("no answer")
	added := tasktest.NewTask(storetest.Noon())
	added.Attempts = 1_000_000
	storetest.OK(t, "Add", store.Add(t.Context(), added))
	if err := runner.Run(t.Context(), storetest.Noon()); err == nil {
		t.Error("Run tells of no failure")
	}
	if left := store.All(); len(left) != 1 || !left[0].Due.Equal(storetest.Noon().Add(6*time.Hour)) {
		t.Errorf("left: %+v", left)
	}
}

func TestRunSurvivesDefects(t *testing.T) {
	runner, store, _, erasures := setUp()
	runner.Handlers[task.KeyExpiring] = func(context.Context, task.Task) error { panic("a defect") }
	for _, kind := range []task.Kind{task.KeyExpiring, "of another version", task.AppErase} {
		add(t, store, kind, storetest.Noon())
	}
	if err := runner.Run(t.Context(), storetest.Noon()); err == nil {
		t.Error("Run tells of no failure")
	}
	if left := store.All(); len(left) != 2 || len(erasures.seen) != 1 {
		t.Errorf("left: %+v; did %d erasures", left, len(erasures.seen))
	}
}

func TestRunContinuesWhatIsUnfinished(t *testing.T) {
	runner, store, _, erasures := setUp()
	erasures.err = task.ErrUnfinished
	now := storetest.Noon()
	add(t, store, task.AppErase, now)
	for range 3 {
		storetest.OK(t, "Run", runner.Run(t.Context(), now))
		now = now.Add(time.Hour)
	}
	if left := store.All(); len(erasures.seen) != 3 || len(left) != 1 {
		t.Errorf("did it %d times, left %+v", len(erasures.seen), left)
	}
}

// A run that is out of time starts nothing, and a handler's own time ends before the run's.
func TestRunKeepsItsTime(t *testing.T) {
	runner, store, _, erasures := setUp()
	added := add(t, store, task.AppErase, storetest.Noon())
	short, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	storetest.OK(t, "Run without time", runner.Run(short, storetest.Noon()))
	if left := store.All(); len(erasures.seen) != 0 || !slices.Equal(left, []task.Task{added}) {
		t.Errorf("did %+v, left %+v", erasures.seen, left)
	}
	enough, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	runner.Handlers[task.AppErase] = func(ctx context.Context, _ task.Task) error {
		inner, _ := ctx.Deadline()
		outer, _ := enough.Deadline()
		if outer.Sub(inner) < time.Second {
			t.Errorf("the handler's time ends at %v, the run's at %v", inner, outer)
		}
		return nil
	}
	storetest.OK(t, "Run", runner.Run(enough, storetest.Noon()))
}

// A task that would take all the time there is, run after run, leaves some to those behind it.
func TestRunLeavesTimeForTheNext(t *testing.T) {
	runner, store, warnings, _ := setUp()
	now := storetest.Noon()
	add(t, store, task.AppErase, now)
	add(t, store, task.KeyExpiring, now.Add(time.Millisecond))
	run, cancel := context.WithTimeout(t.Context(), 12*time.Second)
	defer cancel()
	end, _ := run.Deadline()
	runner.Handlers[task.AppErase] = func(ctx context.Context, _ task.Task) error {
		if until, _ := ctx.Deadline(); end.Sub(until) < 5*time.Second {
			t.Errorf("of 12 s it leaves %s", end.Sub(until))
		}
		return task.ErrUnfinished
	}
	storetest.OK(t, "Run", runner.Run(run, now.Add(time.Second)))
	if len(warnings.seen) != 1 {
		t.Error("the other task had no turn")
	}
}

// A run that dies between any two of its writes loses no task.
func TestRunLosesNothing(t *testing.T) {
	for _, tookEffect := range []bool{false, true} {
		for at := 1; ; at++ {
			runner, store, warnings, erasures := setUp()
			warnings.err, erasures.err = errors.New("no answer"), task.ErrUnfinished
			add(t, store, task.KeyExpiring, storetest.Noon())
			add(t, store, task.AppErase, storetest.Noon())
			fuse := &storetest.Fuse{At: at, TookEffect: tookEffect, Dies: true}
			runner.Store = tasktest.FuseStore(fuse, store)
			err := runner.Run(t.Context(), storetest.Noon())
			if !fuse.Blown() {
				break
			}
			if err == nil {
				t.Fatal("a dead run tells of no failure")
			}
			runner.Store, warnings.err, erasures.err = store, nil, nil
			before := len(warnings.seen)*len(erasures.seen) - 1
			storetest.OK(t, "Run", runner.Run(t.Context(), storetest.Noon().Add(time.Hour)))
			if left := store.All(); len(left) != 0 || len(warnings.seen)*len(erasures.seen) <= before {
				t.Fatalf("write %d: left %+v", at, left)
			}
		}
	}
}
