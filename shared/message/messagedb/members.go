package messagedb

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table"
)

// Members implements message.Members. Key: app#user / conversation.
type Members struct {
	DB    *dynamodb.Client
	Table string
}

var _ message.Members = (*Members)(nil)

type memberRow struct {
	Key          string `dynamodbav:"pk"`
	Conversation string `dynamodbav:"sk"`
	Peer         string `dynamodbav:"peer"`
	Acknowledged int64  `dynamodbav:"ack"`
	Read         int64  `dynamodbav:"read"`
	ReadOrdinal  int64  `dynamodbav:"read_ord"`
}

func memberKey(app id.App, user id.User) string { return app.String() + "#" + string(user) }

func (r memberRow) member(app id.App, user id.User) message.Member {
	return message.Member{App: app, User: user, Conversation: id.Conversation(r.Conversation), Peer: id.User(r.Peer),
		Acknowledged: r.Acknowledged, Read: r.Read, ReadOrdinal: r.ReadOrdinal}
}

// Ensure implements message.Members.
func (m *Members) Ensure(ctx context.Context, member message.Member) error {
	err := table.Put(ctx, m.DB, m.Table, memberRow{Key: memberKey(member.App, member.User),
		Conversation: string(member.Conversation), Peer: string(member.Peer)}, "attribute_not_exists(pk)", nil, nil)
	if errors.Is(err, table.ErrCondition) {
		return nil
	}
	return err
}

// Get implements message.Members.
func (m *Members) Get(ctx context.Context, app id.App, user id.User, conversation id.Conversation, strong bool) (message.Member, error) {
	var row memberRow
	found, err := table.Get(ctx, m.DB, m.Table, table.Key(memberKey(app, user), string(conversation)), strong, &row)
	if err != nil {
		return message.Member{}, err
	}
	if !found {
		return message.Member{}, message.ErrNotMember
	}
	return row.member(app, user), nil
}

// List implements message.Members.
func (m *Members) List(ctx context.Context, app id.App, user id.User, after id.Conversation, limit int, strong bool) ([]message.Member, error) {
	input := &dynamodb.QueryInput{
		TableName: &m.Table, KeyConditionExpression: aws.String("pk = :pk"),
		ExpressionAttributeValues: table.Item{":pk": table.S(memberKey(app, user))},
		Limit:                     aws.Int32(int32(limit)), ConsistentRead: &strong,
		ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
	}
	if after != "" {
		input.KeyConditionExpression = aws.String("pk = :pk AND sk > :after")
		input.ExpressionAttributeValues[":after"] = table.S(string(after))
	}
	answer, err := m.DB.Query(ctx, input)
	if err != nil {
		return nil, table.Classify("list conversations", err)
	}
	members := make([]message.Member, 0, len(answer.Items))
	for _, item := range answer.Items {
		var row memberRow
		if err := table.Decode(item, &row); err != nil {
			return nil, err
		}
		members = append(members, row.member(app, user))
	}
	return members, nil
}

// Acknowledge implements message.Members.
func (m *Members) Acknowledge(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (message.Member, error) {
	return m.forward(ctx, app, user, conversation, table.Update{
		Set: "SET ack = :seq", If: "ack < :seq", Values: table.Item{":seq": table.N(sequence)}})
}

// MarkRead implements message.Members.
func (m *Members) MarkRead(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence, ordinal int64) (message.Member, error) {
	return m.forward(ctx, app, user, conversation, table.Update{
		Set: "SET #read = :seq, read_ord = :ord", If: "#read < :seq", Names: map[string]string{"#read": "read"},
		Values: table.Item{":seq": table.N(sequence), ":ord": table.N(ordinal)}})
}

// forward runs an update whose condition is false where the mark is past it already, or where there is no row.
func (m *Members) forward(ctx context.Context, app id.App, user id.User, conversation id.Conversation, change table.Update) (message.Member, error) {
	change.Table, change.Key = m.Table, table.Key(memberKey(app, user), string(conversation))
	var row memberRow
	err := change.Run(ctx, m.DB, &row)
	if err != nil && !errors.Is(err, table.ErrCondition) {
		return message.Member{}, err
	}
	if row.Key == "" {
		return message.Member{}, message.ErrNotMember
	}
	return row.member(app, user), nil
}

// Claims implements message.Claims. Key: app#conversation#sender#client ID.
type Claims struct {
	DB    *dynamodb.Client
	Table string
}

var _ message.Claims = (*Claims)(nil)

type claimRow struct {
	Key         string `dynamodbav:"pk"`
	From        int64  `dynamodbav:"from"`
	KeyNumber   uint32 `dynamodbav:"key"`
	Fingerprint []byte `dynamodbav:"mac"`
	Expires     int64  `dynamodbav:"expires"` // TTL, seconds
}

// Put implements message.Claims. DynamoDB deletes expired items within days, so an expired record counts as none.
func (c *Claims) Put(ctx context.Context, app id.App, conversation id.Conversation, sender id.User, clientID string, claim message.Claim, now time.Time) (message.Claim, bool, error) {
	row := claimRow{Key: logKey(app, conversation) + "#" + string(sender) + "#" + clientID, From: claim.From,
		KeyNumber: claim.KeyNumber, Fingerprint: claim.Fingerprint, Expires: now.Add(message.ClientIDLife).Unix()}
	var standing claimRow
	err := table.Put(ctx, c.DB, c.Table, row, "attribute_not_exists(pk) OR expires < :now",
		table.Item{":now": table.N(now.Unix())}, &standing)
	if errors.Is(err, table.ErrCondition) {
		return message.Claim{From: standing.From, KeyNumber: standing.KeyNumber, Fingerprint: standing.Fingerprint}, false, nil
	}
	return claim, err == nil, err
}
