package authzdb

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/table"
)

// NoteUse sets the day in Used of the permission in the subject's item, unless the same or a later one stands there; where
// there is no such item, it does nothing. It names no attribute but "used" and the item's key, and asks for none back: that
// is what the functions' permission to do this, and nothing else, goes by.
func NoteUse(ctx context.Context, db *dynamodb.Client, name string, key table.Item, permission authz.Permission, day int64) error {
	bit, value := Bit(permission), table.N(day)
	later := note{set: "SET used.#bit = :day",
		condition: "attribute_exists(used) AND (attribute_not_exists(used.#bit) OR used.#bit < :day)",
		names:     map[string]string{"#bit": bit}, values: table.Item{":day": value}}
	first := note{set: "SET used = :first", condition: "attribute_exists(pk) AND attribute_not_exists(used)",
		values: table.Item{":first": &types.AttributeValueMemberM{Value: table.Item{bit: value}}}}
	// The third is for an item that got its first note between the two before.
	for _, attempt := range []note{later, first, later} {
		if err := attempt.write(ctx, db, name, key); !errors.Is(err, table.ErrCondition) {
			return err
		}
	}
	return nil
}

// note is one way to write the use down.
type note struct {
	set, condition string
	names          map[string]string
	values         table.Item
}

func (n note) write(ctx context.Context, db *dynamodb.Client, name string, key table.Item) error {
	_, err := db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &name, Key: key, UpdateExpression: aws.String(n.set), ConditionExpression: aws.String(n.condition),
		ExpressionAttributeNames: n.names, ExpressionAttributeValues: n.values,
		ReturnValues: types.ReturnValueNone, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
	})
	return table.Outcome("note the use of a permission", err, nil)
}
