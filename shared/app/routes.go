package app

import (
	"context"
	"net/http"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// Tenant is an app on the wire.
type Tenant struct {
	AppID          string     `json:"app_id" doc:"The app's ID." example:"app_4oKyQ1F8aXbT0mJ2"`
	Name           string     `json:"name" doc:"A name for people." example:"Chat"`
	AllowedOrigins []string   `json:"allowed_origins" nullable:"false" doc:"The web origins whose pages may open sockets."`
	BlockedSenders string     `json:"blocked_senders" doc:"What becomes of a message to a user who has blocked its sender: tell refuses it with the code blocked; accept_silently stores it for its sender alone." example:"tell"`
	EditWindow     *int64     `json:"edit_window,omitempty" doc:"For how many seconds users can edit what they have sent; absent for a day." example:"900"`
	RecallWindow   *int64     `json:"recall_window,omitempty" doc:"For how many seconds users can recall what they have sent; absent for two days." example:"900"`
	CreatedAt      time.Time  `json:"created_at" doc:"When it was made."`
	DeletedAt      *time.Time `json:"deleted_at,omitempty" doc:"When it was deleted."`
	EraseAt        *time.Time `json:"erase_at,omitempty" doc:"When everything that it has is erased; until then it can be restored."`
}

type createAppInput struct {
	api.IdempotencyKey
	Body struct {
		Name           string   `json:"name" minLength:"1" maxLength:"64" doc:"A name for people." example:"Chat"`
		AllowedOrigins []string `json:"allowed_origins,omitempty" nullable:"false" maxItems:"20" doc:"The web origins whose pages may open sockets: https, or http on localhost, where the port may be \"*\"." example:"[\"https://chat.example.com\"]"`
	}
}

type changeAppInput struct {
	ID   string `path:"id" doc:"The app's ID."`
	Body struct {
		Name           *string  `json:"name,omitempty" minLength:"1" maxLength:"64" doc:"Another name." example:"Chat"`
		AllowedOrigins []string `json:"allowed_origins,omitempty" nullable:"false" maxItems:"20" doc:"The web origins in place of those that stand there." example:"[\"https://chat.example.com\"]"`
		BlockedSenders string   `json:"blocked_senders,omitempty" enum:"tell,accept_silently" doc:"What becomes of a message to a user who has blocked its sender: tell refuses it with the code blocked; accept_silently stores it for its sender alone." example:"accept_silently"`
		EditWindow     *int64   `json:"edit_window,omitempty" minimum:"0" maximum:"315360000" doc:"For how many seconds users can edit what they have sent, up to ten years; 0 for not at all." example:"900"`
		RecallWindow   *int64   `json:"recall_window,omitempty" minimum:"0" maximum:"315360000" doc:"For how many seconds users can recall what they have sent, up to ten years; 0 for not at all." example:"900"`
	}
}

type appInput struct {
	ID string `path:"id" doc:"The app's ID."`
}

type endAppInput struct {
	ID     string `path:"id" doc:"The app's ID."`
	Reason string `query:"reason" maxLength:"500" doc:"Why, for the records."`
}

type tenantOutput struct{ Body Tenant }

type appsOutput struct{ Body api.Page[Tenant] }

// Routes adds the operations on apps. Their callers are developers.
func Routes(edge *api.API, service *Service, signer cursor.Signer) {
	api.Register(edge, api.Operation{
		ID: "create-app", Method: http.MethodPost, Path: "/apps", Tag: "Apps", Status: http.StatusCreated,
		Summary: "Create an app", Permission: authz.AppsManage,
		Description: "An app is a tenant: nothing outside it sees into it. A repeated request with the same Idempotency-Key gets the app of the first.",
		Errors:      []fault.Code{fault.OriginInvalid, fault.TooMany, fault.IdempotencyConflict},
	}, service.create)
	api.Register(edge, api.Operation{
		ID: "list-apps", Method: http.MethodGet, Path: "/apps", Tag: "Apps", Status: http.StatusOK,
		Summary: "List the apps", Permission: authz.AppsRead, Errors: []fault.Code{fault.CursorInvalid},
	}, func(ctx context.Context, caller authz.Caller, in *api.PageQuery) (*appsOutput, error) {
		return service.list(ctx, caller, signer, in)
	})
	api.Register(edge, api.Operation{
		ID: "get-app", Method: http.MethodGet, Path: "/apps/{id}", Tag: "Apps", Status: http.StatusOK,
		Summary: "Look up an app", Permission: authz.AppsRead, Errors: []fault.Code{fault.AppNotFound},
	}, service.get)
	api.Register(edge, api.Operation{
		ID: "change-app", Method: http.MethodPatch, Path: "/apps/{id}", Tag: "Apps", Status: http.StatusOK,
		Summary: "Change an app's settings", Permission: authz.AppsManage,
		Errors: []fault.Code{fault.OriginInvalid, fault.AppNotFound, fault.AppDeleted},
	}, service.change)
	api.Register(edge, api.Operation{
		ID: "delete-app", Method: http.MethodDelete, Path: "/apps/{id}", Tag: "Apps", Status: http.StatusOK,
		Summary: "Delete an app", Permission: authz.AppsManage,
		Description: "Its keys are refused at once and its sockets closed. At erase_at everything that it has is erased; until then it can be restored. " +
			"Repeating the request does not move erase_at.",
		Errors: []fault.Code{fault.StepUpRequired, fault.AppNotFound},
	}, service.delete)
	api.Register(edge, api.Operation{
		ID: "restore-app", Method: http.MethodPost, Path: "/apps/{id}/restore", Tag: "Apps", Status: http.StatusOK,
		Summary: "Restore a deleted app", Permission: authz.AppsManage,
		Description: "Its keys work again as before. Sockets were closed; clients open new ones.",
		Errors:      []fault.Code{fault.AppNotFound, fault.AppNotDeleted},
	}, service.restore)
}

func (s *Service) create(ctx context.Context, caller authz.Caller, in *createAppInput) (*tenantOutput, error) {
	settings := Settings{Name: in.Body.Name, Origins: in.Body.AllowedOrigins}
	return answer(s.Create(ctx, caller.Account, settings, in.IdempotencyKey.IdempotencyKey, record.By(caller, "")))
}

func (s *Service) list(ctx context.Context, caller authz.Caller, signer cursor.Signer, in *api.PageQuery) (*appsOutput, error) {
	// The list is an account's, not an app's, so the account stands in its name and the platform's own secret signs it.
	list := "apps of " + string(caller.Account)
	page, err := api.Paged(ctx, signer, id.Platform(), list, in.Cursor, func(after string) ([]Tenant, string, error) {
		apps, next, err := s.Store.List(ctx, caller.Account, after, in.Limit)
		var tenants []Tenant
		for _, app := range apps {
			tenants = append(tenants, app.tenant())
		}
		return tenants, next, err
	})
	return &appsOutput{Body: page}, err
}

func (s *Service) get(ctx context.Context, caller authz.Caller, in *appInput) (*tenantOutput, error) {
	return answer(s.Find(ctx, caller.Account, in.ID))
}

func (s *Service) change(ctx context.Context, caller authz.Caller, in *changeAppInput) (*tenantOutput, error) {
	change := Change{Name: in.Body.Name, Origins: in.Body.AllowedOrigins, EditWindow: in.Body.EditWindow, RecallWindow: in.Body.RecallWindow}
	if wish := in.Body.BlockedSenders; wish != "" {
		silent := wish == acceptSilently
		change.SilentBlocks = &silent
	}
	return answer(s.Change(ctx, caller.Account, in.ID, change, record.By(caller, "")))
}

func (s *Service) delete(ctx context.Context, caller authz.Caller, in *endAppInput) (*tenantOutput, error) {
	if err := caller.RequireConfirmed(s.Clock.Now()); err != nil {
		return nil, err
	}
	return answer(s.Delete(ctx, caller.Account, in.ID, record.By(caller, in.Reason)))
}

func (s *Service) restore(ctx context.Context, caller authz.Caller, in *appInput) (*tenantOutput, error) {
	return answer(s.Restore(ctx, caller.Account, in.ID, record.By(caller, "")))
}

func answer(app App, err error) (*tenantOutput, error) {
	if err != nil {
		return nil, err
	}
	return &tenantOutput{Body: app.tenant()}, nil
}

// What may become of messages from blocked senders, on the wire.
const (
	tell           = "tell"
	acceptSilently = "accept_silently"
)

func (a App) blockedSenders() string {
	if a.SilentBlocks {
		return acceptSilently
	}
	return tell
}

func (a App) tenant() Tenant {
	optional := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	origins := a.Origins
	if origins == nil {
		origins = []string{}
	}
	return Tenant{AppID: a.ID.String(), Name: a.Name, AllowedOrigins: origins, BlockedSenders: a.blockedSenders(),
		EditWindow: a.EditWindow, RecallWindow: a.RecallWindow, CreatedAt: a.CreatedAt,
		DeletedAt: optional(a.DeletedAt), EraseAt: optional(a.EraseAt)}
}
