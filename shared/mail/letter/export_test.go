package letter

import (
	"slices"

	"github.com/tokenim/tokenim/shared/mail"
)

// ButtonMark begins a button in a source.
const ButtonMark = buttonMark

// Needs tells whether the kind's text mentions the value.
func Needs(kind mail.Kind, field string) bool { return slices.Contains(mail.Needs(kind), field) }

// OneLine is what every subject goes through.
func OneLine(text string) string { return oneLine(text) }
