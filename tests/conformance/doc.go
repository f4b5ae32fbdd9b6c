// Package conformance drives a running TokenIM through its public API only, wherever it runs: the laptop runner, an
// emulator, AWS. It takes the address and a key from the environment:
//
//	TOKENIM_URL=http://127.0.0.1:8080 TOKENIM_WS=ws://127.0.0.1:8080/v1 TOKENIM_API_KEY=tk_… \
//	    go test -tags conformance ./tests/conformance/...
//
// The key needs every scope. TOKENIM_OTHER_API_KEY may name a key of another app of the same installation: then the
// tests that no app sees into another run too. TOKENIM_MAIL is where mails can be read (local/mailbox says in which form);
// without it the tests of developers and their accounts are left out. TOKENIM_LOCAL, of the laptop runner, has tests
// come from many addresses and set schedules off; without it the mails and wrong guesses of the one source are shared out,
// and what does not fit is skipped. -short makes the longest tests small.
package conformance
