// Package enginetest gives tests a DynamoDB engine of their own, with the tables of template.yaml.
//
//	func TestStore(t *testing.T) {
//		client, tables := enginetest.Start(t)
//		suite.Run(t, userdb.New(client, tables["TABLE_USERS"]))
//	}
package enginetest

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
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

// endpointVariable names a running engine to use in place of one's own: DynamoDB Local, by tests/second-engine.sh.
const endpointVariable = "TOKENIM_DYNAMODB_ENDPOINT"

// Counted skips a test of what requests cost on an engine whose counts are not DynamoDB's: DynamoDB Local charges a
// BatchGetItem of two strong reads as one unit.
func Counted(t testing.TB) {
	t.Helper()
	if os.Getenv(endpointVariable) != "" {
		t.Skip("this engine counts otherwise")
	}
}

// Empty is Start without tables.
func Empty(t testing.TB) *dynamodb.Client {
	t.Helper()
	if endpoint := os.Getenv(endpointVariable); endpoint != "" {
		return fresh(endpoint)
	}
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

// fresh returns a client with credentials of its own: DynamoDB Local keeps a database for each access key, so each test
// begins with none of another's tables. Access keys are letters and digits.
func fresh(endpoint string) *dynamodb.Client {
	options := engine.Client(endpoint).Options()
	options.Credentials = credentials.NewStaticCredentialsProvider(rand.Text(), "local", "")
	return dynamodb.New(options)
}

// Setenv has commands that read AWS's variables reach the client's engine, until the test ends.
func Setenv(t testing.TB, client *dynamodb.Client) {
	t.Helper()
	credentials, err := client.Options().Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_REGION": client.Options().Region, "AWS_ACCESS_KEY_ID": credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": credentials.SecretAccessKey, "AWS_SESSION_TOKEN": "",
		"AWS_ENDPOINT_URL_DYNAMODB": *client.Options().BaseEndpoint,
	} {
		t.Setenv(name, value)
	}
}
