package session

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/socket"
)

type pingFrame struct{ socket.Frame }

type authFrame struct {
	socket.Frame
	Token string `json:"token" minLength:"1" maxLength:"2048" doc:"A new user token of the same user and device." example:"your.user.token"`
}

type typingFrame struct {
	socket.Frame
	To string `json:"to" minLength:"1" maxLength:"64" doc:"The other user: a user ID or a username." example:"bob"`
}

// versionResult answers a ping.
type versionResult struct {
	V int64 `json:"v" doc:"The user's version now." example:"42"`
}

// authResult answers an auth frame.
type authResult struct {
	V         int64     `json:"v" doc:"The user's version now." example:"42"`
	ExpiresAt time.Time `json:"expires_at" doc:"When the new token ends." example:"2026-11-21T23:11:22Z"`
}

// emptyResult answers what has no result.
type emptyResult struct{}

// Users finds receivers. user.Service is one.
type Users interface {
	Resolve(ctx context.Context, app id.App, idOrName, field string) (id.User, error)
	Admits(ctx context.Context, app id.App, sender, receiver id.User, field string) (silently bool, err error)
}

// Frames adds the actions that keep a socket, and typing.
func Frames(edge *socket.Socket, connections *connection.Service, credentials Tickets, users Users, resumes Resumes) {
	keeper := keeper{connections: connections, credentials: credentials, users: users, resumes: resumes}
	socket.Register(edge, socket.Action{
		Name: "ping", Permission: authz.SocketConnect, Summary: "Keep the socket, and learn the current version.",
	}, keeper.ping)
	socket.Register(edge, socket.Action{
		Name: "auth", Permission: authz.SocketConnect, Renewal: true,
		Summary: "Give the socket a new token of the same user and device.",
	}, keeper.auth)
	socket.Register(edge, socket.Action{
		Name: "typing", Permission: authz.MessagesSend,
		Summary: "Tell another user's devices that this user is writing.",
	}, keeper.typing)
}

type keeper struct {
	connections *connection.Service
	credentials Tickets
	users       Users
	resumes     Resumes
}

func (k keeper) ping(ctx context.Context, caller socket.Caller, _ *pingFrame) (versionResult, error) {
	record, regained, err := k.connections.Keep(ctx, caller.Socket)
	if err == nil && regained {
		err = k.subscribe(ctx, caller.Socket, record)
	}
	return versionResult{V: record.Version}, replaced(err)
}

// subscribe has the socket subscribed anew, where its user has to do with groups: for its new token's life, or to groups that
// have become large, or the user's, while the device was not in the record.
func (k keeper) subscribe(ctx context.Context, held connection.Socket, record connection.Record) error {
	if !record.Groups {
		return nil
	}
	request := NewResumeRequest(held, message.NoVersion)
	request.Renewed = true
	return k.resumes.Enqueue(ctx, request)
}

// replaced ends a socket whose device has a newer connection.
func replaced(err error) error {
	if errors.Is(err, connection.ErrGone) || errors.Is(err, connection.ErrNotFound) {
		return fault.Wrap(err, fault.TokenRevoked)
	}
	return err
}

// auth gives the socket the rights of a new token of the same user and device.
func (k keeper) auth(ctx context.Context, caller socket.Caller, in *authFrame) (authResult, error) {
	fresh, err := k.credentials.Token(ctx, in.Token, authz.Request{})
	if err != nil {
		return authResult{}, badToken(err)
	}
	if err := mayOpen(fresh); err != nil {
		return authResult{}, err
	}
	fresh.ExpiresAt = endsAt(fresh)
	device := connection.DeviceName(fresh.Device, caller.Socket.Connection)
	if fresh.App != caller.App || fresh.User != caller.User || device != caller.Socket.Device {
		return authResult{}, fault.New(fault.NotYourself)
	}
	renewed := caller.Socket
	renewed.Key, renewed.Epoch, renewed.ExpiresAt = fresh.Key, fresh.Epoch, fresh.ExpiresAt
	record, err := k.connections.Reauthorize(ctx, renewed)
	if err == nil {
		err = k.subscribe(ctx, renewed, record)
	}
	return authResult{V: record.Version, ExpiresAt: fresh.ExpiresAt}, replaced(err)
}

// badToken keeps the socket open when the new token is bad: only the old one's end closes it.
func badToken(err error) error {
	switch refusal := fault.Of(err); refusal.Code {
	case fault.TokenExpired, fault.TokenRevoked, fault.TokenInvalid:
		return fault.Wrap(err, fault.TokenInvalid)
	}
	return err
}

func (k keeper) typing(ctx context.Context, caller socket.Caller, in *typingFrame) (emptyResult, error) {
	to, err := k.users.Resolve(ctx, caller.App, in.To, "to")
	if err != nil {
		return emptyResult{}, err
	}
	if to == caller.User {
		return emptyResult{}, fault.Invalid(fault.Field{Name: "to", Code: fault.RecipientIsSender})
	}
	silently, err := k.users.Admits(ctx, caller.App, caller.User, to, "to")
	if err != nil || silently {
		return emptyResult{}, err
	}
	event := message.NewTyping(caller.User, id.Pair(caller.App, caller.User, to))
	return emptyResult{}, k.connections.Signal(ctx, caller.App, to, event.Encode())
}
