// Command presence is the function of who is online and who watches whom, over HTTP and over the socket.
package main

import (
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/presence"
	"github.com/tokenim/tokenim/shared/queue"
	"github.com/tokenim/tokenim/shared/socket"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	connections := core.Connections()
	connections.Later = queue.FromEnvironment("PRESENCE_QUEUE")
	service := &presence.Service{Store: core.ConnectionStore(), Users: core.Users, Announcer: connections, Clock: clock.System{}}
	edge := core.API()
	edge.RecordTo(wire.Records(core.DB))
	presence.Routes(edge, service)
	frames := socket.New(core.Authenticator, connections, core.Log)
	presence.Frames(frames, service)
	wire.ServeBoth(edge, frames.Message)
}
