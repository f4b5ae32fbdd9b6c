package broadcastdb_test

import (
	"testing"
	"time"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/broadcast"
	"github.com/tokenim/tokenim/shared/broadcast/broadcastdb"
	"github.com/tokenim/tokenim/shared/broadcast/broadcasttest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// A broadcast outlives the client IDs of its messages, the last of which may be sent when it is nearly over: until then no other has
// its ID.
func TestABroadcastOutlivesItsClientIDs(t *testing.T) {
	db, tables := enginetest.Start(t)
	begun := broadcasttest.New(id.Source{}.App())
	_, err := (&broadcastdb.Store{DB: db, Table: tables["TABLE_CONNECTIONS"]}).Begin(t.Context(), begun, []byte("sealed"))
	storetest.OK(t, "Begin", err)
	var row struct {
		Expires int64 `dynamodbav:"expires"`
	}
	_, err = table.Get(t.Context(), db, tables["TABLE_CONNECTIONS"], table.Key(begun.App.String()+"#broadcast", string(begun.ID)), true, &row)
	storetest.OK(t, "Get", err)
	if last := begun.CreatedAt.Add(broadcast.Kept + message.ClientIDLife); time.Unix(row.Expires, 0).Before(last) {
		t.Errorf("it goes at %v, and the last client ID at %v", time.Unix(row.Expires, 0), last)
	}
}
