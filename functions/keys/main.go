// Command keys is the function of the API keys.
package main

import (
	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/access/accessdb"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/invoke"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	edge := core.API()
	apikey.Routes(edge, &apikey.Service{
		Store:   &apikeydb.Store{DB: core.DB, Table: table.Name("KEYS"), Records: recorddb.WriterFromEnvironment(core.DB)},
		Sockets: core.Connections(), Background: invoke.FromEnvironment[apikey.Revocation]("REVOCATIONS_FUNCTION"),
		Tasks: wire.NewReminders(core.DB), Clock: clock.System{},
		Grants: &access.Service{Store: accessdb.FromEnvironment(core.DB), Clock: clock.System{}},
	}, core.Keyring)
	wire.Serve(edge)
}
