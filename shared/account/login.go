package account

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"unicode/utf8"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/mail"
	"github.com/tokenim/tokenim/shared/password"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/totp"
)

// Proof is how a developer proves to be there.
type Proof struct {
	Password string
	// Code is from the authenticator, Recovery one of the recovery codes; one of them where a second factor is on.
	Code, Recovery string
}

// Attempt is a try to log in.
type Attempt struct {
	Email string
	Proof
	// Unlock is the token of an unlock mail, "" for none: whoever has the mailbox is not made to wait for the guesses of
	// others. It stands in for nothing else.
	Unlock string
}

// candidate is everything that an attempt is judged by. For an unknown address it is made of decoys, which take the same
// reads and the same time.
type candidate struct {
	known     bool
	developer Developer
	factor    *Factor
	epoch     int64
	// pending is the hash of a sign-up that was not confirmed.
	pending string
	// accounts are the developer's, the one to stand in first; log is where what comes of the attempt is written down.
	accounts []id.Account
	log      record.Log
}

// Login checks the attempt and begins a session. Guesses are counted before anything is evaluated. A wrong password and an
// unknown address are fault.InvalidCredentials; fault.AccountNotActivated is for whoever knows the password of a sign-up.
func (s *Service) Login(ctx context.Context, attempt Attempt, visit Visit) (login.Session, string, error) {
	email, err := ParseEmail(attempt.Email, "email")
	if err != nil {
		return login.Session{}, "", err
	}
	settle, err := s.takeLogin(ctx, email, attempt, visit)
	if err != nil {
		return login.Session{}, "", err
	}
	found, err := s.candidate(ctx, email)
	if err != nil {
		return login.Session{}, "", err
	}
	if err := s.enter(ctx, found, attempt, visit, settle); err != nil {
		s.failed(ctx, found.log, record.LoginFailed, found.developer.ID, visit, err)
		return login.Session{}, "", err
	}
	s.rehash(ctx, found.developer, attempt.Password)
	return s.begin(ctx, found, attempt.Proof, visit)
}

// enter checks the attempt against what is known, and settles the counts.
func (s *Service) enter(ctx context.Context, found candidate, attempt Attempt, visit Visit, settle settlement) error {
	if err := judge(ctx, found, attempt.Password); err != nil {
		return err
	}
	where := visit.of(found.developer.ID, found.log)
	err := s.secondFactor(ctx, where, found.developer, found.factor, attempt.Proof, visit)
	if err == nil || fault.Is(err, fault.SecondFactorRequired) {
		settle(ctx, err == nil)
	}
	if err == nil && attempt.Unlock != "" {
		unlocked := s.record(where, record.AccountUnlocked, string(found.developer.ID), nil, nil)
		err = spent(s.Logins.TakeLink(ctx, hash(attempt.Unlock), unlocked))
	}
	return err
}

// settlement settles the counts of an attempt whose password was right. Only where the developer is proven are older guesses
// forgiven. Whoever has the password and no code yet was not guessing, and gets this one attempt back, no more: a stolen
// password must not make up for wrong codes.
type settlement func(ctx context.Context, proven bool)

// takeLogin counts the guess and returns what settles the counts. An unlock token of the address is counted by itself, so
// that nobody else's guesses stand in its way.
func (s *Service) takeLogin(ctx context.Context, email Email, attempt Attempt, visit Visit) (settlement, error) {
	if attempt.Unlock != "" {
		return s.takeUnlock(ctx, email, attempt.Unlock)
	}
	source, address := sourceSubject("login", visit.Source), "login of "+string(email)
	if err := s.Guesses.Take(ctx, source, sourceRule); err != nil {
		return nil, err
	}
	if err := s.Guesses.Take(ctx, address, loginRule); err != nil {
		return nil, err
	}
	return func(ctx context.Context, proven bool) {
		lenient(ctx, s.Guesses.Refund(ctx, source))
		if proven {
			lenient(ctx, s.Guesses.Clear(ctx, address))
		} else {
			lenient(ctx, s.Guesses.Refund(ctx, address))
		}
	}, nil
}

// takeUnlock counts the guess by the link, which has to be of the login as it is now: the address may be another's since.
func (s *Service) takeUnlock(ctx context.Context, email Email, token string) (settlement, error) {
	link, err := s.link(ctx, token, ActionUnlock)
	if err != nil {
		return nil, err
	}
	developer, _, err := s.Logins.Developer(ctx, link.Developer)
	if err != nil {
		return nil, spent(err)
	}
	if developer.Email != email || developer.Version != link.Version {
		return nil, fault.New(fault.LinkInvalid)
	}
	subject := "unlock by " + token
	return func(ctx context.Context, _ bool) { lenient(ctx, s.Guesses.Refund(ctx, subject)) }, s.Guesses.Take(ctx, subject, linkRule)
}

// lenient logs what costs somebody a guess and nothing else.
func lenient(ctx context.Context, err error) {
	if err != nil {
		slog.WarnContext(ctx, "guess not taken back", "error", err)
	}
}

