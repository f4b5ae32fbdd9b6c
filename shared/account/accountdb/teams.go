package accountdb

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login/logindb"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
)

// Teams implements account.Teams.
type Teams struct {
	DB *dynamodb.Client
	// AccountsTable and DevelopersTable are the tables' names; only Join touches the second.
	AccountsTable, DevelopersTable string
	// Records writes the records of changes.
	Records *recorddb.Writer
	Clock   clock.Clock
}

var _ account.Teams = (*Teams)(nil)

// accountRow is how an account's row begins. It has counts of other packages as well, so it is never put again.
type accountRow struct {
	ID        string `dynamodbav:"pk"`
	Sort      string `dynamodbav:"sk"`
	Name      string `dynamodbav:"name"`
	CreatedAt int64  `dynamodbav:"created_at"`
	Members   int64  `dynamodbav:"members"`
	Owners    int64  `dynamodbav:"owners"`
}

type memberRow struct {
	Account string `dynamodbav:"pk"`
	Sort    string `dynamodbav:"sk"`
	Role    string `dynamodbav:"role"`
	Since   int64  `dynamodbav:"since"`
}

// membershipRow is what a developer's accounts are found by.
type membershipRow struct {
	Developer string `dynamodbav:"pk"`
	Sort      string `dynamodbav:"sk"`
	Since     int64  `dynamodbav:"since"`
}

func (r memberRow) member() account.Member {
	return account.Member{Account: id.Account(r.Account), Developer: id.Developer(strings.TrimPrefix(r.Sort, logindb.MemberPrefix)),
		Role: authz.Role(r.Role), Since: table.Instant(r.Since)}
}

func accountKey(of id.Account) table.Item { return table.Key(string(of), accountSort) }

// Account implements account.Teams.
func (s *Teams) Account(ctx context.Context, of id.Account) (account.Account, error) {
	var found accountRow
	if err := get(ctx, s.DB, s.AccountsTable, string(of), accountSort, &found); err != nil {
		return account.Account{}, err
	}
	return account.Account{ID: of, Name: found.Name, CreatedAt: table.Instant(found.CreatedAt)}, nil
}

// Rename implements account.Teams.
func (s *Teams) Rename(ctx context.Context, of account.Account, name string, records ...record.Record) error {
	work := &table.Transaction{DB: s.DB, Doing: "rename an account"}
	work.Update(table.Update{Table: s.AccountsTable, Key: accountKey(of.ID), Set: "SET #name = :name", If: "#name = :was",
		Names: map[string]string{"#name": "name"}, Values: table.Item{":name": table.S(name), ":was": table.S(of.Name)}}, account.ErrChanged)
	return s.Records.Run(ctx, work, records...)
}

// Accounts implements account.Teams.
func (s *Teams) Accounts(ctx context.Context, developer id.Developer) ([]id.Account, error) {
	items, err := query(ctx, s.DB, s.AccountsTable, string(developer), accountPrefix, "", 0)
	if err != nil {
		return nil, err
	}
	rows, err := decodeAll[membershipRow](items)
	slices.SortStableFunc(rows, func(a, b membershipRow) int { return cmp.Compare(a.Since, b.Since) })
	var all []id.Account
	for _, row := range rows {
		all = append(all, id.Account(strings.TrimPrefix(row.Sort, accountPrefix)))
	}
	return all, err
}

// Member implements account.Teams.
func (s *Teams) Member(ctx context.Context, of id.Account, developer id.Developer) (account.Member, error) {
	var found memberRow
	if err := get(ctx, s.DB, s.AccountsTable, string(of), logindb.MemberPrefix+string(developer), &found); err != nil {
		return account.Member{}, err
	}
	return found.member(), nil
}

// Members implements account.Teams.
func (s *Teams) Members(ctx context.Context, of id.Account, after id.Developer, limit int) ([]account.Member, error) {
	items, err := query(ctx, s.DB, s.AccountsTable, string(of), logindb.MemberPrefix, string(after), limit)
	if err != nil {
		return nil, err
	}
	rows, err := decodeAll[memberRow](items)
	var all []account.Member
	for _, row := range rows {
		all = append(all, row.member())
	}
	return all, err
}

// addMember makes a member: account.ErrMember where it is one.
func addMember(work *table.Transaction, tableName string, member account.Member) {
	work.Put(tableName, memberRow{Account: string(member.Account), Sort: logindb.MemberPrefix + string(member.Developer),
		Role: string(member.Role), Since: table.Millis(member.Since)}, absent, account.ErrMember)
	work.Put(tableName, membershipRow{Developer: string(member.Developer), Sort: accountPrefix + string(member.Account),
		Since: table.Millis(member.Since)}, "", nil)
}

