// Package user has the end users of an app: their names, their records and how they come to be.
package user

import (
	"time"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/name"
)

// MaxNameBytes bounds a username in bytes of UTF-8.
const MaxNameBytes = 64

// User is an end user's record.
type User struct {
	// ID and App name the user.
	ID  id.User
	App id.App
	// Username is the name as it is shown.
	Username string
	// CreatedAt is when the user was registered.
	CreatedAt time.Time
	// TokenEpoch counts the times that all of the user's tokens were revoked; a token of an earlier epoch is void. A
	// counter rather than a time: it cannot be wrong by the skew of two clocks.
	TokenEpoch int64
	// DeactivatedAt is when the user was deactivated; zero for an active one. Nobody acts for a deactivated user, and
	// nothing is sent to it.
	DeactivatedAt time.Time
	// Version counts the changes of the username and the profile; a user of version 0 has never set a profile.
	Version int64
	// Blocks tells whom the user may have blocked.
	Blocks Blocks
	// Rights are what the user was granted and denied beyond what every user has. Package access writes them.
	Rights authz.Rights
}

// Deactivated tells whether the user is deactivated.
func (u User) Deactivated() bool { return !u.DeactivatedAt.IsZero() }

// Name is a username in the two forms that matter.
type Name struct {
	// Shown keeps the case (PRECIS UsernameCasePreserved).
	Shown string
	// Compared is equal for names that count as the same (PRECIS UsernameCaseMapped).
	Compared string
}

// ParseName prepares a username by RFC 8265. It returns fault.UsernameInvalid or fault.UsernameReserved.
func ParseName(text string) (Name, error) {
	if len(text) == 0 || len(text) > MaxNameBytes || !utf8.ValidString(text) {
		return Name{}, invalid(fault.UsernameInvalid)
	}
	shown, err := precis.UsernameCasePreserved.String(text)
	if err != nil {
		return Name{}, invalid(fault.UsernameInvalid)
	}
	compared, err := precis.UsernameCaseMapped.String(text)
	if err != nil || len(shown) > MaxNameBytes || len(compared) > MaxNameBytes {
		return Name{}, invalid(fault.UsernameInvalid)
	}
	if id.Reserved(compared) {
		return Name{}, invalid(fault.UsernameReserved)
	}
	return Name{Shown: shown, Compared: compared}, nil
}

// NewName is ParseName for a name that a user is to get: it also stands for the user in paths.
func NewName(text string) (Name, error) {
	parsed, err := ParseName(text)
	if err == nil && !name.Handle(parsed.Shown) {
		return Name{}, invalid(fault.UsernameInvalid)
	}
	return parsed, err
}

// beginning prepares the beginning of a name to be compared. Alone it need not keep the rule for directions of writing, which
// is about whole names.
var beginning = precis.NewIdentifier(precis.FoldWidth, precis.LowerCase(), precis.Norm(norm.NFC))

// noBeginning says that no username begins so.
var noBeginning = fault.Text{EN: "No username begins so.", ZH: "没有以此开头的用户名。"}

// ParsePrefix returns the compared form of the beginning of usernames, "" for none, or fault.FieldInvalid where no name begins
// so.
func ParsePrefix(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	compared, err := beginning.String(text)
	if err != nil || len(text) > MaxNameBytes {
		return "", fault.Invalid(fault.Wrong("prefix", noBeginning))
	}
	return compared, nil
}

func invalid(code fault.Code) error { return fault.Invalid(fault.Field{Name: "username", Code: code}) }
