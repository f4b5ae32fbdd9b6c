// Command tokens is the function of user tokens and connect tickets.
package main

import (
	"github.com/tokenim/tokenim/shared/token"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	core.Users.Sockets = core.Connections()
	edge := core.API()
	token.Routes(edge, &token.Service{Issuer: core.Authenticator.Tokens, Revoker: core.Users})
	wire.Serve(edge)
}
