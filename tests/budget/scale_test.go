package budget_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/local/engine"
	"github.com/tokenim/tokenim/tests/budget"
)

// TestASendCostsTheSameHoweverManyAreOnline measures a send beside ten connections of other users and beside twenty
// thousand. They are written straight into the tables: opening them all would take longer and show the same.
func TestASendCostsTheSameHoweverManyAreOnline(t *testing.T) {
	row := budget.Rows[0]
	few := measureBeside(t, row, 0, 10)
	many := measureBeside(t, row, 10, 20_000)
	t.Logf("beside 10: %+v; beside 20,000: %+v", few, many)
	// What grew with the number of the others would be many times as much; a fraction is what one of the sixteen met by chance.
	if many.WriteUnits > few.WriteUnits+0.5 || many.ReadUnits > few.ReadUnits+0.5 || many.Calls > few.Calls+0.5 || many.Posts != few.Posts {
		t.Errorf("beside 10 connections %+v, beside 20,000 %+v", few, many)
	}
	within(t, row, many, requests)
}

func measureBeside(t *testing.T, row budget.Row, from, to int) budget.Cost {
	t.Helper()
	if err := connect(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
	cost, err := platform.Measure(t.Context(), row, requests)
	if err != nil {
		t.Fatal(err)
	}
	return cost
}

// connect writes routing records and connection rows of users number from to below to, of the app under test.
func connect(ctx context.Context, from, to int) error {
	const batch = 12 // two items each; a request takes 25
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for first := from; first < to; first += batch {
		group.Go(func() error { return connectBatch(ctx, first, min(first+batch, to)) })
	}
	return group.Wait()
}

func connectBatch(ctx context.Context, from, to int) error {
	table := platform.Runner.Environment("MessagesFunction")["TABLE_CONNECTIONS"]
	// A key names its app: tk_<16 characters of the app><10 of its own>_…
	public := strings.Split(platform.App.APIKey, "_")[1]
	app, key := "app_"+public[:16], "key_"+public
	var puts []types.WriteRequest
	for n := from; n < to; n++ {
		for _, item := range connected(app, key, n) {
			puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
		}
	}
	answer, err := engine.Client(platform.Runner.DynamoDB()).BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
		RequestItems: map[string][]types.WriteRequest{table: puts}})
	if err == nil && len(answer.UnprocessedItems) > 0 {
		err = fmt.Errorf("%d tables have unprocessed items", len(answer.UnprocessedItems))
	}
	return err
}

// connected is what the tables hold of a user with one device online.
func connected(app, key string, n int) []map[string]types.AttributeValue {
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	number := func(n int64) types.AttributeValue { return &types.AttributeValueMemberN{Value: fmt.Sprint(n)} }
	user, connection := fmt.Sprintf("%s#u_%022d", app, n), fmt.Sprintf("connection-%d", n)
	until := number(time.Now().Add(time.Hour).Unix())
	device := &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"l": until, "x": until}}
	return []map[string]types.AttributeValue{
		{"pk": text(user), "sk": text("R"), "v": number(1), "f": number(0), "ring": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{}},
			"dev": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"~" + connection: device}}},
		{"pk": text(user), "sk": text("C#" + connection), "key": text(app + "#" + key), "device": text("~" + connection),
			"epoch": number(0), "token_expires": until, "expires": until},
	}
}
