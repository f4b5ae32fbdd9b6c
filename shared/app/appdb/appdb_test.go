package appdb_test

import (
	"testing"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/app/appdb"
	"github.com/tokenim/tokenim/shared/app/apptest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestStore(t *testing.T) {
	client, tables := enginetest.Start(t)
	records := &recorddb.Writer{DB: client, Table: tables["TABLE_RECORDS"]}
	apptest.Run(t, apptest.World{Logs: &recorddb.Store{Writer: records}, Store: &appdb.Store{DB: client, Table: tables["TABLE_KEYS"],
		Accounts: tables["TABLE_ACCOUNTS"], Records: records}})
}

// An app's own row stands in the table of its keys, and is none of them.
func TestAppIsNoKey(t *testing.T) {
	client, tables := enginetest.Start(t)
	apps := &appdb.Store{DB: client, Table: tables["TABLE_KEYS"]}
	keys := &apikeydb.Store{DB: client, Table: tables["TABLE_KEYS"], Records: &recorddb.Writer{DB: client, Table: tables["TABLE_RECORDS"]}}
	appID := id.Source{}.App()
	_, err := apps.Create(t.Context(), app.App{ID: appID, CreatedAt: storetest.Noon()}, record.Record{})
	storetest.OK(t, "create the app", err)
	key := apikeytest.NewKey(appID)
	_, err = keys.Create(t.Context(), key, apikey.Seen{}, apikeytest.Record(key, record.KeyCreated))
	storetest.OK(t, "create the key", err)
	for _, after := range []id.Key{"", key.ID} {
		found, err := keys.List(t.Context(), appID, after, 10)
		storetest.OK(t, "List", err)
		if want := 1 - len(after)/len(key.ID); len(found) != want {
			t.Errorf("List after %q = %+v, want %d keys", after, found, want)
		}
	}
}
