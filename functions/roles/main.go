// Command roles is the function of the permissions there are, an app's roles, and what every user of it has.
package main

import (
	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/access/accessdb"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/invoke"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/task/taskdb"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	edge := core.API()
	access.RoleRoutes(edge, &access.Service{
		Store: &accessdb.Store{DB: core.DB, Keys: table.Name("KEYS"), Users: table.Name("USERS"),
			Records: recorddb.WriterFromEnvironment(core.DB)},
		Sockets: core.Connections(), Keys: wire.AccessKeys(core.DB, invoke.FromEnvironment[apikey.Revocation]("REVOCATIONS_FUNCTION")),
		Tasks: &taskdb.Store{DB: core.DB, Table: table.Name("TASKS")}, Clock: clock.System{},
	})
	wire.Serve(edge)
}
