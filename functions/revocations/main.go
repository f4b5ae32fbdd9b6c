// Command revocations is the function that cuts the sockets of a revoked key again, when the index that finds them has
// caught up.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	cutter := &apikey.Cutter{Sockets: wire.Sockets(wire.Background())}
	lambda.Start(cutter.Cut)
}
