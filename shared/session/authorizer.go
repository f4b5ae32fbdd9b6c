// Package session is the life of a socket: who may open one, what happens when it opens and closes, what keeps it, and
// what a device that comes back is sent.
package session

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/socket"
)

// Subprotocol is the WebSocket subprotocol that a browser offers beside its ticket, and that it is answered with.
const Subprotocol = "tokenim"

// ticketProtocol begins the subprotocol that carries a ticket.
const ticketProtocol = "ticket."

// Tickets checks the credentials that open sockets. authn.Authenticator is one.
type Tickets interface {
	Token(ctx context.Context, text string, request authz.Request) (authz.Caller, error)
	Ticket(ctx context.Context, text string) (caller authz.Caller, ticket string, err error)
}

// Authorizer decides who may open a socket.
type Authorizer struct {
	Credentials Tickets
	Apps        app.Store
	Sockets     connection.Store
	Log         api.Log
}

// request is an authorizer event with its names in lower case.
type request struct {
	headers map[string]string
	query   map[string]string
}

// Authorize answers a REQUEST authorizer event of $connect. A refusal is a Deny, never an error: errors are answered
// with 500. The reason is logged; a handshake has no way to tell it.
func (a *Authorizer) Authorize(ctx context.Context, event events.APIGatewayCustomAuthorizerRequestTypeRequest) (events.APIGatewayCustomAuthorizerResponse, error) {
	started := time.Now()
	asked := request{headers: lower(event.Headers), query: event.QueryStringParameters}
	caller, err := a.admit(ctx, asked)
	var refusal *fault.Error
	if err != nil {
		refusal = fault.Of(err)
	}
	a.Log.Request(ctx, event.RequestContext.RequestID, "authorize", refusal, time.Since(started))
	if err == nil {
		answer := policy("Allow", event.MethodArn, string(caller.User))
		answer.Context = socket.Context(caller, api.Language(asked.headers["accept-language"]))
		return answer, nil
	}
	if fault.Lookup(refusal.Code).Retryable { // it may be admitted at the next try
		return events.APIGatewayCustomAuthorizerResponse{}, err
	}
	return policy("Deny", event.MethodArn, "nobody"), nil
}

func (a *Authorizer) admit(ctx context.Context, asked request) (authz.Caller, error) {
	token, ticket := asked.credentials()
	var caller authz.Caller
	var ticketID string
	var err error
	switch {
	case token != "":
		caller, err = a.Credentials.Token(ctx, token, authz.Request{})
	case ticket != "":
		caller, ticketID, err = a.Credentials.Ticket(ctx, ticket)
	default:
		err = fault.New(fault.APIKeyMissing)
	}
	if err != nil {
		return authz.Caller{}, err
	}
	if err := mayOpen(caller); err != nil {
		return authz.Caller{}, err
	}
	caller.ExpiresAt = endsAt(caller)
	if err := a.checkOrigin(ctx, caller, asked.headers["origin"]); err != nil {
		return authz.Caller{}, err
	}
	if ticket == "" || token != "" {
		return caller, nil
	}
	// Only now is the ticket used up: a refused page must not spend it. Its mark outlives it.
	err = a.Sockets.Redeem(ctx, caller.App, caller.User, ticketID, caller.ExpiresAt.Add(ticketMarkLife))
	if errors.Is(err, connection.ErrRedeemed) {
		return authz.Caller{}, fault.New(fault.TicketUsed)
	}
	return caller, err
}

// opening are the permissions that a socket stands on: to have one, and to be sent what comes over it.
var opening = []authz.Permission{authz.SocketConnect, authz.MessagesRead}

// mayOpen refuses a caller who may not have a socket.
func mayOpen(caller authz.Caller) error {
	for _, permission := range opening {
		if err := caller.Require(permission); err != nil {
			return err
		}
	}
	return nil
}

// endsAt returns when the socket's rights end: with its token, or before, where what it stands on was granted until then.
func endsAt(caller authz.Caller) time.Time {
	end := caller.ExpiresAt
	for _, permission := range opening {
		if until := caller.UserRights.End(caller.Policy, permission, caller.At); !until.IsZero() && until.Before(end) {
			end = until
		}
	}
	return end
}

// checkOrigin refuses pages of origins that the app has not listed. Programs that are no browser send none.
func (a *Authorizer) checkOrigin(ctx context.Context, caller authz.Caller, origin string) error {
	if origin == "" {
		return nil
	}
	settings, found, err := a.Apps.Get(ctx, caller.App)
	if err != nil {
		return err
	}
	if !found || !settings.AllowsOrigin(origin) {
		return fault.New(fault.OriginNotAllowed)
	}
	return nil
}

// credentials returns the user token of the Authorization header, or the ticket of the query or the subprotocols. A
// token in the address is not looked at: addresses end up in logs.
func (r request) credentials() (token, ticket string) {
	scheme, credential, _ := strings.Cut(r.headers["authorization"], " ")
	if strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(credential)
	}
	ticket = r.query["ticket"]
	for offered := range strings.SplitSeq(r.headers["sec-websocket-protocol"], ",") {
		if carried, found := strings.CutPrefix(strings.TrimSpace(offered), ticketProtocol); found {
			ticket = carried
		}
	}
	return token, ticket
}

func policy(effect, methodARN, principal string) events.APIGatewayCustomAuthorizerResponse {
	return events.APIGatewayCustomAuthorizerResponse{
		PrincipalID: principal,
		PolicyDocument: events.APIGatewayCustomAuthorizerPolicy{Version: "2012-10-17", Statement: []events.IAMPolicyStatement{
			{Effect: effect, Action: []string{"execute-api:Invoke"}, Resource: []string{methodARN}}}},
	}
}

func lower(headers map[string]string) map[string]string {
	lowered := make(map[string]string, len(headers))
	for name, value := range headers {
		lowered[strings.ToLower(name)] = value
	}
	return lowered
}
