package sealdb_test

import (
	"testing"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/seal/sealdb"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
)

func TestStore(t *testing.T) {
	client, tables := enginetest.Start(t)
	sealtest.Run(t, &sealdb.Store{DB: client, Table: tables["TABLE_DATA_KEYS"]})
}
