package token

import (
	"context"
	"net/http"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Revoker voids the tokens of a user. user.Service is one.
type Revoker interface {
	// RevokeTokens voids every token of the user that was issued before now, and cuts the user's sockets.
	RevokeTokens(ctx context.Context, app id.App, user id.User) error
}

// Service mints and revokes tokens.
type Service struct {
	Issuer  *Issuer
	Revoker Revoker
	IDs     id.Source
}

type mintInput struct {
	ID   string `path:"id" doc:"The user's ID."`
	Body *mintBody
}

type mintBody struct {
	api.KeyInBody
	Device    string `json:"device,omitempty" maxLength:"32" pattern:"^[A-Za-z0-9._-]*$" doc:"A name of the device, the same each time: it then resumes where it was, and a new socket of it replaces the old. Without one every socket is a device of its own." example:"phone"`
	ExpiresIn int64  `json:"expires_in,omitempty" minimum:"10" maximum:"86400" doc:"Seconds that the token works; an hour where absent." example:"3600"`
}

type mintOutput struct {
	Body struct {
		Token     string    `json:"token" doc:"The user token, for \"Authorization: Bearer\" over HTTP and on the socket."`
		UserID    id.User   `json:"user_id" doc:"The user."`
		ExpiresAt time.Time `json:"expires_at" doc:"When it stops working."`
	}
}

type ticketInput struct{ Body *api.KeyInBody }

type ticketOutput struct {
	Body struct {
		Ticket    string    `json:"ticket" doc:"For one connect: as ?ticket= of the socket's address, or as the subprotocol \"ticket.<ticket>\" beside \"tokenim\"."`
		ExpiresAt time.Time `json:"expires_at" doc:"When it stops working, in 30 seconds."`
	}
}

type revokeInput struct {
	ID string `path:"id" doc:"The user's ID."`
}

// Routes adds the operations on tokens.
func Routes(edge *api.API, service *Service) {
	api.Register(edge, api.Operation{
		ID: "mint-token", Method: http.MethodPost, Path: "/users/{id}/tokens", Tag: "Tokens", Status: http.StatusCreated,
		Summary: "Mint a user token", Permission: authz.TokensManage, Actor: api.ActorInPath("id"),
		Description: "Only an API key mints tokens: a token works as long as the key that minted it.",
		Errors:      []fault.Code{fault.UserNotFound, fault.APIKeyNeeded},
	}, service.mint)
	api.Register(edge, api.Operation{
		ID: "revoke-tokens", Method: http.MethodDelete, Path: "/users/{id}/tokens", Tag: "Tokens", Status: http.StatusNoContent,
		Summary: "Revoke all tokens of a user", Permission: authz.TokensManage, Actor: api.ActorInPath("id"),
		Description: "Every token issued before now is void, and the user's sockets are closed.",
		Errors:      []fault.Code{fault.UserNotFound},
	}, service.revoke)
	api.Register(edge, api.Operation{
		ID: "create-ticket", Method: http.MethodPost, Path: "/tickets", Tag: "Tokens", Status: http.StatusCreated,
		Summary: "Create a connect ticket", Permission: authz.TicketsCreate,
		Description: "With a user token. A browser cannot send headers when it opens a socket: it sends a ticket, which works once.",
	}, service.ticket)
}

func (s *Service) mint(ctx context.Context, caller authz.Caller, in *mintInput) (*mintOutput, error) {
	if caller.Key == "" { // a developer with a session: the token could not be revoked with its key
		return nil, fault.New(fault.APIKeyNeeded)
	}
	asked := mintBody{}
	if in.Body != nil {
		asked = *in.Body
	}
	life := DefaultLife
	if asked.ExpiresIn > 0 {
		life = time.Duration(asked.ExpiresIn) * time.Second
	}
	output := &mintOutput{}
	output.Body.UserID = caller.User
	output.Body.ExpiresAt = s.Issuer.Clock.Now().Add(life).Truncate(time.Second)
	var err error
	output.Body.Token, err = s.Issuer.Sign(ctx, Claims{Kind: User, App: caller.App, User: caller.User, Key: caller.Key,
		Device: asked.Device, Epoch: caller.Epoch, ExpiresAt: output.Body.ExpiresAt})
	return output, err
}

func (s *Service) ticket(ctx context.Context, caller authz.Caller, _ *ticketInput) (*ticketOutput, error) {
	output := &ticketOutput{}
	output.Body.ExpiresAt = s.Issuer.Clock.Now().Add(TicketLife).Truncate(time.Second)
	var err error
	output.Body.Ticket, err = s.Issuer.Sign(ctx, Claims{Kind: Ticket, App: caller.App, User: caller.User, Key: caller.Key,
		Device: caller.Device, Epoch: caller.Epoch, ExpiresAt: output.Body.ExpiresAt, SessionExpiresAt: caller.ExpiresAt,
		ID: s.IDs.Text(ticketIDLength)})
	return output, err
}

func (s *Service) revoke(ctx context.Context, caller authz.Caller, _ *revokeInput) (*struct{}, error) {
	return nil, s.Revoker.RevokeTokens(ctx, caller.App, caller.User)
}

// ticketIDLength makes ticket IDs of 131 random bits.
const ticketIDLength = 22
