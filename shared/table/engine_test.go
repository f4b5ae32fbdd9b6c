package table_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/table/tabletest"
)

// thing is a row of any table with pk and sk.
type thing struct {
	Key  string `dynamodbav:"pk"`
	Sort string `dynamodbav:"sk"`
	Size int64  `dynamodbav:"size"`
}

func put(t *testing.T, db *dynamodb.Client, name string, rows int) (keys []table.Item) {
	t.Helper()
	for i := range rows {
		row := thing{Key: name, Sort: fmt.Sprintf("%03d", i), Size: int64(i)}
		storetest.OK(t, "Put", table.Put(t.Context(), db, name, row, "", nil, nil))
		keys = append(keys, table.Key(row.Key, row.Sort))
	}
	return keys
}

func TestGetAndPut(t *testing.T) {
	db, tables := enginetest.Start(t)
	name := tables["TABLE_CONVERSATIONS"]
	var found thing
	for _, strong := range []bool{false, true} {
		ok, err := table.Get(t.Context(), db, name, table.Key("no", "row"), strong, &found)
		if ok || err != nil {
			t.Fatalf("Get of nothing = %v, %v", ok, err)
		}
	}
	keys := put(t, db, name, 2)
	client, cost := tabletest.Watch(db)
	for strong, want := range map[bool]float64{false: 0.5, true: 1} {
		ok, err := table.Get(t.Context(), client, name, keys[1], strong, &found)
		if !ok || err != nil || found != (thing{name, "001", 1}) {
			t.Fatalf("Get = %+v, %v, %v", found, ok, err)
		}
		if units := cost.Take(); units != want {
			t.Errorf("a read (strong %v) cost %v units, want %v", strong, units, want)
		}
	}
	var standing thing
	err := table.Put(t.Context(), db, name, thing{name, "001", 9}, "attribute_not_exists(pk)", nil, &standing)
	if err != table.ErrCondition || standing.Size != 1 {
		t.Errorf("Put on a standing row = %v, standing %+v", err, standing)
	}
	err = table.Put(t.Context(), db, name, thing{name, "001", 9}, "size < :nine", nil, nil)
	if err == nil || err == table.ErrCondition {
		t.Errorf("Put with a malformed condition = %v", err)
	}
}

func TestUpdate(t *testing.T) {
	db, tables := enginetest.Start(t)
	name := tables["TABLE_CONVERSATIONS"]
	keys := put(t, db, name, 1)
	grow := table.Update{Table: name, Key: keys[0], Set: "SET #size = #size + :one", If: "#size < :two",
		Names: map[string]string{"#size": "size"}, Values: table.Item{":one": table.N(1), ":two": table.N(2)}}
	var after thing
	for i, want := range []error{nil, nil, table.ErrCondition} {
		if err := grow.Run(t.Context(), db, &after); err != want || after.Size != min(int64(i+1), 2) {
			t.Fatalf("update %d = %v, after %+v; want %v", i, err, after, want)
		}
	}
	grow.Key = table.Key("no", "row")
	untouched := thing{Key: "before"}
	if err := grow.Run(t.Context(), db, &untouched); err != table.ErrCondition || untouched.Key != "before" {
		t.Errorf("an update of nothing = %v, after %+v", err, untouched)
	}
	if err := grow.Run(t.Context(), db, nil); err != table.ErrCondition {
		t.Errorf("an update without out = %v", err)
	}
}

// stingy answers only the first key of each table in a batch and leaves the others unread, as DynamoDB may.
func stingy(client *dynamodb.Client) *dynamodb.Client {
	options := client.Options()
	options.APIOptions = append(options.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("stingy", readFirst), middleware.Before)
	})
	return dynamodb.New(options)
}

func readFirst(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	input := in.Parameters.(*dynamodb.BatchGetItemInput)
	read, unread := map[string]types.KeysAndAttributes{}, map[string]types.KeysAndAttributes{}
	for name, keys := range input.RequestItems {
		read[name] = types.KeysAndAttributes{Keys: keys.Keys[:1], ConsistentRead: keys.ConsistentRead}
		if len(keys.Keys) > 1 {
			unread[name] = types.KeysAndAttributes{Keys: keys.Keys[1:], ConsistentRead: keys.ConsistentRead}
		}
	}
	in.Parameters = &dynamodb.BatchGetItemInput{RequestItems: read, ReturnConsumedCapacity: input.ReturnConsumedCapacity}
	out, metadata, err := next.HandleInitialize(ctx, in)
	if answer, ok := out.Result.(*dynamodb.BatchGetItemOutput); ok && answer != nil {
		answer.UnprocessedKeys = unread
	}
	return out, metadata, err
}

func TestBatchGet(t *testing.T) {
	db, tables := enginetest.Start(t)
	a, b := tables["TABLE_CONVERSATIONS"], tables["TABLE_KEYS"]
	keysA, keysB := append(put(t, db, a, 4), table.Key("no", "row")), put(t, db, b, 2)
	for name, client := range map[string]*dynamodb.Client{"at once": db, "with unread keys": stingy(db)} {
		found, err := table.BatchGet(t.Context(), client, table.Read{Table: a, Keys: keysA, Strong: true},
			table.Read{Table: b, Keys: keysB}, table.Read{Table: tables["TABLE_USERS"]})
		if err != nil || len(found) != 2 {
			t.Fatalf("%s: BatchGet = %v, %v", name, found, err)
		}
		wantSorts(t, name, found[a], "000", "001", "002", "003")
		wantSorts(t, name, found[b], "000", "001")
	}
	if found, err := table.BatchGet(t.Context(), db); err != nil || len(found) != 0 {
		t.Errorf("BatchGet of nothing = %v, %v", found, err)
	}
}

// Strong reads cost twice, and only where they are asked for.
func TestBatchGetCost(t *testing.T) {
	db, tables := enginetest.Start(t)
	a, b := tables["TABLE_CONVERSATIONS"], tables["TABLE_KEYS"]
	keysA, keysB := put(t, db, a, 1), put(t, db, b, 1)
	client, cost := tabletest.Watch(db)
	for want, strong := range map[float64][2]bool{1: {false, false}, 1.5: {true, false}, 2: {true, true}} {
		_, err := table.BatchGet(t.Context(), client, table.Read{Table: a, Keys: keysA, Strong: strong[0]}, table.Read{Table: b, Keys: keysB, Strong: strong[1]})
		storetest.OK(t, "BatchGet", err)
		if units := cost.Take(); units != want {
			t.Errorf("two reads (strong %v) cost %v units, want %v", strong, units, want)
		}
	}
}

func wantSorts(t *testing.T, doing string, items []table.Item, want ...string) {
	t.Helper()
	got := []string{}
	for _, item := range items {
		var row thing
		storetest.OK(t, "Decode", table.Decode(item, &row))
		got = append(got, row.Sort)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s: found %v, want %v", doing, got, want)
	}
}
