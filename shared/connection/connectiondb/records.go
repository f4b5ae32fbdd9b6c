// Package connectiondb keeps routing records, sockets, redeemed tickets and watches in DynamoDB: app#user / "R" is the
// record, app#user / C#<connection> a socket, app#user / T#<ticket> a redeemed ticket, app#user / W#<watcher> says that
// another user watches this one.
package connectiondb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// Store implements connection.Store.
type Store struct {
	DB    *dynamodb.Client
	Table string
}

var _ connection.Store = (*Store)(nil)

// recordKey is the sort key of a routing record.
const recordKey = "R"

// record is a routing record. Its attribute names are short because every message to the user pays for its size.
type record struct {
	Key     string            `dynamodbav:"pk"`
	Sort    string            `dynamodbav:"sk"`
	Version int64             `dynamodbav:"v"`
	Floor   int64             `dynamodbav:"f"`
	Groups  bool              `dynamodbav:"g,omitempty"`
	Own     bool              `dynamodbav:"o,omitempty"`
	Ring    map[string]int64  `dynamodbav:"ring"` // sequence·sequenceUnit + version
	Devices map[string]device `dynamodbav:"dev"`
	// What these have is left out where it is nothing: together they take 24 bytes at most.
	Hidden    bool   `dynamodbav:"h,omitempty"`
	Seen      int64  `dynamodbav:"s,omitempty"`
	Watched   int64  `dynamodbav:"w,omitempty"`
	Announced string `dynamodbav:"a,omitempty"` // see encodeAnnouncement
}

// sequenceUnit is where the sequence begins in a number of the ring, above the version: two numbers in one, because a
// second map of sixteen conversations would not fit into the write unit. Versions stay below 10^10, sequences below
// 9·10^8.
const sequenceUnit = 10_000_000_000

// device is an entry of a record. An anonymous device's connection is its name.
type device struct {
	Connection string `dynamodbav:"c,omitempty"`
	Lease      int64  `dynamodbav:"l"`
	Expires    int64  `dynamodbav:"x"`
}

func partition(app id.App, user id.User) string { return app.String() + "#" + string(user) }

func itemKey(app id.App, user id.User) table.Item { return table.Key(partition(app, user), recordKey) }

// Routing returns the write of a new user's empty record in the table, for the transaction that registers the user.
func Routing(tableName string) func(app id.App, user id.User) (types.TransactWriteItem, error) {
	return func(app id.App, user id.User) (types.TransactWriteItem, error) {
		item, err := table.Encode(record{Key: partition(app, user), Sort: recordKey,
			Ring: map[string]int64{}, Devices: map[string]device{}})
		return types.TransactWriteItem{Put: &types.Put{TableName: &tableName, Item: item}}, err
	}
}

// noteAttempts bounds how often a note is overtaken by a higher one; each time its sequence rises to that.
const noteAttempts = 10

