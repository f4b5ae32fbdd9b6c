// Package socket is the WebSocket edge: it takes frames apart, checks their sender on every one, and posts the answers.
//
// A frame is {"action": "send", "id": "c1", …}; its answer carries the same id, and either the result's members or
// "error", a problem document. A resource's frames.go declares its actions with Register.
package socket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/input"
	"github.com/tokenim/tokenim/shared/plainjson"
	"github.com/tokenim/tokenim/shared/strictjson"
	"github.com/tokenim/tokenim/shared/token"
)

// maxIDBytes bounds a frame's id, which is echoed in its answer.
const maxIDBytes = 64

// answerPatience is how long posting an answer may take, within the margin that the work has left.
const answerPatience = time.Second

// maxAnswerBytes is the largest frame that API Gateway posts.
const maxAnswerBytes = 128 << 10

// Frame has the members of every frame. Inputs of actions embed it.
type Frame struct {
	Action string `json:"action" doc:"What to do."`
	ID     string `json:"id,omitempty" maxLength:"64" doc:"Comes back in the answer." example:"c1"`
}

// Answer has the members of every answer; a result's stand beside them.
type Answer struct {
	ID string `json:"id,omitempty" doc:"The frame's id; absent where it had none." example:"c1"`
}

// Refusal is the answer to a frame that is refused.
type Refusal struct {
	Answer
	Error *api.Problem `json:"error" doc:"What is wrong; docs/errors.md lists the codes."`
}

// Caller is the end user behind a frame, checked, and the socket that it came over.
type Caller struct {
	authz.Caller
	// Socket is the connection, with the rights that it has now.
	Socket connection.Socket
}

// Authenticator checks what a socket's token said against the records of now. authn.Authenticator is one.
type Authenticator interface {
	// Claims checks expiry, key, user and token epoch; TokenExpired, TokenRevoked or UserDeactivated otherwise.
	Claims(ctx context.Context, claims token.Claims) (authz.Caller, error)
	// Note writes down that the caller, who has the permission, uses it.
	Note(ctx context.Context, caller authz.Caller, asked authz.Asked)
}

// Sockets are what the edge needs of connections. connection.Service is one.
type Sockets interface {
	// Standing returns the socket's row, with the rights that an auth frame may have renewed.
	Standing(ctx context.Context, app id.App, user id.User, connection string) (connection.Socket, error)
	// Answer posts a frame to the connection; a connection that is gone is no error.
	Answer(ctx context.Context, connection string, frame []byte) error
	// Cut closes the connection and forgets it.
	Cut(ctx context.Context, app id.App, user id.User, device, connection string)
}

// Socket is a set of actions with one edge around them.
type Socket struct {
	authenticator Authenticator
	sockets       Sockets
	log           api.Log
	actions       map[string]action
}

// Action declares what a frame may ask for.
type Action struct {
	// Name is the frame's "action".
	Name string
	// Summary describes it in AsyncAPI.
	Summary string
	// Permission is what the caller needs.
	Permission authz.Permission
	// Inside says that the handler asks for the permission, because who has it depends on what the frame names.
	Inside bool
	// Renewal marks the action by which a socket whose rights have run out gets new ones: only its connection is
	// known, not that its user may still do anything.
	Renewal bool
}

// Description is an action with the types that describe its frame and the result in its answer.
type Description struct {
	Action
	Frame, Result reflect.Type
}

// action is a registered action.
type action struct {
	Description
	handle func(ctx context.Context, caller Caller, frame []byte) (any, error)
}

// New returns an edge without actions.
func New(authenticator Authenticator, sockets Sockets, log api.Log) *Socket {
	return &Socket{authenticator: authenticator, sockets: sockets, log: log, actions: map[string]action{}}
}

// Register adds an action. I is its frame, with Frame embedded; O the result, whose JSON has to be an object.
func Register[I, O any](s *Socket, declared Action, handle func(ctx context.Context, caller Caller, frame *I) (O, error)) {
	decoder := input.NewDecoder[I]()
	s.actions[declared.Name] = action{
		Description: Description{Action: declared, Frame: reflect.TypeFor[I](), Result: reflect.TypeFor[O]()},
		handle: func(ctx context.Context, caller Caller, frame []byte) (any, error) {
			decoded, err := decoder.Decode(frame)
			if err != nil {
				return nil, err
			}
			return handle(ctx, caller, &decoded)
		},
	}
}

// Actions returns what there is, by name.
func (s *Socket) Actions() map[string]Description {
	described := map[string]Description{}
	for name, action := range s.actions {
		described[name] = action.Description
	}
	return described
}

