// Package userdb keeps users in DynamoDB.
//
// A user is two items: its record (app#user) and the claim to its name (app#name#<compared name>), which also carries
// the directory index: app#<shard 0-15> / compared name. Who has set a profile has a third (app#user#profile): every request
// reads the record, and pays for no more than that.
package userdb

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/authz/authzdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user"
)

// Store implements user.Store.
type Store struct {
	DB    *dynamodb.Client
	Table string
	// Keys is the table of the keys, where an app's own row stands; Blocking needs it.
	Keys string
	// Routing returns the write that makes a new user's routing record; it joins the transaction of Create.
	Routing func(app id.App, user id.User) (types.TransactWriteItem, error)
	// Records is needed by what takes records.
	Records *recorddb.Writer
}

var _ user.Store = (*Store)(nil)

type row struct {
	Key        string `dynamodbav:"pk"`
	User       string `dynamodbav:"user"`
	App        string `dynamodbav:"app"`
	Username   string `dynamodbav:"username"`
	CreatedAt  int64  `dynamodbav:"created_at"`
	TokenEpoch int64  `dynamodbav:"epoch"`
	Inactive   int64  `dynamodbav:"deactivated_at,omitempty"`
	Version    int64  `dynamodbav:"version,omitempty"`
	Blocks     int    `dynamodbav:"blocks,omitempty"`
	Filter     []byte `dynamodbav:"block_filter,omitempty"`
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

// ErasedKey returns the key of what is left of a user who was erased; package erasedb writes it.
func ErasedKey(app id.App, user id.User) table.Item {
	return table.Key(app.String() + "#" + string(user) + "#erased")
}

// ClaimKey returns the key of the claim to a name, in its compared form.
func ClaimKey(app id.App, compared string) table.Item { return table.Key(nameKey(app, compared)) }

// ErasedShard names the partition of the directory in which an erased user stands: apart from the users, so that nobody lists it
// but the erasing of the app.
func ErasedShard(app id.App, user id.User) string {
	return fmt.Sprintf("%s#%d", app, shards+crc32.ChecksumIEEE([]byte(user))%shards)
}

func nameKey(app id.App, compared string) string { return app.String() + "#name#" + compared }

// Decode reads a profile.
func Decode(item table.Item) (user.User, error) {
	var found row
	if err := table.Decode(item, &found); err != nil {
		return user.User{}, err
	}
	return found.user(), nil
}

func (r row) user() user.User {
	return user.User{ID: id.User(r.User), App: id.StoredApp(r.App), Username: r.Username,
		CreatedAt: table.Instant(r.CreatedAt), TokenEpoch: r.TokenEpoch,
		DeactivatedAt: table.Instant(r.Inactive), Version: r.Version,
		Blocks: user.Blocks{Count: r.Blocks, Filter: r.Filter},
		Rights: r.Rights.Decode(authz.Users, 0)}
}

// Create implements user.Store with one transaction: the record, the claim to the name and the routing record.
func (s *Store) Create(ctx context.Context, made user.User, compared string) error {
	work := &table.Transaction{DB: s.DB, Doing: "register"}
	if err := s.Creation(work, made, compared, profile.Profile{}); err != nil {
		return err
	}
	return work.Run(ctx)
}

// Creation adds to the transaction what makes the user, with the errors of Create. A user of a version other than 0 has the
// profile, which is not looked at otherwise.
func (s *Store) Creation(work *table.Transaction, made user.User, compared string, shows profile.Profile) error {
	routing, err := s.Routing(made.App, made.ID)
	if err != nil {
		return err
	}
	key := ItemKey(made.App, made.ID)["pk"].(*types.AttributeValueMemberS).Value
	work.Put(s.Table, row{Key: key, User: string(made.ID), App: made.App.String(), Username: made.Username,
		CreatedAt: table.Millis(made.CreatedAt), TokenEpoch: made.TokenEpoch, Version: made.Version}, absent, user.ErrExists)
	work.Check(table.Update{Table: s.Table, Key: ErasedKey(made.App, made.ID), If: absent}, user.ErrExists)
	work.Put(s.Table, claim{Key: nameKey(made.App, compared), User: string(made.ID), Shard: shard(made.App, made.ID),
		Name: compared}, absent, user.ErrNameTaken)
	work.Add(routing, nil)
	if made.Version != 0 {
		work.Put(s.Table, shownRow(made, shows), "", nil)
	}
	return nil
}

// Get implements user.Store.
func (s *Store) Get(ctx context.Context, app id.App, userID id.User, strong bool) (user.User, error) {
	var found row
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
	var after row
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
