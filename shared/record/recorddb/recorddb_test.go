package recorddb_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func start(t *testing.T) *recorddb.Store {
	client, tables := enginetest.Start(t)
	return &recorddb.Store{Writer: &recorddb.Writer{DB: client, Table: tables["TABLE_RECORDS"]}}
}

func TestStore(t *testing.T) {
	store := start(t)
	recordtest.Run(t, store, func(ctx context.Context, records ...record.Record) error {
		work := &table.Transaction{DB: store.DB, Doing: "test"}
		if len(records) == 0 {
			work.Put(store.Table, table.Key("other", "row"), "", nil) // DynamoDB takes no empty transaction
		}
		return store.Run(ctx, work, records...)
	})
}

var errRefused = errors.New("refused")

// A transaction that is refused leaves no record, and one that is done has both.
func TestRefusedTransactionsLeaveNoRecord(t *testing.T) {
	store, log := start(t), recordtest.NewLog()
	for want, condition := range map[error]string{errRefused: "attribute_exists(pk)", nil: "attribute_not_exists(pk)"} {
		work := &table.Transaction{DB: store.DB, Doing: "test"}
		work.Put(store.Table, table.Key("other", "row"), condition, errRefused)
		if err := store.Run(t.Context(), work, recordtest.Example(log, storetest.Noon(), 1)); err != want {
			t.Errorf("%s: %v, want %v", condition, err, want)
		}
		var row struct{}
		done, err := table.Get(t.Context(), store.DB, store.Table, table.Key("other", "row"), true, &row)
		storetest.OK(t, "Get", err)
		if records := recordtest.Clean(t, store, log); done != (want == nil) || (records == 1) != (want == nil) || records > 1 {
			t.Errorf("%s: done %v, %d records", condition, done, records)
		}
		_, err = store.DB.DeleteItem(t.Context(), deletion(store.Table, table.Key("other", "row")))
		storetest.OK(t, "DeleteItem", err)
		log = recordtest.NewLog()
	}
}
