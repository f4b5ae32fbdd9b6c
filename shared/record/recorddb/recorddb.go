// Package recorddb keeps records in DynamoDB, and adds them to the transactions of other stores.
//
// Key: <log>#<chain> / seq, 16 digits; beside the records stands the chain's head, under "head". Two indexes lead to them
// by time: by_subject under <log>#<subject>, by_time under <log>#<year>-<month>.
package recorddb

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
)

// headSort is where the head of a chain stands. Digits come before letters, so it is behind all records.
const headSort = "head"

type row struct {
	Chain string `dynamodbav:"pk"`
	Sort  string `dynamodbav:"sk"`
	// Text is the record.
	Text string `dynamodbav:"text"`
	// Subject and Month are the partitions in the indexes, When the place in both.
	Subject string `dynamodbav:"subject,omitempty"`
	Month   string `dynamodbav:"month"`
	When    string `dynamodbav:"when"`
}

type headRow struct {
	Seq  int64  `dynamodbav:"seq"`
	Hash string `dynamodbav:"hash"`
}

func rowOf(r record.Record, text string) row {
	made := row{Chain: chainKey(r.Log, r.Chain), Sort: sortOf(r.Seq), Text: text, Month: monthKey(r.Log, r.At), When: r.Position()}
	if r.Subject != "" {
		made.Subject = subjectKey(r.Log, r.Subject)
	}
	return made
}

func chainKey(log record.Log, chain int) string { return fmt.Sprintf("%s#%x", log, chain) }

func sortOf(seq int64) string { return fmt.Sprintf("%016d", seq) }

func headKey(log record.Log, chain int) table.Item { return table.Key(chainKey(log, chain), headSort) }

func subjectKey(log record.Log, subject string) string { return string(log) + "#" + subject }

func monthKey(log record.Log, at time.Time) string {
	return string(log) + "#" + at.UTC().Format("2006-01")
}

func readHead(ctx context.Context, db *dynamodb.Client, name string, log record.Log, chain int) (record.Head, error) {
	var found headRow
	ok, err := table.Get(ctx, db, name, headKey(log, chain), true, &found)
	if err != nil || !ok {
		return record.Head{}, err
	}
	hash, err := record.ParseHash(found.Hash)
	if err != nil {
		return record.Head{}, fmt.Errorf("head of %s: %w", chainKey(log, chain), err)
	}
	return record.Head{Seq: found.Seq, Hash: hash}, nil
}
