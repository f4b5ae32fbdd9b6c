package access

import (
	"context"
	"net/http"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
)

type rolesOutput struct {
	Body struct {
		Items []RoleView `json:"items" nullable:"false" doc:"The built-in roles, then the app's own."`
	}
}

type roleOutput struct{ Body RoleView }

type createRoleInput struct {
	api.IdempotencyKey
	Body struct {
		api.KeyInBody
		Name        string   `json:"name" minLength:"1" maxLength:"64" doc:"A name, unique among the app's roles and the built-in ones; it can stand for the ID. Not . or .. and without /, and no blank begins or ends it." example:"support"`
		Description string   `json:"description,omitempty" maxLength:"500" doc:"What it is for."`
		Permissions []string `json:"permissions" maxItems:"64" nullable:"false" doc:"What it allows." example:"[\"users:list\",\"users:read\"]"`
		Denied      []string `json:"denied,omitempty" maxItems:"64" nullable:"false" doc:"What it denies, whatever else allows it."`
		Reason      string   `json:"reason,omitempty" maxLength:"500" doc:"Why, for the records."`
	}
}

type changeRoleInput struct {
	ID   string `path:"id" doc:"The role's ID or name."`
	Body struct {
		api.KeyInBody
		Name        *string  `json:"name,omitempty" minLength:"1" maxLength:"64" doc:"Another name."`
		Description *string  `json:"description,omitempty" maxLength:"500" doc:"What it is for."`
		Permissions []string `json:"permissions,omitempty" maxItems:"64" nullable:"false" doc:"What it allows from now on; absent for as before."`
		Denied      []string `json:"denied,omitempty" maxItems:"64" nullable:"false" doc:"What it denies from now on; absent for as before."`
		Reason      string   `json:"reason,omitempty" maxLength:"500" doc:"Why, for the records."`
	}
}

type roleInput struct {
	ID string `path:"id" doc:"The role's ID or name."`
}

type deleteRoleInput struct {
	ID string `path:"id" doc:"The role's ID or name."`
	ReasonQuery
}

type defaultsOutput struct {
	Body struct {
		Roles []authz.Role `json:"roles" nullable:"false" doc:"The roles that every user has, by ID."`
	}
}

type setDefaultsInput struct {
	Body struct {
		api.KeyInBody
		Roles  []string `json:"roles" maxItems:"10" nullable:"false" doc:"The roles that every user shall have, by ID or name; empty for none: then users may do only what they are granted." example:"[\"member\"]"`
		Reason string   `json:"reason,omitempty" maxLength:"500" doc:"Why, for the records."`
	}
}

type permissionsOutput struct {
	Body struct {
		Items []permissionView `json:"items" nullable:"false" doc:"The permissions."`
	}
}

// permissionView is a permission on the wire.
type permissionView struct {
	Permission  authz.Permission `json:"permission" doc:"Its name."`
	Description string           `json:"description" doc:"What it allows, in the language of Accept-Language."`
	Holders     []string         `json:"holders" nullable:"false" doc:"Who can have it: developers, keys, users."`
	Beyond      bool             `json:"beyond_own_data" doc:"Whether a user's token has it only where the key that minted it has it too."`
	InGroup     bool             `json:"in_group" doc:"Whether it can be granted and denied in one group."`
	Roles       []authz.Role     `json:"roles" nullable:"false" doc:"The built-in roles that have it."`
}

type emptyInput struct{}

// RoleRoutes adds the operations on permissions, roles, and what every user has.
func RoleRoutes(edge *api.API, service *Service) {
	r := routes{Service: service}
	route := func(name, method, path, summary string, permission authz.Permission, errors ...fault.Code) api.Operation {
		return api.Operation{ID: name, Method: method, Path: path, Tag: "Authorization", Status: http.StatusOK, Summary: summary,
			Permission: permission, Errors: errors}
	}
	api.Register(edge, route("list-permissions", http.MethodGet, "/permissions", "List the permissions there are", authz.Public), r.permissions)
	api.Register(edge, route("list-roles", http.MethodGet, "/roles", "List the roles", authz.RolesRead), r.listRoles)
	create := route("create-role", http.MethodPost, "/roles", "Create a role", authz.RolesManage, fault.PermissionUnknown, fault.PermissionUnfit,
		fault.RoleNameTaken, fault.TooMany, fault.GrantExceeds, fault.IdempotencyConflict, fault.AppDeleted)
	create.Status = http.StatusCreated
	api.Register(edge, create, r.createRole)
	api.Register(edge, route("get-role", http.MethodGet, "/roles/{id}", "Show a role", authz.RolesRead, fault.RoleNotFound), r.getRole)
	change := route("update-role", http.MethodPatch, "/roles/{id}", "Change a role", authz.RolesManage, fault.RoleNotFound, fault.RoleBuiltIn,
		fault.PermissionUnknown, fault.PermissionUnfit, fault.RoleNameTaken, fault.GrantExceeds, fault.AppDeleted)
	change.Description = "For everybody who has it, and in force when it is answered."
	api.Register(edge, change, r.changeRole)
	remove := route("delete-role", http.MethodDelete, "/roles/{id}", "Delete a role", authz.RolesManage, fault.RoleNotFound, fault.RoleBuiltIn,
		fault.GrantExceeds, fault.AppDeleted)
	remove.Description = "Grants of it give nothing any more; they are listed, with ended: role_deleted, until they are revoked."
	api.Register(edge, remove, r.deleteRole)
	api.Register(edge, route("get-defaults", http.MethodGet, "/authorizations/defaults", "Show which roles every user has", authz.RolesRead), r.defaults)
	defaults := route("set-defaults", http.MethodPut, "/authorizations/defaults", "Say which roles every user has", authz.RolesManage,
		fault.RoleNotFound, fault.GrantExceeds, fault.AppDeleted)
	defaults.Description = "It is member until an app says otherwise. In force when it is answered."
	api.Register(edge, defaults, r.setDefaults)
}

