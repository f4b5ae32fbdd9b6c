package group

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

type membersInput struct {
	ID id.Group `path:"id" doc:"The group's ID."`
	api.PageQuery
	Since int64         `query:"since" minimum:"1" doc:"Only those whom a change after this version touched, those too who have left."`
	State message.State `query:"state" enum:"invited,asked,member,left" doc:"Only those of this state; without state and since, the members."`
}

type membersOutput struct{ Body api.Page[Membership] }

type inviteMembersInput struct {
	ID   id.Group `path:"id" doc:"The group's ID."`
	Body struct {
		api.KeyInBody
		Users []id.User `json:"users" minItems:"1" maxItems:"1000" nullable:"false" doc:"The IDs of the users." example:"[\"u_7Zr2cLw0mJaXbT4oKyQ1F8\"]"`
		Add   bool      `json:"add,omitempty" doc:"Adds them without asking them; for who may manage all groups of the app."`
	}
}

type inviteMembersOutput struct {
	Body struct {
		Items []MemberResult `json:"items" nullable:"false" doc:"What became of each."`
	}
}

type memberInput struct {
	ID   id.Group `path:"id" doc:"The group's ID."`
	User id.User  `path:"user" doc:"The member's user ID."`
}

type memberOutput struct{ Body Membership }

type memberRoleInput struct {
	ID   id.Group `path:"id" doc:"The group's ID."`
	User id.User  `path:"user" doc:"The member's user ID."`
	Body struct {
		api.KeyInBody
		Role string `json:"role" enum:"admin,member" doc:"The role that the member shall have." example:"admin"`
	}
}

type muteMemberInput struct {
	ID   id.Group `path:"id" doc:"The group's ID."`
	User id.User  `path:"user" doc:"The member's user ID."`
	Body struct {
		api.KeyInBody
		Until *time.Time `json:"until,omitempty" doc:"Until when the member may not send, in the future; absent to end it."`
	}
}

type joinGroupInput struct {
	ID   id.Group `path:"id" doc:"The group's ID."`
	Body *struct {
		api.KeyInBody
		As string `json:"as,omitempty" maxLength:"64" doc:"The user, by ID or username. With a user token it may be left out." example:"ann"`
	}
}

type ofInput struct {
	ID string `path:"id" doc:"The user's ID."`
	api.PageQuery
	State message.State `query:"state" enum:"invited,asked,member" default:"member" doc:"The groups that the user is a member of, is invited to, or asks to join."`
}

type ofOutput struct{ Body api.Page[Standing] }

func (r routes) members(edge *api.API) {
	route := func(name, method, path, summary string, permission authz.Permission, errors ...fault.Code) api.Operation {
		return api.Operation{ID: name, Method: method, Path: "/groups/{id}/members" + path, Tag: "Groups", Status: http.StatusOK,
			Summary: summary, Permission: permission, Inside: permission != authz.GroupsRead, Errors: errors}
	}
	list := route("list-group-members", http.MethodGet, "", "List a group's members", authz.GroupsRead, fault.GroupNotFound, fault.NotAMember, fault.CursorInvalid)
	list.Recorded = true
	list.Description = "In the order of their versions. With since, what has changed since: whoever has a list brings it up to date by it. " +
		"A page may be short before the end: follow next_cursor. A change may be missing for a moment."
	api.Register(edge, list, r.list)
	invite := route("invite-to-group", http.MethodPost, "", "Invite or add users", authz.GroupsInvite, changing()...)
	invite.Description = "Each with its own result; the whole can be repeated. Who had asked to join is admitted."
	api.Register(edge, invite, r.invite)
	remove := route("remove-group-member", http.MethodDelete, "/{user}", "Remove a member", authz.GroupsManage, changing(fault.GroupMemberNotFound, fault.OwnerProtected)...)
	remove.Description = "Or take an invitation or a request back. Admins are removed by the owner. Removing again changes nothing."
	api.Register(edge, remove, r.remove)
	role := route("set-group-role", http.MethodPut, "/{user}/role", "Make a member an admin, or an admin a member", authz.GroupsOwn,
		changing(fault.GroupMemberNotFound, fault.OwnerProtected)...)
	api.Register(edge, role, r.setRole)
	mute := route("mute-group-member", http.MethodPut, "/{user}/mute", "Mute a member until a time", authz.GroupsManage,
		changing(fault.GroupMemberNotFound, fault.OwnerProtected)...)
	mute.Description = "In whole seconds. Admins are muted by the owner."
	api.Register(edge, mute, r.mute)
}

