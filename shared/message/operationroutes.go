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

// UserMessagePath names a message and the user who does something with it.
type UserMessagePath struct {
	ID           string          `path:"id" doc:"The user's ID."`
	Conversation id.Conversation `path:"conversation" doc:"The conversation's ID."`
	Seq          int64           `path:"seq" minimum:"1" doc:"The message's number in the conversation."`
}

// EditContent is what an edit says, in a body and in a frame alike.
type EditContent struct {
	Message *string `json:"message,omitempty" nullable:"false" doc:"The new text, at most 4096 bytes of UTF-8, or the new caption." example:"Hello, Bob!"`
	Custom  *Object `json:"custom,omitempty" nullable:"false" doc:"The new members of a custom message; at most 4096 bytes of JSON."`
}

type editInput struct {
	UserMessagePath
	Body struct {
		api.KeyInBody
		EditContent
	}
}

type doInput struct {
	UserMessagePath
	Body *api.KeyInBody
}

type reactInput struct {
	UserMessagePath
	Body struct {
		api.KeyInBody
		Reaction string `json:"reaction" minLength:"1" maxLength:"48" doc:"Emoji, or a name between colons; at most 48 bytes of UTF-8." example:"👍"`
	}
}

type unreactInput struct {
	UserMessagePath
	Reaction string `query:"reaction" required:"true" maxLength:"48" doc:"The reaction, percent-encoded." example:"👍"`
}

// MessagePath names a message of a conversation.
type MessagePath struct {
	ID  id.Conversation `path:"id" doc:"The conversation's ID."`
	Seq int64           `path:"seq" minimum:"1" doc:"The message's number in the conversation."`
}

type moderateInput struct {
	MessagePath
	Body *api.KeyInBody
}

type reactorsInput struct {
	MessagePath
	api.PageQuery
}

type pinsInput struct {
	ID id.Conversation `path:"id" doc:"The conversation's ID."`
}

// Operated is the answer to what was done with a message.
type Operated struct {
	Seq     int64   `json:"seq,omitempty" doc:"The number of the entry that tells of it; absent where there was nothing to do." example:"8"`
	Message Message `json:"message" doc:"The message as it is now."`
	V       int64   `json:"v,omitempty" doc:"The user's version, where the user has other devices and the conversation is no group."`
}

type operatedOutput struct{ Body Operated }

type messageOutput struct{ Body Message }

type reactorsOutput struct{ Body api.Page[Reactor] }

type pinsOutput struct {
	Body struct {
		Items []Message `json:"items" nullable:"false" maxItems:"50" doc:"The pinned messages, the latest first."`
	}
}

// place is where messages are, in the paths of what a user does with one.
const place = "/users/{id}/conversations/{conversation}/messages/{seq}"

// aboutMessages are what every operation can refuse.
var aboutMessages = []fault.Code{fault.UserNotFound, fault.ConversationNotFound, fault.MessageNotFound, fault.NotYourself, fault.ConversationBusy}

// operations adds what is done with messages that are there.
func (r routes) operations(edge *api.API) {
	withUser := func(id, method, path, summary, description string, permission authz.Permission, codes ...fault.Code) api.Operation {
		return api.Operation{ID: id, Method: method, Path: place + path, Tag: "Messages", Status: http.StatusOK, Summary: summary,
			Description: description, Permission: permission, Actor: api.ActorInPath("id"), Errors: append(codes, aboutMessages...)}
	}
	api.Register(edge, withUser("edit-message", http.MethodPatch, "", "Edit a message",
		"Only its sender can, unless sending there is denied to it, for 24 hours or the app's edit_window. Its number and its count stay; an entry of type operation tells everybody.", authz.MessagesEdit,
		fault.MessageNotYours, fault.MessageRecalled, fault.EditTooLate, fault.MessageEmpty, fault.MessageTooLarge, fault.MemberMuted,
		fault.GroupMuted, fault.GroupAdminsOnly, fault.GroupDismissed, fault.UserDeactivated, fault.Blocked), r.edit)
	api.Register(edge, withUser("recall-message", http.MethodPost, "/recall", "Recall a message",
		"Its sender can, for 48 hours or the app's recall_window; the owner and the admins of a group can at any time, and anybody's message. Its content is removed for good.",
		authz.MessagesEdit, fault.MessageNotYours, fault.RecallTooLate, fault.GroupDismissed), r.recall)
	api.Register(edge, withUser("react", http.MethodPost, "/reactions", "React to a message", "A repeated reaction counts once.", authz.MessagesReact,
		fault.ReactionInvalid, fault.ReactionsFull, fault.MessageRecalled, fault.MemberMuted, fault.GroupMuted,
		fault.GroupDismissed, fault.UserDeactivated, fault.Blocked), r.react)
	api.Register(edge, withUser("unreact", http.MethodDelete, "/reactions", "Take a reaction back", "", authz.MessagesReact,
		fault.ReactionInvalid, fault.MessageRecalled, fault.MemberMuted, fault.GroupMuted,
		fault.GroupDismissed, fault.UserDeactivated, fault.Blocked), r.unreact)
	api.Register(edge, withUser("pin-message", http.MethodPut, "/pin", "Pin a message",
		"Both users of a pair can; in a group its owner and admins. At most 50 messages of a conversation are pinned.", authz.MessagesPin,
		fault.PinsFull, fault.MessageRecalled, fault.GroupDismissed, fault.UserDeactivated, fault.Blocked), r.pin)
	api.Register(edge, withUser("unpin-message", http.MethodDelete, "/pin", "Unpin a message", "", authz.MessagesPin,
		fault.GroupDismissed, fault.UserDeactivated, fault.Blocked), r.unpin)
	api.Register(edge, api.Operation{
		ID: "moderate-message", Method: http.MethodPost, Path: "/conversations/{id}/messages/{seq}/recall", Tag: "Messages", Status: http.StatusOK,
		Summary: "Recall anybody's message", Recorded: true, Permission: authz.MessagesModerate,
		Description: "At any time, from outside the conversation.",
		Errors:      []fault.Code{fault.ConversationNotFound, fault.MessageNotFound, fault.ConversationBusy, fault.GroupDismissed},
	}, r.moderate)
	api.Register(edge, api.Operation{
		ID: "get-message", Method: http.MethodGet, Path: "/conversations/{id}/messages/{seq}", Tag: "Messages", Status: http.StatusOK,
		Summary: "Get one message as it is now", Recorded: true, Permission: authz.MessagesRead,
		Errors: []fault.Code{fault.ConversationNotFound, fault.MessageNotFound},
	}, r.message)
	api.Register(edge, api.Operation{
		ID: "list-reactions", Method: http.MethodGet, Path: "/conversations/{id}/messages/{seq}/reactions", Tag: "Messages", Status: http.StatusOK,
		Summary: "List who has reacted to a message", Recorded: true, Permission: authz.MessagesRead,
		Description: "By user ID. A page may be short before the end: follow next_cursor.",
		Errors:      []fault.Code{fault.ConversationNotFound, fault.MessageNotFound, fault.MessageRecalled, fault.CursorInvalid},
	}, r.reactors)
	api.Register(edge, api.Operation{
		ID: "list-pins", Method: http.MethodGet, Path: "/conversations/{id}/pins", Tag: "Conversations", Status: http.StatusOK,
		Summary: "List a conversation's pinned messages", Recorded: true, Permission: authz.MessagesRead,
		Errors: []fault.Code{fault.ConversationNotFound},
	}, r.pins)
}

