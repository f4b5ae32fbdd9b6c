package account

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

type emptyInput struct{ AgentHeader }

type sessionInput struct {
	ID string `path:"id" maxLength:"64" doc:"The session's public ID."`
}

type proofInput struct {
	AgentHeader
	Body ProofBody
}

type changePasswordInput struct {
	AgentHeader
	Body struct {
		ProofBody
		NewPassword string `json:"new_password" minLength:"1" maxLength:"1024" doc:"The new password."`
	}
}

type codeInput struct {
	AgentHeader
	Body struct {
		Code string `json:"code" minLength:"1" maxLength:"16" doc:"A first code of the authenticator." example:"123456"`
	}
}

type sessionRecord struct {
	SessionID string    `json:"session_id" doc:"The session's public ID."`
	Current   bool      `json:"current" doc:"Whether it is the one that asks."`
	CreatedAt time.Time `json:"created_at" doc:"When it began."`
	SeenAt    time.Time `json:"last_seen_at" doc:"When it was used last, to some minutes."`
	ExpiresAt time.Time `json:"expires_at" doc:"When it ends at the latest."`
	Source    string    `json:"source" doc:"The address that it began from."`
	Agent     string    `json:"user_agent" doc:"What the browser or program called itself."`
}

type sessionsOutput struct {
	Body struct {
		Items []sessionRecord `json:"items" nullable:"false" doc:"The sessions, the newest first."`
	}
}

type logoutOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      struct {
		Status string `json:"status" example:"logged_out" doc:"What was done."`
	}
}

type newFactorOutput struct {
	Body struct {
		Secret string `json:"secret" doc:"The secret in base32, for typing into an authenticator."`
		URI    string `json:"uri" doc:"The same as otpauth:// address."`
		QR     []byte `json:"qr_png" doc:"The address as a QR code, a PNG in base64."`
	}
}

type recoveryOutput struct {
	Body struct {
		RecoveryCodes []string `json:"recovery_codes" nullable:"false" doc:"Ten codes that work once each; shown only here."`
	}
}

type membershipRecord struct {
	AccountID id.Account `json:"account_id" doc:"The account."`
	Name      string     `json:"name" doc:"Its name."`
	Role      authz.Role `json:"role" doc:"The developer's role in it." enum:"owner,admin,auditor"`
	Current   bool       `json:"current" doc:"Whether the session stands in it."`
}

type meOutput struct {
	Body struct {
		DeveloperID  id.Developer       `json:"developer_id" doc:"The login."`
		Email        Email              `json:"email" doc:"Its e-mail address."`
		SecondFactor bool               `json:"second_factor" doc:"Whether a second factor is on."`
		CodesLeft    int                `json:"recovery_codes_left" doc:"How many recovery codes are left."`
		CreatedAt    time.Time          `json:"created_at" doc:"When the address was confirmed."`
		Accounts     []membershipRecord `json:"accounts" nullable:"false" doc:"The accounts that the developer is a member of."`
	}
}

// loginRoutes adds what developers do with their own logins.
func (s *Service) loginRoutes(edge *api.API) {
	own := func(name, method, path, summary string, errors ...fault.Code) api.Operation {
		return api.Operation{ID: name, Method: method, Path: path, Tag: "Accounts", Status: http.StatusOK, Summary: summary,
			Permission: authz.LoginManage, Errors: errors}
	}
	proof := []fault.Code{fault.InvalidCredentials, fault.SecondFactorRequired, fault.SecondFactorWrong, fault.TooManyAttempts}
	api.Register(edge, own("log-out", http.MethodPost, "/logout", "Log out"), s.logout)
	api.Register(edge, own("list-sessions", http.MethodGet, "/sessions", "List one's sessions"), s.sessions)
	api.Register(edge, own("end-session", http.MethodDelete, "/sessions/{id}", "End a session", fault.SessionNotFound), s.endSession)
	api.Register(edge, own("end-sessions", http.MethodDelete, "/sessions", "End all other sessions"), s.endSessions)
	api.Register(edge, own("confirm-session", http.MethodPost, "/session/confirm", "Prove to be there, for the changes that ask for it", proof...), s.stepUp)
	api.Register(edge, own("get-account", http.MethodGet, "/account", "See one's login and accounts"), s.getMe)
	api.Register(edge, own("change-password", http.MethodPost, "/account/password", "Change the password",
		append(proof, fault.PasswordTooShort, fault.PasswordTooLong, fault.PasswordCommon, fault.PasswordOwnWords, fault.PasswordInvalid)...), s.changePassword)
	api.Register(edge, accepted(own("change-email", http.MethodPost, "/account/email", "Change the e-mail address",
		fault.EmailInvalid, fault.StepUpRequired, fault.TooManyAttempts)), s.changeEmail)
	api.Register(edge, own("begin-mfa", http.MethodPost, "/account/mfa", "Begin to turn a second factor on",
		fault.StepUpRequired, fault.SecondFactorOn), s.beginFactor)
	api.Register(edge, own("confirm-mfa", http.MethodPost, "/account/mfa/confirm", "Turn the second factor on with a first code",
		fault.SecondFactorOn, fault.SecondFactorOff, fault.SecondFactorWrong, fault.TooManyAttempts), s.turnOnFactor)
	api.Register(edge, own("replace-recovery-codes", http.MethodPost, "/account/mfa/recovery-codes", "Make new recovery codes",
		fault.StepUpRequired, fault.SecondFactorOff), s.newRecoveryCodes)
	api.Register(edge, own("turn-off-mfa", http.MethodPost, "/account/mfa/off", "Turn the second factor off",
		append(proof, fault.SecondFactorOff, fault.PasswordTooShort, fault.PasswordCommon, fault.PasswordOwnWords)...), s.turnOffFactor)
}

