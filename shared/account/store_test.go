package account_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/account/accounttest"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestMemoryStore(t *testing.T) {
	clock := clocktest.New(storetest.Noon())
	store := accounttest.NewStore(clock)
	accounttest.Run(t, accounttest.Suite{Logins: store, Sessions: store, Teams: store, Logs: store.Logs, Clock: clock, AddApp: store.AddApp})
}