// act is what the caller does with the message.
func (in UserMessagePath) act(caller authz.Caller) Act {
	return Act{Caller: caller, Conversation: in.Conversation, Sequence: in.Seq}
}

// operated is the answer to an act.
func operated(done Done, err error) (*operatedOutput, error) {
	return &operatedOutput{Body: Operated{Seq: done.Sequence, Message: done.Message, V: done.Version}}, err
}

func (r routes) edit(ctx context.Context, caller authz.Caller, in *editInput) (*operatedOutput, error) {
	return operated(r.speakAnew(ctx, in.act(caller), in.Body.EditContent))
}

// speakAnew edits a message, unless it is denied to its sender to send messages where it is.
func (r routes) speakAnew(ctx context.Context, act Act, content EditContent) (Done, error) {
	if err := act.Caller.RequireNotDenied(sending(act.Conversation.Group())); err != nil {
		return Done{}, err
	}
	return r.Edit(ctx, act, Edit{Text: content.Message, Custom: content.Custom})
}

func (r routes) recall(ctx context.Context, caller authz.Caller, in *doInput) (*operatedOutput, error) {
	return operated(r.Recall(ctx, in.act(caller)))
}

func (r routes) react(ctx context.Context, caller authz.Caller, in *reactInput) (*operatedOutput, error) {
	return operated(r.React(ctx, in.act(caller), in.Body.Reaction))
}

func (r routes) unreact(ctx context.Context, caller authz.Caller, in *unreactInput) (*operatedOutput, error) {
	return operated(r.Unreact(ctx, in.act(caller), in.Reaction))
}

func (r routes) pin(ctx context.Context, caller authz.Caller, in *doInput) (*operatedOutput, error) {
	return operated(r.Pin(ctx, in.act(caller)))
}

func (r routes) unpin(ctx context.Context, caller authz.Caller, in *UserMessagePath) (*operatedOutput, error) {
	return operated(r.Unpin(ctx, in.act(caller)))
}

func (r routes) moderate(ctx context.Context, caller authz.Caller, in *moderateInput) (*operatedOutput, error) {
	return operated(r.Recall(ctx, Act{Caller: caller, Moderating: true, Conversation: in.ID, Sequence: in.Seq}))
}

func (r routes) message(ctx context.Context, caller authz.Caller, in *MessagePath) (*messageOutput, error) {
	message, err := r.Message(ctx, caller.App, caller.User, in.ID, in.Seq)
	return &messageOutput{Body: message}, err
}

func (r routes) reactors(ctx context.Context, caller authz.Caller, in *reactorsInput) (*reactorsOutput, error) {
	list := fmt.Sprintf("reactions %s %d %s", in.ID, in.Seq, caller.User)
	page, err := api.Paged(ctx, r.signer, caller.App, list, in.Cursor, func(position string) ([]Reactor, string, error) {
		return r.Reactors(ctx, caller.App, caller.User, in.ID, in.Seq, position, in.Limit)
	})
	return &reactorsOutput{Body: page}, err
}

func (r routes) pins(ctx context.Context, caller authz.Caller, in *pinsInput) (*pinsOutput, error) {
	out := &pinsOutput{}
	var err error
	out.Body.Items, err = r.PinnedMessages(ctx, caller.App, caller.User, in.ID)
	return out, err
}
