package seal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestRotationByAge(t *testing.T) {
	f := newFixture()
	first := f.seal(t, "first")
	f.clock.Advance(30 * 24 * time.Hour)
	if same := f.seal(t, "still young"); number(same) != number(first) {
		t.Errorf("rotated to key %d at 30 days", number(same))
	}
	f.clock.Advance(6 * time.Minute) // the number is believed for 5
	second := f.seal(t, "second")
	if number(second) != number(first)+1 {
		t.Errorf("key %d after 30 days, want another than %d", number(second), number(first))
	}
	f.wantOpens(t, f.keyring, first, "first")
	f.wantOpens(t, f.another(), first, "first")
	f.wantOpens(t, f.another(), second, "second")
}

func TestRotationByUses(t *testing.T) {
	f := newFixture()
	first := f.seal(t, "first")
	storetest.OK(t, "AddUses", f.store.AddUses(t.Context(), f.app, number(first), 1<<30+1))
	f.clock.Advance(5 * time.Minute)
	if second := f.seal(t, "second"); number(second) != number(first)+1 {
		t.Errorf("key %d after 2^30 uses, want another than %d", number(second), number(first))
	}
}

// Uses are counted by chance, one for 4096: 20 are expected, and fewer than 3 come once in two million runs.
func TestUsesAreCounted(t *testing.T) {
	f := newFixture()
	const seals = 20 * 4096
	for range seals {
		f.seal(t, "")
	}
	key, err := f.store.Latest(t.Context(), f.app)
	if err != nil || key.Uses < 3*4096 || key.Uses > 60*4096 {
		t.Errorf("%d seals counted as %d (%v)", seals, key.Uses, err)
	}
}

func TestKMSIsNotCalledPerMessage(t *testing.T) {
	f := newFixture()
	for i := range 1000 {
		f.wantOpens(t, f.keyring, f.seal(t, fmt.Sprint(i)), fmt.Sprint(i))
	}
	if calls := f.wrapper.Calls.Load(); calls > 2 {
		t.Errorf("1000 seals cost %d calls of KMS, want 2 at most", calls)
	}
}

func TestConcurrentUse(t *testing.T) {
	for range 200 { // whoever asks while a flight lands must not start another: it takes many tries to meet the moment
		concurrentUse(t)
	}
}

func concurrentUse(t *testing.T) {
	t.Helper()
	f := newFixture()
	for _, err := range storetest.AtOnce(storetest.Racers, func(i int) error {
		sealed, err := f.keyring.Seal(t.Context(), f.app, f.place, []byte{byte(i)})
		if err != nil {
			return err
		}
		text, err := f.keyring.Open(t.Context(), f.app, f.place, sealed)
		if err == nil && (len(text) != 1 || text[0] != byte(i)) {
			return fmt.Errorf("opened %x", text)
		}
		return err
	}) {
		storetest.OK(t, "Seal and Open", err)
	}
	if calls := f.wrapper.Calls.Load(); calls > 2 {
		t.Errorf("a cold keyring called KMS %d times, want 2 at most", calls)
	}
}

// Processes that rotate at the same moment agree on one key, and open what the others seal.
func TestKeyringsAgree(t *testing.T) {
	f := newFixture()
	f.seal(t, "the first key")
	f.clock.Advance(31 * 24 * time.Hour)
	keyrings := make([]*seal.Keyring, storetest.Racers)
	sealed := make([][]byte, len(keyrings))
	for _, err := range storetest.AtOnce(len(keyrings), func(i int) (err error) {
		keyrings[i] = f.another()
		sealed[i], err = keyrings[i].Seal(t.Context(), f.app, f.place, []byte("text"))
		return err
	}) {
		storetest.OK(t, "Seal", err)
	}
	for i := range sealed {
		if number(sealed[i]) != 2 {
			t.Errorf("keyring %d sealed under key %d, want 2", i, number(sealed[i]))
		}
		f.wantOpens(t, keyrings[len(keyrings)-1-i], sealed[i], "text")
	}
}

func TestForgottenKey(t *testing.T) {
	f := newFixture()
	sealed := f.seal(t, "text")
	f.store.Destroy(f.app, number(sealed))
	f.clock.Advance(15*time.Minute - 1)
	f.wantOpens(t, f.keyring, sealed, "text") // still in memory
	f.clock.Advance(1)
	for _, keyring := range []*seal.Keyring{f.keyring, f.another()} {
		_, err := keyring.Open(t.Context(), f.app, f.place, sealed)
		storetest.Refused(t, "Open under a destroyed key", err, seal.ErrOpen)
	}
}

