// Package apikeydb keeps API keys in DynamoDB.
package apikeydb

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/authz/authzdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
)

// Store implements apikey.Store. Key: app / key ID. The app's own row stands beside its keys: app / "app"; it has an
// attribute deleted_at once the app is deleted, and may be missing. So does what the app has decided for all its subjects:
// app / "policy".
type Store struct {
	DB    *dynamodb.Client
	Table string
	// Records is needed by what takes records.
	Records *recorddb.Writer
}

var _ apikey.Store = (*Store)(nil)

// ItemKey returns the key of the item, for reads of several tables at once.
func ItemKey(app id.App, key id.Key) table.Item { return table.Key(app.String(), string(key)) }

// AppSort is where an app's own row stands among its keys, whose sort keys begin with "key_"; package appdb writes it.
const AppSort = "app"

// AppKey returns the key of the app's own row.
func AppKey(app id.App) table.Item { return table.Key(app.String(), AppSort) }

// Decode reads an item.
func Decode(item table.Item) (apikey.Key, error) {
	var found row
	if err := table.Decode(item, &found); err != nil {
		return apikey.Key{}, err
	}
	return found.key()
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
	// "key_" keeps the app's other rows out; "key`" is the first text behind every key ID.
	low := string(after) + "\x00"
	if after == "" {
		low = "key_"
	}
	answer, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, KeyConditionExpression: aws.String("pk = :app AND sk BETWEEN :low AND :high"),
		ExpressionAttributeValues: table.Item{":app": table.S(app.String()), ":low": table.S(low), ":high": table.S("key`")},
		Limit:                     aws.Int32(int32(limit)), ConsistentRead: aws.Bool(true),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
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

// Suspend implements apikey.Store. Transactions on the key are waited for: whoever makes and rotates keys without a pause
// must not be able to keep one of them from being suspended.
func (s *Store) Suspend(ctx context.Context, app id.App, key id.Key, on bool) error {
	update := table.Update{Table: s.Table, Key: ItemKey(app, key), Set: "REMOVE suspended", If: "attribute_exists(pk)"}
	if on {
		update.Set, update.Values = "SET suspended = :on", table.Item{":on": &types.AttributeValueMemberBOOL{Value: true}}
	}
	for attempt := 0; ; attempt++ {
		if err := table.Pause(ctx, attempt); err != nil {
			return table.Classify("suspend a key", err)
		}
		err := update.Run(ctx, s.DB, nil)
		if errors.Is(err, table.ErrCondition) {
			return apikey.ErrNotFound
		}
		if _, conflict := errors.AsType[*types.TransactionConflictException](err); !conflict {
			return err
		}
	}
}

// Used implements apikey.Store. It names no attribute but its own two and the key's, and asks for none back: that is what
// the functions' permission to do this, and nothing else, goes by.
func (s *Store) Used(ctx context.Context, app id.App, key id.Key, at, before time.Time, source string) error {
	_, err := s.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: ItemKey(app, key),
		UpdateExpression:    aws.String("SET used_at = :at, used_from = :from"),
		ConditionExpression: aws.String("attribute_exists(pk) AND (attribute_not_exists(used_at) OR used_at <= :before)"),
		ExpressionAttributeValues: table.Item{":at": table.N(at.UnixMilli()), ":before": table.N(before.UnixMilli()),
			":from": table.S(source)},
		ReturnValues: types.ReturnValueNone, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
	})
	if err = table.Outcome("note the use of a key", err, nil); errors.Is(err, table.ErrCondition) {
		return nil
	}
	return err
}

// UsedFor implements apikey.Store.
func (s *Store) UsedFor(ctx context.Context, app id.App, key id.Key, permission authz.Permission, day int64) error {
	return authzdb.NoteUse(ctx, s.DB, s.Table, ItemKey(app, key), permission, day)
}
