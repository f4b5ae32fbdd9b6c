package user_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/user"
)

func wantName(t *testing.T, text, shown, compared string) {
	t.Helper()
	got, err := user.ParseName(text)
	if want := (user.Name{Shown: shown, Compared: compared}); err != nil || got != want {
		t.Errorf("ParseName(%+q) = %+q, %v; want %+q", text, got, err, want)
	}
}

func wantRefused(t *testing.T, text string, want fault.Code) {
	t.Helper()
	got, err := user.ParseName(text)
	if !fault.Is(err, want) || got != (user.Name{}) {
		t.Errorf("ParseName(%+q) = %+q, %v; want %s", text, got, err, want)
		return
	}
	if fields := fault.Of(err).Fields; len(fields) != 1 || fields[0].Name != "username" {
		t.Errorf("ParseName(%+q) names the fields %+v", text, fields)
	}
}

func TestScripts(t *testing.T) {
	for _, test := range [][2]string{ // shown, compared
		{"ann", "ann"}, {"Ann", "ann"}, {"ANN-1_x.y+z", "ann-1_x.y+z"}, {"42", "42"},
		{"Müller", "müller"}, {"ÉCLAIR", "éclair"}, {"Αθήνα", "αθήνα"}, {"Жук", "жук"}, {"ԱՐԱ", "արա"},
		{"周杰倫", "周杰倫"}, {"さくら", "さくら"}, {"カタカナ", "カタカナ"}, {"김민준", "김민준"},
		{"สมชาย", "สมชาย"}, {"राम", "राम"}, {"தமிழ்", "தமிழ்"}, {"ქართული", "ქართული"}, {"አበበ", "አበበ"},
		{"שלום", "שלום"}, {"محمد", "محمد"}, {"محمد٤٢", "محمد٤٢"}, // right to left
		{"Straße", "straße"}, // ß is a letter of its own, not ss
		{"e\u0301clair", "éclair"},
	} {
		shown := strings.ReplaceAll(test[0], "e\u0301", "é") // composed (NFC)
		wantName(t, test[0], shown, test[1])
	}
}

// Zero-width joiners are part of the spelling in some scripts, and nothing but a disguise elsewhere.
func TestJoiners(t *testing.T) {
	for _, name := range []string{
		"\u0915\u094d\u200d\u0937",                   // Devanagari: ZWJ behind a virama
		"\u0915\u094d\u200c\u0937",                   // Devanagari: ZWNJ behind a virama
		"\u0dc1\u0dca\u200d\u0dbb\u0dd3",             // Sinhala "Sri" needs the ZWJ
		"\u0646\u0627\u0645\u0647\u200c\u0627\u06cc", // Persian: ZWNJ between joining letters
	} {
		wantName(t, name, name, name)
	}
	for _, name := range []string{"an\u200dn", "an\u200cn", "\u200dann", "ann\u200c", "周\u200d杰"} {
		wantRefused(t, name, fault.UsernameInvalid)
	}
}

// What would part a path, or be an escape in it, is in no name that a user gets, in whatever width it was typed.
func TestNewNamesStandInPaths(t *testing.T) {
	for _, name := range []string{"a/b", "a\\b", "a?b", "a#b", "100%", "vic%74im", ".", "..", "a／b", "ａ％ｂ"} {
		if _, err := user.NewName(name); !fault.Is(err, fault.UsernameInvalid) {
			wantCode(t, name, err, fault.UsernameInvalid)
		}
	}
	for _, name := range []string{"ann", "周杰", "a.b", "...", "a+b@c", "!$&'()*,;=:"} {
		if made, err := user.NewName(name); err != nil || made.Shown != name {
			t.Errorf("%q: %+v, %v", name, made, err)
		}
	}
}

func TestWidth(t *testing.T) {
	wantName(t, "Ａｎｎ", "Ann", "ann")
	wantName(t, "ｶﾀｶﾅ", "カタカナ", "カタカナ")
	wantName(t, "\u212a", "K", "k") // the sign for Kelvin is the letter
	wantRefused(t, "ｕ＿1", fault.UsernameReserved)
}

func TestReservedPrefixes(t *testing.T) {
	for _, prefix := range []string{"app_", "key_", "u_", "g_", "c_", "APP_", "Key_", "U_", "G_", "C_"} {
		wantRefused(t, prefix, fault.UsernameReserved)
		wantRefused(t, prefix+"x", fault.UsernameReserved)
		wantName(t, "x"+prefix, "x"+prefix, "x"+strings.ToLower(prefix))
		wantName(t, strings.TrimSuffix(prefix, "_"), strings.TrimSuffix(prefix, "_"), strings.ToLower(strings.TrimSuffix(prefix, "_")))
	}
}

