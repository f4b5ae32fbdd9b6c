package connectiondb

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

const (
	// batch is how many items a batch reads, the most that DynamoDB takes.
	batch = 100
	// batches is how many are read at once.
	batches = 10
)

// watchPrefix begins the sort key of a watch; the watcher follows.
const watchPrefix = "W#"

// watchRow says that one user watches another.
type watchRow struct {
	Key     string `dynamodbav:"pk"`
	Sort    string `dynamodbav:"sk"`
	Expires int64  `dynamodbav:"expires"` // TTL, seconds
}

// Records implements connection.Store.
func (s *Store) Records(ctx context.Context, app id.App, users []id.User, strong bool) (map[id.User]connection.Record, error) {
	keys := make([]table.Item, len(users))
	for i, user := range users {
		keys[i] = itemKey(app, user)
	}
	items, err := s.readAll(ctx, keys, strong)
	if err != nil {
		return nil, err
	}
	found := make(map[id.User]connection.Record, len(items))
	for _, item := range items {
		var read record
		if err := table.Decode(item, &read); err != nil {
			return nil, err
		}
		found[read.user()] = read.decode()
	}
	return found, nil
}

// readAll returns those of the items that there are, in no order, read in batches, several at once.
func (s *Store) readAll(ctx context.Context, keys []table.Item, strong bool) (all []table.Item, err error) {
	var mutex sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(batches)
	for part := range slices.Chunk(keys, batch) {
		group.Go(func() error {
			items, err := table.BatchGet(ctx, s.DB, table.Read{Table: s.Table, Keys: part, Strong: strong})
			mutex.Lock()
			defer mutex.Unlock()
			all = append(all, items[s.Table]...)
			return err
		})
	}
	return all, group.Wait()
}

// user is whose record it is.
func (r record) user() id.User {
	_, user, _ := strings.Cut(r.Key, "#")
	return id.User(user)
}

// SetHidden implements presence.Store.
func (s *Store) SetHidden(ctx context.Context, app id.App, user id.User, hidden bool) (connection.Record, error) {
	change := table.Update{Set: "REMOVE h", If: "attribute_exists(pk)"}
	if hidden {
		change.Set, change.Values = "SET h = :hidden", table.Item{":hidden": &types.AttributeValueMemberBOOL{Value: true}}
	}
	return s.update(ctx, app, user, change)
}

// MarkWatched implements presence.Store.
func (s *Store) MarkWatched(ctx context.Context, app id.App, user id.User, now, until time.Time, online bool) (connection.Record, error) {
	begin := table.Update{Table: s.Table, Key: itemKey(app, user), Set: "SET w = :until, a = :announced",
		If: "attribute_exists(pk) AND (attribute_not_exists(w) OR w <= :now)",
		Values: table.Item{":until": table.N(until.Unix()), ":now": table.N(now.Unix()),
			":announced": table.S(encodeAnnouncement(connection.Announcement{Online: online}))}}
	var standing record
	err := begin.Run(ctx, s.DB, &standing)
	switch {
	case err == nil:
		return standing.decode(), nil
	case !errors.Is(err, table.ErrCondition):
		return connection.Record{}, err
	case standing.Key == "":
		return connection.Record{}, connection.ErrNotFound
	}
	return s.update(ctx, app, user, table.Update{Set: "SET w = :until", If: "attribute_exists(pk)",
		Values: table.Item{":until": table.N(max(until.Unix(), standing.Watched))}})
}

// PutAnnounced implements presence.Store.
func (s *Store) PutAnnounced(ctx context.Context, app id.App, user id.User, was, is connection.Announcement) (connection.Record, error) {
	change := table.Update{Table: s.Table, Key: itemKey(app, user), Set: "SET a = :is", If: "a = :was",
		Values: table.Item{":was": table.S(encodeAnnouncement(was)), ":is": table.S(encodeAnnouncement(is))}}
	var standing record
	err := change.Run(ctx, s.DB, &standing)
	switch {
	case err != nil && !errors.Is(err, table.ErrCondition):
		return connection.Record{}, err
	case standing.Key == "":
		return connection.Record{}, connection.ErrNotFound
	}
	return standing.decode(), nil
}

// PutWatch implements presence.Store.
func (s *Store) PutWatch(ctx context.Context, app id.App, watched, watcher id.User, expires time.Time) error {
	return table.Put(ctx, s.DB, s.Table, watchRow{Key: partition(app, watched), Sort: watchPrefix + string(watcher), Expires: expires.Unix()},
		"", nil, nil)
}

// RemoveWatch implements presence.Store.
func (s *Store) RemoveWatch(ctx context.Context, app id.App, watched, watcher id.User) error {
	return table.Delete(ctx, s.DB, s.Table, table.Key(partition(app, watched), watchPrefix+string(watcher)), "", nil, nil)
}

// Watchers implements presence.Store. It reads strongly: who began to watch before a change has to hear of it.
func (s *Store) Watchers(ctx context.Context, app id.App, watched id.User, now time.Time, after string, limit int) ([]id.User, string, error) {
	input := &dynamodb.QueryInput{
		TableName: &s.Table, Limit: aws.Int32(int32(limit)), ConsistentRead: aws.Bool(true),
		KeyConditionExpression: aws.String("pk = :pk AND begins_with(sk, :watches)"),
		FilterExpression:       aws.String("expires > :now"),
		ExpressionAttributeValues: table.Item{":pk": table.S(partition(app, watched)), ":watches": table.S(watchPrefix),
			":now": table.N(now.Unix())},
		ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
	}
	if after != "" {
		input.ExclusiveStartKey = table.Key(partition(app, watched), watchPrefix+after)
	}
	answer, err := s.DB.Query(ctx, input)
	if err != nil {
		return nil, "", table.Classify("find who watches", err)
	}
	watchers := make([]id.User, len(answer.Items))
	for i, item := range answer.Items {
		var row watchRow
		if err := table.Decode(item, &row); err != nil {
			return nil, "", err
		}
		watchers[i] = id.User(strings.TrimPrefix(row.Sort, watchPrefix))
	}
	_, sort, _ := strings.Cut(position(answer.LastEvaluatedKey), "\n")
	return watchers, strings.TrimPrefix(sort, watchPrefix), nil
}

// An announcement is kept as its sign and who made it, such as "+f3Gk0a": short, because every message to the user pays for
// the record's size.
const (
	announcedOnline  = "+"
	announcedOffline = "-"
)

func encodeAnnouncement(a connection.Announcement) string {
	if a.Online {
		return announcedOnline + a.By
	}
	return announcedOffline + a.By
}

func decodeAnnouncement(text string) connection.Announcement {
	if text == "" {
		return connection.Announcement{}
	}
	return connection.Announcement{Online: text[:1] == announcedOnline, By: text[1:]}
}
