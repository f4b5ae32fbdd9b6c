package messagedb

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table"
)

// Removals implements message.Removals in the tables of conversations and of messages. Key of a deleted message:
// app#user#deleted / conversation#sequence.
type Removals struct {
	DB *dynamodb.Client
	// Members and Log are the tables of the two.
	Members, Log string
}

var _ message.Removals = (*Removals)(nil)

// deletedRow says that the user has deleted a message for itself.
type deletedRow struct {
	Key  string `dynamodbav:"pk"`
	Sort string `dynamodbav:"sk"`
}

// DeletedPart is what of the table of conversations has the messages that the user has deleted: the part of the key behind the app.
func DeletedPart(user id.User) string { return string(user) + "#deleted" }

func deletedKey(app id.App, user id.User) string { return app.String() + "#" + DeletedPart(user) }

// deletedSort writes a sequence so that it sorts as a number does.
func deletedSort(conversation id.Conversation, sequence int64) string {
	return fmt.Sprintf("%s#%016d", conversation, sequence)
}

// Deleted implements message.Removals.
func (r *Removals) Deleted(ctx context.Context, app id.App, user id.User, conversation id.Conversation, from, to int64, strong bool) ([]int64, error) {
	input := &dynamodb.QueryInput{TableName: &r.Members, KeyConditionExpression: aws.String("pk = :pk AND sk BETWEEN :from AND :to"),
		ExpressionAttributeValues: table.Item{":pk": table.S(deletedKey(app, user)),
			":from": table.S(deletedSort(conversation, from)), ":to": table.S(deletedSort(conversation, to))},
		ConsistentRead: &strong, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes}
	var sequences []int64
	for {
		answer, err := r.DB.Query(ctx, input)
		if err != nil {
			return nil, table.Classify("find what was deleted", err)
		}
		for _, item := range answer.Items {
			var row deletedRow
			if err := table.Decode(item, &row); err != nil {
				return nil, err
			}
			_, text, _ := strings.Cut(row.Sort, "#")
			sequence, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("deleted message %s: %w", row.Sort, err)
			}
			sequences = append(sequences, sequence)
		}
		if input.ExclusiveStartKey = answer.LastEvaluatedKey; len(answer.LastEvaluatedKey) == 0 {
			return sequences, nil
		}
	}
}

// Remove implements message.Removals.
func (r *Removals) Remove(ctx context.Context, removal message.Removal) error {
	was, is := removal.Was, removal.Is
	work := &table.Transaction{DB: r.DB, Doing: "remove messages for a user"}
	work.Put(r.Log, EntryRow(removal.Entry), "attribute_not_exists(pk)", message.ErrOvertaken)
	work.Update(table.Update{Table: r.Members, Key: MemberKey(was.App, was.User, was.Conversation),
		Set: "SET ack = :ack, #read = :read, read_ord = :ord, cleared = :cleared, deletes = :deletes", If: "ack = :was_ack AND #read = :was_read",
		Names: map[string]string{"#read": "read"}, Values: table.Item{":ack": table.N(is.Acknowledged), ":read": table.N(is.Read),
			":ord": table.N(is.ReadOrdinal), ":cleared": table.N(is.Cleared), ":deletes": &types.AttributeValueMemberBOOL{Value: is.Deletes},
			":was_ack": table.N(was.Acknowledged), ":was_read": table.N(was.Read)}}, message.ErrOvertaken)
	for _, sequence := range removal.Deleted {
		work.Put(r.Members, deletedRow{Key: deletedKey(was.App, was.User), Sort: deletedSort(was.Conversation, sequence)},
			"attribute_not_exists(pk)", message.ErrOvertaken)
	}
	return work.Run(ctx)
}
