package apikeydb

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// appSort is the sort key of an app's own row; package appdb writes it.
const appSort = "app"

// step is one write of a transaction, and what it means where its condition is false.
type step struct {
	write   types.TransactWriteItem
	refusal error
}

// Create implements apikey.Store.
func (s *Store) Create(ctx context.Context, key apikey.Key) (apikey.Key, error) {
	steps, err := s.creation(key)
	if err != nil {
		return apikey.Key{}, err
	}
	return s.transact(ctx, key, append(steps, s.makerStands(key)...))
}

// Rotate implements apikey.Store. A key that replaces itself is its own maker: one transaction takes no item twice, and
// its replacement asks for the same and more.
func (s *Store) Rotate(ctx context.Context, replaced, made apikey.Key) (apikey.Key, error) {
	steps, err := s.creation(made)
	if err != nil {
		return apikey.Key{}, err
	}
	steps = append(steps, s.replacement(replaced))
	if made.CreatedBy != string(replaced.ID) {
		steps = append(steps, s.makerStands(made)...)
	}
	return s.transact(ctx, made, steps)
}

// creation is the new key, if its app is not deleted.
func (s *Store) creation(key apikey.Key) ([]step, error) {
	item, err := table.Encode(rowOf(key))
	if err != nil {
		return nil, err
	}
	return []step{
		{types.TransactWriteItem{Put: &types.Put{TableName: &s.Table, Item: item,
			ConditionExpression:                 aws.String("attribute_not_exists(pk)"),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}}, apikey.ErrExists},
		{types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: &s.Table,
			Key:                 table.Key(key.App.String(), appSort),
			ConditionExpression: aws.String("attribute_not_exists(deleted_at)")}}, apikey.ErrAppDeleted},
	}, nil
}

// makerStands is the condition that the key which makes another has not been revoked since it was checked: whoever revokes a
// key and then lists them sees all that it has made. Developers are no rows of this table.
func (s *Store) makerStands(made apikey.Key) []step {
	if !id.IsKey(made.CreatedBy) {
		return nil
	}
	return []step{{types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: &s.Table,
		Key:                 ItemKey(made.App, id.Key(made.CreatedBy)),
		ConditionExpression: aws.String("attribute_not_exists(revoked_at) AND attribute_not_exists(suspended)")}}, apikey.ErrMakerRevoked}}
}

// replacement marks the old key, if it can be replaced.
func (s *Store) replacement(replaced apikey.Key) step {
	set := "SET rotated_at = :at, rotated_to = :to, expires_at = :expires"
	values := table.Item{":at": table.N(millis(replaced.RotatedAt)), ":to": table.S(string(replaced.RotatedTo)),
		":expires": table.N(millis(replaced.ExpiresAt))}
	if !replaced.RevokedAt.IsZero() {
		set, values[":revoked"] = set+", revoked_at = :revoked", table.N(millis(replaced.RevokedAt))
	}
	return step{types.TransactWriteItem{Update: &types.Update{TableName: &s.Table, Key: ItemKey(replaced.App, replaced.ID),
		UpdateExpression: &set, ExpressionAttributeValues: values,
		ConditionExpression: aws.String("attribute_exists(pk) AND attribute_not_exists(rotated_to) AND " +
			"attribute_not_exists(revoked_at) AND attribute_not_exists(suspended)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}}, apikey.ErrNotRotatable}
}

// transact does the steps or none and returns the made key; where a condition is false, the first such step's error and the
// key that stands there. It tries again while others are in the way.
func (s *Store) transact(ctx context.Context, made apikey.Key, steps []step) (apikey.Key, error) {
	input := &dynamodb.TransactWriteItemsInput{
		// The same token in every attempt: what was done before its answer got lost is not refused as done already.
		ClientRequestToken:     aws.String(id.Hash(string(made.ID), string(made.Hash[:]))),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
	}
	for _, step := range steps {
		input.TransactItems = append(input.TransactItems, step.write)
	}
	for attempt := 0; ; attempt++ {
		if err := table.Pause(ctx, attempt); err != nil {
			return apikey.Key{}, table.Classify("store a key", err)
		}
		_, err := s.DB.TransactWriteItems(ctx, input)
		if err == nil {
			return made, nil
		}
		cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
		if !ok {
			return apikey.Key{}, table.Classify("store a key", err)
		}
		if standing, err := verdict(steps, cancelled.CancellationReasons); err != nil {
			return standing, err
		}
	}
}

// verdict reads why a transaction was cancelled: no error for a reason that passes, so that the caller tries again.
func verdict(steps []step, reasons []types.CancellationReason) (standing apikey.Key, err error) {
	for i, reason := range reasons {
		if aws.ToString(reason.Code) == "ConditionalCheckFailed" && i < len(steps) {
			return standingOf(reason.Item, steps[i].refusal)
		}
	}
	for _, reason := range reasons {
		switch aws.ToString(reason.Code) {
		case "", "None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
		default:
			return apikey.Key{}, fmt.Errorf("store a key: transaction cancelled: %s: %s", aws.ToString(reason.Code), aws.ToString(reason.Message))
		}
	}
	return apikey.Key{}, nil
}

// standingOf decodes the key that a false condition was about.
func standingOf(item table.Item, refused error) (apikey.Key, error) {
	switch {
	case len(item) > 0:
		standing, err := Decode(item)
		return standing, errors.Join(refused, err)
	case errors.Is(refused, apikey.ErrNotRotatable):
		return apikey.Key{}, apikey.ErrNotFound
	}
	return apikey.Key{}, refused
}
