// Command local runs the whole platform on this machine: the functions of template.yaml, compiled, behind stand-ins for
// API Gateway and Lambda, on a real DynamoDB engine. See package run.
package main

import (
	"os"

	"github.com/tokenim/tokenim/local/bootstrap"
	"github.com/tokenim/tokenim/local/run"
)

func main() {
	os.Exit(run.Main(run.Options{Bootstrap: bootstrap.Local}, os.Args[1:], os.Stdout, os.Stderr))
}
