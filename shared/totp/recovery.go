package totp

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"unicode"
)

const (
	// RecoveryCodes is how many recovery codes an account gets at once.
	RecoveryCodes = 10

	recoveryBytes  = 10 // 80 bits: too many to guess, so a fast hash keeps them
	recoveryLength = 16 // characters without dashes, 5 bits each
	groupLength    = 4
)

// recoveryAlphabet is that of Douglas Crockford's base32 in lower case: without i, l, o and u, which look like others or
// make words.
const recoveryAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

var recoveryEncoding = base32.NewEncoding(recoveryAlphabet).WithPadding(base32.NoPadding)

// RecoveryCodes returns new recovery codes, such as "7vmx-e2hq-40wk-9bzt". They are shown once; HashRecovery of each is
// stored, and deleted on the condition that it is there when the code is used.
func (s Source) RecoveryCodes() []string {
	codes := make([]string, RecoveryCodes)
	for i := range codes {
		codes[i] = grouped(recoveryEncoding.EncodeToString(s.bytes(recoveryBytes)))
	}
	return codes
}

// NormalizeRecovery returns a recovery code as RecoveryCodes wrote it, from what a person typed: in any case, with any
// spaces and dashes, with letters in place of the digits that they look like. ok is false for what is no code.
func NormalizeRecovery(text string) (code string, ok bool) {
	if len(text) > maxInput {
		return "", false
	}
	code = strings.Map(recoveryCharacter, text)
	other := func(r rune) bool { return !strings.ContainsRune(recoveryAlphabet, r) }
	if len(code) != recoveryLength || strings.ContainsFunc(code, other) {
		return "", false
	}
	return grouped(code), true
}

// recoveryCharacter returns the character of the alphabet that was meant; -1 for what only separates.
func recoveryCharacter(r rune) rune {
	switch r = unicode.ToLower(r); {
	case unicode.IsSpace(r) || unicode.Is(unicode.Dash, r):
		return -1
	case r == 'o':
		return '0'
	case r == 'i' || r == 'l':
		return '1'
	}
	return r
}

// HashRecovery returns the SHA-256 of a recovery code, normalised, by which it is stored and found. Text that is no code
// gets a hash that no code has.
func HashRecovery(code string) [32]byte {
	if normal, ok := NormalizeRecovery(code); ok {
		code = normal
	}
	return sha256.Sum256([]byte(code))
}

// grouped writes dashes between groups of characters.
func grouped(code string) string {
	var text strings.Builder
	for i, r := range code {
		if i > 0 && i%groupLength == 0 {
			text.WriteByte('-')
		}
		text.WriteRune(r)
	}
	return text.String()
}
