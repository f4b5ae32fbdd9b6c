package groupdb

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table"
)

// byGroup is the index of rows by group: app#group / version.
const byGroup = "by_group"

// Members implements group.Store with one query of the index.
func (s *Store) Members(ctx context.Context, app id.App, of id.Group, filter group.Filter, position string, limit int) ([]group.Member, string, error) {
	input := &dynamodb.QueryInput{
		TableName: &s.Conversations, IndexName: aws.String(byGroup), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression:    aws.String("gk = :gk AND ver > :since"),
		ExpressionAttributeValues: table.Item{":gk": table.S(groupKey(app, of)), ":since": table.N(filter.Since)},
		ExclusiveStartKey:         keyOfPosition(app, of, position),
	}
	members, last, err := s.rows(ctx, app, input, filter.State)
	if err != nil || last == nil {
		return members, "", err
	}
	end, err := decodeMember(app, last)
	return members, fmt.Sprintf("%d %s", end.Version, end.User), err
}

// Joined implements message.Groups.
func (s *Store) Joined(ctx context.Context, app id.App, of id.Group, position string, limit int) ([]id.User, string, error) {
	members, next, err := s.Members(ctx, app, of, group.Filter{State: message.Joined}, position, limit)
	users := make([]id.User, 0, len(members))
	for _, member := range members {
		users = append(users, member.User)
	}
	return users, next, err
}

// Of implements group.Store with one query of the user's rows.
func (s *Store) Of(ctx context.Context, app id.App, user id.User, state message.State, position string, limit int) ([]group.Member, string, error) {
	key := rowKey(app, user, "")
	input := &dynamodb.QueryInput{
		TableName: &s.Conversations, Limit: aws.Int32(int32(limit)), ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("pk = :pk AND begins_with(sk, :groups)"),
		ExpressionAttributeValues: table.Item{":pk": key["pk"], ":groups": table.S("g_")},
	}
	if position != "" {
		input.ExclusiveStartKey = rowKey(app, user, id.Group(position))
	}
	members, last, err := s.rows(ctx, app, input, state)
	if err != nil || last == nil {
		return members, "", err
	}
	end, err := decodeMember(app, last)
	return members, string(end.Group), err
}

// rows runs the query for those rows that are of the state, "" for any, and returns where it goes on.
func (s *Store) rows(ctx context.Context, app id.App, input *dynamodb.QueryInput, state message.State) ([]group.Member, table.Item, error) {
	input.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	if state != "" {
		input.FilterExpression, input.ExpressionAttributeNames = aws.String("#state = :state"), map[string]string{"#state": "state"}
		input.ExpressionAttributeValues[":state"] = table.S(string(state))
	}
	answer, err := s.DB.Query(ctx, input)
	if err != nil {
		return nil, nil, table.Classify("list members", err)
	}
	var members []group.Member
	for _, item := range answer.Items {
		member, err := decodeMember(app, item)
		if err != nil {
			return nil, nil, err
		}
		members = append(members, member)
	}
	return members, answer.LastEvaluatedKey, nil
}
