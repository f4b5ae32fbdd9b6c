// Command userjobs is the function that erases deleted users, registers those of imports and sends broadcasts. It takes its jobs from a queue.
package main

import "github.com/tokenim/tokenim/shared/wire"

func main() {
	wire.Start(wire.Jobs(wire.UserJobs(wire.Background())))
}
