package user

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

// Profile is a user on the wire.
type Profile struct {
	UserID    id.User   `json:"user_id" doc:"The user's ID." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Username  string    `json:"username" doc:"The user's name." example:"ann"`
	CreatedAt time.Time `json:"created_at" doc:"When the user was registered."`
}

type registerInput struct {
	api.IdempotencyKey
	Body struct {
		api.KeyInBody
		Username string `json:"username" doc:"A name in any script: a PRECIS username (RFC 8265) of at most 64 bytes of UTF-8." example:"ann"`
	}
}

type profileOutput struct{ Body Profile }

type listOutput struct{ Body api.Page[Profile] }

type getInput struct {
	ID string `path:"id" doc:"The user's ID or username."`
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
		Summary: "List the users by name", Recorded: true, Permission: authz.UsersList, Errors: []fault.Code{fault.CursorInvalid},
	}, func(ctx context.Context, caller authz.Caller, in *api.PageQuery) (*listOutput, error) {
		return service.list(ctx, caller, signer, in)
	})
	api.Register(edge, api.Operation{
		ID: "get-user", Method: http.MethodGet, Path: "/users/{id}", Tag: "Users", Status: http.StatusOK,
		Summary: "Look up a user", Recorded: true, Permission: authz.UsersRead, Errors: []fault.Code{fault.UserNotFound},
	}, service.get)
}

func (s *Service) register(ctx context.Context, caller authz.Caller, in *registerInput) (*profileOutput, error) {
	user, err := s.Register(ctx, caller.App, in.Body.Username, in.IdempotencyKey.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return &profileOutput{Body: user.profile()}, nil
}

func (s *Service) list(ctx context.Context, caller authz.Caller, signer cursor.Signer, in *api.PageQuery) (*listOutput, error) {
	page, err := api.Paged(ctx, signer, caller.App, "users", in.Cursor, func(after string) ([]Profile, string, error) {
		users, next, err := s.Store.List(ctx, caller.App, after, in.Limit)
		var profiles []Profile
		for _, user := range users {
			profiles = append(profiles, user.profile())
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
	return &profileOutput{Body: user.profile()}, nil
}

func (u User) profile() Profile {
	return Profile{UserID: u.ID, Username: u.Username, CreatedAt: u.CreatedAt}
}
