// Command access is the function of an app's roles and grants, and of who may do what.
package main

import (
	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/access/accessdb"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/invoke"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/task/taskdb"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	edge := core.API()
	service := &access.Service{
		Store: accessdb.FromEnvironment(core.DB), Records: wire.Records(core.DB), Sockets: core.Connections(),
		Keys:    wire.AccessKeys(core.DB, invoke.FromEnvironment[apikey.Revocation]("REVOCATIONS_FUNCTION")),
		Tasks:   &taskdb.Store{DB: core.DB, Table: table.Name("TASKS")},
		Members: wire.AccessMembers(core.DB), Clock: clock.System{},
	}
	access.Routes(edge, service, core.Keyring)
	access.ReviewRoutes(edge, service, core.Keyring)
	wire.Serve(edge)
}
