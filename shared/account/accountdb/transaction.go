package accountdb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// requestLength is the length of what tells one transaction from another: 131 random bits (DynamoDB takes 36 characters).
const requestLength = 22

// transaction collects writes that happen together or not at all. The order of its steps is the order in which their
// refusals count: where several conditions are false, the first says why.
//
// A single write goes through one too where its condition is false once it has happened: DynamoDB knows the request of a
// transaction again, so the SDK's second attempt after a lost answer is a success and no refusal.
type transaction struct {
	db *dynamodb.Client
	// doing says what for, in errors.
	doing  string
	writes []types.TransactWriteItem
	// refusals are what false conditions mean, by step; nil where a condition is never false.
	refusals []error
	// failed is the first error of a step.
	failed error
}

func (t *transaction) add(write types.TransactWriteItem, refusal error) {
	t.writes, t.refusals = append(t.writes, write), append(t.refusals, refusal)
}

// put writes the row on the condition, "" for none.
func (t *transaction) put(tableName string, row any, condition string, refusal error) {
	item, err := table.Encode(row)
	if err != nil && t.failed == nil {
		t.failed = err
	}
	t.add(types.TransactWriteItem{Put: &types.Put{TableName: &tableName, Item: item, ConditionExpression: optional(condition)}}, refusal)
}

func (t *transaction) update(u table.Update, refusal error) {
	t.add(types.TransactWriteItem{Update: &types.Update{TableName: &u.Table, Key: u.Key, UpdateExpression: &u.Set,
		ConditionExpression: optional(u.If), ExpressionAttributeNames: u.Names, ExpressionAttributeValues: u.Values}}, refusal)
}

// remove deletes the item of the update on its condition.
func (t *transaction) remove(u table.Update, refusal error) {
	t.add(types.TransactWriteItem{Delete: &types.Delete{TableName: &u.Table, Key: u.Key,
		ConditionExpression: optional(u.If), ExpressionAttributeNames: u.Names, ExpressionAttributeValues: u.Values}}, refusal)
}

func optional(condition string) *string {
	if condition == "" {
		return nil
	}
	return &condition
}

// clone returns a transaction with the same steps, for further ones.
func (t *transaction) clone() *transaction {
	copied := *t
	copied.writes, copied.refusals = slices.Clone(t.writes), slices.Clone(t.refusals)
	return &copied
}

// run does the writes. Transactions at once can cancel each other; whoever is cancelled tries again until it is decided.
func (t *transaction) run(ctx context.Context) error {
	if t.failed != nil {
		return t.failed
	}
	request := id.Source{}.Text(requestLength)
	for attempt := 0; ; attempt++ {
		if err := table.Pause(ctx, attempt); err != nil {
			return table.Classify(t.doing, err)
		}
		_, err := t.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: t.writes,
			ClientRequestToken: aws.String(request), ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes})
		if _, inProgress := errors.AsType[*types.TransactionInProgressException](err); inProgress {
			continue // an earlier attempt of this very request: its outcome is ours
		}
		cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
		if !ok {
			if err != nil {
				return table.Classify(t.doing, err)
			}
			return nil
		}
		if err := t.verdict(cancelled.CancellationReasons); err != nil {
			return err
		}
		request = id.Source{}.Text(requestLength)
	}
}

// verdict reads why the transaction was cancelled: nil for a reason that passes, so that the caller tries again. A step
// that was in another's way counts before the later ones: only the next attempt tells what it would have said.
func (t *transaction) verdict(reasons []types.CancellationReason) error {
	for i, reason := range reasons {
		switch code := aws.ToString(reason.Code); code {
		case "", "None":
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			return nil
		default:
			if code == "ConditionalCheckFailed" && i < len(t.refusals) && t.refusals[i] != nil {
				return t.refusals[i]
			}
			return fmt.Errorf("%s: transaction cancelled at step %d: %s: %s", t.doing, i, code, aws.ToString(reason.Message))
		}
	}
	return nil
}
