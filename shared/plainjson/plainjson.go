// Package plainjson writes JSON as it goes out to others: without the escapes that encoding/json adds for HTML, which make six
// bytes of one and are of no use outside of a page.
package plainjson

import (
	"bytes"
	"encoding/json"
	"io"
)

// Write writes the value's JSON and a line break.
func Write(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// Encode returns the value's JSON in one line, without the break.
func Encode(value any) ([]byte, error) {
	var text bytes.Buffer
	err := Write(&text, value)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

// Must returns the JSON of a value whose type always encodes; one that does not is a defect, and panics.
func Must(value any) []byte {
	text, err := Encode(value)
	if err != nil {
		panic("plainjson: " + err.Error())
	}
	return text
}
