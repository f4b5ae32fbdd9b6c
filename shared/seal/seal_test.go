package seal_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// fixture is a keyring with all that it stands on.
type fixture struct {
	store   *sealtest.Store
	wrapper *sealtest.Wrapper
	clock   *clocktest.Clock
	keyring *seal.Keyring
	app     id.App
	place   seal.Place
}

func newFixture() *fixture {
	f := &fixture{store: sealtest.NewStore(), wrapper: sealtest.NewWrapper(), clock: clocktest.New(storetest.Noon()),
		app:   id.Source{}.App(),
		place: seal.Place{Conversation: "c_0000000000000000000001", Sequence: 7, Sender: "u_0000000000000000000001"}}
	f.keyring = f.another()
	return f
}

// another returns a keyring of another process on the same store.
func (f *fixture) another() *seal.Keyring { return seal.NewKeyring(f.store, f.wrapper, f.clock) }

func (f *fixture) seal(t *testing.T, text string) []byte {
	t.Helper()
	sealed, err := f.keyring.Seal(t.Context(), f.app, f.place, []byte(text))
	storetest.OK(t, "Seal", err)
	return sealed
}

func (f *fixture) wantOpens(t *testing.T, keyring *seal.Keyring, sealed []byte, want string) {
	t.Helper()
	text, err := keyring.Open(t.Context(), f.app, f.place, sealed)
	if err != nil || string(text) != want {
		t.Fatalf("Open = %q, %v; want %q", text, err, want)
	}
}

// number is the data key that a ciphertext names.
func number(sealed []byte) uint32 { return uint32(sealed[3])<<8 | uint32(sealed[4]) }

func TestSealAndOpen(t *testing.T) {
	f := newFixture()
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(r, "text")
		sealed, err := f.keyring.Seal(t.Context(), f.app, f.place, text)
		if err != nil || len(sealed) != len(text)+33 {
			r.Fatalf("Seal(%x) = %x, %v", text, sealed, err)
		}
		if len(text) >= 4 && bytes.Contains(sealed, text) {
			r.Fatalf("the text %x stands in %x", text, sealed)
		}
		opened, err := f.keyring.Open(t.Context(), f.app, f.place, sealed)
		if err != nil || !bytes.Equal(opened, text) {
			r.Fatalf("Open = %x, %v; want %x", opened, err, text)
		}
	})
	if bytes.Equal(f.seal(t, "again"), f.seal(t, "again")) {
		t.Error("one text gave one ciphertext twice")
	}
}

// drawPlace draws places whose parts are easily taken for each other.
func drawPlace(r *rapid.T) (id.App, seal.Place) {
	part := rapid.StringMatching(`[ab]{0,3}`)
	return id.StoredApp("app_" + part.Draw(r, "app")), seal.Place{Conversation: id.Conversation(part.Draw(r, "conversation")),
		Sequence: rapid.Int64Range(0, 2).Draw(r, "sequence"), Sender: id.User(part.Draw(r, "sender"))}
}

func TestMovedDoesNotOpen(t *testing.T) {
	f := newFixture()
	rapid.Check(t, func(r *rapid.T) {
		app, place := drawPlace(r)
		sealed, err := f.keyring.Seal(t.Context(), app, place, []byte("text"))
		if err != nil {
			r.Fatal(err)
		}
		otherApp, otherPlace := drawPlace(r)
		if _, err := f.keyring.Seal(t.Context(), otherApp, otherPlace, nil); err != nil {
			r.Fatal(err) // so that the other app has a key of the same number
		}
		_, err = f.keyring.Open(t.Context(), otherApp, otherPlace, sealed)
		if same := app == otherApp && place == otherPlace; same != (err == nil) || err != nil && !errors.Is(err, seal.ErrOpen) {
			r.Fatalf("sealed at %s %+v, opened at %s %+v: %v", app, place, otherApp, otherPlace, err)
		}
	})
}

