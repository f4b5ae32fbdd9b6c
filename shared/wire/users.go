package wire

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/broadcast"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection/connectiondb"
	"github.com/tokenim/tokenim/shared/erase"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/queue"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user/userdb"
	"github.com/tokenim/tokenim/shared/userimport"
	"github.com/tokenim/tokenim/shared/userimport/userimportdb"
)

// Imports returns what begins imports of users.
func (c *Core) Imports() *userimport.Service {
	return &userimport.Service{Store: &userimportdb.Store{DB: c.DB, Table: table.Name("CONNECTIONS")},
		Later: queue.FromEnvironment("USER_JOBS_QUEUE"), Clock: clock.System{}}
}

// UserJob is a message of the queue of users' jobs: an import or a broadcast where it names one, else the erasing of the user.
type UserJob struct {
	App       string       `json:"app"`
	User      id.User      `json:"user,omitempty"`
	Import    id.Import    `json:"import,omitempty"`
	Broadcast id.Broadcast `json:"broadcast,omitempty"`
}

// UserJobs returns what does users' jobs.
func UserJobs(db *dynamodb.Client) func(context.Context, UserJob) error {
	eraser, importer, broadcaster := UserEraser(db), importer(db), broadcaster(db)
	return func(ctx context.Context, job UserJob) error {
		switch {
		case job.Import != "":
			return importer.Do(ctx, userimport.Job{App: job.App, Import: job.Import})
		case job.Broadcast != "":
			return broadcaster.Do(ctx, broadcast.Job{App: job.App, Broadcast: job.Broadcast})
		}
		return eraser.Do(ctx, erase.UserJob{App: job.App, User: job.User})
	}
}

// importer returns what registers the users of imports.
func importer(db *dynamodb.Client) *userimport.Worker {
	connections := table.Name("CONNECTIONS")
	users := &userdb.Store{DB: db, Table: table.Name("USERS"), Routing: connectiondb.Routing(connections)}
	return &userimport.Worker{Store: &userimportdb.Store{DB: db, Table: connections, Users: users},
		Later: queue.FromEnvironment("USER_JOBS_QUEUE"), Clock: clock.System{}}
}
