// Package apikeydb keeps API keys in DynamoDB.
package apikeydb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// Store implements apikey.Store. Key: app / key ID.
type Store struct {
	DB    *dynamodb.Client
	Table string
}

var _ apikey.Store = (*Store)(nil)

type row struct {
	App       string   `dynamodbav:"pk"`
	ID        string   `dynamodbav:"sk"`
	Name      string   `dynamodbav:"name"`
	Scopes    []string `dynamodbav:"scopes"`
	Hash      []byte   `dynamodbav:"hash"`
	CreatedAt int64    `dynamodbav:"created_at"`
	CreatedBy string   `dynamodbav:"created_by,omitempty"`
	ExpiresAt int64    `dynamodbav:"expires_at,omitempty"`
	RevokedAt int64    `dynamodbav:"revoked_at,omitempty"`
}

// ItemKey returns the key of the item, for reads of several tables at once.
func ItemKey(app id.App, key id.Key) table.Item { return table.Key(string(app), string(key)) }

// Decode reads an item.
func Decode(item table.Item) (apikey.Key, error) {
	var found row
	if err := table.Decode(item, &found); err != nil {
		return apikey.Key{}, err
	}
	return found.key()
}

// Create implements apikey.Store.
func (s *Store) Create(ctx context.Context, key apikey.Key) (apikey.Key, error) {
	made := row{App: string(key.App), ID: string(key.ID), Name: key.Name, Scopes: key.Scopes, Hash: key.Hash[:],
		CreatedAt: millis(key.CreatedAt), CreatedBy: string(key.CreatedBy), ExpiresAt: millis(key.ExpiresAt)}
	var standing row
	err := table.Put(ctx, s.DB, s.Table, made, "attribute_not_exists(pk)", nil, &standing)
	if errors.Is(err, table.ErrCondition) {
		found, err := standing.key()
		return found, errors.Join(apikey.ErrExists, err)
	}
	return key, err
}

// Get implements apikey.Store.
func (s *Store) Get(ctx context.Context, app id.App, key id.Key) (apikey.Key, error) {
	var found row
	ok, err := table.Get(ctx, s.DB, s.Table, ItemKey(app, key), true, &found)
	if err != nil {
		return apikey.Key{}, err
	}
	if !ok {
		return apikey.Key{}, apikey.ErrNotFound
	}
	return found.key()
}

// List implements apikey.Store.
func (s *Store) List(ctx context.Context, app id.App, after id.Key, limit int) ([]apikey.Key, error) {
	// "key_" keeps the app's own row out; "key`" is the first text behind every key ID.
	low := string(after) + "\x00"
	if after == "" {
		low = "key_"
	}
	answer, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, KeyConditionExpression: aws.String("pk = :app AND sk BETWEEN :low AND :high"),
		ExpressionAttributeValues: table.Item{":app": table.S(string(app)), ":low": table.S(low), ":high": table.S("key`")},
		Limit:                     aws.Int32(int32(limit)), ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
	})
	if err != nil {
		return nil, table.Classify("list keys", err)
	}
	keys := make([]apikey.Key, 0, len(answer.Items))
	for _, item := range answer.Items {
		key, err := Decode(item)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Revoke implements apikey.Store.
func (s *Store) Revoke(ctx context.Context, app id.App, key id.Key, at time.Time) (apikey.Key, error) {
	var after row
	err := table.Update{
		Table: s.Table, Key: ItemKey(app, key),
		Set: "SET revoked_at = if_not_exists(revoked_at, :at)", If: "attribute_exists(pk)",
		Values: table.Item{":at": table.N(millis(at))},
	}.Run(ctx, s.DB, &after)
	if errors.Is(err, table.ErrCondition) {
		return apikey.Key{}, apikey.ErrNotFound
	}
	if err != nil {
		return apikey.Key{}, err
	}
	return after.key()
}

func (r row) key() (apikey.Key, error) {
	key := apikey.Key{ID: id.Key(r.ID), App: id.App(r.App), Name: r.Name, Scopes: r.Scopes, CreatedBy: id.Key(r.CreatedBy),
		CreatedAt: instant(r.CreatedAt), ExpiresAt: instant(r.ExpiresAt), RevokedAt: instant(r.RevokedAt)}
	if len(r.Hash) != len(key.Hash) {
		return apikey.Key{}, fmt.Errorf("key %s: hash of %d bytes", r.ID, len(r.Hash))
	}
	copy(key.Hash[:], r.Hash)
	return key, nil
}

// millis and instant keep the zero time as 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}
