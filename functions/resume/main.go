// Command resume is the function that sends a new socket what its device has missed.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/tokenim/tokenim/shared/session"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	connections := core.Connections()
	resumer := &session.Resumer{Connections: connections, Messages: core.Messages(connections), Rights: core.Authenticator,
		Audience: wire.Audience(core.DB)}
	lambda.Start(resumer.Resume)
}
