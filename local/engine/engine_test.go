package engine_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/engine"
	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/local/template"
)

func binary(t *testing.T) string {
	t.Helper()
	path, err := engine.Binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func start(t *testing.T, o engine.Options) *engine.Engine {
	t.Helper()
	o.Binary = binary(t)
	e, err := engine.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func TestStartGivesTheTemplatesTables(t *testing.T) {
	client, tables := enginetest.Start(t)
	out, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: ptr(tables["TABLE_CONNECTIONS"])})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Table.GlobalSecondaryIndexes) != 1 {
		t.Errorf("indexes = %v", out.Table.GlobalSecondaryIndexes)
	}
}

func ptr(s string) *string { return &s }

var things = &template.Table{Name: "things", TTL: "expires", Create: &dynamodb.CreateTableInput{
	TableName: ptr("things"), BillingMode: types.BillingModePayPerRequest,
	AttributeDefinitions: []types.AttributeDefinition{{AttributeName: ptr("pk"), AttributeType: types.ScalarAttributeTypeS}},
	KeySchema:            []types.KeySchemaElement{{AttributeName: ptr("pk"), KeyType: types.KeyTypeHash}},
}}

func createThings(t *testing.T, e *engine.Engine) *dynamodb.Client {
	t.Helper()
	client := engine.Client(e.Endpoint())
	if err := engine.CreateTables(t.Context(), client, []*template.Table{things}); err != nil {
		t.Fatal(err)
	}
	return client
}

func TestDataSurvivesARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data.db")
	first := start(t, engine.Options{DataFile: file})
	put(t, createThings(t, first), "kept", time.Now().Add(time.Hour))
	first.Close()
	second := createThings(t, start(t, engine.Options{DataFile: file}))
	if !has(t, second, "kept") {
		t.Error("the item is gone")
	}
}

func TestExpiredItemsAreSwept(t *testing.T) {
	client := createThings(t, start(t, engine.Options{Sweep: 20 * time.Millisecond}))
	put(t, client, "stays", time.Now().Add(time.Hour))
	put(t, client, "goes", time.Now().Add(-time.Hour))
	await(t, func() bool { return !has(t, client, "goes") })
	if !has(t, client, "stays") {
		t.Error("an item that has not expired was swept")
	}
}

func put(t *testing.T, client *dynamodb.Client, pk string, expires time.Time) {
	t.Helper()
	_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: ptr("things"), Item: map[string]types.AttributeValue{
		"pk":      &types.AttributeValueMemberS{Value: pk},
		"expires": &types.AttributeValueMemberN{Value: strconv.FormatInt(expires.Unix(), 10)},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, client *dynamodb.Client, pk string) bool {
	t.Helper()
	out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: ptr("things"), Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item != nil
}

// TestMain turns this program into a runner that starts an engine and waits, for the test that kills it.
func TestMain(m *testing.M) {
	if os.Getenv("ENGINE_TEST_CHILD") == "" {
		os.Exit(m.Run())
	}
	path, err := engine.Binary()
	if err != nil {
		panic(err)
	}
	e, err := engine.Start(context.Background(), engine.Options{Binary: path})
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString(e.Endpoint() + "\n")
	<-e.Done()
}

func TestTheEngineDiesWithItsRunner(t *testing.T) {
	runner := exec.Command(os.Args[0])
	runner.Env = append(os.Environ(), "ENGINE_TEST_CHILD=1")
	out, err := runner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := runner.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	client := engine.Client(strings.TrimSpace(string(line[:n])))
	if !answers(t, client) {
		t.Fatal("the engine does not answer while its runner lives")
	}
	if err := runner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = runner.Wait()
	await(t, func() bool { return !answers(t, client) })
}

func answers(t *testing.T, client *dynamodb.Client) bool {
	_, err := client.ListTables(t.Context(), &dynamodb.ListTablesInput{}, func(o *dynamodb.Options) { o.RetryMaxAttempts = 1 })
	return err == nil
}

func TestBinaryNamesTheWayOut(t *testing.T) {
	t.Setenv("TOKENIM_DYNOXIDE", "")
	t.Chdir(t.TempDir())
	if err := os.WriteFile("go.mod", []byte("module x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := engine.Binary()
	if err == nil || !strings.Contains(err.Error(), "make tools") {
		t.Errorf("error = %v, want one that names make tools", err)
	}
}

// await waits until condition holds, 10 s at most.
func await(t *testing.T, condition func() bool) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); !condition(); {
		if time.Now().After(limit) {
			t.Fatal("the condition did not come true")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
