package accountdb

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
)

// Logins implements account.Logins.
type Logins struct {
	DB *dynamodb.Client
	// DevelopersTable and AccountsTable are the tables' names.
	DevelopersTable, AccountsTable string
	// Records writes the records of changes.
	Records *recorddb.Writer
	Clock   clock.Clock
}

var _ account.Logins = (*Logins)(nil)

type developerRow struct {
	ID        string `dynamodbav:"pk"`
	Sort      string `dynamodbav:"sk"`
	Email     string `dynamodbav:"email"`
	Password  string `dynamodbav:"password"`
	Language  string `dynamodbav:"language"`
	CreatedAt int64  `dynamodbav:"created_at"`
	Version   int64  `dynamodbav:"version"`
}

// claimRow says whose an address is.
type claimRow struct {
	Key       string `dynamodbav:"pk"`
	Sort      string `dynamodbav:"sk"`
	Developer string `dynamodbav:"developer"`
}

func (r developerRow) developer() account.Developer {
	return account.Developer{ID: id.Developer(r.ID), Email: account.Email(r.Email), Password: r.Password,
		Language: fault.Language(r.Language), CreatedAt: table.Instant(r.CreatedAt), Version: r.Version}
}

func developerKey(developer id.Developer) table.Item {
	return table.Key(string(developer), developerSort)
}

// ByEmail implements account.Logins.
func (s *Logins) ByEmail(ctx context.Context, email account.Email) (id.Developer, error) {
	var found claimRow
	err := get(ctx, s.DB, s.DevelopersTable, claimKey(email), onlySort, &found)
	return id.Developer(found.Developer), err
}

// Developer implements account.Logins with one round trip.
func (s *Logins) Developer(ctx context.Context, developer id.Developer) (account.Developer, *account.Factor, error) {
	items, err := table.BatchGet(ctx, s.DB, table.Read{Table: s.DevelopersTable, Strong: true,
		Keys: []table.Item{developerKey(developer), factorKey(developer)}})
	if err != nil {
		return account.Developer{}, nil, err
	}
	login, factor, err := decodeLogin(items[s.DevelopersTable])
	if err != nil {
		return account.Developer{}, nil, err
	}
	if login == nil {
		return account.Developer{}, nil, account.ErrNotFound
	}
	return *login, factor, nil
}

// decodeLogin reads the rows of a developer and of the second factor, each of which may be missing, in any order.
func decodeLogin(items []table.Item) (login *account.Developer, factor *account.Factor, err error) {
	for _, item := range items {
		var row developerRow
		if err := table.Decode(item, &row); err != nil {
			return nil, nil, err
		}
		if row.Sort == developerSort {
			decoded := row.developer()
			login = &decoded
			continue
		}
		var found factorRow
		if err := table.Decode(item, &found); err != nil {
			return nil, nil, err
		}
		factor = found.decode()
	}
	return login, factor, nil
}

// Developers implements account.Logins.
func (s *Logins) Developers(ctx context.Context, developers []id.Developer) ([]account.Developer, error) {
	var keys []table.Item
	for _, developer := range slices.Compact(slices.Sorted(slices.Values(developers))) {
		keys = append(keys, developerKey(developer))
	}
	items, err := table.BatchGet(ctx, s.DB, table.Read{Table: s.DevelopersTable, Keys: keys, Strong: true})
	if err != nil {
		return nil, err
	}
	rows, err := decodeAll[developerRow](items[s.DevelopersTable])
	var found []account.Developer
	for _, row := range rows {
		found = append(found, row.developer())
	}
	return found, err
}

// Activate implements account.Logins.
func (s *Logins) Activate(
	ctx context.Context, link [32]byte, developer account.Developer, made account.Account, records ...record.Record,
) error {
	work := &table.Transaction{DB: s.DB, Doing: "activate a sign-up"}
	takeLink(work, s.DevelopersTable, link, s.Clock)
	addDeveloper(work, s.DevelopersTable, developer)
	work.Remove(table.Update{Table: s.DevelopersTable, Key: table.Key(pendingKey(developer.Email), onlySort)}, nil)
	addAccount(work, s.AccountsTable, made, developer.ID, nil)
	return s.Records.Run(ctx, work, records...)
}

// addDeveloper makes a login: account.ErrTaken where the address is another's.
func addDeveloper(work *table.Transaction, tableName string, developer account.Developer) {
	work.Put(tableName, claimRow{Key: claimKey(developer.Email), Sort: onlySort, Developer: string(developer.ID)}, absent, account.ErrTaken)
	work.Put(tableName, developerRow{ID: string(developer.ID), Sort: developerSort, Email: string(developer.Email),
		Password: developer.Password, Language: string(developer.Language), CreatedAt: table.Millis(developer.CreatedAt),
		Version: developer.Version}, absent, nil)
}

// change is an update of a login whose version is the one given.
func (s *Logins) change(developer id.Developer, version int64, set, attribute, value string) table.Update {
	return table.Update{Table: s.DevelopersTable, Key: developerKey(developer), Set: set, If: "#version = :version",
		Names:  map[string]string{"#version": "version", "#attribute": attribute},
		Values: table.Item{":version": table.N(version), ":value": table.S(value)}}
}

// counting is change, and counts the version up.
func (s *Logins) counting(developer id.Developer, version int64, attribute, value string) table.Update {
	change := s.change(developer, version, "SET #attribute = :value, #version = :next", attribute, value)
	change.Values[":next"] = table.N(version + 1)
	return change
}

// SetPassword implements account.Logins.
func (s *Logins) SetPassword(
	ctx context.Context, developer id.Developer, version int64, hash string, link *[32]byte, keep string, records ...record.Record,
) error {
	work := &table.Transaction{DB: s.DB, Doing: "set a password"}
	if link != nil {
		takeLink(work, s.DevelopersTable, *link, s.Clock)
	}
	work.Update(s.counting(developer, version, "password", hash), account.ErrChanged)
	return s.sessions().endAll(ctx, work, developer, keep, records)
}

// sessions is the store of the same logins' sessions.
func (s *Logins) sessions() *Sessions {
	return NewSessions(s.DB, s.AccountsTable, s.Records, s.Clock)
}

// Rehash implements account.Logins. A second attempt finds the same version and writes the same.
func (s *Logins) Rehash(ctx context.Context, developer id.Developer, version int64, hash string) error {
	err := s.change(developer, version, "SET #attribute = :value", "password", hash).Run(ctx, s.DB, nil)
	if errors.Is(err, table.ErrCondition) {
		return account.ErrChanged
	}
	return err
}

// SetEmail implements account.Logins.
func (s *Logins) SetEmail(ctx context.Context, developer account.Developer, to account.Email, link [32]byte, records ...record.Record) error {
	work := &table.Transaction{DB: s.DB, Doing: "set an address"}
	takeLink(work, s.DevelopersTable, link, s.Clock)
	if to != developer.Email { // a transaction cannot touch a row twice
		work.Put(s.DevelopersTable, claimRow{Key: claimKey(to), Sort: onlySort, Developer: string(developer.ID)}, absent, account.ErrTaken)
		work.Remove(table.Update{Table: s.DevelopersTable, Key: table.Key(claimKey(developer.Email), onlySort),
			If: "developer = :developer", Values: table.Item{":developer": table.S(string(developer.ID))}}, account.ErrChanged)
	}
	work.Update(s.counting(developer.ID, developer.Version, "email", string(to)), account.ErrChanged)
	return s.Records.Run(ctx, work, records...)
}
