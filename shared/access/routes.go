package access

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// ReasonQuery is the reason of a request without a body.
type ReasonQuery struct {
	Reason string `query:"reason" maxLength:"500" doc:"Why, for the records."`
}

// GrantFields are what a grant shall be, on the wire.
type GrantFields struct {
	Subject     string     `json:"subject" maxLength:"64" doc:"Who: the ID of a key or of a user." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Role        string     `json:"role,omitempty" minLength:"1" maxLength:"64" doc:"The role that is given, by ID or name; or permissions." example:"moderator"`
	Permissions []string   `json:"permissions,omitempty" maxItems:"64" nullable:"false" doc:"What is granted or denied; or a role." example:"[\"users:list\"]"`
	Effect      string     `json:"effect,omitempty" enum:"allow,deny" doc:"deny forbids the permissions, whatever else allows them; allow where absent."`
	Group       string     `json:"group,omitempty" minLength:"1" maxLength:"64" doc:"The one group in which it holds; the whole app where absent."`
	Until       *time.Time `json:"until,omitempty" doc:"When it ends by itself; absent for never."`
	Reason      string     `json:"reason,omitempty" maxLength:"500" doc:"Why, for the records." example:"on duty this week"`
}

func (f GrantFields) wish(idempotencyKey string) Wish {
	wish := Wish{Subject: f.Subject, Role: f.Role, Permissions: f.Permissions, Deny: f.Effect == "deny", Group: f.Group,
		Reason: f.Reason, IdempotencyKey: idempotencyKey}
	if f.Until != nil {
		wish.Until = f.Until.UTC().Truncate(time.Millisecond) // as it is kept
		if wish.Until.Year() > lastYear || wish.Until.Unix() <= 0 {
			wish.Until = time.Unix(1, 0) // another time that is over, and can be kept
		}
	}
	return wish
}

// lastYear is the last that RFC 3339 can write (5.6).
const lastYear = 9999

type grantInput struct {
	api.IdempotencyKey
	Body struct {
		api.KeyInBody
		GrantFields
	}
}

type grantOutput struct{ Body View }

type oneGrantInput struct {
	ID string `path:"id" doc:"The grant's ID."`
}

type revokeInput struct {
	ID string `path:"id" doc:"The grant's ID."`
	ReasonQuery
}

type listInput struct {
	api.PageQuery
	Subject string `query:"subject" maxLength:"64" doc:"Only what this key or user has."`
	Role    string `query:"role" maxLength:"64" doc:"Only what gives this role, by ID or name; a role that was deleted, by ID."`
	Ended   bool   `query:"ended" doc:"Those too that have ended within the last 30 days."`
}

type grantsOutput struct{ Body api.Page[View] }

// routes joins the service with what only the edge needs.
type routes struct {
	*Service
	signer cursor.Signer
}

// GrantRoutes adds the operations on grants.
func GrantRoutes(edge *api.API, service *Service, signer cursor.Signer) {
	r := routes{service, signer}
	r.grants(edge)
	r.bulk(edge)
}

// granting are the refusals of a grant.
var granting = []fault.Code{fault.SubjectNotFound, fault.PermissionUnknown, fault.PermissionUnfit, fault.PermissionNotInGroup, fault.GroupNotFound, fault.RoleNotFound,
	fault.GrantUnclear, fault.GrantExceeds, fault.KeyNotActive, fault.TooMany, fault.AppDeleted}

func (r routes) grants(edge *api.API) {
	api.Register(edge, api.Operation{
		ID: "create-grant", Method: http.MethodPost, Path: "/grants", Tag: "Authorization", Status: http.StatusCreated,
		Summary: "Grant or deny a role or permissions", Permission: authz.GrantsManage,
		Description: "In force when it is answered: for the next request, the next frame, and open sockets. What is denied is denied whatever else allows it. " +
			"Nobody gives what they do not have themselves and for good; what a user has for its own data only, it gives to users only, and what somebody is denied in a group, they do not give for the whole app.",
		Errors: append([]fault.Code{fault.IdempotencyConflict}, granting...),
	}, r.create)
	api.Register(edge, api.Operation{
		ID: "list-grants", Method: http.MethodGet, Path: "/grants", Tag: "Authorization", Status: http.StatusOK,
		Summary: "List the grants", Permission: authz.GrantsRead, Errors: []fault.Code{fault.CursorInvalid, fault.RoleNotFound},
		Description: "Grants of a deleted role are listed until they are revoked, with ended: role_deleted. A page may be short before the end: follow next_cursor.",
	}, r.list)
	api.Register(edge, api.Operation{
		ID: "get-grant", Method: http.MethodGet, Path: "/grants/{id}", Tag: "Authorization", Status: http.StatusOK,
		Summary: "Show a grant", Permission: authz.GrantsRead, Errors: []fault.Code{fault.GrantNotFound},
	}, r.show)
	api.Register(edge, api.Operation{
		ID: "revoke-grant", Method: http.MethodDelete, Path: "/grants/{id}", Tag: "Authorization", Status: http.StatusOK,
		Summary: "Revoke a grant", Permission: authz.GrantsManage,
		Description: "In force when it is answered. Revoking again changes nothing. A denial is revoked by those only who have what it denies.",
		Errors:      []fault.Code{fault.GrantNotFound, fault.GrantExceeds, fault.AppDeleted},
	}, r.end)
}

func (r routes) create(ctx context.Context, caller authz.Caller, in *grantInput) (*grantOutput, error) {
	made, err := r.Grant(ctx, caller, in.Body.wish(in.IdempotencyKey.IdempotencyKey))
	return r.shown(ctx, caller, made, err)
}

func (r routes) shown(ctx context.Context, caller authz.Caller, grant Grant, err error) (*grantOutput, error) {
	if err != nil {
		return nil, err
	}
	views, err := r.views(ctx, caller.App, grant)
	if err != nil {
		return nil, err
	}
	return &grantOutput{Body: views[0]}, nil
}

func (r routes) show(ctx context.Context, caller authz.Caller, in *oneGrantInput) (*grantOutput, error) {
	found, err := r.Find(ctx, caller.App, id.Grant(in.ID))
	return r.shown(ctx, caller, found, err)
}

func (r routes) end(ctx context.Context, caller authz.Caller, in *revokeInput) (*grantOutput, error) {
	revoked, err := r.Revoke(ctx, caller, id.Grant(in.ID), in.Reason)
	return r.shown(ctx, caller, revoked, err)
}

func (r routes) list(ctx context.Context, caller authz.Caller, in *listInput) (*grantsOutput, error) {
	filter := Filter{Subject: in.Subject, Ended: in.Ended, Now: r.Clock.Now()}
	var unknown error
	if in.Role != "" {
		role, err := r.Service.Role(ctx, caller.App, in.Role)
		if fault.Is(err, fault.RoleNotFound) && id.IsRole(in.Role) { // if it was deleted, its grants are there
			role.ID, unknown, err = authz.Role(in.Role), err, nil
		}
		if err != nil {
			return nil, err
		}
		filter.Role = role.ID
	}
	list := strings.Join([]string{"grants", in.Subject, string(filter.Role)}, " ")
	page, err := api.Paged(ctx, r.signer, caller.App, list, in.Cursor, func(position string) ([]View, string, error) {
		grants, next, err := r.Store.List(ctx, caller.App, filter, position, in.Limit)
		if err != nil {
			return nil, "", err
		}
		views, err := r.views(ctx, caller.App, grants...)
		return views, next, err
	})
	if err == nil && in.Cursor == "" && page.NextCursor == "" && len(page.Items) == 0 {
		err = unknown
	}
	return &grantsOutput{Body: page}, err
}
