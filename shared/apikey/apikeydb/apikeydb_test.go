package apikeydb_test

import (
	"testing"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
)

func TestStore(t *testing.T) {
	client, tables := enginetest.Start(t)
	apikeytest.Run(t, &apikeydb.Store{DB: client, Table: tables["TABLE_KEYS"]})
}
