// Package name says which names people may give to things, such as accounts and apps.
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
