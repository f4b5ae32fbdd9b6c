// Package apikey has the API keys of an app: how they are spelled, made, checked and revoked.
//
// A key reads tk_<key ID>_<secret><checksum>. Only the SHA-256 of the secret is stored: 256 random bits need no slow
// hash. The checksum tells a mistyped key from a revoked one without a database read.
package apikey

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

const (
	// Prefix begins every key, so that people and secret scanners recognise one.
	Prefix = "tk_"

	secretLength   = 43 // base62 characters of 256 bits
	checksumLength = 6  // base62 characters of 32 bits
)

// Key is the record of an API key. It holds nothing that lets anybody use the key.
type Key struct {
	// ID is the public part of the key.
	ID id.Key
	// App is the tenant it belongs to.
	App id.App
	// Name is for people.
	Name string
	// Scopes are the permissions it has.
	Scopes []string
	// Hash is the SHA-256 of the secret.
	Hash [32]byte
	// CreatedAt is when, CreatedBy by which key it was made; "" for the first key of an app.
	CreatedAt time.Time
	CreatedBy id.Key
	// ExpiresAt is when it stops working; zero for never.
	ExpiresAt time.Time
	// RevokedAt is when it was revoked; zero for not.
	RevokedAt time.Time
}

// Secret is a key as its owner has it, parsed.
type Secret struct {
	// ID is the public part. It is a claim until the hash has been compared.
	ID id.Key
	// Hash is the SHA-256 of the secret part.
	Hash [32]byte
}

// Parse takes a key apart. A text that is not exactly one that Format made is fault.APIKeyMalformed; the text itself
// never appears in the error.
func Parse(text string) (Secret, error) {
	body, ok := strings.CutPrefix(text, Prefix)
	public, rest, found := strings.Cut(body, "_")
	keyID := id.KeyOf(public)
	if !ok || !found || keyID == "" || len(rest) != secretLength+checksumLength || !id.IsBase62(rest) {
		return Secret{}, fault.New(fault.APIKeyMalformed)
	}
	secret, sum := rest[:secretLength], rest[secretLength:]
	if checksum(keyID, secret) != sum {
		return Secret{}, fault.New(fault.APIKeyMalformed)
	}
	return Secret{ID: keyID, Hash: sha256.Sum256([]byte(secret))}, nil
}

// Format writes a key from its ID and secret part.
func Format(keyID id.Key, secret string) string {
	return Prefix + keyID.Body() + "_" + secret + checksum(keyID, secret)
}

// checksum is CRC-32 (IEEE) over everything before it: it finds every single changed character.
func checksum(keyID id.Key, secret string) string {
	sum := crc32.ChecksumIEEE([]byte(Prefix + keyID.Body() + "_" + secret))
	return id.Base62(binary.BigEndian.AppendUint32(nil, sum), checksumLength)
}

// Check tells whether the key may be used with the secret at the time: fault.APIKeyUnknown, APIKeyRevoked or
// APIKeyExpired where not. Without the right secret nothing else about the key is told.
func (k Key) Check(secret Secret, now time.Time) error {
	if subtle.ConstantTimeCompare(k.Hash[:], secret.Hash[:]) != 1 {
		return fault.New(fault.APIKeyUnknown)
	}
	return k.Active(now)
}

// Active tells whether the key is neither revoked nor expired at the time.
func (k Key) Active(now time.Time) error {
	switch {
	case !k.RevokedAt.IsZero():
		return fault.New(fault.APIKeyRevoked)
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return fault.New(fault.APIKeyExpired, k.ExpiresAt.Format(time.RFC3339))
	}
	return nil
}

// Has tells whether the key has the scope.
func (k Key) Has(scope string) bool { return slices.Contains(k.Scopes, scope) }

// Lacks returns the first of the scopes that the key does not have, "" where it has all of them.
func (k Key) Lacks(scopes []string) string {
	for _, scope := range scopes {
		if !k.Has(scope) {
			return scope
		}
	}
	return ""
}
