// Package table is the little that every DynamoDB store of TokenIM shares: how a client is made, how items are read,
// and which of DynamoDB's errors mean what.
package table

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/awsenv"
	"github.com/tokenim/tokenim/shared/fault"
)

// Item is a DynamoDB item or key.
type Item = map[string]types.AttributeValue

// ErrCondition says that a conditional write found its condition false and wrote nothing.
var ErrCondition = errors.New("table: condition not met")

// Client returns a client for the region and endpoint of the environment.
func Client() *dynamodb.Client {
	return dynamodb.NewFromConfig(awsenv.Config(), func(o *dynamodb.Options) {
		o.BaseEndpoint = awsenv.Endpoint("DYNAMODB")
		// Throttling is answered within the caller's patience: 4 attempts with at most half a second between them.
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts, r.MaxBackoff = 4, 500*time.Millisecond
		})
	})
}

// Name returns the physical name of a table from TABLE_<name>. A missing variable is a defect of the template.
func Name(name string) string {
	table := os.Getenv("TABLE_" + name)
	if table == "" {
		panic("table: TABLE_" + name + " is not set; the function's environment in template.yaml lacks it")
	}
	return table
}

// Key returns a key of a partition key alone, or with a sort key, both strings.
func Key(pk string, sk ...string) Item {
	key := Item{"pk": &types.AttributeValueMemberS{Value: pk}}
	if len(sk) == 1 {
		key["sk"] = &types.AttributeValueMemberS{Value: sk[0]}
	}
	return key
}

// Get reads one item into out, strongly consistent or not (half the price). found is false where there is none.
func Get(ctx context.Context, db *dynamodb.Client, table string, key Item, strong bool, out any) (found bool, err error) {
	answer, err := db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &table, Key: key, ConsistentRead: &strong, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
	})
	if err != nil {
		return false, Classify("read "+table, err)
	}
	if len(answer.Item) == 0 {
		return false, nil
	}
	return true, Decode(answer.Item, out)
}

// Read is what a BatchGet reads of one table.
type Read struct {
	// Table is the physical name.
	Table string
	// Keys are the items; keys of one table must differ.
	Keys []Item
	// Strong asks for strongly consistent reads, at twice the price.
	Strong bool
}

// BatchGet reads up to 100 items of several tables in one round trip (more only where DynamoDB leaves some unread) and
// returns what exists by table, in no order.
func BatchGet(ctx context.Context, db *dynamodb.Client, reads ...Read) (map[string][]Item, error) {
	pending := map[string]types.KeysAndAttributes{}
	for _, read := range reads {
		if len(read.Keys) > 0 {
			pending[read.Table] = types.KeysAndAttributes{Keys: read.Keys, ConsistentRead: aws.Bool(read.Strong)}
		}
	}
	found := map[string][]Item{}
	for attempt := 0; len(pending) > 0; attempt++ {
		if err := Backoff(ctx, attempt); err != nil {
			return nil, Classify("batch read", err)
		}
		answer, err := db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: pending, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes})
		if err != nil {
			return nil, Classify("batch read", err)
		}
		for table, items := range answer.Responses {
			found[table] = append(found[table], items...)
		}
		pending = answer.UnprocessedKeys
	}
	return found, nil
}

// maxPauses bounds the attempts behind Pause and Backoff: after 6 the waits add up to about 3 s.
const maxPauses = 6

// Pause waits for others to be done with the same thing, before the attempt with that number (0 does not wait), 50 ms
// doubling. Past 6 attempts it gives up with fault.Overtaken.
func Pause(ctx context.Context, attempt int) error { return wait(ctx, attempt, fault.Overtaken) }

// Backoff waits as Pause does for DynamoDB to keep up, and gives up with fault.Unavailable.
func Backoff(ctx context.Context, attempt int) error { return wait(ctx, attempt, fault.Unavailable) }

func wait(ctx context.Context, attempt int, end fault.Code) error {
	switch {
	case attempt == 0:
		return ctx.Err()
	case attempt > maxPauses:
		return fault.New(end)
	}
	pause := 50 * time.Millisecond << (attempt - 1)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause/2 + rand.N(pause/2)): // two who collided shall not collide again
		return nil
	}
}

