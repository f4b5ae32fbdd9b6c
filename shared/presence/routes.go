package presence

import (
	"context"
	"net/http"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// UserPresences are the presence of several users.
type UserPresences struct {
	Items []UserPresence `json:"items" nullable:"false" maxItems:"1000" doc:"One for each user, in the order asked."`
}

type getInput struct {
	ID string `path:"id" doc:"The user's ID or username."`
}

type itemOutput struct{ Body UserPresence }

// Target implements api.Named.
func (o *itemOutput) Target() string {
	if o == nil {
		return ""
	}
	return string(o.Body.UserID)
}

type queryInput struct {
	Body struct {
		api.KeyInBody
		Users []string `json:"users" nullable:"false" minItems:"1" maxItems:"1000" doc:"The users' IDs." example:"[\"u_4oKyQ1F8aXbT0mJ2cLw7Zr\"]"`
	}
}

type itemsOutput struct{ Body UserPresences }

type hideInput struct {
	ID   string `path:"id" doc:"The user's ID."`
	Body struct {
		api.KeyInBody
		Hidden bool `json:"hidden" doc:"Whether other users are shown the user as offline." example:"true"`
	}
}

// Routes adds the operations on presence.
func Routes(edge *api.API, service *Service) {
	api.Register(edge, api.Operation{
		ID: "get-presence", Method: http.MethodGet, Path: "/presence/{id}", Tag: "Presence", Status: http.StatusOK,
		Summary: "Tell whether a user is online", Recorded: true, Permission: authz.PresenceRead,
		Errors: []fault.Code{fault.UserNotFound},
	}, func(ctx context.Context, caller authz.Caller, in *getInput) (*itemOutput, error) {
		item, err := service.Get(ctx, caller.App, viewer(caller), in.ID)
		return &itemOutput{Body: item}, err
	})
	api.Register(edge, api.Operation{
		ID: "query-presence", Method: http.MethodPost, Path: "/presence/query", Tag: "Presence", Status: http.StatusOK,
		Summary: "Tell which of many users are online", Recorded: true, Permission: authz.PresenceRead,
		Description: "In the order asked. What is no user of the app has the status unknown.",
	}, func(ctx context.Context, caller authz.Caller, in *queryInput) (*itemsOutput, error) {
		items, err := service.Query(ctx, caller.App, viewer(caller), in.Body.Users)
		return &itemsOutput{Body: UserPresences{items}}, err
	})
	api.Register(edge, api.Operation{
		ID: "hide-presence", Method: http.MethodPut, Path: "/users/{id}/presence", Tag: "Presence", Status: http.StatusOK,
		Summary: "Hide a user's presence, or show it", Permission: authz.PresenceManage, Actor: api.ActorInPath("id"),
		Description: "A hidden user is shown as offline, without last_seen, to other users; as it is to itself and to applications.",
		Errors:      []fault.Code{fault.UserNotFound, fault.NotYourself},
	}, func(ctx context.Context, caller authz.Caller, in *hideInput) (*itemOutput, error) {
		item, err := service.SetHidden(ctx, caller.App, caller.User, in.Body.Hidden)
		return &itemOutput{Body: item}, err
	})
}

// viewer is the end user who asks, "" for an application.
func viewer(caller authz.Caller) id.User {
	if caller.EndUser {
		return caller.User
	}
	return ""
}
