package userimporttest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/userimport"
)

// NewImport returns an import of the app that nothing of is stored.
func NewImport(app id.App, total int) userimport.Import {
	return userimport.Import{ID: id.Source{}.Import(), App: app, Digest: "digest", Total: total, CreatedAt: storetest.Noon()}
}

// NewRows returns undecided rows, named for the import.
func NewRows(of userimport.Import) []userimport.Row {
	rows := make([]userimport.Row, of.Total)
	for i := range rows {
		name := fmt.Sprintf("user%03d", i)
		rows[i] = userimport.Row{Number: i + 1, Name: user.Name{Shown: name, Compared: name}, Profile: profile.Profile{Name: "User", Custom: `{"a":1}`}}
	}
	return rows
}

// made returns who the row would register.
func made(of userimport.Import, row userimport.Row) user.User {
	return user.User{ID: id.DeriveUser(of.App, string(of.ID), fmt.Sprint(row.Number)), App: of.App, Username: row.Name.Shown,
		CreatedAt: of.CreatedAt, Version: 1, Rights: authz.Rights{Kind: authz.Users}}
}

// Run checks the contract of userimport.Store on a store that registers users in the other.
func Run(t *testing.T, store userimport.Store, users user.Store) {
	t.Run("an import begins once", func(t *testing.T) { runBegin(t, store) })
	t.Run("rows are added once, and read in pages", func(t *testing.T) { runRows(t, store) })
	t.Run("a row is decided once", func(t *testing.T) { runDecide(t, store, users) })
	t.Run("racers register one user", func(t *testing.T) { runRace(t, store) })
	t.Run("counts do not go back", func(t *testing.T) { runCount(t, store) })
}

func runBegin(t *testing.T, store userimport.Store) {
	begun := NewImport(id.Source{}.App(), 3)
	_, err := store.Get(t.Context(), begun.App, begun.ID)
	storetest.Refused(t, "Get before", err, userimport.ErrNotFound)
	for _, digest := range []string{"digest", "another"} {
		asked := begun
		asked.Digest = digest
		standing, err := store.Begin(t.Context(), asked)
		if err != nil || !reflect.DeepEqual(standing, begun) {
			t.Errorf("Begin = %+v, %v; want %+v", standing, err, begun)
		}
	}
	found, err := store.Get(t.Context(), begun.App, begun.ID)
	if err != nil || !reflect.DeepEqual(found, begun) {
		t.Errorf("Get = %+v, %v; want %+v", found, err, begun)
	}
	_, err = store.Get(t.Context(), id.Source{}.App(), begun.ID)
	storetest.Refused(t, "Get of another app", err, userimport.ErrNotFound)
}

func runRows(t *testing.T, store userimport.Store) {
	of := NewImport(id.Source{}.App(), 250)
	rows := NewRows(of)
	rows[7] = userimport.Row{Number: 8, Outcome: userimport.Outcome{Code: fault.UsernameInvalid, Field: "username"}}
	storetest.OK(t, "Add the first", store.Add(t.Context(), of, rows[:100]))
	storetest.OK(t, "Add", store.Add(t.Context(), of, rows))
	var read []userimport.Row
	for {
		page, err := store.Rows(t.Context(), of, len(read), 100)
		storetest.OK(t, "Rows", err)
		if len(page) == 0 {
			break
		}
		read = append(read, page...)
	}
	if !reflect.DeepEqual(read, rows) {
		t.Errorf("read %d rows, want the %d that were added", len(read), len(rows))
	}
	none, err := store.Rows(t.Context(), NewImport(of.App, 1), 0, 100)
	if err != nil || len(none) != 0 {
		t.Errorf("another import has %v, %v", none, err)
	}
}

