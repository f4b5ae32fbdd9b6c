package api

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/tokenim/tokenim/shared/fault"
)

// checkQuery refuses what a query cannot say clearly, as strictjson does for bodies: a parameter that stands twice, escapes
// that are none, and text that cannot be kept. What it refuses would be dropped or mended without a word behind it.
//
// The faults: FieldDuplicate, FieldInvalid, TextInvalid.
func checkQuery(query string) error {
	seen, at := map[string]bool{}, 0
	for pair := range strings.SplitSeq(query, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := unescaped(rawName)
		if err != nil {
			return fault.Invalid(fault.Wrong(rawName, notEscaped))
		}
		value, err := unescaped(rawValue)
		if err != nil {
			return fault.Invalid(fault.Wrong(name, notEscaped))
		}
		if !keepable(name) || !keepable(value) {
			return fault.New(fault.TextInvalid, at)
		}
		if seen[name] {
			return fault.Invalid(fault.Field{Name: name, Code: fault.FieldDuplicate, Args: []any{name}})
		}
		seen[name] = pair != ""
		at += len(pair) + len("&")
	}
	return nil
}

// unescaped reads a name or a value of a query. A semicolon once stood between parameters, so its meaning is unclear.
func unescaped(text string) (string, error) {
	if strings.Contains(text, ";") {
		return "", url.EscapeError(";")
	}
	return url.QueryUnescape(text)
}

// keepable tells whether a text of a query is one that a body may hold.
func keepable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// notEscaped says that a part of a query is not escaped as it has to be.
var notEscaped = fault.Text{EN: "It is not escaped as in URLs; a semicolon is %3B there.", ZH: "未按 URL 规则转义；分号须写作 %3B。"}
