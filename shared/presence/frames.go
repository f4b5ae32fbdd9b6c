package presence

import (
	"context"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/socket"
)

type watchFrame struct {
	socket.Frame
	Users []string `json:"users" nullable:"false" minItems:"1" maxItems:"100" doc:"The users' IDs." example:"[\"u_4oKyQ1F8aXbT0mJ2cLw7Zr\"]"`
}

// emptyResult answers what has no result.
type emptyResult struct{}

// Frames adds the socket's actions on presence.
func Frames(edge *socket.Socket, service *Service) {
	socket.Register(edge, socket.Action{
		Name: "watch", Permission: authz.PresenceRead, Summary: "Ask who is online, and be told of changes for two hours.",
	}, func(ctx context.Context, caller socket.Caller, in *watchFrame) (UserPresences, error) {
		items, err := service.Watch(ctx, caller.App, caller.User, in.Users)
		return UserPresences{items}, err
	})
	socket.Register(edge, socket.Action{
		Name: "unwatch", Permission: authz.PresenceRead, Summary: "Be told of changes no more.",
	}, func(ctx context.Context, caller socket.Caller, in *watchFrame) (emptyResult, error) {
		return emptyResult{}, service.Unwatch(ctx, caller.App, caller.User, in.Users)
	})
}
