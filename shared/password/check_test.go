package password_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/password"
)

// wantCheck checks that a password is refused with the code; "" means that it is good enough.
func wantCheck(t *testing.T, text string, secondFactor bool, want fault.Code, own ...string) {
	t.Helper()
	err := password.Check(text, secondFactor, own...)
	if want == "" && err != nil || want != "" && !fault.Is(err, want) {
		t.Errorf("Check(%q, %v, %q) = %v; want %q", text, secondFactor, own, err, want)
	}
	if err != nil && len(text) > len("passwords") && strings.Contains(err.Error(), text) { // the refusal itself says "passwords"
		t.Errorf("the refusal of %q shows it: %v", text, err)
	}
}

func TestLength(t *testing.T) {
	wantCheck(t, "", false, fault.PasswordTooShort)
	wantCheck(t, "", true, fault.PasswordTooShort)
	wantCheck(t, "vjqkzwplmtrxbn", false, fault.PasswordTooShort)
	wantCheck(t, "vjqkzwplmtrxbnd", false, "")
	wantCheck(t, "vjqkzwp", true, fault.PasswordTooShort)
	wantCheck(t, "vjqkzwpl", true, "")
	wantCheck(t, "天地玄黄宇宙洪荒日月盈昃辰宿", false, fault.PasswordTooShort) // 14 characters, 42 bytes
	wantCheck(t, "天地玄黄宇宙洪荒日月盈昃辰宿列", false, "")
	wantCheck(t, strings.Repeat("e\u0301x", 7), false, fault.PasswordTooShort) // 14 characters, however typed
	wantCheck(t, strings.Repeat("vjq kzw ", 32), false, "")
	wantCheck(t, strings.Repeat("vjq kzw ", 32)+"v", false, fault.PasswordTooLong)
	refusal := fault.Of(password.Check("x", false))
	if detail := refusal.Detail(fault.English); !strings.Contains(detail, "15 characters") {
		t.Errorf("detail %q", detail)
	}
	if detail := fault.Of(password.Check("x", true)).Detail(fault.English); !strings.Contains(detail, "8 characters") {
		t.Errorf("detail %q", detail)
	}
}

// No kinds of characters are asked for.
func TestNoRulesOfComposition(t *testing.T) {
	for _, text := range []string{"correct horse battery staple", "739162840517396", "VJQKZWPLMTRXBND",
		"!?#%&*()[]{}<>+", "иволга поёт в саду"} {
		wantCheck(t, text, false, "")
	}
}

func TestCommonPasswords(t *testing.T) {
	for _, text := range []string{"password", "PassWord", "ｐａｓｓｗｏｒｄ", "12345678", "baseball", "1234512345",
		"dragondr", "qwertyqwertyqwerty",
		"pass1111", "1111dragon", "!!monkey!", "monkeyyy", "        ", "zzzzzzzz", "\u00a0\u3000\u2003      "} {
		wantCheck(t, text, true, fault.PasswordCommon)
	}
	for _, text := range []string{"passwordpassword", "PasswordPASSWORD", "passwordpasswor", "letmeinletmeinletmein",
		"aaaaaaaaaaaaaaa",
		"123123123123123", "password11111111",
		"aaaaaaaaaaaaaaaaaaaapassword", strings.Repeat("z", 256), strings.Repeat("x", 120) + "dragon" + strings.Repeat("y", 120)} {
		wantCheck(t, text, false, fault.PasswordCommon)
	}
}

// What merely holds a common password is another one.
func TestNoMoreThanTheCommonIsRefused(t *testing.T) {
	for _, text := range []string{"dragons in the sky", "password to nowhere", "my baseball glove",
		"monkey and tigger", "aaaaaaaaaaaaaabc"} {
		wantCheck(t, text, false, "")
	}
	for _, text := range []string{"dragon7x", "xypassword", "passwordxy"} {
		wantCheck(t, text, true, "")
	}
}

func TestTheListHasThreeThousand(t *testing.T) {
	if len(password.Common()) != 3000 {
		t.Fatalf("%d common passwords", len(password.Common()))
	}
	for entry := range password.Common() {
		for _, text := range []string{entry, strings.ToUpper(entry), strings.Repeat(entry, 4)} {
			if len(text) >= password.MinLengthSecondFactor {
				wantCheck(t, text, true, fault.PasswordCommon)
			}
		}
	}
}

