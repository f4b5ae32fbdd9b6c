package connectiondb_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiondb"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/table/tabletest"
)

const (
	// writeUnit is how many bytes of an item one write unit pays for.
	writeUnit = 1024
	// largeVersion and largeSequence take as many digits as a record ever needs.
	largeVersion, largeSequence = 9_999_999_000, 899_999_999
)

// connectionID is as long as those of API Gateway.
func connectionID(i int) string { return fmt.Sprintf("L0SM9cOFvHcCIh%d=", i) }

// fullRecord makes the largest routing record there is: MaxDevices devices with the longest names, a ring one short of
// full, numbers with all their digits, and everything that presence keeps.
func fullRecord(t *testing.T) (*connectiondb.Store, connection.Socket) {
	store, register := start(t)
	socket := connectiontest.NewSocket("phone", connectionID(0))
	register(socket.App, socket.User)
	setVersion(t, store, socket)
	for i := range connection.MaxDevices {
		name := strings.Repeat(string(rune('a'+i)), connection.MaxDeviceBytes)
		_, _, err := store.Attach(t.Context(), connectiontest.On(socket, name, connectionID(i)), storetest.Noon().Add(time.Hour))
		storetest.OK(t, "Attach", err)
	}
	fillPresence(t, store, socket)
	service := &connection.Service{Store: store}
	for number := range connection.RingSize - 1 {
		_, err := service.Note(t.Context(), socket.App, socket.User, connectiontest.Conversation(number), largeSequence)
		storetest.OK(t, "Note", err)
	}
	return store, socket
}

// fillPresence has the record hidden, watched, announced and seen.
func fillPresence(t *testing.T, store *connectiondb.Store, socket connection.Socket) {
	t.Helper()
	ctx, now := t.Context(), storetest.Noon()
	_, err := store.SetHidden(ctx, socket.App, socket.User, true)
	storetest.OK(t, "SetHidden", err)
	_, err = store.MarkWatched(ctx, socket.App, socket.User, now, now.Add(time.Hour), true)
	storetest.OK(t, "MarkWatched", err)
	_, err = store.PutAnnounced(ctx, socket.App, socket.User, connection.Announcement{Online: true},
		connection.Announcement{By: "f3Gk0a"})
	storetest.OK(t, "PutAnnounced", err)
	fifth := connectiontest.On(socket, strings.Repeat("e", connection.MaxDeviceBytes), connectionID(4))
	_, err = store.Detach(ctx, socket.App, socket.User, fifth.Device, fifth.Connection, now)
	storetest.OK(t, "Detach", err)
	after, _, err := store.Attach(ctx, fifth, now.Add(time.Hour))
	storetest.OK(t, "Attach again", err)
	if p := after.Presence; !p.Hidden || p.Seen == 0 || p.WatchedUntil == 0 || p.Announced.By == "" {
		t.Fatalf("not everything is there: %+v", p)
	}
}

func setVersion(t *testing.T, store *connectiondb.Store, socket connection.Socket) {
	t.Helper()
	_, err := store.DB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &store.Table, Key: recordItemKey(socket),
		UpdateExpression:          aws.String("SET v = :v, f = :v"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":v": number(largeVersion)}})
	storetest.OK(t, "set the version", err)
}

func number(n int64) types.AttributeValue { return &types.AttributeValueMemberN{Value: fmt.Sprint(n)} }

func recordItemKey(socket connection.Socket) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"sk": &types.AttributeValueMemberS{Value: "R"},
		"pk": &types.AttributeValueMemberS{Value: socket.App.String() + "#" + string(socket.User)}}
}

// A message to a user with the largest record costs one write unit for it, on either side of a full ring.
func TestLargestRecordFitsOneWriteUnit(t *testing.T) {
	store, socket := fullRecord(t)
	client, cost := tabletest.Watch(store.DB)
	watched := &connectiondb.Store{DB: client, Table: store.Table}
	for i, what := range []string{"the change that fills the ring", "a change of a full ring"} {
		record, err := watched.Note(t.Context(), socket.App, socket.User, connectiontest.Conversation(connection.RingSize-1), largeSequence)
		storetest.OK(t, "Note", err)
		if len(record.Ring) != connection.RingSize || len(record.Devices) != connection.MaxDevices || record.Version < largeVersion {
			t.Fatalf("record %d is not the largest: %+v", i, record)
		}
		if units := cost.Take(); units != 1 {
			t.Errorf("%s cost %v write units, want 1", what, units)
		}
	}
	answer, err := store.DB.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &store.Table, Key: recordItemKey(socket)})
	storetest.OK(t, "GetItem", err)
	size := tabletest.Size(answer.Item)
	t.Logf("the largest routing record has %d bytes", size)
	if size > writeUnit {
		t.Errorf("the largest routing record has %d bytes, want %d at most", size, writeUnit)
	}
}
