// Command root is the function of the API's description, its status, and unknown routes.
package main

import (
	"github.com/tokenim/tokenim/docs"
	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/root"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	edge := api.New(nil, api.LogFromEnvironment())
	root.Routes(edge, docs.OpenAPI)
	wire.Serve(edge)
}