var own = []string{"Ann.Lee1984@Example-Mail.com", "Ann-Katrin Müller", "Kestrel Ltd", "周 杰伦 音乐工作室"}

func TestOwnWords(t *testing.T) {
	for _, text := range []string{
		"ann.lee1984@example-mail.com", "annlee1984annlee1984", "AnnLee1984!!annlee", "examplemail12345", "example.mail.com",
		"katrinkatrinkatrin", "KATRIN mu\u0308ller 1", "MÜLLER-katrin-77", "katrinmüllerpassword", "kestrelkestrelke",
		"ａｎｎ-ｋａｔｒｉｎ müller",
		"kestrel--------------", "tokenimtokenimtokenim", "TokenIM-2026-TokenIM", "杰伦音乐工作室音乐工作室音乐工作室",
	} {
		wantCheck(t, text, false, fault.PasswordOwnWords, own...)
	}
	wantCheck(t, "A.B@C.dea.b@c.de", false, fault.PasswordOwnWords, "a.b@c.de")
	for _, text := range []string{"kestrel1", "katrin77", "1kestrel2", "annlee1984", "tokenim1"} {
		wantCheck(t, text, true, fault.PasswordOwnWords, own...)
	}
}

// With eight characters of its own, a password may hold an own word; short words and parts of words are none.
func TestNoMoreThanOwnWordsIsRefused(t *testing.T) {
	for _, text := range []string{
		"kestrels fly over the bay", "katrin vjqkzwpl", "vjqkzwplmtrxbnd", "ann and lee and com", "annannannlee ltd",
		"kest rel kest rel", "exam in a mailbox",
	} {
		wantCheck(t, text, false, "", own...)
	}
	for _, text := range []string{"annle1984x", "ltdltdcom", "vjqkzwpl"} {
		wantCheck(t, text, true, "", own...)
	}
	wantCheck(t, "ｶﾞｷﾞｸﾞｹﾞｺﾞｻﾞｼﾞ", true, "", own...) // 14 characters; folded, they are 7
	for _, nothing := range [][]string{nil, {""}, {"", "  ", "@", "a@b.c"}, {"\xff\xff\xff\xff\xff"}} {
		wantCheck(t, "kestrel kestrel", false, "", nothing...)
	}
}

// Own words forbid nothing to those who do not use them, whatever they are.
func TestAPasswordWithoutOwnWordsPasses(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		words := rapid.SliceOf(rapid.StringMatching(`[a-m@. -]{0,20}`)).Draw(r, "own")
		text := rapid.StringMatching(`([n-z][0-9]?){15,40}`).Draw(r, "text")
		if with, without := password.Check(text, false, words...), password.Check(text, false); (with == nil) != (without == nil) {
			r.Fatalf("Check(%q, %q) = %v, else %v", text, words, with, without)
		}
	})
}

// An own word with fewer than eight characters around it is refused, in any case.
func TestAnOwnWordIsNoPassword(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		word := rapid.StringMatching(`[a-z]{8,30}`).Draw(r, "word")
		before, behind := rapid.StringMatching(`[A-Z0-9]{0,4}`).Draw(r, "before"), rapid.StringMatching(`[A-Z0-9]{0,3}`).Draw(r, "behind")
		if err := password.Check(before+strings.ToUpper(word)+behind, true, "x@"+word+".org"); err == nil {
			r.Fatalf("%q stands around %q", before+behind, word)
		}
	})
}

// Random passwords pass: the rules hit what people choose, not what machines do.
func TestRandomPasswordsPass(t *testing.T) {
	for range 1000 {
		text := rand.Text()
		wantCheck(t, text, false, "", own...)
		wantCheck(t, text[:12], true, "", own...)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("correct horse battery staple", "ann.lee@example.com", true)
	f.Add("\ufdfa\ufdfa\ufdfa\ufdfa\ufdfa\ufdfa\ufdfa\ufdfa", "\ufdfa", false)
	f.Add("", "", false)
	f.Add("passwordpasswordp", "\xff", false)
	f.Fuzz(func(t *testing.T, text, own string, secondFactor bool) {
		err := password.Check(text, secondFactor, own)
		if err != nil && fault.Of(err).Code == fault.Internal {
			t.Fatalf("Check(%q, %q): %v", text, own, err)
		}
		if err == nil && !secondFactor && password.Check(text, true, own) != nil {
			t.Fatalf("Check(%q, %q): a second factor asks for more", text, own)
		}
	})
}
