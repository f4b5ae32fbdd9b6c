// Command watchers is the function that tells those who watch a user that it came or went. It takes its jobs from a queue.
package main

import (
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection/connectiondb"
	"github.com/tokenim/tokenim/shared/presence"
	"github.com/tokenim/tokenim/shared/queue"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	db := wire.Background()
	watchers := &presence.Watchers{Store: &connectiondb.Store{DB: db, Table: table.Name("CONNECTIONS")}, Devices: wire.Sockets(db),
		Later: queue.FromEnvironment("PRESENCE_QUEUE"), Clock: clock.System{}}
	wire.Start(wire.Jobs(watchers.Announce))
}
