package message

import (
	"context"
	"net/http"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/plainjson"
	"github.com/tokenim/tokenim/shared/socket"
)

type deleteInput struct {
	ID           string          `path:"id" doc:"The user's ID."`
	Conversation id.Conversation `path:"conversation" doc:"The conversation's ID."`
	Body         struct {
		api.KeyInBody
		Sequences
	}
}

// Sequences names messages of a conversation, in a body and in a frame alike.
type Sequences struct {
	Seqs []int64 `json:"seqs" nullable:"false" minItems:"1" maxItems:"50" doc:"The numbers of the messages." example:"[7,9]"`
}

type clearInput struct {
	ID           string          `path:"id" doc:"The user's ID."`
	Conversation id.Conversation `path:"conversation" doc:"The conversation's ID."`
	Body         struct {
		api.KeyInBody
		Seq int64 `json:"seq,omitempty" minimum:"1" doc:"The sequence up to which it is cleared; up to its end where absent." example:"7"`
	}
}

type exportInput struct {
	ID     string `path:"id" doc:"The user's ID."`
	Cursor string `query:"cursor" maxLength:"512" doc:"X-Next-Cursor of the answer before; nothing for the first."`
}

type exportOutput struct {
	ContentType string `header:"Content-Type" doc:"The form of the file."`
	Disposition string `header:"Content-Disposition" doc:"A name for the file."`
	NextCursor  string `header:"X-Next-Cursor" doc:"The cursor of the next part; absent on the last."`
	Body        []byte
}

// own adds the operations on what a user removes for itself, and takes with it.
func (r routes) own(edge *api.API) {
	refusals := []fault.Code{fault.UserNotFound, fault.ConversationNotFound, fault.SequenceAhead, fault.ConversationBusy, fault.NotYourself}
	api.Register(edge, api.Operation{
		ID: "delete-messages", Method: http.MethodPost, Path: "/users/{id}/conversations/{conversation}/delete", Tag: "Conversations", Status: http.StatusOK,
		Summary: "Delete messages for oneself", Permission: authz.MessagesDelete, Actor: api.ActorInPath("id"),
		Description: "To the user they are voids from then on, by every way; nobody else notices. Who deletes a message has read up to it.",
		Errors:      append(refusals, fault.MessageNotFound),
	}, r.delete)
	api.Register(edge, api.Operation{
		ID: "clear-conversation", Method: http.MethodPost, Path: "/users/{id}/conversations/{conversation}/clear", Tag: "Conversations", Status: http.StatusOK,
		Summary: "Clear a conversation for oneself", Permission: authz.MessagesDelete, Actor: api.ActorInPath("id"),
		Description: "What the user sees of it begins behind the sequence from then on; nobody else notices.",
		Errors:      refusals,
	}, r.clear)
	api.Register(edge, api.Operation{
		ID: "export-messages", Method: http.MethodGet, Path: "/users/{id}/export", Tag: "Messages", Status: http.StatusOK, Types: []string{ndjson},
		Summary: "Export a user's messages", Recorded: true, Permission: authz.MessagesRead, Actor: api.ActorInPath("id"),
		Description: "All that the user may see of its conversations, one message a line, conversation by conversation, each in order. " +
			"An answer has up to 5,000 messages or 3 MB; its parts can be joined as they are.",
		Errors: []fault.Code{fault.UserNotFound, fault.CursorInvalid, fault.NotYourself},
	}, r.export)
}

func (r routes) delete(ctx context.Context, caller authz.Caller, in *deleteInput) (*marksOutput, error) {
	marks, err := r.Delete(ctx, caller.App, caller.User, in.Conversation, in.Body.Seqs)
	return &marksOutput{Body: marks}, err
}

func (r routes) clear(ctx context.Context, caller authz.Caller, in *clearInput) (*marksOutput, error) {
	marks, err := r.Clear(ctx, caller.App, caller.User, in.Conversation, in.Body.Seq)
	return &marksOutput{Body: marks}, err
}

// ndjson is the form of an export: an object on each line.
const ndjson = "application/x-ndjson"

func (r routes) export(ctx context.Context, caller authz.Caller, in *exportInput) (*exportOutput, error) {
	list := "export " + string(caller.User)
	position, err := cursor.Decode(ctx, r.signer, caller.App, list, in.Cursor)
	if err != nil {
		return nil, err
	}
	out := &exportOutput{ContentType: ndjson, Disposition: `attachment; filename="messages.ndjson"`, Body: []byte{}}
	next, err := r.Export(ctx, caller.App, caller.User, position, func(m Message) bool {
		out.Body = append(append(out.Body, plainjson.Must(m)...), '\n')
		return len(out.Body) < largestExport
	})
	if err == nil {
		out.NextCursor, err = cursor.Encode(ctx, r.signer, caller.App, list, next)
	}
	return out, err
}

type deleteFrame struct {
	socket.Frame
	ConversationID id.Conversation `json:"conversation_id" minLength:"1" maxLength:"64" doc:"The conversation's ID." example:"c_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Sequences
}

type clearFrame struct {
	socket.Frame
	ConversationID id.Conversation `json:"conversation_id" minLength:"1" maxLength:"64" doc:"The conversation's ID." example:"c_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Seq            int64           `json:"seq,omitempty" minimum:"1" doc:"The sequence up to which it is cleared; up to its end where absent." example:"7"`
}

// ownFrames adds the socket's actions on what a user removes for itself.
func (r routes) ownFrames(edge *socket.Socket) {
	socket.Register(edge, socket.Action{
		Name: "delete", Permission: authz.MessagesDelete, Summary: "Delete messages for oneself.",
	}, func(ctx context.Context, caller socket.Caller, in *deleteFrame) (Marks, error) {
		return r.Delete(ctx, caller.App, caller.User, in.ConversationID, in.Seqs)
	})
	socket.Register(edge, socket.Action{
		Name: "clear", Permission: authz.MessagesDelete, Summary: "Clear a conversation for oneself.",
	}, func(ctx context.Context, caller socket.Caller, in *clearFrame) (Marks, error) {
		return r.Clear(ctx, caller.App, caller.User, in.ConversationID, in.Seq)
	})
}
