package totp_test

import (
	"bytes"
	"encoding/base32"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/totp"
)

// rfcSecret is the seed for SHA-1 of RFC 6238, appendix B: "12345678901234567890".
const rfcSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// The codes of appendix B have eight digits; ours are the last six of them.
var rfcVectors = map[int64]string{
	59: "94287082", 1111111109: "07081804", 1111111111: "14050471",
	1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
}

func TestRFC6238Vectors(t *testing.T) {
	for seconds, code := range rfcVectors {
		wantStep(t, rfcSecret, code[2:], time.Unix(seconds, 0), seconds/30)
		wantStep(t, rfcSecret, code, time.Unix(seconds, 0), -1)
	}
}

// wantStep checks which step a code is of; -1 means that it is refused.
func wantStep(t *testing.T, secret, code string, now time.Time, want int64) {
	t.Helper()
	step, ok := totp.Step(secret, code, now)
	if ok != (want >= 0) || ok && step != want {
		t.Errorf("Step(%q at %v) = %d, %v; want %d", code, now.Unix(), step, ok, want)
	}
}

func TestWindow(t *testing.T) {
	const step, code = 1111111109 / 30, "081804"
	begin := time.Unix(step*30, 0)
	for offset, good := range map[time.Duration]bool{
		-31 * time.Second: false, -30 * time.Second: true, -time.Millisecond: true, 0: true, 29 * time.Second: true,
		30 * time.Second: true, 59999 * time.Millisecond: true, 60 * time.Second: false, -time.Hour: false, 24 * time.Hour: false,
	} {
		want := int64(step)
		if !good {
			want = -1
		}
		wantStep(t, rfcSecret, code, begin.Add(offset), want)
	}
	wantStep(t, rfcSecret, code, time.Unix(0, 0), -1)
	wantStep(t, rfcSecret, code, time.Time{}, -1)
	wantStep(t, rfcSecret, generate(rfcSecret, 1), time.Unix(-1, 0), -1) // two steps on
	wantStep(t, rfcSecret, generate(rfcSecret, 0), time.Unix(-1, 0), 0)
}

func TestCodesAsTheyAreTyped(t *testing.T) {
	now := time.Unix(59, 0)
	for _, code := range []string{"287082", " 287082", "287 082", "2 8 7 0 8 2\n", "\u00a0287\u3000082\t"} {
		wantStep(t, rfcSecret, code, now, 1)
	}
	for _, code := range []string{"", " ", "287083", "28708", "2870820", "287-082", "+87082", "-87082", "２８７０８２",
		"0x4612", "287082x",
		"２87082", "\x00287082", strings.Repeat(" ", 200) + "287082", strings.Repeat("2", 1<<20)} {
		wantStep(t, rfcSecret, code, now, -1)
	}
}

func TestSecretsThatAreNone(t *testing.T) {
	for _, secret := range []string{"not base32!", "1", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1"} {
		wantStep(t, secret, "287082", time.Unix(59, 0), -1)
		if uri, err := totp.URI(secret, "ann@example.com"); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("URI(%q) = %q, %v", secret, uri, err)
		}
	}
	if _, err := totp.URI("", "ann@example.com"); err == nil {
		t.Error("URI without a secret")
	}
	if _, err := totp.URI(rfcSecret, ""); err == nil {
		t.Error("URI without an address")
	}
}

// A code that was accepted once is refused for the rest of its life, and so are those before it: the stored step is
// passed by a greater one only.
func TestCVE_2026_27855_ReplayOfACode(t *testing.T) {
	last := int64(-1)
	accept := func(code string, now time.Time) bool {
		step, ok := totp.Step(rfcSecret, code, now)
		if !ok || step <= last {
			return false
		}
		last = step
		return true
	}
	const current, previous = "050471", "081804" // of neighbouring steps
	now := time.Unix(1111111111, 0)
	if !accept(current, now) {
		t.Fatal("the first use is refused")
	}
	for offset := -30; offset <= 60; offset++ {
		for _, code := range []string{current, " 050 471 ", previous} {
			if accept(code, now.Add(time.Duration(offset)*time.Second)) {
				t.Errorf("%q is accepted again %d s later", code, offset)
			}
		}
	}
}

// Of two steps with one code the later one is named, or the code could be used once for each.
func TestACodeOfTwoStepsIsSpentForBoth(t *testing.T) {
	const first, code = 153567, "468457" // found by search
	if generate(rfcSecret, first) != code || generate(rfcSecret, first+2) != code {
		t.Fatal("the codes differ")
	}
	wantStep(t, rfcSecret, code, time.Unix((first+1)*30, 0), first+2)
	wantStep(t, rfcSecret, code, time.Unix(first*30, 0), first)
}

