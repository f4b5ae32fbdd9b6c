// Package token has the two credentials of an end user: the user token, which phones and servers send in a header, and
// the connect ticket, which a browser can put into a socket's address because it works once and for 30 seconds.
//
// Both are JWTs (HS256) under a secret of the app. What they say about user and key is checked against the records on
// every use; they only save the backend from being asked.
package token

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
)

const (
	// DefaultLife is how long a user token works when its maker does not say.
	DefaultLife = time.Hour
	// MaxLife is the longest that a user token works.
	MaxLife = 24 * time.Hour
	// MinLife is the shortest that can be asked for.
	MinLife = 10 * time.Second
	// TicketLife is how long a connect ticket works.
	TicketLife = 30 * time.Second

	maxLength = 2048 // of a token's text; ours have about 300 bytes
)

// Kind is what a token is for.
type Kind string

// The kinds.
const (
	User   Kind = "user"
	Ticket Kind = "ticket"
)

// Claims is what a token says.
type Claims struct {
	// Kind is what it is for.
	Kind Kind
	// App, User and Key name the tenant, the end user, and the API key that minted it (a ticket's: its token's).
	App  id.App
	User id.User
	Key  id.Key
	// Device names the user's device; "" where the backend named none.
	Device string
	// Epoch is the user's token epoch at minting.
	Epoch int64
	// ExpiresAt is when it stops working; a ticket's socket lives until SessionExpiresAt.
	ExpiresAt time.Time
	// SessionExpiresAt is, in a ticket, when the token that it stands for expires.
	SessionExpiresAt time.Time
	// ID tells tickets apart.
	ID string
}

// Secrets has the apps' signing secrets. seal.Keyring is one.
type Secrets interface {
	Secret(ctx context.Context, app id.App, purpose seal.Purpose) (number uint32, secret []byte, err error)
	SecretOf(ctx context.Context, app id.App, number uint32, purpose seal.Purpose) ([]byte, error)
}

// Issuer signs and checks tokens.
type Issuer struct {
	Secrets Secrets
	Clock   clock.Clock
}

// wire is the JWT's form.
type wire struct {
	jwt.RegisteredClaims
	Kind    Kind   `json:"kind"`
	App     string `json:"app"`
	Key     id.Key `json:"key"`
	Device  string `json:"dev,omitempty"`
	Epoch   int64  `json:"epoch"`
	Session int64  `json:"session,omitempty"`
}

// Sign returns the token's text.
func (i *Issuer) Sign(ctx context.Context, claims Claims) (string, error) {
	number, secret, err := i.Secrets.Secret(ctx, claims.App, seal.UserToken)
	if err != nil {
		return "", err
	}
	body := wire{
		RegisteredClaims: jwt.RegisteredClaims{Subject: string(claims.User), ID: claims.ID,
			IssuedAt: jwt.NewNumericDate(i.Clock.Now()), ExpiresAt: jwt.NewNumericDate(claims.ExpiresAt)},
		Kind: claims.Kind, App: claims.App.String(), Key: claims.Key, Device: claims.Device, Epoch: claims.Epoch,
	}
	if !claims.SessionExpiresAt.IsZero() {
		body.Session = claims.SessionExpiresAt.Unix()
	}
	unsigned := jwt.NewWithClaims(jwt.SigningMethodHS256, body)
	unsigned.Header["kid"] = strconv.FormatUint(uint64(number), 10)
	return unsigned.SignedString(secret)
}

// Verify returns what a token of the kind says, if this installation signed it and it has not expired:
// fault.TokenInvalid or fault.TokenExpired otherwise. Revocation is for the caller to check.
func (i *Issuer) Verify(ctx context.Context, text string, kind Kind) (Claims, error) {
	if len(text) > maxLength || strings.ContainsAny(text, "\r\n") { // the decoder would skip line breaks
		return Claims{}, fault.New(fault.TokenInvalid)
	}
	var body wire
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithStrictDecoding(),
		jwt.WithoutClaimsValidation())
	_, err := parser.ParseWithClaims(text, &body, func(unverified *jwt.Token) (any, error) {
		return i.secretOf(ctx, unverified, &body)
	})
	if refusal, ok := errors.AsType[*fault.Error](err); ok {
		return Claims{}, refusal
	}
	if err != nil || body.ExpiresAt == nil || body.Kind != kind {
		return Claims{}, fault.New(fault.TokenInvalid)
	}
	claims := body.claims()
	if !i.Clock.Now().Before(claims.ExpiresAt) {
		return Claims{}, fault.New(fault.TokenExpired, claims.ExpiresAt.Format(time.RFC3339))
	}
	return claims, nil
}

// secretOf finds the secret that a token claims to be signed with. Only a well-formed claim reaches the store.
func (i *Issuer) secretOf(ctx context.Context, unverified *jwt.Token, body *wire) (any, error) {
	text, _ := unverified.Header["kid"].(string)
	number, err := strconv.ParseUint(text, 10, 32)
	if err != nil || !id.IsUser(body.Subject) || !id.IsApp(body.App) || body.Key.App().String() != body.App {
		return nil, fault.New(fault.TokenInvalid)
	}
	secret, err := i.Secrets.SecretOf(ctx, body.Key.App(), uint32(number), seal.UserToken)
	if errors.Is(err, seal.ErrNoKey) {
		return nil, fault.New(fault.TokenInvalid)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable)
	}
	return secret, nil
}

func (w wire) claims() Claims {
	claims := Claims{Kind: w.Kind, App: w.Key.App(), User: id.User(w.Subject), Key: w.Key, Device: w.Device, Epoch: w.Epoch,
		ExpiresAt: w.ExpiresAt.UTC(), ID: w.RegisteredClaims.ID}
	if w.Session != 0 {
		claims.SessionExpiresAt = time.Unix(w.Session, 0).UTC()
	}
	return claims
}
