// Command records is the function of the audit records of apps and accounts.
package main

import (
	"github.com/tokenim/tokenim/shared/record/recordapi"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewCore()
	edge := core.API()
	recordapi.Routes(edge, &recorddb.Store{Writer: recorddb.WriterFromEnvironment(core.DB)}, core.Keyring)
	wire.Serve(edge)
}
