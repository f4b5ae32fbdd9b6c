// Command teams is the function of accounts, their members and their invitations.
package main

import (
	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/account/accountdb"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/guess"
	"github.com/tokenim/tokenim/shared/guess/guessdb"
	"github.com/tokenim/tokenim/shared/invoke"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/wire"
)

func main() {
	core := wire.NewConsole()
	accounts, developers, records := table.Name("ACCOUNTS"), table.Name("DEVELOPERS"), wire.Records(core.DB)
	account.TeamRoutes(core.Edge, &account.Service{
		Logins: &accountdb.Logins{DB: core.DB, DevelopersTable: developers, AccountsTable: accounts, Records: records.Writer,
			Clock: clock.System{}},
		Sessions: accountdb.NewSessions(core.DB, accounts, records.Writer, clock.System{}),
		Teams: &accountdb.Teams{DB: core.DB, AccountsTable: accounts, DevelopersTable: developers, Records: records.Writer,
			Clock: clock.System{}},
		Records: records,
		Guesses: &guess.Limiter{Store: &guessdb.Store{DB: core.DB, Table: developers}, Clock: clock.System{}},
		Queue:   invoke.FromEnvironment[account.Job]("MAIL_FUNCTION"), Clock: clock.System{},
	}, core.Keyring)
	wire.Serve(core.Edge)
}