func (r routes) permissions(ctx context.Context, _ authz.Caller, _ *emptyInput) (*permissionsOutput, error) {
	out := &permissionsOutput{}
	for _, entry := range authz.Catalogue {
		text := fault.Text{EN: entry.EN, ZH: entry.ZH}
		view := permissionView{Permission: entry.Permission, Description: text.In(api.LanguageOf(ctx)), Beyond: entry.Beyond && entry.Holders&authz.Users != 0,
			Holders: []string{}, InGroup: entry.InGroup(), Roles: entry.Roles}
		for _, holder := range []struct {
			kind authz.Kind
			name string
		}{{authz.Developers, "developers"}, {authz.Keys, "keys"}, {authz.Users, "users"}} {
			if entry.Holders&holder.kind != 0 {
				view.Holders = append(view.Holders, holder.name)
			}
		}
		out.Body.Items = append(out.Body.Items, view)
	}
	return out, nil
}

func (r routes) listRoles(ctx context.Context, caller authz.Caller, _ *emptyInput) (*rolesOutput, error) {
	own, err := r.Service.Roles(ctx, caller.App)
	out := &rolesOutput{}
	for _, role := range authz.BuiltIns {
		out.Body.Items = append(out.Body.Items, builtIn(role.Role).View())
	}
	for _, role := range own {
		out.Body.Items = append(out.Body.Items, role.View())
	}
	return out, err
}

func (r routes) createRole(ctx context.Context, caller authz.Caller, in *createRoleInput) (*roleOutput, error) {
	return shownRole(r.CreateRole(ctx, caller, RoleWish{Name: &in.Body.Name, Description: &in.Body.Description, Permissions: in.Body.Permissions,
		Denied: in.Body.Denied, Reason: in.Body.Reason, IdempotencyKey: in.IdempotencyKey.IdempotencyKey}))
}

func (r routes) getRole(ctx context.Context, caller authz.Caller, in *roleInput) (*roleOutput, error) {
	return shownRole(r.Service.Role(ctx, caller.App, in.ID))
}

func (r routes) changeRole(ctx context.Context, caller authz.Caller, in *changeRoleInput) (*roleOutput, error) {
	return shownRole(r.ChangeRole(ctx, caller, in.ID, RoleWish{Name: in.Body.Name, Description: in.Body.Description,
		Permissions: in.Body.Permissions, Denied: in.Body.Denied, Reason: in.Body.Reason}))
}

func (r routes) deleteRole(ctx context.Context, caller authz.Caller, in *deleteRoleInput) (*roleOutput, error) {
	return shownRole(r.DeleteRole(ctx, caller, in.ID, in.Reason))
}

func shownRole(role Role, err error) (*roleOutput, error) {
	if err != nil {
		return nil, err
	}
	return &roleOutput{Body: role.View()}, nil
}

func (r routes) defaults(ctx context.Context, caller authz.Caller, _ *emptyInput) (*defaultsOutput, error) {
	return shownDefaults(r.Defaults(ctx, caller.App))
}

func (r routes) setDefaults(ctx context.Context, caller authz.Caller, in *setDefaultsInput) (*defaultsOutput, error) {
	return shownDefaults(r.SetDefaults(ctx, caller, in.Body.Roles, in.Body.Reason))
}

func shownDefaults(roles []authz.Role, err error) (*defaultsOutput, error) {
	out := &defaultsOutput{}
	out.Body.Roles = append([]authz.Role{}, roles...)
	return out, err
}
