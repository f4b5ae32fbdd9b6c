package architecture

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/token"
)

// authenticator gives every credential the same answer.
type authenticator struct {
	caller  authz.Caller
	refusal error
}

// refuseAll takes every credential for a mistyped key, as the placeholders in events/ are.
var refuseAll = authenticator{refusal: fault.New(fault.APIKeyMalformed)}

// admitAll takes every credential for one that may do everything, on behalf of an application or of an end user.
func admitAll(endUser bool) authenticator {
	return authenticator{caller: authz.Caller{App: id.StoredApp("app_0000000000000000"), Key: "key_0000000000000000AAAAAAAAAA",
		Rights: authz.Rights{Kind: authz.Keys, Base: authz.HeldBy(authz.Keys)}, User: "u_0000000000000000000001",
		UserRights: authz.Rights{Kind: authz.Users}, EndUser: endUser}}
}

// Key implements api.Authenticator.
func (a authenticator) Key(context.Context, string, authz.Request) (authz.Caller, error) {
	return a.caller, a.refusal
}

// Token implements api.Authenticator.
func (a authenticator) Token(context.Context, string, authz.Request) (authz.Caller, error) {
	return a.caller, a.refusal
}

// Session implements api.Authenticator. Whoever may do everything with a key is an owner with a session.
func (a authenticator) Session(context.Context, string, authz.Request) (authz.Caller, error) {
	caller := a.caller
	if a.refusal == nil {
		caller.Developer, caller.Account, caller.Role = "dev_0000000000000000000001", "acct_0000000000000000", authz.Owner
		caller.Rights, caller.ConfirmedAt = authz.Rights{Kind: authz.Developers, Base: authz.RoleSet(authz.Owner)}, time.Now()
	}
	return caller, a.refusal
}

// Note implements api.Authenticator and socket.Authenticator.
func (a authenticator) Note(context.Context, authz.Caller, authz.Asked) {}

// Ticket implements session.Tickets.
func (a authenticator) Ticket(context.Context, string) (authz.Caller, string, error) {
	return a.caller, "", a.refusal
}

// Claims implements socket.Authenticator.
func (a authenticator) Claims(context.Context, token.Claims) (authz.Caller, error) {
	return a.caller, a.refusal
}

// posted implements socket.Sockets and keeps the last answer.
type posted struct{ answer []byte }

// Standing implements socket.Sockets.
func (p *posted) Standing(context.Context, id.App, id.User, string) (connection.Socket, error) {
	return connection.Socket{}, connection.ErrNotFound
}

// Answer implements socket.Sockets.
func (p *posted) Answer(_ context.Context, _ string, frame []byte) error {
	p.answer = frame
	return nil
}

// Cut implements socket.Sockets.
func (p *posted) Cut(context.Context, id.App, id.User, string, string) {}

// problemCode returns the code of a problem document, "" for JSON that is none; text that is not JSON fails the test.
func problemCode(t *testing.T, text string) fault.Code {
	t.Helper()
	var problem struct{ Code fault.Code }
	if err := json.Unmarshal([]byte(text), &problem); err != nil {
		t.Fatalf("not JSON: %q", text)
	}
	return problem.Code
}

// TestMain keeps quiet what these tests provoke on purpose: operations that fail for want of everything behind them.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}
