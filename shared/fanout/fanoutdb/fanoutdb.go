// Package fanoutdb keeps subscriptions to groups, and how their fan-outs stand, in DynamoDB.
package fanoutdb

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/fanout"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// Store implements fanout.Subscriptions and fanout.States. Key of Connections: app#group / <the user's random part>#<connection>.
// Key of Groups: app#group / F.
type Store struct {
	DB *dynamodb.Client
	// Connections and Groups are the physical names of the tables.
	Connections, Groups string
}

var (
	_ fanout.Subscriptions = (*Store)(nil)
	_ fanout.States        = (*Store)(nil)
)

// subscriptionRow is kept small: a job reads hundreds.
type subscriptionRow struct {
	Key     string `dynamodbav:"pk"`
	Sort    string `dynamodbav:"sk"`
	Since   int64  `dynamodbav:"s"`
	Expires int64  `dynamodbav:"expires"` // TTL, seconds
}

func partition(app id.App, group id.Group) string { return app.String() + "#" + string(group) }

func sortKey(s fanout.Subscription) string { return s.User.Random() + "#" + s.Connection }

// Put implements fanout.Subscriptions.
func (s *Store) Put(ctx context.Context, made fanout.Subscription) error {
	return table.Put(ctx, s.DB, s.Connections, subscriptionRow{Key: partition(made.App, made.Group), Sort: sortKey(made), Since: made.Since,
		Expires: made.Until.Unix()}, "", nil, nil)
}

// Remove implements fanout.Subscriptions.
func (s *Store) Remove(ctx context.Context, ended fanout.Subscription) error {
	return s.remove(ctx, subscriptionRow{Key: partition(ended.App, ended.Group), Sort: sortKey(ended), Since: ended.Since, Expires: ended.Until.Unix()})
}

func (s *Store) remove(ctx context.Context, row subscriptionRow) error {
	err := table.Delete(ctx, s.DB, s.Connections, table.Key(row.Key, row.Sort), "s = :since AND expires = :expires",
		table.Item{":since": table.N(row.Since), ":expires": table.N(row.Expires)}, nil)
	if errors.Is(err, table.ErrCondition) {
		return nil
	}
	return err
}

// End implements fanout.Subscriptions. What it keeps has the key of a connection without a name, which sorts before all others
// of the user. A user has few devices: they are one page.
func (s *Store) End(ctx context.Context, app id.App, group id.Group, user id.User, sequence int64, until time.Time) error {
	end := subscriptionRow{Key: partition(app, group), Sort: user.Random() + "#", Since: sequence, Expires: until.Unix()}
	err := table.Put(ctx, s.DB, s.Connections, end, "attribute_not_exists(pk) OR s < :since", table.Item{":since": table.N(sequence)}, nil)
	if err != nil && !errors.Is(err, table.ErrCondition) {
		return err
	}
	rows, _, err := s.query(ctx, &dynamodb.QueryInput{KeyConditionExpression: aws.String("pk = :pk AND begins_with(sk, :user)"),
		ExpressionAttributeValues: table.Item{":pk": table.S(end.Key), ":user": table.S(end.Sort)}})
	for _, row := range rows {
		if err == nil && row.Sort != end.Sort && row.Since <= sequence {
			err = s.remove(ctx, row)
		}
	}
	return err
}

// Page implements fanout.Subscriptions.
func (s *Store) Page(ctx context.Context, app id.App, group id.Group, part fanout.Part, after string, limit int) ([]fanout.Subscription, string, error) {
	from, until := part.Bounds()
	if until == "" {
		until = "~" // after every character of an ID
	}
	input := &dynamodb.QueryInput{KeyConditionExpression: aws.String("pk = :pk AND sk BETWEEN :from AND :until"), Limit: aws.Int32(int32(limit)),
		// No sort key is as short as the bound of a part, so none is equal to it.
		ExpressionAttributeValues: table.Item{":pk": table.S(partition(app, group)), ":from": table.S(from), ":until": table.S(until)}}
	if after != "" {
		input.ExclusiveStartKey = table.Key(partition(app, group), after)
	}
	rows, next, err := s.query(ctx, input)
	page := make([]fanout.Subscription, len(rows))
	for i, row := range rows {
		user, connection, _ := strings.Cut(row.Sort, "#")
		page[i] = fanout.Subscription{App: app, Group: group, User: id.UserOf(user), Connection: connection, Since: row.Since,
			Until: time.Unix(row.Expires, 0).UTC()}
	}
	return page, next, err
}

// query returns a page of rows, read strongly, and the sort key of the last where there are more.
func (s *Store) query(ctx context.Context, input *dynamodb.QueryInput) (rows []subscriptionRow, next string, err error) {
	input.TableName, input.ConsistentRead = &s.Connections, aws.Bool(true)
	input.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	answer, err := s.DB.Query(ctx, input)
	if err != nil {
		return nil, "", table.Classify("list subscriptions", err)
	}
	rows = make([]subscriptionRow, len(answer.Items))
	for i, item := range answer.Items {
		if err := table.Decode(item, &rows[i]); err != nil {
			return nil, "", err
		}
	}
	if last, ok := answer.LastEvaluatedKey["sk"].(*types.AttributeValueMemberS); ok {
		next = last.Value
	}
	return rows, next, nil
}

// stateItem is the sort key of a group's state.
const stateItem = "F"

type stateRow struct {
	Handed int64 `dynamodbav:"handed"`
	Parts  int   `dynamodbav:"parts"`
}

// Get implements fanout.States.
func (s *Store) Get(ctx context.Context, app id.App, group id.Group) (fanout.State, error) {
	var row stateRow
	_, err := table.Get(ctx, s.DB, s.Groups, table.Key(partition(app, group), stateItem), true, &row)
	return fanout.State{Handed: row.Handed, Parts: row.Parts}, err
}

// Advance implements fanout.States.
func (s *Store) Advance(ctx context.Context, app id.App, group id.Group, handed int64) error {
	err := table.Update{Table: s.Groups, Key: table.Key(partition(app, group), stateItem),
		Set: "SET handed = :handed", If: "attribute_not_exists(handed) OR handed < :handed",
		Values: table.Item{":handed": table.N(handed)}}.Run(ctx, s.DB, nil)
	if errors.Is(err, table.ErrCondition) {
		return nil
	}
	return err
}

// Divide implements fanout.States.
func (s *Store) Divide(ctx context.Context, app id.App, group id.Group, was, parts int) error {
	change := table.Update{Table: s.Groups, Key: table.Key(partition(app, group), stateItem), Set: "SET parts = :parts",
		If: "attribute_not_exists(parts)", Values: table.Item{":parts": table.N(int64(parts))}}
	if was != 0 {
		change.If, change.Values[":was"] = "parts = :was", table.N(int64(was))
	}
	err := change.Run(ctx, s.DB, nil)
	if errors.Is(err, table.ErrCondition) {
		return nil
	}
	return err
}
