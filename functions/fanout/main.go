// Command fanout is the function that hands on what is written to large groups. The stream of the messages' table tells it.
package main

import (
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	distributor := wire.Distributor(wire.Background())
	wire.Start(wire.Entries(distributor.Distribute))
}
