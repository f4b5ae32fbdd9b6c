package mediadb_test

import (
	"testing"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/media"
	"github.com/tokenim/tokenim/shared/media/mediadb"
	"github.com/tokenim/tokenim/shared/media/mediatest"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func start(t *testing.T) *mediadb.Store {
	client, tables := enginetest.Start(t)
	return &mediadb.Store{DB: client, Table: tables["TABLE_MEDIA"]}
}

func TestStore(t *testing.T) { mediatest.Run(t, start(t)) }

// What was not sent has a time to live, what was has none.
func TestOnlyWhatIsSentStays(t *testing.T) {
	store := start(t)
	expires := func(m media.Media) any {
		t.Helper()
		var item map[string]any
		if ok, err := table.Get(t.Context(), store.DB, store.Table, table.Key(m.App.String(), string(m.ID)), true, &item); err != nil || !ok {
			t.Fatalf("no row: %v, %v", ok, err)
		}
		return item["expires"]
	}
	for _, rejected := range []bool{false, true} {
		m := mediatest.New(id.Source{}.App())
		_, err := store.Create(t.Context(), m)
		storetest.OK(t, "Create", err)
		if got := expires(m); got != float64(m.Expires.Unix()) {
			t.Errorf("uploading: expires %v, want %d", got, m.Expires.Unix())
		}
		_, err = store.Begin(t.Context(), m.App, m.ID, "etag")
		storetest.OK(t, "Begin", err)
		storetest.OK(t, "Finish", store.Finish(t.Context(), m.App, m.ID, "etag", mediatest.Found(rejected)))
		if got := expires(m); got != float64(m.Expires.Unix()) {
			t.Errorf("rejected %v: expires %v, want %d", rejected, got, m.Expires.Unix())
		}
		storetest.OK(t, "Keep", store.Keep(t.Context(), m.App, m.ID))
		if got := expires(m); got != nil {
			t.Errorf("kept: expires %v", got)
		}
	}
}
