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
	To       string    `json:"to" minLength:"1" maxLength:"64" doc:"The receiver: a user ID, a username, or a group's ID." example:"bob"`
	Message  *string   `json:"message,omitempty" nullable:"false" doc:"The text, at most 4096 bytes of UTF-8. It is needed for the type text, and a caption for others." example:"Hello!"`
	Type     string    `json:"type,omitempty" maxLength:"16" doc:"What the message is: text, image, video, audio, file, location or custom; text where absent." example:"text"`
	MediaID  id.Media  `json:"media_id,omitempty" maxLength:"64" doc:"What an image, a video, an audio or a file shows: a media of the sender's that is ready." example:"media_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Location *Location `json:"location,omitempty" doc:"Where, for the type location."`
	Custom   *Object   `json:"custom,omitempty" nullable:"false" doc:"Members of your own, for the type custom; at most 4096 bytes of JSON."`
	Addressing
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

type downloadInput struct {
	ID        string `path:"id" doc:"The conversation's ID."`
	Seq       int64  `path:"seq" minimum:"1" doc:"The number of the message that shows the media."`
	Thumbnail string `query:"thumbnail" enum:"small,large" doc:"A thumbnail instead of the picture itself: small is at most 320 pixels long, large 1080."`
}

// MediaLink is where a media can be read for a while.
type MediaLink struct {
	URL       string    `json:"url" doc:"The address, with its signature. Whoever has it can read the media until it ends."`
	ExpiresAt time.Time `json:"expires_at" doc:"When the link ends." example:"2026-11-21T23:16:22Z"`
}

type downloadOutput struct{ Body MediaLink }

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
		Description: "To a group it needs groups:send instead, and to mention all there groups:mention_all besides.",
		Errors: []fault.Code{fault.GroupNotFound, fault.NotAMember, fault.GroupDismissed, fault.GroupAdminsOnly, fault.GroupMuted, fault.MemberMuted,
			fault.UserNotFound, fault.MessageEmpty, fault.MessageTooLarge, fault.RecipientIsSender, fault.KnownAhead,
			fault.KnownTooOld, fault.ReplyNotFound, fault.MentionNotMember, fault.ClientIDConflict, fault.ConversationBusy, fault.NotYourself, fault.UserDeactivated, fault.Blocked,
			fault.MediaNotFound, fault.MediaNotReady, fault.MediaExpired, fault.MediaKindDiffers, fault.MediaEmpty, fault.MediaReplaced, fault.MediaAltered,
			fault.MediaMislabelled, fault.MediaHTML, fault.MediaSVG, fault.MediaExecutable, fault.MediaPolyglot, fault.MediaPixels, fault.MediaDamaged,
			fault.MediaUnchecked},
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
	api.Register(edge, api.Operation{
		ID: "download-media", Method: http.MethodGet, Path: "/conversations/{id}/messages/{seq}/media", Tag: "Media", Status: http.StatusOK,
		Summary: "Get a link to what a message shows", Recorded: true, Permission: authz.MediaRead,
		Description: "For those who are in the conversation, and applications. The link needs no credential and ends after five minutes.",
		Errors:      []fault.Code{fault.ConversationNotFound, fault.MediaNotFound},
	}, r.download)
	r.operations(edge)
	r.own(edge)
	r.ofReceipts(edge)
}

func (r routes) send(ctx context.Context, caller authz.Caller, in *sendInput) (*sendOutput, error) {
	stored, err := r.store(ctx, caller, "", in.Body.Content)
	return &sendOutput{Body: stored}, err
}

// store sends the content for the caller, over HTTP or over the connection. Who may send depends on whom it is for.
func (r routes) store(ctx context.Context, caller authz.Caller, connection string, content Content) (Stored, error) {
	group := id.Group("")
	if id.IsGroup(content.To) {
		group = id.Group(content.To)
	}
	if err := caller.RequireIn(sending(group)); err != nil {
		return Stored{}, err
	}
	if caller.User == "" { // an application has to say for whom; a user token says it by itself
		return Stored{}, fault.Invalid(fault.Field{Name: "from", Code: fault.FieldMissing, Args: []any{"from"}})
	}
	draft := Draft{App: caller.App, From: caller.User, Connection: connection, To: content.To, Type: content.Type, MediaID: content.MediaID,
		Parts: Parts{Location: content.Location, Custom: content.Custom}, ClientID: content.ClientID, Known: content.Known}
	content.Addressing.apply(&draft, caller, group)
	if content.Message != nil {
		draft.Text = *content.Message
	} else if draft.Type == "" || draft.Type == TypeText {
		return Stored{}, fault.Invalid(fault.Field{Name: "message", Code: fault.FieldMissing, Args: []any{"message"}})
	}
	sent, err := r.Send(ctx, draft)
	if err != nil {
		return Stored{}, err
	}
	return Stored{MessageID: sent.Message.MessageID, ConversationID: sent.Message.ConversationID, Seq: sent.Message.Seq,
		SentAt: sent.Message.SentAt, V: sent.SenderVersion}, nil
}

// sending returns the permission to send messages to the group, or to users for "", and the group.
func sending(group id.Group) (authz.Permission, id.Group) {
	if group == "" {
		return authz.MessagesSend, ""
	}
	return authz.GroupsSend, group
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

func (r routes) download(ctx context.Context, caller authz.Caller, in *downloadInput) (*downloadOutput, error) {
	url, ends, err := r.Download(ctx, caller.App, caller.User, id.Conversation(in.ID), in.Seq, in.Thumbnail)
	return &downloadOutput{Body: MediaLink{URL: url, ExpiresAt: ends}}, err
}

func (r routes) acknowledge(ctx context.Context, caller authz.Caller, in *markInput) (*marksOutput, error) {
	marks, err := r.Acknowledge(ctx, caller.App, caller.User, in.Conversation, in.Body.Seq)
	return &marksOutput{Body: marks}, err
}

func (r routes) markRead(ctx context.Context, caller authz.Caller, in *markInput) (*marksOutput, error) {
	marks, err := r.MarkRead(ctx, caller.App, caller.User, in.Conversation, in.Body.Seq)
	return &marksOutput{Body: marks}, err
}
