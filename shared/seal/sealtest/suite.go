package sealtest

import (
	"reflect"
	"testing"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Run checks that a store keeps the contract of seal.Store.
func Run(t *testing.T, store seal.Store) {
	t.Run("Create and Get keep every field", func(t *testing.T) { runKeeps(t, store) })
	t.Run("Latest is the highest number", func(t *testing.T) { runLatest(t, store) })
	t.Run("one of many creates a number", func(t *testing.T) { runCreateRace(t, store) })
	t.Run("AddUses loses nothing", func(t *testing.T) { runUses(t, store) })
	t.Run("an app has its own keys", func(t *testing.T) { runApart(t, store) })
}

func newKey(number uint32) seal.DataKey {
	return seal.DataKey{Number: number, Wrapped: []byte{byte(number), 0, 255}, CreatedAt: storetest.Noon()}
}

func wantKey(t *testing.T, doing string, got seal.DataKey, err error, want seal.DataKey) {
	t.Helper()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s = %+v, %v; want %+v", doing, got, err, want)
	}
}

func runKeeps(t *testing.T, store seal.Store) {
	ctx, app := t.Context(), id.Source{}.App()
	for _, number := range []uint32{1, 1<<32 - 1} {
		_, err := store.Get(ctx, app, number)
		storetest.Refused(t, "Get before Create", err, seal.ErrNoKey)
		key := newKey(number)
		key.Uses = 3
		storetest.OK(t, "Create", store.Create(ctx, app, key))
		got, err := store.Get(ctx, app, number)
		wantKey(t, "Get", got, err, key)
		storetest.Refused(t, "Create again", store.Create(ctx, app, newKey(number)), seal.ErrExists)
		got, err = store.Get(ctx, app, number)
		wantKey(t, "Get after that", got, err, key)
	}
}

func runLatest(t *testing.T, store seal.Store) {
	ctx, app := t.Context(), id.Source{}.App()
	_, err := store.Latest(ctx, app)
	storetest.Refused(t, "Latest of an app without keys", err, seal.ErrNoKey)
	for number := uint32(1); number <= 12; number++ { // beyond 9: numbers have to sort as numbers
		storetest.OK(t, "Create", store.Create(ctx, app, newKey(number)))
		got, err := store.Latest(ctx, app)
		wantKey(t, "Latest", got, err, newKey(number))
	}
}

func runCreateRace(t *testing.T, store seal.Store) {
	ctx, app := t.Context(), id.Source{}.App()
	keys := make([]seal.DataKey, storetest.Racers)
	for i := range keys {
		keys[i] = newKey(1)
		keys[i].Wrapped = []byte{byte(i)}
	}
	winner := storetest.OneWins(t, len(keys), seal.ErrExists, func(i int) error { return store.Create(ctx, app, keys[i]) })
	got, err := store.Latest(ctx, app)
	wantKey(t, "Latest", got, err, keys[winner])
}

func runUses(t *testing.T, store seal.Store) {
	ctx, app := t.Context(), id.Source{}.App()
	if err := store.AddUses(ctx, app, 1, 1); err == nil {
		t.Error("AddUses on a key that does not exist succeeded")
	}
	_, err := store.Get(ctx, app, 1)
	storetest.Refused(t, "Get after that", err, seal.ErrNoKey)
	storetest.OK(t, "Create", store.Create(ctx, app, newKey(1)))
	for _, err := range storetest.AtOnce(storetest.Racers, func(int) error { return store.AddUses(ctx, app, 1, 4096) }) {
		storetest.OK(t, "AddUses", err)
	}
	want := newKey(1)
	want.Uses = storetest.Racers * 4096
	got, err := store.Get(ctx, app, 1)
	wantKey(t, "Get", got, err, want)
}

func runApart(t *testing.T, store seal.Store) {
	ctx, mine, theirs := t.Context(), id.Source{}.App(), id.Source{}.App()
	storetest.OK(t, "Create", store.Create(ctx, mine, newKey(1)))
	_, err := store.Get(ctx, theirs, 1)
	storetest.Refused(t, "Get by another app", err, seal.ErrNoKey)
	_, err = store.Latest(ctx, theirs)
	storetest.Refused(t, "Latest by another app", err, seal.ErrNoKey)
	if err := store.AddUses(ctx, theirs, 1, 1); err == nil {
		t.Error("AddUses by another app succeeded")
	}
	got, err := store.Get(ctx, mine, 1)
	wantKey(t, "Get", got, err, newKey(1))
}
