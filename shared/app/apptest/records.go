package apptest

import (
	"slices"
	"testing"

	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordtest"
)

// World is a store, and the logs that it records to.
type World struct {
	app.Store
	Logs record.Store
}

// Record returns a record of the action on the app; the zero Record for an app without an account.
func Record(about app.App, action record.Action) record.Record {
	if about.Account == "" {
		return record.Record{}
	}
	return record.New(record.OfAccount(about.Account), about.CreatedAt, record.Origin{}, action, about.ID.String(), nil, nil)
}

// wantTold checks what was recorded of the app, in any order.
func wantTold(t *testing.T, w World, about app.App, want ...record.Action) {
	t.Helper()
	got := Told(t, w.Logs, about.Account, about.ID)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("the log tells %q of the app, want %q", got, want)
	}
}

// Told returns what the account's log tells of the app, in no order.
func Told(t testing.TB, logs record.Store, account id.Account, about id.App) (told []record.Action) {
	t.Helper()
	for _, each := range recordtest.All(t, logs, record.OfAccount(account)) {
		if each.Subject == about.String() {
			told = append(told, each.Action)
		}
	}
	return told
}