// candidate reads what the attempt is judged by, with the same reads for every address. The epoch is read before the
// password is looked at: a session that begins while all are being ended does not survive it.
func (s *Service) candidate(ctx context.Context, email Email) (candidate, error) {
	found := candidate{known: true, pending: password.Dummy()}
	developer, err := s.Logins.ByEmail(ctx, email)
	if errors.Is(err, ErrNotFound) {
		found.known, developer, err = false, s.IDs.Developer(), nil
	}
	if err != nil {
		return candidate{}, err
	}
	if found.epoch, err = s.Sessions.Epoch(ctx, developer); err != nil {
		return candidate{}, err
	}
	found.developer, found.factor, err = s.Logins.Developer(ctx, developer)
	if errors.Is(err, ErrNotFound) {
		found.known, found.developer.Password, err = false, password.Dummy(), nil
	}
	if err != nil {
		return candidate{}, err
	}
	pending, err := s.Logins.Pending(ctx, email)
	if err == nil {
		found.pending = pending.Password
	} else if !errors.Is(err, ErrNotFound) {
		return candidate{}, err
	}
	found.accounts, err = s.Teams.Accounts(ctx, developer)
	if found.log = unknown; found.known {
		found.log = home(developer, found.accounts)
	}
	return found, err
}

// judge compares the password with that of the login and with that of the sign-up, always with both: which of them exist
// does not show in the time. A sign-up with a known address answers as one with an unknown address does.
func judge(ctx context.Context, found candidate, text string) error {
	mine, err := password.Verify(ctx, found.developer.Password, text)
	if err != nil {
		return err
	}
	pending, err := password.Verify(ctx, found.pending, text)
	switch {
	case err != nil:
		return err
	case mine && found.known:
		return nil
	case pending:
		return fault.New(fault.AccountNotActivated)
	}
	return fault.New(fault.InvalidCredentials)
}

// secondFactor checks the code, where a second factor is on. Each code is accepted once (CVE-2026-27855).
func (s *Service) secondFactor(ctx context.Context, where scene, developer Developer, factor *Factor, proof Proof, visit Visit) error {
	switch {
	case factor == nil:
		return nil
	case proof.Recovery != "":
		return s.recover(ctx, where, developer, proof.Recovery, visit)
	case proof.Code == "":
		return fault.New(fault.SecondFactorRequired)
	}
	secret, err := s.Sealer.Open(ctx, id.Platform(), factorPlace(developer.ID), factor.Secret)
	if err != nil {
		return err
	}
	step, ok := totp.Step(string(secret), proof.Code, s.Clock.Now())
	if !ok || step <= factor.Step {
		return fault.New(fault.SecondFactorWrong)
	}
	return onceOnly(s.Logins.UseStep(ctx, developer.ID, step))
}

// recover uses a recovery code up and tells the developer so.
func (s *Service) recover(ctx context.Context, where scene, developer Developer, text string, visit Visit) error {
	code, ok := totp.NormalizeRecovery(text)
	if !ok {
		return fault.New(fault.SecondFactorWrong)
	}
	hashed := totp.HashRecovery(code)
	used := s.record(where, record.RecoveryUsed, string(developer.ID), nil, nil)
	if _, err := s.Logins.UseRecovery(ctx, developer.ID, hashed[:], used); err != nil {
		return onceOnly(err)
	}
	s.notify(ctx, notice(mail.RecoveryCodeUsed, developer, visit))
	return nil
}

// onceOnly makes a code that was used before a wrong one.
func onceOnly(err error) error {
	if errors.Is(err, ErrUsed) || errors.Is(err, ErrNotFound) {
		return fault.Wrap(err, fault.SecondFactorWrong)
	}
	return err
}

// rehash replaces a hash of a lower cost than today's, now that the password is at hand.
func (s *Service) rehash(ctx context.Context, developer Developer, text string) {
	if !password.NeedsRehash(developer.Password) {
		return
	}
	hashed, err := password.Hash(ctx, text)
	if err == nil {
		err = s.Logins.Rehash(ctx, developer.ID, developer.Version, hashed)
	}
	if err != nil && !errors.Is(err, ErrChanged) {
		slog.WarnContext(ctx, "password not hashed anew", "error", err)
	}
}

// begin makes a session in the account that the developer has been a member of for the longest time.
func (s *Service) begin(ctx context.Context, found candidate, proof Proof, visit Visit) (login.Session, string, error) {
	now, secret := s.Clock.Now(), s.IDs.Text(login.SecretLength)
	session := login.Session{ID: s.IDs.Text(login.IDLength), Developer: found.developer.ID, Hash: hash(secret), Epoch: found.epoch,
		CreatedAt: now, SeenAt: now, ConfirmedAt: now, ExpiresAt: now.Add(login.Life), Source: visit.Source.String(),
		Agent: cut(visit.Agent, maxAgent)}
	if len(found.accounts) > 0 {
		session.Account = found.accounts[0]
	}
	state := sessionState{Session: session.ID, Agent: session.Agent}
	switch {
	case found.factor != nil && proof.Recovery != "":
		state.SecondFactor = "recovery_code"
	case found.factor != nil:
		state.SecondFactor = "totp"
	}
	begun := s.record(visit.of(session.Developer, found.log), record.LoginSucceeded, string(session.Developer), nil, state)
	return session, login.Format(session.Developer, session.ID, secret), s.Sessions.PutSession(ctx, session, begun)
}

// maxAgent is how much of a program's name for itself is kept.
const maxAgent = 200

// cut returns the text up to n bytes, whole characters, and without what no text has.
func cut(text string, n int) string {
	text = strings.ToValidUTF8(text, "")
	for len(text) > n {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

// AskUnlock has an unlock link mailed, if there is such a login.
func (s *Service) AskUnlock(ctx context.Context, address string, visit Visit) error {
	return s.request(ctx, JobUnlock, address, visit)
}
