package apikeydb_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/table/tabletest"
)

// changes are what is done to a key, with the actions that have to be recorded then, and how to see whether it was done.
var changes = map[string]struct {
	do   func(t *testing.T, store *apikeydb.Store, key apikey.Key)
	done func(now apikey.Key, keys int) bool
	told []record.Action
}{
	"create": {
		do: func(t *testing.T, store *apikeydb.Store, key apikey.Key) {
			made := apikeytest.NewKey(key.App)
			_, _ = store.Create(t.Context(), made, apikey.Seen{}, apikeytest.Record(made, record.KeyCreated))
		},
		done: func(_ apikey.Key, keys int) bool { return keys == 2 }, told: []record.Action{record.KeyCreated}},
	"rotate": {
		do: func(t *testing.T, store *apikeydb.Store, key apikey.Key) {
			made := apikeytest.NewKey(key.App)
			key.RotatedTo, key.RotatedAt = made.ID, storetest.Noon()
			_, _ = store.Rotate(t.Context(), key, made, apikey.Seen{}, apikeytest.Record(key, record.KeyRotated), apikeytest.Record(made, record.KeyCreated))
		},
		done: func(now apikey.Key, keys int) bool { return now.RotatedTo != "" && keys == 2 },
		told: []record.Action{record.KeyRotated, record.KeyCreated}},
	"revoke": {
		do: func(t *testing.T, store *apikeydb.Store, key apikey.Key) {
			_, _ = store.Revoke(t.Context(), key.App, key.ID, storetest.Noon(), apikeytest.Record(key, record.KeyRevoked))
		},
		done: func(now apikey.Key, _ int) bool { return !now.RevokedAt.IsZero() }, told: []record.Action{record.KeyRevoked}},
	"narrow": {
		do: func(t *testing.T, store *apikeydb.Store, key apikey.Key) {
			_, _ = store.Narrow(t.Context(), key.App, key.ID, key.Scopes[:1], key.Scopes, apikeytest.Record(key, record.KeyNarrowed))
		},
		done: func(now apikey.Key, _ int) bool { return len(now.Scopes) == 1 }, told: []record.Action{record.KeyNarrowed}},
}

// Wherever a process dies, there is no change without its records and no record without its change.
func TestCrashBetweenWrites(t *testing.T) {
	client, tables := enginetest.Start(t)
	records := &recorddb.Writer{DB: client, Table: tables["TABLE_RECORDS"]}
	store := &apikeydb.Store{DB: client, Table: tables["TABLE_KEYS"], Records: records}
	for name, change := range changes {
		for _, tookEffect := range []bool{false, true} {
			for at := 1; ; at++ {
				key := apikeytest.NewKey(id.Source{}.App())
				_, err := store.Create(t.Context(), key, apikey.Seen{}, apikeytest.Record(key, record.KeyCreated))
				storetest.OK(t, "Create", err)
				fuse := &storetest.Fuse{At: at, TookEffect: tookEffect, Dies: true}
				fused := tabletest.Fused(client, fuse)
				change.do(t, &apikeydb.Store{DB: fused, Table: store.Table, Records: &recorddb.Writer{DB: fused, Table: records.Table}}, key)

				now, err := store.Get(t.Context(), key.App, key.ID)
				storetest.OK(t, "Get", err)
				keys, err := store.List(t.Context(), key.App, "", 10)
				storetest.OK(t, "List", err)
				want := []record.Action{record.KeyCreated}
				if change.done(now, len(keys)) {
					want = append(want, change.told...)
				}
				wantActions(t, fmt.Sprintf("%s, write %d, took effect %v", name, at, tookEffect),
					recordtest.All(t, &recorddb.Store{Writer: records}, record.OfApp(key.App)), want)
				if !fuse.Blown() {
					break // every write has had its turn
				}
			}
		}
	}
}

func wantActions(t *testing.T, doing string, told []record.Record, want []record.Action) {
	t.Helper()
	count := map[record.Action]int{}
	for _, each := range told {
		count[each.Action]++
	}
	for _, action := range want {
		count[action]--
	}
	for action, surplus := range count {
		if surplus != 0 {
			t.Errorf("%s: %+d records of %s", doing, surplus, action)
		}
	}
}

// A key that makes and rotates keys without a pause cannot keep itself from being revoked.
func TestRevokeUnderLoad(t *testing.T) {
	client, tables := enginetest.Start(t)
	store := &apikeydb.Store{DB: client, Table: tables["TABLE_KEYS"], Records: &recorddb.Writer{DB: client, Table: tables["TABLE_RECORDS"]}}
	key := apikeytest.NewKey(id.Source{}.App())
	_, err := store.Create(t.Context(), key, apikey.Seen{}, apikeytest.Record(key, record.KeyCreated))
	storetest.OK(t, "Create", err)
	deadline := time.Now().Add(time.Minute)
	started := make(chan struct{}, 8)
	for i, err := range storetest.AtOnce(9, func(i int) error {
		if i == 0 {
			for range 8 {
				<-started
			}
			_, err := store.Revoke(t.Context(), key.App, key.ID, storetest.Noon(), apikeytest.Record(key, record.KeyRevoked))
			return err
		}
		for first := true; time.Now().Before(deadline); first = false {
			made := apikeytest.NewKey(key.App)
			made.CreatedBy = string(key.ID)
			if _, err := store.Create(t.Context(), made, apikey.Seen{}, apikeytest.Record(made, record.KeyCreated)); err != nil && !fault.Is(err, fault.Overtaken) {
				return err
			}
			if first {
				started <- struct{}{}
			}
		}
		return nil
	}) {
		if i == 0 {
			storetest.OK(t, "Revoke", err)
		} else {
			storetest.Refused(t, "Create", err, apikey.ErrMakerChanged)
		}
	}
}
