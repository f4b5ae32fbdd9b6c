package password_test

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/password"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

const good = "correct horse battery staple"

func hash(t *testing.T, text string) string {
	t.Helper()
	made, err := password.Hash(t.Context(), text)
	storetest.OK(t, "Hash", err)
	return made
}

func wantVerified(t *testing.T, hash, text string, want bool) {
	t.Helper()
	if got, err := password.Verify(t.Context(), hash, text); err != nil || got != want {
		t.Errorf("Verify(%q, %q) = %v, %v; want %v", hash, text, got, err, want)
	}
}

// The hashes are from the reference implementation in C, by way of argon2-cffi 25.1.0.
const (
	vectorASCII = "$argon2id$v=19$m=19456,t=2,p=1$dG9rZW5pbS1zYWx0LTAwMQ$PI59jpnyXJmN+sdHJvRnnANkzn1NnqoiNrwvN9+BeiQ"
	vectorText  = "$argon2id$v=19$m=19456,t=2,p=1$AP8QgCBzaXh0ZWVuYnl0ZQ$DVtIaj85r/9W8jNgWsf7DoKzczX3q6aGQE0irstHXLk"
	vectorOther = "$argon2id$v=19$m=1024,t=3,p=2$c29tZXNhbHQ$lzTo6jyelE3URXaqW5FRbK51y9m3n3uq/vIi0dESYSg"
)

func TestVectors(t *testing.T) {
	for hash, text := range map[string]string{
		vectorASCII: good, vectorText: "Grüße aus Zürich, 周杰倫", vectorOther: "a",
	} {
		wantVerified(t, hash, text, true)
		wantVerified(t, hash, text+" ", false)
		wantVerified(t, hash, strings.ToUpper(text), false)
		wantVerified(t, hash, "", false)
	}
}

func TestHashAndVerify(t *testing.T) {
	first, second := hash(t, good), hash(t, good)
	if first == second {
		t.Error("two hashes of one password are the same: the salt is not random")
	}
	if !strings.HasPrefix(first, "$argon2id$v=19$m=19456,t=2,p=1$") || len(first) != len(vectorASCII) {
		t.Errorf("Hash = %q", first)
	}
	wantVerified(t, first, good, true)
	wantVerified(t, second, good, true)
	wantVerified(t, first, good[1:], false)
}

// However a keyboard composes accents and spaces, it is the same password; case and width make another one.
func TestPasswordsAreComparedAsPRECISHasThem(t *testing.T) {
	stored := hash(t, "Zu\u0308rich\u00a0im Fru\u0308hling")
	wantVerified(t, stored, "Zürich im Frühling", true)
	wantVerified(t, stored, "Z\u00fcrich\u3000im\u2003Fr\u00fchling", true)
	wantVerified(t, stored, "zürich im frühling", false)
	wantVerified(t, stored, "Ｚürich im Frühling", false)
}

func TestNeedsRehash(t *testing.T) {
	for hash, want := range map[string]bool{
		vectorASCII: false, hash(t, good): false, password.Dummy(): false, vectorOther: true, "": true, "$2b$12$x": true,
		strings.Replace(vectorASCII, "t=2", "t=3", 1): true,
	} {
		if got := password.NeedsRehash(hash); got != want {
			t.Errorf("NeedsRehash(%q) = %v", hash, got)
		}
	}
}

func TestDummy(t *testing.T) {
	dummy := password.Dummy()
	if dummy != password.Dummy() || len(dummy) != len(vectorASCII) {
		t.Errorf("Dummy = %q, then %q", dummy, password.Dummy())
	}
	for _, text := range []string{"", good, dummy} {
		wantVerified(t, dummy, text, false)
	}
}

// The length of a password is bounded before it is normalised or hashed: what a caller sends must not decide how much
// we compute. Every slot for hashing is taken, so that whatever gets as far as a hash fails otherwise.
func TestCVE_2026_24458_UnboundedPasswordLength(t *testing.T) {
	defer password.Occupy()()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, text := range map[string]string{
		"many bytes":       strings.Repeat("a", 100<<20),
		"one byte more":    strings.Repeat("周", password.MaxBytes/3) + "ab",
		"one more":         strings.Repeat("a", password.MaxLength+1),
		"marks to reorder": "a" + strings.Repeat("\u0316\u0301", password.MaxLength),
		"not UTF-8":        strings.Repeat("\xff", password.MaxBytes+1),
	} {
		if _, err := password.Hash(ctx, text); !fault.Is(err, fault.PasswordTooLong) {
			t.Errorf("Hash of %s: %v", name, err)
		}
		if err := password.Check(text, false); !fault.Is(err, fault.PasswordTooLong) {
			t.Errorf("Check of %s: %v", name, err)
		}
		if ok, err := password.Verify(ctx, vectorASCII, text); ok || err != nil {
			t.Errorf("Verify of %s = %v, %v", name, ok, err)
		}
	}
}

