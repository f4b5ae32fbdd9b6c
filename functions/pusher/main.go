// Command pusher is the function that posts what is written to large groups to their members' devices. It takes its jobs from a
// queue.
package main

import (
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	pusher := wire.Pusher(wire.Background())
	wire.Start(wire.OrderedJobs(pusher.Push))
}
