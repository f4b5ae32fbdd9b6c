package apikeytest

import (
	"crypto/sha256"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Run checks that a store keeps the contract of apikey.Store.
func Run(t *testing.T, store World) {
	t.Run("Create and Get keep every field", func(t *testing.T) { runKeeps(t, store) })
	t.Run("Create is atomic", func(t *testing.T) { runCreateOnce(t, store) })
	t.Run("Create asks for app and maker", func(t *testing.T) { runCreateAsks(t, store) })
	t.Run("a key makes others as long as it may", func(t *testing.T) { runMakerChanged(t, store) })
	t.Run("a key makes none behind what it lost", func(t *testing.T) { runMakerRace(t, store) })
	t.Run("a new key has its statements", func(t *testing.T) { runStatements(t, store) })
	t.Run("a new key has its app's policy", func(t *testing.T) { runPolicy(t, store) })
	t.Run("no key misses a policy", func(t *testing.T) { runPolicyRace(t, store) })
	t.Run("List pages by ID", func(t *testing.T) { runList(t, store) })
	t.Run("Revoke counts once", func(t *testing.T) { runRevoke(t, store) })
	t.Run("Revoke is atomic", func(t *testing.T) { runRevokeRace(t, store) })
	t.Run("Narrow takes scopes away", func(t *testing.T) { runNarrow(t, store) })
	t.Run("Narrow is atomic", func(t *testing.T) { runNarrowRace(t, store) })
	t.Run("Suspend comes and goes", func(t *testing.T) { runSuspend(t, store) })
	t.Run("Used is written once an hour", func(t *testing.T) { runUsed(t, store) })
	t.Run("UsedFor keeps the last day of each", func(t *testing.T) { runUsedFor(t, store) })
	t.Run("Rotate replaces once", func(t *testing.T) { runRotate(t, store) })
	t.Run("Rotate asks for app, maker and key", func(t *testing.T) { runRotateAsks(t, store) })
	t.Run("Rotate is atomic", func(t *testing.T) { runRotateRace(t, store) })
	t.Run("Rotate and Revoke at once", func(t *testing.T) { runRotateRevokeRace(t, store) })
	t.Run("rotation and revocation under load", func(t *testing.T) { runLoad(t, store) })
	t.Run("a rotation that revokes under load", func(t *testing.T) { runLoadAtOnce(t, store) })
	t.Run("an app sees its own keys", func(t *testing.T) { runApart(t, store) })
}

// NewKey returns a new key of the app, made by a developer, that expires in an hour.
func NewKey(app id.App) apikey.Key {
	ids, scopes := id.Source{}, []string{"messages:send", "keys:manage"}
	return apikey.Key{ID: ids.Key(app), App: app, Name: "backend 后端", Scopes: scopes, Rights: apikey.RightsOf(scopes),
		Hash: sha256.Sum256([]byte(ids.Text(43))), CreatedAt: storetest.Noon(), CreatedBy: string(ids.Developer()),
		ExpiresAt: storetest.Noon().Add(time.Hour)}
}

func create(t *testing.T, store World, key apikey.Key) apikey.Key {
	t.Helper()
	made, err := store.Create(t.Context(), key, apikey.Seen{}, Record(key, record.KeyCreated))
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

// stands checks what the store has of the key.
func stands(t *testing.T, store World, want apikey.Key) {
	t.Helper()
	found, err := store.Get(t.Context(), want.App, want.ID)
	storetest.OK(t, "Get", err)
	same(t, "Get", found, want)
}

// absent checks that the store has no such key.
func absent(t *testing.T, store World, key apikey.Key) {
	t.Helper()
	_, err := store.Get(t.Context(), key.App, key.ID)
	storetest.Refused(t, "Get", err, apikey.ErrNotFound)
}

func runKeeps(t *testing.T, store World) {
	app := id.Source{}.App()
	full, bare := NewKey(app), NewKey(app)
	full.Fingerprint, full.RotatedFrom = "fingerprint", id.Source{}.Key(app)
	full.Sources = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("2001:db8::/32")}
	bare.CreatedBy, bare.ExpiresAt, bare.Scopes, bare.Rights = "", time.Time{}, []string{}, apikey.RightsOf(nil)
	for _, key := range []apikey.Key{full, bare} {
		create(t, store, key)
		stands(t, store, key)
	}
	absent(t, store, NewKey(app))
	wantTold(t, store, app, Record(full, record.KeyCreated), Record(bare, record.KeyCreated))
}

func runCreateOnce(t *testing.T, store World) {
	app := id.Source{}.App()
	keys, standing := make([]apikey.Key, storetest.Racers), make([]apikey.Key, storetest.Racers)
	keyID := id.Source{}.Key(app)
	for i := range keys {
		keys[i] = NewKey(app)
		keys[i].ID = keyID
	}
	winner := storetest.OneWins(t, len(keys), apikey.ErrExists, func(i int) (err error) {
		standing[i], err = store.Create(t.Context(), keys[i], apikey.Seen{}, Record(keys[i], record.KeyCreated))
		return err
	})
	for i := range standing {
		same(t, "the standing record", standing[i], keys[winner])
	}
	stands(t, store, keys[winner])
	wantTold(t, store, app, Record(keys[winner], record.KeyCreated))
}

func runCreateAsks(t *testing.T, store World) {
	app := id.Source{}.App()
	maker, key := create(t, store, NewKey(app)), NewKey(app)
	key.CreatedBy = string(maker.ID)
	store.DeleteApp(app, true)
	_, err := store.Create(t.Context(), key, apikey.Seen{}, Record(key, record.KeyCreated))
	storetest.Refused(t, "Create in a deleted app", err, apikey.ErrAppDeleted)
	again := maker
	again.Hash = key.Hash
	standing, err := store.Create(t.Context(), again, apikey.Seen{}, Record(again, record.KeyCreated))
	storetest.Refused(t, "Create of what exists in a deleted app", err, apikey.ErrExists)
	same(t, "the standing record", standing, maker)
	store.DeleteApp(app, false)
	storetest.OK(t, "Suspend", store.Suspend(t.Context(), app, maker.ID, true))
	_, err = store.Create(t.Context(), key, apikey.Seen{}, Record(key, record.KeyCreated))
	storetest.Refused(t, "Create by a suspended key", err, apikey.ErrMakerChanged)
	storetest.OK(t, "Suspend", store.Suspend(t.Context(), app, maker.ID, false))
	create(t, store, key)
	_, err = store.Revoke(t.Context(), app, maker.ID, storetest.Noon(), Record(maker, record.KeyRevoked))
	storetest.OK(t, "Revoke", err)
	late := NewKey(app)
	late.CreatedBy = string(maker.ID)
	_, err = store.Create(t.Context(), late, apikey.Seen{}, Record(late, record.KeyCreated))
	storetest.Refused(t, "Create by a revoked key", err, apikey.ErrMakerChanged)
	absent(t, store, late)
	late.CreatedBy = string(id.Source{}.Developer())
	create(t, store, late)
	wantTold(t, store, app, Record(maker, record.KeyCreated), Record(key, record.KeyCreated), Record(maker, record.KeyRevoked),
		Record(late, record.KeyCreated))
}

func runList(t *testing.T, store World) {
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

func listAll(t *testing.T, store World, app id.App, limit int) (all []id.Key) {
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

func runRevoke(t *testing.T, store World) {
	app := id.Source{}.App()
	want := create(t, store, NewKey(app))
	want.RevokedAt = storetest.Noon().Add(time.Minute)
	for i := range 2 {
		got, err := store.Revoke(t.Context(), app, want.ID, want.RevokedAt.Add(time.Duration(i)*time.Hour), Record(want, record.KeyRevoked))
		storetest.OK(t, "Revoke", err)
		same(t, "Revoke", got, want)
	}
	stands(t, store, want)
	unknown := NewKey(app)
	_, err := store.Revoke(t.Context(), app, unknown.ID, storetest.Noon(), Record(unknown, record.KeyRevoked))
	storetest.Refused(t, "Revoke of an unknown key", err, apikey.ErrNotFound)
	absent(t, store, unknown)
	wantTold(t, store, app, Record(want, record.KeyCreated), Record(want, record.KeyRevoked))
}

func runRevokeRace(t *testing.T, store World) {
	app := id.Source{}.App()
	key := create(t, store, NewKey(app))
	times := make([]time.Time, storetest.Racers)
	errs := storetest.AtOnce(len(times), func(i int) error {
		after, err := store.Revoke(t.Context(), app, key.ID, storetest.Noon().Add(time.Duration(i)*time.Second), Record(key, record.KeyRevoked))
		times[i] = after.RevokedAt
		return err
	})
	for i := range times {
		storetest.OK(t, "Revoke", errs[i])
		if !times[i].Equal(times[0]) || times[i].IsZero() {
			t.Fatalf("revoked at %v and at %v", times[i], times[0])
		}
	}
	wantTold(t, store, app, Record(key, record.KeyCreated), Record(key, record.KeyRevoked))
}

func runSuspend(t *testing.T, store World) {
	key := create(t, store, NewKey(id.Source{}.App()))
	for _, on := range []bool{true, true, false, false} {
		storetest.OK(t, "Suspend", store.Suspend(t.Context(), key.App, key.ID, on))
		key.Suspended = on
		stands(t, store, key)
	}
	unknown := NewKey(key.App)
	storetest.Refused(t, "Suspend", store.Suspend(t.Context(), key.App, unknown.ID, true), apikey.ErrNotFound)
	storetest.Refused(t, "Suspend", store.Suspend(t.Context(), key.App, unknown.ID, false), apikey.ErrNotFound)
	absent(t, store, unknown)
}

func runUsed(t *testing.T, store World) {
	key := create(t, store, NewKey(id.Source{}.App()))
	// What many uses at once write down is the first, once in the hour.
	for hour := range 3 {
		now := storetest.Noon().Add(time.Duration(hour) * apikey.UseEvery)
		for _, err := range storetest.AtOnce(storetest.Racers, func(i int) error {
			return store.Used(t.Context(), key.App, key.ID, now, now.Add(-apikey.UseEvery), "203.0.113.7")
		}) {
			storetest.OK(t, "Used", err)
		}
		key.UsedAt, key.UsedFrom = now, "203.0.113.7"
		stands(t, store, key)
		late := now.Add(apikey.UseEvery - time.Millisecond)
		storetest.OK(t, "Used", store.Used(t.Context(), key.App, key.ID, late, late.Add(-apikey.UseEvery), "2001:db8::1"))
		stands(t, store, key)
	}
	unknown := NewKey(key.App)
	storetest.OK(t, "Used", store.Used(t.Context(), key.App, unknown.ID, storetest.Noon(), storetest.Noon(), "203.0.113.7"))
	absent(t, store, unknown)
}

func runApart(t *testing.T, store World) {
	mine, theirs := id.Source{}.App(), id.Source{}.App()
	key := create(t, store, NewKey(mine))
	_, err := store.Get(t.Context(), theirs, key.ID)
	storetest.Refused(t, "Get by another app", err, apikey.ErrNotFound)
	_, err = store.Revoke(t.Context(), theirs, key.ID, storetest.Noon(), Record(key, record.KeyRevoked))
	storetest.Refused(t, "Revoke by another app", err, apikey.ErrNotFound)
	storetest.Refused(t, "Suspend by another app", store.Suspend(t.Context(), theirs, key.ID, true), apikey.ErrNotFound)
	_, err = store.Narrow(t.Context(), theirs, key.ID, nil, key.Scopes, Record(key, record.KeyNarrowed))
	storetest.Refused(t, "Narrow by another app", err, apikey.ErrNotFound)
	storetest.OK(t, "UsedFor by another app", store.UsedFor(t.Context(), theirs, key.ID, authz.MessagesSend, 1))
	storetest.OK(t, "Used by another app", store.Used(t.Context(), theirs, key.ID, storetest.Noon(), storetest.Noon(), "203.0.113.7"))
	foreign := key
	foreign.App = theirs
	made := NewKey(theirs)
	_, err = store.Rotate(t.Context(), foreign, made, apikey.Seen{}, told(foreign, made)...)
	storetest.Refused(t, "Rotate by another app", err, apikey.ErrNotFound)
	absent(t, store, made)
	if keys, err := store.List(t.Context(), theirs, "", 10); err != nil || len(keys) != 0 {
		t.Fatalf("List by another app = %v, %v", keys, err)
	}
	stands(t, store, key)
}
