// Command broadcasts is the function that begins, shows and cancels broadcasts to all users of an app. userjobs sends them.
package main

import (
	"github.com/tokenim/tokenim/shared/broadcast"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	edge := core.API()
	broadcast.Routes(edge, core.Broadcasts(), core.Keyring)
	wire.Serve(edge)
}
