package id_test

import (
	"bytes"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/id"
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func TestForms(t *testing.T) {
	ids := id.Source{}
	app, user := ids.App(), ids.User()
	key := ids.Key(app)
	for name, test := range map[string]struct {
		text   string
		length int
		is     func(string) bool
	}{
		"app":          {app.String(), 20, id.IsApp},
		"user":         {string(user), 24, id.IsUser},
		"key":          {string(key), 30, id.IsKey},
		"conversation": {string(id.Pair(app, user, ids.User())), 24, id.IsConversation},
		"derived user": {string(id.DeriveUser(app, "seed")), 24, id.IsUser},
		"derived key":  {string(id.DeriveKey(app, "seed")), 30, id.IsKey},
	} {
		if len(test.text) != test.length || !test.is(test.text) || !id.Reserved(test.text) {
			t.Errorf("%s: %q has not the form", name, test.text)
		}
		wantNoOther(t, name, test.text, test.is)
	}
}

// wantNoOther checks that what is close to an ID is none.
func wantNoOther(t *testing.T, name, text string, is func(string) bool) {
	t.Helper()
	for _, other := range []string{"", text[1:], text[:len(text)-1], text + "0", " " + text, text + "\n",
		strings.ToUpper(text), text[:len(text)-1] + "_", text[:len(text)-2] + "é", text[:len(text)-1] + "\x00"} {
		if is(other) {
			t.Errorf("%s: %q counts as an ID", name, other)
		}
	}
}

func TestKeyNamesItsApp(t *testing.T) {
	app := id.Source{}.App()
	for _, key := range []id.Key{id.Source{}.Key(app), id.DeriveKey(app, "maker", "request")} {
		if key.App() != app {
			t.Errorf("%s names the app %q, want %q", key, key.App(), app)
		}
		if id.KeyOf(key.Body()) != key {
			t.Errorf("KeyOf(%q) = %q", key.Body(), id.KeyOf(key.Body()))
		}
	}
	for _, bad := range []id.Key{"", "key_", "key_short", id.Key(app.String())} {
		if !bad.App().IsZero() {
			t.Errorf("%q names the app %q", bad, bad.App())
		}
	}
	if id.KeyOf("short") != "" {
		t.Error("KeyOf took a body that is none")
	}
}

func TestSourceIsExact(t *testing.T) {
	// 248 and more would favour some characters and are dropped.
	source := id.Source{Random: bytes.NewReader(append([]byte{255, 248, 0, 61, 62, 247}, make([]byte, 100)...))}
	if got, want := source.Text(5), "0z0z0"; got != want {
		t.Errorf("Text = %q, want %q", got, want)
	}
}

func TestSourceIsUniform(t *testing.T) {
	const each = 1000
	counts := map[rune]int{}
	for _, r := range (id.Source{}).Text(each * len(alphabet)) {
		counts[r]++
	}
	for _, r := range alphabet { // 10 standard deviations
		if counts[r] < each-320 || counts[r] > each+320 {
			t.Errorf("%q came %d times, want about %d", r, counts[r], each)
		}
	}
	if len(counts) != len(alphabet) {
		t.Errorf("%d different characters, want %d", len(counts), len(alphabet))
	}
}

func TestNoCollisions(t *testing.T) {
	ids, seen := id.Source{}, map[string]bool{}
	app := ids.App()
	for range 10_000 {
		for _, text := range []string{ids.App().String(), string(ids.User()), string(ids.Key(app)), string(id.Pair(app, ids.User(), ids.User()))} {
			if seen[text] {
				t.Fatalf("%q came twice", text)
			}
			seen[text] = true
		}
	}
}

func TestPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		app, a, b := id.StoredApp(text.Draw(t, "app")), id.User(text.Draw(t, "a")), id.User(text.Draw(t, "b"))
		pair := id.Pair(app, a, b)
		if pair != id.Pair(app, b, a) || !id.IsConversation(string(pair)) {
			t.Fatalf("Pair(%q, %q) = %q, the other way %q", a, b, pair, id.Pair(app, b, a))
		}
		app2, c, d := id.StoredApp(text.Draw(t, "app2")), id.User(text.Draw(t, "c")), id.User(text.Draw(t, "d"))
		same := app == app2 && (a == c && b == d || a == d && b == c)
		if (id.Pair(app2, c, d) == pair) != same {
			t.Fatalf("Pair(%q, %q, %q) and Pair(%q, %q, %q) collide", app, a, b, app2, c, d)
		}
	})
}