func TestSecret(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		secret := totp.Source{}.Secret()
		raw, err := base32.StdEncoding.DecodeString(secret) // 32 characters, so there is no padding
		if err != nil || len(raw) != 20 || seen[secret] {
			t.Fatalf("Secret = %q, %v", secret, err)
		}
		seen[secret] = true
	}
	if got := (totp.Source{Random: strings.NewReader("12345678901234567890")}).Secret(); got != rfcSecret {
		t.Errorf("Secret = %q", got)
	}
}

func TestNoRandomnessPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a secret was made of nothing")
		}
	}()
	totp.Source{Random: strings.NewReader("short")}.Secret()
}

func TestURI(t *testing.T) {
	text, err := totp.URI(rfcSecret, "ann+dev@example.com")
	storetest.OK(t, "URI", err)
	uri, err := url.Parse(text)
	storetest.OK(t, "parse", err)
	query := uri.Query()
	if uri.Scheme != "otpauth" || uri.Host != "totp" || uri.Path != "/TokenIM:ann+dev@example.com" ||
		query.Get("secret") != rfcSecret || query.Get("issuer") != "TokenIM" || query.Get("algorithm") != "SHA1" ||
		query.Get("digits") != "6" || query.Get("period") != "30" {
		t.Errorf("URI = %s", text)
	}
}

// The picture is the library's code, in black on white, with four modules of white around it.
func TestQR(t *testing.T) {
	for _, email := range []string{"a@b.cd",
		"ann.lee@example.com", strings.Repeat("a", 64) + "@" + strings.Repeat("b", 185) + ".com"} {
		uri, err := totp.URI(rfcSecret, email)
		storetest.OK(t, "URI", err)
		file, err := totp.QR(uri)
		storetest.OK(t, "QR", err)
		picture, err := png.Decode(bytes.NewReader(file))
		storetest.OK(t, "decode", err)
		if picture.Bounds() != image.Rect(0, 0, 304, 304) || len(file) > 4096 {
			t.Errorf("%v, %d bytes", picture.Bounds(), len(file))
		}
		key, err := otp.NewKeyFromURL(uri)
		storetest.OK(t, "key", err)
		want, err := key.Image(256, 256)
		storetest.OK(t, "Image", err)
		for x := range 304 {
			for y := range 304 {
				inside := image.Pt(x-24, y-24)
				expected := inside.In(want.Bounds()) && black(want.At(inside.X, inside.Y))
				if black(picture.At(x, y)) != expected {
					t.Fatalf("%d, %d is %v", x, y, picture.At(x, y))
				}
			}
		}
	}
}

func black(c color.Color) bool { return color.GrayModel.Convert(c).(color.Gray).Y < 128 }

func TestQRRefusesWhatItCannotDraw(t *testing.T) {
	for _, uri := range []string{"%", strings.Repeat("x", 5000)} {
		if _, err := totp.QR(uri); err == nil || strings.Contains(err.Error(), "xxx") {
			t.Errorf("QR(%.10q): %v", uri, err)
		}
	}
}

// The steps that are accepted are exactly the current one and its neighbours, whatever the secret and the time.
func TestStepsAround(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		secret := base32.StdEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(r, "secret"))
		seconds, off := rapid.Int64Range(300, 1<<40).Draw(r, "seconds"), rapid.Int64Range(-4, 4).Draw(r, "off")
		step, ok := totp.Step(secret, generate(secret, seconds/30+off), time.Unix(seconds, 0))
		near := off >= -1 && off <= 1
		if near && !ok || ok && (step < seconds/30-1 || step > seconds/30+1) {
			r.Fatalf("%d off: %d, %v", off, step, ok)
		}
	})
}

func FuzzStep(f *testing.F) {
	f.Add(rfcSecret, "287082", int64(59))
	f.Add(rfcSecret, " 287 082 ", int64(-1))
	f.Add("", "", int64(0))
	f.Add("a=b", "000000", int64(-1<<63))
	f.Fuzz(func(t *testing.T, secret, code string, seconds int64) {
		step, ok := totp.Step(secret, code, time.Unix(seconds, 0))
		if ok && len(strings.Join(strings.Fields(code), "")) != 6 {
			t.Fatalf("Step(%q, %q, %d) = %d", secret, code, seconds, step)
		}
	})
}
