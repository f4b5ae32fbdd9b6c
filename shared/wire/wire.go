// Package wire builds what the functions have in common from their environment, so that each main only names what it
// needs. What a function does not name is not linked into it.
package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authn"
	"github.com/tokenim/tokenim/shared/authn/authndb"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiondb"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/push"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealdb"
	"github.com/tokenim/tokenim/shared/seal/sealkms"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/token"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

// Core is what every function has: the database, the app's secrets, and who is calling.
type Core struct {
	DB            *dynamodb.Client
	Keyring       *seal.Keyring
	Users         *user.Service
	Authenticator *authn.Authenticator
	Log           api.Log
}

// NewCore builds the core. A function without its environment ends at once: that is a defect of the template.
func NewCore() *Core {
	log := api.LogFromEnvironment()
	db := table.Client()
	wrapper, err := sealkms.FromEnvironment()
	if err != nil {
		slog.Error("no master key", "error", err)
		os.Exit(1)
	}
	keyring := seal.NewKeyring(&sealdb.Store{DB: db, Table: table.Name("DATA_KEYS")}, wrapper, clock.System{})
	users := &user.Service{Clock: clock.System{}, Store: &userdb.Store{DB: db, Table: table.Name("USERS"),
		Routing: connectiondb.Routing(table.Name("CONNECTIONS"))}}
	return &Core{DB: db, Keyring: keyring, Users: users, Log: log, Authenticator: &authn.Authenticator{
		Records: &authndb.Records{DB: db, Keys: table.Name("KEYS"), Users: table.Name("USERS")},
		Names:   users, Tokens: &token.Issuer{Secrets: keyring, Clock: clock.System{}}, Clock: clock.System{}}}
}

// API returns an HTTP edge without operations.
func (c *Core) API() *api.API { return api.New(c.Authenticator, c.Log) }

// ConnectionStore returns the store of routing records and sockets.
func (c *Core) ConnectionStore() *connectiondb.Store {
	return &connectiondb.Store{DB: c.DB, Table: table.Name("CONNECTIONS")}
}

// Connections returns the service that pushes and keeps sockets.
func (c *Core) Connections() *connection.Service {
	return &connection.Service{Store: c.ConnectionStore(), Poster: push.FromEnvironment(), Clock: clock.System{}}
}

// Messages returns the message service on the connections. TABLE_SENDS may be missing where nothing is sent.
func (c *Core) Messages(connections *connection.Service) *message.Service {
	return &message.Service{
		Log:     &messagedb.Log{DB: c.DB, Table: table.Name("MESSAGES")},
		Members: &messagedb.Members{DB: c.DB, Table: table.Name("CONVERSATIONS")},
		Users:   c.Users, Devices: connections, Sealer: c.Keyring, Clock: clock.System{},
	}
}

// answerMargin is how long before Lambda's own limit a handler's context ends, so that there is time to say so: an answer
// of ours, with a code and a request ID, instead of API Gateway's.
const answerMargin = 1500 * time.Millisecond

// Start answers the events of one kind.
func Start[E, A any](handle func(context.Context, E) (A, error)) {
	lambda.Start(func(ctx context.Context, event E) (A, error) {
		ctx, cancel := bounded(ctx)
		defer cancel()
		return handle(ctx, event)
	})
}

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-answerMargin))
}

// SocketHandler answers the events of a WebSocket API.
type SocketHandler func(ctx context.Context, event events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error)

// Serve answers the events of an HTTP API.
func Serve(edge *api.API) { Start(edge.Lambda) }

// ServeBoth answers the events of an HTTP API and of a WebSocket API in one function.
func ServeBoth(edge *api.API, socket SocketHandler) {
	Start(func(ctx context.Context, raw json.RawMessage) (any, error) {
		var kind struct {
			RequestContext struct {
				ConnectionID string `json:"connectionId"`
			} `json:"requestContext"`
		}
		if err := json.Unmarshal(raw, &kind); err != nil {
			return nil, fmt.Errorf("read the event: %w", err)
		}
		if kind.RequestContext.ConnectionID != "" {
			return decoded(ctx, raw, socket)
		}
		return decoded(ctx, raw, edge.Lambda)
	})
}

func decoded[E, A any](ctx context.Context, raw json.RawMessage, handle func(context.Context, E) (A, error)) (any, error) {
	var event E
	if err := json.Unmarshal(raw, &event); err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	return handle(ctx, event)
}
