package account

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/guess"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/login"
	"github.com/tokenim/tokenim/shared/seal"
)

// Queue takes jobs for the Mailroom. A job that it took is done later, at least once.
type Queue interface {
	// Enqueue puts the job into the queue.
	Enqueue(ctx context.Context, job Job) error
}

// Sealer encrypts what must not be read in a dump of the tables. seal.Keyring is one.
type Sealer interface {
	Seal(ctx context.Context, app id.App, place seal.Place, text []byte) ([]byte, error)
	Open(ctx context.Context, app id.App, place seal.Place, sealed []byte) ([]byte, error)
}

// Service is what developers do with their logins and accounts. It runs in functions/accounts.
type Service struct {
	Logins   Logins
	Sessions login.Store
	Teams    Teams
	Guesses  *guess.Limiter
	Sealer   Sealer
	Queue    Queue
	Clock    clock.Clock
	IDs      id.Source
	// Records takes the records of failures; those of changes go with the changes.
	Records Recorder
}

// Visit is what is known of the browser or script that a request without a session comes from.
type Visit struct {
	// Source is its address, Agent what it calls itself.
	Source netip.Addr
	Agent  string
	// Reason is why it is done, where whoever does it says so; it stands in the record.
	Reason string
	// Language is the one that it wants to be answered in; its mails are written in it too.
	Language fault.Language
}

// The rules of guessing. The free ones are for those who mistype; then each guess waits twice as long as the one before.
// A password of 15 characters that is not among the commonest stands these rates for longer than anybody guesses.
var (
	// loginRule counts the guesses at one address, whether it has a login or not.
	loginRule = guess.Rule{Free: 5, Delay: time.Second, MaxDelay: 15 * time.Minute, Forget: 24 * time.Hour}
	// sourceRule counts the guesses from one source, which may be a whole office. Successes are not counted.
	sourceRule = guess.Rule{Free: 50, Delay: time.Second, MaxDelay: 5 * time.Minute, Forget: time.Hour}
	// mailRule counts the mails of a kind that strangers have sent to an address. Whoever makes it wait has filled the
	// mailbox with links of that kind, which work for as long as the wait is.
	mailRule = guess.Rule{Free: 5, Delay: time.Minute, MaxDelay: time.Hour, Forget: 24 * time.Hour}
	// confirmRule counts guesses within a session: at the password, or at a code.
	confirmRule = guess.Rule{Free: 5, Delay: time.Second, MaxDelay: 15 * time.Minute, Forget: 24 * time.Hour}
	// linkRule counts the guesses at a password that one link is good for.
	linkRule = guess.Rule{Free: 5, Delay: time.Hour, MaxDelay: time.Hour, Forget: 2 * time.Hour}
)

// sourceSubject names a source for an occasion, so that mails and logins are counted apart.
func sourceSubject(occasion string, source netip.Addr) string {
	return occasion + " from " + guess.SourceSubject(source.String())
}

// takeMail counts a mail that a stranger has sent to the address. The kinds are counted apart: nobody can keep the link that
// leads back in from its owner by having other mails sent there. A sign-up's mail and the same once more are of one kind.
func (s *Service) takeMail(ctx context.Context, kind JobKind, email Email, visit Visit) error {
	if kind == JobResend {
		kind = JobSignUp
	}
	if err := s.Guesses.Take(ctx, sourceSubject("mail", visit.Source), sourceRule); err != nil {
		return err
	}
	return s.Guesses.Take(ctx, string(kind)+" mail to "+string(email), mailRule)
}

// hash is how tokens and secrets of 128 bits and more are kept.
func hash(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// factorPlace binds a sealed second factor to its developer.
func factorPlace(developer id.Developer) seal.Place {
	return seal.Place{Conversation: "second factor", Sender: id.User(developer)}
}

// me loads the developer behind a session.
func (s *Service) me(ctx context.Context, caller authz.Caller) (Developer, *Factor, error) {
	developer, factor, err := s.Logins.Developer(ctx, caller.Developer)
	if err != nil { // the session was read a moment ago, so the developer is there
		return Developer{}, nil, err
	}
	return developer, factor, nil
}

// notify tells a developer by mail what was done to the login. The job is queued before the change is answered; a change
// whose notice cannot be queued is reported as done all the same, because it is.
func (s *Service) notify(ctx context.Context, job Job) {
	job.At = s.Clock.Now()
	if err := s.Queue.Enqueue(ctx, job); err != nil {
		logLost(ctx, job, err)
	}
}
