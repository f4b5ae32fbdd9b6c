package check

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
)

// loginRow is an item of the table of developers: a developer, a second factor or one that is being turned on, an address
// with whose it is, a sign-up, a mailed link, or a counter of guesses.
type loginRow struct {
	Key       string   `dynamodbav:"pk"`
	Sort      string   `dynamodbav:"sk"`
	Email     string   `dynamodbav:"email"`
	Password  string   `dynamodbav:"password"`
	Version   int64    `dynamodbav:"version"`
	Developer string   `dynamodbav:"developer"`
	Action    string   `dynamodbav:"action"`
	Secret    []byte   `dynamodbav:"secret"`
	Recovery  [][]byte `dynamodbav:"recovery"`
	ExpiresAt int64    `dynamodbav:"expires_at"`
}

// expired tells whether an item that has an end is past it. It then counts as none; DynamoDB deletes it within days.
func expired(millis int64) bool { return millis != 0 && millis <= time.Now().UnixMilli() }

// readDevelopers reads the logins, and opens every second factor.
func (c *checker) readDevelopers(ctx context.Context) error {
	return each(ctx, c, "DEVELOPERS", func(row loginRow) error {
		kind, _, _ := strings.Cut(row.Key, "#")
		switch {
		case expired(row.ExpiresAt):
		case id.IsDeveloper(row.Key) && row.Sort == "developer":
			c.readDeveloper(row)
		case id.IsDeveloper(row.Key) && (row.Sort == "factor" || row.Sort == "setup"):
			return c.readFactor(ctx, row)
		case row.Sort != "-":
			c.unknownLogin(row)
		case kind == "mail":
			c.claims[row.Key] = row
		case kind == "pending":
			if row.Key != addressKey(kind, row.Email) {
				c.problem(Login, "DEVELOPERS "+row.Key, "is not the place of its address")
			}
		case kind == "link" && row.isLink():
			c.offers = append(c.offers, row)
		case kind == "guess":
		default:
			c.unknownLogin(row)
		}
		return nil
	})
}

func (c *checker) unknownLogin(row loginRow) {
	c.problem(Unreadable, "DEVELOPERS "+row.Key+" "+row.Sort, "neither a login nor what belongs to one")
}

// addressKey is where something about an address stands: keys do not show it.
func addressKey(kind, email string) string { return kind + "#" + id.Hash("mail", email) }

// actions are what mailed links do.
var actions = []account.Action{account.ActionConfirm, account.ActionReset, account.ActionUnlock, account.ActionEmail, account.ActionInvitation}

func (r loginRow) isLink() bool {
	hash, err := hex.DecodeString(strings.TrimPrefix(r.Key, "link#"))
	return err == nil && len(hash) == sha256.Size && slices.Contains(actions, account.Action(r.Action))
}

func (c *checker) readDeveloper(row loginRow) {
	c.report.Developers++
	email, err := account.ParseEmail(row.Email, "email")
	if err != nil || string(email) != row.Email || !strings.HasPrefix(row.Password, "$argon2id$") || row.Version < 1 {
		c.problem(Unreadable, "DEVELOPERS "+row.Key, "not a login with an address, a hash of a password and a version")
		return
	}
	c.developers[id.Developer(row.Key)] = row
}

// readFactor opens a second factor, which is sealed for its developer under the platform's own data key.
func (c *checker) readFactor(ctx context.Context, row loginRow) error {
	c.offers = append(c.offers, row)
	where := row.Key + " " + row.Sort
	for _, code := range row.Recovery {
		if len(code) != sha256.Size {
			c.problem(Unreadable, "DEVELOPERS "+where, "a recovery code is no SHA-256")
		}
	}
	place := seal.Place{Conversation: "second factor", Sender: id.User(row.Key)}
	return c.open(ctx, Factor, where, id.Platform(), place, row.Secret)
}

// checkDevelopers matches addresses and developers one to one, and finds the developer of everything that is one's.
func (c *checker) checkDevelopers() {
	for developer, row := range c.developers {
		if c.claims[addressKey("mail", row.Email)].Developer != string(developer) {
			c.problem(Login, string(developer), "its address is not held for it")
		}
	}
	for key, claim := range c.claims {
		row, ok := c.developers[id.Developer(claim.Developer)]
		switch {
		case !ok:
			c.problem(Login, key, "is held for %s, who is missing", claim.Developer)
		case addressKey("mail", row.Email) != key:
			c.problem(Login, key, "is held for %s, who has another address", claim.Developer)
		}
	}
	for _, row := range c.offers {
		c.checkOffer(row)
	}
}

func (c *checker) checkOffer(row loginRow) {
	of, kind := row.Developer, Login
	if id.IsDeveloper(row.Key) {
		of, kind = row.Key, Factor
	}
	if _, ok := c.developers[id.Developer(of)]; !ok && of != "" {
		c.problem(kind, row.Key+" "+row.Sort, "its developer %s is missing", of)
	}
}
