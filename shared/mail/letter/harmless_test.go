package letter_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/mail"
	"github.com/tokenim/tokenim/shared/mail/letter"
)

func TestName(t *testing.T) {
	for name, want := range map[string]string{
		"Acme":                         "“Acme”",
		"Café 北京分公司":                   "“Café 北京分公司”",
		"Node.js team":                 "“Node·js team”",
		"evil.example":                 "“evil·example”",
		"https://evil.example/a?b=c#d": "“https evil·example a?b=c#d”",
		"evil。example":                 "“evil·example”",
		"evil．example":                 "“evil·example”",
		"evil｡example":                 "“evil·example”",
		"evil․example":                 "“evil·example”",
		"http：／／evil":                  "“http evil”",
		"a@evil.example":               "“a evil·example”",
		"mailto:a＠evil":                "“mailto a evil”",
		`\\evil\share`:                 "“evil share”",
		"a\r\nBcc: eve":                "“a Bcc eve”",
		"a\u2028b\u0085c\td":           "“a b c d”",
		"evil\u200b.\u2060example":     "“evil·example”",
		"\u202egpj.exe":                "“gpj·exe”",
		`Acme" and “more”`:             "“Acme' and 'more'”",
		"wait…":                        "“wait…”",
		"\xff\xfeA":                    "“A”",
		"://":                          "“…”",
		strings.Repeat("长", 50):        "“" + strings.Repeat("长", 50) + "”",
		strings.Repeat("ab ", 30):      "“" + strings.Repeat("ab ", 16) + "ab…”",
	} {
		if got := letter.Name(name); got != want {
			t.Errorf("Name(%q) = %q, want %q", name, got, want)
		}
	}
}

func FuzzName(f *testing.F) {
	for _, seed := range []string{"Acme", "https://evil.example", "a\r\nb", "\u202e\u200b", "\xff", "℀⒈㏂"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := letter.Name(name)
		inside := strings.TrimSuffix(strings.TrimPrefix(got, "“"), "”")
		if !utf8.ValidString(got) || utf8.RuneCountInString(inside) > 51 || strings.ContainsAny(inside, "“”\"") {
			t.Errorf("Name(%q) = %q", name, got)
		}
		if strings.ContainsAny(norm.NFKC.String(strings.ReplaceAll(inside, "…", "")), ".。:/\\@") {
			t.Errorf("Name(%q) = %q can be a link", name, got)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsGraphic(r) }) {
			t.Errorf("Name(%q) = %q has characters that nobody sees", name, got)
		}
	})
}

// hostile has an attack in every value that others choose.
func hostile() mail.Content {
	content := full()
	const attack = "<script>alert(1)</script>\r\nBcc: eve@evil.example\r\n\r\n<b>Win at https://evil.example/now</b> {{.Link}}"
	content.Source, content.Account, content.App, content.Key = attack, attack, attack, attack
	content.Name, content.Role, content.Email = attack, attack, attack
	return content
}

func TestHostileValuesStayWords(t *testing.T) {
	everyLetter(t, func(t *testing.T, kind mail.Kind, language fault.Language) {
		message, innocent := render(t, kind, language, hostile()), render(t, kind, language, full())
		if strings.ContainsFunc(message.Subject, unicode.IsControl) || len(message.Subject) > 300 {
			t.Errorf("the subject %q is no line", message.Subject)
		}
		for _, element := range []string{"<script", "<b>"} {
			if strings.Contains(message.HTML, element) {
				t.Errorf("%s is in the HTML:\n%s", element, message.HTML)
			}
		}
		for _, address := range []string{"evil.example", "https://evil", "eve@"} {
			if strings.Contains(message.Subject+message.Text+message.HTML, address) {
				t.Errorf("%s is in the mail:\n%s", address, message.Text)
			}
		}
		if strings.Count(message.Text, "\n") != strings.Count(innocent.Text, "\n") ||
			strings.Count(message.HTML, "<") != strings.Count(innocent.HTML, "<") {
			t.Errorf("a name added lines or elements:\n%s\n%s", message.Text, message.HTML)
		}
	})
}

func TestAnInvitersAddressIsShownAsItIsOnlyWhereItIsAnOrdinaryOne(t *testing.T) {
	for email, want := range map[string]string{
		"bob@acme.example":                        "bob@acme.example invites",
		"bob.o-neil+im@mail.acme.example":         "bob.o-neil+im@mail.acme.example invites",
		"evil.example/offer@acme.example":         "evil·example offer acme·example invites",
		"www.evil.example@acme.example":           "www·evil·example acme·example invites",
		"Click=here!@acme.example":                "Click=here! acme·example invites",
		strings.Repeat("a", 99) + "@acme.example": strings.Repeat("a", 50) + "… invites",
	} {
		content := full()
		content.Email = email
		if text := render(t, mail.Invitation, fault.English, content).Text; !strings.HasPrefix(text, want) {
			t.Errorf("%s: want %q in\n%s", email, want, text)
		}
	}
}

func TestMask(t *testing.T) {
	for email, want := range map[string]string{
		"ann@mail.example": "a***@mail.example", "a@b.example": "a***@b.example", "é@b.example": "é***@b.example",
		"a***@mail.example": "a***@mail.example", `"a@b"@c.example`: `"***@c.example`, "@c.example": "***@c.example",
		"none": "***",
	} {
		if got := letter.Mask(email); got != want {
			t.Errorf("Mask(%q) = %q, want %q", email, got, want)
		}
	}
}

func TestSourceIsANetworkAddress(t *testing.T) {
	for source, want := range map[string]string{
		"2001:db8::7": "from 2001:db8::7.", "::1": "from ::1.",
		"fe80::1%evil.example": "from fe80::1.", "host.example": "from host·example.",
	} {
		content := full()
		content.Source = source
		if text := render(t, mail.PasswordChanged, fault.English, content).Text; !strings.Contains(text, want) {
			t.Errorf("%s: want %q in\n%s", source, want, text)
		}
	}
}

// TestSubjectsStayOneLineWhateverIsInThem holds the second line of defence: no value with a line end gets that far.
func TestSubjectsStayOneLineWhateverIsInThem(t *testing.T) {
	for subject, want := range map[string]string{
		"a subject": "a subject", "a\r\nBcc: eve@evil.example": "a Bcc: eve@evil.example", "a\n\n\x00b\t": "a b", "a\u2028b\u0085c": "a b c",
	} {
		if got := letter.OneLine(subject); got != want {
			t.Errorf("OneLine(%q) = %q, want %q", subject, got, want)
		}
	}
}
