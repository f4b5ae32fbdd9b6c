// Package totp is the second factor: codes of an authenticator app (RFC 6238), and recovery codes for who has lost it.
//
//	secret := totp.Source{}.Secret()
//	uri, err := totp.URI(secret, email) // shown as totp.QR(uri), and as text
//	…
//	step, ok := totp.Step(secret, code, now)
//	// ok alone is not enough: store step on the condition that it is greater than the last one that was accepted.
//
// Which codes were used is known to the caller's table alone, so a code is accepted once only if that one conditional
// write decides.
package totp

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	generator "github.com/pquerna/otp/totp"
)

const (
	// Issuer is who the authenticator app says that the codes are for.
	Issuer = "TokenIM"
	// Period is how long a code is shown: the default of RFC 6238, and the only one that every app knows.
	Period = 30 * time.Second
	// Digits is how many digits a code has.
	Digits = 6
	// Window is how many periods a clock may be off, either way: RFC 6238, 5.2 recommends one.
	Window = 1

	secretBytes = 20  // as long as the tag of HMAC-SHA-1: RFC 4226, 4 R6
	maxInput    = 128 // characters of a code as it is typed, spaces included
)

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// Source makes secrets and recovery codes. The zero value reads crypto/rand.
type Source struct {
	// Random is where the bytes come from; nil means crypto/rand.
	Random io.Reader
}

// Secret returns a new secret: 160 random bits in base32. It is stored encrypted: who has it makes every code.
func (s Source) Secret() string { return encoding.EncodeToString(s.bytes(secretBytes)) }

func (s Source) bytes(n int) []byte {
	source := s.Random
	if source == nil {
		source = rand.Reader
	}
	bytes := make([]byte, n)
	if _, err := io.ReadFull(source, bytes); err != nil {
		panic("totp: no randomness: " + err.Error()) // crypto/rand never fails; there is no safe way on
	}
	return bytes
}

// URI returns what an authenticator app reads from a QR code: otpauth://totp/TokenIM:<e-mail>?… It holds the secret.
// A secret that is none, or an empty address, is an error.
func URI(secret, email string) (string, error) {
	raw, err := encoding.DecodeString(secret)
	if err != nil || len(raw) == 0 {
		return "", errors.New("totp: the secret is not base32")
	}
	key, err := generator.Generate(generator.GenerateOpts{
		Issuer: Issuer, AccountName: email, Secret: raw,
		Period: uint(Period / time.Second), Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		return "", fmt.Errorf("totp: %w", err)
	}
	return key.URL(), nil
}

// Measures of the QR code in pixels. The margin has the four modules that the standard asks for: a URI has a hundred
// characters and more, which takes 45 modules at least, so a module has 5 pixels at most.
const (
	codeSize = 256
	margin   = 24
)

// QR returns the URI as a PNG of 304 by 304 pixels, in black on white.
func QR(uri string) ([]byte, error) {
	key, err := otp.NewKeyFromURL(uri)
	if err != nil {
		return nil, errors.New("totp: the URI is none")
	}
	code, err := key.Image(codeSize, codeSize)
	if err != nil {
		return nil, errors.New("totp: the URI is too long for a QR code") // the library's error shows the secret
	}
	sheet := image.NewPaletted(image.Rect(0, 0, codeSize+2*margin, codeSize+2*margin), color.Palette{color.White, color.Black})
	for y := range codeSize {
		for x := range codeSize {
			sheet.Set(x+margin, y+margin, code.At(x, y))
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, sheet); err != nil {
		return nil, fmt.Errorf("totp: write the QR code: %w", err)
	}
	return file.Bytes(), nil
}

// Step tells whether the code is the secret's at the time, give or take Window periods, and the number of its period
// since 1970. The caller stores the number and accepts a code only where its number is greater than the stored one, or
// a code that was seen once would be good for a minute and a half.
//
// Where the code is that of two periods by chance, the number is the later one, so that storing it spends both. The
// comparison takes the same time for every code of six digits. Spaces in and around a code are passed over.
func Step(secret, code string, now time.Time) (step int64, ok bool) {
	digits, ok := digitsOf(code)
	if !ok {
		return 0, false
	}
	current, found := stepAt(now), 0
	for candidate := current - Window; candidate <= current+Window; candidate++ {
		expected, err := hotp.GenerateCode(secret, uint64(candidate))
		if err != nil {
			return 0, false // a secret that is none has no codes
		}
		equal := subtle.ConstantTimeCompare([]byte(expected), []byte(digits))
		found |= equal
		step = int64(subtle.ConstantTimeSelect(equal, int(candidate), int(step)))
	}
	return step, found == 1
}

// stepAt returns the number of the period that the time is in; before 1970 they count backwards.
func stepAt(now time.Time) int64 {
	seconds, period := now.Unix(), int64(Period/time.Second)
	if seconds < 0 {
		seconds -= period - 1 // round down, not towards zero
	}
	return seconds / period
}

// digitsOf returns the code without spaces; false where it is not six digits.
func digitsOf(code string) (string, bool) {
	if len(code) > maxInput {
		return "", false
	}
	digits := strings.Map(dropSpaces, code)
	notDigit := func(r rune) bool { return r < '0' || r > '9' }
	return digits, len(digits) == Digits && !strings.ContainsFunc(digits, notDigit)
}

func dropSpaces(r rune) rune {
	if unicode.IsSpace(r) {
		return -1
	}
	return r
}
