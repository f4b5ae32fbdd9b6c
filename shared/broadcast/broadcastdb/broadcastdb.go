// Package broadcastdb keeps broadcasts in DynamoDB, in the table of connections, whose rows expire.
//
// All of an app's are under app#broadcast: a broadcast is <broadcast>, its sealed content <broadcast>#content, its place in the
// list at#<milliseconds>#<broadcast>, and the slot that it takes while it is unfinished slot#<number>. The content is apart, so
// that what is counted costs one write unit.
package broadcastdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/broadcast"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table"
)

// Store implements broadcast.Store.
type Store struct {
	DB *dynamodb.Client
	// Table is that of the connections.
	Table string
}

var _ broadcast.Store = (*Store)(nil)

type row struct {
	Key          string `dynamodbav:"pk"`
	Sort         string `dynamodbav:"sk"`
	From         string `dynamodbav:"from"`
	Type         string `dynamodbav:"type"`
	KeyNumber    uint32 `dynamodbav:"key_number"`
	Fingerprint  []byte `dynamodbav:"fingerprint"`
	CreatedAt    int64  `dynamodbav:"created_at"`
	CancelledAt  int64  `dynamodbav:"cancelled_at,omitempty"`
	Slot         int    `dynamodbav:"slot"`
	Expires      int64  `dynamodbav:"expires"`
	State        string `dynamodbav:"state"`
	Code         string `dynamodbav:"code"`
	FinishedAt   int64  `dynamodbav:"finished_at"`
	Sent         int    `dynamodbav:"sent"`
	Skipped      int    `dynamodbav:"skipped"`
	Failed       int    `dynamodbav:"failed"`
	Shard        int    `dynamodbav:"dir"`
	Position     []byte `dynamodbav:"position"`
	Conversation string `dynamodbav:"last"`
	Sequence     int64  `dynamodbav:"last_seq"`
	Tries        int    `dynamodbav:"tries"`
	Steps        int    `dynamodbav:"steps"`
	Run          string `dynamodbav:"run"`
}

type contentRow struct {
	Key     string `dynamodbav:"pk"`
	Sort    string `dynamodbav:"sk"`
	Sealed  []byte `dynamodbav:"sealed"`
	Expires int64  `dynamodbav:"expires"`
}

// pointer is a place in the list, or a slot, of the broadcast.
type pointer struct {
	Key       string `dynamodbav:"pk"`
	Sort      string `dynamodbav:"sk"`
	Broadcast string `dynamodbav:"broadcast"`
	Expires   int64  `dynamodbav:"expires"`
}

// part is what follows the app in the partition key; package erase knows it.
const part = "broadcast"

const (
	contentSuffix = "#content"
	listPrefix    = "at#"
)

func partition(app id.App) string { return app.String() + "#" + part }

func rowKey(app id.App, broadcast id.Broadcast) table.Item {
	return table.Key(partition(app), string(broadcast))
}

func slotSort(number int) string { return fmt.Sprintf("slot#%d", number) }

func encode(b broadcast.Broadcast) row {
	return row{Key: partition(b.App), Sort: string(b.ID), From: string(b.From), Type: b.Type, KeyNumber: b.KeyNumber, Fingerprint: b.Fingerprint,
		CreatedAt: table.Millis(b.CreatedAt), CancelledAt: table.Millis(b.CancelledAt), Slot: b.Slot, Expires: remembered(b),
		State: string(b.State), Code: string(b.Code), FinishedAt: table.Millis(b.FinishedAt), Sent: b.Sent, Skipped: b.Skipped, Failed: b.Failed,
		Shard: b.Shard, Position: b.Position, Conversation: string(b.Last.Conversation), Sequence: b.Last.Sequence, Tries: b.Tries,
		Steps: b.Steps, Run: b.Run}
}

func (r row) decode(app id.App) broadcast.Broadcast {
	if len(r.Position) == 0 {
		r.Position = nil // DynamoDB keeps an empty one
	}
	return broadcast.Broadcast{ID: id.Broadcast(r.Sort), App: app, From: id.User(r.From), Type: r.Type, KeyNumber: r.KeyNumber, Fingerprint: r.Fingerprint,
		CreatedAt: table.Instant(r.CreatedAt), CancelledAt: table.Instant(r.CancelledAt), Slot: r.Slot,
		Progress: broadcast.Progress{State: broadcast.State(r.State), Code: fault.Code(r.Code), FinishedAt: table.Instant(r.FinishedAt),
			Sent: r.Sent, Skipped: r.Skipped, Failed: r.Failed, Shard: r.Shard, Position: r.Position,
			Last:  broadcast.Mark{Conversation: id.Conversation(r.Conversation), Sequence: r.Sequence},
			Tries: r.Tries, Steps: r.Steps, Run: r.Run}}
}

