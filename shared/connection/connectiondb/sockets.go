package connectiondb

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// nonceLength is the length of what tells a call's own write from another's: 95 random bits.
const nonceLength = 16

const (
	socketPrefix = "C#"
	ticketPrefix = "T#"
)

type socketRow struct {
	Key    string  `dynamodbav:"pk"`
	Sort   string  `dynamodbav:"sk"`
	Minter string  `dynamodbav:"key"` // app#key: the index that a revocation reads
	Device string  `dynamodbav:"device"`
	Epoch  int64   `dynamodbav:"epoch"`
	Token  int64   `dynamodbav:"token_expires"`
	Window *window `dynamodbav:"win,omitempty"`
	// WindowBy tells one move of the window from another.
	WindowBy string `dynamodbav:"win_by,omitempty"`
	Expires  int64  `dynamodbav:"expires"` // TTL, seconds
}

type window struct {
	Since        int64  `dynamodbav:"since"`
	Version      int64  `dynamodbav:"v"`
	Conversation string `dynamodbav:"c"`
	Sequence     int64  `dynamodbav:"seq"`
	PrevConv     string `dynamodbav:"pc"`
	PrevSequence int64  `dynamodbav:"pseq"`
}

type ticketRow struct {
	Key     string `dynamodbav:"pk"`
	Sort    string `dynamodbav:"sk"`
	Nonce   string `dynamodbav:"nonce"`
	Expires int64  `dynamodbav:"expires"`
}

func minter(app id.App, key id.Key) string { return app.String() + "#" + string(key) }

// PutSocket implements connection.Store.
func (s *Store) PutSocket(ctx context.Context, socket connection.Socket, expires time.Time) error {
	return table.Put(ctx, s.DB, s.Table, socketRow{
		Key: partition(socket.App, socket.User), Sort: socketPrefix + socket.Connection,
		Minter: minter(socket.App, socket.Key), Device: socket.Device, Epoch: socket.Epoch,
		Token: socket.ExpiresAt.Unix(), Window: encodeWindow(socket.Window), Expires: expires.Unix(),
	}, "", nil, nil)
}

// Socket implements connection.Store.
func (s *Store) Socket(ctx context.Context, app id.App, user id.User, connectionID string) (connection.Socket, error) {
	var found socketRow
	ok, err := table.Get(ctx, s.DB, s.Table, socketKey(app, user, connectionID), true, &found)
	if err != nil {
		return connection.Socket{}, err
	}
	if !ok {
		return connection.Socket{}, connection.ErrNotFound
	}
	_, key, _ := strings.Cut(found.Minter, "#")
	return connection.Socket{App: app, User: user, Connection: connectionID, Device: found.Device, Key: id.Key(key),
		Epoch: found.Epoch, ExpiresAt: time.Unix(found.Token, 0).UTC(), Window: found.Window.decode()}, nil
}

// Opened implements connection.Store.
func (s *Store) Opened(ctx context.Context, app id.App, connections map[id.User][]string) (map[string]time.Time, error) {
	var keys []table.Item
	for user, names := range connections {
		for _, name := range names {
			keys = append(keys, socketKey(app, user, name))
		}
	}
	items, err := s.readAll(ctx, keys, false)
	if err != nil {
		return nil, err
	}
	opened := make(map[string]time.Time, len(items))
	for _, item := range items {
		var found socketRow
		if err := table.Decode(item, &found); err != nil {
			return nil, err
		}
		opened[strings.TrimPrefix(found.Sort, socketPrefix)] = found.opened()
	}
	return opened, nil
}

// opened is when the socket opened: its row expires after the longest life of one.
func (r socketRow) opened() time.Time {
	return time.Unix(r.Expires, 0).UTC().Add(-connection.MaxLife)
}

// SetCredential implements connection.Store.
func (s *Store) SetCredential(ctx context.Context, socket connection.Socket) error {
	err := table.Update{
		Table: s.Table, Key: socketKey(socket.App, socket.User, socket.Connection),
		Set: "SET #key = :key, epoch = :epoch, token_expires = :expires", If: "attribute_exists(pk)",
		Names: map[string]string{"#key": "key"},
		Values: table.Item{":key": table.S(minter(socket.App, socket.Key)), ":epoch": table.N(socket.Epoch),
			":expires": table.N(socket.ExpiresAt.Unix())},
	}.Run(ctx, s.DB, nil)
	if errors.Is(err, table.ErrCondition) {
		return connection.ErrNotFound
	}
	return err
}

