package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/drill/check"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/erase"
	"github.com/tokenim/tokenim/shared/erase/erasedb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// TestErasedUsers: what a deleted user leaves to others is no damage, from the moment of its deletion on; a user beside its own
// receipt is.
func TestErasedUsers(t *testing.T) {
	db, tables, wrapper, key := tenant(t)
	app := key.App()
	users, messages := services(db, tables, wrapper)
	talk(t, app, users, messages)
	ann := remove(t, app, users, messages)
	// What she uploaded stays where she sent it.
	_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(tables["TABLE_MEDIA"]), Item: table.Item{
		"pk": table.S(app.String()), "sk": table.S("media_" + strings.Repeat("2", 22)), "owner": table.S(string(ann)), "state": table.S("ready"),
		"kind": table.S("image"), "type": table.S("image/png"), "size": table.N(7), "sha256": &types.AttributeValueMemberB{Value: make([]byte, 32)}}})
	storetest.OK(t, "a media", err)

	rows := &erasedb.Store{DB: db, Tables: map[erase.Table]string{erase.Users: tables["TABLE_USERS"], erase.Messages: tables["TABLE_MESSAGES"],
		erase.Conversations: tables["TABLE_CONVERSATIONS"], erase.Connections: tables["TABLE_CONNECTIONS"], erase.Grants: tables["TABLE_GRANTS"]}}
	store := &erasedb.UserStore{Store: rows, Records: &recorddb.Writer{DB: db, Table: tables["TABLE_RECORDS"]}}
	sockets, _ := messages.Devices.(*connection.Service)
	eraser := &erase.UserEraser{Store: store, Rows: rows, Sockets: sockets, Clock: clock.System{}}
	before := copied(t, db, tables)
	_, err = store.BeginUser(t.Context(), app, ann, time.Now(), record.New(record.OfApp(app), time.Now(), record.Origin{}, record.UserDeleted, string(ann), nil, nil))
	storetest.OK(t, "BeginUser", err)
	wantSound(t, "deleted", copied(t, db, tables), wrapper)
	storetest.OK(t, "Do", eraser.Do(t.Context(), erase.UserJob{App: app.String(), User: ann}))
	erased := copied(t, db, tables)
	wantSound(t, "erased", erased, wrapper)

	back := erased.clone()
	for _, item := range before["USERS"] {
		if text(item["username"]) == "Ann" {
			back["USERS"] = append(back["USERS"], item)
		}
	}
	report, err := check.Run(t.Context(), back, wrapper)
	if err != nil || report.Of(check.Name) == 0 {
		t.Errorf("a user beside its receipt is no problem: %v, %v", report, err)
	}
	_, err = messages.Send(t.Context(), message.Draft{App: app, From: sender(t, before, "bob"), To: string(ann), Text: "too late"})
	if err == nil {
		t.Error("she can be written to")
	}
}

func wantSound(t *testing.T, what string, all items, wrapper seal.Wrapper) {
	t.Helper()
	report, err := check.Run(t.Context(), all, wrapper)
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("%s: %v, %v", what, report.Problems, err)
	}
}

// sender returns the ID of the user of the name.
func sender(t *testing.T, all items, name string) id.User {
	t.Helper()
	return id.User(text(all["USERS"][where(t, all["USERS"], func(item table.Item) bool { return text(item["username"]) == name })]["user"]))
}
