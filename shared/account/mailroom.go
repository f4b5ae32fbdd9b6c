package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/mail"
)

const (
	// linkLife is how long the links work that strangers can ask for: long enough for a slow mail server.
	linkLife = time.Hour
	// tokenLength gives mailed tokens 256 bits.
	tokenLength = 43
)

// JobKind names what the Mailroom shall do.
type JobKind string

// The kinds of jobs.
const (
	JobSignUp      JobKind = "signup"
	JobResend      JobKind = "resend"
	JobForgot      JobKind = "forgot"
	JobUnlock      JobKind = "unlock"
	JobChangeEmail JobKind = "change_email"
	JobInvitation  JobKind = "invitation"
	// JobNotice sends a mail without a link: to Developer, to Email, or to the owners and admins of Account.
	JobNotice JobKind = "notice"
)

// Job is what functions/mail is invoked with. It carries no token and no password.
type Job struct {
	Kind       JobKind        `json:"kind"`
	Email      Email          `json:"email,omitempty"`
	Nonce      string         `json:"nonce,omitempty"`
	Developer  id.Developer   `json:"developer,omitempty"`
	Version    int64          `json:"version,omitempty"`
	Account    id.Account     `json:"account,omitempty"`
	Invitation string         `json:"invitation,omitempty"`
	Role       authz.Role     `json:"role,omitempty"`
	Language   fault.Language `json:"language,omitempty"`
	Source     string         `json:"source,omitempty"`
	At         time.Time      `json:"at"`
	// Mail is a notice's kind, Other the other address of an EmailChanged, Content what the kind needs beside these.
	Mail    mail.Kind    `json:"mail,omitempty"`
	Other   Email        `json:"other,omitempty"`
	Content mail.Content `json:"content,omitzero"`
}

// notice returns the job that tells a developer what was done to the login, at the address that it has now.
func notice(kind mail.Kind, developer Developer, visit Visit) Job {
	return Job{Kind: JobNotice, Mail: kind, Email: developer.Email, Language: developer.Language, Source: visit.Source.String()}
}

// Mailroom does the jobs behind the queue. It alone decides what an address that somebody has named is good for. A job done
// twice sends two mails with two links; each works once, and only for what is still as it was.
type Mailroom struct {
	Logins Logins
	Teams  Teams
	Sender mail.Sender
	// Render writes a mail; letter.Render does.
	Render func(kind mail.Kind, language fault.Language, to string, content mail.Content) (mail.Message, error)
	// LinkBase is where links lead: scheme and host of the API, from configuration, never from a request.
	LinkBase string
	Clock    clock.Clock
	IDs      id.Source
}

// Do does one job. An error asks for another try.
func (m *Mailroom) Do(ctx context.Context, job Job) error {
	do := map[JobKind]func(context.Context, Job) error{
		JobSignUp: m.signUp, JobResend: m.signUp, JobForgot: m.forgot, JobUnlock: m.unlock,
		JobChangeEmail: m.changeEmail, JobInvitation: m.invite, JobNotice: m.notice,
	}[job.Kind]
	if do == nil {
		slog.ErrorContext(ctx, "unknown job", "kind", string(job.Kind))
		return nil
	}
	if err := do(ctx, job); err != nil {
		return fmt.Errorf("mail job %s: %w", job.Kind, err)
	}
	return nil
}

