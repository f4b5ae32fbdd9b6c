package message

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

// Content is what a send says, in a body and in a frame alike.
type Content struct {
	To       string `json:"to" minLength:"1" maxLength:"64" doc:"The receiver: a user ID, a username, or a group's ID." example:"bob"`
	Message  string `json:"message" doc:"The text, at most 4096 bytes of UTF-8." example:"Hello!"`
	Type     string `json:"type,omitempty" maxLength:"16" doc:"What the message is; text where absent." example:"text"`
	ClientID string `json:"client_id,omitempty" maxLength:"64" doc:"Your own ID of the message. A repeated send with it has one effect and one answer." example:"c-1"`
	Known    *int64 `json:"known,omitempty" minimum:"0" doc:"The last sequence of the conversation that you have seen, 0 for none, the same over retries. It makes client_id cheaper."`
}

// Stored is the answer to a send.
type Stored struct {
	MessageID      string          `json:"message_id" doc:"The message's ID." example:"m_4oKyQ1F8aXbT0mJ2cLw7Zr_1"`
	ConversationID id.Conversation `json:"conversation_id" doc:"The conversation." example:"c_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Seq            int64           `json:"seq" doc:"The message's number in the conversation." example:"1"`
	SentAt         time.Time       `json:"sent_at" doc:"When it was stored." example:"2026-11-21T23:11:22.143Z"`
	V              int64           `json:"v,omitempty" doc:"The sender's version, where the sender has other devices."`
}

type sendInput struct {
	Body struct {
		api.KeyInBody
		From string `json:"from,omitempty" maxLength:"64" doc:"The sender: a user ID or a username. With a user token it may be left out." example:"ann"`
		Content
	}
}

type sendOutput struct{ Body Stored }

type conversationsInput struct {
	ID string `path:"id" doc:"The user's ID."`
	api.PageQuery
}

type inboxInput struct {
	ID string `path:"id" doc:"The user's ID."`
	api.PageQuery
	Unread bool `query:"unread" doc:"Only what others sent beyond the read mark."`
}

type historyInput struct {
	ID string `path:"id" doc:"The conversation's ID."`
	api.PageQuery
	Order Order `query:"order" enum:"asc,desc" default:"asc" doc:"asc begins with the oldest message, desc with the newest."`
}

type messagesOutput struct{ Body api.Page[Message] }

type conversationsOutput struct{ Body api.Page[Conversation] }

type markInput struct {
	ID           string          `path:"id" doc:"The user's ID."`
	Conversation id.Conversation `path:"conversation" doc:"The conversation's ID."`
	Body         struct {
		api.KeyInBody
		Seq int64 `json:"seq" minimum:"1" doc:"The sequence up to which it holds."`
	}
}

type marksOutput struct{ Body Marks }

// routes joins the service with what only the edge needs.
type routes struct {
	*Service
	signer cursor.Signer
}

// Routes adds the operations on messages and conversations.
func Routes(edge *api.API, service *Service, signer cursor.Signer) {
	r := routes{Service: service, signer: signer}
	api.Register(edge, api.Operation{
		ID: "send", Method: http.MethodPost, Path: "/send", Tag: "Messages", Status: http.StatusOK,
		Summary: "Send a message", Permission: authz.MessagesSend, Inside: true, Actor: api.ActorInBody("from"),
		Description: "To a group it needs groups:send instead.",
		Errors: []fault.Code{fault.GroupNotFound, fault.NotAMember, fault.GroupDismissed, fault.GroupAdminsOnly, fault.GroupMuted, fault.MemberMuted,
			fault.UserNotFound, fault.MessageEmpty, fault.MessageTooLarge, fault.RecipientIsSender, fault.KnownAhead,
			fault.KnownTooOld, fault.ClientIDConflict, fault.ConversationBusy, fault.NotYourself},
	}, r.send)
	api.Register(edge, api.Operation{
		ID: "list-messages", Method: http.MethodGet, Path: "/users/{id}/messages", Tag: "Messages", Status: http.StatusOK,
		Summary: "Poll a user's messages", Recorded: true, Permission: authz.MessagesRead, Actor: api.ActorInPath("id"),
		Description: "Conversation by conversation, each in order. A page may be short before the end: follow next_cursor.",
		Errors:      []fault.Code{fault.UserNotFound, fault.CursorInvalid, fault.NotYourself},
	}, r.inbox)
	api.Register(edge, api.Operation{
		ID: "list-conversations", Method: http.MethodGet, Path: "/users/{id}/conversations", Tag: "Conversations", Status: http.StatusOK,
		Summary: "List a user's conversations", Recorded: true, Permission: authz.MessagesRead, Actor: api.ActorInPath("id"),
		Description: "By ID, each with its last message and unread count.",
		Errors:      []fault.Code{fault.UserNotFound, fault.CursorInvalid, fault.NotYourself},
	}, r.conversations)
	api.Register(edge, api.Operation{
		ID: "acknowledge", Method: http.MethodPost, Path: "/users/{id}/conversations/{conversation}/ack", Tag: "Conversations", Status: http.StatusOK,
		Summary: "Acknowledge messages", Permission: authz.MessagesMark, Actor: api.ActorInPath("id"),
		Errors: []fault.Code{fault.UserNotFound, fault.ConversationNotFound, fault.SequenceAhead, fault.NotYourself},
	}, r.acknowledge)
	api.Register(edge, api.Operation{
		ID: "mark-read", Method: http.MethodPost, Path: "/users/{id}/conversations/{conversation}/read", Tag: "Conversations", Status: http.StatusOK,
		Summary: "Mark messages read", Permission: authz.MessagesMark, Actor: api.ActorInPath("id"),
		Errors: []fault.Code{fault.UserNotFound, fault.ConversationNotFound, fault.SequenceAhead, fault.NotYourself},
	}, r.markRead)
	api.Register(edge, api.Operation{
		ID: "history", Method: http.MethodGet, Path: "/conversations/{id}/messages", Tag: "Conversations", Status: http.StatusOK,
		Summary: "Page through a conversation", Recorded: true, Permission: authz.MessagesRead,
		Errors: []fault.Code{fault.ConversationNotFound, fault.CursorInvalid},
	}, r.history)
}

func (r routes) send(ctx context.Context, caller authz.Caller, in *sendInput) (*sendOutput, error) {
	stored, err := r.store(ctx, caller, "", in.Body.Content)
	return &sendOutput{Body: stored}, err
}

// store sends the content for the caller, over HTTP or over the connection. Who may send depends on whom it is for.
func (r routes) store(ctx context.Context, caller authz.Caller, connection string, content Content) (Stored, error) {
	permission, group := authz.MessagesSend, id.Group("")
	if id.IsGroup(content.To) {
		permission, group = authz.GroupsSend, id.Group(content.To)
	}
	if err := caller.RequireIn(permission, group); err != nil {
		return Stored{}, err
	}
	if caller.User == "" { // an application has to say for whom; a user token says it by itself
		return Stored{}, fault.Invalid(fault.Field{Name: "from", Code: fault.FieldMissing, Args: []any{"from"}})
	}
	sent, err := r.Send(ctx, Draft{App: caller.App, From: caller.User, Connection: connection, To: content.To, Type: content.Type,
		Text: content.Message, ClientID: content.ClientID, Known: content.Known})
	if err != nil {
		return Stored{}, err
	}
	return Stored{MessageID: sent.Message.MessageID, ConversationID: sent.Message.ConversationID, Seq: sent.Message.Seq,
		SentAt: sent.Message.SentAt, V: sent.SenderVersion}, nil
}

func (r routes) inbox(ctx context.Context, caller authz.Caller, in *inboxInput) (*messagesOutput, error) {
	list := "inbox " + string(caller.User)
	if in.Unread {
		list = "unread " + string(caller.User)
	}
	page, err := api.Paged(ctx, r.signer, caller.App, list, in.Cursor, func(position string) ([]Message, string, error) {
		return r.Inbox(ctx, caller.App, caller.User, in.Unread, position, in.Limit)
	})
	return &messagesOutput{Body: page}, err
}

func (r routes) conversations(ctx context.Context, caller authz.Caller, in *conversationsInput) (*conversationsOutput, error) {
	page, err := api.Paged(ctx, r.signer, caller.App, "conversations "+string(caller.User), in.Cursor,
		func(position string) ([]Conversation, string, error) {
			return r.Conversations(ctx, caller.App, caller.User, position, in.Limit)
		})
	return &conversationsOutput{Body: page}, err
}

func (r routes) history(ctx context.Context, caller authz.Caller, in *historyInput) (*messagesOutput, error) {
	page, err := r.historyPage(ctx, caller, id.Conversation(in.ID), in.Order, in.Cursor, in.Limit)
	return &messagesOutput{Body: page}, err
}

// historyPage reads a page for an application, which may read every conversation of its app, or for one of the two users.
func (r routes) historyPage(ctx context.Context, caller authz.Caller, conversation id.Conversation, order Order, at string, limit int) (api.Page[Message], error) {
	list := "history " + string(order) + " " + string(conversation)
	return api.Paged(ctx, r.signer, caller.App, list, at, func(position string) ([]Message, string, error) {
		return r.History(ctx, caller.App, caller.User, conversation, order, position, limit)
	})
}

func (r routes) acknowledge(ctx context.Context, caller authz.Caller, in *markInput) (*marksOutput, error) {
	marks, err := r.Acknowledge(ctx, caller.App, caller.User, in.Conversation, in.Body.Seq)
	return &marksOutput{Body: marks}, err
}

func (r routes) markRead(ctx context.Context, caller authz.Caller, in *markInput) (*marksOutput, error) {
	marks, err := r.MarkRead(ctx, caller.App, caller.User, in.Conversation, in.Body.Seq)
	return &marksOutput{Body: marks}, err
}
