// Command grants is the function of an app's grants, and of who may do what and why.
package main

import (
	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/access/accessdb"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	edge := core.API()
	service := &access.Service{
		Store: accessdb.FromEnvironment(core.DB), Records: wire.Records(core.DB), Sockets: core.Connections(),
		Keys: wire.AccessKeys(core.DB, nil), Members: wire.AccessMembers(core.DB), Groups: wire.AccessGroups(core.DB),
		Clock: clock.System{},
	}
	access.GrantRoutes(edge, service, core.Keyring)
	access.ReviewRoutes(edge, service, core.Keyring)
	wire.Serve(edge)
}
