package wire

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/broadcast"
	"github.com/tokenim/tokenim/shared/broadcast/broadcastdb"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/erase"
	"github.com/tokenim/tokenim/shared/erase/erasedb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/queue"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

// Broadcasts returns what begins broadcasts. Its messages can judge contents, and nothing else.
func (c *Core) Broadcasts() *broadcast.Service {
	return &broadcast.Service{Store: &broadcastdb.Store{DB: c.DB, Table: table.Name("CONNECTIONS")},
		Messages: &message.Service{Users: c.Users, Attachments: attachments{media: c.media()}}, Sealer: c.Keyring,
		Later: queue.FromEnvironment("USER_JOBS_QUEUE"), Clock: clock.System{}}
}

// broadcaster returns what sends broadcasts.
func broadcaster(db *dynamodb.Client) *broadcast.Worker {
	users := &userdb.Store{DB: db, Table: table.Name("USERS"), Keys: table.Name("KEYS")}
	core := &Core{DB: db, Keyring: newKeyring(db), Users: &user.Service{Clock: clock.System{}, Store: users}}
	connections := core.Connections()
	connections.Failures = Failures(db)
	messages := core.Messages(connections)
	messages.Devices = broadcast.Quiet{Devices: connections}
	messages.Claims = &messagedb.Claims{DB: db, Table: table.Name("SENDS")}
	messages.Attachments = attachments{media: core.media()}
	return &broadcast.Worker{Store: &broadcastdb.Store{DB: db, Table: table.Name("CONNECTIONS")},
		Directory: directory{&erasedb.Store{DB: db, Tables: map[erase.Table]string{erase.Users: table.Name("USERS")}}}, Users: users,
		Messages: messages, Devices: connections, Sealer: core.Keyring, Later: queue.FromEnvironment("USER_JOBS_QUEUE"),
		Pace: broadcast.Pace, Clock: clock.System{}}
}

// directory implements broadcast.Directory with the pages that apps are erased by.
type directory struct{ users *erasedb.Store }

// Users implements broadcast.Directory.
func (d directory) Users(ctx context.Context, app id.App, shard int, after string) ([]id.User, string, error) {
	page, next, err := d.users.Users(ctx, app, shard, after)
	users := make([]id.User, len(page))
	for i, each := range page {
		users[i] = each.ID
	}
	return users, next, err
}
