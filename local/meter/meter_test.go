package meter_test

import (
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/engine"
	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/local/meter"
)

const total = types.ReturnConsumedCapacityTotal

// metered returns a client whose calls are counted as those of Fn, on an engine with the project's tables.
func metered(t *testing.T) (*meter.Counters, *dynamodb.Client) {
	t.Helper()
	behind, _ := enginetest.Start(t)
	counters := &meter.Counters{}
	proxy, err := counters.Proxy("Fn", *behind.Options().BaseEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return counters, engine.Client(server.URL + "/fn/Fn/dynamodb")
}

func s(text string) types.AttributeValue { return &types.AttributeValueMemberS{Value: text} }

func key(pk, sk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": s(pk), "sk": s(sk)}
}

// usage finds one operation's usage.
func usage(t *testing.T, c *meter.Counters, action, table, index string) meter.Usage {
	t.Helper()
	for _, u := range c.Snapshot().DynamoDB {
		if u.Operation == (meter.Operation{Function: "Fn", Action: "dynamodb:" + action, Table: table, Index: index}) {
			return u
		}
	}
	t.Errorf("%s on %s %s was not counted: %+v", action, table, index, c.Snapshot().DynamoDB)
	return meter.Usage{}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnitsOfSingleOperationsAndBatches(t *testing.T) {
	c, client := metered(t)
	connections := aws.String("connections-table")
	for range 2 {
		item := key("u1", "C#1")
		item["key"] = s("k1")
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: connections, Item: item, ReturnConsumedCapacity: total})
		must(t, err)
	}
	_, err := client.Query(t.Context(), &dynamodb.QueryInput{TableName: connections, IndexName: aws.String("by_key"), ReturnConsumedCapacity: total,
		KeyConditionExpression: aws.String("#k = :k"), ExpressionAttributeNames: map[string]string{"#k": "key"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":k": s("k1")}})
	must(t, err)
	_, err = client.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{ReturnConsumedCapacity: total, RequestItems: map[string]types.KeysAndAttributes{
		"keys-table":        {Keys: []map[string]types.AttributeValue{key("a", "b")}, ConsistentRead: aws.Bool(true)},
		"connections-table": {Keys: []map[string]types.AttributeValue{key("u1", "C#1")}, ConsistentRead: aws.Bool(true)},
	}})
	must(t, err)

	if u := usage(t, c, "PutItem", "connections-table", ""); u.Calls != 2 || u.WriteUnits != 3 || u.ReadUnits != 0 {
		t.Errorf("PutItem = %+v, want 2 units for the row and its index entry, and 1 for the same again", u)
	}
	if u := usage(t, c, "Query", "connections-table", "by_key"); u.Calls != 1 || u.ReadUnits != 0.5 {
		t.Errorf("Query = %+v", u)
	}
	for _, table := range []string{"keys-table", "connections-table"} {
		if u := usage(t, c, "BatchGetItem", table, ""); u.Calls != 1 || u.ReadUnits != 1 {
			t.Errorf("BatchGetItem on %s = %+v", table, u)
		}
	}
}

func TestATransactionCountsTheActionsThatItNeeds(t *testing.T) {
	c, client := metered(t)
	_, err := client.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{ReturnConsumedCapacity: total, TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: aws.String("keys-table"), Item: key("a", "1")}},
		{ConditionCheck: &types.ConditionCheck{TableName: aws.String("connections-table"), Key: key("u", "R"), ConditionExpression: aws.String("attribute_not_exists(pk)")}},
	}})
	must(t, err)
	if u := usage(t, c, "PutItem", "keys-table", ""); u.Calls != 1 || u.WriteUnits != 2 {
		t.Errorf("Put = %+v", u)
	}
	if u := usage(t, c, "ConditionCheckItem", "connections-table", ""); u.Calls != 1 || u.WriteUnits != 2 {
		t.Errorf("ConditionCheck = %+v", u)
	}
}

func TestErrorsPassThroughAndResetForgets(t *testing.T) {
	c, client := metered(t)
	_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("keys-table"), Item: key("a", "b"),
		ConditionExpression: aws.String("attribute_exists(pk)"), ReturnConsumedCapacity: total})
	if err == nil {
		t.Error("a failed condition is no error")
	}
	if u := usage(t, c, "PutItem", "keys-table", ""); u.Calls != 1 || u.WriteUnits != 1 {
		t.Errorf("PutItem = %+v", u)
	}
	c.Count("posts", "Fn")
	c.CountQueue(meter.QueueOperation{Function: "Fn"}, 1, 1)
	c.Reset()
	if got := c.Snapshot(); len(got.DynamoDB) != 0 || len(got.SQS) != 0 || len(got.Events) != 0 {
		t.Errorf("after the reset: %+v", got)
	}
}

func TestQueuesAreCountedAsTheyAreBilled(t *testing.T) {
	c := &meter.Counters{}
	send := meter.QueueOperation{Function: "Fn", Action: "sqs:SendMessage", Queue: "jobs"}
	c.CountQueue(send, 1, 10)
	c.CountQueue(send, 10, 64<<10+1)
	c.CountQueue(meter.QueueOperation{Function: "Fn", Action: "sqs:ReceiveMessage", Queue: "jobs"}, 0, 0)
	got := c.Snapshot().SQS
	if len(got) != 2 || got[0].Action != "sqs:ReceiveMessage" || got[0].Requests != 1 {
		t.Fatalf("usage = %+v", got)
	}
	if want := (meter.QueueUsage{QueueOperation: send, Calls: 2, Messages: 11, Requests: 3}); got[1] != want {
		t.Errorf("usage = %+v, want %+v", got[1], want)
	}
}