// Put writes the item. condition is an expression or "" for none; values fill its placeholders; a false condition is
// ErrCondition, and existing, where not nil, then gets the item that stands there.
func Put(ctx context.Context, db *dynamodb.Client, table string, item any, condition string, values Item, existing any) error {
	encoded, err := Encode(item)
	if err != nil {
		return err
	}
	input := &dynamodb.PutItemInput{TableName: &table, Item: encoded, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes}
	if condition != "" {
		input.ConditionExpression = &condition
		input.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	}
	if len(values) > 0 {
		input.ExpressionAttributeValues = values
	}
	_, err = db.PutItem(ctx, input)
	return Outcome("write "+table, err, existing)
}

// Delete removes the item, if there is one. condition is an expression or "" for none; values fill its placeholders; a false condition
// is ErrCondition, and existing, where not nil, then gets the item that stands there, untouched where there is none.
func Delete(ctx context.Context, db *dynamodb.Client, table string, key Item, condition string, values Item, existing any) error {
	input := &dynamodb.DeleteItemInput{TableName: &table, Key: key, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes}
	if condition != "" {
		input.ConditionExpression = &condition
		input.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	}
	if len(values) > 0 {
		input.ExpressionAttributeValues = values
	}
	_, err := db.DeleteItem(ctx, input)
	return Outcome("delete from "+table, err, existing)
}

// Update is one UpdateItem.
type Update struct {
	// Table is the physical name, Key the item.
	Table string
	Key   Item
	// Set is the update expression, If the condition ("" for none).
	Set, If string
	// Names and Values fill the placeholders of both.
	Names  map[string]string
	Values Item
}

// Run does the update and decodes the whole item after it into out. A false condition is ErrCondition, and out then
// gets the item as it stands, untouched where there is none.
func (u Update) Run(ctx context.Context, db *dynamodb.Client, out any) error {
	input := &dynamodb.UpdateItemInput{
		TableName: &u.Table, Key: u.Key, UpdateExpression: &u.Set,
		ReturnValues: types.ReturnValueAllNew, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
	}
	if u.If != "" {
		input.ConditionExpression = &u.If
		input.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	}
	if len(u.Names) > 0 {
		input.ExpressionAttributeNames = u.Names
	}
	if len(u.Values) > 0 {
		input.ExpressionAttributeValues = u.Values
	}
	answer, err := db.UpdateItem(ctx, input)
	if err != nil {
		return Outcome("update "+u.Table, err, out)
	}
	if out == nil {
		return nil
	}
	return Decode(answer.Attributes, out)
}

// Outcome turns the error of a conditional write into ErrCondition, decoding the standing item into existing, or into
// a classified error.
func Outcome(doing string, err error, existing any) error {
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		if existing != nil && len(refused.Item) > 0 {
			if err := Decode(refused.Item, existing); err != nil {
				return err
			}
		}
		return ErrCondition
	}
	if err != nil {
		return Classify(doing, err)
	}
	return nil
}

// Classify says what was being done, and makes a retryable refusal instead of a defect of throttling, time-outs, and
// transactions in the way.
func Classify(doing string, err error) error {
	err = fmt.Errorf("%s: %w", doing, err)
	if _, refusal := errors.AsType[*fault.Error](err); refusal {
		return err
	}
	if _, conflict := errors.AsType[*types.TransactionConflictException](err); conflict {
		return fault.Wrap(err, fault.Overtaken)
	}
	if _, server := errors.AsType[*types.InternalServerError](err); server || awsenv.Transient(err) { // the SDK's list lacks it
		return fault.Wrap(err, fault.Unavailable)
	}
	return err
}

// Encode turns a struct with dynamodbav tags into an item.
func Encode(value any) (Item, error) {
	if item, ok := value.(Item); ok {
		return maps.Clone(item), nil
	}
	item, err := attributevalue.MarshalMap(value)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", value, err)
	}
	return item, nil
}

// Decode turns an item into a struct with dynamodbav tags.
func Decode(item Item, out any) error {
	if err := attributevalue.UnmarshalMap(item, out); err != nil {
		return fmt.Errorf("decode %T: %w", out, err)
	}
	return nil
}

// S makes an attribute value of a string.
func S(text string) types.AttributeValue { return &types.AttributeValueMemberS{Value: text} }

// N makes an attribute value of a whole number.
func N(number int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(number)}
}
