package accountdb

import (
	"context"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
)

// pending is a sign-up, in its own row and in that of its link.
type pending struct {
	Email     string `dynamodbav:"email"`
	Password  string `dynamodbav:"password"`
	Account   string `dynamodbav:"account"`
	Language  string `dynamodbav:"language"`
	Nonce     string `dynamodbav:"nonce"`
	CreatedAt int64  `dynamodbav:"created_at"`
	ExpiresAt int64  `dynamodbav:"expires_at"`
}

type pendingRow struct {
	Key  string `dynamodbav:"pk"`
	Sort string `dynamodbav:"sk"`
	pending
	Sweep int64 `dynamodbav:"expires"` // TTL, seconds
}

type linkRow struct {
	Key        string   `dynamodbav:"pk"`
	Sort       string   `dynamodbav:"sk"`
	Action     string   `dynamodbav:"action"`
	Email      string   `dynamodbav:"email"`
	ExpiresAt  int64    `dynamodbav:"expires_at"`
	Pending    *pending `dynamodbav:"pending,omitempty"`
	Developer  string   `dynamodbav:"developer,omitempty"`
	Version    int64    `dynamodbav:"version"`
	Account    string   `dynamodbav:"account,omitempty"`
	Invitation string   `dynamodbav:"invitation,omitempty"`
	Role       string   `dynamodbav:"role,omitempty"`
	Sweep      int64    `dynamodbav:"expires"` // TTL, seconds
}

func encodePending(p account.Pending) pending {
	return pending{Email: string(p.Email), Password: p.Password, Account: p.Account, Language: string(p.Language),
		Nonce: p.Nonce, CreatedAt: table.Millis(p.CreatedAt), ExpiresAt: table.Millis(p.ExpiresAt)}
}

func (p pending) decode() account.Pending {
	return account.Pending{Email: account.Email(p.Email), Password: p.Password, Account: p.Account,
		Language: fault.Language(p.Language), Nonce: p.Nonce, CreatedAt: table.Instant(p.CreatedAt), ExpiresAt: table.Instant(p.ExpiresAt)}
}

// PutPending implements account.Logins.
func (s *Logins) PutPending(ctx context.Context, made account.Pending) error {
	return table.Put(ctx, s.DB, s.DevelopersTable, pendingRow{Key: pendingKey(made.Email), Sort: onlySort,
		pending: encodePending(made), Sweep: sweepAt(made.ExpiresAt)}, "", nil, nil)
}

// Pending implements account.Logins.
func (s *Logins) Pending(ctx context.Context, email account.Email) (account.Pending, error) {
	var found pendingRow
	if err := get(ctx, s.DB, s.DevelopersTable, pendingKey(email), onlySort, &found); err != nil {
		return account.Pending{}, err
	}
	if !lasts(s.Clock, found.ExpiresAt) {
		return account.Pending{}, account.ErrNotFound
	}
	return found.decode(), nil
}

// PutLink implements account.Logins.
func (s *Logins) PutLink(ctx context.Context, link account.Link) error {
	row := linkRow{Key: linkKey(link.Hash), Sort: onlySort, Action: string(link.Action), Email: string(link.Email),
		ExpiresAt: table.Millis(link.ExpiresAt), Developer: string(link.Developer), Version: link.Version,
		Account: string(link.Account), Invitation: link.Invitation, Role: string(link.Role), Sweep: sweepAt(link.ExpiresAt)}
	if link.Pending != (account.Pending{}) {
		encoded := encodePending(link.Pending)
		row.Pending = &encoded
	}
	return table.Put(ctx, s.DB, s.DevelopersTable, row, "", nil, nil)
}

// Link implements account.Logins.
func (s *Logins) Link(ctx context.Context, hash [32]byte) (account.Link, error) {
	var found linkRow
	if err := get(ctx, s.DB, s.DevelopersTable, linkKey(hash), onlySort, &found); err != nil {
		return account.Link{}, err
	}
	if !lasts(s.Clock, found.ExpiresAt) {
		return account.Link{}, account.ErrNotFound
	}
	link := account.Link{Hash: hash, Action: account.Action(found.Action), Email: account.Email(found.Email),
		ExpiresAt: table.Instant(found.ExpiresAt), Developer: id.Developer(found.Developer), Version: found.Version,
		Account: id.Account(found.Account), Invitation: found.Invitation, Role: authz.Role(found.Role)}
	if found.Pending != nil {
		link.Pending = found.Pending.decode()
	}
	return link, nil
}

// TakeLink implements account.Logins.
func (s *Logins) TakeLink(ctx context.Context, hash [32]byte, records ...record.Record) error {
	work := &table.Transaction{DB: s.DB, Doing: "use a link"}
	takeLink(work, s.DevelopersTable, hash, s.Clock)
	return s.Records.Run(ctx, work, records...)
}

// takeLink uses a link up: account.ErrUsed.
func takeLink(work *table.Transaction, tableName string, hash [32]byte, clock clock.Clock) {
	work.Remove(table.Update{Table: tableName, Key: table.Key(linkKey(hash), onlySort), If: live,
		Values: table.Item{":now": now(clock)}}, account.ErrUsed)
}
