package appdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// Delete implements app.Store.
func (s *Store) Delete(ctx context.Context, deleted app.App, at, eraseAt time.Time) (app.App, error) {
	failed, standing, err := s.transact(ctx, "delete an app", []types.TransactWriteItem{
		s.update(deleted.ID, "SET deleted_at = :at, erase_at = :erase", "attribute_exists(pk) AND attribute_not_exists(deleted_at)",
			table.Item{":at": table.N(millis(at)), ":erase": table.N(millis(eraseAt))}),
		s.mark(deleted, "SET deleted_at = :at", table.Item{":at": table.N(millis(at))}),
	})
	switch {
	case err != nil:
		return app.App{}, err
	case failed == 0 && standing.Deleted():
		return standing, nil
	case failed >= 0:
		return app.App{}, app.ErrNotFound
	}
	deleted.DeletedAt, deleted.EraseAt = instant(millis(at)), instant(millis(eraseAt))
	return deleted, nil
}

// Restore implements app.Store.
func (s *Store) Restore(ctx context.Context, restored app.App) (app.App, error) {
	failed, standing, err := s.transact(ctx, "restore an app", []types.TransactWriteItem{
		s.update(restored.ID, "REMOVE deleted_at, erase_at", "attribute_exists(deleted_at) AND attribute_not_exists(erasing)", nil),
		s.mark(restored, "REMOVE deleted_at", nil),
	})
	switch {
	case err != nil:
		return app.App{}, err
	case failed == 0 && standing.ID == restored.ID && !standing.Deleted():
		return app.App{}, app.ErrNotDeleted
	case failed >= 0:
		return app.App{}, app.ErrNotFound
	}
	restored.DeletedAt, restored.EraseAt = time.Time{}, time.Time{}
	return restored, nil
}

// BeginErasing implements app.Store. What the condition says happens once, and the account's count with it: "erasing" is
// never removed.
func (s *Store) BeginErasing(ctx context.Context, appID id.App, now time.Time) (app.App, error) {
	found, err := s.erasing(ctx, appID)
	if !errors.Is(err, app.ErrNotDue) || !found.Deleted() {
		return found, err
	}
	failed, _, err := s.transact(ctx, "begin to erase an app", []types.TransactWriteItem{
		s.update(appID, "SET erasing = :now", "erase_at <= :now AND attribute_not_exists(erasing)", table.Item{":now": table.N(millis(now))}),
		s.count(found.Account, -1, "", nil),
		{Delete: &types.Delete{TableName: &s.Accounts, Key: pointerKey(found.Account, appID.String())}},
	})
	if err == nil && failed >= 0 {
		return s.erasing(ctx, appID) // another run may have begun since
	}
	return found, err
}

// erasing returns the app, and app.ErrNotDue where its erasing has not begun.
func (s *Store) erasing(ctx context.Context, appID id.App) (app.App, error) {
	var found row
	ok, err := table.Get(ctx, s.DB, s.Table, itemKey(appID), true, &found)
	switch {
	case err != nil:
		return app.App{}, err
	case !ok:
		return app.App{}, app.ErrNotFound
	case found.Erasing == 0:
		return found.app(), app.ErrNotDue
	}
	return found.app(), nil
}

// receiptPrefix begins the attributes that count what was erased, one for each table.
const receiptPrefix = "erased_"

// CountErased implements app.Store.
func (s *Store) CountErased(ctx context.Context, appID id.App, rows map[string]int) error {
	var adds []string
	values := table.Item{}
	for i, name := range slices.Sorted(maps.Keys(rows)) {
		value := fmt.Sprintf(":n%d", i)
		adds = append(adds, receiptPrefix+name+" "+value)
		values[value] = table.N(int64(rows[name]))
	}
	if len(adds) == 0 {
		return nil
	}
	return table.Update{Table: s.Table, Key: itemKey(appID), Set: "ADD " + strings.Join(adds, ", "),
		If: "attribute_exists(erasing)", Values: values}.Run(ctx, s.DB, nil)
}

// FinishErasing implements app.Store. deleted_at stays, so that nothing takes the app for one that is in use.
func (s *Store) FinishErasing(ctx context.Context, appID id.App, at time.Time) error {
	err := table.Update{Table: s.Table, Key: itemKey(appID),
		Set: "SET erased_at = :at REMOVE #name, origins, fingerprint", If: "attribute_exists(erasing) AND attribute_not_exists(erased_at)",
		Names: map[string]string{"#name": "name"}, Values: table.Item{":at": table.N(millis(at))}}.Run(ctx, s.DB, nil)
	if errors.Is(err, table.ErrCondition) {
		return nil // it is finished
	}
	return err
}

// update is a transaction's write of an app's own row; where its condition is false, the transaction tells how the row
// stands.
func (s *Store) update(appID id.App, set, condition string, values table.Item) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{TableName: &s.Table, Key: itemKey(appID), UpdateExpression: &set,
		ConditionExpression: &condition, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}}
}

// mark is a transaction's write of the pointer to an app, which has to be there.
func (s *Store) mark(marked app.App, set string, values table.Item) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{TableName: &s.Accounts,
		Key: pointerKey(marked.Account, marked.ID.String()), UpdateExpression: &set,
		ConditionExpression: aws.String("attribute_exists(pk)"), ExpressionAttributeValues: values}}
}

// transact does the writes, all or none. failed is the number of the first whose condition was false, -1 for none;
// standing is the app that the first write's row then holds. A transaction that was cancelled because another was in its
// way is tried again.
func (s *Store) transact(ctx context.Context, doing string, writes []types.TransactWriteItem) (failed int, standing app.App, err error) {
	for attempt := 0; ; attempt++ {
		if err := table.Pause(ctx, attempt); err != nil {
			return -1, app.App{}, table.Classify(doing, err)
		}
		_, err := s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			TransactItems: writes, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes})
		cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
		if !ok {
			if err != nil {
				err = table.Classify(doing, err)
			}
			return -1, app.App{}, err
		}
		failed, standing, err := verdict(doing, cancelled.CancellationReasons)
		if failed >= 0 || err != nil {
			return failed, standing, err
		}
	}
}

// verdict reads why a transaction was cancelled: -1 and no error for a reason that passes.
func verdict(doing string, reasons []types.CancellationReason) (failed int, standing app.App, err error) {
	for i, reason := range reasons {
		switch code := aws.ToString(reason.Code); code {
		case "", "None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
		case "ConditionalCheckFailed":
			var found row
			if i == 0 {
				err = table.Decode(reason.Item, &found)
			}
			return i, found.app(), err
		default:
			return -1, app.App{}, fmt.Errorf("%s: transaction cancelled: %s: %s", doing, code, aws.ToString(reason.Message))
		}
	}
	return -1, app.App{}, nil
}
