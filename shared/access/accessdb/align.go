package accessdb

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/authz/authzdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// alignWorkers is how many keys are changed at once: an app of hundreds has to be done within a request's time.
const alignWorkers = 16

// copyRow is what of a key tells whether it needs the policy.
type copyRow struct {
	ID        string         `dynamodbav:"sk"`
	ExpiresAt int64          `dynamodbav:"expires_at"`
	RevokedAt int64          `dynamodbav:"revoked_at"`
	Policy    authzdb.Policy `dynamodbav:"policy"`
}

// older tells whether the key works at the time and has a policy before the version.
func (r copyRow) older(version int64, now time.Time) bool {
	return r.RevokedAt == 0 && (r.ExpiresAt == 0 || r.ExpiresAt > now.UnixMilli()) && r.Policy.Version < version
}

// Align implements access.Store. It sees every key that may lack the policy: a transaction that makes one has the version
// of the book as a condition, so what is made after SetBook has the new policy, and what was made before is found by a strong
// read. An overtaken Align leaves keys alone that a later one has reached.
func (s *Store) Align(ctx context.Context, app id.App, policy authz.Policy, now time.Time) error {
	kept, err := attributevalue.Marshal(authzdb.NewPolicy(policy))
	if err != nil {
		return err
	}
	pages := dynamodb.NewQueryPaginator(s.DB, &dynamodb.QueryInput{TableName: &s.Keys, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("pk = :partition AND sk BETWEEN :low AND :high"),
		ExpressionAttributeValues: between(app.String(), keyLow, "", keyHigh),
		ProjectionExpression:      aws.String("sk, expires_at, revoked_at, #policy.v"),
		ExpressionAttributeNames:  map[string]string{"#policy": "policy"},
		ReturnConsumedCapacity:    types.ReturnConsumedCapacityIndexes})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return table.Classify("list keys", err)
		}
		if err := s.alignPage(ctx, app, page.Items, policy.Version, kept, now); err != nil {
			return err
		}
	}
	return nil
}

// alignPage changes the keys of a page. Where some fail, the others are done all the same.
func (s *Store) alignPage(ctx context.Context, app id.App, items []table.Item, version int64, policy types.AttributeValue, now time.Time) error {
	var group errgroup.Group
	group.SetLimit(alignWorkers)
	for _, item := range items {
		var key copyRow
		if err := table.Decode(item, &key); err != nil {
			return errors.Join(err, group.Wait())
		}
		if !key.older(version, now) {
			continue
		}
		group.Go(func() error {
			return s.copyTo(ctx, table.Update{Table: s.Keys, Key: table.Key(app.String(), key.ID), Set: "SET #policy = :policy",
				If:    "attribute_exists(pk) AND (attribute_not_exists(#policy) OR #policy.v < :v)",
				Names: map[string]string{"#policy": "policy"}, Values: table.Item{":policy": policy, ":v": table.N(version)}})
		})
	}
	return group.Wait()
}

// copyTo does the update of a key, unless the key is gone or has the policy of another meanwhile. Transactions on the key
// are waited for: whoever grants without a pause must not be able to keep a policy from coming into force.
func (s *Store) copyTo(ctx context.Context, update table.Update) error {
	for attempt := 0; ; attempt++ {
		if err := table.Pause(ctx, attempt); err != nil {
			return table.Classify("copy a policy", err)
		}
		err := update.Run(ctx, s.DB, nil)
		if errors.Is(err, table.ErrCondition) {
			return nil
		}
		if _, conflict := errors.AsType[*types.TransactionConflictException](err); !conflict {
			return err
		}
	}
}
