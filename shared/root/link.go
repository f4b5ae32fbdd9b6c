package root

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strings"
)

// The parts of the page that the links in mails lead to. It is one file for the browser, and loads nothing.
var (
	//go:embed link/link.html
	linkHTML string
	//go:embed link/link.js
	linkScript string
	//go:embed link/link.css
	linkStyle string
)

// linkPage is the whole page. The link's token stands in the fragment, which browsers never send, so that neither a server
// nor a log sees it; the page posts it when its reader presses the button.
var linkPage = strings.NewReplacer("STYLE", linkStyle, "SCRIPT", linkScript).Replace(linkHTML)

// linkPolicy lets the page run its one script, use its one style and talk to this API, and nothing else: the page handles
// tokens and passwords.
var linkPolicy = strings.Join([]string{
	"default-src 'none'",
	"script-src '" + hashOf(linkScript) + "'",
	"style-src '" + hashOf(linkStyle) + "'",
	"connect-src 'self'",
	"form-action 'none'",
	"frame-ancestors 'none'",
	"base-uri 'none'",
	"require-trusted-types-for 'script'",
}, "; ")

// hashOf names an inline script or style in a Content-Security-Policy (CSP Level 3, 2.3.1).
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// link answers with the page.
func link(w http.ResponseWriter, _ *http.Request) {
	for name, value := range map[string]string{
		"Content-Type":            "text/html; charset=utf-8",
		"Content-Security-Policy": linkPolicy,
		"Referrer-Policy":         "no-referrer",
		"X-Frame-Options":         "DENY",
		"X-Content-Type-Options":  "nosniff",
		"Cache-Control":           "no-store",
	} {
		w.Header().Set(name, value)
	}
	_, _ = w.Write([]byte(linkPage)) // whoever hung up needs no answer
}
