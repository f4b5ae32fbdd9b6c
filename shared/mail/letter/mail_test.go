package letter_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/mail"
	"github.com/tokenim/tokenim/shared/mail/letter"
)

var update = flag.Bool("update", false, "write the golden files")

const recipient = "ann@mail.example"

var languages = []fault.Language{fault.English, fault.Chinese}

// full has every value that a text may mention.
func full() mail.Content {
	return mail.Content{
		Link: "https://im.example/link#action=reset&token=S3cr3tT0ken_-", Source: "203.0.113.7", Account: "Acme",
		App: "Shop chat", Key: "key_4f2bYc", Name: "backend", Role: "admin", Email: "bob@acme.example",
		When:  time.Date(2026, 11, 3, 15, 5, 59, 0, time.FixedZone("", 3600)),
		Until: time.Date(2026, 11, 4, 9, 30, 0, 0, time.UTC),
	}
}

// shown is how the values of full look in each language.
func shown(kind mail.Kind, language fault.Language) map[string]string {
	values := map[string]string{
		"Link": "https://im.example/link#action=reset&token=S3cr3tT0ken_-", "Source": "203.0.113.7", "Account": "“Acme”",
		"App": "“Shop chat”", "Key": "“backend” (key_4f2bYc)", "Role": "admin", "Email": "bob@acme.example",
		"When": "3 November 2026, 14:05 UTC", "Until": "4 November 2026, 09:30 UTC",
	}
	if language == fault.Chinese {
		values["When"], values["Until"] = "2026年11月3日 14:05 UTC", "2026年11月4日 09:30 UTC"
		values["Role"] = "管理员（admin）"
	}
	if kind == mail.EmailChanged {
		values["Email"] = "b***@acme.example"
	}
	return values
}

func render(t *testing.T, kind mail.Kind, language fault.Language, content mail.Content) mail.Message {
	t.Helper()
	message, err := letter.Render(kind, language, recipient, content)
	if err != nil {
		t.Fatalf("Render(%s, %s): %v", kind, language, err)
	}
	return message
}

// everyLetter runs the test for each kind in each language.
func everyLetter(t *testing.T, test func(t *testing.T, kind mail.Kind, language fault.Language)) {
	for _, kind := range mail.Kinds() {
		for _, language := range languages {
			t.Run(string(kind)+"/"+string(language), func(t *testing.T) { test(t, kind, language) })
		}
	}
}

func TestEachMailMentionsExactlyWhatItsKindNeeds(t *testing.T) {
	everyLetter(t, func(t *testing.T, kind mail.Kind, language fault.Language) {
		message := render(t, kind, language, full())
		html := strings.ReplaceAll(message.HTML, "&amp;", "&")
		for field, value := range shown(kind, language) {
			want := letter.Needs(kind, field)
			if strings.Contains(message.Text, value) != want || strings.Contains(html, value) != want {
				t.Errorf("%s: needed is %t, and it is in the text or the HTML otherwise:\n%s", field, want, message.Text)
			}
		}
		for _, leftover := range []string{"{{", "}}", "<no value>", "LABEL", "WORDS", "COPY", "FOOTER", "BODY", "LANGUAGE",
			letter.ButtonMark} {
			if strings.Contains(message.Subject+message.Text+message.HTML, leftover) {
				t.Errorf("%q is left in the mail", leftover)
			}
		}
	})
}

func TestAMissingValueIsAnError(t *testing.T) {
	everyLetter(t, func(t *testing.T, kind mail.Kind, language fault.Language) {
		for field := range shown(kind, language) {
			content := full()
			reflect.ValueOf(&content).Elem().FieldByName(field).SetZero()
			_, err := letter.Render(kind, language, recipient, content)
			if (err != nil) != letter.Needs(kind, field) {
				t.Errorf("without %s: %v", field, err)
			}
		}
	})
}

func TestOnlyAKeysNameMayBeMissing(t *testing.T) {
	content := full()
	content.Name = ""
	if text := render(t, mail.KeyExpiring, fault.English, content).Text; !strings.Contains(text, "API key key_4f2bYc of") {
		t.Errorf("a key without a name reads:\n%s", text)
	}
}

func TestEveryFileBelongsToAKind(t *testing.T) {
	for _, language := range languages {
		files, err := os.ReadDir("templates/" + string(language))
		if err != nil || len(files) != len(mail.Kinds()) {
			t.Errorf("%s has %d texts, %v; there are %d kinds", language, len(files), err, len(mail.Kinds()))
		}
	}
}

