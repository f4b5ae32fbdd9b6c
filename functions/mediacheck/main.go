// Command mediacheck is the function that checks what was uploaded. It takes S3's events from a queue.
package main

import (
	"github.com/tokenim/tokenim/shared/media/inspect"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	wire.Start(wire.Jobs(wire.MediaChecker(inspect.Inspector{}).Check))
}
