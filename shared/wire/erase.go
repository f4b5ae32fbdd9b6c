package wire

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/bucket"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/erase"
	"github.com/tokenim/tokenim/shared/erase/erasedb"
	"github.com/tokenim/tokenim/shared/queue"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

// Eraser returns what erases apps: their rows, and what they have in the bucket.
func Eraser(db *dynamodb.Client, apps erase.Apps, notices app.Notices, now clock.Clock) *erase.Eraser {
	return &erase.Eraser{Apps: apps, Store: erasedb.FromEnvironment(db), Objects: bucket.FromEnvironment("MEDIA_BUCKET"), Notices: notices, Clock: now}
}

// Deleter returns what deletes users.
func (c *Core) Deleter() *erase.Deleter {
	rows := &erasedb.Store{DB: c.DB, Tables: map[erase.Table]string{erase.Users: table.Name("USERS")}}
	return &erase.Deleter{Store: &erasedb.UserStore{Store: rows, Records: recorddb.WriterFromEnvironment(c.DB)}, Names: c.Users,
		Later: queue.FromEnvironment("USER_JOBS_QUEUE"), Clock: clock.System{}}
}

// UserEraser returns what erases deleted users.
func UserEraser(db *dynamodb.Client) *erase.UserEraser {
	core := &Core{DB: db, Keyring: newKeyring(db), Users: &user.Service{Clock: clock.System{}, Store: &userdb.Store{DB: db, Table: table.Name("USERS")}}}
	rows := &erasedb.Store{DB: db, Tables: map[erase.Table]string{erase.Users: table.Name("USERS"), erase.Messages: table.Name("MESSAGES"),
		erase.Conversations: table.Name("CONVERSATIONS"), erase.Connections: table.Name("CONNECTIONS"), erase.Grants: table.Name("GRANTS")}}
	return &erase.UserEraser{Store: &erasedb.UserStore{Store: rows}, Rows: rows, Groups: core.Groups(), Sockets: core.Connections(),
		Later: queue.FromEnvironment("USER_JOBS_QUEUE"), Clock: clock.System{}}
}
