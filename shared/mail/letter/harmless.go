package letter

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxName is how many characters of a name a mail shows: enough to recognise it, too few for an advertisement.
const maxName = 50

// maxAddress is how many bytes an e-mail address may have to be shown as it is.
const maxAddress = 100

// ellipsis stands for what was cut off, and for a name of which nothing is left.
const ellipsis = "…"

// Name returns a name that a stranger chose as a mail may show it: in quotes, on one line, cut to 50 characters, and
// without anything that a mail program would turn into a link. Programs make links of "evil.example" in any text,
// HTML or not, and nothing in a mail stops them, so the characters that make a link go: a full stop becomes a middle dot,
// which separates nothing in a domain name, and a colon, slash, backslash or at sign becomes a space. So do the
// characters that merely normalise to one of them. (Zero-width characters inside the name would be the less visible
// way, but some programs drop them before they look for links.) Quotation marks become apostrophes, so that a name
// cannot end its own quotation.
func Name(name string) string { return "“" + plain(name) + "”" }

// plain is Name without the quotes.
func plain(name string) string {
	words := strings.Fields(strings.Map(harmless, strings.ToValidUTF8(name, " ")))
	return cut(strings.Join(words, " "), maxName)
}

// cut returns the first characters of the text, with an ellipsis where some are missing or none are there.
func cut(text string, most int) string {
	characters := []rune(text)
	if len(characters) > most {
		return strings.TrimSpace(string(characters[:most])) + ellipsis
	}
	if len(characters) == 0 {
		return ellipsis
	}
	return text
}

// harmless returns what stands for the character in a name.
func harmless(character rune) rune {
	normal := norm.NFKC.String(string(character))
	switch {
	case character == '…':
		return character // it normalises to full stops, but stands for no separator of a domain
	case strings.ContainsAny(normal, ":/\\@"):
		return ' '
	case strings.ContainsAny(normal, ".。"): // IDNA reads the ideographic full stop as a dot
		return '·'
	case strings.ContainsRune("\"“”„‟«»「」『』〝〞〟", character), normal == "\"":
		return '\''
	case unicode.Is(unicode.Cf, character):
		return -1 // zero-width characters, and those that turn the direction of what follows
	case !unicode.IsGraphic(character) || unicode.IsSpace(character):
		return ' '
	}
	return character
}

// oneLine replaces control characters, line ends above all: in a subject they would begin another header.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(character rune) bool {
		return character != ' ' && (unicode.IsControl(character) || unicode.IsSpace(character))
	}), " ")
}

// ordinaryAddress matches e-mail addresses that a mail program takes for one address and not for a web page: a local
// part may be "evil.example/offer" else. The asterisk is Mask's.
var ordinaryAddress = regexp.MustCompile(
	`^[A-Za-z0-9_+*-]+(\.[A-Za-z0-9_+*-]+)*@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,}$`)

// address returns an e-mail address as a mail may show it: as it is where it is an ordinary one, else like a name.
func address(text string) string {
	web := strings.HasPrefix(strings.ToLower(text), "www.")
	if len(text) <= maxAddress && !web && ordinaryAddress.MatchString(text) {
		return text
	}
	return plain(text)
}

// Mask returns the e-mail address with its local part hidden but for the first character, such as a***@example.com:
// enough for its owner to recognise it, too little for anybody else to write to it.
func Mask(email string) string {
	at := strings.LastIndexByte(email, '@')
	if at < 0 {
		return "***"
	}
	first := ""
	for _, character := range email[:at] {
		first = string(character)
		break
	}
	return first + "***" + email[at:]
}

// source returns a network address as a mail may show it. An address's zone is free text.
func source(text string) string {
	if ip, err := netip.ParseAddr(text); err == nil {
		return ip.WithZone("").String()
	}
	return plain(text)
}

// link returns the address if it is one that a mail may link to, else nothing.
func link(text string) string {
	parsed, err := url.Parse(text) // refuses control characters
	if err != nil || parsed.Host == "" || strings.ContainsAny(text, " <>\"") {
		return ""
	}
	if parsed.Scheme != "https" && parsed.Scheme != "http" {
		return ""
	}
	return text
}