func TestRefused(t *testing.T) {
	for _, name := range []string{
		"", " ", "ann smith", " ann", "ann ", "ann\t", "ann\n", "ann\u00a0smith", "ann\u3000smith", "ann\u2003smith",
		"ann\x00", "ann\x7f", "ann\u200b", "ann\u2060", "ann\ufeff", "\u202eann", "ann\u2066", // invisible
		"ann\xff", "\xc3", "\xed\xa0\x80", // no UTF-8
		"ann\U0001f600", "ann\u2603", "©ann", "ann™", "①", "ﬁnn", "ann²", "Ⅳ", // symbols and compatibility forms
		"ann\ue000", "ann\ufffe", "ann\U000e0041", // private, no characters, tags
		"שלוםann", "annשלום", "شab", "a٤", // mixed directions (RFC 5893)
		"\u0301ann", // begins with a mark
	} {
		wantRefused(t, name, fault.UsernameInvalid)
	}
}

func TestLength(t *testing.T) {
	for _, name := range []string{strings.Repeat("a", 64), strings.Repeat("周", 21), strings.Repeat("é", 32)} {
		wantName(t, name, name, name)
		wantRefused(t, name+"aa", fault.UsernameInvalid)
	}
	// 63 bytes as sent, more in the form that is kept: İ takes a byte more in lower case.
	wantRefused(t, strings.Repeat("İ", 31)+"a", fault.UsernameInvalid)
}

// drawName draws texts that are names more often than not.
func drawName(t *rapid.T) string {
	return rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9._-]{1,20}`),
		rapid.StringN(1, 8, 64),
		rapid.StringOfN(rapid.RuneFrom(nil, unicode.Lu, unicode.Lt, unicode.Ll), 1, 8, 64),
		rapid.StringOfN(rapid.RuneFrom(nil, unicode.Han, unicode.Hangul, unicode.Thai, unicode.Devanagari, unicode.Arabic), 1, 8, 64),
	).Draw(t, "name")
}

// What comes out goes in again and stays: a user who types its own shown name is found.
func TestNamesAreStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkStable(t, drawName(t)) })
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func checkStable(t failer, text string) {
	t.Helper()
	name, err := user.ParseName(text)
	if err != nil {
		if !fault.Is(err, fault.UsernameInvalid) && !fault.Is(err, fault.UsernameReserved) {
			t.Fatalf("ParseName(%+q): %v", text, err)
		}
		return
	}
	for _, form := range []string{name.Shown, name.Compared} {
		if form == "" || len(form) > user.MaxNameBytes || !utf8.ValidString(form) || strings.ContainsFunc(form, unicode.IsSpace) {
			t.Fatalf("ParseName(%+q) = %+q", text, name)
		}
		again, err := user.ParseName(form)
		if err != nil || again.Compared != name.Compared {
			t.Fatalf("ParseName(%+q) = %+q, but of %+q in it: %+q, %v", text, name, form, again, err)
		}
	}
	if again, _ := user.ParseName(name.Shown); again.Shown != name.Shown {
		t.Fatalf("the shown %+q of %+q reads %+q", name.Shown, text, again.Shown)
	}
}

func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"Ann", "Ａｎｎ", "\u0915\u094d\u200d\u0937", "Straße", "שלום", "İ", "u_1", "\xff", "ΣΑΣ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkStable(t, text) })
}

// Names that differ in case only are one name.
func TestCase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zäöüßéжσа-я周]{1,16}`).Draw(t, "name")
		lower, err := user.ParseName(text)
		if err != nil {
			t.Skip()
		}
		upper, err := user.ParseName(strings.Map(unicode.ToUpper, text))
		if err != nil || upper.Compared != lower.Compared {
			t.Fatalf("%q and %q are compared as %q and %q (%v)", text, upper.Shown, lower.Compared, upper.Compared, err)
		}
	})
}

func TestParsePrefix(t *testing.T) {
	for text, want := range map[string]string{"": "", "An": "an", "ＡN": "an", "Größ": "größ", "o\u0308": "ö", "u_": "u_", "a.": "a.", "Σ": "σ", "מש": "מש", "א1.": "א1.", "周": "周"} {
		if got, err := user.ParsePrefix(text); err != nil || got != want {
			t.Errorf("ParsePrefix(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{" ", "a b", "\x00", "😀", "\xff", strings.Repeat("x", 65)} {
		_, err := user.ParsePrefix(text)
		wantCode(t, "ParsePrefix "+text, err, fault.FieldInvalid)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(1, 20, 64).Draw(t, "name")
		name, err := user.ParseName(text)
		if err != nil {
			t.Skip("no name")
		}
		runes := []rune(name.Shown)
		at := rapid.IntRange(1, len(runes)).Draw(t, "at")
		if prefix, err := user.ParsePrefix(string(runes[:at])); err == nil && norm.NFC.IsNormalString(string(runes[:at])) && !strings.HasPrefix(name.Compared, prefix) {
			t.Fatalf("%q does not begin with %q, which %q does", name.Compared, prefix, name.Shown)
		}
	})
}
