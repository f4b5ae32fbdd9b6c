// Package userdb keeps users in DynamoDB.
//
// A user is two items: its profile (app#user) and the claim to its name (app#name#<compared name>), which also carries
// the directory index: app#<shard 0-15> / compared name.
package userdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user"
)

// Store implements user.Store.
type Store struct {
	DB    *dynamodb.Client
	Table string
	// Routing returns the write that makes a new user's routing record; it joins the transaction of Create.
	Routing func(app id.App, user id.User) (types.TransactWriteItem, error)
}

var _ user.Store = (*Store)(nil)

type profile struct {
	Key        string `dynamodbav:"pk"`
	User       string `dynamodbav:"user"`
	App        string `dynamodbav:"app"`
	Username   string `dynamodbav:"username"`
	CreatedAt  int64  `dynamodbav:"created_at"`
	TokenEpoch int64  `dynamodbav:"epoch"`
}

type claim struct {
	Key   string `dynamodbav:"pk"`
	User  string `dynamodbav:"user"`
	Shard string `dynamodbav:"shard"`
	Name  string `dynamodbav:"name"`
}

// ItemKey returns the key of a user's profile, for reads of several tables at once.
func ItemKey(app id.App, user id.User) table.Item {
	return table.Key(app.String() + "#" + string(user))
}

func nameKey(app id.App, compared string) string { return app.String() + "#name#" + compared }

// Decode reads a profile.
func Decode(item table.Item) (user.User, error) {
	var found profile
	if err := table.Decode(item, &found); err != nil {
		return user.User{}, err
	}
	return found.user(), nil
}

func (p profile) user() user.User {
	return user.User{ID: id.User(p.User), App: id.StoredApp(p.App), Username: p.Username,
		CreatedAt: time.UnixMilli(p.CreatedAt).UTC(), TokenEpoch: p.TokenEpoch}
}

// Create implements user.Store with one transaction. Two transactions on one name at once can cancel each other; the
// loser tries again until the name is decided.
func (s *Store) Create(ctx context.Context, made user.User, compared string) error {
	writes, err := s.writes(made, compared)
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		if err := table.Pause(ctx, attempt); err != nil {
			return table.Classify("register", err)
		}
		_, err := s.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			TransactItems: writes, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes})
		cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
		if !ok {
			if err != nil {
				return table.Classify("register", err)
			}
			return nil
		}
		if err := verdict(cancelled.CancellationReasons); err != nil {
			return err
		}
	}
}

// verdict reads why a transaction was cancelled: nil for a reason that passes, so that the caller tries again.
func verdict(reasons []types.CancellationReason) error {
	failed := func(at int) bool {
		return at < len(reasons) && aws.ToString(reasons[at].Code) == "ConditionalCheckFailed"
	}
	switch {
	case failed(0):
		return user.ErrExists
	case failed(1):
		return user.ErrNameTaken
	}
	for _, reason := range reasons {
		switch aws.ToString(reason.Code) {
		case "", "None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
		default:
			return fmt.Errorf("register: transaction cancelled: %s: %s", aws.ToString(reason.Code), aws.ToString(reason.Message))
		}
	}
	return nil
}

// writes are the profile, the claim to the name and the routing record, in the order that verdict knows.
func (s *Store) writes(made user.User, compared string) ([]types.TransactWriteItem, error) {
	key := ItemKey(made.App, made.ID)["pk"].(*types.AttributeValueMemberS).Value
	items := []any{
		profile{Key: key, User: string(made.ID), App: made.App.String(), Username: made.Username,
			CreatedAt: made.CreatedAt.UnixMilli(), TokenEpoch: made.TokenEpoch},
		claim{Key: nameKey(made.App, compared), User: string(made.ID), Shard: shard(made.App, made.ID), Name: compared},
	}
	var writes []types.TransactWriteItem
	for _, item := range items {
		encoded, err := table.Encode(item)
		if err != nil {
			return nil, err
		}
		writes = append(writes, types.TransactWriteItem{Put: &types.Put{
			TableName: &s.Table, Item: encoded, ConditionExpression: aws.String("attribute_not_exists(pk)")}})
	}
	routing, err := s.Routing(made.App, made.ID)
	return append(writes, routing), err
}

// Get implements user.Store.
func (s *Store) Get(ctx context.Context, app id.App, userID id.User, strong bool) (user.User, error) {
	var found profile
	ok, err := table.Get(ctx, s.DB, s.Table, ItemKey(app, userID), strong, &found)
	if err != nil {
		return user.User{}, err
	}
	if !ok {
		return user.User{}, user.ErrNotFound
	}
	return found.user(), nil
}

// ByName implements user.Store.
func (s *Store) ByName(ctx context.Context, app id.App, compared string, strong bool) (id.User, error) {
	var found claim
	ok, err := table.Get(ctx, s.DB, s.Table, table.Key(nameKey(app, compared)), strong, &found)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", user.ErrNotFound
	}
	return id.User(found.User), nil
}

// RevokeTokens implements user.Store.
func (s *Store) RevokeTokens(ctx context.Context, app id.App, userID id.User) (user.User, error) {
	var after profile
	err := table.Update{
		Table: s.Table, Key: ItemKey(app, userID),
		Set: "SET epoch = epoch + :one", If: "attribute_exists(pk)", Values: table.Item{":one": table.N(1)},
	}.Run(ctx, s.DB, &after)
	if errors.Is(err, table.ErrCondition) {
		return user.User{}, user.ErrNotFound
	}
	return after.user(), err
}
