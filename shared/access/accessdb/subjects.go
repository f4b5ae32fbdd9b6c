package accessdb

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

const (
	// Where an app's keys stand: this keeps the app's own row and its book out. "`" comes behind "_".
	keyLow  = "key_"
	keyHigh = "key`"
	// usersBegin is the position before all users.
	usersBegin = "u_"
	// mostSubjects is how many users one BatchGetItem reads.
	mostSubjects = 100
)

// Subjects implements access.Store. A position is the ID of a key or of a user, or usersBegin.
func (s *Store) Subjects(ctx context.Context, app id.App, position string, limit int) ([]access.Subject, string, error) {
	limit = min(limit, mostSubjects)
	if strings.HasPrefix(position, usersBegin) {
		return s.users(ctx, app, position, limit)
	}
	keys, next, err := s.keys(ctx, app, position, limit)
	if err != nil || next != "" {
		return keys, next, err
	}
	if len(keys) == limit {
		return keys, usersBegin, nil
	}
	users, next, err := s.users(ctx, app, usersBegin, limit-len(keys))
	return append(keys, users...), next, err
}

// keys returns the keys behind the position; next is "" behind the last.
func (s *Store) keys(ctx context.Context, app id.App, position string, limit int) (keys []access.Subject, next string, err error) {
	items, more, err := s.query(ctx, s.Keys, between(app.String(), keyLow, position, keyHigh), limit)
	if err != nil {
		return nil, "", err
	}
	for _, item := range items {
		key, err := decodeKey(item)
		if err != nil {
			return nil, "", err
		}
		keys = append(keys, key)
	}
	if more {
		next = keys[len(keys)-1].ID
	}
	return keys, next, nil
}

// users returns the users with a marker behind the position; next is "" behind the last. One who is gone is left out.
func (s *Store) users(ctx context.Context, app id.App, position string, limit int) (users []access.Subject, next string, err error) {
	items, more, err := s.query(ctx, s.Grants, between(app.String(), "", markerPrefix+position, markerHigh), limit)
	if err != nil {
		return nil, "", err
	}
	var marked []id.User
	for _, item := range items {
		var found marker
		if err := table.Decode(item, &found); err != nil {
			return nil, "", err
		}
		marked = append(marked, id.User(strings.TrimPrefix(found.Sort, markerPrefix)))
	}
	if more {
		next = string(marked[len(marked)-1])
	}
	users, err = s.profiles(ctx, app, marked)
	return users, next, err
}

// profiles reads the users, in their order.
func (s *Store) profiles(ctx context.Context, app id.App, marked []id.User) ([]access.Subject, error) {
	var keys []table.Item
	for _, user := range marked {
		keys = append(keys, userdb.ItemKey(app, user))
	}
	found, err := table.BatchGet(ctx, s.DB, table.Read{Table: s.Users, Keys: keys})
	if err != nil {
		return nil, err
	}
	byID := map[string]access.Subject{}
	for _, item := range found[s.Users] {
		user, err := decodeUser(item)
		if err != nil {
			return nil, err
		}
		byID[user.ID] = user
	}
	var users []access.Subject
	for _, user := range marked {
		if one, ok := byID[string(user)]; ok {
			users = append(users, one)
		}
	}
	return users, nil
}

// query reads up to limit items of a table between the bounds, and tells whether there are more.
func (s *Store) query(ctx context.Context, name string, bounds table.Item, limit int) ([]table.Item, bool, error) {
	answer, err := s.DB.Query(ctx, &dynamodb.QueryInput{TableName: &name, Limit: aws.Int32(int32(limit)),
		KeyConditionExpression:    aws.String("pk = :partition AND sk BETWEEN :low AND :high"),
		ExpressionAttributeValues: bounds, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes})
	if err != nil {
		return nil, false, table.Classify("list subjects", err)
	}
	return answer.Items, len(answer.LastEvaluatedKey) > 0, nil
}
