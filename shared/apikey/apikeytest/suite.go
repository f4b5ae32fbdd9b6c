package apikeytest

import (
	"crypto/sha256"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Run checks that a store keeps the contract of apikey.Store.
func Run(t *testing.T, store apikey.Store) {
	t.Run("Create and Get keep every field", func(t *testing.T) { runKeeps(t, store) })
	t.Run("Create is atomic", func(t *testing.T) { runCreateOnce(t, store) })
	t.Run("List pages by ID", func(t *testing.T) { runList(t, store) })
	t.Run("Revoke counts once", func(t *testing.T) { runRevoke(t, store) })
	t.Run("Revoke is atomic", func(t *testing.T) { runRevokeRace(t, store) })
	t.Run("an app sees its own keys", func(t *testing.T) { runApart(t, store) })
}

// NewKey returns a key of the app with every field set but RevokedAt.
func NewKey(app id.App) apikey.Key {
	ids := id.Source{}
	return apikey.Key{ID: ids.Key(app), App: app, Name: "backend 后端", Scopes: []string{"messages:send", "keys:manage"},
		Hash: sha256.Sum256([]byte(ids.Text(43))), CreatedAt: storetest.Noon(), CreatedBy: ids.Key(app),
		ExpiresAt: storetest.Noon().Add(time.Hour)}
}

func create(t *testing.T, store apikey.Store, key apikey.Key) apikey.Key {
	t.Helper()
	made, err := store.Create(t.Context(), key)
	storetest.OK(t, "Create", err)
	same(t, "Create", made, key)
	return made
}

func same(t *testing.T, doing string, got, want apikey.Key) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s = %+v\nwant %+v", doing, got, want)
	}
}

func runKeeps(t *testing.T, store apikey.Store) {
	app := id.Source{}.App()
	full, bare := NewKey(app), NewKey(app)
	bare.CreatedBy, bare.ExpiresAt, bare.Scopes = "", time.Time{}, []string{}
	for _, key := range []apikey.Key{full, bare} {
		create(t, store, key)
		found, err := store.Get(t.Context(), app, key.ID)
		storetest.OK(t, "Get", err)
		same(t, "Get", found, key)
	}
	_, err := store.Get(t.Context(), app, id.Source{}.Key(app))
	storetest.Refused(t, "Get of an unknown key", err, apikey.ErrNotFound)
}

func runCreateOnce(t *testing.T, store apikey.Store) {
	app := id.Source{}.App()
	keys, standing := make([]apikey.Key, storetest.Racers), make([]apikey.Key, storetest.Racers)
	keyID := id.Source{}.Key(app)
	for i := range keys {
		keys[i] = NewKey(app)
		keys[i].ID = keyID
	}
	winner := storetest.OneWins(t, len(keys), apikey.ErrExists, func(i int) (err error) {
		standing[i], err = store.Create(t.Context(), keys[i])
		return err
	})
	for i := range standing {
		same(t, "the standing record", standing[i], keys[winner])
	}
	found, err := store.Get(t.Context(), app, keyID)
	storetest.OK(t, "Get", err)
	same(t, "Get", found, keys[winner])
}

func runList(t *testing.T, store apikey.Store) {
	app := id.Source{}.App()
	if keys, err := store.List(t.Context(), app, "", 10); err != nil || len(keys) != 0 {
		t.Fatalf("List of an app without keys = %v, %v", keys, err)
	}
	var want []id.Key
	for range 7 {
		want = append(want, create(t, store, NewKey(app)).ID)
	}
	slices.Sort(want)
	for limit := 1; limit <= 8; limit++ {
		if got := listAll(t, store, app, limit); !slices.Equal(got, want) {
			t.Errorf("pages of %d = %v, want %v", limit, got, want)
		}
	}
}

func listAll(t *testing.T, store apikey.Store, app id.App, limit int) (all []id.Key) {
	for after := id.Key(""); ; {
		page, err := store.List(t.Context(), app, after, limit)
		storetest.OK(t, "List", err)
		if len(page) > limit {
			t.Fatalf("List returned %d keys, limit %d", len(page), limit)
		}
		if len(page) == 0 {
			return all
		}
		for _, key := range page {
			all, after = append(all, key.ID), key.ID
		}
	}
}

func runRevoke(t *testing.T, store apikey.Store) {
	app := id.Source{}.App()
	want := create(t, store, NewKey(app))
	want.RevokedAt = storetest.Noon().Add(time.Minute)
	for i := range 2 {
		got, err := store.Revoke(t.Context(), app, want.ID, want.RevokedAt.Add(time.Duration(i)*time.Hour))
		storetest.OK(t, "Revoke", err)
		same(t, "Revoke", got, want)
	}
	found, err := store.Get(t.Context(), app, want.ID)
	storetest.OK(t, "Get", err)
	same(t, "Get of a revoked key", found, want)
	unknown := id.Source{}.Key(app)
	_, err = store.Revoke(t.Context(), app, unknown, storetest.Noon())
	storetest.Refused(t, "Revoke of an unknown key", err, apikey.ErrNotFound)
	_, err = store.Get(t.Context(), app, unknown)
	storetest.Refused(t, "Get after that", err, apikey.ErrNotFound)
}

func runRevokeRace(t *testing.T, store apikey.Store) {
	app := id.Source{}.App()
	key := create(t, store, NewKey(app))
	times := make([]time.Time, storetest.Racers)
	errs := storetest.AtOnce(len(times), func(i int) error {
		after, err := store.Revoke(t.Context(), app, key.ID, storetest.Noon().Add(time.Duration(i)*time.Second))
		times[i] = after.RevokedAt
		return err
	})
	for i := range times {
		storetest.OK(t, "Revoke", errs[i])
		if !times[i].Equal(times[0]) || times[i].IsZero() {
			t.Fatalf("revoked at %v and at %v", times[i], times[0])
		}
	}
}

func runApart(t *testing.T, store apikey.Store) {
	mine, theirs := id.Source{}.App(), id.Source{}.App()
	key := create(t, store, NewKey(mine))
	_, err := store.Get(t.Context(), theirs, key.ID)
	storetest.Refused(t, "Get by another app", err, apikey.ErrNotFound)
	_, err = store.Revoke(t.Context(), theirs, key.ID, storetest.Noon())
	storetest.Refused(t, "Revoke by another app", err, apikey.ErrNotFound)
	if keys, err := store.List(t.Context(), theirs, "", 10); err != nil || len(keys) != 0 {
		t.Fatalf("List by another app = %v, %v", keys, err)
	}
	found, err := store.Get(t.Context(), mine, key.ID)
	storetest.OK(t, "Get", err)
	same(t, "Get", found, key)
}
