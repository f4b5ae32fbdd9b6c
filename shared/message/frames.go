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
	ConversationID id.Conversation `json:"conversation_id" minLength:"1" maxLength:"64" doc:"The conversation's ID." example:"c_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Seq            int64           `json:"seq" minimum:"1" doc:"The sequence up to which it counts." example:"7"`
}

type historyFrame struct {
	socket.Frame
	ConversationID id.Conversation `json:"conversation_id" minLength:"1" maxLength:"64" doc:"The conversation's ID." example:"c_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Order          Order           `json:"order,omitempty" enum:"asc,desc" doc:"asc begins with the oldest message, desc with the newest; asc where absent." example:"desc"`
	Limit          int             `json:"limit,omitempty" minimum:"1" maximum:"100" doc:"How many items the page has at most; 50 where absent." example:"20"`
	Cursor         string          `json:"cursor,omitempty" maxLength:"512" doc:"next_cursor of the page before; nothing for the first."`
}

type syncFrame struct {
	socket.Frame
	V int64 `json:"v" minimum:"0" doc:"The version that the device has." example:"41"`
}

// MessageFrame names a message that something is done with.
type MessageFrame struct {
	socket.Frame
	ConversationID id.Conversation `json:"conversation_id" minLength:"1" maxLength:"64" doc:"The conversation's ID." example:"c_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Seq            int64           `json:"seq" minimum:"1" doc:"The message's number in the conversation." example:"7"`
}

type editFrame struct {
	MessageFrame
	EditContent
}

type reactFrame struct {
	MessageFrame
	Reaction string `json:"reaction" minLength:"1" maxLength:"48" doc:"Emoji, or a name between colons; at most 48 bytes of UTF-8." example:"👍"`
	Remove   bool   `json:"remove,omitempty" doc:"Take the reaction back."`
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
	socket.Register(edge, socket.Action{
		Name: "send", Permission: authz.MessagesSend, Inside: true, Summary: "Send a message; to a group it needs groups:send instead, and to mention all there groups:mention_all besides.",
	}, func(ctx context.Context, caller socket.Caller, in *sendFrame) (Stored, error) {
		return r.store(ctx, caller.Caller, caller.Socket.Connection, in.Content)
	})
	socket.Register(edge, socket.Action{
		Name: "ack", Permission: authz.MessagesMark, Summary: "Acknowledge everything up to a sequence.",
	}, func(ctx context.Context, caller socket.Caller, in *markFrame) (Marks, error) {
		marks, err := r.Acknowledge(ctx, caller.App, caller.User, in.ConversationID, in.Seq)
		if err != nil {
			return Marks{}, err
		}
		return marks, windows.Acknowledged(ctx, caller.Socket, in.ConversationID, in.Seq)
	})
	socket.Register(edge, socket.Action{
		Name: "read", Permission: authz.MessagesMark, Summary: "Mark everything up to a sequence read.",
	}, func(ctx context.Context, caller socket.Caller, in *markFrame) (Marks, error) {
		return r.MarkRead(ctx, caller.App, caller.User, in.ConversationID, in.Seq)
	})
	socket.Register(edge, socket.Action{
		Name: "history", Permission: authz.MessagesRead, Summary: "Page through a conversation.",
	}, func(ctx context.Context, caller socket.Caller, in *historyFrame) (api.Page[Message], error) {
		return r.historyFrame(ctx, caller.Caller, in)
	})
	socket.Register(edge, socket.Action{
		Name: "sync", Permission: authz.MessagesRead, Summary: "Ask what has changed since a version.",
	}, func(ctx context.Context, caller socket.Caller, in *syncFrame) (Changes, error) {
		return r.Sync(ctx, caller.App, caller.User, in.V)
	})
	r.actFrames(edge)
	r.ownFrames(edge)
}

// actFrames adds what is done with messages that are there.
func (r routes) actFrames(edge *socket.Socket) {
	socket.Register(edge, socket.Action{
		Name: "edit", Permission: authz.MessagesEdit, Summary: "Edit a message of one's own.",
	}, func(ctx context.Context, caller socket.Caller, in *editFrame) (Operated, error) {
		return answered(r.speakAnew(ctx, in.act(caller), in.EditContent))
	})
	socket.Register(edge, socket.Action{
		Name: "recall", Permission: authz.MessagesEdit, Summary: "Recall a message.",
	}, func(ctx context.Context, caller socket.Caller, in *MessageFrame) (Operated, error) {
		return answered(r.Recall(ctx, in.act(caller)))
	})
	socket.Register(edge, socket.Action{
		Name: "react", Permission: authz.MessagesReact, Summary: "React to a message, or take a reaction back.",
	}, func(ctx context.Context, caller socket.Caller, in *reactFrame) (Operated, error) {
		if in.Remove {
			return answered(r.Unreact(ctx, in.act(caller), in.Reaction))
		}
		return answered(r.React(ctx, in.act(caller), in.Reaction))
	})
}

// act is what the socket's user does with the message.
func (f MessageFrame) act(caller socket.Caller) Act {
	return Act{Caller: caller.Caller, Connection: caller.Socket.Connection, Conversation: f.ConversationID, Sequence: f.Seq}
}

func answered(done Done, err error) (Operated, error) {
	answer, err := operated(done, err)
	return answer.Body, err
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
