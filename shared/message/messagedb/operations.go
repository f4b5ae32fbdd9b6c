package messagedb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table"
)

// Operations implements message.Operations. Who has reacted to which message, and what is pinned, stands beside the membership
// rows: app#conversation / <sequence>#<user>, and app#conversation / pins.
type Operations struct {
	DB *dynamodb.Client
	// Messages and Conversations are the tables; Keys is that of the apps' settings.
	Messages, Conversations, Keys string
}

var _ message.Operations = (*Operations)(nil)

// pinsItem is the sort key of what is pinned. Sequences are digits.
const pinsItem = "pins"

type reactionsRow struct {
	Key      string   `dynamodbav:"pk"`
	Sort     string   `dynamodbav:"sk"`
	Sequence int64    `dynamodbav:"seq"`
	Texts    []string `dynamodbav:"reactions"`
}

type pinsRow struct {
	Key      string  `dynamodbav:"pk"`
	Sort     string  `dynamodbav:"sk"`
	Sequence int64   `dynamodbav:"seq"`
	Pinned   []int64 `dynamodbav:"pinned"`
}

// reactionsSort returns the sort key of the user's reactions to the message of the sequence, and what all of them begin with for "".
func reactionsSort(sequence int64, user id.User) string {
	return fmt.Sprintf("%016d#%s", sequence, user)
}

// Alter implements message.Operations with one transaction.
func (o *Operations) Alter(ctx context.Context, change message.Alteration) error {
	work := &table.Transaction{DB: o.DB, Doing: "change a message"}
	work.Put(o.Messages, EntryRow(change.Entry), "attribute_not_exists(pk)", message.ErrTaken)
	key := logKey(change.Entry.App, change.Entry.Conversation)
	if is := change.Message; is != nil {
		unchanged := standing(o.Messages, "rev", is.Revision-1)
		unchanged.If = "attribute_exists(pk) AND " + unchanged.If // what is erased stays so
		work.Replace(EntryRow(*is), unchanged, message.ErrChanged)
	}
	if is := change.Superseded; is != nil {
		work.Update(table.Update{Table: o.Messages, Key: table.Item{"pk": table.S(key), "seq": table.N(is.Sequence)},
			Set: "SET sealed = :sealed", If: "attribute_exists(pk)",
			Values: table.Item{":sealed": &types.AttributeValueMemberB{Value: is.Sealed}}}, message.ErrChanged)
	}
	unchanged := standing(o.Conversations, "seq", change.Was)
	if is := change.Reactions; is != nil {
		work.Replace(reactionsRow{Key: key, Sort: reactionsSort(change.Message.Sequence, is.User), Sequence: is.Sequence, Texts: is.Texts}, unchanged, message.ErrChanged)
	}
	if is := change.Pins; is != nil {
		work.Replace(pinsRow{Key: key, Sort: pinsItem, Sequence: is.Sequence, Pinned: is.Pinned}, unchanged, message.ErrChanged)
	}
	return work.Run(ctx)
}

// standing is the condition that the attribute of the row that stands there is as it was; for 0 it has none, or there is no row.
func standing(name, attribute string, was int64) table.Update {
	condition := table.Update{Table: name, If: "attribute_not_exists(#was)", Names: map[string]string{"#was": attribute}}
	if was != 0 {
		condition.If, condition.Values = "#was = :was", table.Item{":was": table.N(was)}
	}
	return condition
}

// Reactions implements message.Operations.
func (o *Operations) Reactions(ctx context.Context, app id.App, conversation id.Conversation, sequence int64, user id.User) (message.Reactions, error) {
	var row reactionsRow
	_, err := table.Get(ctx, o.DB, o.Conversations, table.Key(logKey(app, conversation), reactionsSort(sequence, user)), true, &row)
	return message.Reactions{User: user, Texts: row.Texts, Sequence: row.Sequence}, err
}

// Reactors implements message.Operations.
func (o *Operations) Reactors(ctx context.Context, app id.App, conversation id.Conversation, sequence int64, after id.User, limit int) ([]message.Reactions, error) {
	prefix := reactionsSort(sequence, "")
	answer, err := o.DB.Query(ctx, &dynamodb.QueryInput{TableName: &o.Conversations,
		KeyConditionExpression: aws.String("pk = :pk AND sk BETWEEN :after AND :end"), ExpressionAttributeValues: table.Item{
			":pk": table.S(logKey(app, conversation)), ":after": table.S(prefix + string(after) + "\x00"), ":end": table.S(prefix + "v")}, // IDs begin with u
		Limit: aws.Int32(int32(limit)), ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes})
	if err != nil {
		return nil, table.Classify("list reactions", err)
	}
	found := make([]message.Reactions, 0, len(answer.Items))
	for _, item := range answer.Items {
		var row reactionsRow
		if err := table.Decode(item, &row); err != nil {
			return nil, err
		}
		found = append(found, message.Reactions{User: id.User(strings.TrimPrefix(row.Sort, prefix)), Texts: row.Texts, Sequence: row.Sequence})
	}
	return found, nil
}

// Windows implements message.Operations.
func (o *Operations) Windows(ctx context.Context, app id.App) (message.OperationWindows, error) {
	found, err := table.BatchGet(ctx, o.DB, table.Read{Table: o.Keys, Keys: []table.Item{apikeydb.AppKey(app)}})
	windows := message.DefaultWindows
	for _, item := range found[o.Keys] {
		var set struct {
			Edit   *int64 `dynamodbav:"edit_window"`
			Recall *int64 `dynamodbav:"recall_window"`
		}
		if err := table.Decode(item, &set); err != nil {
			return windows, err
		}
		if set.Edit != nil {
			windows.Edit = time.Duration(*set.Edit) * time.Second
		}
		if set.Recall != nil {
			windows.Recall = time.Duration(*set.Recall) * time.Second
		}
	}
	return windows, err
}

// Pins implements message.Operations.
func (o *Operations) Pins(ctx context.Context, app id.App, conversation id.Conversation) (message.Pins, error) {
	var row pinsRow
	_, err := table.Get(ctx, o.DB, o.Conversations, table.Key(logKey(app, conversation), pinsItem), true, &row)
	return message.Pins{Pinned: row.Pinned, Sequence: row.Sequence}, err
}
