// Command tasks is the function that does what is due: a schedule invokes it.
package main

import (
	"context"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/app/appdb"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/invoke"
	"github.com/tokenim/tokenim/shared/notice"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/task"
	"github.com/tokenim/tokenim/shared/task/taskdb"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	db, now := wire.Background(), &task.Ahead{Clock: clock.System{}}
	keys := &apikeydb.Store{DB: db, Table: table.Name("KEYS")}
	apps := &appdb.Store{DB: db, Table: keys.Table, Accounts: table.Name("ACCOUNTS"), Records: recorddb.WriterFromEnvironment(db)}
	tell := &notice.Notices{Queue: invoke.FromEnvironment[account.Job]("MAIL_FUNCTION"), Apps: apps, Clock: now}
	service := &app.Service{Store: apps, Keys: appdb.Keys{Store: keys}, Sockets: wire.Sockets(db), Notices: tell, Clock: now}
	eraser := wire.Eraser(db, apps, tell, now)
	warnings := &apikey.Warnings{Store: keys, Tasks: wire.NewReminders(db), Mailer: tell, Clock: now}
	ofKey := func(warn func(context.Context, id.App, id.Key) error) task.Handler {
		return func(ctx context.Context, due task.Task) error { return warn(ctx, due.App, id.Key(due.Subject)) }
	}
	runner := &task.Runner{Store: &taskdb.Store{DB: db, Table: table.Name("TASKS")}, Handlers: map[task.Kind]task.Handler{
		task.AppSuspend: service.SuspendTask, task.AppNotice: service.NoticeTask, task.AppErase: eraser.Task,
		task.KeyExpiring: ofKey(warnings.Expiring), task.KeyRotated: ofKey(warnings.Rotated), task.PolicyAlign: wire.AlignPolicies(db),
		task.MediaUnsent: wire.RemoveUnsent(db, now)}}
	wire.Start(now.Handler(runner.Run))
}