func TestFlippedBitDoesNotOpen(t *testing.T) {
	f := newFixture()
	sealed := f.seal(t, "text")
	for bit := range 8 * len(sealed) {
		changed := slices.Clone(sealed)
		changed[bit/8] ^= 1 << (bit % 8)
		text, err := f.keyring.Open(t.Context(), f.app, f.place, changed)
		if !errors.Is(err, seal.ErrOpen) || text != nil {
			t.Fatalf("bit %d flipped: %q, %v", bit, text, err)
		}
	}
	for length := range sealed {
		_, err := f.keyring.Open(t.Context(), f.app, f.place, sealed[:length])
		storetest.Refused(t, "Open of a part", err, seal.ErrOpen)
	}
	_, err := f.keyring.Open(t.Context(), f.app, f.place, append(slices.Clone(sealed), 0))
	storetest.Refused(t, "Open of more", err, seal.ErrOpen)
}

// A ciphertext under another valid key of the app does not open either.
func TestOtherKeyNumberDoesNotOpen(t *testing.T) {
	f := newFixture()
	sealed := f.seal(t, "text")
	f.clock.Advance(31 * 24 * time.Hour)
	if number(f.seal(t, "text")) != 2 {
		t.Fatal("no second key")
	}
	sealed[4] = 2
	_, err := f.keyring.Open(t.Context(), f.app, f.place, sealed)
	storetest.Refused(t, "Open under another key", err, seal.ErrOpen)
}

func FuzzOpen(f *testing.F) {
	fix := newFixture()
	sealed, err := fix.keyring.Seal(f.Context(), fix.app, fix.place, []byte("text"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, other []byte) {
		_, err := fix.keyring.Open(t.Context(), fix.app, fix.place, other)
		if same := bytes.Equal(other, sealed); same != (err == nil) || err != nil && !errors.Is(err, seal.ErrOpen) {
			t.Fatalf("Open(%x): %v", other, err)
		}
	})
}

func TestPurposesAndAppsShareNoSecret(t *testing.T) {
	f := newFixture()
	seen := map[string]string{}
	for _, app := range []id.App{f.app, id.Source{}.App()} {
		for _, purpose := range []seal.Purpose{seal.Content, seal.UserToken, seal.Cursor, seal.Fingerprint} {
			number, secret, err := f.keyring.Secret(t.Context(), app, purpose)
			storetest.OK(t, "Secret", err)
			again, err := f.another().SecretOf(t.Context(), app, number, purpose)
			if err != nil || !bytes.Equal(again, secret) || len(secret) != 32 {
				t.Errorf("SecretOf = %x, %v; want %x", again, err, secret)
			}
			if other, ok := seen[string(secret)]; ok {
				t.Errorf("%s %q has the secret of %s", app, purpose, other)
			}
			seen[string(secret)] = app.String() + " " + string(purpose)
		}
	}
	_, err := f.keyring.SecretOf(t.Context(), f.app, 9, seal.Cursor)
	storetest.Refused(t, "SecretOf of no key", err, seal.ErrNoKey)
}

func TestMAC(t *testing.T) {
	f := newFixture()
	ctx, data := t.Context(), []byte("data")
	number, tag, err := f.keyring.MAC(ctx, f.app, seal.Cursor, data)
	storetest.OK(t, "MAC", err)
	verify := func(app id.App, purpose seal.Purpose, number uint32, data, tag []byte) bool {
		genuine, err := f.keyring.VerifyMAC(ctx, app, purpose, number, data, tag)
		storetest.OK(t, "VerifyMAC", err)
		return genuine
	}
	if !verify(f.app, seal.Cursor, number, data, tag) {
		t.Error("a genuine tag is refused")
	}
	flipped := slices.Clone(tag)
	flipped[31] ^= 1
	for name, genuine := range map[string]bool{
		"another app":     verify(id.Source{}.App(), seal.Cursor, number, data, tag),
		"another purpose": verify(f.app, seal.Fingerprint, number, data, tag),
		"another number":  verify(f.app, seal.Cursor, number+1, data, tag),
		"number 0":        verify(f.app, seal.Cursor, 0, data, tag),
		"other data":      verify(f.app, seal.Cursor, number, []byte("Data"), tag),
		"another tag":     verify(f.app, seal.Cursor, number, data, flipped),
		"half a tag":      verify(f.app, seal.Cursor, number, data, tag[:16]),
		"no tag":          verify(f.app, seal.Cursor, number, data, nil),
	} {
		if genuine {
			t.Errorf("%s: taken for genuine", name)
		}
	}
}
