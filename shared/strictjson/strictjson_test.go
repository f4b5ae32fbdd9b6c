package strictjson_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/strictjson"
)

func TestObject(t *testing.T) {
	for _, c := range []struct {
		text string
		want fault.Code
	}{
		{`{"a":"x","b":{"a":"y"},"c":["z"],"d":null,"e":1.5}`, ""},
		{`{"a":"\ud83d\ude00"}`, ""},
		{`{}`, ""},
		{"", fault.BodyMissing},
		{" \n", fault.BodyMissing},
		{`nul`, fault.BodyNotJSON},
		{`{"a":1`, fault.BodyNotJSON},
		{`{"a":1} {}`, fault.BodyNotJSON},
		{`{"a":1}x`, fault.BodyNotJSON},
		{`{'a':1}`, fault.BodyNotJSON},
		{`{"a":1e400}`, fault.FieldRange},
		{`{"a":[-1e400]}`, fault.FieldRange},
		{`{"a":1e308}`, ""},
		{`[1]`, fault.BodyNotObject},
		{`"x"`, fault.BodyNotObject},
		{`null`, fault.BodyNotObject},
		{`{"a":1,"a":2}`, fault.FieldDuplicate},
		{`{"a":{"b":1,"b":2}}`, fault.FieldDuplicate},
		{`{"a":1,"\u0061":2}`, fault.FieldDuplicate},
		{`{"a":"\ud800"}`, fault.TextInvalid},
		{`{"a":"\udc00\ud800"}`, fault.TextInvalid},
		{`{"\ud800":1}`, fault.TextInvalid},
		{`{"a":"\u0000"}`, fault.TextInvalid},
		{`{"a\u0000":1}`, fault.TextInvalid},
		{`{"a":["\u0000"]}`, fault.TextInvalid},
		{"{\"a\":\"\xff\"}", fault.TextInvalid},
		{"{\"a\":\"\xed\xa0\x80\"}", fault.TextInvalid},
	} {
		_, err := strictjson.Object([]byte(c.text))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.text, err)
		case c.want != "" && !fault.Is(err, c.want):
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

// TestMembersOfBrokenText: a credential at the head of a body that breaks off can still be judged first.
func TestMembersOfBrokenText(t *testing.T) {
	members, err := strictjson.Object([]byte(`{"api_key":"k","n":{"to":"inner"},"from":"ann","to":`))
	if !fault.Is(err, fault.BodyNotJSON) || members["api_key"] != "k" || members["from"] != "ann" || members["to"] != "" {
		t.Fatalf("members %v, error %v", members, err)
	}
}

// FuzzObject: whatever passes is what encoding/json reads too, holds no text that cannot be kept, and errors never
// carry the text.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{`{"a":"x"}`, `{"a":{"b":["\ud83d\ude00"]}}`, `{"a":1,"a":2}`, `{"a":"\u0000"}`, `[1]`, `{"a":1}x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		members, err := strictjson.Object(text)
		if err != nil {
			return
		}
		var read map[string]any
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", text, err)
		}
		for name, value := range members {
			if read[name] != value || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
				t.Fatalf("member %q is %q, encoding/json has %q", name, value, read[name])
			}
		}
	})
}
