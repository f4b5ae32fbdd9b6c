// Package sealdb keeps wrapped data keys in DynamoDB, in a table without point-in-time recovery: a destroyed key must
// not come back.
package sealdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/table"
)

// Store implements seal.Store. Keys: app / data key number in 10 digits, so that the newest sorts last.
type Store struct {
	DB    *dynamodb.Client
	Table string
}

var _ seal.Store = (*Store)(nil)

type row struct {
	App       string `dynamodbav:"pk"`
	Number    string `dynamodbav:"sk"`
	Wrapped   []byte `dynamodbav:"wrapped"`
	CreatedAt int64  `dynamodbav:"created_at"`
	Uses      int64  `dynamodbav:"uses"`
}

// Latest implements seal.Store.
func (s *Store) Latest(ctx context.Context, app id.App) (seal.DataKey, error) {
	answer, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, KeyConditionExpression: aws.String("pk = :app"),
		ExpressionAttributeValues: table.Item{":app": table.S(app.String())},
		ScanIndexForward:          aws.Bool(false), Limit: aws.Int32(1), ConsistentRead: aws.Bool(true),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
	})
	if err != nil {
		return seal.DataKey{}, table.Classify("read the latest data key", err)
	}
	if len(answer.Items) == 0 {
		return seal.DataKey{}, seal.ErrNoKey
	}
	var found row
	if err := table.Decode(answer.Items[0], &found); err != nil {
		return seal.DataKey{}, err
	}
	return found.key()
}

// Get implements seal.Store.
func (s *Store) Get(ctx context.Context, app id.App, number uint32) (seal.DataKey, error) {
	var found row
	ok, err := table.Get(ctx, s.DB, s.Table, table.Key(app.String(), sortKey(number)), true, &found)
	if err != nil {
		return seal.DataKey{}, err
	}
	if !ok {
		return seal.DataKey{}, seal.ErrNoKey
	}
	return found.key()
}

// Create implements seal.Store.
func (s *Store) Create(ctx context.Context, app id.App, key seal.DataKey) error {
	made := row{App: app.String(), Number: sortKey(key.Number), Wrapped: key.Wrapped,
		CreatedAt: key.CreatedAt.UnixMilli(), Uses: key.Uses}
	err := table.Put(ctx, s.DB, s.Table, made, "attribute_not_exists(pk)", nil, nil)
	if errors.Is(err, table.ErrCondition) {
		return seal.ErrExists
	}
	return err
}

// AddUses implements seal.Store.
func (s *Store) AddUses(ctx context.Context, app id.App, number uint32, uses int64) error {
	return table.Update{
		Table: s.Table, Key: table.Key(app.String(), sortKey(number)),
		Set: "ADD uses :uses", If: "attribute_exists(pk)", Values: table.Item{":uses": table.N(uses)},
	}.Run(ctx, s.DB, nil)
}

func (r row) key() (seal.DataKey, error) {
	var number uint32
	if _, err := fmt.Sscanf(r.Number, "%d", &number); err != nil {
		return seal.DataKey{}, fmt.Errorf("data key number %q: %w", r.Number, err)
	}
	return seal.DataKey{Number: number, Wrapped: r.Wrapped, CreatedAt: time.UnixMilli(r.CreatedAt).UTC(), Uses: r.Uses}, nil
}

func sortKey(number uint32) string { return fmt.Sprintf("%010d", number) }
