package apikeytest

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// rotation returns a new key in the place of the old one, and the old one as it is to become.
func rotation(old apikey.Key, overlap time.Duration) (replaced, made apikey.Key) {
	made = NewKey(old.App)
	made.CreatedBy, made.RotatedFrom = string(id.Source{}.Developer()), old.ID
	replaced = old
	replaced.RotatedTo, replaced.RotatedAt, replaced.ExpiresAt = made.ID, made.CreatedAt, made.CreatedAt.Add(overlap)
	if overlap == 0 {
		replaced.RevokedAt = made.CreatedAt
	}
	return replaced, made
}

// counted is the replaced key as it stands then.
func counted(replaced apikey.Key) apikey.Key {
	replaced.Rights.Version++
	return replaced
}

// told are the records of a rotation.
func told(replaced, made apikey.Key) []record.Record {
	return []record.Record{Record(replaced, record.KeyRotated), Record(made, record.KeyCreated)}
}

func runRotate(t *testing.T, store World) {
	for _, overlap := range []time.Duration{0, time.Minute} {
		old := create(t, store, NewKey(id.Source{}.App()))
		replaced, made := rotation(old, overlap)
		got, err := store.Rotate(t.Context(), replaced, made, apikey.Seen{}, told(replaced, made)...)
		storetest.OK(t, "Rotate", err)
		same(t, "Rotate", got, made)
		stands(t, store, made)
		stands(t, store, counted(replaced))

		again := made
		again.Hash = old.Hash
		got, err = store.Rotate(t.Context(), replaced, again, apikey.Seen{}, told(replaced, again)...)
		storetest.Refused(t, "the same ID again", err, apikey.ErrExists)
		same(t, "the standing record", got, made)
		_, other := rotation(old, overlap)
		got, err = store.Rotate(t.Context(), replaced, other, apikey.Seen{}, told(replaced, other)...)
		storetest.Refused(t, "another", err, apikey.ErrNotRotatable)
		same(t, "the standing record", got, counted(replaced))
		absent(t, store, other)
		wantTold(t, store, old.App, append(told(replaced, made), Record(old, record.KeyCreated))...)
	}
}

func runRotateAsks(t *testing.T, store World) {
	ctx, app := t.Context(), id.Source{}.App()
	old, maker := create(t, store, NewKey(app)), create(t, store, NewKey(app))
	replaced, made := rotation(old, time.Minute)
	made.CreatedBy = string(maker.ID)
	refused := func(doing string, want error) {
		t.Helper()
		_, err := store.Rotate(ctx, replaced, made, apikey.Seen{}, told(replaced, made)...)
		storetest.Refused(t, doing, err, want)
		absent(t, store, made)
	}
	store.DeleteApp(app, true)
	refused("Rotate in a deleted app", apikey.ErrAppDeleted)
	store.DeleteApp(app, false)
	storetest.OK(t, "Suspend", store.Suspend(ctx, app, maker.ID, true))
	refused("Rotate by a suspended key", apikey.ErrMakerChanged)
	stands(t, store, old)
	storetest.OK(t, "Suspend", store.Suspend(ctx, app, old.ID, true))
	made.CreatedBy = string(old.ID)
	refused("Rotate of a suspended key by itself", apikey.ErrNotRotatable)
	_, err := store.Revoke(ctx, app, old.ID, storetest.Noon(), Record(old, record.KeyRevoked))
	storetest.OK(t, "Revoke", err)
	storetest.OK(t, "Suspend", store.Suspend(ctx, app, old.ID, false))
	refused("Rotate of a revoked key by itself", apikey.ErrNotRotatable)
	replaced.ID, made.CreatedBy = id.Source{}.Key(app), ""
	refused("Rotate of an unknown key", apikey.ErrNotFound)
	wantTold(t, store, app, Record(old, record.KeyCreated), Record(maker, record.KeyCreated), Record(old, record.KeyRevoked))

	itself := create(t, store, NewKey(app))
	replaced, made = rotation(itself, 0)
	made.CreatedBy = string(itself.ID)
	_, err = store.Rotate(ctx, replaced, made, apikey.Seen{}, told(replaced, made)...)
	storetest.OK(t, "Rotate of a key by itself", err)

	wide := create(t, store, NewKey(app))
	replaced, made = rotation(wide, time.Minute)
	wide, err = store.Narrow(ctx, app, wide.ID, wide.Scopes[:1], wide.Scopes, Record(wide, record.KeyNarrowed))
	storetest.OK(t, "Narrow", err)
	refused("Rotate of a key that has been narrowed", apikey.ErrNotRotatable)
	stands(t, store, wide)
}

// runRotateRace lets many replace one key: one does, and no other leaves a key behind.
func runRotateRace(t *testing.T, store World) {
	const racers = 64
	old := create(t, store, NewKey(id.Source{}.App()))
	replaced, made, standing := make([]apikey.Key, racers), make([]apikey.Key, racers), make([]apikey.Key, racers)
	for i := range racers {
		replaced[i], made[i] = rotation(old, time.Minute)
	}
	winner := storetest.OneWins(t, racers, apikey.ErrNotRotatable, func(i int) (err error) {
		standing[i], err = store.Rotate(t.Context(), replaced[i], made[i], apikey.Seen{}, told(replaced[i], made[i])...)
		return err
	})
	for i := range racers {
		if i != winner {
			absent(t, store, made[i])
			same(t, "the standing record", standing[i], counted(replaced[winner]))
		}
	}
	stands(t, store, made[winner])
	stands(t, store, counted(replaced[winner]))
	wantTold(t, store, old.App, append(told(replaced[winner], made[winner]), Record(old, record.KeyCreated))...)
}

// runRotateRevokeRace lets rotations and revocations of a key meet: it ends up revoked, replaced at most once.
func runRotateRevokeRace(t *testing.T, store World) {
	old := create(t, store, NewKey(id.Source{}.App()))
	var rotated atomic.Int32
	errs := storetest.AtOnce(64, func(i int) error {
		if i%2 == 0 {
			_, err := store.Revoke(t.Context(), old.App, old.ID, storetest.Noon(), Record(old, record.KeyRevoked))
			return err
		}
		replaced, made := rotation(old, time.Minute)
		_, err := store.Rotate(t.Context(), replaced, made, apikey.Seen{}, told(replaced, made)...)
		if errors.Is(err, apikey.ErrNotRotatable) {
			return nil
		}
		rotated.Add(1)
		return err
	})
	for _, err := range errs {
		storetest.OK(t, "Rotate or Revoke", err)
	}
	found, err := store.Get(t.Context(), old.App, old.ID)
	storetest.OK(t, "Get", err)
	if count := rotated.Load(); found.RevokedAt.IsZero() || count > 1 || (count == 1) != (found.RotatedTo != "") {
		t.Fatalf("rotated %d times; the key stands as %+v", count, found)
	}
	keys, err := store.List(t.Context(), old.App, "", 100)
	if want := 1 + int(rotated.Load()); err != nil || len(keys) != want {
		t.Fatalf("%d keys, %v; want %d", len(keys), err, want)
	}
	want := []record.Record{Record(old, record.KeyRevoked)}
	for _, key := range keys {
		want = append(want, Record(key, record.KeyCreated))
	}
	if found.RotatedTo != "" {
		want = append(want, Record(old, record.KeyRotated))
	}
	wantTold(t, store, old.App, want...)
}
