package erase

import (
	"context"
	"net/http"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// UserErasure is a receipt on the wire.
type UserErasure struct {
	UserID      id.User        `json:"user_id" doc:"The user's ID, which nobody ever has again." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Status      string         `json:"status" doc:"erasing, or erased when nothing is left and the username is free." example:"erased"`
	RequestedAt time.Time      `json:"requested_at" doc:"When the user was deleted: since then there is no such user."`
	ErasedAt    *time.Time     `json:"erased_at,omitempty" doc:"When the last of what it had was removed; absent until then."`
	Erased      map[string]int `json:"erased" doc:"About how many were removed so far: groups left, conversations, messages that are nobody's any more and what its own log told, removals of messages for itself, connections, grants, blocks, profiles, names."`
}

type deleteInput struct {
	ID string `path:"id" doc:"The user's ID or username."`
}

type receiptInput struct {
	ID id.User `path:"id" doc:"The ID of the user who was deleted."`
}

type erasureOutput struct{ Body UserErasure }

// Routes adds the operations that delete users.
func Routes(edge *api.API, deleter *Deleter) {
	api.Register(edge, api.Operation{
		ID: "delete-user", Method: http.MethodDelete, Path: "/users/{id}", Tag: "Users", Status: http.StatusAccepted,
		Summary: "Delete a user and erase what is its own", Permission: authz.UsersEdit, ForAny: authz.UsersManage, Actor: api.ActorInPath("id"),
		Description: "At once there is no such user: its tokens are refused, its sockets closed, what is sent to it is user_not_found. Within minutes its profile, username, grants, blocks, connections and conversations are gone, " +
			"and it has left its groups; one that it owned goes to the admin who has been in it longest, else to the member, to a deactivated one only where all are, and is dismissed where nobody else is in it. " +
			"What it wrote to others stays theirs, under its bare ID. Deleting again returns the same receipt.",
		Errors: []fault.Code{fault.UserNotFound, fault.NotYourself},
	}, func(ctx context.Context, caller authz.Caller, in *deleteInput) (*erasureOutput, error) {
		return shown(deleter.Delete(ctx, caller.App, in.ID, record.By(caller, "")))
	})
	api.Register(edge, api.Operation{
		ID: "get-erasure", Method: http.MethodGet, Path: "/users/{id}/erasure", Tag: "Users", Status: http.StatusOK,
		Summary: "Show what was erased of a deleted user", Permission: authz.UsersManage, Errors: []fault.Code{fault.UserNotFound},
	}, func(ctx context.Context, caller authz.Caller, in *receiptInput) (*erasureOutput, error) {
		return shown(deleter.Find(ctx, caller.App, in.ID))
	})
}

func shown(receipt Receipt, err error) (*erasureOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &erasureOutput{Body: UserErasure{UserID: receipt.User, Status: "erasing", RequestedAt: receipt.RequestedAt, Erased: map[string]int{}}}
	for kind, count := range receipt.Rows {
		out.Body.Erased[kind] = count
	}
	if !receipt.ErasedAt.IsZero() {
		out.Body.Status, out.Body.ErasedAt = "erased", &receipt.ErasedAt
	}
	return out, nil
}