func expires(b broadcast.Broadcast) int64 { return b.CreatedAt.Add(broadcast.Kept).Unix() }

// remembered is when the broadcast itself goes: not before the client ID of the last message that it may have sent is forgotten.
// Another under the same idempotency key has the same ID, and whoever still has that client ID would never get it.
func remembered(b broadcast.Broadcast) int64 {
	return b.CreatedAt.Add(broadcast.Kept + message.ClientIDLife).Add(time.Hour).Unix()
}

var (
	errThere = errors.New("broadcastdb: there already")
	errSlot  = errors.New("broadcastdb: the slot is taken")
)

// Begin implements broadcast.Store: it tries one slot after the other.
func (s *Store) Begin(ctx context.Context, begun broadcast.Broadcast, content []byte) (broadcast.Broadcast, error) {
	for begun.Slot = range broadcast.MaxUnfinished {
		standing, err := s.begin(ctx, begun, content)
		if !errors.Is(err, errSlot) {
			return standing, err
		}
	}
	return broadcast.Broadcast{}, broadcast.ErrTooMany
}

// begin stores the broadcast in its slot. That it stands already counts before all else.
func (s *Store) begin(ctx context.Context, begun broadcast.Broadcast, content []byte) (broadcast.Broadcast, error) {
	key, job, ends := partition(begun.App), string(begun.ID), expires(begun)
	work, made, standing := &table.Transaction{DB: s.DB, Doing: "begin a broadcast"}, encode(begun), row{}
	work.Put(s.Table, made, "attribute_not_exists(pk)", errThere)
	work.Standing(&standing)
	work.Put(s.Table, contentRow{Key: key, Sort: job + contentSuffix, Sealed: content, Expires: ends}, "", nil)
	work.Put(s.Table, pointer{Key: key, Sort: fmt.Sprintf("%s%013d#%s", listPrefix, made.CreatedAt, job), Broadcast: job, Expires: ends}, "", nil)
	work.Update(table.Update{Table: s.Table, Key: table.Key(key, slotSort(begun.Slot)), Set: "SET broadcast = :job, expires = :ends",
		If:     "attribute_not_exists(pk) OR expires <= :now",
		Values: table.Item{":job": table.S(job), ":ends": table.N(ends), ":now": table.N(begun.CreatedAt.Unix())}}, errSlot)
	err := work.Run(ctx)
	if errors.Is(err, errThere) {
		return standing.decode(begun.App), nil
	}
	return made.decode(begun.App), err
}

// Get implements broadcast.Store.
func (s *Store) Get(ctx context.Context, app id.App, job id.Broadcast) (broadcast.Broadcast, error) {
	var found row
	ok, err := table.Get(ctx, s.DB, s.Table, rowKey(app, job), true, &found)
	if err == nil && !ok {
		err = broadcast.ErrNotFound
	}
	if err != nil {
		return broadcast.Broadcast{}, err
	}
	return found.decode(app), nil
}

// Content implements broadcast.Store.
func (s *Store) Content(ctx context.Context, app id.App, job id.Broadcast) ([]byte, error) {
	var found contentRow
	ok, err := table.Get(ctx, s.DB, s.Table, table.Key(partition(app), string(job)+contentSuffix), true, &found)
	if err == nil && !ok {
		err = broadcast.ErrNotFound
	}
	return found.Sealed, err
}

// List implements broadcast.Store: the places, from the last on, then what stands there. A position is the sort key of a place.
func (s *Store) List(ctx context.Context, app id.App, after string, limit int) ([]broadcast.Broadcast, string, error) {
	input := &dynamodb.QueryInput{TableName: &s.Table, Limit: aws.Int32(int32(limit + 1)), ScanIndexForward: aws.Bool(false),
		KeyConditionExpression:    aws.String("pk = :pk AND begins_with(sk, :places)"),
		ExpressionAttributeValues: table.Item{":pk": table.S(partition(app)), ":places": table.S(listPrefix)},
		ReturnConsumedCapacity:    types.ReturnConsumedCapacityIndexes}
	if after != "" {
		input.ExclusiveStartKey = table.Key(partition(app), after)
	}
	answer, err := s.DB.Query(ctx, input)
	if err != nil {
		return nil, "", table.Classify("list broadcasts", err)
	}
	var places []pointer
	for _, item := range answer.Items {
		var place pointer
		if err := table.Decode(item, &place); err != nil {
			return nil, "", err
		}
		places = append(places, place)
	}
	next := ""
	if len(places) > limit {
		places, next = places[:limit], places[limit-1].Sort
	}
	found, err := s.rows(ctx, app, places)
	return found, next, err
}

