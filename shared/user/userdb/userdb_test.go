package userdb_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiondb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/userdb"
	"github.com/tokenim/tokenim/shared/user/usertest"
)

func start(t *testing.T) (*userdb.Store, *connectiondb.Store) {
	client, tables := enginetest.Start(t)
	connections := &connectiondb.Store{DB: client, Table: tables["TABLE_CONNECTIONS"]}
	return &userdb.Store{DB: client, Table: tables["TABLE_USERS"], Keys: tables["TABLE_KEYS"], Routing: connectiondb.Routing(connections.Table),
		Records: &recorddb.Writer{DB: client, Table: tables["TABLE_RECORDS"]}}, connections
}

func TestStore(t *testing.T) {
	store, _ := start(t)
	usertest.Run(t, store)
	usertest.RunRecorded(t, store, &recorddb.Store{Writer: store.Records})
}

// A user and its routing record come into being together, or neither does.
func TestCreateMakesTheRoutingRecord(t *testing.T) {
	store, connections := start(t)
	app := id.Source{}.App()
	users := make([]user.User, storetest.Racers)
	for i := range users {
		users[i] = usertest.NewUser(app, "Ann")
	}
	winner := storetest.OneWins(t, len(users), user.ErrNameTaken, func(i int) error {
		return store.Create(t.Context(), users[i], "ann")
	})
	for i, made := range users {
		record, err := connections.Record(t.Context(), app, made.ID, true)
		switch {
		case i != winner && !errors.Is(err, connection.ErrNotFound):
			t.Errorf("a refused user has a routing record: %v", err)
		case i == winner && (err != nil || record.Version != 0 || record.Ring == nil || record.Devices == nil):
			t.Errorf("the user's routing record = %+v, %v", record, err)
		}
	}
}

// A second attempt under a taken ID leaves the routing record as it is.
func TestCreateAgainKeepsTheRoutingRecord(t *testing.T) {
	store, connections := start(t)
	ann := usertest.NewUser(id.Source{}.App(), "Ann")
	storetest.OK(t, "Create", store.Create(t.Context(), ann, "ann"))
	_, err := connections.Note(t.Context(), ann.App, ann.ID, id.Pair(ann.App, ann.ID, id.Source{}.User()), 1)
	storetest.OK(t, "Note", err)
	storetest.Refused(t, "Create again", store.Create(t.Context(), ann, "ann"), user.ErrExists)
	record, err := connections.Record(t.Context(), ann.App, ann.ID, true)
	if err != nil || record.Version != 1 {
		t.Fatalf("Record = %+v, %v; want version 1", record, err)
	}
}

// 500 users spread over all shards: the merge has to read on in each of them.
func TestListMergesLongShards(t *testing.T) {
	store, _ := start(t)
	app := id.Source{}.App()
	const users = 500
	for i := range users {
		name := fmt.Sprintf("user%03d", i)
		storetest.OK(t, "Create", store.Create(t.Context(), usertest.NewUser(app, name), name))
	}
	count, after := 0, ""
	for {
		page, next, err := store.List(t.Context(), app, "", after, 100)
		storetest.OK(t, "List", err)
		for _, found := range page {
			if want := fmt.Sprintf("user%03d", count); found.Username != want {
				t.Fatalf("user %d is %q, want %q", count, found.Username, want)
			}
			count++
		}
		if next == "" {
			break
		}
		after = next
	}
	if count != users {
		t.Errorf("listed %d users, want %d", count, users)
	}
}
