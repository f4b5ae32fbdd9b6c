package trace

import (
	"context"
	"net/http"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
)

type traceInput struct {
	ID string `path:"id" doc:"The message's ID."`
	api.PageQuery
}

type traceOutput struct {
	Body struct {
		Trace
		api.Page[Recipient]
	}
}

// Routes adds the operation that tells where a message is.
func Routes(edge *api.API, service *Service, signer cursor.Signer) {
	r := routes{service, signer}
	api.Register(edge, api.Operation{
		ID: "trace-message", Method: http.MethodGet, Path: "/messages/{id}/trace", Tag: "Messages", Status: http.StatusOK,
		Summary: "See where a message is", Recorded: true, Permission: authz.MessagesTrace,
		Description: "For each of its receivers: read, delivered, pushed, or waiting and why. A user can ask about what it has sent itself. " +
			"Of a message to a group, its members are paged; a page may be short before the end: follow next_cursor. Failed pushes are known for seven days.",
		Errors: []fault.Code{fault.MessageNotFound, fault.CursorInvalid},
	}, r.trace)
}

type routes struct {
	*Service
	signer cursor.Signer
}

func (r routes) trace(ctx context.Context, caller authz.Caller, in *traceInput) (*traceOutput, error) {
	out := &traceOutput{}
	page, err := api.Paged(ctx, r.signer, caller.App, "trace "+in.ID, in.Cursor, func(position string) (recipients []Recipient, next string, err error) {
		out.Body.Trace, recipients, next, err = r.Trace(ctx, caller.App, caller.User, in.ID, position, in.Limit)
		return recipients, next, err
	})
	out.Body.Page = page
	return out, err
}
