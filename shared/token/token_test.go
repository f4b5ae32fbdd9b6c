package token_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/token"
)

func newIssuer() (*token.Issuer, *clocktest.Clock) {
	clock := clocktest.New(storetest.Noon())
	return &token.Issuer{Secrets: seal.NewKeyring(sealtest.NewStore(), sealtest.NewWrapper(), clock), Clock: clock}, clock
}

// newClaims returns claims with every field set that a user token has. Times are whole seconds, as in every JWT.
func newClaims() token.Claims {
	ids := id.Source{}
	app := ids.App()
	return token.Claims{Kind: token.User, App: app, User: ids.User(), Key: ids.Key(app), Device: "phone", Epoch: 3,
		ExpiresAt: storetest.Noon().Truncate(time.Second).Add(token.DefaultLife)}
}

func sign(t *testing.T, issuer *token.Issuer, claims token.Claims) string {
	t.Helper()
	text, err := issuer.Sign(t.Context(), claims)
	storetest.OK(t, "Sign", err)
	return text
}

func wantRefused(t *testing.T, doing string, issuer *token.Issuer, text string, kind token.Kind, want fault.Code) {
	t.Helper()
	got, err := issuer.Verify(t.Context(), text, kind)
	if !fault.Is(err, want) || got != (token.Claims{}) {
		t.Errorf("%s: Verify = %+v, %v; want %s", doing, got, err, want)
	}
}

func TestRoundTrip(t *testing.T) {
	issuer, _ := newIssuer()
	rapid.Check(t, func(r *rapid.T) {
		claims := newClaims()
		claims.Device = rapid.StringN(0, 32, 32).Draw(r, "device")
		claims.Epoch = rapid.Int64Range(0, 1<<53).Draw(r, "epoch")
		if rapid.Bool().Draw(r, "ticket") {
			claims.Kind, claims.ID, claims.SessionExpiresAt = token.Ticket, id.Source{}.Text(22), claims.ExpiresAt.Add(time.Hour)
		}
		text, err := issuer.Sign(t.Context(), claims)
		if err != nil || len(text) > 1024 {
			r.Fatalf("Sign = %q, %v", text, err)
		}
		if got, err := issuer.Verify(t.Context(), text, claims.Kind); err != nil || got != claims {
			r.Fatalf("Verify = %+v, %v; want %+v", got, err, claims)
		}
	})
}

func TestEveryFlippedByteIsRefused(t *testing.T) {
	issuer, _ := newIssuer()
	text := sign(t, issuer, newClaims())
	for at := range len(text) {
		for _, other := range "AZaz09-_+/=. \n\x00" {
			if text[at:at+1] != string(other) {
				wantRefused(t, "one byte changed", issuer, text[:at]+string(other)+text[at+1:], token.User, fault.TokenInvalid)
			}
		}
		wantRefused(t, "cut", issuer, text[:at], token.User, fault.TokenInvalid)
		wantRefused(t, "one byte lost", issuer, text[:at]+text[at+1:], token.User, fault.TokenInvalid)
	}
}

// A token has one spelling: nothing can be slipped in, not even what a base64 decoder skips.
func TestNothingCanBeSlippedIn(t *testing.T) {
	issuer, _ := newIssuer()
	text := sign(t, issuer, newClaims())
	for at := range len(text) + 1 {
		for _, more := range []string{"A", "=", ".", " ", "\n", "\r"} {
			wantRefused(t, "one byte more", issuer, text[:at]+more+text[at:], token.User, fault.TokenInvalid)
		}
	}
}

func TestOtherKind(t *testing.T) {
	issuer, _ := newIssuer()
	claims := newClaims()
	wantRefused(t, "a user token as a ticket", issuer, sign(t, issuer, claims), token.Ticket, fault.TokenInvalid)
	claims.Kind = token.Ticket
	wantRefused(t, "a ticket as a user token", issuer, sign(t, issuer, claims), token.User, fault.TokenInvalid)
	claims.Kind = ""
	wantRefused(t, "a token without a kind", issuer, sign(t, issuer, claims), token.User, fault.TokenInvalid)
}