func (r routes) joining(edge *api.API) {
	route := func(name, summary, description string, errors ...fault.Code) api.Operation {
		return api.Operation{ID: name + "-group", Method: http.MethodPost, Path: "/groups/{id}/" + name, Tag: "Groups", Status: http.StatusOK,
			Summary: summary, Description: description, Permission: authz.GroupsJoin, Actor: api.ActorInBody("as"),
			Errors: append([]fault.Code{fault.UserNotFound, fault.NotYourself}, changing(errors...)...)}
	}
	api.Register(edge, route("join", "Join a group",
		"An open one, or where one was invited; else the user asks, and somebody who may invite admits it. A member stays one.",
		fault.JoinRefused, fault.GroupFull), r.join)
	api.Register(edge, route("decline", "Decline an invitation", "Or take one's own request to join back."), r.decline)
	api.Register(edge, route("leave", "Leave a group", "The owner hands it on first.", fault.OwnerStays), r.leave)
}

func (r routes) list(ctx context.Context, caller authz.Caller, in *membersInput) (*membersOutput, error) {
	list := listOf("members", string(in.ID), strconv.FormatInt(in.Since, 10), string(in.State))
	page, err := api.Paged(ctx, r.signer, caller.App, list, in.Cursor, func(position string) ([]Membership, string, error) {
		return r.Members(ctx, caller, in.ID, Filter{Since: in.Since, State: in.State}, position, in.Limit)
	})
	return &membersOutput{Body: page}, err
}

func (r routes) of(ctx context.Context, caller authz.Caller, in *ofInput) (*ofOutput, error) {
	list := listOf("groups", string(caller.User), string(in.State))
	page, err := api.Paged(ctx, r.signer, caller.App, list, in.Cursor, func(position string) ([]Standing, string, error) {
		return r.Of(ctx, caller, in.State, position, in.Limit)
	})
	return &ofOutput{Body: page}, err
}

func (r routes) invite(ctx context.Context, caller authz.Caller, in *inviteMembersInput) (*inviteMembersOutput, error) {
	out := &inviteMembersOutput{}
	var err error
	out.Body.Items, err = r.Invite(ctx, caller, in.ID, in.Body.Users, in.Body.Add)
	return out, err
}

func (r routes) remove(ctx context.Context, caller authz.Caller, in *memberInput) (*memberOutput, error) {
	return shownMember(r.Remove(ctx, caller, in.ID, in.User))
}

func (r routes) setRole(ctx context.Context, caller authz.Caller, in *memberRoleInput) (*memberOutput, error) {
	return shownMember(r.SetRole(ctx, caller, in.ID, in.User, authz.GroupRole(in.Body.Role)))
}

func (r routes) mute(ctx context.Context, caller authz.Caller, in *muteMemberInput) (*memberOutput, error) {
	var until time.Time
	if in.Body.Until != nil {
		if until = *in.Body.Until; until.IsZero() {
			until = time.Unix(1, 0) // another time that is over: the zero one ends the mute
		}
	}
	return shownMember(r.Mute(ctx, caller, in.ID, in.User, until))
}

// as refuses an application that does not say for whom.
func as(caller authz.Caller) error {
	if caller.User == "" {
		return fault.Invalid(fault.Field{Name: "as", Code: fault.FieldMissing, Args: []any{"as"}})
	}
	return nil
}

func (r routes) join(ctx context.Context, caller authz.Caller, in *joinGroupInput) (*memberOutput, error) {
	if err := as(caller); err != nil {
		return nil, err
	}
	return shownMember(r.Join(ctx, caller, in.ID))
}

func (r routes) decline(ctx context.Context, caller authz.Caller, in *joinGroupInput) (*memberOutput, error) {
	if err := as(caller); err != nil {
		return nil, err
	}
	return shownMember(r.Decline(ctx, caller, in.ID))
}

func (r routes) leave(ctx context.Context, caller authz.Caller, in *joinGroupInput) (*memberOutput, error) {
	if err := as(caller); err != nil {
		return nil, err
	}
	return shownMember(r.Leave(ctx, caller, in.ID))
}

func shownMember(view Membership, err error) (*memberOutput, error) {
	if err != nil {
		return nil, err
	}
	return &memberOutput{Body: view}, nil
}
