package message

import (
	"context"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/socket"
)

type sendFrame struct {
	socket.Frame
	Content
}

type markFrame struct {
	socket.Frame
	ConversationID id.Conversation `json:"conversation_id" minLength:"1" maxLength:"64"`
	Seq            int64           `json:"seq" minimum:"1"`
}

type historyFrame struct {
	socket.Frame
	ConversationID id.Conversation `json:"conversation_id" minLength:"1" maxLength:"64"`
	Order          Order           `json:"order,omitempty" enum:"asc,desc"`
	Limit          int             `json:"limit,omitempty" minimum:"1" maximum:"100"`
	Cursor         string          `json:"cursor,omitempty" maxLength:"512"`
}

type syncFrame struct {
	socket.Frame
	V int64 `json:"v" minimum:"0"`
}

// Windows goes on with the resume of a socket. resume.Service is one.
type Windows interface {
	// Acknowledged posts the next window if the sequence is the last that the socket waits for.
	Acknowledged(ctx context.Context, socket connection.Socket, conversation id.Conversation, sequence int64) error
}

// defaultLimit is a page's size where a frame names none; over HTTP it stands in the schema.
const defaultLimit = 50

// Frames adds the socket's actions on messages.
func Frames(edge *socket.Socket, service *Service, signer cursor.Signer, windows Windows) {
	r := routes{Service: service, signer: signer}
	socket.Register(edge, "send", authz.MessagesSend, func(ctx context.Context, caller socket.Caller, in *sendFrame) (any, error) {
		return r.store(ctx, caller.Caller, caller.Socket.Connection, in.Content)
	})
	socket.Register(edge, "ack", authz.MessagesMark, func(ctx context.Context, caller socket.Caller, in *markFrame) (any, error) {
		marks, err := r.Acknowledge(ctx, caller.App, caller.User, in.ConversationID, in.Seq)
		if err != nil {
			return nil, err
		}
		return marks, windows.Acknowledged(ctx, caller.Socket, in.ConversationID, in.Seq)
	})
	socket.Register(edge, "read", authz.MessagesMark, func(ctx context.Context, caller socket.Caller, in *markFrame) (any, error) {
		return r.MarkRead(ctx, caller.App, caller.User, in.ConversationID, in.Seq)
	})
	socket.Register(edge, "history", authz.MessagesRead, func(ctx context.Context, caller socket.Caller, in *historyFrame) (any, error) {
		return r.historyFrame(ctx, caller.Caller, in)
	})
	socket.Register(edge, "sync", authz.MessagesRead, func(ctx context.Context, caller socket.Caller, in *syncFrame) (any, error) {
		return r.Sync(ctx, caller.App, caller.User, in.V)
	})
}

func (r routes) historyFrame(ctx context.Context, caller authz.Caller, in *historyFrame) (api.Page[Message], error) {
	if in.Order == "" {
		in.Order = Ascending
	}
	if in.Limit == 0 {
		in.Limit = defaultLimit
	}
	return r.historyPage(ctx, caller, in.ConversationID, in.Order, in.Cursor, in.Limit)
}
