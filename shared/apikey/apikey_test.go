package apikey_test

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newText returns a key's text with its ID and secret part.
func newText() (text string, keyID id.Key, secret string) {
	ids := id.Source{}
	keyID, secret = ids.Key(ids.App()), ids.Text(43)
	return apikey.Format(keyID, secret), keyID, secret
}

func wantMalformed(t *testing.T, text string) {
	t.Helper()
	_, err := apikey.Parse(text)
	if !fault.Is(err, fault.APIKeyMalformed) {
		t.Fatalf("Parse(%q): %v, want %s", text, err, fault.APIKeyMalformed)
	}
	if len(text) > 5 && strings.Contains(err.Error(), text) {
		t.Fatalf("the error shows the key: %v", err)
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.StringMatching(`[0-9A-Za-z]{26}`).Draw(t, "body")
		secret := rapid.StringMatching(`[0-9A-Za-z]{43}`).Draw(t, "secret")
		text := apikey.Format(id.KeyOf(body), secret)
		if len(text) != 3+26+1+43+6 || !strings.HasPrefix(text, apikey.Prefix) {
			t.Fatalf("Format = %q", text)
		}
		got, err := apikey.Parse(text)
		if want := (apikey.Secret{ID: id.KeyOf(body), Hash: sha256.Sum256([]byte(secret))}); err != nil || got != want {
			t.Fatalf("Parse(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	})
}

func TestEveryChangedCharacterIsMalformed(t *testing.T) {
	text, _, _ := newText()
	for at := range len(text) {
		for _, other := range base62 + "_- \n\x00\x80" {
			if string(other) != text[at:at+1] {
				wantMalformed(t, text[:at]+string(other)+text[at+1:])
			}
		}
	}
}

func TestEveryCutIsMalformed(t *testing.T) {
	text, _, _ := newText()
	for at := range len(text) {
		wantMalformed(t, text[:at])                // truncated
		wantMalformed(t, text[at+1:])              // beheaded
		wantMalformed(t, text[:at]+text[at+1:])    // one lost
		wantMalformed(t, text[:at]+"0"+text[at:])  // one more
		wantMalformed(t, text[:at]+" "+text[at:])  // pasted with a blank
		wantMalformed(t, text[:at]+"\n"+text[at:]) // or over two lines
	}
	wantMalformed(t, text+"0")
	wantMalformed(t, text+text)
}

func TestEverySwapOfNeighboursIsMalformed(t *testing.T) {
	text, _, _ := newText()
	for at := range len(text) - 1 {
		if text[at] != text[at+1] {
			wantMalformed(t, text[:at]+text[at+1:at+2]+text[at:at+1]+text[at+2:])
		}
	}
}

func FuzzParse(f *testing.F) {
	text, _, _ := newText()
	f.Add(text)
	f.Add("tk_")
	f.Add("tk__")
	f.Add("tk_" + strings.Repeat("0", 26) + "_" + strings.Repeat("0", 49))
	f.Fuzz(func(t *testing.T, text string) {
		secret, err := apikey.Parse(text)
		if err != nil {
			if !fault.Is(err, fault.APIKeyMalformed) {
				t.Fatalf("Parse(%q): %v", text, err)
			}
			return
		}
		part := strings.TrimPrefix(text, apikey.Prefix+secret.ID.Body()+"_")[:43]
		if apikey.Format(secret.ID, part) != text || !id.IsKey(string(secret.ID)) {
			t.Fatalf("Parse took %q, which Format does not make", text)
		}
	})
}

func TestCheck(t *testing.T) {
	key := apikeytest.NewKey(id.Source{}.App())
	right, wrong := apikey.Secret{ID: key.ID, Hash: key.Hash}, apikey.Secret{ID: key.ID, Hash: [32]byte{1}}
	revoked, forever := key, key
	revoked.RevokedAt, forever.ExpiresAt = storetest.Noon(), time.Time{}
	suspended, both := key, revoked
	suspended.Suspended, both.Suspended = true, true
	soon, end := key.ExpiresAt.Add(-time.Nanosecond), key.ExpiresAt
	for name, test := range map[string]struct {
		key    apikey.Key
		secret apikey.Secret
		now    time.Time
		want   fault.Code
	}{
		"good":                         {key, right, soon, ""},
		"never expires":                {forever, right, end.AddDate(100, 0, 0), ""},
		"expired":                      {key, right, end, fault.APIKeyExpired},
		"revoked":                      {revoked, right, soon, fault.APIKeyRevoked},
		"revoked and expired":          {revoked, right, end, fault.APIKeyRevoked},
		"of a deleted app":             {suspended, right, soon, fault.AppDeleted},
		"expired, of a deleted app":    {suspended, right, end, fault.APIKeyExpired},
		"revoked, of a deleted app":    {both, right, soon, fault.APIKeyRevoked},
		"wrong secret":                 {key, wrong, soon, fault.APIKeyUnknown},
		"wrong secret tells no expiry": {key, wrong, end, fault.APIKeyUnknown},
		"wrong secret tells no state":  {revoked, wrong, soon, fault.APIKeyUnknown},
		"wrong secret tells no app":    {suspended, wrong, soon, fault.APIKeyUnknown},
	} {
		if err := test.key.Check(test.secret, test.now); !is(err, test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// is tells whether err is the refusal, or nil for "".
func is(err error, want fault.Code) bool {
	if want == "" {
		return err == nil
	}
	return fault.Is(err, want)
}

func TestHas(t *testing.T) {
	key := apikey.Key{Scopes: []string{"a", "b"}}
	if !key.Has("a") || !key.Has("b") || key.Has("") || key.Has("A") || key.Has("c") {
		t.Error("Has does not go by the scopes")
	}
}

// A use is written down once an hour, and the first after a rotation always.
func TestUseDue(t *testing.T) {
	noon := storetest.Noon()
	for name, test := range map[string]struct {
		used, rotated time.Duration // before noon; 0 for never
		want          bool
		before        time.Duration
	}{
		"never used":                         {0, 0, true, time.Hour},
		"used an hour ago":                   {time.Hour, 0, true, time.Hour},
		"used less than an hour ago":         {time.Hour - 1, 0, false, time.Hour},
		"rotated long ago, used since":       {time.Minute, 2 * time.Hour, false, time.Hour},
		"rotated long ago, not used since":   {3 * time.Hour, 2 * time.Hour, true, time.Hour},
		"just rotated, used before":          {2 * time.Minute, time.Minute, true, time.Minute},
		"just rotated, used since":           {time.Second, time.Minute, false, time.Minute},
		"just rotated, used long before":     {9 * time.Hour, time.Minute, true, time.Minute},
		"just rotated, used at that instant": {time.Minute, time.Minute, true, time.Minute},
	} {
		key := apikey.Key{}
		if test.used > 0 {
			key.UsedAt = noon.Add(-test.used)
		}
		if test.rotated > 0 {
			key.RotatedAt = noon.Add(-test.rotated)
		}
		if got := key.UseDue(noon); got != test.want {
			t.Errorf("%s: due %v, want %v", name, got, test.want)
		}
		if got := noon.Sub(key.UseBefore(noon)); got != test.before {
			t.Errorf("%s: since %v ago, want %v", name, got, test.before)
		}
	}
}
