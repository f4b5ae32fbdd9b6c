package group

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// ProfileFields are what of a group's profile may be said, in a creation and in a change alike.
type ProfileFields struct {
	Description *string                    `json:"description,omitempty" maxLength:"1024" doc:"What it is about; at most 1024 bytes of UTF-8."`
	Avatar      *string                    `json:"avatar,omitempty" maxLength:"1024" doc:"The address of its picture, http, https or a path; at most 1024 bytes." example:"https://example.com/hiking.png"`
	Custom      map[string]json.RawMessage `json:"custom,omitempty" nullable:"false" doc:"Members of your own; at most 2048 bytes of JSON."`
	Join        *Joining                   `json:"join,omitempty" enum:"open,approval,invite" doc:"Who may join: open lets everybody in, approval those whom somebody admits, invite only the invited. A new group is invite."`
	Speak       *Who                       `json:"speak,omitempty" enum:"everyone,admins" doc:"Who may send messages. In a new group everyone."`
	Invite      *Who                       `json:"invite,omitempty" enum:"everyone,admins" doc:"Which members may invite. In a new group everyone."`
}

func (f ProfileFields) wish(name *string) Wish {
	return Wish{Name: name, Description: f.Description, Avatar: f.Avatar, Custom: f.Custom, Join: f.Join, Speak: f.Speak, Invite: f.Invite}
}

type createGroupInput struct {
	api.IdempotencyKey
	Body struct {
		api.KeyInBody
		Name string `json:"name" minLength:"1" maxLength:"128" doc:"Its name; at most 128 bytes of UTF-8." example:"Hiking"`
		ProfileFields
		Owner   string    `json:"owner,omitempty" maxLength:"64" doc:"The user who owns it, by ID or username. With a user token it may be left out." example:"ann"`
		Members []id.User `json:"members,omitempty" maxItems:"100" nullable:"false" doc:"IDs of the first members: an application adds them, a user invites them." example:"[\"u_7Zr2cLw0mJaXbT4oKyQ1F8\"]"`
	}
}

type createGroupOutput struct {
	Body struct {
		Details
		Results []MemberResult `json:"results" nullable:"false" doc:"What became of each of the members."`
	}
}

type groupInput struct {
	ID id.Group `path:"id" doc:"The group's ID."`
}

type groupOutput struct{ Body Details }

type changeGroupInput struct {
	ID   id.Group `path:"id" doc:"The group's ID."`
	Body struct {
		api.KeyInBody
		Name *string `json:"name,omitempty" minLength:"1" maxLength:"128" doc:"Another name; at most 128 bytes of UTF-8." example:"Hiking"`
		ProfileFields
		MutedAll *bool  `json:"muted_all,omitempty" doc:"Whether all but the owner and the admins are muted."`
		Version  *int64 `json:"version,omitempty" minimum:"1" doc:"The version that you have seen: where the group has another by now, nothing is changed."`
	}
}

type transferGroupInput struct {
	ID   id.Group `path:"id" doc:"The group's ID."`
	Body struct {
		api.KeyInBody
		To id.User `json:"to" minLength:"1" maxLength:"64" doc:"The ID of the member who shall own it." example:"u_7Zr2cLw0mJaXbT4oKyQ1F8"`
	}
}

// routes joins the service with what only the edge needs.
type routes struct {
	*Service
	signer cursor.Signer
}

// Routes adds the operations on groups and their members.
func Routes(edge *api.API, service *Service, signer cursor.Signer) {
	r := routes{service, signer}
	r.groups(edge)
	r.members(edge)
	r.joining(edge)
}

// changing are the refusals of every change of a group.
func changing(more ...fault.Code) []fault.Code {
	return append([]fault.Code{fault.GroupNotFound, fault.GroupDismissed, fault.ConversationBusy}, more...)
}

