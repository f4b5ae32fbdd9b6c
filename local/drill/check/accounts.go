package check

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
)

// accountRow is an item of the table of accounts. By account: the account with its counts, a member, an app or an
// invitation; by developer: a session, the session epoch or an account that the developer is a member of.
type accountRow struct {
	Key       string `dynamodbav:"pk"`
	Sort      string `dynamodbav:"sk"`
	Members   int64  `dynamodbav:"members"`
	Owners    int64  `dynamodbav:"owners"`
	Apps      int64  `dynamodbav:"apps"`
	Role      string `dynamodbav:"role"`
	InvitedBy string `dynamodbav:"invited_by"`
	DeletedAt int64  `dynamodbav:"deleted_at"`
	Hash      []byte `dynamodbav:"hash"`
	Epoch     int64  `dynamodbav:"epoch"`
	ExpiresAt int64  `dynamodbav:"expires_at"`
}

// seat is a developer's place in an account.
type seat struct {
	account   id.Account
	developer id.Developer
}

// readAccounts reads the accounts and the sessions.
func (c *checker) readAccounts(ctx context.Context) error {
	return each(ctx, c, "ACCOUNTS", func(row accountRow) error {
		known := false
		switch {
		case expired(row.ExpiresAt):
			return nil
		case id.IsAccount(row.Key):
			known = c.readAccount(id.Account(row.Key), row)
		case id.IsDeveloper(row.Key):
			known = c.readSession(id.Developer(row.Key), row)
		}
		if !known {
			c.problem(Unreadable, "ACCOUNTS "+row.Key+" "+row.Sort, "neither of an account nor of a developer's sessions")
		}
		return nil
	})
}

// readAccount keeps an item of an account and tells whether it has the form of one.
func (c *checker) readAccount(of id.Account, row accountRow) bool {
	kind, name, _ := strings.Cut(row.Sort, "#")
	switch {
	case row.Sort == "account":
		c.report.Accounts++
		c.accounts[of] = row
	case kind == "member" && id.IsDeveloper(name) && isRole(row.Role):
		c.seats[seat{of, id.Developer(name)}] = row
	case kind == "app" && id.IsApp(name):
		c.pointers[pointer{of, id.StoredApp(name)}] = row
	case kind == "invitation" && name != "" && isRole(row.Role):
		c.invitations = append(c.invitations, row)
	default:
		return false
	}
	return true
}

func isRole(text string) bool { return slices.Contains(authz.AccountRoles, authz.Role(text)) }

// readSession keeps an item of a developer and tells whether it has the form of one.
func (c *checker) readSession(developer id.Developer, row accountRow) bool {
	kind, name, _ := strings.Cut(row.Sort, "#")
	switch {
	case row.Sort == "sessions":
		c.epochs[developer] = row.Epoch
	case kind == "session" && name != "" && len(row.Hash) == sha256.Size:
		c.report.Sessions++
		c.sessions = append(c.sessions, row)
	case kind == "account" && id.IsAccount(name):
		c.seatsOf[seat{id.Account(name), developer}] = true
	default:
		return false
	}
	return true
}

// tally is what an account has by its rows.
type tally struct{ members, owners, apps int64 }

// checkAccounts compares every account's counts with its rows.
func (c *checker) checkAccounts() {
	tallies := map[id.Account]tally{}
	for at, row := range c.seats {
		counted := tallies[at.account]
		counted.members++
		if authz.Role(row.Role) == authz.Owner {
			counted.owners++
		}
		tallies[at.account] = counted
	}
	for at, row := range c.pointers {
		counted := tallies[at.account]
		counted.apps++
		tallies[at.account] = counted
		c.checkPointer(at, row)
	}
	for of, row := range c.accounts {
		if has := (tally{row.Members, row.Owners, row.Apps}); has != tallies[of] {
			c.problem(Team, string(of), "counts %d members, %d owners and %d apps, not %d, %d and %d", has.members, has.owners, has.apps,
				tallies[of].members, tallies[of].owners, tallies[of].apps)
		}
		if tallies[of].owners == 0 {
			c.problem(Team, string(of), "has no owner")
		}
		delete(tallies, of)
	}
	for of := range tallies {
		c.problem(Team, string(of), "has members or apps, and no row")
	}
}

// checkTeams matches members and the developers' own rows of them both ways, and finds who invites.
func (c *checker) checkTeams() {
	for at := range c.seats {
		where := string(at.account) + " " + string(at.developer)
		if !c.seatsOf[at] {
			c.problem(Team, where, "the developer does not have the account")
		}
		if _, ok := c.developers[at.developer]; !ok {
			c.problem(Team, where, "the developer is missing")
		}
	}
	for at := range c.seatsOf {
		if _, ok := c.seats[at]; !ok {
			c.problem(Team, string(at.account)+" "+string(at.developer), "the developer is no member of the account")
		}
	}
	for _, row := range c.invitations {
		_, account := c.accounts[id.Account(row.Key)]
		_, inviter := c.developers[id.Developer(row.InvitedBy)]
		if !account || !inviter {
			c.problem(Team, row.Key+" "+row.Sort, "its account or who invites, %s, is missing", row.InvitedBy)
		}
	}
}

// checkSessions finds the developer of every session. A session of an older epoch was ended, one of a later one would begin
// to work.
func (c *checker) checkSessions() {
	for _, row := range c.sessions {
		developer := id.Developer(row.Key)
		if _, ok := c.developers[developer]; !ok {
			c.problem(Session, row.Key+" "+row.Sort, "its developer is missing")
		}
		if row.Epoch > c.epochs[developer] {
			c.problem(Session, row.Key+" "+row.Sort, "is of epoch %d, the developer at %d", row.Epoch, c.epochs[developer])
		}
	}
}
