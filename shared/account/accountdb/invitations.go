package accountdb

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
)

type invitationRow struct {
	Account   string `dynamodbav:"pk"`
	Sort      string `dynamodbav:"sk"`
	Email     string `dynamodbav:"email"`
	Role      string `dynamodbav:"role"`
	InvitedBy string `dynamodbav:"invited_by"`
	CreatedAt int64  `dynamodbav:"created_at"`
	ExpiresAt int64  `dynamodbav:"expires_at"`
	Sweep     int64  `dynamodbav:"expires"` // TTL, seconds
}

func (r invitationRow) invitation() account.Invitation {
	return account.Invitation{Account: id.Account(r.Account), ID: strings.TrimPrefix(r.Sort, invitationPrefix),
		Email: account.Email(r.Email), Role: authz.Role(r.Role), InvitedBy: id.Developer(r.InvitedBy),
		CreatedAt: table.Instant(r.CreatedAt), ExpiresAt: table.Instant(r.ExpiresAt)}
}

// PutInvitation implements account.Teams.
func (s *Teams) PutInvitation(ctx context.Context, made account.Invitation, records ...record.Record) error {
	work := &table.Transaction{DB: s.DB, Doing: "invite"}
	work.Put(s.AccountsTable, invitationRow{Account: string(made.Account), Sort: invitationPrefix + made.ID,
		Email: string(made.Email), Role: string(made.Role), InvitedBy: string(made.InvitedBy),
		CreatedAt: table.Millis(made.CreatedAt), ExpiresAt: table.Millis(made.ExpiresAt), Sweep: sweepAt(made.ExpiresAt)}, "", nil)
	return s.Records.Run(ctx, work, records...)
}

// Invitation implements account.Teams.
func (s *Teams) Invitation(ctx context.Context, of id.Account, invitation string) (account.Invitation, error) {
	var found invitationRow
	if err := get(ctx, s.DB, s.AccountsTable, string(of), invitationPrefix+invitation, &found); err != nil {
		return account.Invitation{}, err
	}
	if !lasts(s.Clock, found.ExpiresAt) {
		return account.Invitation{}, account.ErrNotFound
	}
	return found.invitation(), nil
}

// Invitations implements account.Teams.
func (s *Teams) Invitations(ctx context.Context, of id.Account) ([]account.Invitation, error) {
	items, err := query(ctx, s.DB, s.AccountsTable, string(of), invitationPrefix, "", 0)
	if err != nil {
		return nil, err
	}
	rows, err := decodeAll[invitationRow](items)
	var all []account.Invitation
	for _, row := range rows {
		if lasts(s.Clock, row.ExpiresAt) {
			all = append(all, row.invitation())
		}
	}
	slices.SortFunc(all, func(a, b account.Invitation) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// open names an invitation's row as long as it has not expired.
func (s *Teams) open(of id.Account, invitation string) table.Update {
	return table.Update{Table: s.AccountsTable, Key: table.Key(string(of), invitationPrefix+invitation), If: live,
		Values: table.Item{":now": now(s.Clock)}}
}

// RemoveInvitation implements account.Teams.
func (s *Teams) RemoveInvitation(ctx context.Context, of id.Account, invitation string, records ...record.Record) error {
	work := &table.Transaction{DB: s.DB, Doing: "withdraw an invitation"}
	work.Remove(s.open(of, invitation), account.ErrNotFound)
	return s.Records.Run(ctx, work, records...)
}
