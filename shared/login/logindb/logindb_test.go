package logindb_test

import (
	"testing"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login/logindb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Whoever is a member learns that an app was deleted. Whoever was removed learns nothing of the account's apps.
func TestStandingOfADeletedApp(t *testing.T) {
	client, tables := enginetest.Start(t)
	ids, accounts := id.Source{}, tables["TABLE_ACCOUNTS"]
	store := &logindb.Store{DB: client, AccountsTable: accounts, Clock: clocktest.New(storetest.Noon())}
	of, member, stranger, app := ids.Account(), ids.Developer(), ids.Developer(), ids.App()
	put := func(sort string, attributes table.Item) {
		t.Helper()
		row := table.Key(string(of), sort)
		for name, value := range attributes {
			row[name] = value
		}
		storetest.OK(t, "Put", table.Put(t.Context(), client, accounts, row, "", nil, nil))
	}
	put(logindb.MemberPrefix+string(member), table.Item{"role": table.S(string(authz.Auditor))})
	put(logindb.AppPrefix+app.String(), table.Item{"deleted_at": table.N(storetest.Noon().UnixMilli())})

	_, _, err := store.Standing(t.Context(), of, member, app.String())
	if !fault.Is(err, fault.AppDeleted) {
		t.Errorf("a member is told %v", err)
	}
	role, found, err := store.Standing(t.Context(), of, stranger, app.String())
	if err != nil || role != "" || !found.IsZero() {
		t.Errorf("a stranger is told %q, %v, %v", role, found, err)
	}
	put(logindb.AppPrefix+app.String(), nil)
	role, found, err = store.Standing(t.Context(), of, member, app.String())
	if err != nil || role != authz.Auditor || found != app {
		t.Errorf("restored, the member has %q, %v, %v", role, found, err)
	}
}
