package name_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/name"
)

func TestPlain(t *testing.T) {
	for text, want := range map[string]bool{"Chat": true, "聊天": true, "محادثة": true, "Ann's ❤️ app 👩‍👩‍👧": true, "a <b>": true,
		"": false, "  ": false, "\u3000": false, "a\nb": false, "a\tb": false, "a\u0085b": false, "a\u202eb": false, "a\u2066b": false,
		"a\u200fb": false, "a\u061cb": false, "a\u2028b": false, "a\u2029b": false, "a\x7fb": false, "a\uffffb": false} {
		if name.Plain(text) != want {
			t.Errorf("Plain(%q) = %v", text, !want)
		}
	}
}

func TestHandle(t *testing.T) {
	for text, want := range map[string]bool{"support": true, "Support 2": true, "客服": true, "v1.2": true, "...": true, ".a": true, "a&b=c+d": true, "a?b": false, "b#c": false, "c%25": false, "a\\b": false,
		"": false, " ": false, " support": false, "support ": false, "support\u3000": false, "\u00a0support": false, "a/b": false, "/": false,
		".": false, "..": false, "a\nb": false} {
		if name.Handle(text) != want {
			t.Errorf("Handle(%q) = %v", text, !want)
		}
	}
}
