package connectiondb_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/connection/connectiondb"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/presence/presencetest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// start returns a store on an engine of its own, and how a user's empty record is made there.
func start(t *testing.T) (*connectiondb.Store, func(id.App, id.User)) {
	client, tables := enginetest.Start(t)
	store := &connectiondb.Store{DB: client, Table: tables["TABLE_CONNECTIONS"]}
	return store, func(app id.App, user id.User) {
		write, err := connectiondb.Routing(store.Table)(app, user)
		storetest.OK(t, "Routing", err)
		_, err = client.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
			TransactItems: []types.TransactWriteItem{write}})
		storetest.OK(t, "make a routing record", err)
	}
}

func TestStore(t *testing.T) {
	store, register := start(t)
	connectiontest.Run(t, connectiontest.Suite{Store: store, Register: register})
}

func TestPresence(t *testing.T) {
	store, register := start(t)
	presencetest.Run(t, presencetest.Suite{Store: store, Register: register})
}
