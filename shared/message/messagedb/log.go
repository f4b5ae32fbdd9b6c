// Package messagedb keeps logs, client-ID records and membership rows in DynamoDB.
package messagedb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table"
)

// Log implements message.Log. Key: app#conversation / sequence.
type Log struct {
	DB    *dynamodb.Client
	Table string
}

var _ message.Log = (*Log)(nil)

type entryRow struct {
	Key      string `dynamodbav:"pk"`
	Sequence int64  `dynamodbav:"seq"`
	From     string `dynamodbav:"from"`
	To       string `dynamodbav:"to"`
	Type     string `dynamodbav:"type"`
	Sealed   []byte `dynamodbav:"sealed"`
	ClientID string `dynamodbav:"client_id,omitempty"`
	SentAt   int64  `dynamodbav:"sent_at"`
	ToLower  int64  `dynamodbav:"lo"`
	ToUpper  int64  `dynamodbav:"up"`
	Base     int64  `dynamodbav:"base,omitempty"`
	Reach    int    `dynamodbav:"reach,omitempty"`
	Hidden   bool   `dynamodbav:"hidden,omitempty"`
	Rich     bool   `dynamodbav:"rich,omitempty"`
	Shown    int64  `dynamodbav:"shown,omitempty"`
	// What becomes of it later.
	Revision   int64            `dynamodbav:"rev,omitempty"`
	Edit       int64            `dynamodbav:"edit,omitempty"`
	EditedAt   int64            `dynamodbav:"edited_at,omitempty"`
	Recall     int64            `dynamodbav:"recall,omitempty"`
	RecalledAt int64            `dynamodbav:"recalled_at,omitempty"`
	RecalledBy string           `dynamodbav:"recalled_by,omitempty"`
	Reactions  map[string]int64 `dynamodbav:"reactions,omitempty"`
}

// EntryRow returns the entry's row, for a transaction that puts it on the condition attribute_not_exists(pk).
func EntryRow(e message.Entry) any {
	row := entryRow{Key: logKey(e.App, e.Conversation), Sequence: e.Sequence, From: string(e.Sender), To: string(e.Recipient),
		Type: e.Type, Sealed: e.Sealed, ClientID: e.ClientID, SentAt: e.SentAt.UnixMilli(), ToLower: e.ToLower, ToUpper: e.ToUpper,
		Base: e.Base, Reach: int(e.Reach), Hidden: e.Hidden, Rich: e.Rich, Shown: e.Shown,
		Revision: e.Revision, Edit: e.Edit, Recall: e.Recall, RecalledBy: string(e.RecalledBy), Reactions: e.Reactions}
	if e.Edit != 0 {
		row.EditedAt = e.EditedAt.UnixMilli()
	}
	if e.Recall != 0 {
		row.RecalledAt = e.RecalledAt.UnixMilli()
	}
	return row
}

// entry returns the entry of the row.
func (r entryRow) entry(app id.App, conversation id.Conversation) message.Entry {
	entry := message.Entry{App: app, Conversation: conversation, Sequence: r.Sequence, Sender: id.User(r.From), Recipient: id.User(r.To),
		Type: r.Type, Sealed: r.Sealed, ClientID: r.ClientID, SentAt: time.UnixMilli(r.SentAt).UTC(), ToLower: r.ToLower, ToUpper: r.ToUpper,
		Base: r.Base, Reach: message.Reach(r.Reach), Hidden: r.Hidden, Rich: r.Rich, Shown: r.Shown,
		Revision: r.Revision, Edit: r.Edit, Recall: r.Recall, RecalledBy: id.User(r.RecalledBy), Reactions: r.Reactions}
	if r.Edit != 0 {
		entry.EditedAt = time.UnixMilli(r.EditedAt).UTC()
	}
	if r.Recall != 0 {
		entry.RecalledAt = time.UnixMilli(r.RecalledAt).UTC()
	}
	return entry
}

func logKey(app id.App, conversation id.Conversation) string {
	return app.String() + "#" + string(conversation)
}

// Append implements message.Log. A transaction that puts an operation, or a change of a group, at the same number is waited for:
// only what comes of it tells whether the number is free.
func (l *Log) Append(ctx context.Context, e message.Entry) error {
	return waitingForTransactions(ctx, "write an entry", func() error { return l.put(ctx, e) })
}

// waitingForTransactions does a plain write, and does it again while a transaction is in its way: DynamoDB waits for none, and the
// SDK does not try again.
func waitingForTransactions(ctx context.Context, doing string, write func() error) error {
	for attempt := 0; ; attempt++ {
		if err := table.Pause(ctx, attempt); err != nil {
			return table.Classify(doing, err)
		}
		err := write()
		if _, conflict := errors.AsType[*types.TransactionConflictException](err); !conflict {
			return err
		}
	}
}

func (l *Log) put(ctx context.Context, e message.Entry) error {
	var standing entryRow
	err := table.Put(ctx, l.DB, l.Table, EntryRow(e), "attribute_not_exists(pk)", nil, &standing)
	if errors.Is(err, table.ErrCondition) {
		if bytes.Equal(standing.Sealed, e.Sealed) {
			return nil // the SDK tried again after an answer was lost; ciphertexts are never equal by chance
		}
		return message.ErrTaken
	}
	return err
}

// Read implements message.Log.
func (l *Log) Read(ctx context.Context, app id.App, conversation id.Conversation, from int64, limit int, strong bool) ([]message.Entry, error) {
	return l.query(ctx, app, conversation, &dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk AND seq >= :from"),
		ExpressionAttributeValues: table.Item{":from": table.N(from)},
		Limit:                     aws.Int32(int32(limit)), ConsistentRead: &strong,
	})
}

// ReadBack implements message.Log.
func (l *Log) ReadBack(ctx context.Context, app id.App, conversation id.Conversation, to int64, limit int, strong bool) ([]message.Entry, error) {
	input := &dynamodb.QueryInput{
		KeyConditionExpression: aws.String("pk = :pk"), ExpressionAttributeValues: table.Item{},
		ScanIndexForward: aws.Bool(false), Limit: aws.Int32(int32(limit)), ConsistentRead: &strong,
	}
	if to > 0 {
		input.KeyConditionExpression = aws.String("pk = :pk AND seq <= :to")
		input.ExpressionAttributeValues[":to"] = table.N(to)
	}
	return l.query(ctx, app, conversation, input)
}

// query reads one page: at most PageSize+2 entries, of at most about 5 KB each, stay below DynamoDB's 1 MB a page.
func (l *Log) query(ctx context.Context, app id.App, conversation id.Conversation, input *dynamodb.QueryInput) ([]message.Entry, error) {
	input.TableName = &l.Table
	input.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	input.ExpressionAttributeValues[":pk"] = table.S(logKey(app, conversation))
	answer, err := l.DB.Query(ctx, input)
	if err != nil {
		return nil, table.Classify("read the log", err)
	}
	entries := make([]message.Entry, 0, len(answer.Items))
	for _, item := range answer.Items {
		var row entryRow
		if err := table.Decode(item, &row); err != nil {
			return nil, fmt.Errorf("entry of %s: %w", conversation, err)
		}
		entries = append(entries, row.entry(app, conversation))
	}
	return entries, nil
}