func TestEachMailIsInItsLanguage(t *testing.T) {
	everyLetter(t, func(t *testing.T, kind mail.Kind, language fault.Language) {
		message := render(t, kind, language, full())
		tag, chinese := `<html lang="en">`, language == fault.Chinese
		if chinese {
			tag = `<html lang="zh-CN">`
		}
		if !strings.Contains(message.HTML, tag) {
			t.Errorf("the HTML is not marked %s", tag)
		}
		for part, text := range map[string]string{"subject": message.Subject, "text": message.Text} {
			if strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) != chinese {
				t.Errorf("the %s is in another language: %s", part, text)
			}
		}
	})
	if message := render(t, mail.AppErased, "fr", full()); message.Language != fault.English {
		t.Errorf("an unknown language reads %q, want English", message.Language)
	}
}

// TestTheHTMLIsWholeAndAlone holds the HTML to closed elements and to no address but the link's.
func TestTheHTMLIsWholeAndAlone(t *testing.T) {
	everyLetter(t, func(t *testing.T, kind mail.Kind, language fault.Language) {
		message := render(t, kind, language, full())
		decoder := xml.NewDecoder(strings.NewReader(message.HTML))
		decoder.Strict, decoder.AutoClose, decoder.Entity = false, []string{"meta", "br"}, xml.HTMLEntity
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("the HTML is broken: %v\n%s", err, message.HTML)
			}
			if element, ok := token.(xml.StartElement); ok {
				checkElement(t, element)
			}
		}
		links := 0
		if letter.Needs(kind, "Link") {
			links = 2 // the button, and the same address to read
		}
		if got := strings.Count(message.HTML, "://"); got != links {
			t.Errorf("the HTML has %d addresses, want %d", got, links)
		}
	})
}

func checkElement(t *testing.T, element xml.StartElement) {
	t.Helper()
	if !slices.Contains([]string{"html", "head", "meta", "title", "body", "div", "p", "a", "br"}, element.Name.Local) {
		t.Errorf("the HTML has an element %s", element.Name.Local)
	}
	for _, attribute := range element.Attr {
		name := attribute.Name.Local
		if name == "src" || strings.HasPrefix(name, "on") || strings.Contains(attribute.Value, "url(") {
			t.Errorf("the HTML has an attribute %s", attribute.Name.Local)
		}
	}
}

func TestSubjects(t *testing.T) {
	seen := map[string]mail.Kind{}
	everyLetter(t, func(t *testing.T, kind mail.Kind, language fault.Language) {
		subject := render(t, kind, language, full()).Subject
		if other, twice := seen[subject]; twice || subject == "" || len([]rune(subject)) > 78 { // RFC 5322, 2.1.1
			t.Errorf("subject %q (also of %q) should be short and its own", subject, other)
		}
		seen[subject] = kind
	})
}

func TestGoldenMails(t *testing.T) {
	for _, kind := range []mail.Kind{mail.ConfirmSignUp, mail.Invitation, mail.EmailChanged, mail.KeyUsedAfterRotation} {
		for _, language := range languages {
			message := render(t, kind, language, full())
			name := fmt.Sprintf("testdata/%s.%s", kind, language)
			golden(t, name+".txt", "Subject: "+message.Subject+"\n\n"+message.Text)
			golden(t, name+".html", message.HTML)
		}
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it):\n%s", path, got)
	}
}

func TestRenderRefuses(t *testing.T) {
	if _, err := letter.Render("birthday", fault.English, recipient, full()); err == nil {
		t.Error("a kind that does not exist was rendered")
	}
	for _, to := range []string{"", "ann", "Ann <ann@mail.example>", "ann@mail.example,eve@mail.example",
		"ann@mail.example\r\nBcc: eve@mail.example"} {
		_, err := letter.Render(mail.AppErased, fault.English, to, full())
		if err == nil || to != "" && strings.Contains(err.Error(), to) {
			t.Errorf("to %q: %v; want an error that does not repeat it", to, err)
		}
	}
	for _, link := range []string{"javascript:alert(1)", "/link#token=x", "https:///link", "ftp://im.example/",
		"https://im.example/\r\n", "https://im.example/a b"} {
		content := full()
		content.Link = link
		_, err := letter.Render(mail.ResetPassword, fault.English, recipient, content)
		if err == nil || strings.Contains(err.Error(), link) {
			t.Errorf("link %q: %v; want an error that does not repeat it", link, err)
		}
	}
}

func TestLogsHoldNeitherAddressNorContent(t *testing.T) {
	message := render(t, mail.ResetPassword, fault.English, full())
	var log strings.Builder
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("sent", "message", message, "content", full())
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&log, verb+verb, message, full())
	}
	for _, secret := range []string{"ann", "bob", "S3cr3t", "203.0"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log: %s", secret, log.String())
		}
	}
}
