package tasktest

import (
	"context"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/task"
)

// background serves rapid's tests too, which have a context of their own kind.
var background = context.Background()

// Run checks that a store keeps the contract of task.Store. Each part takes an empty store.
func Run(t *testing.T, empty func() task.Store) {
	t.Run("Add and Due keep every field", func(t *testing.T) { runKeeps(t, empty()) })
	t.Run("the same task is one", func(t *testing.T) { runSame(t, empty()) })
	t.Run("Due is in order and in pages", func(t *testing.T) { runOrder(t, empty()) })
	t.Run("added when due already", func(t *testing.T) { runLate(t, empty()) })
	t.Run("due once, however long nobody asked", func(t *testing.T) { runOnce(t, empty) })
}

// NewTask returns a task that is due at the time, with every field set.
func NewTask(due time.Time) task.Task {
	app := id.Source{}.App()
	return task.Task{Kind: task.KeyExpiring, Due: due, App: app, Subject: string(id.Source{}.Key(app)), Attempts: 3}
}

func due(t storetest.T, store task.Store, now time.Time, limit int) []task.Task {
	t.Helper()
	found, err := store.Due(background, now, limit)
	storetest.OK(t, "Due", err)
	return found
}

func add(t storetest.T, store task.Store, added task.Task) {
	t.Helper()
	storetest.OK(t, "Add", store.Add(background, added))
}

func wantDue(t storetest.T, store task.Store, now time.Time, want ...task.Task) {
	t.Helper()
	if got := due(t, store, now, 100); len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Fatalf("due at %v: %+v\nwant %+v", now, got, want)
	}
}

func runKeeps(t *testing.T, store task.Store) {
	full := NewTask(storetest.Noon())
	bare := task.Task{Kind: task.AppErase, Due: storetest.Noon().Add(time.Hour), App: id.Source{}.App()}
	add(t, store, full)
	add(t, store, bare)
	wantDue(t, store, full.Due.Add(-time.Millisecond))
	wantDue(t, store, full.Due, full)
	wantDue(t, store, bare.Due, full, bare)
	storetest.OK(t, "Done", store.Done(t.Context(), full))
	wantDue(t, store, bare.Due, bare)
	storetest.OK(t, "Done again", store.Done(t.Context(), full))
	storetest.OK(t, "Done", store.Done(t.Context(), bare))
	wantDue(t, store, bare.Due)
}

func runSame(t *testing.T, store task.Store) {
	one := NewTask(storetest.Noon())
	again := one
	again.Due, again.Attempts = one.Due.Add(time.Microsecond), 4 // the same millisecond
	add(t, store, one)
	add(t, store, again)
	again.Due = one.Due
	wantDue(t, store, one.Due, again)
	for _, change := range []func(*task.Task){
		func(t *task.Task) { t.Kind = task.KeyRotated },
		func(t *task.Task) { t.Subject = "" },
		func(t *task.Task) { t.App = id.Source{}.App() },
	} {
		other := one
		change(&other)
		add(t, store, other)
	}
	if found := due(t, store, one.Due, 100); len(found) != 4 {
		t.Fatalf("due: %+v, want four tasks of one time", found)
	}
}

func runOrder(t *testing.T, store task.Store) {
	due(t, store, storetest.Noon(), 1) // the schedule runs before and after
	want := make([]task.Task, 9)
	for _, i := range []int{4, 8, 1, 0, 7, 3, 6, 2, 5} {
		want[i] = NewTask(storetest.Noon().Add(time.Duration(i) * 11 * time.Hour))
		add(t, store, want[i])
	}
	now := want[8].Due
	for limit := 1; limit <= 10; limit++ {
		if got := due(t, store, now, limit); !reflect.DeepEqual(got, want[:min(limit, 9)]) {
			t.Fatalf("the first %d: %+v\nwant %+v", limit, got, want[:min(limit, 9)])
		}
	}
}

// A warning can be added when its time has passed already.
func runLate(t *testing.T, store task.Store) {
	now := storetest.Noon()
	wantDue(t, store, now)
	late := NewTask(now.Add(-2 * 24 * time.Hour))
	add(t, store, late)
	wantDue(t, store, now, late)
}

// runOnce adds tasks in any order while time passes in leaps of any length, and takes what is due: each comes once, not
// before its time, and at the first question after it.
func runOnce(t *testing.T, empty func() task.Store) {
	rapid.Check(t, func(t *rapid.T) {
		store, now := empty(), storetest.Noon()
		due(t, store, now, 1)
		waiting := map[string]task.Task{}
		for range rapid.IntRange(1, 8).Draw(t, "rounds") {
			for range rapid.IntRange(0, 4).Draw(t, "added") {
				added := NewTask(now.Add(time.Duration(rapid.Int64Range(0, int64(40*24*time.Hour)).Draw(t, "in")).Truncate(time.Millisecond)))
				add(t, store, added)
				waiting[added.Subject] = added
			}
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(15*24*time.Hour)).Draw(t, "passed")).Truncate(time.Millisecond))
			take(t, store, now, rapid.IntRange(1, 5).Draw(t, "limit"), waiting)
		}
		take(t, store, now.Add(60*24*time.Hour), 5, waiting)
		if len(waiting) > 0 {
			t.Fatalf("never due: %+v", waiting)
		}
	})
}

// take takes everything that is due and removes it from what is waited for.
func take(t *rapid.T, store task.Store, now time.Time, limit int, waiting map[string]task.Task) {
	for {
		found := due(t, store, now, limit)
		for _, one := range found {
			if want, ok := waiting[one.Subject]; !ok || want != one || one.Due.After(now) {
				t.Fatalf("due at %v: %+v, want %+v (%v)", now, one, want, ok)
			}
			storetest.OK(t, "Done", store.Done(background, one))
			delete(waiting, one.Subject)
		}
		if len(found) < limit {
			break
		}
	}
	for _, left := range waiting {
		if !left.Due.After(now) {
			t.Fatalf("not due at %v: %+v", now, left)
		}
	}
}
