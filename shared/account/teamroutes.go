package account

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

type memberRecord struct {
	DeveloperID id.Developer `json:"developer_id" doc:"The member."`
	Email       Email        `json:"email" doc:"The member's e-mail address."`
	Role        authz.Role   `json:"role" doc:"The role." enum:"owner,admin,auditor"`
	Since       time.Time    `json:"since" doc:"Since when."`
}

type membersOutput struct{ Body api.Page[memberRecord] }

type memberInput struct {
	AgentHeader
	ID     string `path:"id" maxLength:"64" doc:"The member's developer ID."`
	Reason string `query:"reason" maxLength:"500" doc:"Why, for the records."`
}

type roleInput struct {
	AgentHeader
	ID   string `path:"id" maxLength:"64" doc:"The member's developer ID."`
	Body struct {
		Role   authz.Role `json:"role" enum:"owner,admin,auditor" doc:"The new role."`
		Reason string     `json:"reason,omitempty" maxLength:"500" doc:"Why, for the records."`
	}
}

type roleOutput struct {
	Body struct {
		DeveloperID id.Developer `json:"developer_id" doc:"The member."`
		AccountID   id.Account   `json:"account_id" doc:"The account."`
		Role        authz.Role   `json:"role" doc:"The role." enum:"owner,admin,auditor"`
	}
}

type inviteInput struct {
	AgentHeader
	Body struct {
		Email  string     `json:"email" minLength:"1" maxLength:"254" doc:"Whom to invite." example:"bob@example.com"`
		Role   authz.Role `json:"role" enum:"owner,admin,auditor" doc:"The role that is offered."`
		Reason string     `json:"reason,omitempty" maxLength:"500" doc:"Why, for the records."`
	}
}

type invitationRecord struct {
	InvitationID string       `json:"invitation_id" doc:"The invitation."`
	Email        Email        `json:"email" doc:"Whom it was sent to."`
	Role         authz.Role   `json:"role" doc:"The role that is offered." enum:"owner,admin,auditor"`
	InvitedBy    id.Developer `json:"invited_by" doc:"Who invites."`
	CreatedAt    time.Time    `json:"created_at" doc:"When it was sent."`
	ExpiresAt    time.Time    `json:"expires_at" doc:"Until when it can be accepted."`
}

type invitationOutput struct{ Body invitationRecord }

type invitationsOutput struct {
	Body struct {
		Items []invitationRecord `json:"items" nullable:"false" doc:"The open invitations, the oldest first."`
	}
}

type invitationInput struct {
	AgentHeader
	ID     string `path:"id" maxLength:"64" doc:"The invitation."`
	Reason string `query:"reason" maxLength:"500" doc:"Why, for the records."`
}

type acceptInput struct {
	AgentHeader
	Body struct {
		Token    string `json:"token" minLength:"1" maxLength:"64" doc:"The token of the link in the mail."`
		Password string `json:"password,omitempty" maxLength:"1024" doc:"A password for the login that is made, where the address has none yet."`
	}
}

type renameInput struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"64" doc:"The account's new name."`
	}
}

type createAccountInput struct {
	api.IdempotencyKey
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"64" doc:"The account's name." example:"Example Ltd"`
	}
}

type accountOutput struct {
	Body struct {
		AccountID id.Account `json:"account_id" doc:"The account."`
		Name      string     `json:"name" doc:"Its name."`
	}
}

type switchInput struct {
	Body struct {
		AccountID string `json:"account_id" minLength:"1" maxLength:"64" doc:"One of the developer's accounts."`
	}
}

// TeamRoutes adds what members do with their account. They are apart from the logins: a function of their own serves them,
// which hashes no passwords and may change no developer.
func TeamRoutes(edge *api.API, s *Service, signer cursor.Signer) {
	team := func(name, method, path, summary string, permission authz.Permission, errors ...fault.Code) api.Operation {
		return api.Operation{ID: name, Method: method, Path: path, Tag: "Team", Status: http.StatusOK, Summary: summary,
			Permission: permission, Errors: errors}
	}
	create := team("create-account", http.MethodPost, "/accounts", "Create another account", authz.LoginManage,
		fault.TooMany, fault.IdempotencyConflict)
	create.Status = http.StatusCreated
	create.Description = "The developer owns it, and the session stands in it from then on."
	api.Register(edge, create, s.create)
	api.Register(edge, team("rename-account", http.MethodPatch, "/account", "Rename the account", authz.AccountManage), s.rename)
	api.Register(edge, team("switch-account", http.MethodPost, "/account/switch", "Make the session stand in another account",
		authz.LoginManage, fault.AccountNotFound), s.switchTo)
	api.Register(edge, team("list-members", http.MethodGet, "/account/members", "List the members", authz.AccountRead, fault.CursorInvalid),
		func(ctx context.Context, caller authz.Caller, in *api.PageQuery) (*membersOutput, error) {
			return s.members(ctx, caller, signer, in)
		})
	api.Register(edge, team("change-role", http.MethodPatch, "/account/members/{id}", "Change a member's role", authz.MembersManage,
		fault.MemberNotFound, fault.RoleTooHigh, fault.LastOwner, fault.StepUpRequired), s.setRole)
	remove := team("remove-member", http.MethodDelete, "/account/members/{id}", "Remove a member, or leave", authz.AccountRead,
		fault.MemberNotFound, fault.RoleTooHigh, fault.LastOwner, fault.StepUpRequired)
	remove.Description = "Everybody may leave; removing others needs members:manage."
	api.Register(edge, remove, s.remove)
	invite := team("invite-member", http.MethodPost, "/account/invitations", "Invite somebody by mail", authz.MembersManage,
		fault.EmailInvalid, fault.RoleTooHigh, fault.StepUpRequired, fault.TooMany, fault.TooManyAttempts)
	invite.Status = http.StatusCreated
	api.Register(edge, invite, s.invite)
	api.Register(edge, team("list-invitations", http.MethodGet, "/account/invitations", "List the open invitations", authz.AccountRead), s.invitations)
	api.Register(edge, team("withdraw-invitation", http.MethodDelete, "/account/invitations/{id}", "Withdraw an invitation", authz.MembersManage,
		fault.InvitationNotFound, fault.RoleTooHigh, fault.StepUpRequired), s.withdraw)
}

