package account

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/mail"
	"github.com/tokenim/tokenim/shared/password"
	"github.com/tokenim/tokenim/shared/record"
)

// spent makes a link that was used before one that does not work.
func spent(err error) error {
	if errors.Is(err, ErrUsed) || errors.Is(err, ErrChanged) || errors.Is(err, ErrNotFound) {
		return fault.Wrap(err, fault.LinkInvalid)
	}
	return err
}

// Forgot has a link to a new password mailed. Whoever has the mailbox can always ask for one.
func (s *Service) Forgot(ctx context.Context, address string, visit Visit) error {
	return s.request(ctx, JobForgot, address, visit)
}

// Reset sets the password by a mailed token, once, and ends every session. It logs nobody in: the second factor is asked
// for at the login that follows. A token mailed before the password or the address changed does not work.
func (s *Service) Reset(ctx context.Context, token, text string, visit Visit) error {
	link, err := s.link(ctx, token, ActionReset)
	if err != nil {
		return err
	}
	developer, factor, err := s.Logins.Developer(ctx, link.Developer)
	if err != nil {
		return spent(err)
	}
	if developer.Version != link.Version {
		return fault.New(fault.LinkInvalid)
	}
	hashed, err := s.newPassword(ctx, "password", developer, factor, text)
	if err != nil {
		return err
	}
	where, err := s.atHome(ctx, developer.ID, visit)
	if err != nil {
		return err
	}
	done := s.record(where, record.PasswordReset, string(developer.ID), nil, nil)
	if err := spent(s.Logins.SetPassword(ctx, developer.ID, developer.Version, hashed, &link.Hash, "", done)); err != nil {
		return err
	}
	s.notify(ctx, notice(mail.PasswordChanged, developer, visit))
	return nil
}

// newPassword checks a password that shall be set, and hashes it. The field is where it stood.
func (s *Service) newPassword(ctx context.Context, field string, developer Developer, factor *Factor, text string) (string, error) {
	if err := password.Check(text, factor != nil, string(developer.Email)); err != nil {
		return "", inField(field, err)
	}
	hashed, err := password.Hash(ctx, text)
	return hashed, inField(field, err)
}

// prove counts a guess and checks the proof of a developer who is logged in. The count is the developer's own: only who
// has a session can guess here, so nobody can be locked out by strangers.
func (s *Service) prove(ctx context.Context, caller authz.Caller, developer Developer, factor *Factor, proof Proof, visit Visit) error {
	subject, where := "proof of "+string(developer.ID), during(caller, "")
	if err := s.Guesses.Take(ctx, subject, confirmRule); err != nil {
		return err
	}
	err := s.evaluate(ctx, where, developer, factor, proof, visit)
	if err != nil {
		s.failed(ctx, where.log, record.ProofFailed, developer.ID, visit, err)
		return err
	}
	lenient(ctx, s.Guesses.Clear(ctx, subject))
	return nil
}

// evaluate checks the proof.
func (s *Service) evaluate(ctx context.Context, where scene, developer Developer, factor *Factor, proof Proof, visit Visit) error {
	right, err := password.Verify(ctx, developer.Password, proof.Password)
	if err != nil {
		return err
	}
	if !right {
		return fault.New(fault.InvalidCredentials)
	}
	return s.secondFactor(ctx, where, developer, factor, proof, visit)
}

// StepUp proves that the developer is there, for the changes that ask for it.
func (s *Service) StepUp(ctx context.Context, caller authz.Caller, proof Proof, visit Visit) error {
	developer, factor, err := s.me(ctx, caller)
	if err != nil {
		return err
	}
	if err := s.prove(ctx, caller, developer, factor, proof, visit); err != nil {
		return err
	}
	return ended(s.Sessions.Confirm(ctx, caller.Developer, caller.Session, s.Clock.Now()))
}

// ended makes a session that is gone an invalid one.
func ended(err error) error {
	if errors.Is(err, ErrNotFound) {
		return fault.Wrap(err, fault.SessionInvalid)
	}
	return err
}

// ChangePassword sets another password, against the one of now, and ends every other session.
func (s *Service) ChangePassword(ctx context.Context, caller authz.Caller, now Proof, text string, visit Visit) error {
	developer, factor, err := s.me(ctx, caller)
	if err != nil {
		return err
	}
	if err := s.prove(ctx, caller, developer, factor, now, visit); err != nil {
		return err
	}
	hashed, err := s.newPassword(ctx, "new_password", developer, factor, text)
	if err != nil {
		return err
	}
	err = s.Logins.SetPassword(ctx, developer.ID, developer.Version, hashed, nil, caller.Session,
		s.own(caller, record.PasswordChanged))
	if errors.Is(err, ErrChanged) { // another change was faster: this one's proof is of a password that is no more
		return fault.Wrap(err, fault.InvalidCredentials)
	}
	if err != nil {
		return err
	}
	s.notify(ctx, notice(mail.PasswordChanged, developer, visit))
	return nil
}

// ChangeEmail has a link mailed to the new address; the login keeps the old one until it is followed. The answer is the
// same for an address that another login has.
func (s *Service) ChangeEmail(ctx context.Context, caller authz.Caller, address string, visit Visit) error {
	if err := caller.RequireConfirmed(s.Clock.Now()); err != nil {
		return err
	}
	email, err := ParseEmail(address, "email")
	if err != nil {
		return err
	}
	developer, _, err := s.me(ctx, caller)
	if err != nil {
		return err
	}
	if err := s.takeMail(ctx, JobChangeEmail, email, visit); err != nil {
		return err
	}
	return s.Queue.Enqueue(ctx, Job{Kind: JobChangeEmail, Email: email, Developer: developer.ID, Version: developer.Version,
		Language: visit.Language, Source: visit.Source.String(), At: s.Clock.Now()})
}

// ConfirmEmail moves the login to the address that the token was mailed to, and tells the old one.
func (s *Service) ConfirmEmail(ctx context.Context, token string, visit Visit) error {
	link, err := s.link(ctx, token, ActionEmail)
	if err != nil {
		return err
	}
	developer, _, err := s.Logins.Developer(ctx, link.Developer)
	if err != nil {
		return spent(err)
	}
	if developer.Version != link.Version {
		return fault.New(fault.LinkInvalid)
	}
	where, err := s.atHome(ctx, developer.ID, visit)
	if err != nil {
		return err
	}
	err = s.Logins.SetEmail(ctx, developer, link.Email, link.Hash, s.record(where, record.EmailChanged, string(developer.ID), nil, nil))
	if errors.Is(err, ErrTaken) {
		return fault.Wrap(err, fault.EmailTaken)
	}
	if err := spent(err); err != nil {
		return err
	}
	changed := notice(mail.EmailChanged, developer, visit)
	changed.Other = link.Email
	s.notify(ctx, changed)
	return nil
}

// EndOthers ends every session but the caller's, and tells the developer so.
func (s *Service) EndOthers(ctx context.Context, caller authz.Caller, visit Visit) error {
	if err := s.Sessions.EndAll(ctx, caller.Developer, caller.Session, s.own(caller, record.SessionsEnded)); err != nil {
		return err
	}
	developer, _, err := s.me(ctx, caller)
	if err != nil {
		return err
	}
	s.notify(ctx, notice(mail.SessionsEnded, developer, visit))
	return nil
}
