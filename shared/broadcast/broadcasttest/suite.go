package broadcasttest

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/broadcast"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// New returns a broadcast of the app that nothing of is stored.
func New(app id.App) broadcast.Broadcast {
	return broadcast.Broadcast{ID: id.Source{}.Broadcast(), App: app, From: id.Source{}.User(), Type: "text", KeyNumber: 1, Fingerprint: []byte("tag"),
		CreatedAt: storetest.Noon(), Progress: broadcast.Progress{State: broadcast.Running}}
}

// content is what the suite's broadcasts have sealed.
var content = []byte("sealed")

// Run checks the contract of broadcast.Store.
func Run(t *testing.T, store broadcast.Store) {
	t.Run("a broadcast begins once", func(t *testing.T) { runBegin(t, store) })
	t.Run("slots", func(t *testing.T) { runSlots(t, store) })
	t.Run("racers take the slots", func(t *testing.T) { runRace(t, store) })
	t.Run("list", func(t *testing.T) { runList(t, store) })
	t.Run("cancel", func(t *testing.T) { runCancel(t, store) })
	t.Run("who has seen the last step saves the next", func(t *testing.T) { runSave(t, store) })
	t.Run("racers save a step once", func(t *testing.T) { runSaveRace(t, store) })
	t.Run("release", func(t *testing.T) { runRelease(t, store) })
}

// begin begins a broadcast, which has to be the one that stands after it.
func begin(t *testing.T, store broadcast.Store, begun broadcast.Broadcast) broadcast.Broadcast {
	t.Helper()
	standing, err := store.Begin(t.Context(), begun, content)
	begun.Slot = standing.Slot
	want(t, "Begin", standing, err, begun)
	return standing
}

func want(t *testing.T, doing string, got broadcast.Broadcast, err error, want broadcast.Broadcast) {
	t.Helper()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s = %+v, %v; want %+v", doing, got, err, want)
	}
}

func runBegin(t *testing.T, store broadcast.Store) {
	begun := New(id.Source{}.App())
	_, err := store.Get(t.Context(), begun.App, begun.ID)
	storetest.Refused(t, "Get before", err, broadcast.ErrNotFound)
	_, err = store.Content(t.Context(), begun.App, begun.ID)
	storetest.Refused(t, "Content before", err, broadcast.ErrNotFound)
	begun = begin(t, store, begun)
	another := begun
	another.From, another.Fingerprint = id.Source{}.User(), []byte("another")
	for range broadcast.MaxUnfinished { // which takes no more slots
		standing, err := store.Begin(t.Context(), another, []byte("another"))
		want(t, "Begin again", standing, err, begun)
	}
	begin(t, store, New(begun.App))
	found, err := store.Get(t.Context(), begun.App, begun.ID)
	want(t, "Get", found, err, begun)
	if sealed, err := store.Content(t.Context(), begun.App, begun.ID); err != nil || !bytes.Equal(sealed, content) {
		t.Errorf("Content = %q, %v", sealed, err)
	}
	_, err = store.Get(t.Context(), id.Source{}.App(), begun.ID)
	storetest.Refused(t, "Get by another app", err, broadcast.ErrNotFound)
}

func runSlots(t *testing.T, store broadcast.Store) {
	app := id.Source{}.App()
	var slots []int
	for range broadcast.MaxUnfinished {
		slots = append(slots, begin(t, store, New(app)).Slot)
	}
	slices.Sort(slots)
	if len(slices.Compact(slots)) != broadcast.MaxUnfinished {
		t.Errorf("the slots are %v", slots)
	}
	_, err := store.Begin(t.Context(), New(app), content)
	storetest.Refused(t, "Begin of one too many", err, broadcast.ErrTooMany)
	begin(t, store, New(id.Source{}.App())) // another app has its own
	late := New(app)
	late.CreatedAt = late.CreatedAt.Add(broadcast.Kept)
	begin(t, store, late)
}

func runRace(t *testing.T, store broadcast.Store) {
	app, began := id.Source{}.App(), 0
	for _, err := range storetest.AtOnce(storetest.Racers, func(int) error {
		_, err := store.Begin(t.Context(), New(app), content)
		return err
	}) {
		if err == nil {
			began++
		} else if !errors.Is(err, broadcast.ErrTooMany) && !fault.Is(err, fault.Overtaken) {
			t.Errorf("racer: %v", err)
		}
	}
	if began != broadcast.MaxUnfinished {
		t.Errorf("%d began, want %d", began, broadcast.MaxUnfinished)
	}
}