func TestExpiry(t *testing.T) {
	issuer, clock := newIssuer()
	claims := newClaims()
	text := sign(t, issuer, claims)
	clock.Advance(claims.ExpiresAt.Sub(clock.Now()) - 1)
	if _, err := issuer.Verify(t.Context(), text, token.User); err != nil {
		t.Errorf("a moment before its expiry: %v", err)
	}
	clock.Advance(1)
	wantRefused(t, "at its expiry", issuer, text, token.User, fault.TokenExpired)
	wantRefused(t, "a forged one tells no expiry", issuer, text[:len(text)-2]+"AA", token.User, fault.TokenInvalid)
	_, err := issuer.Verify(t.Context(), text, token.User)
	if want := claims.ExpiresAt.Format(time.RFC3339); !strings.Contains(err.Error(), want) {
		t.Errorf("%v does not say %s", err, want)
	}
}

func TestRotationKeepsTokens(t *testing.T) {
	issuer, clock := newIssuer()
	claims := newClaims()
	claims.ExpiresAt = claims.ExpiresAt.AddDate(1, 0, 0)
	text := sign(t, issuer, claims)
	clock.Advance(31 * 24 * time.Hour)
	if fresh := sign(t, issuer, claims); header(t, fresh)["kid"] == header(t, text)["kid"] {
		t.Error("the secret was not rotated")
	}
	if got, err := issuer.Verify(t.Context(), text, token.User); err != nil || got != claims {
		t.Errorf("Verify after a rotation = %+v, %v", got, err)
	}
}

func header(t *testing.T, text string) map[string]any {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(text, jwt.MapClaims{})
	storetest.OK(t, "parse", err)
	return parsed.Header
}

// forge signs whatever claims with whatever method; change edits a genuine token's header and claims before that.
func forge(t *testing.T, genuine string, method jwt.SigningMethod, secret any, change func(header, claims map[string]any)) string {
	t.Helper()
	claims := jwt.MapClaims{}
	parsed, _, err := jwt.NewParser(jwt.WithJSONNumber()).ParseUnverified(genuine, claims)
	storetest.OK(t, "parse", err)
	forged := jwt.NewWithClaims(method, claims)
	forged.Header["kid"] = parsed.Header["kid"]
	change(forged.Header, claims)
	text, err := forged.SignedString(secret)
	storetest.OK(t, "sign", err)
	return text
}

func unchanged(_, _ map[string]any) {}

