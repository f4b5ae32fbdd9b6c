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
}

// EntryRow returns the entry's row, for a transaction that puts it on the condition attribute_not_exists(pk).
func EntryRow(e message.Entry) any {
	return entryRow{Key: logKey(e.App, e.Conversation), Sequence: e.Sequence, From: string(e.Sender), To: string(e.Recipient),
		Type: e.Type, Sealed: e.Sealed, ClientID: e.ClientID, SentAt: e.SentAt.UnixMilli(), ToLower: e.ToLower, ToUpper: e.ToUpper,
		Base: e.Base}
}

func logKey(app id.App, conversation id.Conversation) string {
	return app.String() + "#" + string(conversation)
}

// Append implements message.Log.
func (l *Log) Append(ctx context.Context, e message.Entry) error {
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
		entries = append(entries, message.Entry{
			App: app, Conversation: conversation, Sequence: row.Sequence, Sender: id.User(row.From), Recipient: id.User(row.To),
			Type: row.Type, Sealed: row.Sealed, ClientID: row.ClientID, SentAt: time.UnixMilli(row.SentAt).UTC(),
			ToLower: row.ToLower, ToUpper: row.ToUpper, Base: row.Base,
		})
	}
	return entries, nil
}
