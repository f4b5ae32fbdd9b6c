package backup

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/table"
)

// batchSize is the most writes of one BatchWriteItem.
const batchSize = 25

func puts(items []table.Item) []types.WriteRequest {
	requests := make([]types.WriteRequest, len(items))
	for i, item := range items {
		requests[i].PutRequest = &types.PutRequest{Item: item}
	}
	return requests
}

// write sends the requests in batches, those that DynamoDB leaves again until it takes them.
func (t Tables) write(ctx context.Context, name string, requests []types.WriteRequest) error {
	physical, err := t.physical(name)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(requests, batchSize) {
		for attempt := 0; len(batch) > 0; attempt++ {
			if err := table.Pause(ctx, attempt); err != nil {
				return fmt.Errorf("write to %s: DynamoDB leaves writes undone: %w", physical, err)
			}
			answer, err := t.DB.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
				RequestItems: map[string][]types.WriteRequest{physical: batch}})
			if err != nil {
				return fmt.Errorf("write to %s: %w", physical, err)
			}
			left := answer.UnprocessedItems[physical]
			if len(left) < len(batch) {
				attempt = 0 // it takes some: patience begins anew
			}
			batch = left
		}
	}
	return nil
}

// Empty deletes every item of the tables that are named.
func Empty(ctx context.Context, tables Tables) error {
	for _, name := range tables.Named() {
		if err := tables.empty(ctx, name); err != nil {
			return fmt.Errorf("empty %s: %w", name, err)
		}
	}
	return nil
}

func (t Tables) empty(ctx context.Context, name string) error {
	physical, err := t.physical(name)
	if err != nil {
		return err
	}
	described, err := t.DB.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &physical})
	if err != nil {
		return err
	}
	var batch []types.WriteRequest
	for item, err := range t.Items(ctx, name) {
		if err != nil {
			return err
		}
		batch = append(batch, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: keyOf(item, described.Table.KeySchema)}})
		if len(batch) == batchSize {
			if err := t.write(ctx, name, batch); err != nil {
				return err
			}
			batch = nil
		}
	}
	return t.write(ctx, name, batch)
}

func keyOf(item table.Item, schema []types.KeySchemaElement) table.Item {
	key := table.Item{}
	for _, element := range schema {
		key[*element.AttributeName] = item[*element.AttributeName]
	}
	return key
}
