// Package notice tells the owners and admins of accounts what becomes of their apps and keys, by jobs for the mail
// function.
package notice

import (
	"context"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/mail"
)

// Apps reads what apps are called and whose they are. app.Store is one.
type Apps interface {
	Get(ctx context.Context, app id.App) (found app.App, ok bool, err error)
}

// Notices implements app.Notices and apikey.Mailer.
type Notices struct {
	Queue account.Queue
	Apps  Apps
	Clock clock.Clock
}

var (
	_ app.Notices   = (*Notices)(nil)
	_ apikey.Mailer = (*Notices)(nil)
)

// AppNotice implements app.Notices.
func (n *Notices) AppNotice(ctx context.Context, owner id.Account, kind string, about app.App) error {
	return n.enqueue(ctx, owner, mail.Kind(kind), mail.Content{App: about.Name, When: about.DeletedAt, Until: about.EraseAt})
}

// KeyNotice implements apikey.Mailer. An app that was made by `make bootstrap-key` belongs to no account: nobody is told.
func (n *Notices) KeyNotice(ctx context.Context, appID id.App, kind string, key apikey.Key) error {
	found, ok, err := n.Apps.Get(ctx, appID)
	if err != nil || !ok || found.Account == "" {
		return err
	}
	content := mail.Content{App: found.Name, Key: string(key.ID), Name: key.Name, When: key.ExpiresAt}
	if kind == apikey.NoticeUsedAfterRotation {
		content.When, content.Until, content.Source = key.UsedAt, key.ExpiresAt, key.UsedFrom
	}
	return n.enqueue(ctx, found.Account, mail.Kind(kind), content)
}

func (n *Notices) enqueue(ctx context.Context, owner id.Account, kind mail.Kind, content mail.Content) error {
	return n.Queue.Enqueue(ctx, account.Job{Kind: account.JobNotice, Mail: kind, Account: owner, Content: content, At: n.Clock.Now()})
}