// rows reads the broadcasts of the places, in their order. One that has expired since is left out.
func (s *Store) rows(ctx context.Context, app id.App, places []pointer) ([]broadcast.Broadcast, error) {
	read := table.Read{Table: s.Table}
	for _, place := range places {
		read.Keys = append(read.Keys, rowKey(app, id.Broadcast(place.Broadcast)))
	}
	items, err := table.BatchGet(ctx, s.DB, read)
	if err != nil {
		return nil, err
	}
	var found []broadcast.Broadcast
	for _, item := range items[s.Table] {
		var each row
		if err := table.Decode(item, &each); err != nil {
			return nil, err
		}
		found = append(found, each.decode(app))
	}
	slices.SortFunc(found, func(a, b broadcast.Broadcast) int {
		if order := b.CreatedAt.Compare(a.CreatedAt); order != 0 {
			return order
		}
		return strings.Compare(string(b.ID), string(a.ID))
	})
	return found, nil
}

// Cancel implements broadcast.Store.
func (s *Store) Cancel(ctx context.Context, app id.App, job id.Broadcast, at time.Time) (broadcast.Broadcast, error) {
	var standing row
	err := table.Update{Table: s.Table, Key: rowKey(app, job), Set: "SET cancelled_at = :at",
		If: "#state = :running AND attribute_not_exists(cancelled_at)", Names: map[string]string{"#state": "state"},
		Values: table.Item{":at": table.N(table.Millis(at)), ":running": table.S(string(broadcast.Running))}}.Run(ctx, s.DB, &standing)
	return outcome(standing, app, err, nil)
}

// Save implements broadcast.Store.
func (s *Store) Save(ctx context.Context, saved broadcast.Broadcast) (broadcast.Broadcast, error) {
	var standing row
	r := encode(saved)
	err := table.Update{Table: s.Table, Key: rowKey(saved.App, saved.ID), If: "steps = :was",
		Set: "SET #state = :state, code = :code, finished_at = :finished, sent = :sent, skipped = :skipped, #failed = :failed, dir = :dir, " +
			"#position = :position, #last = :last, last_seq = :seq, tries = :tries, steps = :steps, run = :run",
		Names: map[string]string{"#state": "state", "#failed": "failed", "#position": "position", "#last": "last"},
		Values: table.Item{":was": table.N(int64(r.Steps - 1)), ":state": table.S(r.State), ":code": table.S(r.Code), ":finished": table.N(r.FinishedAt),
			":sent": table.N(int64(r.Sent)), ":skipped": table.N(int64(r.Skipped)), ":failed": table.N(int64(r.Failed)), ":dir": table.N(int64(r.Shard)),
			":position": &types.AttributeValueMemberB{Value: append([]byte{}, r.Position...)}, ":last": table.S(r.Conversation), ":seq": table.N(r.Sequence),
			":tries": table.N(int64(r.Tries)), ":steps": table.N(int64(r.Steps)), ":run": table.S(r.Run)}}.Run(ctx, s.DB, &standing)
	if standing.Steps == r.Steps && standing.Run == r.Run {
		return outcome(standing, saved.App, err, nil)
	}
	return outcome(standing, saved.App, err, broadcast.ErrOvertaken)
}

// outcome is what a conditional update comes to; refused is what a false condition means where the row stands.
func outcome(standing row, app id.App, err, refused error) (broadcast.Broadcast, error) {
	if errors.Is(err, table.ErrCondition) {
		if err = refused; standing.Key == "" {
			err = broadcast.ErrNotFound
		}
	}
	if err != nil {
		return broadcast.Broadcast{}, err
	}
	return standing.decode(app), nil
}

// Release implements broadcast.Store.
func (s *Store) Release(ctx context.Context, of broadcast.Broadcast) error {
	key := partition(of.App)
	work := &table.Transaction{DB: s.DB, Doing: "release a broadcast"}
	work.Remove(table.Update{Table: s.Table, Key: table.Key(key, string(of.ID)+contentSuffix)}, nil)
	work.Remove(table.Update{Table: s.Table, Key: table.Key(key, slotSort(of.Slot)), If: "broadcast = :job",
		Values: table.Item{":job": table.S(string(of.ID))}}, errSlot)
	if err := work.Run(ctx); !errors.Is(err, errSlot) {
		return err
	}
	return nil // it was released before
}
