package appdb_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/app/appdb"
	"github.com/tokenim/tokenim/shared/app/apptest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/table/tabletest"
)

// life is what happens to an app, one after the other, each with the action that has to be recorded.
var life = []struct {
	action record.Action
	do     func(t *testing.T, store *appdb.Store, tenant app.App) error
}{
	{record.AppCreated, func(t *testing.T, store *appdb.Store, tenant app.App) error {
		_, err := store.Create(t.Context(), tenant, apptest.Record(tenant, record.AppCreated))
		return err
	}},
	{record.AppChanged, func(t *testing.T, store *appdb.Store, tenant app.App) error {
		_, err := store.Change(t.Context(), tenant, app.Settings{Name: "changed"}, apptest.Record(tenant, record.AppChanged))
		return err
	}},
	{record.AppDeleted, func(t *testing.T, store *appdb.Store, tenant app.App) error {
		_, err := store.Delete(t.Context(), tenant, storetest.Noon(), storetest.Noon().Add(time.Hour), apptest.Record(tenant, record.AppDeleted))
		return err
	}},
	{record.AppRestored, func(t *testing.T, store *appdb.Store, tenant app.App) error {
		_, err := store.Restore(t.Context(), tenant, apptest.Record(tenant, record.AppRestored))
		return err
	}},
	{record.AppDeleted, func(t *testing.T, store *appdb.Store, tenant app.App) error {
		_, err := store.Delete(t.Context(), tenant, storetest.Noon(), storetest.Noon(), apptest.Record(tenant, record.AppDeleted))
		return err
	}},
	{record.AppErased, func(t *testing.T, store *appdb.Store, tenant app.App) error {
		_, err := store.BeginErasing(t.Context(), tenant.ID, storetest.Noon())
		return err
	}},
}

// is tells whether the app is what the step with the number makes of it.
func is(step int, now app.App, listed bool) bool {
	switch step {
	case 0:
		return now.Name != ""
	case 1, 3:
		return now.Name == "changed" && !now.Deleted()
	case 2, 4:
		return now.Deleted()
	}
	return !listed
}

// Wherever a process dies, there is no change without its record and no record without its change.
func TestCrashBetweenWrites(t *testing.T) {
	client, tables := enginetest.Start(t)
	on := func(fuse *storetest.Fuse) *appdb.Store {
		fused := tabletest.Fused(client, fuse)
		return &appdb.Store{DB: fused, Table: tables["TABLE_KEYS"], Accounts: tables["TABLE_ACCOUNTS"],
			Records: &recorddb.Writer{DB: fused, Table: tables["TABLE_RECORDS"]}}
	}
	sound := on(&storetest.Fuse{})
	for last := range life {
		for _, tookEffect := range []bool{false, true} {
			for at := 1; ; at++ {
				tenant, want := apptest.NewApp(id.Source{}.Account()), []record.Action{}
				for _, step := range life[:last] {
					storetest.OK(t, string(step.action), step.do(t, sound, tenant))
					want = append(want, step.action)
				}
				fuse := &storetest.Fuse{At: at, TookEffect: tookEffect, Dies: true}
				_ = life[last].do(t, on(fuse), tenant)
				now, _, err := sound.Get(t.Context(), tenant.ID)
				storetest.OK(t, "Get", err)
				listed, _, err := sound.List(t.Context(), tenant.Account, "", 10)
				storetest.OK(t, "List", err)
				if is(last, now, len(listed) == 1) {
					want = append(want, life[last].action)
				}
				got := apptest.Told(t, &recorddb.Store{Writer: sound.Records}, tenant.Account, tenant.ID)
				slices.Sort(got)
				if slices.Sort(want); !slices.Equal(got, want) {
					t.Errorf("%s, write %d, took effect %v: recorded %q, want %q", life[last].action, at, tookEffect, got, want)
				}
				if !fuse.Blown() {
					break // every write has had its turn
				}
			}
		}
	}
}
