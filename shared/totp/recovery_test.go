package totp_test

import (
	"crypto/sha256"
	"regexp"
	"strings"
	"testing"

	"github.com/pquerna/otp/hotp"
	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/totp"
)

// generate returns the code of a step, by the library.
func generate(secret string, step int64) string {
	code, err := hotp.GenerateCode(secret, uint64(step))
	if err != nil {
		panic(err)
	}
	return code
}

var form = regexp.MustCompile(`^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){3}$`)

func TestRecoveryCodes(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		codes := totp.Source{}.RecoveryCodes()
		if len(codes) != totp.RecoveryCodes {
			t.Fatalf("%d codes", len(codes))
		}
		for _, code := range codes {
			if normal, ok := totp.NormalizeRecovery(code); !form.MatchString(code) || seen[code] || !ok || normal != code {
				t.Errorf("code %q", code)
			}
			seen[code] = true
		}
	}
	fixed := totp.Source{Random: strings.NewReader(strings.Repeat("\x00\x44\x32\x14\xc7\x42\x54\xb6\x35\xcf", 10))}
	if got := fixed.RecoveryCodes()[9]; got != "0123-4567-89ab-cdef" {
		t.Errorf("code %q of known bytes", got)
	}
}

func TestNormalizeRecovery(t *testing.T) {
	const code = "01ab-cdef-ghjk-1010"
	for _, typed := range []string{code, "01abcdefghjk1010", "01AB-CDEF-GHJK-1010", " 01ab cdef\tghjk 1010\n",
		"oiab-cdef-ghjk-lOIo",
		"0-1-a-b-c-d-e-f-g-h-j-k-1-0-1-0", "01ab–cdef—ghjk−1010", "\u30000 1ab\u00a0cdefghjk1010"} {
		if got, ok := totp.NormalizeRecovery(typed); !ok || got != code {
			t.Errorf("NormalizeRecovery(%q) = %q, %v", typed, got, ok)
		}
		if totp.HashRecovery(typed) != sha256.Sum256([]byte(code)) {
			t.Errorf("HashRecovery(%q) is not its code's", typed)
		}
	}
	for _, typed := range []string{"", "-", "01ab-cdef-ghjk-101", "01ab-cdef-ghjk-10100", "01ab-cdef-ghjk-101u",
		"01ab_cdef_ghjk_1010",
		"01ab-cdef-ghjk-101é", "01ab-cdef-ghjk-10\x00",
		"01ab-cdef-ghjk-10\xff", strings.Repeat("-", 200) + code, strings.Repeat("a", 1<<20)} {
		if got, ok := totp.NormalizeRecovery(typed); ok || got != "" {
			t.Errorf("NormalizeRecovery(%q) = %q, %v", typed, got, ok)
		}
		if totp.HashRecovery(typed) == sha256.Sum256([]byte(code)) {
			t.Errorf("HashRecovery(%q) is a code's", typed)
		}
	}
}

func TestOneCharacterMakesAnotherCode(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		code := totp.Source{}.RecoveryCodes()[0]
		at, other := rapid.IntRange(0, len(code)-1).Draw(r, "at"), rapid.StringMatching(`[0-9a-hjkmnp-tv-z]`).Draw(r, "other")
		changed := code[:at] + other + code[at+1:]
		if (totp.HashRecovery(changed) == totp.HashRecovery(code)) != (changed == code) {
			r.Fatalf("%q and %q", code, changed)
		}
	})
}

func FuzzNormalizeRecovery(f *testing.F) {
	for _, text := range []string{"01ab-cdef-ghjk-1010", "OIAB CDEF GHJK LOIO", "", "\xff", "\u212a123456789abcdef"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		code, ok := totp.NormalizeRecovery(text)
		if ok != form.MatchString(code) || !ok && code != "" {
			t.Fatalf("NormalizeRecovery(%q) = %q, %v", text, code, ok)
		}
		if again, _ := totp.NormalizeRecovery(code); again != code {
			t.Fatalf("%q becomes %q", code, again)
		}
	})
}
