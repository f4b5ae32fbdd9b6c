package userimportdb_test

import (
	"context"
	"testing"
	"time"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/connection/connectiondb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user/userdb"
	"github.com/tokenim/tokenim/shared/userimport"
	"github.com/tokenim/tokenim/shared/userimport/userimportdb"
	"github.com/tokenim/tokenim/shared/userimport/userimporttest"
)

func start(t *testing.T) (*userimportdb.Store, *connectiondb.Store) {
	client, tables := enginetest.Start(t)
	connections := &connectiondb.Store{DB: client, Table: tables["TABLE_CONNECTIONS"]}
	users := &userdb.Store{DB: client, Table: tables["TABLE_USERS"], Routing: connectiondb.Routing(connections.Table)}
	return &userimportdb.Store{DB: client, Table: connections.Table, Users: users}, connections
}

func TestStore(t *testing.T) {
	store, _ := start(t)
	userimporttest.Run(t, store, store.Users)
}

// An import of as many rows, each as large, as there can be: the last page is there, and users have their routing records.
func TestTheLargestImport(t *testing.T) {
	store, connections := start(t)
	of := userimporttest.NewImport(id.Source{}.App(), userimport.MaxRows)
	rows := userimporttest.NewRows(of)
	storetest.OK(t, "Add", store.Add(t.Context(), of, rows))
	last, err := store.Rows(t.Context(), of, userimport.MaxRows-1, 100)
	if err != nil || len(last) != 1 || last[0] != rows[userimport.MaxRows-1] {
		t.Fatalf("the last row is %+v, %v", last, err)
	}
	later := &sent{}
	job := userimport.Job{App: of.App.String(), Import: of.ID}
	_, err = store.Begin(t.Context(), of)
	storetest.OK(t, "Begin", err)
	storetest.OK(t, "Do", (&userimport.Worker{Store: store, Later: later, Clock: noon{}}).Do(t.Context(), job))
	done, err := store.Get(t.Context(), of.App, of.ID)
	if err != nil || done.Registered != userimport.MaxRows || done.FinishedAt.IsZero() || later.jobs != 0 {
		t.Fatalf("the import is %+v, %v", done, err)
	}
	last, err = store.Rows(t.Context(), of, userimport.MaxRows-1, 100)
	storetest.OK(t, "Rows", err)
	if record, err := connections.Record(t.Context(), of.App, last[0].User, true); err != nil || record.Version != 0 {
		t.Errorf("the last user's routing record is %+v, %v", record, err)
	}
}

// noon is a clock that stands.
type noon struct{}

func (noon) Now() time.Time { return storetest.Noon() }

// sent counts jobs.
type sent struct{ jobs int }

func (s *sent) Send(context.Context, any, time.Duration) error {
	s.jobs++
	return nil
}
