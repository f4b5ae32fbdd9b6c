package tracedb_test

import (
	"testing"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/trace/tracedb"
	"github.com/tokenim/tokenim/shared/trace/tracetest"
)

func TestStore(t *testing.T) {
	db, tables := enginetest.Start(t)
	tracetest.Run(t, &tracedb.Store{DB: db, Table: tables["TABLE_SENDS"]})
}