// signUp mails the link of the sign-up, or tells the owner of the address that somebody tried.
func (m *Mailroom) signUp(ctx context.Context, job Job) error {
	_, err := m.Logins.ByEmail(ctx, job.Email)
	if err == nil {
		if job.Kind == JobResend {
			return nil // there is nothing to confirm
		}
		return m.send(ctx, mail.AlreadyRegistered, job, mail.Content{})
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	pending, err := m.Logins.Pending(ctx, job.Email)
	if errors.Is(err, ErrNotFound) || err == nil && job.Kind == JobSignUp && pending.Nonce != job.Nonce {
		return nil // lapsed, confirmed, or replaced by a later sign-up, which has a job of its own
	}
	if err != nil {
		return err
	}
	link := Link{Action: ActionConfirm, Email: job.Email, Pending: pending, ExpiresAt: pending.ExpiresAt}
	return m.sendLink(ctx, mail.ConfirmSignUp, job, link, mail.Content{})
}

func (m *Mailroom) forgot(ctx context.Context, job Job) error {
	developer, err := m.developer(ctx, job.Email)
	if errors.Is(err, ErrNotFound) {
		return m.send(ctx, mail.ResetUnknown, job, mail.Content{})
	}
	if err != nil {
		return err
	}
	return m.sendLink(ctx, mail.ResetPassword, job, m.linkOf(ActionReset, developer), mail.Content{})
}

func (m *Mailroom) unlock(ctx context.Context, job Job) error {
	developer, err := m.developer(ctx, job.Email)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return m.sendLink(ctx, mail.Unlock, job, m.linkOf(ActionUnlock, developer), mail.Content{})
}

func (m *Mailroom) changeEmail(ctx context.Context, job Job) error {
	if _, err := m.Logins.ByEmail(ctx, job.Email); !errors.Is(err, ErrNotFound) {
		return err // the address has a login: its owner is not bothered, and the one who asks is told nothing
	}
	link := Link{Action: ActionEmail, Email: job.Email, Developer: job.Developer, Version: job.Version,
		ExpiresAt: m.Clock.Now().Add(linkLife)}
	return m.sendLink(ctx, mail.ConfirmEmail, job, link, mail.Content{})
}

func (m *Mailroom) invite(ctx context.Context, job Job) error {
	invitation, err := m.Teams.Invitation(ctx, job.Account, job.Invitation)
	if errors.Is(err, ErrNotFound) {
		return nil // withdrawn
	}
	if err != nil {
		return err
	}
	account, err := m.Teams.Account(ctx, job.Account)
	if err != nil {
		return err
	}
	inviter, _, err := m.Logins.Developer(ctx, invitation.InvitedBy)
	if err != nil {
		return err
	}
	link := Link{Action: ActionInvitation, Email: invitation.Email, Account: invitation.Account, Invitation: invitation.ID,
		Role: invitation.Role, ExpiresAt: invitation.ExpiresAt}
	return m.sendLink(ctx, mail.Invitation, job, link,
		mail.Content{Account: account.Name, Role: string(invitation.Role), Email: string(inviter.Email)})
}

// notice sends what needs no link.
func (m *Mailroom) notice(ctx context.Context, job Job) error {
	content := job.Content
	if job.Other != "" {
		content.Email = string(job.Other)
	}
	if job.Account != "" {
		account, err := m.Teams.Account(ctx, job.Account)
		if err != nil {
			return err
		}
		content.Account, content.Role = account.Name, string(job.Role)
	}
	switch {
	case job.Email != "":
		return m.send(ctx, job.Mail, job, content)
	case job.Developer != "":
		return m.sendTo(ctx, []id.Developer{job.Developer}, job, content)
	}
	return m.sendToOwners(ctx, job, content)
}

// sendToOwners sends a notice to those who can do something about it.
func (m *Mailroom) sendToOwners(ctx context.Context, job Job, content mail.Content) error {
	for after := id.Developer(""); ; {
		const page = 100
		members, err := m.Teams.Members(ctx, job.Account, after, page)
		if err != nil {
			return err
		}
		var receivers []id.Developer
		for _, member := range members {
			if after = member.Developer; member.Role != authz.Auditor {
				receivers = append(receivers, member.Developer)
			}
		}
		if err := m.sendTo(ctx, receivers, job, content); err != nil || len(members) < page {
			return err
		}
	}
}

// sendTo sends a notice to each of the developers, in their own language.
func (m *Mailroom) sendTo(ctx context.Context, receivers []id.Developer, job Job, content mail.Content) error {
	if len(receivers) == 0 {
		return nil
	}
	developers, err := m.Logins.Developers(ctx, receivers)
	if err != nil {
		return err
	}
	for _, developer := range developers {
		job.Email, job.Language = developer.Email, developer.Language
		if err := m.send(ctx, job.Mail, job, content); err != nil {
			return err
		}
	}
	return nil
}

// developer returns the developer with the address, or ErrNotFound.
func (m *Mailroom) developer(ctx context.Context, email Email) (Developer, error) {
	developerID, err := m.Logins.ByEmail(ctx, email)
	if err != nil {
		return Developer{}, err
	}
	developer, _, err := m.Logins.Developer(ctx, developerID)
	return developer, err
}

// linkOf returns a link for a developer as the login is now.
func (m *Mailroom) linkOf(action Action, developer Developer) Link {
	return Link{Action: action, Email: developer.Email, Developer: developer.ID, Version: developer.Version,
		ExpiresAt: m.Clock.Now().Add(linkLife)}
}

// sendLink makes the link's token, keeps its hash, and mails it. The token stands in the fragment of the address, which no
// browser sends anywhere.
func (m *Mailroom) sendLink(ctx context.Context, kind mail.Kind, job Job, link Link, content mail.Content) error {
	token := m.IDs.Text(tokenLength)
	link.Hash = hash(token)
	if err := m.Logins.PutLink(ctx, link); err != nil {
		return err
	}
	content.Until = link.ExpiresAt
	content.Link = m.LinkBase + "/link#" + url.Values{"action": {string(link.Action)}, "token": {token}}.Encode()
	return m.send(ctx, kind, job, content)
}

func (m *Mailroom) send(ctx context.Context, kind mail.Kind, job Job, content mail.Content) error {
	if content.When.IsZero() {
		content.When = job.At
	}
	if content.Source == "" {
		content.Source = job.Source
	}
	message, err := m.Render(kind, job.Language, string(job.Email), content)
	if err != nil {
		return err
	}
	return m.Sender.Send(ctx, message)
}
