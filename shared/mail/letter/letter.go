// Package letter writes the mails of package mail: a text for every kind in every language, as plain text and as HTML.
package letter

import (
	"embed"
	"errors"
	"fmt"
	"html"
	"maps"
	netmail "net/mail"
	"regexp"
	"strings"
	"sync"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/mail"
)

// sources has one file per kind and language. Its first line is the subject; paragraphs follow, each a line, with empty
// lines between them. A paragraph that begins with "-> " is the button that leads to the link. Plain text and HTML are
// both made from it, so that they cannot differ.
//
//go:embed templates
var sources embed.FS

// letter is the text of one kind in one language, with the values' places marked as {{.Name}}.
type letter struct{ subject, text, html string }

// letterKey names a letter.
type letterKey struct {
	kind     mail.Kind
	language fault.Language
}

// letters are parsed when the first mail is written, since not every function that can write one does.
var letters = sync.OnceValues(func() (map[letterKey]letter, error) {
	all := map[letterKey]letter{}
	for _, kind := range mail.Kinds() {
		for _, language := range []fault.Language{fault.English, fault.Chinese} {
			parsed, err := parse(kind, language)
			if err != nil {
				return nil, fmt.Errorf("mail %s in %s: %w", kind, language, err)
			}
			all[letterKey{kind, language}] = parsed
		}
	}
	return all, nil
})

func letterOf(kind mail.Kind, language fault.Language) (letter, error) {
	all, err := letters()
	if err != nil {
		return letter{}, err
	}
	found, ok := all[letterKey{kind, language}]
	if !ok {
		return letter{}, fmt.Errorf("mail: there is no kind %q", kind)
	}
	return found, nil
}

// Paragraphs in a source, and what is around them. The words in capitals are put in before the template is parsed.
const (
	buttonMark = "-> "

	textFooter = "\n\n--\nFOOTER\n"

	htmlParagraph = `<p style="margin:0 0 16px">WORDS</p>` + "\n"
	htmlButton    = `<p style="margin:0 0 16px"><a href="{{.Link}}" style="display:inline-block;padding:10px 20px;` +
		`background:#1456c4;color:#ffffff;border-radius:6px;text-decoration:none">LABEL</a></p>` + "\n" +
		`<p style="margin:0 0 16px;font-size:13px;color:#55595f;word-break:break-all">COPY<br>{{.Link}}</p>` + "\n"
)

var (
	textButton = fault.Text{EN: "LABEL:\n{{.Link}}", ZH: "LABEL：\n{{.Link}}"}
	copyText   = fault.Text{
		EN: "Or copy this address into your browser:",
		ZH: "或将以下地址复制到浏览器中打开："}
	footerText = fault.Text{
		EN: "TokenIM sent this mail by itself; replies are not read. TokenIM never asks for a password by mail.",
		ZH: "此邮件由 TokenIM 自动发送，请勿回复。TokenIM 绝不会通过邮件索要密码。"}
	// languageTag is what the HTML's lang attribute says.
	languageTag = fault.Text{EN: "en", ZH: "zh-CN"}
)

// parse reads the source of a letter.
func parse(kind mail.Kind, language fault.Language) (letter, error) {
	source, err := sources.ReadFile("templates/" + string(language) + "/" + string(kind) + ".txt")
	if err != nil {
		return letter{}, err
	}
	layout, err := sources.ReadFile("templates/layout.html")
	if err != nil {
		return letter{}, err
	}
	paragraphs := strings.Split(strings.TrimSpace(string(source)), "\n\n")
	return letter{subject: paragraphs[0], text: textSource(paragraphs[1:], language),
		html: htmlSource(string(layout), paragraphs[1:], language)}, nil
}

// place is where a value stands.
var place = regexp.MustCompile(`\{\{\.([A-Za-z]+)\}\}`)

// fill puts the values into their places, each through escape. A value that is missing is an error. The standard library's
// templates would do the same and keep, by reflection, every method of the SDK in the function: a megabyte. In the HTML,
// places stand in text and in quoted attributes only, where this escaping is enough; a test looks.
func fill(source string, values map[string]string, escape func(string) string) (string, error) {
	var missing error
	filled := place.ReplaceAllStringFunc(source, func(found string) string {
		name := place.FindStringSubmatch(found)[1]
		value, ok := values[name]
		if !ok {
			missing = errors.New("no value for " + name)
		}
		return escape(value)
	})
	return filled, missing
}

func plainText(text string) string { return text }

// textSource makes the template of the plain text.
func textSource(paragraphs []string, language fault.Language) string {
	parts := make([]string, len(paragraphs))
	for i, paragraph := range paragraphs {
		parts[i] = paragraph
		if label, ok := strings.CutPrefix(paragraph, buttonMark); ok {
			parts[i] = strings.ReplaceAll(textButton.In(language), "LABEL", label)
		}
	}
	return strings.Join(parts, "\n\n") + strings.ReplaceAll(textFooter, "FOOTER", footerText.In(language))
}

// htmlSource makes the template of the HTML. The sources are words, not HTML.
func htmlSource(layout string, paragraphs []string, language fault.Language) string {
	var body strings.Builder
	for _, paragraph := range paragraphs {
		words := html.EscapeString(paragraph)
		if label, ok := strings.CutPrefix(paragraph, buttonMark); ok {
			body.WriteString(strings.NewReplacer("LABEL", html.EscapeString(label),
				"COPY", copyText.In(language)).Replace(htmlButton))
			continue
		}
		body.WriteString(strings.ReplaceAll(htmlParagraph, "WORDS", words))
	}
	return strings.NewReplacer("LANGUAGE", languageTag.In(language), "BODY\n", body.String(),
		"FOOTER", footerText.In(language)).Replace(layout)
}

// write fills the letter with the values.
func (l letter) write(message *mail.Message, values map[string]string) error {
	subject, err := fill(l.subject, values, plainText)
	if err != nil {
		return fmt.Errorf("write the subject: %w", err)
	}
	if message.Text, err = fill(l.text, values, plainText); err != nil {
		return fmt.Errorf("write the text: %w", err)
	}
	message.Subject = oneLine(subject)
	titled := maps.Clone(values)
	titled["Subject"] = message.Subject
	if message.HTML, err = fill(l.html, titled, html.EscapeString); err != nil {
		return fmt.Errorf("write the HTML: %w", err)
	}
	return nil
}

// Render returns the mail of the kind to the address, in English for a language that the catalogue does not speak. An
// error is a defect of the caller: a kind that does not exist, a value that the kind needs and content lacks, or an
// address that is none. It holds none of the values.
func Render(kind mail.Kind, language fault.Language, to string, content mail.Content) (mail.Message, error) {
	if language != fault.Chinese {
		language = fault.English
	}
	if parsed, err := netmail.ParseAddress(to); err != nil || parsed.Address != to {
		return mail.Message{}, errors.New("mail: the recipient is no e-mail address")
	}
	letter, err := letterOf(kind, language)
	if err != nil {
		return mail.Message{}, err
	}
	values, err := valuesOf(kind, language, content)
	if err != nil {
		return mail.Message{}, err
	}
	message := mail.Message{To: to, Kind: kind, Language: language}
	if err := letter.write(&message, values); err != nil {
		return mail.Message{}, fmt.Errorf("mail %s in %s: %w", kind, language, err)
	}
	return message, nil
}