// Parts are kept apart: joining them differently is another hash.
func TestHash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.String(), 0, 4)
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		if (id.Hash(a...) == id.Hash(b...)) != slices.Equal(a, b) {
			t.Fatalf("Hash(%q) and Hash(%q)", a, b)
		}
	})
	if id.Hash("ab", "c") == id.Hash("a", "bc") || id.Hash("a") == id.Hash("a", "") {
		t.Error("parts lend each other characters")
	}
}

func TestDerivedIDs(t *testing.T) {
	app, other := id.Source{}.App(), id.Source{}.App()
	user, key := id.DeriveUser(app, "x"), id.DeriveKey(app, "m", "x")
	if id.DeriveUser(app, "x") != user || id.DeriveKey(app, "m", "x") != key {
		t.Error("one seed gives two IDs")
	}
	if id.DeriveUser(app, "x") == id.DeriveUser(app, "y") || id.DeriveUser(app, "x") == id.DeriveUser(other, "x") {
		t.Error("two seeds give one user ID")
	}
	account := id.Source{}.Account()
	derived := id.DeriveApp(account, "x")
	if id.DeriveApp(account, "x") != derived || !id.IsApp(derived.String()) || !id.IsApp(id.Platform().String()) {
		t.Errorf("DeriveApp = %q", derived)
	}
	if id.DeriveApp(account, "y") == derived || id.DeriveApp(id.Source{}.Account(), "x") == derived {
		t.Error("two seeds give one app ID")
	}
	if id.DeriveKey(app, "m", "x") == id.DeriveKey(app, "mx") || id.DeriveKey(app, "m", "x") == id.DeriveKey(app, "n", "x") {
		t.Error("two seeds give one key ID")
	}
}

// Base62 has a fixed width and sorts as the bytes do, so sort keys made of it keep their order.
func TestBase62(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 16, 16)
		a, b := raw.Draw(t, "a"), raw.Draw(t, "b")
		textA, textB := id.Base62(a, 22), id.Base62(b, 22)
		if len(textA) != 22 || !id.IsBase62(textA) {
			t.Fatalf("Base62(%x) = %q", a, textA)
		}
		if strings.Compare(textA, textB) != bytes.Compare(a, b) {
			t.Fatalf("%x and %x sort otherwise than %q and %q", a, b, textA, textB)
		}
		if value := number(textA); value.Cmp(new(big.Int).SetBytes(a)) != 0 {
			t.Fatalf("Base62(%x) = %q, which is %x", a, textA, value)
		}
	})
	if got := id.Base62(nil, 3); got != "000" {
		t.Errorf("Base62 of nothing = %q", got)
	}
	if got := id.Base62(bytes.Repeat([]byte{255}, 16), 22); len(got) != 22 {
		t.Errorf("the largest value takes %d characters", len(got))
	}
}

// number reads base62 independently of the package.
func number(text string) *big.Int {
	value := new(big.Int)
	for _, r := range text {
		value.Mul(value, big.NewInt(62))
		value.Add(value, big.NewInt(int64(strings.IndexRune(alphabet, r))))
	}
	return value
}

func TestReserved(t *testing.T) {
	for name, want := range map[string]bool{"app_x": true, "APP_x": true, "u_": true, "U_1": true, "g_1": true, "c_1": true,
		"Key_1": true, "key": false, "user_1": false, "u": false, "u1": false, "ann_u_": false, "": false, "m_1": false} {
		if got := id.Reserved(name); got != want {
			t.Errorf("Reserved(%q) = %v, want %v", name, got, want)
		}
	}
}

func FuzzForms(f *testing.F) {
	f.Add("u_0123456789ABCDEFGHIJab")
	f.Add("key_0123456789ABCDEFGHIJabcdef")
	f.Fuzz(func(t *testing.T, text string) {
		kinds := 0
		for _, is := range []func(string) bool{id.IsApp, id.IsUser, id.IsKey, id.IsConversation} {
			if is(text) {
				kinds++
			}
		}
		if kinds > 1 || kinds == 1 && !id.Reserved(text) {
			t.Errorf("%q has %d kinds, reserved %v", text, kinds, id.Reserved(text))
		}
		if app := id.Key(text).App(); !app.IsZero() && (!id.IsApp(app.String()) || !id.IsKey(text)) {
			t.Errorf("%q names the app %q", text, app)
		}
	})
}