func TestForgeries(t *testing.T) {
	issuer, _ := newIssuer()
	mine, theirs := newClaims(), newClaims()
	genuine := sign(t, issuer, mine)
	sign(t, issuer, theirs) // so that the other app has a secret of the same number
	secretOf := func(app id.App, purpose seal.Purpose) []byte {
		_, secret, err := issuer.Secrets.Secret(t.Context(), app, purpose)
		storetest.OK(t, "Secret", err)
		return secret
	}
	right := secretOf(mine.App, seal.UserToken)
	if text := forge(t, genuine, jwt.SigningMethodHS256, right, unchanged); text != genuine {
		if _, err := issuer.Verify(t.Context(), text, token.User); err != nil {
			t.Fatalf("forge does not make what Sign makes: %v", err)
		}
	}
	set := func(name string, value any) func(_, claims map[string]any) {
		return func(_, claims map[string]any) { claims[name] = value }
	}
	for name, text := range map[string]string{
		"alg none":                forge(t, genuine, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, unchanged),
		"alg HS512":               forge(t, genuine, jwt.SigningMethodHS512, right, unchanged),
		"another app's secret":    forge(t, genuine, jwt.SigningMethodHS256, secretOf(theirs.App, seal.UserToken), unchanged),
		"another app":             forge(t, genuine, jwt.SigningMethodHS256, right, set("app", theirs.App)),
		"another purpose":         forge(t, genuine, jwt.SigningMethodHS256, secretOf(mine.App, seal.Cursor), unchanged),
		"empty secret":            forge(t, genuine, jwt.SigningMethodHS256, []byte{}, unchanged),
		"another app's key":       forge(t, genuine, jwt.SigningMethodHS256, right, set("key", theirs.Key)),
		"no key":                  forge(t, genuine, jwt.SigningMethodHS256, right, set("key", "")),
		"no app":                  forge(t, genuine, jwt.SigningMethodHS256, right, set("app", "")),
		"no user":                 forge(t, genuine, jwt.SigningMethodHS256, right, set("sub", "")),
		"a name for a user":       forge(t, genuine, jwt.SigningMethodHS256, right, set("sub", "ann")),
		"no expiry":               forge(t, genuine, jwt.SigningMethodHS256, right, func(_, c map[string]any) { delete(c, "exp") }),
		"an expiry that is none":  forge(t, genuine, jwt.SigningMethodHS256, right, set("exp", "tomorrow")),
		"another kid":             forge(t, genuine, jwt.SigningMethodHS256, right, func(h, _ map[string]any) { h["kid"] = "2" }),
		"kid 0":                   forge(t, genuine, jwt.SigningMethodHS256, right, func(h, _ map[string]any) { h["kid"] = "0" }),
		"kid beyond 32 bits":      forge(t, genuine, jwt.SigningMethodHS256, right, func(h, _ map[string]any) { h["kid"] = "4294967297" }),
		"kid that is a number":    forge(t, genuine, jwt.SigningMethodHS256, right, func(h, _ map[string]any) { h["kid"] = 1 }),
		"no kid":                  forge(t, genuine, jwt.SigningMethodHS256, right, func(h, _ map[string]any) { delete(h, "kid") }),
		"two signatures":          genuine + "." + genuine[strings.LastIndex(genuine, ".")+1:],
		"header and claims alone": genuine[:strings.LastIndex(genuine, ".")+1],
		"empty":                   "",
		"dots":                    "..",
	} {
		wantRefused(t, name, issuer, text, token.User, fault.TokenInvalid)
	}
	other, _ := newIssuer()
	wantRefused(t, "another installation's", other, genuine, token.User, fault.TokenInvalid)
}

func TestOverlong(t *testing.T) {
	issuer, _ := newIssuer()
	claims := newClaims()
	claims.Device = strings.Repeat("x", 2048)
	wantRefused(t, "a genuine token that is too long", issuer, sign(t, issuer, claims), token.User, fault.TokenInvalid)
	wantRefused(t, "a megabyte", issuer, strings.Repeat("A", 1<<20), token.User, fault.TokenInvalid)
}

func TestFailuresAreUnavailable(t *testing.T) {
	broken := errors.New("no answer")
	issuer, clock := newIssuer()
	text := sign(t, issuer, newClaims())
	issuer.Secrets = seal.NewKeyring(sealtest.Broken{Err: broken}, sealtest.NewWrapper(), clock)
	_, err := issuer.Verify(t.Context(), text, token.User)
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, broken) {
		t.Errorf("Verify without a store: %v, want %s with its cause", err, fault.Unavailable)
	}
	if _, err = issuer.Sign(t.Context(), newClaims()); !errors.Is(err, broken) {
		t.Errorf("Sign without a store: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	clock := clocktest.New(storetest.Noon())
	issuer := &token.Issuer{Secrets: seal.NewKeyring(sealtest.NewStore(), sealtest.NewWrapper(), clock), Clock: clock}
	genuine, err := issuer.Sign(f.Context(), newClaims())
	if err != nil {
		f.Fatal(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	f.Add(genuine)
	f.Add("..")
	f.Add(part([]byte(`{"alg":"HS256","kid":"1"}`)) + "." + part([]byte(`{"exp":1e300,"app":null}`)) + ".AAAA")
	f.Add(part([]byte(`{"alg":"none"}`)) + "." + part([]byte(`{"exp":"x","aud":[1]}`)) + ".")
	f.Fuzz(func(t *testing.T, text string) {
		claims, err := issuer.Verify(t.Context(), text, token.User)
		if text == genuine && err != nil || text != genuine && (!fault.Is(err, fault.TokenInvalid) || claims != (token.Claims{})) {
			t.Fatalf("Verify(%q) = %+v, %v", text, claims, err)
		}
	})
}