func (s *Service) create(ctx context.Context, caller authz.Caller, in *createAccountInput) (*accountOutput, error) {
	made, err := s.Create(ctx, caller, in.Body.Name, in.IdempotencyKey.IdempotencyKey)
	out := &accountOutput{}
	out.Body.AccountID, out.Body.Name = made.ID, made.Name
	return out, err
}

func (s *Service) rename(ctx context.Context, caller authz.Caller, in *renameInput) (*accountOutput, error) {
	if err := s.Rename(ctx, caller, in.Body.Name); err != nil {
		return nil, err
	}
	out := &accountOutput{}
	out.Body.AccountID, out.Body.Name = caller.Account, in.Body.Name
	return out, nil
}

func (s *Service) switchTo(ctx context.Context, caller authz.Caller, in *switchInput) (*roleOutput, error) {
	if !id.IsAccount(in.Body.AccountID) {
		return nil, fault.New(fault.AccountNotFound)
	}
	return roleAnswer(s.Switch(ctx, caller, id.Account(in.Body.AccountID)))
}

func roleAnswer(member Member, err error) (*roleOutput, error) {
	out := &roleOutput{}
	out.Body.DeveloperID, out.Body.AccountID, out.Body.Role = member.Developer, member.Account, member.Role
	return out, err
}

func (s *Service) members(ctx context.Context, caller authz.Caller, signer cursor.Signer, in *api.PageQuery) (*membersOutput, error) {
	list := "members of " + string(caller.Account)
	page, err := api.Paged(ctx, signer, id.Platform(), list, in.Cursor, func(after string) ([]memberRecord, string, error) {
		members, err := s.Teams.Members(ctx, caller.Account, id.Developer(after), in.Limit)
		if err != nil || len(members) == 0 {
			return nil, "", err
		}
		records, err := s.describe(ctx, members)
		next := ""
		if len(members) == in.Limit {
			next = string(members[len(members)-1].Developer)
		}
		return records, next, err
	})
	return &membersOutput{Body: page}, err
}

// describe adds the members' addresses.
func (s *Service) describe(ctx context.Context, members []Member) ([]memberRecord, error) {
	var ids []id.Developer
	for _, member := range members {
		ids = append(ids, member.Developer)
	}
	developers, err := s.Logins.Developers(ctx, ids)
	addresses := map[id.Developer]Email{}
	for _, developer := range developers {
		addresses[developer.ID] = developer.Email
	}
	records := make([]memberRecord, 0, len(members))
	for _, member := range members {
		records = append(records, memberRecord{DeveloperID: member.Developer, Email: addresses[member.Developer], Role: member.Role, Since: member.Since})
	}
	return records, err
}

func (s *Service) setRole(ctx context.Context, caller authz.Caller, in *roleInput) (*roleOutput, error) {
	return roleAnswer(s.SetRole(ctx, caller, id.Developer(in.ID), in.Body.Role, in.visit(ctx, caller).because(in.Body.Reason)))
}

func (s *Service) remove(ctx context.Context, caller authz.Caller, in *memberInput) (*statusOutput, error) {
	return status("removed"), s.Remove(ctx, caller, id.Developer(in.ID), in.visit(ctx, caller).because(in.Reason))
}

func (s *Service) invite(ctx context.Context, caller authz.Caller, in *inviteInput) (*invitationOutput, error) {
	made, err := s.Invite(ctx, caller, in.Body.Email, in.Body.Role, in.visit(ctx, caller).because(in.Body.Reason))
	return &invitationOutput{Body: made.record()}, err
}

func (i Invitation) record() invitationRecord {
	return invitationRecord{InvitationID: i.ID, Email: i.Email, Role: i.Role, InvitedBy: i.InvitedBy, CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt}
}

func (s *Service) invitations(ctx context.Context, caller authz.Caller, _ *emptyInput) (*invitationsOutput, error) {
	open, err := s.Teams.Invitations(ctx, caller.Account)
	out := &invitationsOutput{}
	out.Body.Items = []invitationRecord{}
	for _, each := range open {
		out.Body.Items = append(out.Body.Items, each.record())
	}
	return out, err
}

func (s *Service) withdraw(ctx context.Context, caller authz.Caller, in *invitationInput) (*statusOutput, error) {
	return status("withdrawn"), s.Withdraw(ctx, caller, in.ID, in.visit(ctx, caller).because(in.Reason))
}

func (s *Service) accept(ctx context.Context, caller authz.Caller, in *acceptInput) (*roleOutput, error) {
	return roleAnswer(s.Accept(ctx, in.Body.Token, in.Body.Password, in.visit(ctx, caller)))
}

// membership is an account as one of its members sees it.
type membership struct {
	account Account
	member  Member
}

// memberships returns the developer's accounts. One that was left a moment ago is left out.
func (s *Service) memberships(ctx context.Context, developer id.Developer) ([]membership, error) {
	accounts, err := s.Teams.Accounts(ctx, developer)
	if err != nil {
		return nil, err
	}
	var found []membership
	for _, account := range accounts {
		member, err := s.Teams.Member(ctx, account, developer)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		named, err := s.Teams.Account(ctx, account)
		if err != nil {
			return nil, err
		}
		found = append(found, membership{named, member})
	}
	return found, nil
}
