// Command users is the function of the users.
package main

import (
	"github.com/tokenim/tokenim/shared/erase"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/userimport"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	core.Registers()
	core.Users.Sockets = core.Connections()
	edge := core.API()
	edge.RecordTo(wire.Records(core.DB))
	user.Routes(edge, core.Users, core.Keyring)
	erase.Routes(edge, core.Deleter())
	userimport.Routes(edge, core.Imports(), core.Keyring)
	wire.Serve(edge)
}
