package mediatest

import (
	"errors"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/media"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Run checks that a store keeps the contract of media.Store.
func Run(t *testing.T, store media.Store) {
	t.Run("Create and Get keep every field", func(t *testing.T) { runKeeps(t, store) })
	t.Run("an ID is taken once", func(t *testing.T) { runTaken(t, store) })
	t.Run("a media goes from uploading to ready, and stays", func(t *testing.T) { runReady(t, store) })
	t.Run("a media goes from uploading to rejected, and stays", func(t *testing.T) { runRejected(t, store) })
	t.Run("another content is not checked", func(t *testing.T) { runReplaced(t, store) })
	t.Run("what is not there is not made", func(t *testing.T) { runAbsent(t, store) })
	t.Run("one of many results stays", func(t *testing.T) { runRace(t, store) })
	t.Run("what is sent stays", func(t *testing.T) { runKept(t, store) })
	t.Run("what is not sent is removed when it has expired", func(t *testing.T) { runExpired(t, store) })
	t.Run("of a send and a removal at once one wins", func(t *testing.T) { runKeptOrRemoved(t, store) })
	t.Run("apps are apart", func(t *testing.T) { runApart(t, store) })
}

func created(t *testing.T, store media.Store) media.Media {
	t.Helper()
	m := New(id.Source{}.App())
	_, err := store.Create(t.Context(), m)
	storetest.OK(t, "Create", err)
	return m
}

func want(t *testing.T, store media.Store, m media.Media) {
	t.Helper()
	if got, err := store.Get(t.Context(), m.App, m.ID, true); err != nil || !reflect.DeepEqual(got, m) {
		t.Fatalf("Get = %+v, %v; want %+v", got, err, m)
	}
}

func runKeeps(t *testing.T, store media.Store) { want(t, store, created(t, store)) }

func runTaken(t *testing.T, store media.Store) {
	m := created(t, store)
	other := m
	other.Declared.Size++
	standing, err := store.Create(t.Context(), other)
	storetest.Refused(t, "Create again", err, media.ErrExists)
	if !reflect.DeepEqual(standing, m) {
		t.Errorf("the standing media = %+v, want %+v", standing, m)
	}
	want(t, store, m)
}

// begun begins a check and returns the media as it is then.
func begun(t *testing.T, store media.Store, m media.Media, tries int) media.Media {
	t.Helper()
	m.State, m.ETag, m.Tries = media.Checking, "e1", tries
	got, err := store.Begin(t.Context(), m.App, m.ID, "e1")
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Fatalf("Begin = %+v, %v; want %+v", got, err, m)
	}
	return m
}

func runReady(t *testing.T, store media.Store) {
	m := begun(t, store, begun(t, store, created(t, store), 1), 2)
	m.State, m.Result = media.Ready, Found(false)
	storetest.OK(t, "Finish", store.Finish(t.Context(), m.App, m.ID, "e1", m.Result))
	stays(t, store, m)
}

func runRejected(t *testing.T, store media.Store) {
	m := begun(t, store, created(t, store), 1)
	m.State, m.Result = media.Rejected, Found(true)
	storetest.OK(t, "Finish", store.Finish(t.Context(), m.App, m.ID, "e1", m.Result))
	stays(t, store, m)
}

// stays checks that nothing moves a settled media.
func stays(t *testing.T, store media.Store, m media.Media) {
	t.Helper()
	want(t, store, m)
	for _, etag := range []string{"e1", "e2"} {
		_, err := store.Begin(t.Context(), m.App, m.ID, etag)
		storetest.Refused(t, "Begin", err, media.ErrSettled)
		for _, rejected := range []bool{false, true} {
			storetest.Refused(t, "Finish", store.Finish(t.Context(), m.App, m.ID, etag, Found(rejected)), media.ErrSettled)
		}
	}
	want(t, store, m)
}

func runReplaced(t *testing.T, store media.Store) {
	m := created(t, store)
	storetest.Refused(t, "Finish before Begin", store.Finish(t.Context(), m.App, m.ID, "e1", Found(false)), media.ErrSettled)
	m = begun(t, store, m, 1)
	_, err := store.Begin(t.Context(), m.App, m.ID, "e2")
	storetest.Refused(t, "Begin of another content", err, media.ErrSettled)
	storetest.Refused(t, "Finish of another content", store.Finish(t.Context(), m.App, m.ID, "e2", Found(false)), media.ErrSettled)
	want(t, store, m)
}

