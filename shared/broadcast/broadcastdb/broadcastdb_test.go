package broadcastdb_test

import (
	"testing"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/broadcast/broadcastdb"
	"github.com/tokenim/tokenim/shared/broadcast/broadcasttest"
)

func TestStore(t *testing.T) {
	client, tables := enginetest.Start(t)
	broadcasttest.Run(t, &broadcastdb.Store{DB: client, Table: tables["TABLE_CONNECTIONS"]})
}