func runDecide(t *testing.T, store userimport.Store, users user.Store) {
	of := NewImport(id.Source{}.App(), 4)
	rows := NewRows(of)
	rows[1].Name = rows[0].Name
	storetest.OK(t, "Add", store.Add(t.Context(), of, rows))
	ann := made(of, rows[0])
	for range 2 { // again is the same
		outcome, err := store.Register(t.Context(), of, rows[0], ann)
		if err != nil || outcome != (userimport.Outcome{User: ann.ID}) {
			t.Errorf("Register = %+v, %v", outcome, err)
		}
	}
	found, err := users.Get(t.Context(), of.App, ann.ID, true)
	shown, failed := users.Profiles(t.Context(), of.App, []id.User{ann.ID}, true)
	if err != nil || failed != nil || found.Username != "user000" || found.Version != 1 || shown[ann.ID] != rows[0].Profile {
		t.Errorf("registered %+v, %v, showing %+v, %v", found, err, shown, failed)
	}
	_, err = store.Register(t.Context(), of, rows[1], made(of, rows[1]))
	storetest.Refused(t, "Register of a taken name", err, user.ErrNameTaken)
	_, err = store.Register(t.Context(), of, rows[2], ann)
	storetest.Refused(t, "Register of a taken ID", err, user.ErrExists)
	taken := userimport.Outcome{Code: fault.UsernameTaken, Field: "username"}
	for _, outcome := range []userimport.Outcome{taken, {User: ann.ID}} {
		standing, err := store.Decide(t.Context(), of, 2, outcome)
		if err != nil || standing != taken {
			t.Errorf("Decide = %+v, %v; want the first outcome", standing, err)
		}
	}
	_, err = store.Register(t.Context(), of, userimport.Row{Number: 9, Name: user.Name{Shown: "nine", Compared: "nine"}}, made(of, userimport.Row{Number: 9}))
	storetest.Refused(t, "Register of no row", err, userimport.ErrNotFound)
	_, err = store.Decide(t.Context(), of, 9, taken)
	storetest.Refused(t, "Decide of no row", err, userimport.ErrNotFound)
	page, err := store.Rows(t.Context(), of, 0, 100)
	want := []userimport.Row{{Number: 1, Outcome: userimport.Outcome{User: ann.ID}}, {Number: 2, Outcome: taken}, rows[2], rows[3]}
	if err != nil || !reflect.DeepEqual(page, want) {
		t.Errorf("Rows = %+v, %v; want %+v", page, err, want)
	}
}

func runRace(t *testing.T, store userimport.Store) {
	of := NewImport(id.Source{}.App(), 1)
	rows := NewRows(of)
	storetest.OK(t, "Add", store.Add(t.Context(), of, rows))
	var outcomes [storetest.Racers]userimport.Outcome
	for _, err := range storetest.AtOnce(storetest.Racers, func(i int) (err error) {
		if i%2 == 1 {
			outcomes[i], err = store.Decide(t.Context(), of, 1, userimport.Outcome{Code: fault.UsernameTaken, Field: "username"})
			return err
		}
		outcomes[i], err = store.Register(t.Context(), of, rows[0], made(of, rows[0]))
		return err
	}) {
		storetest.OK(t, "racer", err)
	}
	for _, outcome := range outcomes {
		if outcome != outcomes[0] || !outcome.Decided() {
			t.Errorf("one was told %+v, another %+v", outcomes[0], outcome)
		}
	}
}

func runCount(t *testing.T, store userimport.Store) {
	begun := NewImport(id.Source{}.App(), 5)
	storetest.OK(t, "Count of no import", store.Count(t.Context(), begun))
	_, err := store.Begin(t.Context(), begun)
	storetest.OK(t, "Begin", err)
	done := begun
	done.Registered, done.Refused, done.FinishedAt = 3, 2, storetest.Noon().Add(time.Minute)
	less := begun
	less.Registered, less.Refused = 1, 1
	for _, counted := range []userimport.Import{less, done, less} {
		storetest.OK(t, "Count", store.Count(t.Context(), counted))
	}
	found, err := store.Get(t.Context(), begun.App, begun.ID)
	if err != nil || !reflect.DeepEqual(found, done) {
		t.Errorf("Get = %+v, %v; want %+v", found, err, done)
	}
}
