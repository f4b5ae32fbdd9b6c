package messagedb_test

import (
	"testing"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/message/messagetest"
)

func TestLog(t *testing.T) {
	client, tables := enginetest.Start(t)
	messagetest.RunLog(t, &messagedb.Log{DB: client, Table: tables["TABLE_MESSAGES"]})
}

func TestClaims(t *testing.T) {
	client, tables := enginetest.Start(t)
	messagetest.RunClaims(t, &messagedb.Claims{DB: client, Table: tables["TABLE_SENDS"]})
}

func TestMembers(t *testing.T) {
	client, tables := enginetest.Start(t)
	messagetest.RunMembers(t, &messagedb.Members{DB: client, Table: tables["TABLE_CONVERSATIONS"]})
}
