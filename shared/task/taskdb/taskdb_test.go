package taskdb_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/task"
	"github.com/tokenim/tokenim/shared/task/taskdb"
	"github.com/tokenim/tokenim/shared/task/tasktest"
)

func TestStore(t *testing.T) {
	client, tables := enginetest.Start(t)
	store := &taskdb.Store{DB: client, Table: tables["TABLE_TASKS"]}
	tasktest.Run(t, func() task.Store {
		empty(t, store)
		return store
	})
}

// empty removes every row.
func empty(t *testing.T, store *taskdb.Store) {
	t.Helper()
	found, err := store.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(store.Table)})
	storetest.OK(t, "Scan", err)
	for _, item := range found.Items {
		_, err := store.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &store.Table,
			Key: map[string]types.AttributeValue{"pk": item["pk"], "sk": item["sk"]}})
		storetest.OK(t, "DeleteItem", err)
	}
}
