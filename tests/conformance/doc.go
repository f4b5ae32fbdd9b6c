// Package conformance drives a running TokenIM through its public API only, wherever it runs: the laptop runner, an
// emulator, AWS. It takes the address and a key from the environment:
//
//	TOKENIM_URL=http://127.0.0.1:8080 TOKENIM_WS=ws://127.0.0.1:8080/v1 TOKENIM_API_KEY=tk_… \
//	    go test -tags conformance ./tests/conformance/...
//
// The key needs every scope. TOKENIM_OTHER_API_KEY may name a key of another app of the same installation: then the
// tests that no app sees into another run too. -short makes the longest tests small.
package conformance
