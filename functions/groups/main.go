// Command groups is the function of groups and their members.
package main

import (
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	edge := core.API()
	edge.RecordTo(wire.Records(core.DB))
	group.Routes(edge, core.Groups(), core.Keyring)
	wire.Serve(edge)
}
