// Package userimportdb keeps imports of users in DynamoDB, in the table of connections, whose rows expire.
//
// An import is app#import#<shard> / <import>, and its rows are app#import#<shard> / <import>#<number>, four digits. A row that is
// decided has the user's ID or a code, and nothing else. The shard, 0-f, follows from the import.
package userimportdb

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/userdb"
	"github.com/tokenim/tokenim/shared/userimport"
)

const (
	// shards spreads an app's imports; package erase knows how many they are.
	shards = 16
	// batch is how many rows are written together.
	batch = 100
	// absent is the condition that no row stands under the key.
	absent = "attribute_not_exists(pk)"
)

// Store implements userimport.Store.
type Store struct {
	DB *dynamodb.Client
	// Table is that of the connections.
	Table string
	// Users makes users; Register needs it.
	Users *userdb.Store
}

var _ userimport.Store = (*Store)(nil)

type header struct {
	Key        string `dynamodbav:"pk"`
	Sort       string `dynamodbav:"sk"`
	Digest     string `dynamodbav:"digest"`
	Total      int    `dynamodbav:"total"`
	Counted    int    `dynamodbav:"counted"`
	Registered int    `dynamodbav:"registered"`
	CreatedAt  int64  `dynamodbav:"created_at"`
	FinishedAt int64  `dynamodbav:"finished_at,omitempty"`
	Expires    int64  `dynamodbav:"expires"`
}

type row struct {
	Key      string `dynamodbav:"pk"`
	Sort     string `dynamodbav:"sk"`
	Number   int    `dynamodbav:"number"`
	Username string `dynamodbav:"username,omitempty"`
	Compared string `dynamodbav:"compared,omitempty"`
	Name     string `dynamodbav:"shown_name,omitempty"`
	Avatar   string `dynamodbav:"avatar,omitempty"`
	Custom   string `dynamodbav:"custom,omitempty"`
	User     string `dynamodbav:"user,omitempty"`
	Code     string `dynamodbav:"code,omitempty"`
	Field    string `dynamodbav:"field,omitempty"`
	Expires  int64  `dynamodbav:"expires"`
}

func partition(app id.App, job id.Import) string {
	return fmt.Sprintf("%s#import#%x", app, crc32.ChecksumIEEE([]byte(job))%shards)
}

func sortOf(job id.Import, number int) string { return fmt.Sprintf("%s#%04d", job, number) }

func rowKey(of userimport.Import, number int) table.Item {
	return table.Key(partition(of.App, of.ID), sortOf(of.ID, number))
}

func expires(of userimport.Import) int64 { return of.CreatedAt.Add(userimport.Kept).Unix() }

// remembered is when the import itself goes: not before its rows, which DynamoDB removes within days. Another under the same
// idempotency key has the same ID, and would find them.
func remembered(of userimport.Import) int64 { return of.CreatedAt.Add(2 * userimport.Kept).Unix() }

func (h header) decode(app id.App) userimport.Import {
	return userimport.Import{ID: id.Import(h.Sort), App: app, Digest: h.Digest, Total: h.Total, Registered: h.Registered,
		Refused: h.Counted - h.Registered, CreatedAt: table.Instant(h.CreatedAt), FinishedAt: table.Instant(h.FinishedAt)}
}

func (r row) outcome() userimport.Outcome {
	return userimport.Outcome{User: id.User(r.User), Code: fault.Code(r.Code), Field: r.Field}
}

// Begin implements userimport.Store.
func (s *Store) Begin(ctx context.Context, begun userimport.Import) (userimport.Import, error) {
	made := header{Key: partition(begun.App, begun.ID), Sort: string(begun.ID), Digest: begun.Digest, Total: begun.Total,
		CreatedAt: table.Millis(begun.CreatedAt), Expires: remembered(begun)}
	var standing header
	err := table.Put(ctx, s.DB, s.Table, made, absent, nil, &standing)
	if errors.Is(err, table.ErrCondition) {
		return standing.decode(begun.App), nil
	}
	return made.decode(begun.App), err
}

// errThere says that rows stand already.
var errThere = errors.New("userimportdb: there already")

// Add implements userimport.Store. A hundred rows come together: where one of them is there, all are.
func (s *Store) Add(ctx context.Context, to userimport.Import, rows []userimport.Row) error {
	for chunk := range slices.Chunk(rows, batch) {
		work := &table.Transaction{DB: s.DB, Doing: "store rows of an import"}
		for _, each := range chunk {
			work.Put(s.Table, row{Key: partition(to.App, to.ID), Sort: sortOf(to.ID, each.Number), Number: each.Number,
				Username: each.Name.Shown, Compared: each.Name.Compared, Name: each.Profile.Name, Avatar: each.Profile.Avatar, Custom: each.Profile.Custom,
				User: string(each.User), Code: string(each.Code), Field: each.Field, Expires: expires(to)}, absent, errThere)
		}
		if err := work.Run(ctx); err != nil && !errors.Is(err, errThere) {
			return err
		}
	}
	return nil
}

