package user

import (
	"context"
	"net/http"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Blocked is a block on the wire.
type Blocked struct {
	UserID    id.User   `json:"user_id" doc:"The user who is blocked." example:"u_7Zr2cLw0mJaXbT4oKyQ1F8"`
	BlockedAt time.Time `json:"blocked_at" doc:"Since when."`
}

type blockInput struct {
	ID    string  `path:"id" doc:"The ID of the user who blocks."`
	Other id.User `path:"other" doc:"The ID of the user who is blocked."`
}

type blocksInput struct {
	api.PageQuery
	ID string `path:"id" doc:"The ID of the user who blocks."`
}

type blocksOutput struct{ Body api.Page[Blocked] }

// blocks adds the operations on block lists.
func (s *Service) blocks(edge *api.API, signer cursor.Signer) {
	api.Register(edge, api.Operation{
		ID: "block-user", Method: http.MethodPut, Path: "/users/{id}/blocks/{other}", Tag: "Users", Status: http.StatusNoContent,
		Summary: "Block a user", Permission: authz.BlocksManage, Actor: api.ActorInPath("id"),
		Description: "What the other sends to the user directly is refused with the code blocked, or accepted silently: that is the app's choice. Groups are not affected. Blocking again changes nothing.",
		Errors:      []fault.Code{fault.UserNotFound, fault.NotYourself, fault.TooMany},
	}, func(ctx context.Context, caller authz.Caller, in *blockInput) (*struct{}, error) {
		return nil, s.Block(ctx, caller.App, caller.User, in.Other)
	})
	api.Register(edge, api.Operation{
		ID: "unblock-user", Method: http.MethodDelete, Path: "/users/{id}/blocks/{other}", Tag: "Users", Status: http.StatusNoContent,
		Summary: "Lift a block", Permission: authz.BlocksManage, Actor: api.ActorInPath("id"),
		Description: "What was sent silently meanwhile stays unseen.",
		Errors:      []fault.Code{fault.UserNotFound, fault.NotYourself},
	}, func(ctx context.Context, caller authz.Caller, in *blockInput) (*struct{}, error) {
		return nil, s.Unblock(ctx, caller.App, caller.User, in.Other)
	})
	api.Register(edge, api.Operation{
		ID: "list-blocks", Method: http.MethodGet, Path: "/users/{id}/blocks", Tag: "Users", Status: http.StatusOK,
		Summary: "List whom a user has blocked", Recorded: true, Permission: authz.BlocksManage, Actor: api.ActorInPath("id"),
		Errors: []fault.Code{fault.UserNotFound, fault.NotYourself, fault.CursorInvalid},
	}, func(ctx context.Context, caller authz.Caller, in *blocksInput) (*blocksOutput, error) {
		page, err := api.Paged(ctx, signer, caller.App, "blocks "+string(caller.User), in.Cursor, func(after string) ([]Blocked, string, error) {
			found, next, err := s.Store.Blocks(ctx, caller.App, caller.User, id.User(after), in.Limit)
			var shown []Blocked
			for _, block := range found {
				shown = append(shown, Blocked{UserID: block.Other, BlockedAt: block.At})
			}
			return shown, string(next), err
		})
		return &blocksOutput{Body: page}, err
	})
}
