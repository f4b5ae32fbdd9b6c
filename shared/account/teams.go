package account

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/mail"
	"github.com/tokenim/tokenim/shared/record"
)

// maxAccounts is how many accounts a developer may be a member of and still make another.
const maxAccounts = 50

// invitationLife is how long an invitation is open.
const invitationLife = 7 * 24 * time.Hour

// invitationLength gives an invitation's public ID 95 bits.
const invitationLength = 16

// above tells whether the first role is mightier than the second.
func above(first, second authz.Role) bool {
	return slices.Index(authz.AccountRoles, first) < slices.Index(authz.AccountRoles, second)
}

// mayGive refuses to give, change or take a role above the caller's own. What concerns owners asks for a proof that the
// developer is there, too.
func (s *Service) mayGive(caller authz.Caller, roles ...authz.Role) error {
	for _, role := range roles {
		if above(role, caller.Role) {
			return fault.New(fault.RoleTooHigh)
		}
		if role == authz.Owner {
			if err := caller.RequireConfirmed(s.Clock.Now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Create makes another account, which the developer owns, and lets the session stand in it. With an idempotency key ("" for
// none) a repeated creation finds the account of the first; under another name it is fault.IdempotencyConflict.
func (s *Service) Create(ctx context.Context, caller authz.Caller, name, idempotencyKey string) (Account, error) {
	if err := checkName(name, "name"); err != nil {
		return Account{}, err
	}
	standing, err := s.Teams.Accounts(ctx, caller.Developer)
	if err != nil {
		return Account{}, err
	}
	made := Account{ID: s.IDs.Account(), Name: name, CreatedAt: s.Clock.Now()}
	if idempotencyKey != "" {
		made.ID = id.DeriveAccount(caller.Developer, idempotencyKey)
	}
	if len(standing) >= maxAccounts && !slices.Contains(standing, made.ID) {
		return Account{}, fault.New(fault.TooMany, maxAccounts)
	}
	found, err := s.Teams.Create(ctx, made, caller.Developer, s.founding(during(caller, ""), made, caller.Developer)...)
	if errors.Is(err, ErrTaken) && (idempotencyKey == "" || found.Name != name) {
		return Account{}, fault.Wrap(err, fault.IdempotencyConflict)
	}
	if err != nil && !errors.Is(err, ErrTaken) {
		return Account{}, err
	}
	return found, s.stand(ctx, caller, found.ID)
}

// stand makes the session stand in the account, and says so in the log of that account: what it does from then on stands
// there, too, and no other account is told where its members have others.
func (s *Service) stand(ctx context.Context, caller authz.Caller, in id.Account) error {
	where := scene{log: record.OfAccount(in), origin: record.By(caller, "")}
	return ended(s.Sessions.Switch(ctx, caller.Developer, caller.Session, in,
		s.record(where, record.SessionSwitched, string(caller.Developer), nil, sessionState{Session: caller.Session})))
}

// Rename gives the account of the session another name.
func (s *Service) Rename(ctx context.Context, caller authz.Caller, name string) error {
	if err := checkName(name, "name"); err != nil {
		return err
	}
	standing, err := s.Teams.Account(ctx, caller.Account)
	if err != nil || standing.Name == name {
		return err
	}
	return kept(s.Teams.Rename(ctx, standing, name, s.record(during(caller, ""), record.AccountRenamed, string(caller.Account),
		nameState{standing.Name}, nameState{name})))
}

// Invite offers a membership by mail.
func (s *Service) Invite(ctx context.Context, caller authz.Caller, address string, role authz.Role, visit Visit) (Invitation, error) {
	email, err := ParseEmail(address, "email")
	if err != nil {
		return Invitation{}, err
	}
	if err := s.mayGive(caller, role); err != nil {
		return Invitation{}, err
	}
	open, err := s.Teams.Invitations(ctx, caller.Account)
	if err != nil {
		return Invitation{}, err
	}
	if len(open) >= maxInvitations {
		return Invitation{}, fault.New(fault.TooMany, maxInvitations)
	}
	if err := s.takeMail(ctx, JobInvitation, email, visit); err != nil {
		return Invitation{}, err
	}
	now := s.Clock.Now()
	made := Invitation{Account: caller.Account, ID: s.IDs.Text(invitationLength), Email: email, Role: role,
		InvitedBy: caller.Developer, CreatedAt: now, ExpiresAt: now.Add(invitationLife)}
	if err := s.Teams.PutInvitation(ctx, made, s.record(during(caller, visit.Reason), record.MemberInvited, made.ID, nil,
		offerState{email, role})); err != nil {
		return Invitation{}, err
	}
	return made, s.Queue.Enqueue(ctx, Job{Kind: JobInvitation, Email: email, Account: caller.Account, Invitation: made.ID,
		Developer: caller.Developer, Language: visit.Language, Source: visit.Source.String(), At: now})
}

// Withdraw takes an invitation back: its link no longer works.
func (s *Service) Withdraw(ctx context.Context, caller authz.Caller, invitation string, visit Visit) error {
	standing, err := s.Teams.Invitation(ctx, caller.Account, invitation)
	if err == nil {
		if err := s.mayGive(caller, standing.Role); err != nil {
			return err
		}
		err = s.Teams.RemoveInvitation(ctx, caller.Account, invitation, s.record(during(caller, visit.Reason),
			record.InvitationRemoved, invitation, memberState{Role: standing.Role}, nil))
	}
	if errors.Is(err, ErrNotFound) {
		return fault.Wrap(err, fault.InvitationNotFound)
	}
	return err
}

// Accept makes a member of whoever has the token of an invitation: of the login with the address that it was mailed to, or
// of a new one with the password. The invitation says which account, which role and which address; nothing in the request
// can change them (CVE-2022-21706). A login with a second factor that exists already is not entered by it: the developer
// logs in, and finds one account more.
func (s *Service) Accept(ctx context.Context, token, text string, visit Visit) (Member, error) {
	link, err := s.link(ctx, token, ActionInvitation)
	if err != nil {
		return Member{}, err
	}
	if err := s.offered(ctx, link); err != nil {
		return Member{}, err
	}
	now := s.Clock.Now()
	member := Member{Account: link.Account, Role: link.Role, Since: now}
	developer, err := s.Logins.ByEmail(ctx, link.Email)
	var made *Developer
	switch {
	case err == nil:
		member.Developer = developer
	case errors.Is(err, ErrNotFound):
		made = &Developer{ID: s.IDs.Developer(), Email: link.Email, Language: visit.Language, CreatedAt: now, Version: 1}
		if made.Password, err = s.newPassword(ctx, "password", *made, nil, text); err != nil {
			return Member{}, err
		}
		member.Developer = made.ID
	default:
		return Member{}, err
	}
	return member, joined(s.Teams.Join(ctx, link, member, made,
		s.record(visit.of(member.Developer, record.OfAccount(member.Account)), record.MemberJoined, string(member.Developer), nil,
			memberState{Role: member.Role, Invitation: link.Invitation})))
}

// offered checks that whoever sent the invitation may still do so: one who was removed does not come back by an invitation
// of their own, nor one who was demoted to the role of before.
func (s *Service) offered(ctx context.Context, link Link) error {
	invitation, err := s.Teams.Invitation(ctx, link.Account, link.Invitation)
	if err != nil {
		return spent(err)
	}
	inviter, err := s.Teams.Member(ctx, link.Account, invitation.InvitedBy)
	if err != nil {
		return spent(err)
	}
	if above(link.Role, inviter.Role) || !authz.RoleMay(inviter.Role, authz.MembersManage) {
		return fault.New(fault.LinkInvalid)
	}
	return nil
}

// joined makes refusals of what Join refuses.
func joined(err error) error {
	switch {
	case errors.Is(err, ErrMember):
		return fault.Wrap(err, fault.MemberExists)
	case errors.Is(err, ErrFull):
		return fault.Wrap(err, fault.TooMany, MaxMembers)
	case errors.Is(err, ErrTaken): // somebody signed up with the address between the look and the step
		return fault.Wrap(err, fault.Overtaken)
	}
	return spent(err)
}

// SetRole gives a member another role.
func (s *Service) SetRole(ctx context.Context, caller authz.Caller, developer id.Developer, role authz.Role, visit Visit) (Member, error) {
	member, err := s.member(ctx, caller, developer)
	if err != nil || member.Role == role {
		return member, err
	}
	if err := s.mayGive(caller, member.Role, role); err != nil {
		return Member{}, err
	}
	if err := kept(s.Teams.SetRole(ctx, member, role, s.record(during(caller, visit.Reason), record.MemberChanged,
		string(developer), memberState{Role: member.Role}, memberState{Role: role}))); err != nil {
		return Member{}, err
	}
	member.Role = role
	s.notifyMember(ctx, mail.RoleChanged, member, visit)
	return member, nil
}

// Remove takes a member out of the account. A member may always leave, but the last owner. Sessions that stand in the
// account can do nothing there from the next request on.
func (s *Service) Remove(ctx context.Context, caller authz.Caller, developer id.Developer, visit Visit) error {
	member, err := s.member(ctx, caller, developer)
	if err != nil {
		return err
	}
	if developer != caller.Developer {
		if err := caller.Require(authz.MembersManage); err != nil {
			return err
		}
		if err := s.mayGive(caller, member.Role); err != nil {
			return err
		}
	}
	if err := kept(s.Teams.Leave(ctx, member, s.record(during(caller, visit.Reason), record.MemberRemoved, string(developer),
		memberState{Role: member.Role}, nil))); err != nil {
		return err
	}
	s.notifyMember(ctx, mail.MemberRemoved, member, visit)
	return nil
}

func (s *Service) member(ctx context.Context, caller authz.Caller, developer id.Developer) (Member, error) {
	member, err := s.Teams.Member(ctx, caller.Account, developer)
	if errors.Is(err, ErrNotFound) {
		return Member{}, fault.Wrap(err, fault.MemberNotFound)
	}
	return member, err
}

// kept makes refusals of what a change of a member refuses.
func kept(err error) error {
	switch {
	case errors.Is(err, ErrLastOwner):
		return fault.Wrap(err, fault.LastOwner)
	case errors.Is(err, ErrChanged): // two changes at once: the next look shows how it stands
		return fault.Wrap(err, fault.Overtaken)
	}
	return err
}

// notifyMember tells a member what was changed.
func (s *Service) notifyMember(ctx context.Context, kind mail.Kind, member Member, visit Visit) {
	s.notify(ctx, Job{Kind: JobNotice, Mail: kind, Developer: member.Developer, Account: member.Account, Role: member.Role,
		Language: visit.Language, Source: visit.Source.String()})
}

// Switch makes the session stand in another account of the developer.
func (s *Service) Switch(ctx context.Context, caller authz.Caller, to id.Account) (Member, error) {
	member, err := s.Teams.Member(ctx, to, caller.Developer)
	if errors.Is(err, ErrNotFound) {
		return Member{}, fault.Wrap(err, fault.AccountNotFound)
	}
	if err != nil {
		return Member{}, err
	}
	return member, s.stand(ctx, caller, to)
}

// logLost says that a mail will not be sent, without saying to whom.
func logLost(ctx context.Context, job Job, err error) {
	slog.ErrorContext(ctx, "mail not queued", "job", string(job.Kind), "mail", string(job.Mail), "error", err)
}
