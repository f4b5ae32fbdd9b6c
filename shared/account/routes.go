package account

import (
	"context"
	"net/http"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// AgentHeader is what a program calls itself.
type AgentHeader struct {
	UserAgent string `header:"User-Agent" hidden:"true"`
}

func (h AgentHeader) visit(ctx context.Context, caller authz.Caller) Visit {
	return Visit{Source: caller.Source, Agent: h.UserAgent, Language: api.LanguageOf(ctx)}
}

// statusOutput answers what has nothing to tell.
type statusOutput struct {
	Body struct {
		Status string `json:"status" doc:"What happens next." example:"mail_sent_if_possible"`
	}
}

func status(text string) *statusOutput {
	out := &statusOutput{}
	out.Body.Status = text
	return out
}

// queued is the one answer to everything that sends a mail, whatever the address is good for.
const queued = "mail_sent_if_possible"

type emailInput struct {
	AgentHeader
	Body struct {
		Email string `json:"email" minLength:"1" maxLength:"254" doc:"The e-mail address." example:"ann@example.com"`
	}
}

type tokenInput struct {
	AgentHeader
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"64" doc:"The token of the link in the mail."`
	}
}

type confirmInput struct {
	AgentHeader
	Body struct {
		Token    string `json:"token" minLength:"1" maxLength:"64" doc:"The token of the link in the mail."`
		Password string `json:"password" minLength:"1" maxLength:"1024" doc:"The password that was chosen at the sign-up: it shows that the link is in the hands of whoever signed up."`
	}
}

type signUpInput struct {
	AgentHeader
	Body struct {
		Email    string `json:"email" minLength:"1" maxLength:"254" doc:"The e-mail address to log in with." example:"ann@example.com"`
		Password string `json:"password" minLength:"1" maxLength:"1024" doc:"At least 15 characters of any kind, not one of the commonest." example:"correct horse battery staple"`
		Account  string `json:"account,omitempty" maxLength:"64" doc:"A name for the account; the address where absent." example:"Example Ltd"`
	}
}

type confirmOutput struct {
	Body struct {
		DeveloperID id.Developer `json:"developer_id" doc:"The login that was made."`
		AccountID   id.Account   `json:"account_id" doc:"The account that was made; the login owns it."`
	}
}

// ProofBody is how a developer proves to be there.
type ProofBody struct {
	Password     string `json:"password" minLength:"1" maxLength:"1024" doc:"The password."`
	Code         string `json:"code,omitempty" maxLength:"16" doc:"The authenticator's code, where a second factor is on." example:"123456"`
	RecoveryCode string `json:"recovery_code,omitempty" maxLength:"64" doc:"A recovery code in place of the code."`
}

func (b ProofBody) proof() Proof {
	return Proof{Password: b.Password, Code: b.Code, Recovery: b.RecoveryCode}
}

type loginInput struct {
	AgentHeader
	Body struct {
		Email string `json:"email" minLength:"1" maxLength:"254" doc:"The e-mail address." example:"ann@example.com"`
		ProofBody
		Unlock string `json:"unlock,omitempty" maxLength:"64" doc:"The token of an unlock mail, where others' guesses have slowed this login down."`
		Cookie bool   `json:"cookie,omitempty" doc:"Keep the session in a cookie of this origin, for pages, instead of in the answer."`
	}
}

type loginOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      struct {
		Session   string     `json:"session,omitempty" doc:"The session, for \"Authorization: Bearer\"; absent with a cookie."`
		SessionID string     `json:"session_id" doc:"The session's public ID."`
		AccountID id.Account `json:"account_id,omitempty" doc:"The account that the session stands in."`
		ExpiresAt time.Time  `json:"expires_at" doc:"When it ends at the latest; 12 hours without use end it earlier."`
	}
}

type resetInput struct {
	AgentHeader
	Body struct {
		Token    string `json:"token" minLength:"1" maxLength:"64" doc:"The token of the link in the mail."`
		Password string `json:"password" minLength:"1" maxLength:"1024" doc:"The new password."`
	}
}

// Routes adds the operations on logins: those that need no session, and those of developers on their own.
func Routes(edge *api.API, service *Service) {
	public := func(name, path, summary string, status int, errors ...fault.Code) api.Operation {
		return api.Operation{ID: name, Method: http.MethodPost, Path: path, Tag: "Accounts", Status: status, Summary: summary,
			Permission: authz.Public, Errors: append(errors, fault.TooManyAttempts)}
	}
	passwordErrors := []fault.Code{fault.PasswordTooShort, fault.PasswordTooLong, fault.PasswordCommon, fault.PasswordOwnWords, fault.PasswordInvalid}
	signUp := public("sign-up", "/signup", "Sign up", http.StatusAccepted, append(passwordErrors, fault.EmailInvalid)...)
	signUp.Description = "A mail with a link to POST /signup/confirm is sent. The answer is the same for an address that has a login."
	api.Register(edge, signUp, service.signUp)
	api.Register(edge, public("resend-confirmation", "/signup/resend", "Have the confirmation mail sent again", http.StatusAccepted,
		fault.EmailInvalid), service.asks((*Service).Resend))
	api.Register(edge, public("confirm-sign-up", "/signup/confirm", "Confirm a sign-up", http.StatusCreated,
		fault.LinkInvalid, fault.InvalidCredentials), service.confirm)
	login := public("log-in", "/login", "Log in", http.StatusOK, fault.EmailInvalid, fault.InvalidCredentials,
		fault.AccountNotActivated, fault.SecondFactorRequired, fault.SecondFactorWrong, fault.LinkInvalid, fault.CrossSiteRequest)
	login.Description = "With a session, send it as \"Authorization: Bearer\" and choose an app with X-App-Id."
	api.Register(edge, login, service.login)
	api.Register(edge, public("unlock-login", "/login/unlock", "Have a link mailed that logs in in spite of others' guesses", http.StatusAccepted,
		fault.EmailInvalid), service.asks((*Service).AskUnlock))
	api.Register(edge, public("forget-password", "/password/forgot", "Have a link to a new password mailed", http.StatusAccepted,
		fault.EmailInvalid), service.asks((*Service).Forgot))
	api.Register(edge, public("reset-password", "/password/reset", "Set a new password", http.StatusOK,
		append(passwordErrors, fault.LinkInvalid)...), service.reset)
	api.Register(edge, public("confirm-email", "/account/email/confirm", "Move the login to another address", http.StatusOK,
		fault.LinkInvalid, fault.EmailTaken), service.confirmEmail)
	api.Register(edge, public("accept-invitation", "/invitations/accept", "Accept an invitation", http.StatusCreated,
		append(passwordErrors, fault.LinkInvalid, fault.MemberExists, fault.TooMany)...), service.accept)
	service.loginRoutes(edge)
}

func (s *Service) signUp(ctx context.Context, caller authz.Caller, in *signUpInput) (*statusOutput, error) {
	wish := SignUp{Email: in.Body.Email, Password: in.Body.Password, Account: in.Body.Account}
	return status(queued), s.SignUp(ctx, wish, in.visit(ctx, caller))
}

// asks makes a handler of what takes an address and sends a mail, perhaps.
func (s *Service) asks(ask func(*Service, context.Context, string, Visit) error) func(context.Context, authz.Caller, *emailInput) (*statusOutput, error) {
	return func(ctx context.Context, caller authz.Caller, in *emailInput) (*statusOutput, error) {
		return status(queued), ask(s, ctx, in.Body.Email, in.visit(ctx, caller))
	}
}

func (s *Service) confirm(ctx context.Context, caller authz.Caller, in *confirmInput) (*confirmOutput, error) {
	developer, account, err := s.Confirm(ctx, in.Body.Token, in.Body.Password, in.visit(ctx, caller))
	out := &confirmOutput{}
	out.Body.DeveloperID, out.Body.AccountID = developer.ID, account.ID
	return out, err
}

func (s *Service) login(ctx context.Context, caller authz.Caller, in *loginInput) (*loginOutput, error) {
	if in.Body.Cookie { // no other site may log its visitors in as somebody else
		if err := api.FromOwnPage(ctx); err != nil {
			return nil, err
		}
	}
	attempt := Attempt{Email: in.Body.Email, Proof: in.Body.proof(), Unlock: in.Body.Unlock}
	session, text, err := s.Login(ctx, attempt, in.visit(ctx, caller))
	if err != nil {
		return nil, err
	}
	out := &loginOutput{}
	out.Body.SessionID, out.Body.AccountID, out.Body.ExpiresAt = session.ID, session.Account, session.ExpiresAt
	if in.Body.Cookie {
		out.SetCookie = []http.Cookie{api.SessionCookie(ctx, text, session.ExpiresAt)}
	} else {
		out.Body.Session = text
	}
	return out, nil
}

func (s *Service) reset(ctx context.Context, caller authz.Caller, in *resetInput) (*statusOutput, error) {
	return status("password_set"), s.Reset(ctx, in.Body.Token, in.Body.Password, in.visit(ctx, caller))
}

func (s *Service) confirmEmail(ctx context.Context, caller authz.Caller, in *tokenInput) (*statusOutput, error) {
	return status("email_changed"), s.ConfirmEmail(ctx, in.Body.Token, in.visit(ctx, caller))
}
