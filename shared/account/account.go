// Package account has the people who build on TokenIM: how developers sign up, log in and prove that it is them, and the
// accounts that they share, whose apps they run.
//
// A developer is a login: an e-mail address, a password, perhaps a second factor. An account owns apps; its members are
// developers, each with a role. A session is a login on one device; it stands in one account at a time.
//
// Whether an address is known is nobody's business: sign-up, login and everything that sends a mail do the same work and
// give the same answer for every address. What depends on it is decided behind the queue, by the Mailroom.
package account

import (
	"net/mail"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/name"
)

const (
	// maxEmail is the longest address that a mail server takes (RFC 5321, 4.5.3.1.3, less the brackets).
	maxEmail = 254
	// MaxMembers is how many members an account may have, maxInvitations how many open invitations: its rows stay few.
	MaxMembers     = 1000
	maxInvitations = 100
)

// Email is an address in the one form in which it is compared and kept: ASCII, in lower case.
type Email string

// ParseEmail reads an address; fault.EmailInvalid in the field where it is none.
func ParseEmail(text, field string) (Email, error) {
	refused := fault.Invalid(fault.Field{Name: field, Code: fault.EmailInvalid, Args: []any{field}})
	if len(text) > maxEmail {
		return "", refused
	}
	for _, r := range text {
		if r <= ' ' || r > '~' {
			return "", refused
		}
	}
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text || parsed.Name != "" {
		return "", refused
	}
	local, domain, _ := strings.Cut(text, "@")
	if strings.ContainsAny(local, `"<>(),:;[]\`) || !strings.Contains(domain, ".") || strings.ContainsAny(domain, "[]:@") {
		return "", refused
	}
	return Email(strings.ToLower(text)), nil
}

// checkName refuses the name of an account that shows nothing, breaks a line or turns the direction of the text around it: no
// name shall pass for another part of a page or a mail.
func checkName(text, field string) error {
	if !name.Plain(text) {
		return fault.Invalid(fault.Wrong(field, fault.NotPlain))
	}
	return nil
}

// Developer is a login.
type Developer struct {
	ID    id.Developer
	Email Email
	// Password is its hash, in PHC form.
	Password string
	// Language is the one that mails are written in.
	Language fault.Language
	// CreatedAt is when the address was confirmed.
	CreatedAt time.Time
	// Version counts the changes of e-mail and password. What was mailed under an older one no longer works.
	Version int64
}

// Factor is a developer's second factor.
type Factor struct {
	// Secret is the TOTP secret, sealed.
	Secret []byte
	// Step is the last time step whose code was accepted: only later ones are (CVE-2026-27855).
	Step int64
	// Recovery are the SHA-256 hashes of the recovery codes that were not used.
	Recovery [][]byte
	// CreatedAt is when it was turned on.
	CreatedAt time.Time
}

// Setup is a second factor that is being turned on.
type Setup struct {
	// Secret is the TOTP secret, sealed.
	Secret []byte
	// ExpiresAt is when it lapses.
	ExpiresAt time.Time
}

// Pending is a sign-up whose mail was not answered yet.
type Pending struct {
	Email    Email
	Password string // its hash
	// Account is the name that the account shall have.
	Account  string
	Language fault.Language
	// Nonce tells it from other sign-ups with the address: each link leads to the password of its own.
	Nonce     string
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Action is what a mailed link does.
type Action string

// The actions.
const (
	ActionConfirm    Action = "confirm"
	ActionReset      Action = "reset"
	ActionUnlock     Action = "unlock"
	ActionEmail      Action = "email"
	ActionInvitation Action = "invitation"
)

// Link is what stands behind a mailed token. It is kept under the token's hash and works once.
type Link struct {
	// Hash is the SHA-256 of the token.
	Hash   [32]byte
	Action Action
	// Email is the address that it was mailed to.
	Email     Email
	ExpiresAt time.Time
	// Pending is the sign-up that ActionConfirm completes.
	Pending Pending
	// Developer and Version are the login that the other actions concern, as it was when the mail was sent.
	Developer id.Developer
	Version   int64
	// Account, Invitation and Role are what ActionInvitation offers.
	Account    id.Account
	Invitation string
	Role       authz.Role
}

// Account owns apps.
type Account struct {
	ID        id.Account
	Name      string
	CreatedAt time.Time
}

// Member is a developer in an account.
type Member struct {
	Account   id.Account
	Developer id.Developer
	Role      authz.Role
	Since     time.Time
}

// Invitation is an offer of membership that was mailed.
type Invitation struct {
	Account id.Account
	// ID names it within the account.
	ID        string
	Email     Email
	Role      authz.Role
	InvitedBy id.Developer
	CreatedAt time.Time
	ExpiresAt time.Time
}
