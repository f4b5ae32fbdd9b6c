package profile_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/profile"
)

func TestOf(t *testing.T) {
	was := profile.Profile{Name: "Ann", Avatar: "/ann.png", Custom: `{"k":1}`}
	text := func(text string) *string { return &text }
	members := func(text string) map[string]json.RawMessage {
		return map[string]json.RawMessage{"k": json.RawMessage(text)}
	}
	for _, test := range []struct {
		wish  profile.Wish
		want  profile.Profile
		wrong fault.Code
		field string
	}{
		{profile.Wish{}, was, "", ""},
		{profile.Wish{Name: text("")}, profile.Profile{Avatar: was.Avatar, Custom: was.Custom}, "", ""},
		{profile.Wish{Avatar: text("https://example.com/a?b")}, profile.Profile{Name: "Ann", Avatar: "https://example.com/a?b", Custom: was.Custom}, "", ""},
		{profile.Wish{Custom: members(`"<b>"`)}, profile.Profile{Name: "Ann", Avatar: was.Avatar, Custom: `{"k":"<b>"}`}, "", ""},
		{profile.Wish{Custom: map[string]json.RawMessage{}}, profile.Profile{Name: "Ann", Avatar: was.Avatar}, "", ""},
		{profile.Wish{Custom: members(`{`)}, was, fault.FieldInvalid, "custom"},
		{profile.Wish{Custom: members(`"` + strings.Repeat("x", profile.MaxCustom-7) + `"`)}, was, fault.FieldTooLong, "custom"},
		{profile.Wish{Name: text(strings.Repeat("x", profile.MaxName+1))}, was, fault.FieldTooLong, "name"},
		{profile.Wish{Name: text("a\u202eb")}, was, fault.FieldInvalid, "name"},
		{profile.Wish{Avatar: text(strings.Repeat("x", profile.MaxAvatar+1))}, was, fault.FieldTooLong, "avatar"},
		{profile.Wish{Avatar: text("JavaScript:alert(1)")}, was, fault.FieldInvalid, "avatar"},
		{profile.Wish{Avatar: text("data:text/html,x")}, was, fault.FieldInvalid, "avatar"},
		{profile.Wish{Avatar: text("%zz")}, was, fault.FieldInvalid, "avatar"},
	} {
		got, wrong := test.wish.Of(was)
		if test.wrong == "" {
			if got != test.want || len(wrong) != 0 {
				t.Errorf("%+v gives %+v, %+v", test.wish, got, wrong)
			}
			continue
		}
		if len(wrong) != 1 || wrong[0].Code != test.wrong || wrong[0].Name != test.field {
			t.Errorf("%+v is refused with %+v, want %s of %s", test.wish, wrong, test.wrong, test.field)
		}
	}
	if got := was.Members(); string(got) != was.Custom || (profile.Profile{}).Members() != nil {
		t.Errorf("members %s", got)
	}
}
