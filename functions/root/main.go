// Command root is the function of the API's description, its status, and unknown routes.
package main

import (
	"log/slog"
	"os"

	"github.com/tokenim/tokenim/docs"
	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/root"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	edge := api.New(nil, api.LogFromEnvironment())
	if err := root.Routes(edge, docs.OpenAPI); err != nil {
		slog.Error("no description", "error", err)
		os.Exit(1)
	}
	wire.Serve(edge)
}
