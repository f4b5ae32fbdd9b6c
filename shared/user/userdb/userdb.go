// Package userdb keeps users in DynamoDB.
//
// A user is two items: its profile (app#user) and the claim to its name (app#name#<compared name>), which also carries
// the directory index: app#<shard 0-15> / compared name.
package userdb

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/authz/authzdb"
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
	authzdb.Rights
}

type claim struct {
	Key   string `dynamodbav:"pk"`
	User  string `dynamodbav:"user"`
	Shard string `dynamodbav:"shard"`
	Name  string `dynamodbav:"name"`
}

// absent is the condition that no row stands under the key.
const absent = "attribute_not_exists(pk)"

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
		CreatedAt: table.Instant(p.CreatedAt), TokenEpoch: p.TokenEpoch,
		Rights: p.Rights.Decode(authz.Users, 0)}
}

// Create implements user.Store with one transaction: the profile, the claim to the name and the routing record.
func (s *Store) Create(ctx context.Context, made user.User, compared string) error {
	routing, err := s.Routing(made.App, made.ID)
	if err != nil {
		return err
	}
	key := ItemKey(made.App, made.ID)["pk"].(*types.AttributeValueMemberS).Value
	work := &table.Transaction{DB: s.DB, Doing: "register"}
	work.Put(s.Table, profile{Key: key, User: string(made.ID), App: made.App.String(), Username: made.Username,
		CreatedAt: table.Millis(made.CreatedAt), TokenEpoch: made.TokenEpoch}, absent, user.ErrExists)
	work.Put(s.Table, claim{Key: nameKey(made.App, compared), User: string(made.ID), Shard: shard(made.App, made.ID),
		Name: compared}, absent, user.ErrNameTaken)
	work.Add(routing, nil)
	return work.Run(ctx)
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

// UsedFor implements user.Store.
func (s *Store) UsedFor(ctx context.Context, app id.App, userID id.User, permission authz.Permission, day int64) error {
	return authzdb.NoteUse(ctx, s.DB, s.Table, ItemKey(app, userID), permission, day)
}