// MoveWindow implements connection.Store.
func (s *Store) MoveWindow(ctx context.Context, socket connection.Socket, next *connection.Window) (bool, error) {
	nonce := id.Source{}.Text(nonceLength)
	change := table.Update{Table: s.Table, Key: socketKey(socket.App, socket.User, socket.Connection),
		Set: "SET win_by = :nonce REMOVE win", If: "attribute_exists(pk) AND attribute_not_exists(win)",
		Values: table.Item{":nonce": table.S(nonce)}}
	if was := socket.Window; was != nil {
		encoded, err := table.Encode(encodeWindow(was))
		if err != nil {
			return false, err
		}
		change.If, change.Values[":was"] = "win = :was", &types.AttributeValueMemberM{Value: encoded}
	}
	if next != nil {
		encoded, err := table.Encode(encodeWindow(next))
		if err != nil {
			return false, err
		}
		change.Set, change.Values[":next"] = "SET win_by = :nonce, win = :next", &types.AttributeValueMemberM{Value: encoded}
	}
	var standing socketRow
	err := change.Run(ctx, s.DB, &standing)
	if errors.Is(err, table.ErrCondition) {
		return standing.WindowBy == nonce, nil // this very call moved it, and the SDK tried again after its answer was lost
	}
	return err == nil, err
}

// RemoveSocket implements connection.Store.
func (s *Store) RemoveSocket(ctx context.Context, socket connection.Socket) error {
	return table.Delete(ctx, s.DB, s.Table, socketKey(socket.App, socket.User, socket.Connection), "", nil, nil)
}

// ByKey implements connection.Store. A position is partition and sort key of the last socket, with a line between.
func (s *Store) ByKey(ctx context.Context, app id.App, key id.Key, now time.Time, after string, limit int) ([]connection.Socket, string, error) {
	input := &dynamodb.QueryInput{
		TableName: &s.Table, IndexName: aws.String("by_key"), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression: aws.String("#key = :key"),
		// Rows of closed sockets stay until they are swept, which may take days: no socket outlives its expiry.
		FilterExpression:          aws.String("expires > :now"),
		ExpressionAttributeNames:  map[string]string{"#key": "key"},
		ExpressionAttributeValues: table.Item{":key": table.S(minter(app, key)), ":now": table.N(now.Unix())},
		ReturnConsumedCapacity:    types.ReturnConsumedCapacityIndexes,
	}
	if pk, sk, ok := strings.Cut(after, "\n"); ok {
		input.ExclusiveStartKey = table.Key(pk, sk)
		input.ExclusiveStartKey["key"] = table.S(minter(app, key))
	}
	answer, err := s.DB.Query(ctx, input)
	if err != nil {
		return nil, "", table.Classify("find a key's sockets", err)
	}
	var sockets []connection.Socket
	for _, item := range answer.Items {
		var found socketRow
		if err := table.Decode(item, &found); err != nil {
			return nil, "", err
		}
		_, user, _ := strings.Cut(found.Key, "#")
		sockets = append(sockets, connection.Socket{App: app, User: id.User(user), Key: key, Device: found.Device,
			Connection: strings.TrimPrefix(found.Sort, socketPrefix),
			OpenedAt:   found.opened()})
	}
	return sockets, position(answer.LastEvaluatedKey), nil
}

// position is where the next page begins: not behind the last socket that was returned, since others were left out.
func position(last table.Item) string {
	pk, _ := last["pk"].(*types.AttributeValueMemberS)
	sk, _ := last["sk"].(*types.AttributeValueMemberS)
	if pk == nil || sk == nil {
		return ""
	}
	return pk.Value + "\n" + sk.Value
}

// Redeem implements connection.Store.
func (s *Store) Redeem(ctx context.Context, app id.App, user id.User, ticket string, until time.Time) error {
	row := ticketRow{Key: partition(app, user), Sort: ticketPrefix + ticket, Expires: until.Unix(), Nonce: id.Source{}.Text(nonceLength)}
	var standing ticketRow
	err := table.Put(ctx, s.DB, s.Table, row, "attribute_not_exists(pk)", nil, &standing)
	if errors.Is(err, table.ErrCondition) {
		if standing.Nonce == row.Nonce {
			return nil // this very call, tried again by the SDK after an answer was lost
		}
		return connection.ErrRedeemed
	}
	return err
}

func socketKey(app id.App, user id.User, connectionID string) table.Item {
	return table.Key(partition(app, user), socketPrefix+connectionID)
}

func encodeWindow(w *connection.Window) *window {
	if w == nil {
		return nil
	}
	return &window{Since: w.Since, Version: w.Version, Conversation: string(w.Conversation), Sequence: w.Sequence,
		PrevConv: string(w.PrevConversation), PrevSequence: w.PrevSequence}
}

func (w *window) decode() *connection.Window {
	if w == nil {
		return nil
	}
	return &connection.Window{Since: w.Since, Version: w.Version, Conversation: id.Conversation(w.Conversation), Sequence: w.Sequence,
		PrevConversation: id.Conversation(w.PrevConv), PrevSequence: w.PrevSequence}
}