func runList(t *testing.T, store broadcast.Store) {
	app := id.Source{}.App()
	var all []broadcast.Broadcast
	for i := range 5 {
		begun := New(app)
		begun.CreatedAt = begun.CreatedAt.Add(time.Duration(i) * time.Second)
		begun = begin(t, store, begun)
		storetest.OK(t, "Release", store.Release(t.Context(), begun))
		all = append(all, begun)
	}
	slices.Reverse(all)
	for _, limit := range []int{1, 2, 5, 100} {
		var listed []broadcast.Broadcast
		for after := ""; ; {
			page, next, err := store.List(t.Context(), app, after, limit)
			storetest.OK(t, "List", err)
			if len(page) > limit {
				t.Fatalf("a page of %d has %d", limit, len(page))
			}
			listed = append(listed, page...)
			if next == "" {
				break
			}
			after = next
		}
		if !reflect.DeepEqual(listed, all) {
			t.Errorf("by %d: %+v, want %+v", limit, listed, all)
		}
	}
	if page, next, err := store.List(t.Context(), id.Source{}.App(), "", 10); err != nil || len(page) > 0 || next != "" {
		t.Errorf("another app's list is %v, %q, %v", page, next, err)
	}
}

func runCancel(t *testing.T, store broadcast.Store) {
	begun := begin(t, store, New(id.Source{}.App()))
	cancelled := begun
	cancelled.CancelledAt = begun.CreatedAt.Add(time.Minute)
	for _, at := range []time.Duration{time.Minute, time.Hour} {
		after, err := store.Cancel(t.Context(), begun.App, begun.ID, begun.CreatedAt.Add(at))
		want(t, "Cancel", after, err, cancelled)
	}
	saved := begun // by one who has not seen it
	saved.Steps, saved.Run, saved.State, saved.FinishedAt = 1, "run", broadcast.Done, begun.CreatedAt.Add(time.Hour)
	done := saved
	done.CancelledAt = cancelled.CancelledAt
	after, err := store.Save(t.Context(), saved)
	want(t, "Save", after, err, done)
	_, err = store.Cancel(t.Context(), begun.App, id.Source{}.Broadcast(), begun.CreatedAt)
	storetest.Refused(t, "Cancel of none", err, broadcast.ErrNotFound)
	finished := begin(t, store, New(begun.App))
	finished.Steps, finished.State = 1, broadcast.Failed
	after, err = store.Save(t.Context(), finished)
	want(t, "Save", after, err, finished)
	after, err = store.Cancel(t.Context(), begun.App, finished.ID, begun.CreatedAt)
	want(t, "Cancel of a finished one", after, err, finished)
}

func runSave(t *testing.T, store broadcast.Store) {
	begun := begin(t, store, New(id.Source{}.App()))
	first := begun
	first.Progress = broadcast.Progress{State: broadcast.Running, Sent: 3, Skipped: 2, Failed: 1, Shard: 4, Position: []byte("sealed name"),
		Last: broadcast.Mark{Conversation: "c_1", Sequence: 7}, Tries: 2, Steps: 1, Run: "one"}
	for range 2 { // the repetition is no refusal
		after, err := store.Save(t.Context(), first)
		want(t, "Save", after, err, first)
	}
	second := first
	second.Progress = broadcast.Progress{State: broadcast.Failed, Code: fault.UserNotFound, FinishedAt: begun.CreatedAt.Add(time.Hour), Steps: 2, Run: "two"}
	stale := first
	stale.Run = "two"
	_, err := store.Save(t.Context(), stale)
	storetest.Refused(t, "Save of a step that another has saved", err, broadcast.ErrOvertaken)
	after, err := store.Save(t.Context(), second)
	want(t, "Save", after, err, second)
	_, err = store.Save(t.Context(), first)
	storetest.Refused(t, "Save of an earlier step", err, broadcast.ErrOvertaken)
	found, err := store.Get(t.Context(), begun.App, begun.ID)
	want(t, "Get", found, err, second)
	_, err = store.Save(t.Context(), New(begun.App))
	storetest.Refused(t, "Save of none", err, broadcast.ErrNotFound)
}

func runSaveRace(t *testing.T, store broadcast.Store) {
	begun := begin(t, store, New(id.Source{}.App()))
	begun.Steps = 1
	storetest.OneWins(t, storetest.Racers, broadcast.ErrOvertaken, func(int) error {
		mine := begun
		mine.Run = id.Source{}.Text(16)
		_, err := store.Save(t.Context(), mine)
		return err
	})
}

func runRelease(t *testing.T, store broadcast.Store) {
	app := id.Source{}.App()
	first := begin(t, store, New(app))
	for range broadcast.MaxUnfinished - 1 {
		begin(t, store, New(app))
	}
	for range 2 { // again is nothing
		storetest.OK(t, "Release", store.Release(t.Context(), first))
	}
	_, err := store.Content(t.Context(), app, first.ID)
	storetest.Refused(t, "Content", err, broadcast.ErrNotFound)
	next := begin(t, store, New(app))
	if next.Slot != first.Slot {
		t.Errorf("the slot is %d, want %d", next.Slot, first.Slot)
	}
	storetest.OK(t, "Release of one whose slot another has", store.Release(t.Context(), first))
	_, err = store.Begin(t.Context(), New(app), content)
	storetest.Refused(t, "Begin of one too many", err, broadcast.ErrTooMany)
}
