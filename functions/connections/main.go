// Command connections is the function that opens, keeps and closes sockets.
package main

import (
	"github.com/tokenim/tokenim/shared/invoke"
	"github.com/tokenim/tokenim/shared/queue"
	"github.com/tokenim/tokenim/shared/session"
	"github.com/tokenim/tokenim/shared/socket"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	connections := core.Connections()
	connections.Later = queue.FromEnvironment("PRESENCE_QUEUE")
	frames := socket.New(core.Authenticator, connections, core.Log)
	resumes := invoke.FromEnvironment[session.ResumeRequest]("RESUME_FUNCTION")
	session.Frames(frames, connections, core.Authenticator, core.Users, resumes)
	lifecycle := &session.Lifecycle{Connections: connections, Frames: frames, Log: core.Log, Resumes: resumes}
	wire.Start(lifecycle.Handle)
}
