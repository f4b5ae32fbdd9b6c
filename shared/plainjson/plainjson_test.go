package plainjson_test

import (
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/plainjson"
)

func TestEncode(t *testing.T) {
	value := map[string]any{"text": "<b>&\u2028\n", "n": 1}
	const want = `{"n":1,"text":"<b>&\u2028\n"}`
	text, err := plainjson.Encode(value)
	if err != nil || string(text) != want || string(plainjson.Must(value)) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
	var written strings.Builder
	if err := plainjson.Write(&written, value); err != nil || written.String() != want+"\n" {
		t.Errorf("%q, %v", written.String(), err)
	}
}

func TestWhatDoesNotEncode(t *testing.T) {
	if text, err := plainjson.Encode(func() {}); err == nil || len(text) != 0 {
		t.Errorf("%s, %v", text, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("Must took it")
		}
	}()
	plainjson.Must(func() {})
}
