// Command media is the function that takes declarations of uploads and tells what became of them.
package main

import (
	"github.com/tokenim/tokenim/shared/media"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	edge := core.API()
	media.Routes(edge, core.Media())
	wire.Serve(edge)
}
