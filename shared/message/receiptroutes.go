package message

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

type receiptsInput struct {
	ID  id.Conversation `path:"id" doc:"The conversation's ID."`
	Seq int64           `path:"seq" minimum:"1" doc:"The message's number in the conversation."`
	api.PageQuery
}

type receiptsOutput struct{ Body api.Page[Receipt] }

// ofReceipts adds what tells who has received and read.
func (r routes) ofReceipts(edge *api.API) {
	api.Register(edge, api.Operation{
		ID: "list-receipts", Method: http.MethodGet, Path: "/conversations/{id}/messages/{seq}/receipts", Tag: "Conversations", Status: http.StatusOK,
		Summary: "See who has received and read a message", Recorded: true, Permission: authz.MessagesRead,
		Description: "Of a message to a user one receipt; of one to a group one for each of its members who were members then, without the sender. " +
			"A page may be short before the end: follow next_cursor.",
		Errors: []fault.Code{fault.ConversationNotFound, fault.MessageNotFound, fault.CursorInvalid},
	}, r.receipts)
}

func (r routes) receipts(ctx context.Context, caller authz.Caller, in *receiptsInput) (*receiptsOutput, error) {
	list := fmt.Sprint("receipts ", in.ID, " ", in.Seq)
	page, err := api.Paged(ctx, r.signer, caller.App, list, in.Cursor, func(position string) ([]Receipt, string, error) {
		return r.Receipts(ctx, caller.App, caller.User, in.ID, in.Seq, position, in.Limit)
	})
	return &receiptsOutput{Body: page}, err
}
