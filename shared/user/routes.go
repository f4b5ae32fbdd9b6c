package user

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/record"
)

// Profile is a user on the wire.
type Profile struct {
	UserID    id.User   `json:"user_id" doc:"The user's ID." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Username  string    `json:"username" doc:"The user's name." example:"ann"`
	CreatedAt time.Time `json:"created_at" doc:"When the user was registered."`
	// What a user need not have is absent where it has none.
	Name          string                     `json:"name,omitempty" doc:"The name that is shown to people; absent where the user has set none." example:"Ann of the Mill"`
	Avatar        string                     `json:"avatar,omitempty" doc:"The address of its picture."`
	Custom        map[string]json.RawMessage `json:"custom,omitempty" nullable:"false" doc:"The app's own members."`
	DeactivatedAt *time.Time                 `json:"deactivated_at,omitempty" doc:"When the user was deactivated; absent for an active one."`
}

type registerInput struct {
	api.IdempotencyKey
	Body struct {
		api.KeyInBody
		Username string `json:"username" doc:"A name in any script: a PRECIS username (RFC 8265) of at most 64 bytes of UTF-8." example:"ann"`
	}
}

type profileOutput struct{ Body Profile }

// Target implements api.Named.
func (o *profileOutput) Target() string {
	if o == nil {
		return ""
	}
	return string(o.Body.UserID)
}

type listOutput struct{ Body api.Page[Profile] }

type getInput struct {
	ID string `path:"id" doc:"The user's ID or username."`
}

type listInput struct {
	api.PageQuery
	Prefix string `query:"prefix" maxLength:"64" doc:"How the usernames begin, in any case; all users where absent." example:"an"`
}

type changeInput struct {
	ID   string `path:"id" doc:"The user's ID or username."`
	Body struct {
		api.KeyInBody
		Username *string                    `json:"username,omitempty" doc:"Another username; the old one is free then." example:"anna"`
		Name     *string                    `json:"name,omitempty" maxLength:"128" doc:"The name that is shown to people; at most 128 bytes of UTF-8, empty for none." example:"Ann of the Mill"`
		Avatar   *string                    `json:"avatar,omitempty" maxLength:"1024" doc:"The address of its picture, http, https or a path; at most 1024 bytes." example:"https://example.com/ann.png"`
		Custom   map[string]json.RawMessage `json:"custom,omitempty" nullable:"false" doc:"Members of your own, in place of those before; at most 2048 bytes of JSON."`
	}
}

type stateInput struct {
	ID   string `path:"id" doc:"The user's ID or username."`
	Body *api.KeyInBody
}

// Routes adds the operations on users.
func Routes(edge *api.API, service *Service, signer cursor.Signer) {
	api.Register(edge, api.Operation{
		ID: "register", Method: http.MethodPost, Path: "/register", Tag: "Users", Status: http.StatusCreated,
		Summary: "Register a user", Permission: authz.UsersRegister,
		Errors: []fault.Code{fault.UsernameInvalid, fault.UsernameReserved, fault.UsernameTaken, fault.IdempotencyConflict},
	}, service.register)
	api.Register(edge, api.Operation{
		ID: "list-users", Method: http.MethodGet, Path: "/users", Tag: "Users", Status: http.StatusOK,
		Summary: "List the users by name, all or those whose names begin alike", Recorded: true, Permission: authz.UsersList, Errors: []fault.Code{fault.CursorInvalid},
	}, func(ctx context.Context, caller authz.Caller, in *listInput) (*listOutput, error) {
		return service.list(ctx, caller, signer, in)
	})
	api.Register(edge, api.Operation{
		ID: "get-user", Method: http.MethodGet, Path: "/users/{id}", Tag: "Users", Status: http.StatusOK,
		Summary: "Look up a user", Recorded: true, Permission: authz.UsersRead, Errors: []fault.Code{fault.UserNotFound},
	}, service.get)
	api.Register(edge, api.Operation{
		ID: "update-user", Method: http.MethodPatch, Path: "/users/{id}", Tag: "Users", Status: http.StatusOK,
		Summary: "Change a user's username and profile", Permission: authz.UsersEdit, ForAny: authz.UsersManage, Actor: api.ActorInPath("id"),
		Description: "A user changes itself. What is not named stays.",
		Errors:      []fault.Code{fault.UserNotFound, fault.NotYourself, fault.UsernameInvalid, fault.UsernameReserved, fault.UsernameTaken},
	}, service.change)
	service.states(edge)
	service.blocks(edge, signer)
}

// states adds what makes users active or not.
func (s *Service) states(edge *api.API) {
	for _, to := range []struct {
		active                bool
		action, summary, more string
	}{
		{false, "deactivate", "Deactivate a user", "Its sockets are closed and its tokens void for good, nobody acts for it, and nothing is sent to it. What it wrote stays. Deactivating again changes nothing."},
		{true, "reactivate", "Reactivate a user", "It needs new tokens. Reactivating an active user changes nothing."},
	} {
		api.Register(edge, api.Operation{
			ID: to.action + "-user", Method: http.MethodPost, Path: "/users/{id}/" + to.action, Tag: "Users", Status: http.StatusOK,
			Summary: to.summary, Description: to.more, Permission: authz.UsersManage, Errors: []fault.Code{fault.UserNotFound},
		}, func(ctx context.Context, caller authz.Caller, in *stateInput) (*profileOutput, error) {
			return s.setActive(ctx, caller, in.ID, to.active)
		})
	}
}

func (s *Service) register(ctx context.Context, caller authz.Caller, in *registerInput) (*profileOutput, error) {
	user, err := s.Register(ctx, caller.App, in.Body.Username, in.IdempotencyKey.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	shown, err := s.show(ctx, caller.App, user)
	return &profileOutput{Body: shown}, err
}

func (s *Service) setActive(ctx context.Context, caller authz.Caller, idOrName string, active bool) (*profileOutput, error) {
	userID, err := s.Resolve(ctx, caller.App, idOrName, "id")
	if err != nil {
		return nil, err
	}
	after, err := s.SetActive(ctx, caller.App, userID, active, record.By(caller, ""))
	if err != nil {
		return nil, err
	}
	shown, err := s.show(ctx, caller.App, after)
	return &profileOutput{Body: shown}, err
}

// show reads what the user shows of itself. The read is strong: the cheap one may miss what was set just now.
func (s *Service) show(ctx context.Context, app id.App, user User) (Profile, error) {
	set, err := s.Profiles(ctx, app, true, user)
	return user.profile(set[user.ID]), err
}

func (s *Service) change(ctx context.Context, caller authz.Caller, in *changeInput) (*profileOutput, error) {
	userID, err := s.Resolve(ctx, caller.App, in.ID, "id")
	if err != nil {
		return nil, err
	}
	user, shown, err := s.Change(ctx, caller.App, userID, Wish{Username: in.Body.Username,
		Wish: profile.Wish{Name: in.Body.Name, Avatar: in.Body.Avatar, Custom: in.Body.Custom}})
	if err != nil {
		return nil, err
	}
	return &profileOutput{Body: user.profile(shown)}, nil
}

func (s *Service) list(ctx context.Context, caller authz.Caller, signer cursor.Signer, in *listInput) (*listOutput, error) {
	prefix, err := ParsePrefix(in.Prefix)
	if err != nil {
		return nil, err
	}
	page, err := api.Paged(ctx, signer, caller.App, strings.TrimSpace("users "+prefix), in.Cursor, func(after string) ([]Profile, string, error) {
		users, next, err := s.Store.List(ctx, caller.App, prefix, after, in.Limit)
		if err != nil {
			return nil, "", err
		}
		set, err := s.Profiles(ctx, caller.App, false, users...)
		var profiles []Profile
		for _, user := range users {
			profiles = append(profiles, user.profile(set[user.ID]))
		}
		return profiles, next, err
	})
	return &listOutput{Body: page}, err
}

func (s *Service) get(ctx context.Context, caller authz.Caller, in *getInput) (*profileOutput, error) {
	userID, err := s.Resolve(ctx, caller.App, in.ID, "id")
	if err != nil {
		return nil, err
	}
	user, err := s.Get(ctx, caller.App, string(userID), "id")
	if err != nil {
		return nil, err
	}
	shown, err := s.show(ctx, caller.App, user)
	return &profileOutput{Body: shown}, err
}

// profile returns the user as it is shown.
func (u User) profile(set profile.Profile) Profile {
	shown := Profile{UserID: u.ID, Username: u.Username, CreatedAt: u.CreatedAt, Name: set.Name, Avatar: set.Avatar}
	if own := set.Members(); own != nil {
		_ = json.Unmarshal(own, &shown.Custom) // it was an object when it was stored
	}
	if u.Deactivated() {
		shown.DeactivatedAt = &u.DeactivatedAt
	}
	return shown
}
