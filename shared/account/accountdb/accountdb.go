// Package accountdb keeps developers, sessions and accounts in two DynamoDB tables.
//
// What proves a developer stands in a table of its own, which few functions may touch: developer / "developer", "factor"
// and "setup"; "mail#"<hash of an address> / "-" says whose it is; "pending#"<the same hash> / "-" is a sign-up; and
// "link#"<hash of a token> / "-" is what stands behind a mailed link.
//
// The other table has, by account, "account", "member#"<developer>, "app#"<app> and "invitation#"<invitation>; and by
// developer, "account#"<account>, "session#"<session> and "sessions", the session epoch. The row "account" counts members
// and owners for the conditions of Join, SetRole and Leave; the rows "app#" and other counts of "account" belong to
// another package.
package accountdb

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// The sort keys, and the prefixes of those that end in an ID.
const (
	developerSort    = "developer"
	factorSort       = "factor"
	setupSort        = "setup"
	onlySort         = "-" // of partitions with one row
	accountSort      = "account"
	invitationPrefix = "invitation#"
	accountPrefix    = "account#"
)

// live is the condition that a row has not expired; :now is the time. The database sweeps late, and by the second.
const live = "expires_at > :now"

// Conditions on rows whatever they hold.
const (
	present = "attribute_exists(pk)"
	absent  = "attribute_not_exists(pk)"
)

// addressKey is where something about an address stands. Addresses are personal: keys show in logs and metrics.
func addressKey(prefix string, email account.Email) string {
	return prefix + "#" + id.Hash("mail", string(email))
}

func claimKey(email account.Email) string   { return addressKey("mail", email) }
func pendingKey(email account.Email) string { return addressKey("pending", email) }

func linkKey(hash [32]byte) string { return "link#" + hex.EncodeToString(hash[:]) }

// now is the clock's time as live compares it.
func now(clock clock.Clock) types.AttributeValue { return table.N(clock.Now().UnixMilli()) }

// lasts tells whether what expires at that time, in milliseconds, still counts.
func lasts(clock clock.Clock, expires int64) bool { return expires > clock.Now().UnixMilli() }

// sweepAt is the time in whole seconds from which the database may delete what expires at the time: not before it.
func sweepAt(t time.Time) int64 { return (t.UnixMilli() + 999) / 1000 }

// get reads a row strongly; none is account.ErrNotFound.
func get(ctx context.Context, db *dynamodb.Client, tableName, pk, sk string, out any) error {
	found, err := table.Get(ctx, db, tableName, table.Key(pk, sk), true, out)
	if err == nil && !found {
		return account.ErrNotFound
	}
	return err
}

// query reads up to limit rows of a partition whose sort keys begin with the prefix, strongly and in order, those after
// prefix+after; limit 0 reads all.
func query(ctx context.Context, db *dynamodb.Client, tableName, pk, prefix, after string, limit int) ([]table.Item, error) {
	low := prefix
	if after != "" {
		low += after + "\x00"
	}
	input := &dynamodb.QueryInput{
		TableName: &tableName, ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
		KeyConditionExpression: aws.String("pk = :pk AND sk BETWEEN :low AND :high"),
		// IDs are letters and digits, all of which come before "~".
		ExpressionAttributeValues: table.Item{":pk": table.S(pk), ":low": table.S(low), ":high": table.S(prefix + "~")},
	}
	if limit > 0 {
		input.Limit = aws.Int32(int32(limit))
	}
	var items []table.Item
	for {
		answer, err := db.Query(ctx, input)
		if err != nil {
			return nil, table.Classify("query "+prefix, err)
		}
		items = append(items, answer.Items...)
		input.ExclusiveStartKey = answer.LastEvaluatedKey
		if len(answer.LastEvaluatedKey) == 0 || limit > 0 && len(items) >= limit {
			return items, nil
		}
		if limit > 0 {
			input.Limit = aws.Int32(int32(limit - len(items)))
		}
	}
}

// decodeAll decodes rows of one kind.
func decodeAll[R any](items []table.Item) ([]R, error) {
	rows := make([]R, len(items))
	for i, item := range items {
		if err := table.Decode(item, &rows[i]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}
