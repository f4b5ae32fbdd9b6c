// Command messages is the function of messages and conversations, over HTTP and over the socket.
package main

import (
	"github.com/tokenim/tokenim/shared/group/groupdb"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/session"
	"github.com/tokenim/tokenim/shared/socket"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/trace"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	connections := core.Connections()
	connections.Failures = wire.Failures(core.DB)
	messages := core.Messages(connections)
	messages.Claims = &messagedb.Claims{DB: core.DB, Table: table.Name("SENDS")}
	messages.Operations = &messagedb.Operations{DB: core.DB, Messages: table.Name("MESSAGES"), Conversations: table.Name("CONVERSATIONS"), Keys: table.Name("KEYS")}
	messages.Groups = groupdb.FromEnvironment(core.DB)
	messages.Attachments = core.Attachments()
	edge := core.API()
	edge.RecordTo(wire.Records(core.DB))
	message.Routes(edge, messages, core.Keyring)
	trace.Routes(edge, core.Traces(messages), core.Keyring)
	frames := socket.New(core.Authenticator, connections, core.Log)
	windows := &session.Resumer{Connections: connections, Messages: messages}
	message.Frames(frames, messages, core.Keyring, windows)
	wire.ServeBoth(edge, frames.Message)
}
