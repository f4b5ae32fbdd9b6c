package messagedb_test

import (
	"testing"
	"time"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/app/appdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/message/messagetest"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestLog(t *testing.T) {
	client, tables := enginetest.Start(t)
	messagetest.RunLog(t, &messagedb.Log{DB: client, Table: tables["TABLE_MESSAGES"]})
}

func TestClaims(t *testing.T) {
	client, tables := enginetest.Start(t)
	messagetest.RunClaims(t, &messagedb.Claims{DB: client, Table: tables["TABLE_SENDS"]})
}

func TestMembers(t *testing.T) {
	client, tables := enginetest.Start(t)
	messagetest.RunMembers(t, &messagedb.Members{DB: client, Table: tables["TABLE_CONVERSATIONS"]})
}

func TestOperations(t *testing.T) {
	client, tables := enginetest.Start(t)
	messagetest.RunOperations(t, &messagedb.Log{DB: client, Table: tables["TABLE_MESSAGES"]},
		&messagedb.Operations{DB: client, Messages: tables["TABLE_MESSAGES"], Conversations: tables["TABLE_CONVERSATIONS"], Keys: tables["TABLE_KEYS"]})
}

// TestWindows reads what package appdb writes.
func TestWindows(t *testing.T) {
	client, tables := enginetest.Start(t)
	operations := &messagedb.Operations{DB: client, Keys: tables["TABLE_KEYS"]}
	apps := &appdb.Store{DB: client, Table: tables["TABLE_KEYS"]}
	made, err := apps.Create(t.Context(), app.App{ID: id.Source{}.App(), Settings: app.Settings{Name: "app", Origins: []string{}}}, record.Record{})
	storetest.OK(t, "Create", err)
	for _, each := range []struct {
		settings app.Settings
		want     message.OperationWindows
	}{
		{made.Settings, message.DefaultWindows},
		{app.Settings{Name: "app", RecallWindow: new(int64(0))}, message.OperationWindows{Edit: message.DefaultWindows.Edit}},
		{app.Settings{Name: "app", RecallWindow: new(int64(7)), EditWindow: new(int64(60))}, message.OperationWindows{Edit: time.Minute, Recall: 7 * time.Second}},
	} {
		if !each.settings.Same(made.Settings) {
			made, err = apps.Change(t.Context(), made, each.settings, record.Record{})
			storetest.OK(t, "Change", err)
		}
		if got, err := operations.Windows(t.Context(), made.ID); err != nil || got != each.want {
			t.Errorf("windows %+v, want %+v (%v)", got, each.want, err)
		}
	}
}

func TestRemovals(t *testing.T) {
	client, tables := enginetest.Start(t)
	conversations, messages := tables["TABLE_CONVERSATIONS"], tables["TABLE_MESSAGES"]
	messagetest.RunRemovals(t, &messagedb.Removals{DB: client, Members: conversations, Log: messages},
		&messagedb.Log{DB: client, Table: messages}, &messagedb.Members{DB: client, Table: conversations})
}