// Note implements connection.Store. The condition keeps a sequence from going back; where it is false, the note is made
// with the higher sequence that stands there.
func (s *Store) Note(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (connection.Record, error) {
	set, values := "SET v = v + :one, ring.#c = v + :next", table.Item{}
	switch {
	case conversation.Group() != "":
		set, values[":true"] = set+", g = :true", &types.AttributeValueMemberBOOL{Value: true}
	case conversation == id.Pair(app, user, user):
		set, values[":true"] = set+", o = :true", &types.AttributeValueMemberBOOL{Value: true}
	}
	for range noteAttempts {
		var after record
		maps.Copy(values, table.Item{":one": table.N(1), ":next": table.N(sequence*sequenceUnit + 1),
			":above": table.N((sequence + 1) * sequenceUnit)})
		err := table.Update{
			Table: s.Table, Key: itemKey(app, user),
			Set:   set,
			If:    "attribute_exists(pk) AND (attribute_not_exists(ring.#c) OR ring.#c < :above)",
			Names: map[string]string{"#c": string(conversation)}, Values: values,
		}.Run(ctx, s.DB, &after)
		switch {
		case err == nil:
			return after.decode(), nil
		case !errors.Is(err, table.ErrCondition):
			return connection.Record{}, err
		case after.Key == "":
			return connection.Record{}, connection.ErrNotFound
		}
		sequence = after.decode().Ring[conversation].Sequence
	}
	return connection.Record{}, fault.TooOften("note a change")
}

// Trim implements connection.Store.
func (s *Store) Trim(ctx context.Context, app id.App, user id.User, version int64, oldest []id.Conversation, floor int64) error {
	names, remove := map[string]string{}, make([]string, len(oldest))
	for i, conversation := range oldest {
		name := fmt.Sprintf("#c%d", i)
		names[name], remove[i] = string(conversation), "ring."+name
	}
	set := "SET f = :floor"
	if len(remove) > 0 {
		set += " REMOVE " + strings.Join(remove, ", ")
	}
	_, err := s.update(ctx, app, user, table.Update{
		Set: set, If: "v = :version", Names: names,
		Values: table.Item{":floor": table.N(floor), ":version": table.N(version)},
	})
	if errors.Is(err, connection.ErrNotFound) {
		return nil // the version has moved on: whoever moved it trims
	}
	return err
}

// Record implements connection.Store.
func (s *Store) Record(ctx context.Context, app id.App, user id.User, strong bool) (connection.Record, error) {
	var found record
	ok, err := table.Get(ctx, s.DB, s.Table, itemKey(app, user), strong, &found)
	if err != nil {
		return connection.Record{}, err
	}
	if !ok {
		return connection.Record{}, connection.ErrNotFound
	}
	return found.decode(), nil
}

// Attach implements connection.Store. It reads, decides and writes on the condition that what it decided by still
// stands; a lost race decides anew.
func (s *Store) Attach(ctx context.Context, socket connection.Socket, lease time.Time) (connection.Record, []string, error) {
	before, err := s.Record(ctx, socket.App, socket.User, true)
	if err != nil {
		return connection.Record{}, nil, err
	}
	for attempt := 0; ; attempt++ {
		if err := table.Pause(ctx, attempt); err != nil {
			return connection.Record{}, nil, table.Classify("attach a device", err)
		}
		change, displaced := attachment(before, socket, lease)
		var after record
		change.Table, change.Key = s.Table, itemKey(socket.App, socket.User)
		err := change.Run(ctx, s.DB, &after)
		if err == nil {
			return after.decode(), displaced, nil
		}
		if !errors.Is(err, table.ErrCondition) {
			return connection.Record{}, nil, err
		}
		if after.Key == "" {
			return connection.Record{}, nil, connection.ErrNotFound
		}
		before = after.decode()
		if before.Devices[socket.Device] == entered(socket, lease) {
			return before, displaced, nil // the SDK tried again after an answer was lost
		}
	}
}

// entered is the socket's device as Attach enters it.
func entered(socket connection.Socket, lease time.Time) connection.Device {
	return connection.Device{Connection: socket.Connection, Lease: lease.Unix(), Expires: socket.ExpiresAt.Unix()}
}

// attachment is the update that enters the socket's device, and the connections that lose their place by it.
func attachment(before connection.Record, socket connection.Socket, lease time.Time) (table.Update, []string) {
	change := table.Update{
		Set:   "SET dev.#d = :d",
		Names: map[string]string{"#d": socket.Device},
	}
	change.Values = table.Item{":d": encodeDevice(socket.Device, entered(socket, lease))}
	old, known := before.Devices[socket.Device]
	switch {
	case known:
		// The whole entry, not its lease alone: two connects can fall into one second.
		change.If = "dev.#d = :old"
		change.Values[":old"] = encodeDevice(socket.Device, old)
		if old.Connection != "" && old.Connection != socket.Connection {
			return change, []string{old.Connection}
		}
		return change, nil
	case len(before.Devices) < connection.MaxDevices:
		change.If = "attribute_not_exists(dev.#d) AND size(dev) < :max"
		change.Values[":max"] = table.N(connection.MaxDevices)
		return change, nil
	}
	silent := before.Silent()
	change.Set += " REMOVE dev.#s"
	change.If = "attribute_not_exists(dev.#d) AND dev.#s = :silent"
	change.Names["#s"], change.Values[":silent"] = silent, encodeDevice(silent, before.Devices[silent])
	if old := before.Devices[silent].Connection; old != "" {
		return change, []string{old}
	}
	return change, nil
}

// Renew implements connection.Store.
func (s *Store) Renew(ctx context.Context, socket connection.Socket, lease, expires time.Time) (connection.Record, error) {
	change := table.Update{
		Set:    "SET dev.#d.l = :lease",
		If:     "attribute_exists(dev.#d)",
		Names:  map[string]string{"#d": socket.Device},
		Values: table.Item{":lease": table.N(lease.Unix())},
	}
	if !expires.IsZero() {
		change.Set += ", dev.#d.x = :expires"
		change.Values[":expires"] = table.N(expires.Unix())
	}
	if !connection.Anonymous(socket.Device) {
		change.If = "dev.#d.c = :connection"
		change.Values[":connection"] = table.S(socket.Connection)
	}
	return s.update(ctx, socket.App, socket.User, change)
}

// Detach implements connection.Store.
func (s *Store) Detach(ctx context.Context, app id.App, user id.User, device, connectionID string, seen time.Time) (connection.Record, error) {
	change := table.Update{Table: s.Table, Key: itemKey(app, user), Set: "SET s = :seen REMOVE dev.#d.c", If: "dev.#d.c = :connection",
		Names:  map[string]string{"#d": device},
		Values: table.Item{":seen": table.N(seen.Unix()), ":connection": table.S(connectionID)}}
	if connection.Anonymous(device) {
		change.Set, change.If = "SET s = :seen REMOVE dev.#d", "attribute_exists(dev.#d)"
		delete(change.Values, ":connection")
	}
	var standing record
	err := change.Run(ctx, s.DB, &standing)
	if err != nil && !errors.Is(err, table.ErrCondition) { // a false one: another connection has the device by now
		return connection.Record{}, err
	}
	if standing.Key == "" {
		return connection.Record{}, nil
	}
	return standing.decode(), nil
}

// update runs the change on a record; a false condition is connection.ErrNotFound.
func (s *Store) update(ctx context.Context, app id.App, user id.User, change table.Update) (connection.Record, error) {
	change.Table, change.Key = s.Table, itemKey(app, user)
	var after record
	err := change.Run(ctx, s.DB, &after)
	if errors.Is(err, table.ErrCondition) {
		return connection.Record{}, connection.ErrNotFound
	}
	if err != nil {
		return connection.Record{}, err
	}
	return after.decode(), nil
}

func (r record) decode() connection.Record {
	decoded := connection.Record{Version: r.Version, Floor: r.Floor, Groups: r.Groups, Own: r.Own,
		Ring: map[id.Conversation]connection.Change{}, Devices: map[string]connection.Device{},
		Presence: connection.Presence{Hidden: r.Hidden, Seen: r.Seen, WatchedUntil: r.Watched, Announced: decodeAnnouncement(r.Announced)}}
	for conversation, both := range r.Ring {
		decoded.Ring[id.Conversation(conversation)] = connection.Change{Version: both % sequenceUnit, Sequence: both / sequenceUnit}
	}
	for name, entry := range r.Devices {
		if connection.Anonymous(name) {
			entry.Connection = name[1:]
		}
		decoded.Devices[name] = connection.Device{Connection: entry.Connection, Lease: entry.Lease, Expires: entry.Expires}
	}
	return decoded
}

func encodeDevice(name string, entry connection.Device) types.AttributeValue {
	item := table.Item{"l": table.N(entry.Lease), "x": table.N(entry.Expires)}
	if !connection.Anonymous(name) && entry.Connection != "" {
		item["c"] = table.S(entry.Connection)
	}
	return &types.AttributeValueMemberM{Value: item}
}
