// Command authorizer is the function that decides who may open a socket.
package main

import (
	"github.com/tokenim/tokenim/shared/app/appdb"
	"github.com/tokenim/tokenim/shared/session"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	authorizer := &session.Authorizer{
		Credentials: core.Authenticator,
		Apps:        &appdb.Store{DB: core.DB, Table: table.Name("KEYS")},
		Sockets:     core.ConnectionStore(),
		Log:         core.Log,
	}
	wire.Start(authorizer.Authorize)
}