// Get implements userimport.Store.
func (s *Store) Get(ctx context.Context, app id.App, job id.Import) (userimport.Import, error) {
	var found header
	ok, err := table.Get(ctx, s.DB, s.Table, table.Key(partition(app, job), string(job)), true, &found)
	if err != nil {
		return userimport.Import{}, err
	}
	if !ok {
		return userimport.Import{}, userimport.ErrNotFound
	}
	return found.decode(app), nil
}

// Rows implements userimport.Store.
func (s *Store) Rows(ctx context.Context, of userimport.Import, after, limit int) ([]userimport.Row, error) {
	answer, err := s.DB.Query(ctx, &dynamodb.QueryInput{TableName: &s.Table, Limit: aws.Int32(int32(limit)), ConsistentRead: aws.Bool(true),
		KeyConditionExpression: aws.String("pk = :pk AND sk BETWEEN :first AND :last"),
		ExpressionAttributeValues: table.Item{":pk": table.S(partition(of.App, of.ID)), ":first": table.S(sortOf(of.ID, after+1)),
			":last": table.S(sortOf(of.ID, userimport.MaxRows))},
		ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes})
	if err != nil {
		return nil, table.Classify("read rows of an import", err)
	}
	var rows []userimport.Row
	for _, item := range answer.Items {
		var found row
		if err := table.Decode(item, &found); err != nil {
			return nil, err
		}
		rows = append(rows, userimport.Row{Number: found.Number, Name: user.Name{Shown: found.Username, Compared: found.Compared},
			Profile: profile.Profile{Name: found.Name, Avatar: found.Avatar, Custom: found.Custom}, Outcome: found.outcome()})
	}
	return rows, nil
}

// errDecided says that the row is decided, or not there.
var errDecided = errors.New("userimportdb: decided, or gone")

// Register implements userimport.Store.
func (s *Store) Register(ctx context.Context, of userimport.Import, each userimport.Row, made user.User) (userimport.Outcome, error) {
	outcome := userimport.Outcome{User: made.ID}
	return s.decide(ctx, of, each.Number, outcome, func(work *table.Transaction) error {
		return s.Users.Creation(work, made, each.Name.Compared, each.Profile)
	})
}

// Decide implements userimport.Store.
func (s *Store) Decide(ctx context.Context, of userimport.Import, number int, outcome userimport.Outcome) (userimport.Outcome, error) {
	return s.decide(ctx, of, number, outcome, func(*table.Transaction) error { return nil })
}

// decide decides the row together with what more adds. That the row is undecided counts before all else.
func (s *Store) decide(ctx context.Context, of userimport.Import, number int, outcome userimport.Outcome, more func(*table.Transaction) error) (userimport.Outcome, error) {
	work, standing := &table.Transaction{DB: s.DB, Doing: "decide a row of an import"}, row{}
	update := table.Update{Table: s.Table, Key: rowKey(of, number), If: "attribute_exists(username)",
		Set: "SET #user = :user REMOVE username, compared, shown_name, avatar, custom", Names: map[string]string{"#user": "user"},
		Values: table.Item{":user": table.S(string(outcome.User))}}
	if outcome.User == "" {
		update.Set = "SET code = :code, #field = :field REMOVE username, compared, shown_name, avatar, custom"
		update.Names = map[string]string{"#field": "field"}
		update.Values = table.Item{":code": table.S(string(outcome.Code)), ":field": table.S(outcome.Field)}
	}
	work.Update(update, errDecided)
	work.Standing(&standing)
	if err := more(work); err != nil {
		return userimport.Outcome{}, err
	}
	err := work.Run(ctx)
	if errors.Is(err, errDecided) && standing.outcome().Decided() {
		return standing.outcome(), nil
	}
	if errors.Is(err, errDecided) {
		return userimport.Outcome{}, userimport.ErrNotFound
	}
	if err != nil {
		return userimport.Outcome{}, err
	}
	return outcome, nil
}

// Count implements userimport.Store.
func (s *Store) Count(ctx context.Context, counted userimport.Import) error {
	update := table.Update{Table: s.Table, Key: table.Key(partition(counted.App, counted.ID), string(counted.ID)), If: "counted < :counted",
		Set:    "SET counted = :counted, registered = :registered",
		Values: table.Item{":counted": table.N(int64(counted.Counted())), ":registered": table.N(int64(counted.Registered))}}
	if !counted.FinishedAt.IsZero() {
		update.Set += ", finished_at = :at"
		update.Values[":at"] = table.N(table.Millis(counted.FinishedAt))
	}
	if err := update.Run(ctx, s.DB, nil); err != nil && !errors.Is(err, table.ErrCondition) {
		return err
	}
	return nil
}
