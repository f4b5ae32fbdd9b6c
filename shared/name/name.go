// Package name says which names people may give to things, such as accounts, apps and roles.
package name

import (
	"strings"
	"unicode"
)

// Plain tells whether a name shows what it is: something other than blanks, and nothing that breaks a line or turns the
// direction of the text around it, so that no name can pass for another part of a page or a mail.
func Plain(name string) bool {
	unfit := func(r rune) bool {
		return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point)
	}
	return strings.TrimSpace(name) != "" && !strings.ContainsFunc(name, unfit)
}

// Handle tells whether a plain name can stand for what it names in a path, and looks like no other: without what parts a path or
// escapes in it, no dot segment (RFC 3986 3.3), and with no blanks around it. However a client escapes the others, API Gateway
// decodes paths before functions get them, and cuts them at a "?" that was escaped: a name with one would be taken for another.
func Handle(name string) bool {
	return Plain(name) && strings.TrimSpace(name) == name && !strings.ContainsAny(name, "/\\?#%") && name != "." && name != ".."
}
