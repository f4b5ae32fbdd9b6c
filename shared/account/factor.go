package account

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/mail"
	"github.com/tokenim/tokenim/shared/password"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/totp"
)

// setupLife is how long a second factor may take to be turned on.
const setupLife = 15 * time.Minute

// NewFactor is what an authenticator needs to know, shown once.
type NewFactor struct {
	// Secret is in base32, for typing; URI has it as otpauth://, QR as a picture (PNG) of the URI.
	Secret, URI string
	QR          []byte
}

// BeginFactor makes a secret for an authenticator. The second factor is on only when a code of it has come back.
func (s *Service) BeginFactor(ctx context.Context, caller authz.Caller) (NewFactor, error) {
	if err := caller.RequireConfirmed(s.Clock.Now()); err != nil {
		return NewFactor{}, err
	}
	developer, factor, err := s.me(ctx, caller)
	if err != nil {
		return NewFactor{}, err
	}
	if factor != nil {
		return NewFactor{}, fault.New(fault.SecondFactorOn)
	}
	made := NewFactor{Secret: totp.Source{Random: s.IDs.Random}.Secret()}
	if made.URI, err = totp.URI(made.Secret, string(developer.Email)); err != nil {
		return NewFactor{}, err
	}
	if made.QR, err = totp.QR(made.URI); err != nil {
		return NewFactor{}, err
	}
	sealed, err := s.Sealer.Seal(ctx, id.Platform(), factorPlace(developer.ID), []byte(made.Secret))
	if err != nil {
		return NewFactor{}, err
	}
	setup := Setup{Secret: sealed, ExpiresAt: s.Clock.Now().Add(setupLife)}
	return made, s.Logins.PutSetup(ctx, developer.ID, setup)
}

// TurnOnFactor turns the second factor on with a first code and returns the recovery codes, shown once. Every other session
// ends in the same step, because it may be of somebody who has the password alone. So does a login that is under way: it
// has read the epoch before it asked whether there is a second factor.
func (s *Service) TurnOnFactor(ctx context.Context, caller authz.Caller, code string, visit Visit) ([]string, error) {
	developer, factor, err := s.me(ctx, caller)
	if err != nil {
		return nil, err
	}
	if factor != nil {
		return nil, fault.New(fault.SecondFactorOn)
	}
	setup, err := s.Logins.Setup(ctx, developer.ID)
	if errors.Is(err, ErrNotFound) {
		return nil, fault.New(fault.SecondFactorOff)
	}
	if err != nil {
		return nil, err
	}
	step, err := s.firstStep(ctx, developer, setup, code)
	if err != nil {
		return nil, err
	}
	codes, hashed := s.recoveryCodes()
	err = s.Logins.PutFactor(ctx, developer.ID, setup,
		Factor{Secret: setup.Secret, Step: step, Recovery: hashed, CreatedAt: s.Clock.Now()}, caller.Session,
		s.own(caller, record.FactorAdded))
	switch {
	case errors.Is(err, ErrUsed):
		return nil, fault.Wrap(err, fault.SecondFactorOff)
	case errors.Is(err, ErrChanged):
		return nil, fault.Wrap(err, fault.SecondFactorOn)
	case err != nil:
		return nil, err
	}
	s.notify(ctx, notice(mail.MFAEnabled, developer, visit))
	return codes, nil
}

// firstStep counts a guess and returns the time step of a right code.
func (s *Service) firstStep(ctx context.Context, developer Developer, setup Setup, code string) (int64, error) {
	if err := s.Guesses.Take(ctx, "setup of "+string(developer.ID), confirmRule); err != nil {
		return 0, err
	}
	secret, err := s.Sealer.Open(ctx, id.Platform(), factorPlace(developer.ID), setup.Secret)
	if err != nil {
		return 0, err
	}
	step, ok := totp.Step(string(secret), code, s.Clock.Now())
	if !ok {
		return 0, fault.New(fault.SecondFactorWrong)
	}
	lenient(ctx, s.Guesses.Clear(ctx, "setup of "+string(developer.ID)))
	return step, nil
}

func (s *Service) recoveryCodes() (codes []string, hashed [][]byte) {
	codes = totp.Source{Random: s.IDs.Random}.RecoveryCodes()
	for _, code := range codes {
		normal, _ := totp.NormalizeRecovery(code)
		sum := totp.HashRecovery(normal)
		hashed = append(hashed, sum[:])
	}
	return codes, hashed
}

// NewRecoveryCodes replaces the recovery codes and returns the new ones, shown once.
func (s *Service) NewRecoveryCodes(ctx context.Context, caller authz.Caller) ([]string, error) {
	if err := caller.RequireConfirmed(s.Clock.Now()); err != nil {
		return nil, err
	}
	codes, hashed := s.recoveryCodes()
	err := s.Logins.SetRecovery(ctx, caller.Developer, hashed, s.own(caller, record.RecoveryReplaced))
	if errors.Is(err, ErrNotFound) {
		return nil, fault.Wrap(err, fault.SecondFactorOff)
	}
	return codes, err
}

// TurnOffFactor turns the second factor off. The password then stands alone, so it has to be one that may.
func (s *Service) TurnOffFactor(ctx context.Context, caller authz.Caller, proof Proof, visit Visit) error {
	developer, factor, err := s.me(ctx, caller)
	if err != nil {
		return err
	}
	if factor == nil {
		return fault.New(fault.SecondFactorOff)
	}
	if err := s.prove(ctx, caller, developer, factor, proof, visit); err != nil {
		return err
	}
	if err := password.Check(proof.Password, false, string(developer.Email)); err != nil {
		return inField("password", err)
	}
	err = s.Logins.RemoveFactor(ctx, developer.ID, developer.Version, s.own(caller, record.FactorRemoved))
	if errors.Is(err, ErrChanged) { // the password was changed at the same moment, perhaps to a shorter one
		return fault.Wrap(err, fault.Overtaken)
	}
	if err != nil {
		return err
	}
	s.notify(ctx, notice(mail.MFADisabled, developer, visit))
	return nil
}