// A wrapped key works for its own app and number only: whoever can write to the table cannot swap keys.
func TestSwappedKey(t *testing.T) {
	f := newFixture()
	sealed := f.seal(t, "text")
	key, err := f.store.Get(t.Context(), f.app, 1)
	storetest.OK(t, "Get", err)
	other := id.Source{}.App()
	storetest.OK(t, "Create", f.store.Create(t.Context(), other, key))
	if text, err := f.keyring.Open(t.Context(), other, f.place, sealed); err == nil {
		t.Errorf("another app opened %q with a copied key", text)
	}
	key.Number = 2
	storetest.OK(t, "Create", f.store.Create(t.Context(), f.app, key))
	sealed[4] = 2
	if text, err := f.keyring.Open(t.Context(), f.app, f.place, sealed); err == nil {
		t.Errorf("a renumbered key opened %q", text)
	}
}

// Many apps in one process forget each other, and lose nothing by it.
func TestManyApps(t *testing.T) {
	f := newFixture()
	sealed := f.seal(t, "text")
	for range 1100 {
		_, _, err := f.keyring.Secret(t.Context(), id.Source{}.App(), seal.Cursor)
		storetest.OK(t, "Secret", err)
	}
	f.wantOpens(t, f.keyring, sealed, "text")
}

func TestFailures(t *testing.T) {
	f, broken := newFixture(), errors.New("no answer")
	sealed := f.seal(t, "text")
	onBroken := seal.NewKeyring(sealtest.Broken{Err: broken}, f.wrapper, f.clock)
	_, err := onBroken.Seal(t.Context(), f.app, f.place, nil)
	storetest.Refused(t, "Seal without a store", err, broken)
	_, err = onBroken.Open(t.Context(), f.app, f.place, sealed)
	if !errors.Is(err, broken) || errors.Is(err, seal.ErrOpen) { // a time-out must not read as a forgery
		t.Errorf("Open without a store: %v", err)
	}
	onMute := seal.NewKeyring(f.store, mute{broken}, f.clock)
	_, err = onMute.Open(t.Context(), f.app, f.place, sealed)
	if !errors.Is(err, broken) || errors.Is(err, seal.ErrOpen) {
		t.Errorf("Open without KMS: %v", err)
	}
	_, err = onMute.Seal(t.Context(), id.Source{}.App(), f.place, nil)
	storetest.Refused(t, "Seal without KMS", err, broken)
}

// mute is a KMS that does not answer.
type mute struct{ err error }

func (m mute) Generate(context.Context, map[string]string) ([]byte, []byte, error) {
	return nil, nil, m.err
}

func (m mute) Unwrap(context.Context, []byte, map[string]string) ([]byte, error) { return nil, m.err }

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	storetest.OK(t, "write", os.WriteFile(path, []byte(strings.Repeat("0f", 32)+"\n"), 0o600))
	file, err := seal.OpenKeyFile(path)
	storetest.OK(t, "OpenKeyFile", err)
	bound := map[string]string{"app": "a", "data_key": "1"}
	key, wrapped, err := file.Generate(t.Context(), bound)
	storetest.OK(t, "Generate", err)
	unwrapped, err := file.Unwrap(t.Context(), wrapped, map[string]string{"data_key": "1", "app": "a"})
	if err != nil || len(key) != 32 || string(unwrapped) != string(key) {
		t.Errorf("Unwrap = %x, %v; want %x", unwrapped, err, key)
	}
	if _, err := file.Unwrap(t.Context(), wrapped, map[string]string{"app": "b", "data_key": "1"}); err == nil {
		t.Error("Unwrap took another context")
	}
	for _, text := range []string{"", "0f", strings.Repeat("0f", 33), strings.Repeat("zz", 32)} {
		storetest.OK(t, "write", os.WriteFile(path, []byte(text), 0o600))
		if _, err := seal.OpenKeyFile(path); err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("OpenKeyFile of %q: %v", text, err)
		}
	}
	if _, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("OpenKeyFile opened nothing")
	}
}
