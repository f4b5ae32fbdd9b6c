package account

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/password"
)

const (
	// pendingLife is how long a sign-up waits for its confirmation, and how long the link in the mail works.
	pendingLife = 24 * time.Hour
	// nonceLength gives a nonce 95 bits.
	nonceLength = 16
)

// SignUp is a wish to have a login and an account.
type SignUp struct {
	Email    string
	Password string
	// Account is the name of the account; "" for one made of the address.
	Account string
}

// SignUp keeps the wish until the address is confirmed, and has a mail sent: to an unknown address the link that confirms
// it, to a known one the news that somebody tried. Nothing that it does or answers depends on which it is.
func (s *Service) SignUp(ctx context.Context, wish SignUp, visit Visit) error {
	email, err := ParseEmail(wish.Email, "email")
	if err != nil {
		return err
	}
	name := accountName(wish.Account, email)
	if err := checkName(name, "account"); err != nil {
		return err
	}
	if err := password.Check(wish.Password, false, string(email), wish.Account); err != nil {
		return inField("password", err)
	}
	if err := s.takeMail(ctx, JobSignUp, email, visit); err != nil {
		return err
	}
	hashed, err := password.Hash(ctx, wish.Password)
	if err != nil {
		return inField("password", err)
	}
	now := s.Clock.Now()
	pending := Pending{Email: email, Password: hashed, Account: name, Language: visit.Language,
		Nonce: s.IDs.Text(nonceLength), CreatedAt: now, ExpiresAt: now.Add(pendingLife)}
	if err := s.Logins.PutPending(ctx, pending); err != nil {
		return err
	}
	return s.Queue.Enqueue(ctx, Job{Kind: JobSignUp, Email: email, Nonce: pending.Nonce, Language: visit.Language,
		Source: visit.Source.String(), At: now})
}

// accountName returns the name of a new account.
func accountName(wished string, email Email) string {
	if wished != "" {
		return wished
	}
	return string(email)
}

// Resend has the confirmation mail sent once more, if there is a sign-up that waits for it.
func (s *Service) Resend(ctx context.Context, address string, visit Visit) error {
	return s.request(ctx, JobResend, address, visit)
}

// request queues a job that somebody who is not logged in asks for, the same for every address.
func (s *Service) request(ctx context.Context, kind JobKind, address string, visit Visit) error {
	email, err := ParseEmail(address, "email")
	if err != nil {
		return err
	}
	if err := s.takeMail(ctx, kind, email, visit); err != nil {
		return err
	}
	return s.Queue.Enqueue(ctx, Job{Kind: kind, Email: email, Language: visit.Language, Source: visit.Source.String(),
		At: s.Clock.Now()})
}

// Confirm completes the sign-up of a mailed token: the login and its account exist from then on. fault.LinkInvalid where
// the token was used, has expired, or the address has got a login since.
//
// It takes the password as well. Anybody can sign up with anybody's address: with the token alone, whoever follows the
// link in good faith would confirm a login whose password a stranger has set, and knows.
func (s *Service) Confirm(ctx context.Context, token, text string, visit Visit) (Developer, Account, error) {
	link, err := s.link(ctx, token, ActionConfirm)
	if err != nil {
		return Developer{}, Account{}, err
	}
	if err := s.Guesses.Take(ctx, "confirm by "+token, linkRule); err != nil {
		return Developer{}, Account{}, err
	}
	right, err := password.Verify(ctx, link.Pending.Password, text)
	if err != nil {
		return Developer{}, Account{}, err
	}
	if !right {
		return Developer{}, Account{}, fault.New(fault.InvalidCredentials)
	}
	now := s.Clock.Now()
	developer := Developer{ID: s.IDs.Developer(), Email: link.Email, Password: link.Pending.Password,
		Language: link.Pending.Language, CreatedAt: now, Version: 1}
	account := Account{ID: s.IDs.Account(), Name: link.Pending.Account, CreatedAt: now}
	err = s.Logins.Activate(ctx, link.Hash, developer, account, s.founding(visit.of(developer.ID, ""), account, developer.ID)...)
	if errors.Is(err, ErrUsed) || errors.Is(err, ErrTaken) {
		return Developer{}, Account{}, fault.Wrap(err, fault.LinkInvalid)
	}
	return developer, account, err
}

// link finds what stands behind a mailed token, without using it up; fault.LinkInvalid for one that does another thing.
func (s *Service) link(ctx context.Context, token string, action Action) (Link, error) {
	link, err := s.Logins.Link(ctx, hash(token))
	if errors.Is(err, ErrNotFound) || err == nil && link.Action != action {
		return Link{}, fault.New(fault.LinkInvalid)
	}
	return link, err
}

// inField makes a refusal of package password speak of the field that the password stands in.
func inField(field string, err error) error {
	refusal, ok := errors.AsType[*fault.Error](err)
	if !ok || fault.Lookup(refusal.Code).Status != 422 {
		return err
	}
	return fault.Invalid(fault.Field{Name: field, Code: refusal.Code, Args: refusal.Args})
}
