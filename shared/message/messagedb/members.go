package messagedb

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/authz"
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
	// What the user has removed for itself; Removals writes it.
	Cleared int64 `dynamodbav:"cleared,omitempty"`
	Deletes bool  `dynamodbav:"deletes,omitempty"`
	// What a group's row has besides; package groupdb writes it.
	State string `dynamodbav:"state,omitempty"`
	Role  string `dynamodbav:"role,omitempty"`
	Since int64  `dynamodbav:"since,omitempty"`
	Muted int64  `dynamodbav:"muted,omitempty"` // seconds
	Fan   bool   `dynamodbav:"fan,omitempty"`
}

func memberKey(app id.App, user id.User) string { return app.String() + "#" + string(user) }

// MemberKey returns the key of the user's row of the conversation.
func MemberKey(app id.App, user id.User, conversation id.Conversation) table.Item {
	return table.Key(memberKey(app, user), string(conversation))
}

func (r memberRow) member(app id.App, user id.User) message.Member {
	member := message.Member{App: app, User: user, Conversation: id.Conversation(r.Conversation), Peer: id.User(r.Peer),
		Acknowledged: r.Acknowledged, Read: r.Read, ReadOrdinal: r.ReadOrdinal, Cleared: r.Cleared, Deletes: r.Deletes,
		Seat: message.Seat{State: message.State(r.State), Since: r.Since}, Subscribes: r.Fan}
	if r.Role != "" {
		member.Seat.Role = authz.GroupRole(r.Role)
	}
	if r.Muted != 0 {
		member.Seat.MutedUntil = time.Unix(r.Muted, 0).UTC()
	}
	return member
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

// GetAll implements message.Members.
func (m *Members) GetAll(ctx context.Context, app id.App, users []id.User, conversation id.Conversation, strong bool) (map[id.User]message.Member, error) {
	asked := table.Read{Table: m.Table, Strong: strong}
	for _, user := range users {
		asked.Keys = append(asked.Keys, MemberKey(app, user, conversation))
	}
	found, err := table.BatchGet(ctx, m.DB, asked)
	if err != nil {
		return nil, err
	}
	rows := map[id.User]message.Member{}
	for _, item := range found[m.Table] {
		var row memberRow
		if err := table.Decode(item, &row); err != nil {
			return nil, err
		}
		_, user, _ := strings.Cut(row.Key, "#")
		rows[id.User(user)] = row.member(app, id.User(user))
	}
	return rows, nil
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
func (m *Members) Acknowledge(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (message.Member, bool, error) {
	return m.forward(ctx, app, user, conversation, table.Update{
		Set: "SET ack = :seq", If: "ack < :seq", Values: table.Item{":seq": table.N(sequence)}})
}

// MarkRead implements message.Members.
func (m *Members) MarkRead(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence, ordinal int64) (message.Member, bool, error) {
	return m.forward(ctx, app, user, conversation, table.Update{
		Set: "SET #read = :seq, read_ord = :ord", If: "#read < :seq", Names: map[string]string{"#read": "read"},
		Values: table.Item{":seq": table.N(sequence), ":ord": table.N(ordinal)}})
}

// forward runs an update whose condition is false where the mark is past it already, or where there is no row. A transaction that
// has the row, by which the user removes something or a group changes, is waited for: two devices of one user are no refusal.
func (m *Members) forward(ctx context.Context, app id.App, user id.User, conversation id.Conversation, change table.Update) (after message.Member, moved bool, err error) {
	change.Table, change.Key = m.Table, table.Key(memberKey(app, user), string(conversation))
	var row memberRow
	err = waitingForTransactions(ctx, "move a mark", func() error { return change.Run(ctx, m.DB, &row) })
	if err != nil && !errors.Is(err, table.ErrCondition) {
		return message.Member{}, false, err
	}
	if row.Key == "" {
		return message.Member{}, false, message.ErrNotMember
	}
	return row.member(app, user), err == nil, nil
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
	Ordinal     int64  `dynamodbav:"ord,omitempty"`
	Expires     int64  `dynamodbav:"expires"` // TTL, seconds
}

// Put implements message.Claims. DynamoDB deletes expired items within days, so an expired record counts as none.
func (c *Claims) Put(ctx context.Context, app id.App, conversation id.Conversation, sender id.User, clientID string, claim message.Claim, now time.Time) (message.Claim, bool, error) {
	row := claimRow{Key: claimKey(app, conversation, sender, clientID), From: claim.From, Ordinal: claim.Ordinal,
		KeyNumber: claim.KeyNumber, Fingerprint: claim.Fingerprint, Expires: now.Add(message.ClientIDLife).Unix()}
	var standing claimRow
	err := table.Put(ctx, c.DB, c.Table, row, "attribute_not_exists(pk) OR expires < :now",
		table.Item{":now": table.N(now.Unix())}, &standing)
	if errors.Is(err, table.ErrCondition) {
		return standing.claim(), false, nil
	}
	return claim, err == nil, err
}

// Get implements message.Claims.
func (c *Claims) Get(ctx context.Context, app id.App, conversation id.Conversation, sender id.User, clientID string, strong bool, now time.Time) (message.Claim, bool, error) {
	var standing claimRow
	found, err := table.Get(ctx, c.DB, c.Table, table.Key(claimKey(app, conversation, sender, clientID)), strong, &standing)
	return standing.claim(), found && standing.Expires >= now.Unix(), err
}

// Move implements message.Claims.
func (c *Claims) Move(ctx context.Context, app id.App, conversation id.Conversation, sender id.User, clientID string, from int64, claim message.Claim) (message.Claim, error) {
	var after claimRow
	err := table.Update{Table: c.Table, Key: table.Key(claimKey(app, conversation, sender, clientID)),
		Set: "SET #from = :to, ord = :ord", If: "#from = :from", Names: map[string]string{"#from": "from"},
		Values: table.Item{":to": table.N(claim.From), ":ord": table.N(claim.Ordinal), ":from": table.N(from)},
	}.Run(ctx, c.DB, &after)
	if err != nil && !errors.Is(err, table.ErrCondition) {
		return message.Claim{}, err
	}
	return after.claim(), nil
}

func claimKey(app id.App, conversation id.Conversation, sender id.User, clientID string) string {
	return logKey(app, conversation) + "#" + string(sender) + "#" + clientID
}

func (r claimRow) claim() message.Claim {
	return message.Claim{From: r.From, Ordinal: r.Ordinal, KeyNumber: r.KeyNumber, Fingerprint: r.Fingerprint}
}
