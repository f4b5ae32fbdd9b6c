package apikeytest

import (
	"slices"
	"testing"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordtest"
)

// World is a store and those of its surroundings that the suite looks at or reaches into.
type World struct {
	apikey.Store
	// Logs has what the store records.
	Logs record.Store
	// DeleteApp deletes an app, or restores it.
	DeleteApp func(app id.App, deleted bool)
	// SetPolicy decides something for all subjects of an app, as package access does.
	SetPolicy func(app id.App, policy authz.Policy)
	// Decide gives a key other statements, and another copy of the policy, as package access does.
	Decide func(app id.App, key id.Key, statements []authz.Statement, policy authz.Policy)
}

// Record returns a record of the action on the key.
func Record(key apikey.Key, action record.Action) record.Record {
	return record.New(record.OfApp(key.App), key.CreatedAt, record.Origin{Actor: key.CreatedBy}, action, string(key.ID), nil, nil)
}

// wantTold checks which records the app's log has, each an action and a subject, in any order.
func wantTold(t *testing.T, w World, app id.App, want ...record.Record) {
	t.Helper()
	var got, wanted []string
	for _, each := range recordtest.All(t, w.Logs, record.OfApp(app)) {
		got = append(got, string(each.Action)+" "+each.Subject)
	}
	for _, each := range want {
		wanted = append(wanted, string(each.Action)+" "+each.Subject)
	}
	slices.Sort(got)
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		t.Fatalf("the log tells %q\nwant %q", got, wanted)
	}
}
