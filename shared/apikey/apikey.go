// Package apikey has the API keys of an app: how they are spelled, made, checked, rotated and revoked.
//
// A key reads tk_<key ID>_<secret><checksum>. Only the SHA-256 of the secret is stored: 256 random bits need no slow
// hash. The checksum tells a mistyped key from a revoked one without a database read.
package apikey

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
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
	// CreatedAt is when it was made, CreatedBy by which key or developer; "" for the first key of an app.
	CreatedAt time.Time
	CreatedBy string
	// Fingerprint is that of the request that made it, by which a repeated one is known; "" for the first key of an app.
	Fingerprint string
	// ExpiresAt is when it stops working; zero for never.
	ExpiresAt time.Time
	// RevokedAt is when it was revoked; zero for not.
	RevokedAt time.Time
	// Suspended tells that its app has been deleted, and may still be restored.
	Suspended bool
	// RotatedAt is when it was replaced, RotatedTo by which key; zero for not.
	RotatedAt time.Time
	RotatedTo id.Key
	// RotatedFrom is the key that it replaces; "" for none.
	RotatedFrom id.Key
	// Sources are the addresses that it may be used from; empty for any.
	Sources []netip.Prefix
	// UsedAt is about when it was used last, UsedFrom from where; zero for never.
	UsedAt   time.Time
	UsedFrom string
	// Rights are the scopes and what else the key was granted or denied, Policy what its app has decided for all when that
	// was last copied here. Stores read both; package access writes them.
	Rights authz.Rights
	Policy authz.Policy
}

// RightsOf returns the rights of a key with the scopes that was granted nothing else.
func RightsOf(scopes []string) authz.Rights {
	base, _ := authz.ParseSet(scopes)
	return authz.Rights{Kind: authz.Keys, Base: base}
}

// UseEvery is how often at most a key's use is written down.
const UseEvery = time.Hour

// UseDue tells whether it is time to write down that the key is used.
func (k Key) UseDue(now time.Time) bool { return !k.UsedAt.After(k.UseBefore(now)) }

// UseBefore is the time since which a use has to be written down already for one now not to be. The first use after a
// rotation always is: it is what the warning of a key that lives on is about.
func (k Key) UseBefore(now time.Time) time.Time {
	due := now.Add(-UseEvery)
	if k.RotatedAt.After(due) && now.After(k.RotatedAt) {
		return k.RotatedAt
	}
	return due
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

// Check tells whether the key may be used with the secret at the time: fault.APIKeyUnknown, APIKeyRevoked, APIKeyExpired
// or AppDeleted where not. Without the right secret nothing else about the key is told.
func (k Key) Check(secret Secret, now time.Time) error {
	if subtle.ConstantTimeCompare(k.Hash[:], secret.Hash[:]) != 1 {
		return fault.New(fault.APIKeyUnknown)
	}
	return k.Active(now)
}

// Active tells whether the key is neither revoked nor expired at the time, and its app not deleted. A key that is gone
// for good tells nothing about its app.
func (k Key) Active(now time.Time) error {
	switch {
	case !k.RevokedAt.IsZero():
		return fault.New(fault.APIKeyRevoked)
	case k.expired(now):
		return fault.New(fault.APIKeyExpired, k.ExpiresAt.Format(time.RFC3339))
	case k.Suspended:
		return fault.New(fault.AppDeleted)
	}
	return nil
}

func (k Key) expired(now time.Time) bool { return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) }

// Has tells whether the key has the scope.
func (k Key) Has(scope string) bool { return slices.Contains(k.Scopes, scope) }
