package cursor_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/cursor"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

const list, position = "GET /users", "周杰倫"

var app = id.Source{}.App()

func encode(t *testing.T, signer cursor.Signer) string {
	t.Helper()
	text, err := cursor.Encode(t.Context(), signer, app, list, position)
	storetest.OK(t, "Encode", err)
	return text
}

func wantInvalid(t *testing.T, signer cursor.Signer, app id.App, list, text string) {
	t.Helper()
	got, err := cursor.Decode(t.Context(), signer, app, list, text)
	if !fault.Is(err, fault.CursorInvalid) || got != "" {
		t.Errorf("Decode(%q) = %q, %v; want %s", text, got, err, fault.CursorInvalid)
	}
}

func TestRoundTrip(t *testing.T) {
	signer := sealtest.NewKeyring()
	rapid.Check(t, func(r *rapid.T) {
		list, position := rapid.String().Draw(r, "list"), rapid.StringN(0, 64, 300).Draw(r, "position")
		text, err := cursor.Encode(t.Context(), signer, app, list, position)
		if err != nil || (text == "") != (position == "") || strings.ContainsAny(text, "+/= \n") {
			r.Fatalf("Encode(%q) = %q, %v", position, text, err)
		}
		got, err := cursor.Decode(t.Context(), signer, app, list, text)
		if err != nil || got != position {
			r.Fatalf("Decode(%q) = %q, %v; want %q", text, got, err, position)
		}
	})
}

func TestEveryTamperingIsInvalid(t *testing.T) {
	signer := sealtest.NewKeyring()
	text := encode(t, signer)
	for at := range len(text) {
		for _, other := range "AZaz09-_+/=. \n\r\x00é" {
			if text[at:at+1] != string(other) {
				wantInvalid(t, signer, app, list, text[:at]+string(other)+text[at+1:])
			}
			wantInvalid(t, signer, app, list, text[:at]+string(other)+text[at:])
		}
		if at > 0 {
			wantInvalid(t, signer, app, list, text[:at])
		}
		wantInvalid(t, signer, app, list, text[:at]+text[at+1:])
	}
	for _, other := range []string{text + "A", text + "\n", text + "=", text + text, strings.Repeat("A", 512), strings.Repeat("A", 100_000)} {
		wantInvalid(t, signer, app, list, other)
	}
}

func TestOtherListsAndApps(t *testing.T) {
	signer := sealtest.NewKeyring()
	text := encode(t, signer)
	for _, other := range []string{"", "GET /keys", list + " ", list + position[:1], list[:len(list)-1]} {
		wantInvalid(t, signer, app, other, text)
	}
	wantInvalid(t, signer, id.Source{}.App(), list, text)  // has no data key
	wantInvalid(t, sealtest.NewKeyring(), app, list, text) // another installation
	storetest.OK(t, "another app's key", func() error {    // has a data key of the same number
		_, _, err := signer.Secret(t.Context(), id.StoredApp("app_other"), seal.Cursor)
		return err
	}())
	wantInvalid(t, signer, id.StoredApp("app_other"), list, text)
	if got, err := cursor.Decode(t.Context(), signer, app, list, text); err != nil || got != position {
		t.Errorf("Decode = %q, %v", got, err)
	}
}

// List and position lend each other nothing: "ab" + "c" is not "a" + "bc".
func TestListAndPositionAreApart(t *testing.T) {
	signer := sealtest.NewKeyring()
	rapid.Check(t, func(r *rapid.T) {
		part := rapid.StringMatching(`[ab]{1,4}`)
		listA, listB, position := part.Draw(r, "listA"), part.Draw(r, "listB"), part.Draw(r, "position")
		text, err := cursor.Encode(t.Context(), signer, app, listA, position)
		if err != nil {
			r.Fatal(err)
		}
		if _, err = cursor.Decode(t.Context(), signer, app, listB, text); (err == nil) != (listA == listB) {
			r.Fatalf("the cursor of %q in %q: %v", listA, listB, err)
		}
	})
}

func TestFailuresAreNoRefusals(t *testing.T) {
	errBroken := errors.New("no answer")
	broken := seal.NewKeyring(sealtest.Broken{Err: errBroken}, sealtest.NewWrapper(), clock.System{})
	if _, err := cursor.Encode(t.Context(), broken, app, list, position); !errors.Is(err, errBroken) {
		t.Errorf("Encode: %v, want %v", err, errBroken)
	}
	text := encode(t, sealtest.NewKeyring())
	if _, err := cursor.Decode(t.Context(), broken, app, list, text); !errors.Is(err, errBroken) {
		t.Errorf("Decode: %v, want %v", err, errBroken)
	}
}

func FuzzDecode(f *testing.F) {
	signer := sealtest.NewKeyring()
	text, err := cursor.Encode(f.Context(), signer, app, list, position)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("")
	f.Add(strings.Repeat("A", 48))
	f.Fuzz(func(t *testing.T, other string) {
		got, err := cursor.Decode(t.Context(), signer, app, list, other)
		switch {
		case other == text && (err != nil || got != position), other == "" && (err != nil || got != ""):
			t.Fatalf("Decode(%q) = %q, %v", other, got, err)
		case other != text && other != "" && !fault.Is(err, fault.CursorInvalid):
			t.Fatalf("Decode(%q) = %q, %v", other, got, err)
		}
	})
}
