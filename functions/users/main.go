// Command users is the function of the users.
package main

import (
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	core.Registers()
	edge := core.API()
	edge.RecordTo(wire.Records(core.DB))
	user.Routes(edge, core.Users, core.Keyring)
	wire.Serve(edge)
}
