package table

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Transaction collects writes that happen together or not at all; DynamoDB takes up to 100, and no item twice. The order
// of its steps is the order in which their refusals count: where several conditions are false, the first says why. nil is
// the refusal of a step whose condition is never false; that it is false all the same is a defect.
//
// A single write goes through one too where its condition is false once it has happened: DynamoDB knows the request of a
// transaction again, so the SDK's second attempt after a lost answer is a success and no refusal.
type Transaction struct {
	DB *dynamodb.Client
	// Doing says what for, in errors.
	Doing string
	steps []step
	// failed is the first error of a step.
	failed error
}

// step is one write, and what it means where its condition is false.
type step struct {
	write   types.TransactWriteItem
	refusal error
	// standing, where not nil, gets the item that the condition was false for.
	standing any
}

// Add takes a write as it is; the other steps are made with it.
func (t *Transaction) Add(write types.TransactWriteItem, refusal error) {
	t.steps = append(t.steps, step{write: write, refusal: refusal})
}

// Put writes the row on the condition, "" for none.
func (t *Transaction) Put(table string, row any, condition string, refusal error) {
	t.Replace(row, Update{Table: table, If: condition}, refusal)
}

// Replace writes the row on the condition of the update; Key and Set are not used.
func (t *Transaction) Replace(row any, u Update, refusal error) {
	item, err := Encode(row)
	if err != nil && t.failed == nil {
		t.failed = err
	}
	t.Add(types.TransactWriteItem{Put: &types.Put{TableName: &u.Table, Item: item,
		ConditionExpression: optional(u.If), ExpressionAttributeNames: filled(u.Names), ExpressionAttributeValues: filled(u.Values)}}, refusal)
}

// Update does the update on its condition.
func (t *Transaction) Update(u Update, refusal error) {
	t.Add(types.TransactWriteItem{Update: &types.Update{TableName: &u.Table, Key: u.Key, UpdateExpression: &u.Set,
		ConditionExpression: optional(u.If), ExpressionAttributeNames: filled(u.Names), ExpressionAttributeValues: filled(u.Values)}}, refusal)
}

// Remove deletes the item of the update on its condition; Set is not used.
func (t *Transaction) Remove(u Update, refusal error) {
	t.Add(types.TransactWriteItem{Delete: &types.Delete{TableName: &u.Table, Key: u.Key,
		ConditionExpression: optional(u.If), ExpressionAttributeNames: filled(u.Names), ExpressionAttributeValues: filled(u.Values)}}, refusal)
}

// Check leaves the item of the update as it is, but for the condition to hold; Set is not used.
func (t *Transaction) Check(u Update, refusal error) {
	t.Add(types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: &u.Table, Key: u.Key,
		ConditionExpression: &u.If, ExpressionAttributeNames: filled(u.Names), ExpressionAttributeValues: filled(u.Values)}}, refusal)
}

// filled returns the map, nil where it is empty: DynamoDB takes no empty one.
func filled[M ~map[string]V, V any](placeholders M) M {
	if len(placeholders) == 0 {
		return nil
	}
	return placeholders
}

func optional(condition string) *string {
	if condition == "" {
		return nil
	}
	return &condition
}

// Standing has Run decode into out the item that the last step, a Put or an Update, is refused for. It stays untouched
// where there is no such item, and where the step is not the one that refuses.
func (t *Transaction) Standing(out any) {
	last := &t.steps[len(t.steps)-1]
	last.standing = out
	if last.write.Put != nil {
		last.write.Put.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	} else {
		last.write.Update.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	}
}

// Clone returns a transaction with the same steps, for further ones.
func (t *Transaction) Clone() *Transaction {
	copied := *t
	copied.steps = slices.Clone(t.steps)
	return &copied
}

// Run does the writes and returns nil, or does none and returns the first refusal. Transactions at once can cancel each
// other; whoever is cancelled tries again until it is decided, or Pause gives up.
func (t *Transaction) Run(ctx context.Context) error {
	if t.failed != nil {
		return t.failed
	}
	input := &dynamodb.TransactWriteItemsInput{ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes}
	for _, step := range t.steps {
		input.TransactItems = append(input.TransactItems, step.write)
	}
	request := rand.Text() // 26 characters of the 36 that DynamoDB takes
	wait := Pause
	for attempt := 0; ; attempt++ {
		if err := wait(ctx, attempt); err != nil {
			return Classify(t.Doing, err)
		}
		input.ClientRequestToken = &request
		_, err := t.DB.TransactWriteItems(ctx, input)
		if _, inProgress := errors.AsType[*types.TransactionInProgressException](err); inProgress {
			wait = Backoff
			continue // an earlier attempt of this very request: its outcome is ours
		}
		cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
		if !ok {
			return t.outcome(err)
		}
		if wait, err = t.verdict(cancelled.CancellationReasons); err != nil {
			return err
		}
		request = rand.Text()
	}
}

func (t *Transaction) outcome(err error) error {
	if err != nil {
		return Classify(t.Doing, err)
	}
	return nil
}

// verdict reads why the transaction was cancelled: how to wait for a reason that passes, before the next attempt, or the error.
// A step that was in another's way counts before the later ones: only the next attempt tells what it would have said.
func (t *Transaction) verdict(reasons []types.CancellationReason) (wait func(context.Context, int) error, err error) {
	for i, reason := range reasons {
		switch code := aws.ToString(reason.Code); code {
		case "", "None":
		case "TransactionConflict":
			return Pause, nil
		case "ThrottlingError", "ProvisionedThroughputExceeded":
			return Backoff, nil
		default:
			if code == "ConditionalCheckFailed" && i < len(t.steps) && t.steps[i].refusal != nil {
				return nil, t.steps[i].refused(reason.Item)
			}
			return nil, fmt.Errorf("%s: transaction cancelled at step %d: %s: %s", t.Doing, i, code, aws.ToString(reason.Message))
		}
	}
	return Pause, nil
}

// refused is the step's refusal, for the item that stands there.
func (s step) refused(item Item) error {
	if s.standing != nil && len(item) > 0 {
		if err := Decode(item, s.standing); err != nil {
			return err
		}
	}
	return s.refusal
}