func TestLongPasswordsCount(t *testing.T) {
	for _, character := range []string{"a", "é", "周", "😀"} {
		longest := strings.Repeat(character, password.MaxLength-1) + "z"
		if utf8.RuneCountInString(longest) < 128 {
			t.Fatal("at least 128 characters have to be allowed")
		}
		stored := hash(t, longest)
		wantVerified(t, stored, longest, true)
		wantVerified(t, stored, longest[:len(longest)-1]+"y", false)
		wantVerified(t, stored, longest+"z", false)
	}
}

func TestTextThatIsNone(t *testing.T) {
	for _, text := range []string{"a\x00b and so on, on", "tab\tand so on, on", "\xff\xfe and so on, on",
		"\u0378 and so on, on", "a\u200db and so on, on"} {
		if _, err := password.Hash(t.Context(), text); !fault.Is(err, fault.PasswordInvalid) {
			t.Errorf("Hash(%q): %v", text, err)
		}
		if err := password.Check(text, false); !fault.Is(err, fault.PasswordInvalid) {
			t.Errorf("Check(%q): %v", text, err)
		}
		wantVerified(t, vectorASCII, text, false)
	}
}

// However many log in, only so many hashes are computed at once; who cannot wait any longer gets a refusal.
func TestHashingWaitsForItsTurn(t *testing.T) {
	release := password.Occupy()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := password.Hash(ctx, good); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Hash: %v", err)
	}
	if _, err := password.Verify(ctx, vectorASCII, good); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Verify: %v", err)
	}
	release()
	for _, err := range storetest.AtOnce(storetest.Racers, func(int) error {
		_, err := password.Verify(t.Context(), vectorASCII, good)
		return err
	}) {
		storetest.OK(t, "Verify", err)
	}
}

func TestMalformedHashes(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(vectorASCII, old, new, 1) }
	for _, hash := range []string{
		"", "$", "$$$$$", good, vectorASCII[1:], vectorASCII + "$", vectorASCII + "=", vectorASCII + "\n",
		replace("argon2id", "argon2i"), replace("v=19", "v=16"), replace("v=19", "v=019"), replace("m=", "m=0"),
		replace("m=19456", "m=+19456"), replace("t=2,p=1", "p=1,t=2"), replace(",p=1", ""), replace("p=1", "p=1,x=1"),
		replace("$dG9r", "$dG\n9r"), replace("dG9rZW5pbS1zYWx0LTAwMQ", "dG9rZW5pbS1zYWx0LTAwMR"),
		// Out of bounds: nothing of these is computed.
		replace("m=19456", "m=4294967295"), replace("m=19456", "m=65537"), replace("m=19456", "m=7"), replace("m=19456",
			"m=-1"),
		replace("t=2", "t=0"), replace("t=2", "t=11"), replace("p=1", "p=0"), replace("p=1", "p=5"), replace("p=1", "p=256"),
		replace("dG9rZW5pbS1zYWx0LTAwMQ", ""), replace("PI59jpnyXJmN+sdHJvRnnANkzn1NnqoiNrwvN9+BeiQ", "PI59"),
		replace("dG9r", strings.Repeat("dG9r", 30)), replace("dG9r", strings.Repeat("dG9r", 1<<20)),
	} {
		ok, err := password.Verify(t.Context(), hash, good)
		if ok || err == nil || fault.Of(err).Code != fault.Internal {
			t.Errorf("Verify(%.200q) = %v, %v", hash, ok, err)
		}
		if err != nil && hash != "" && strings.Contains(err.Error(), hash) {
			t.Errorf("the error shows the hash: %v", err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, hash := range []string{vectorASCII, vectorText, vectorOther, "", "$argon2id$v=19$m=8,t=1,p=1$$"} {
		f.Add(hash)
	}
	f.Fuzz(func(t *testing.T, hash string) {
		if again, err := password.Reparse(hash); err == nil && again != hash {
			t.Fatalf("%q reads as %q", hash, again)
		}
	})
}

func TestGuard(t *testing.T) {
	for megabytes, passes := range map[string]bool{
		"": true, "512": true, "1769": true, "511": false, "128": false, "0": false, "-1": false, "much": false,
		strconv.Itoa(password.LeastMemory): true,
	} {
		if err := password.Guard(megabytes); (err == nil) != passes {
			t.Errorf("Guard(%q) = %v", megabytes, err)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := password.Hash(b.Context(), good); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyAtOnce(b *testing.B) {
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(each *testing.PB) {
		for each.Next() {
			if _, err := password.Verify(b.Context(), vectorASCII, good); err != nil {
				b.Error(err)
			}
		}
	})
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(memory.Sys)/(1<<20), "MiB-from-the-system")
}

func BenchmarkCheck(b *testing.B) {
	worst := strings.Repeat("\ufdfa", password.MaxLength-1) + "z" // each unfolds into 18 characters
	for name, text := range map[string]string{"usual": good, "worst": worst} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := password.Check(text, false, "ann.lee@example.com", "Ann Lee"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
