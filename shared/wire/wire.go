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
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/authn"
	"github.com/tokenim/tokenim/shared/authn/authndb"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiondb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login/logindb"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/push"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealdb"
	"github.com/tokenim/tokenim/shared/seal/sealkms"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/task"
	"github.com/tokenim/tokenim/shared/task/taskdb"
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
	log, db := api.LogFromEnvironment(), table.Client()
	keyring := newKeyring(db)
	users := &user.Service{Clock: clock.System{}, Store: &userdb.Store{DB: db, Table: table.Name("USERS"), Keys: table.Name("KEYS")}}
	return &Core{DB: db, Keyring: keyring, Users: users, Log: log, Authenticator: &authn.Authenticator{
		Records: &authndb.Records{DB: db, Keys: table.Name("KEYS"), Users: table.Name("USERS")},
		Names:   users, Tokens: &token.Issuer{Secrets: keyring, Clock: clock.System{}}, Clock: clock.System{}}}
}

func newKeyring(db *dynamodb.Client) *seal.Keyring {
	wrapper, err := sealkms.FromEnvironment()
	if err != nil {
		slog.Error("no master key", "error", err)
		os.Exit(1)
	}
	return seal.NewKeyring(&sealdb.Store{DB: db, Table: table.Name("DATA_KEYS")}, wrapper, clock.System{})
}

func developers(db *dynamodb.Client) *authn.Developers {
	return &authn.Developers{Sessions: &logindb.Store{DB: db, AccountsTable: table.Name("ACCOUNTS"), Clock: clock.System{}}, Clock: clock.System{}}
}

// Console is what the functions have that serve developers with a session and nobody else.
type Console struct {
	DB      *dynamodb.Client
	Keyring *seal.Keyring
	// Edge is an HTTP edge without operations.
	Edge *api.API
}

// NewConsole builds it.
func NewConsole() *Console {
	log, db := api.LogFromEnvironment(), table.Client()
	return &Console{DB: db, Keyring: newKeyring(db), Edge: api.New(developers(db), log)}
}

// Background sets logging up for a function that serves no requests, and returns its database.
func Background() *dynamodb.Client {
	api.LogFromEnvironment()
	return table.Client()
}

// API returns an HTTP edge without operations. Unlike sockets, it takes API keys, whose use is written down, and the
// sessions of developers.
func (c *Core) API() *api.API {
	c.Authenticator.Uses = &apikeydb.Store{DB: c.DB, Table: table.Name("KEYS")}
	c.Authenticator.UserUses = c.Users.Store
	c.Authenticator.Developers = developers(c.DB)
	return api.New(c.Authenticator, c.Log)
}

// Registers lets Users register users, each of which gets a routing record, and change what is recorded of them.
func (c *Core) Registers() {
	c.Users.Store = &userdb.Store{DB: c.DB, Table: table.Name("USERS"), Keys: table.Name("KEYS"), Routing: connectiondb.Routing(table.Name("CONNECTIONS")),
		Records: recorddb.WriterFromEnvironment(c.DB)}
}

// Records returns where records are kept.
func Records(db *dynamodb.Client) *recorddb.Store {
	return &recorddb.Store{Writer: recorddb.WriterFromEnvironment(db)}
}

// ConnectionStore returns the store of routing records and sockets.
func (c *Core) ConnectionStore() *connectiondb.Store {
	return &connectiondb.Store{DB: c.DB, Table: table.Name("CONNECTIONS")}
}

// Sockets returns what cuts sockets, for functions without a core.
func Sockets(db *dynamodb.Client) *connection.Service {
	return &connection.Service{Store: &connectiondb.Store{DB: db, Table: table.Name("CONNECTIONS")},
		Poster: push.FromEnvironment(), Clock: clock.System{}}
}

// Connections returns the service that pushes and keeps sockets.
func (c *Core) Connections() *connection.Service {
	return Sockets(c.DB)
}

// Reminders keep work for later. They implement apikey.Tasks and media.Tasks.
type Reminders struct{ store task.Store }

// NewReminders returns those in the table of tasks.
func NewReminders(db *dynamodb.Client) Reminders {
	return Reminders{&taskdb.Store{DB: db, Table: table.Name("TASKS")}}
}

// Add has the task of that kind done soon after the time.
func (r Reminders) Add(ctx context.Context, kind string, due time.Time, app id.App, subject string) error {
	return r.store.Add(ctx, task.Task{Kind: task.Kind(kind), Due: due, App: app, Subject: subject})
}

// Messages returns the message service on the connections. TABLE_SENDS may be missing where nothing is sent.
func (c *Core) Messages(connections *connection.Service) *message.Service {
	return &message.Service{
		Log:      &messagedb.Log{DB: c.DB, Table: table.Name("MESSAGES")},
		Members:  &messagedb.Members{DB: c.DB, Table: table.Name("CONVERSATIONS")},
		Removals: &messagedb.Removals{DB: c.DB, Members: table.Name("CONVERSATIONS"), Log: table.Name("MESSAGES")},
		Users:    c.Users, Devices: connections, Sealer: c.Keyring, Clock: clock.System{},
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