// Create implements account.Teams.
func (s *Teams) Create(
	ctx context.Context, made account.Account, owner id.Developer, records ...record.Record,
) (account.Account, error) {
	work := &table.Transaction{DB: s.DB, Doing: "create an account"}
	addAccount(work, s.AccountsTable, made, owner, account.ErrTaken)
	err := s.Records.Run(ctx, work, records...)
	if errors.Is(err, account.ErrTaken) {
		standing, failed := s.Account(ctx, made.ID)
		return standing, errors.Join(err, failed)
	}
	return made, err
}

// addAccount makes an account with its first member, an owner; taken is what a standing account of the ID means.
func addAccount(work *table.Transaction, tableName string, made account.Account, owner id.Developer, taken error) {
	work.Put(tableName, accountRow{ID: string(made.ID), Sort: accountSort, Name: made.Name, CreatedAt: table.Millis(made.CreatedAt),
		Members: 1, Owners: 1}, absent, taken)
	addMember(work, tableName, account.Member{Account: made.ID, Developer: owner, Role: authz.Owner, Since: made.CreatedAt})
}

// Join implements account.Teams.
func (s *Teams) Join(
	ctx context.Context, link account.Link, member account.Member, made *account.Developer, records ...record.Record,
) error {
	work := &table.Transaction{DB: s.DB, Doing: "join an account"}
	takeLink(work, s.DevelopersTable, link.Hash, s.Clock)
	work.Remove(s.open(link.Account, link.Invitation), account.ErrUsed)
	if made != nil {
		addDeveloper(work, s.DevelopersTable, *made)
	}
	addMember(work, s.AccountsTable, member)
	count := table.Update{Table: s.AccountsTable, Key: accountKey(member.Account), Set: "ADD #members :one",
		If: "#members < :max", Names: map[string]string{"#members": "members"},
		Values: table.Item{":one": table.N(1), ":max": table.N(account.MaxMembers)}}
	if member.Role == authz.Owner {
		count.Set += ", #owners :one"
		count.Names["#owners"] = "owners"
	}
	work.Update(count, account.ErrFull)
	return s.Records.Run(ctx, work, records...)
}

// standing names a member's row as long as the role is the one given.
func (s *Teams) standing(member account.Member) table.Update {
	return table.Update{Table: s.AccountsTable, Key: table.Key(string(member.Account), logindb.MemberPrefix+string(member.Developer)),
		If: "#role = :was", Names: map[string]string{"#role": "role"}, Values: table.Item{":was": table.S(string(member.Role))}}
}

// SetRole implements account.Teams.
func (s *Teams) SetRole(ctx context.Context, member account.Member, to authz.Role, records ...record.Record) error {
	work := &table.Transaction{DB: s.DB, Doing: "set a role"}
	change := s.standing(member)
	change.Set, change.Values[":to"] = "SET #role = :to", table.S(string(to))
	work.Update(change, account.ErrChanged)
	was, is := member.Role == authz.Owner, to == authz.Owner
	switch {
	case was && !is:
		work.Update(s.loseOwner(member.Account), account.ErrLastOwner)
	case is && !was:
		work.Update(table.Update{Table: s.AccountsTable, Key: accountKey(member.Account), Set: "ADD #owners :one",
			Names: map[string]string{"#owners": "owners"}, Values: table.Item{":one": table.N(1)}}, nil)
	}
	return s.Records.Run(ctx, work, records...)
}

// loseOwner counts an owner less, where one is left after it.
func (s *Teams) loseOwner(of id.Account) table.Update {
	return table.Update{Table: s.AccountsTable, Key: accountKey(of), Set: "ADD #owners :less", If: "#owners > :one",
		Names: map[string]string{"#owners": "owners"}, Values: table.Item{":less": table.N(-1), ":one": table.N(1)}}
}

// Leave implements account.Teams.
func (s *Teams) Leave(ctx context.Context, member account.Member, records ...record.Record) error {
	work := &table.Transaction{DB: s.DB, Doing: "leave an account"}
	work.Remove(s.standing(member), account.ErrChanged)
	work.Remove(table.Update{Table: s.AccountsTable, Key: table.Key(string(member.Developer), accountPrefix+string(member.Account))}, nil)
	count, refusal := table.Update{Table: s.AccountsTable, Key: accountKey(member.Account), Set: "ADD #members :less",
		Names: map[string]string{}, Values: table.Item{":less": table.N(-1)}}, error(nil)
	if member.Role == authz.Owner {
		count, refusal = s.loseOwner(member.Account), account.ErrLastOwner
		count.Set += ", #members :less"
	}
	count.Names["#members"] = "members"
	work.Update(count, refusal)
	return s.Records.Run(ctx, work, records...)
}
