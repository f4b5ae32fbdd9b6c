// Command mail is the function that writes and sends the mails to developers. Other functions invoke it with jobs.
package main

import (
	"context"
	"os"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/account/accountdb"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/mail/letter"
	"github.com/tokenim/tokenim/shared/mail/mailses"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	db := wire.Background()
	accounts, developers := table.Name("ACCOUNTS"), table.Name("DEVELOPERS")
	room := &account.Mailroom{
		Logins: &accountdb.Logins{DB: db, DevelopersTable: developers, AccountsTable: accounts, Clock: clock.System{}},
		Teams:  &accountdb.Teams{DB: db, AccountsTable: accounts, DevelopersTable: developers, Clock: clock.System{}},
		Sender: mailses.FromEnvironment(), Render: letter.Render, LinkBase: os.Getenv("LINK_BASE"), Clock: clock.System{},
	}
	wire.Start(func(ctx context.Context, job account.Job) (struct{}, error) { return struct{}{}, room.Do(ctx, job) })
}