// Message answers a MESSAGE event. What was wrong with the frame is posted; the event itself always succeeds.
func (s *Socket) Message(ctx context.Context, event events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	started := time.Now()
	name, answerID, result, err := s.serve(ctx, event)
	requestID := event.RequestContext.RequestID
	answer, refusal := s.answer(languageOf(event), answerID, requestID, result, err)
	if len(answer) > maxAnswerBytes { // a defect: actions keep their results within a frame
		tooLarge := fmt.Errorf("answer of %d bytes", len(answer))
		answer, refusal = s.answer(languageOf(event), answerID, requestID, nil, tooLarge)
	}
	connectionID := event.RequestContext.ConnectionID
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerPatience) // the work may have used up its time
	defer cancel()
	if postErr := s.sockets.Answer(ctx, connectionID, answer); postErr != nil {
		slog.WarnContext(ctx, "answer not posted", "request_id", requestID, "error", postErr)
	}
	if refusal != nil && ends(refusal) {
		held := FromContext(event)
		s.sockets.Cut(ctx, held.App, held.User, held.Device, connectionID)
	}
	s.log.Request(ctx, requestID, "socket "+name, refusal, time.Since(started))
	return events.APIGatewayProxyResponse{StatusCode: 200}, nil
}

// ends tells whether a socket ends with the refusal: its token is worth nothing any more. A deactivated user is its own where
// no field of the frame names it.
func ends(refusal *fault.Error) bool {
	switch refusal.Code {
	case fault.TokenExpired, fault.TokenRevoked:
		return true
	case fault.UserDeactivated:
		return len(refusal.Fields) == 0
	}
	return false
}

// serve takes the frame apart, checks its sender, and runs its action.
func (s *Socket) serve(ctx context.Context, event events.APIGatewayWebsocketProxyRequest) (name, answerID string, result any, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			slog.ErrorContext(ctx, "panic", "panic", panicked, "stack", string(debug.Stack()))
			err = fault.New(fault.Internal)
		}
	}()
	members, malformed := strictjson.Object([]byte(event.Body))
	if len(members["id"]) <= maxIDBytes {
		answerID = members["id"]
	}
	chosen, known := s.actions[members["action"]]
	if known {
		name = members["action"]
	}
	caller, err := s.caller(ctx, event, known && chosen.Renewal)
	switch {
	case err != nil:
		return name, answerID, nil, err
	case malformed != nil:
		return name, answerID, nil, frameFault(malformed)
	case members["action"] == "":
		return name, answerID, nil, fault.New(fault.ActionMissing)
	case !known:
		return name, answerID, nil, fault.New(fault.ActionUnknown)
	}
	if !chosen.Renewal && !chosen.Inside { // what the new token may is seen by the action
		asked := authz.AskAt(chosen.Permission, members["conversation_id"])
		if err := caller.RequireIn(asked.Permission, asked.Group); err != nil {
			return name, answerID, nil, err
		}
		s.authenticator.Note(ctx, caller.Caller, asked)
	}
	noting, asked := caller.Noting()
	result, err = chosen.handle(ctx, Caller{noting, caller.Socket}, []byte(event.Body))
	if chosen.Inside && err == nil {
		for _, each := range *asked {
			s.authenticator.Note(ctx, caller.Caller, each)
		}
	}
	return name, answerID, result, err
}

// caller checks the socket's rights. What $connect was told rides on every frame; only where that is refused is the
// socket's row read, which an auth frame may have renewed since.
func (s *Socket) caller(ctx context.Context, event events.APIGatewayWebsocketProxyRequest, expiredToo bool) (Caller, error) {
	held := FromContext(event)
	if expiredToo {
		return Caller{Caller: authz.Caller{App: held.App, User: held.User, Device: held.Device, EndUser: true}, Socket: held}, nil
	}
	checked, err := s.authenticator.Claims(ctx, claims(held))
	if err == nil {
		return Caller{Caller: checked, Socket: held}, nil
	}
	if !ends(fault.Of(err)) {
		return Caller{}, err
	}
	renewed, standingErr := s.sockets.Standing(ctx, held.App, held.User, held.Connection)
	if errors.Is(standingErr, connection.ErrNotFound) || standingErr == nil && claims(renewed) == claims(held) {
		return Caller{}, err
	}
	if standingErr != nil {
		return Caller{}, standingErr
	}
	checked, err = s.authenticator.Claims(ctx, claims(renewed))
	return Caller{Caller: checked, Socket: renewed}, err
}

// claims is what a socket's token said.
func claims(held connection.Socket) token.Claims {
	device := held.Device
	if connection.Anonymous(device) {
		device = ""
	}
	return token.Claims{Kind: token.User, App: held.App, User: held.User, Key: held.Key, Device: device, Epoch: held.Epoch,
		ExpiresAt: held.ExpiresAt}
}

// frameFault names faults of form after frames where bodies have another name for them.
func frameFault(malformed error) error {
	switch fault.Of(malformed).Code {
	case fault.BodyMissing, fault.BodyNotJSON, fault.BodyNotObject:
		return fault.New(fault.FrameNotJSON)
	}
	return malformed
}

// answer writes the answer of a frame: its id, and the result's members or the problem.
func (s *Socket) answer(language fault.Language, answerID, requestID string, result any, err error) ([]byte, *fault.Error) {
	if err != nil {
		refusal := fault.Of(err)
		return plainjson.Must(Refusal{Answer: Answer{ID: answerID}, Error: api.NewProblem(refusal, language, requestID)}), refusal
	}
	head := bytes.TrimSuffix(plainjson.Must(Answer{ID: answerID}), []byte("}"))
	body := bytes.TrimPrefix(plainjson.Must(result), []byte("{"))
	if len(head) > 1 && len(body) > 1 {
		head = append(head, ',')
	}
	return append(head, body...), nil
}