func accepted(operation api.Operation) api.Operation {
	operation.Status = http.StatusAccepted
	return operation
}

func (s *Service) logout(ctx context.Context, caller authz.Caller, _ *emptyInput) (*logoutOutput, error) {
	err := s.Sessions.End(ctx, caller.Developer, caller.Session, s.ending(caller, caller.Session))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	out := &logoutOutput{SetCookie: []http.Cookie{api.SessionCookie(ctx, "", time.Time{})}}
	out.Body.Status = "logged_out"
	return out, nil
}

func (s *Service) sessions(ctx context.Context, caller authz.Caller, _ *emptyInput) (*sessionsOutput, error) {
	sessions, err := s.Sessions.List(ctx, caller.Developer)
	if err != nil {
		return nil, err
	}
	out := &sessionsOutput{}
	out.Body.Items = []sessionRecord{}
	for _, session := range sessions {
		out.Body.Items = append(out.Body.Items, sessionRecord{SessionID: session.ID, Current: session.ID == caller.Session,
			CreatedAt: session.CreatedAt, SeenAt: session.SeenAt, ExpiresAt: session.ExpiresAt, Source: session.Source, Agent: session.Agent})
	}
	return out, nil
}

func (s *Service) endSession(ctx context.Context, caller authz.Caller, in *sessionInput) (*statusOutput, error) {
	err := s.Sessions.End(ctx, caller.Developer, in.ID, s.ending(caller, in.ID))
	if errors.Is(err, ErrNotFound) {
		return nil, fault.Wrap(err, fault.SessionNotFound)
	}
	return status("ended"), err
}

func (s *Service) endSessions(ctx context.Context, caller authz.Caller, in *emptyInput) (*statusOutput, error) {
	return status("ended"), s.EndOthers(ctx, caller, in.visit(ctx, caller))
}

func (s *Service) stepUp(ctx context.Context, caller authz.Caller, in *proofInput) (*statusOutput, error) {
	return status("confirmed"), s.StepUp(ctx, caller, in.Body.proof(), in.visit(ctx, caller))
}

func (s *Service) getMe(ctx context.Context, caller authz.Caller, _ *emptyInput) (*meOutput, error) {
	developer, factor, err := s.me(ctx, caller)
	if err != nil {
		return nil, err
	}
	out := &meOutput{}
	out.Body.DeveloperID, out.Body.Email, out.Body.CreatedAt = developer.ID, developer.Email, developer.CreatedAt
	out.Body.Accounts = []membershipRecord{}
	if factor != nil {
		out.Body.SecondFactor, out.Body.CodesLeft = true, len(factor.Recovery)
	}
	memberships, err := s.memberships(ctx, developer.ID)
	for _, each := range memberships {
		out.Body.Accounts = append(out.Body.Accounts, membershipRecord{AccountID: each.account.ID, Name: each.account.Name,
			Role: each.member.Role, Current: each.account.ID == caller.Account})
	}
	return out, err
}

func (s *Service) changePassword(ctx context.Context, caller authz.Caller, in *changePasswordInput) (*statusOutput, error) {
	return status("password_set"), s.ChangePassword(ctx, caller, in.Body.proof(), in.Body.NewPassword, in.visit(ctx, caller))
}

func (s *Service) changeEmail(ctx context.Context, caller authz.Caller, in *emailInput) (*statusOutput, error) {
	return status(queued), s.ChangeEmail(ctx, caller, in.Body.Email, in.visit(ctx, caller))
}

func (s *Service) beginFactor(ctx context.Context, caller authz.Caller, _ *emptyInput) (*newFactorOutput, error) {
	made, err := s.BeginFactor(ctx, caller)
	out := &newFactorOutput{}
	out.Body.Secret, out.Body.URI, out.Body.QR = made.Secret, made.URI, made.QR
	return out, err
}

func (s *Service) turnOnFactor(ctx context.Context, caller authz.Caller, in *codeInput) (*recoveryOutput, error) {
	codes, err := s.TurnOnFactor(ctx, caller, in.Body.Code, in.visit(ctx, caller))
	return recoveryCodes(codes), err
}

func (s *Service) newRecoveryCodes(ctx context.Context, caller authz.Caller, _ *emptyInput) (*recoveryOutput, error) {
	codes, err := s.NewRecoveryCodes(ctx, caller)
	return recoveryCodes(codes), err
}

func recoveryCodes(codes []string) *recoveryOutput {
	out := &recoveryOutput{}
	out.Body.RecoveryCodes = codes
	return out
}

func (s *Service) turnOffFactor(ctx context.Context, caller authz.Caller, in *proofInput) (*statusOutput, error) {
	return status("second_factor_off"), s.TurnOffFactor(ctx, caller, in.Body.proof(), in.visit(ctx, caller))
}
