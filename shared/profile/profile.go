// Package profile has what users and groups show of themselves alike: a name, a picture and members of the app's own.
package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/name"
	"github.com/tokenim/tokenim/shared/plainjson"
)

// Bounds of a profile, in bytes of UTF-8; MaxCustom is that of the members' JSON.
const (
	MaxName   = 128
	MaxAvatar = 1024
	MaxCustom = 2048
)

// Profile is what is shown. The zero value shows nothing.
type Profile struct {
	// Name is for people to read; it need not be anybody's alone.
	Name string
	// Avatar is the address of a picture.
	Avatar string
	// Custom is a JSON object of the app's own, without blanks; "" for none.
	Custom string
}

// Members returns the JSON object of the app's own, nil for none.
func (p Profile) Members() json.RawMessage {
	if p.Custom == "" {
		return nil
	}
	return json.RawMessage(p.Custom)
}

// Wish is what a profile shall be, as a caller says it; nil leaves as it is.
type Wish struct {
	Name, Avatar *string
	Custom       map[string]json.RawMessage
}

// Of returns the profile after the wish, and every field that is wrong then.
func (w Wish) Of(profile Profile) (Profile, []fault.Field) {
	var wrong []fault.Field
	Set(&profile.Name, w.Name)
	Set(&profile.Avatar, w.Avatar)
	if w.Custom != nil {
		var text bytes.Buffer
		encoded, err := plainjson.Encode(w.Custom)
		if err != nil || json.Compact(&text, encoded) != nil {
			wrong = append(wrong, fault.Wrong("custom", fault.NotJSON))
		}
		if profile.Custom = text.String(); profile.Custom == "{}" {
			profile.Custom = ""
		}
	}
	wrong = append(wrong, Long("name", profile.Name, MaxName)...)
	wrong = append(wrong, Long("avatar", profile.Avatar, MaxAvatar)...)
	wrong = append(wrong, Long("custom", profile.Custom, MaxCustom)...)
	if profile.Name != "" && !name.Plain(profile.Name) {
		wrong = append(wrong, fault.Wrong("name", fault.NotPlain))
	}
	if !picture(profile.Avatar) {
		wrong = append(wrong, fault.Wrong("avatar", fault.NoWebAddress))
	}
	return profile, wrong
}

// Set gives the field the value of the wish, if there is one.
func Set[T any](field, wish *T) {
	if wish != nil {
		*field = *wish
	}
}

// Long returns the refusal of a text with more bytes than it may have; nothing for any other.
func Long(field, text string, most int) []fault.Field {
	if len(text) <= most {
		return nil
	}
	return []fault.Field{{Name: field, Code: fault.FieldTooLong, Args: []any{field, fmt.Sprintf("%d bytes", most)}}}
}

// picture tells whether the address can be one of a picture: on the web, or a path of the app's own. An address that runs a
// script would do so in the browser of everybody who sees it.
func picture(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && slices.Contains([]string{"", "http", "https"}, parsed.Scheme)
}