func (r routes) groups(edge *api.API) {
	api.Register(edge, api.Operation{
		ID: "create-group", Method: http.MethodPost, Path: "/groups", Tag: "Groups", Status: http.StatusCreated,
		Summary: "Create a group", Permission: authz.GroupsCreate, Actor: api.ActorInBody("owner"),
		Description: "Its ID is that of its conversation too. An application names the owner and adds the members; a user owns what it creates and invites them.",
		Errors:      []fault.Code{fault.UserNotFound, fault.NotYourself, fault.IdempotencyConflict, fault.ConversationBusy},
	}, r.create)
	api.Register(edge, api.Operation{
		ID: "get-group", Method: http.MethodGet, Path: "/groups/{id}", Tag: "Groups", Status: http.StatusOK,
		Summary: "Show a group", Permission: authz.GroupsRead, Errors: []fault.Code{fault.GroupNotFound},
		Description: "To its members and to those who are invited or ask to join; to everybody of the app where one can join or ask to.",
	}, r.get)
	api.Register(edge, api.Operation{
		ID: "update-group", Method: http.MethodPatch, Path: "/groups/{id}", Tag: "Groups", Status: http.StatusOK,
		Summary: "Change a group", Permission: authz.GroupsManage, Inside: true,
		Description: "Its owner and admins may, and who may manage all groups. Every member who is online is told.",
		Errors:      changing(fault.GroupChanged),
	}, r.change)
	api.Register(edge, api.Operation{
		ID: "dismiss-group", Method: http.MethodDelete, Path: "/groups/{id}", Tag: "Groups", Status: http.StatusOK,
		Summary: "Dismiss a group", Permission: authz.GroupsOwn, Inside: true,
		Description: "Its members can read it still; nothing can be sent or changed any more. Dismissing again changes nothing.",
		Errors:      []fault.Code{fault.GroupNotFound, fault.ConversationBusy},
	}, r.dismiss)
	api.Register(edge, api.Operation{
		ID: "transfer-group", Method: http.MethodPost, Path: "/groups/{id}/transfer", Tag: "Groups", Status: http.StatusOK,
		Summary: "Hand a group on", Permission: authz.GroupsOwn, Inside: true,
		Description: "To another of its members who is active. Who owned it becomes an admin.",
		Errors:      changing(fault.GroupMemberNotFound, fault.UserDeactivated),
	}, r.transfer)
	api.Register(edge, api.Operation{
		ID: "list-user-groups", Method: http.MethodGet, Path: "/users/{id}/groups", Tag: "Groups", Status: http.StatusOK,
		Summary: "List a user's groups", Recorded: true, Permission: authz.GroupsRead, Actor: api.ActorInPath("id"),
		Description: "By ID. A page may be short before the end: follow next_cursor.",
		Errors:      []fault.Code{fault.UserNotFound, fault.CursorInvalid, fault.NotYourself},
	}, r.of)
}

func (r routes) create(ctx context.Context, caller authz.Caller, in *createGroupInput) (*createGroupOutput, error) {
	if caller.User == "" { // an application has to say for whom; a user token says it by itself
		return nil, fault.Invalid(fault.Field{Name: "owner", Code: fault.FieldMissing, Args: []any{"owner"}})
	}
	out := &createGroupOutput{}
	var err error
	out.Body.Details, out.Body.Results, err = r.Create(ctx, caller, Creation{Wish: in.Body.wish(&in.Body.Name), Members: in.Body.Members,
		IdempotencyKey: in.IdempotencyKey.IdempotencyKey})
	return out, err
}

func (r routes) get(ctx context.Context, caller authz.Caller, in *groupInput) (*groupOutput, error) {
	view, err := r.Get(ctx, caller, in.ID)
	return &groupOutput{Body: view}, err
}

func (r routes) change(ctx context.Context, caller authz.Caller, in *changeGroupInput) (*groupOutput, error) {
	wish := in.Body.wish(in.Body.Name)
	wish.MutedAll, wish.Version = in.Body.MutedAll, in.Body.Version
	view, err := r.Change(ctx, caller, in.ID, wish)
	return &groupOutput{Body: view}, err
}

func (r routes) dismiss(ctx context.Context, caller authz.Caller, in *groupInput) (*groupOutput, error) {
	view, err := r.Dismiss(ctx, caller, in.ID)
	return &groupOutput{Body: view}, err
}

func (r routes) transfer(ctx context.Context, caller authz.Caller, in *transferGroupInput) (*groupOutput, error) {
	view, err := r.Transfer(ctx, caller, in.ID, in.Body.To)
	return &groupOutput{Body: view}, err
}

// listOf names a list for its cursors: one of another list does not fit.
func listOf(parts ...string) string { return strings.Join(parts, " ") }