func runAbsent(t *testing.T, store media.Store) {
	m := New(id.Source{}.App())
	_, err := store.Get(t.Context(), m.App, m.ID, true)
	storetest.Refused(t, "Get", err, media.ErrNotFound)
	_, err = store.Begin(t.Context(), m.App, m.ID, "e1")
	storetest.Refused(t, "Begin", err, media.ErrNotFound)
	storetest.Refused(t, "Finish", store.Finish(t.Context(), m.App, m.ID, "e1", Found(false)), media.ErrNotFound)
	storetest.Refused(t, "Keep", store.Keep(t.Context(), m.App, m.ID), media.ErrNotFound)
	storetest.Refused(t, "Remove", store.Remove(t.Context(), m.App, m.ID, m.Expires), media.ErrNotFound)
	_, err = store.Get(t.Context(), m.App, m.ID, true)
	storetest.Refused(t, "Get", err, media.ErrNotFound)
}

func runRace(t *testing.T, store media.Store) {
	m := begun(t, store, created(t, store), 1)
	var ready atomic.Int32
	for _, err := range storetest.AtOnce(storetest.Racers, func(i int) error {
		err := store.Finish(t.Context(), m.App, m.ID, "e1", Found(i%2 == 0))
		if err == nil && i%2 != 0 {
			ready.Add(1)
		}
		return err
	}) {
		if err != nil && !errors.Is(err, media.ErrSettled) {
			t.Errorf("Finish: %v", err)
		}
	}
	got, err := store.Get(t.Context(), m.App, m.ID, true)
	if err != nil || (got.State == media.Ready) != (ready.Load() == 1) {
		t.Errorf("after %d said ready: %+v, %v", ready.Load(), got, err)
	}
}

func runKept(t *testing.T, store media.Store) {
	m := created(t, store)
	late := m.Expires.Add(time.Hour)
	for range 2 {
		storetest.OK(t, "Keep", store.Keep(t.Context(), m.App, m.ID))
	}
	storetest.Refused(t, "Remove", store.Remove(t.Context(), m.App, m.ID, late), media.ErrSettled)
	m.Expires = time.Time{}
	want(t, store, m)
}

func runExpired(t *testing.T, store media.Store) {
	m := created(t, store)
	storetest.Refused(t, "Remove too early", store.Remove(t.Context(), m.App, m.ID, m.Expires.Add(-time.Second)), media.ErrSettled)
	want(t, store, m)
	storetest.OK(t, "Remove", store.Remove(t.Context(), m.App, m.ID, m.Expires))
	_, err := store.Get(t.Context(), m.App, m.ID, true)
	storetest.Refused(t, "Get", err, media.ErrNotFound)
	storetest.Refused(t, "Keep", store.Keep(t.Context(), m.App, m.ID), media.ErrNotFound)
}

func runKeptOrRemoved(t *testing.T, store media.Store) {
	m := created(t, store)
	errs := storetest.AtOnce(2, func(i int) error {
		if i == 0 {
			return store.Keep(t.Context(), m.App, m.ID)
		}
		return store.Remove(t.Context(), m.App, m.ID, m.Expires)
	})
	_, err := store.Get(t.Context(), m.App, m.ID, true)
	if kept, removed := errs[0] == nil, errs[1] == nil; kept == removed || kept != (err == nil) {
		t.Errorf("Keep: %v, Remove: %v, Get: %v", errs[0], errs[1], err)
	}
}

func runApart(t *testing.T, store media.Store) {
	m := created(t, store)
	other := id.Source{}.App()
	_, err := store.Get(t.Context(), other, m.ID, true)
	storetest.Refused(t, "Get in another app", err, media.ErrNotFound)
	_, err = store.Begin(t.Context(), other, m.ID, "e1")
	storetest.Refused(t, "Begin in another app", err, media.ErrNotFound)
	want(t, store, m)
}
