package mailbox

import (
	_ "embed"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// The paths of the pages.
const (
	PagePath = "/_local/mail"
	JSONPath = "/_local/mail.json"
)

// Pages serves
//
//	GET    /_local/mail            the mails, newest first, to be read in a browser
//	GET    /_local/mail.json?to=…  {"mails": [Mail, …]}, oldest first; without "to" all of them
//	DELETE /_local/mail            forgets them
//
// No page of another origin can read the answers or send the DELETE: both would need CORS, which these paths do not speak.
func (b *Box) Pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+PagePath, b.servePage)
	mux.HandleFunc("GET "+JSONPath, func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, map[string][]Mail{"mails": b.Mails(r.URL.Query().Get("to"))})
	})
	mux.HandleFunc("DELETE "+PagePath, func(w http.ResponseWriter, _ *http.Request) {
		if err := b.Clear(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{"parts": parts}).Parse(pageText))

// policy keeps the page, and the mails in its frames, which inherit it, from running scripts and from fetching anything.
const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'"

func (b *Box) servePage(w http.ResponseWriter, _ *http.Request) {
	mails := b.Mails("")
	slices.Reverse(mails)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	_ = page.Execute(w, mails) // the client is gone if this fails
}

// part is a piece of a mail's text. URL is empty where it is no link.
type part struct{ Text, URL string }

var link = regexp.MustCompile(`https?://[^\s<>"]+`)

// parts tells the links of a text from the rest. A full stop or a bracket after a link is not part of it.
func parts(text string) []part {
	var all []part
	rest := 0
	for _, at := range link.FindAllStringIndex(text, -1) {
		url := strings.TrimRight(text[at[0]:at[1]], ".,;:!?)]}'。，")
		all = append(all, part{Text: text[rest:at[0]]}, part{Text: url, URL: url})
		rest = at[0] + len(url)
	}
	return append(all, part{Text: text[rest:]})
}
