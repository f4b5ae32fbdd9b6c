package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/socket"
)

// ticketMarkLife is how much longer than its socket's rights the mark of a used ticket is kept: far longer than the
// ticket could still be valid.
const ticketMarkLife = time.Hour

// Resumes starts the resume of a socket in the background.
type Resumes interface {
	// Enqueue has the resume done: at least once, after the handshake or during it.
	Enqueue(ctx context.Context, request ResumeRequest) error
}

// Lifecycle answers the events of a WebSocket API.
type Lifecycle struct {
	Connections *connection.Service
	Resumes     Resumes
	Frames      *socket.Socket
	Log         api.Log
}

// Handle answers an event by its type.
func (l *Lifecycle) Handle(ctx context.Context, event events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	started := time.Now()
	var answer events.APIGatewayProxyResponse
	var err error
	switch event.RequestContext.EventType {
	case "CONNECT":
		answer, err = l.connect(ctx, event)
	case "DISCONNECT":
		answer, err = events.APIGatewayProxyResponse{StatusCode: http.StatusOK}, l.disconnect(ctx, event)
	default:
		return l.Frames.Message(ctx, event)
	}
	var refusal *fault.Error
	if err != nil {
		refusal = fault.Of(err)
		answer.StatusCode = fault.Lookup(refusal.Code).Status
	}
	l.Log.Request(ctx, event.RequestContext.RequestID, "socket "+event.RequestContext.RouteKey, refusal, time.Since(started))
	return answer, nil
}

// connect registers the socket and has its resume started. Nothing can be posted before this has returned.
func (l *Lifecycle) connect(ctx context.Context, event events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	since, err := version(event.QueryStringParameters["v"])
	if err != nil {
		return events.APIGatewayProxyResponse{}, err
	}
	opened := socket.FromContext(event)
	if err := l.Connections.Open(ctx, opened); err != nil {
		return events.APIGatewayProxyResponse{}, replaced(err) // no record: the user is gone since the authorizer looked
	}
	if err := l.Resumes.Enqueue(ctx, NewResumeRequest(opened, since)); err != nil {
		// Without it the socket would hear nothing of large groups, and nobody would notice. The client tries again.
		slog.ErrorContext(ctx, "resume not invoked", "request_id", event.RequestContext.RequestID, "error", err)
		return events.APIGatewayProxyResponse{}, errors.Join(fault.Wrap(err, fault.Unavailable), l.Connections.Close(ctx, opened))
	}
	answer := events.APIGatewayProxyResponse{StatusCode: http.StatusOK}
	if offers(event.Headers) {
		answer.Headers = map[string]string{"Sec-WebSocket-Protocol": Subprotocol}
	}
	return answer, nil
}

// version reads the position that a device names at connect.
func version(text string) (int64, error) {
	if text == "" {
		return message.NoVersion, nil
	}
	since, err := strconv.ParseInt(text, 10, 64)
	if err != nil || since < 0 {
		return 0, fault.Invalid(fault.Field{Name: "v", Code: fault.FieldType, Args: []any{"v", "integer"}})
	}
	return since, nil
}

// offers tells whether the client offered our subprotocol.
func offers(headers map[string]string) bool {
	offered := strings.Split(lower(headers)["sec-websocket-protocol"], ",")
	return slices.ContainsFunc(offered, func(protocol string) bool { return strings.TrimSpace(protocol) == Subprotocol })
}

// disconnect takes the socket out of the record. API Gateway promises no such event: leases end what it forgets.
func (l *Lifecycle) disconnect(ctx context.Context, event events.APIGatewayWebsocketProxyRequest) error {
	closed := socket.FromContext(event)
	return l.Connections.Close(ctx, closed)
}
