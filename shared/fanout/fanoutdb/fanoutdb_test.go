package fanoutdb_test

import (
	"testing"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/fanout/fanoutdb"
	"github.com/tokenim/tokenim/shared/fanout/fanouttest"
)

func TestStore(t *testing.T) {
	db, tables := enginetest.Start(t)
	store := &fanoutdb.Store{DB: db, Connections: tables["TABLE_CONNECTIONS"], Groups: tables["TABLE_GROUPS"]}
	fanouttest.Run(t, store, store)
}
