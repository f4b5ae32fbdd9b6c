package groupdb_test

import (
	"testing"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/group/groupdb"
	"github.com/tokenim/tokenim/shared/group/grouptest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestStore(t *testing.T) {
	db, tables := enginetest.Start(t)
	store := &groupdb.Store{DB: db, Groups: tables["TABLE_GROUPS"], Conversations: tables["TABLE_CONVERSATIONS"], Messages: tables["TABLE_MESSAGES"]}
	rows := &messagedb.Members{DB: db, Table: tables["TABLE_CONVERSATIONS"]}
	grouptest.Run(t, grouptest.Harness{Store: store, Log: &messagedb.Log{DB: db, Table: tables["TABLE_MESSAGES"]},
		Row: func(t *testing.T, app id.App, user id.User, of id.Group) message.Member {
			row, err := rows.Get(t.Context(), app, user, id.Conversation(of), true)
			storetest.OK(t, "Get", err)
			return row
		}})
}
