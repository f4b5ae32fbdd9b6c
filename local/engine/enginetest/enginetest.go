// Package enginetest gives tests a DynamoDB engine of their own, with the tables of template.yaml.
//
//	func TestStore(t *testing.T) {
//		client, tables := enginetest.Start(t)
//		suite.Run(t, userdb.New(client, tables["TABLE_USERS"]))
//	}
package enginetest

import (
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/local/engine"
	"github.com/tokenim/tokenim/local/template"
)

// Start runs an engine in memory until the test ends. It returns a client and, for every environment variable that
// holds a table's name in template.yaml (TABLE_USERS), that name. The test fails where the engine is not installed.
func Start(t testing.TB) (client *dynamodb.Client, tables map[string]string) {
	t.Helper()
	root, err := engine.Repository()
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := template.Load(filepath.Join(root, "template.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	client = Empty(t)
	if err := engine.CreateTables(t.Context(), client, tpl.Tables); err != nil {
		t.Fatal(err)
	}
	return client, tpl.TableVariables()
}

// Empty is Start without tables.
func Empty(t testing.TB) *dynamodb.Client {
	t.Helper()
	binary, err := engine.Binary()
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Start(t.Context(), engine.Options{Binary: binary})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return engine.Client(e.Endpoint())
}
