// Package login has the sessions of developers: what somebody who is logged in carries, and what it stands on. It is apart
// from package account, which makes sessions, because every function checks them and few need anything else of accounts.
package login

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

const (
	// Prefix begins the text of every session, so that it is told from keys and user tokens, and so that people and secret
	// scanners recognise one.
	Prefix = "ts_"

	developerLength = 22 // base62 characters of a developer ID behind its prefix
	// IDLength is how many base62 characters a session's public ID has, SecretLength its secret: 256 bits.
	IDLength     = 16
	SecretLength = 43

	// idleLimit ends a session that nobody uses, Life every session (NIST SP 800-63B-4, AAL2: an hour to a day idle, a day to
	// a month in all).
	idleLimit = 12 * time.Hour
	Life      = 7 * 24 * time.Hour
	// seenEvery is how often at most a session's use is written down: it makes the idle limit that much less exact, and
	// spares a write for most requests.
	seenEvery = 5 * time.Minute
)

// Session is a login of a developer on one device.
type Session struct {
	// ID names it for its owner; it is public.
	ID string
	// Developer is who is logged in, Account where.
	Developer id.Developer
	Account   id.Account
	// Hash is the SHA-256 of the secret part of its text.
	Hash [32]byte
	// Epoch is the developer's session epoch when it began: the epoch moves on to end all sessions at once.
	Epoch int64
	// CreatedAt is when it began, SeenAt about when it was used last, ConfirmedAt when the developer last proved to be there.
	CreatedAt, SeenAt, ConfirmedAt time.Time
	// ExpiresAt is its absolute end.
	ExpiresAt time.Time
	// Source is the address and Agent the program that it began from, for the list of sessions.
	Source, Agent string
}

// Text is a session as its owner has it, parsed.
type Text struct {
	// Developer and ID say where its record is. They are claims until the hash has been compared.
	Developer id.Developer
	ID        string
	// Hash is the SHA-256 of the secret part.
	Hash [32]byte
}

// Parse takes a session's text apart; what Format did not write is fault.SessionInvalid.
func Parse(text string) (Text, error) {
	parts := strings.Split(strings.TrimPrefix(text, Prefix), "_")
	if !strings.HasPrefix(text, Prefix) || len(parts) != 3 || len(parts[0]) != developerLength ||
		len(parts[1]) != IDLength || len(parts[2]) != SecretLength || !id.IsBase62(strings.Join(parts, "")) {
		return Text{}, fault.New(fault.SessionInvalid)
	}
	return Text{Developer: id.Developer("dev_" + parts[0]), ID: parts[1], Hash: sha256.Sum256([]byte(parts[2]))}, nil
}

// Format writes a session with its secret.
func Format(developer id.Developer, session, secret string) string {
	return Prefix + strings.TrimPrefix(string(developer), "dev_") + "_" + session + "_" + secret
}

// Check tells whether the session may be used with the text at the time, under the developer's epoch of now:
// fault.SessionInvalid where the secret is another or the session was ended, fault.SessionExpired where its time is over.
func (s Session) Check(text Text, epoch int64, now time.Time) error {
	switch {
	case subtle.ConstantTimeCompare(s.Hash[:], text.Hash[:]) != 1 || s.Epoch != epoch:
		return fault.New(fault.SessionInvalid)
	case !now.Before(s.ExpiresAt) || now.Sub(s.SeenAt) > idleLimit:
		return fault.New(fault.SessionExpired)
	}
	return nil
}

// Stale tells whether it is time to write down that the session is used.
func (s Session) Stale(now time.Time) bool { return now.Sub(s.SeenAt) >= seenEvery }

// Caller returns who is calling with the session, as a member with the role; no app is chosen. Whoever is no member, any
// more, has the login alone.
func (s Session) Caller(role authz.Role) authz.Caller {
	may := authz.RoleSet(role)
	if role == "" {
		may = authz.SetOf(authz.LoginManage)
	}
	return authz.Caller{Developer: s.Developer, Session: s.ID, Account: s.Account, Role: role,
		Rights: authz.Rights{Kind: authz.Developers, Base: may}, ConfirmedAt: s.ConfirmedAt, ExpiresAt: s.ExpiresAt}
}
