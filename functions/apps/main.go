// Command apps is the function of the apps of accounts.
package main

import (
	"os"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/app/appdb"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/invoke"
	"github.com/tokenim/tokenim/shared/notice"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/task/taskdb"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewConsole()
	keys := table.Name("KEYS")
	apps := &appdb.Store{DB: core.DB, Table: keys, Accounts: table.Name("ACCOUNTS"), Records: recorddb.WriterFromEnvironment(core.DB)}
	app.Routes(core.Edge, &app.Service{
		Store: apps, Keys: appdb.Keys{Store: &apikeydb.Store{DB: core.DB, Table: keys}},
		Sockets: wire.Sockets(core.DB), Tasks: &taskdb.Store{DB: core.DB, Table: table.Name("TASKS")},
		Notices: &notice.Notices{Queue: invoke.FromEnvironment[account.Job]("MAIL_FUNCTION"), Apps: apps, Clock: clock.System{}}, Clock: clock.System{}, Grace: app.Grace(os.Getenv("APP_GRACE_DAYS")),
	}, core.Keyring)
	wire.Serve(core.Edge)
}
