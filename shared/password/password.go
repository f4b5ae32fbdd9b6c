// Package password decides which passwords are good enough and keeps them as argon2id hashes.
//
//	if err := password.Check(text, false, email, name); err != nil { … a refusal for the caller … }
//	hash, err := password.Hash(ctx, text) // stored
//	…
//	ok, err := password.Verify(ctx, hash, attempt) // password.Dummy() in place of hash for an unknown address
//	if ok && password.NeedsRehash(hash) { … hash again … }
//
// A password's length is bounded before anything is computed from it: a hash costs time and memory, and nobody may
// choose how much. Hashing is the same work for every password within the bounds.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/secure/precis"

	"github.com/tokenim/tokenim/shared/fault"
)

const (
	// MinLength is how many characters (Unicode code points) a password has at least: NIST SP 800-63B-4, 3.1.1.2.
	MinLength = 15
	// MinLengthSecondFactor is the same where a second factor is on.
	MinLengthSecondFactor = 8
	// MaxLength is how many characters a password has at most.
	MaxLength = 256
	// MaxBytes bounds the same in bytes of UTF-8: MaxLength characters of the longest kind.
	MaxBytes = 4 * MaxLength
)

// The cost of a hash, by the OWASP Password Storage Cheat Sheet: 19 MiB of memory, two passes, one lane.
const (
	memoryKiB = 19456
	passes    = 2
	lanes     = 1
	saltBytes = 16
	tagBytes  = 32
)

// concurrent is how many hashes one process computes at once; more wait. A Lambda function serves one request at a time,
// but the laptop's process and tests serve many, and each hash takes memoryKiB.
const concurrent = 4

var slots = make(chan struct{}, concurrent)

// LeastMemory is how many megabytes a Lambda function that hashes has at least. Memory buys processor time there too:
// with less, a login takes seconds.
const LeastMemory = 512

// Guard returns an error where the function is too small to hash. Its argument is what Lambda sets in
// AWS_LAMBDA_FUNCTION_MEMORY_SIZE; "" means that this is no Lambda function, and passes. Programs call it at start.
func Guard(megabytes string) error {
	if megabytes == "" {
		return nil
	}
	size, err := strconv.Atoi(megabytes)
	if err != nil {
		return fmt.Errorf("password: memory size: %w", err)
	}
	if size < LeastMemory {
		return fmt.Errorf("password: a function of %d MB is too small to hash passwords; the least is %d MB", size, LeastMemory)
	}
	return nil
}

// Hash returns the hash of a password as a PHC string, under a salt of its own. It refuses what is too long
// (fault.PasswordTooLong) or is not text (fault.PasswordInvalid); all else is Check's. fault.Unavailable says that the
// context ended while others were being hashed.
func Hash(ctx context.Context, text string) (string, error) {
	normal, err := normalise(text)
	if err != nil {
		return "", err
	}
	made := phc{memory: memoryKiB, passes: passes, lanes: lanes, salt: random(saltBytes), tag: make([]byte, tagBytes)}
	made.tag, err = compute(ctx, made, normal)
	if err != nil {
		return "", err
	}
	return made.String(), nil
}

// Verify tells whether the hash is the password's. A password that could never have been set (too long, not text) is
// not, whatever the hash: the answer and its time then say nothing about the account. An error is a malformed hash, a
// defect, or fault.Unavailable as in Hash.
func Verify(ctx context.Context, hash, text string) (bool, error) {
	stored, err := parse(hash)
	if err != nil {
		return false, err
	}
	normal, err := normalise(text)
	if err != nil {
		return false, nil
	}
	tag, err := compute(ctx, stored, normal)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(tag, stored.tag) == 1, nil
}

// NeedsRehash tells whether the hash was made at another cost than Hash's, or is malformed. Whoever has just verified a
// password against it stores a new one.
func NeedsRehash(hash string) bool {
	stored, err := parse(hash)
	return err != nil || stored.memory != memoryKiB || stored.passes != passes || stored.lanes != lanes ||
		len(stored.salt) != saltBytes || len(stored.tag) != tagBytes
}

var dummy = sync.OnceValue(func() string {
	return phc{memory: memoryKiB, passes: passes, lanes: lanes, salt: random(saltBytes), tag: random(tagBytes)}.String()
})

// Dummy returns a hash of no known password, at Hash's cost: whoever logs in with an unknown address is verified against
// it, so that the answer takes as long as for a known one. Its tag is random, so making it costs nothing.
func Dummy() string { return dummy() }

// compute hashes with the parameters and the salt; the tag gets the length of the given one.
func compute(ctx context.Context, h phc, normal string) ([]byte, error) {
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return nil, fault.Wrap(fmt.Errorf("wait to hash: %w", ctx.Err()), fault.Unavailable)
	}
	return argon2.IDKey([]byte(normal), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.tag))), nil
}

// normalise bounds the text and returns it as PRECIS OpaqueString (RFC 8265) has it, so that a password typed on another
// keyboard, which composes accents or spaces otherwise, is the same one. The bytes are bounded before anything looks at
// them.
func normalise(text string) (string, error) {
	if len(text) > MaxBytes || utf8.RuneCountInString(text) > MaxLength {
		return "", fault.New(fault.PasswordTooLong, MaxLength, MaxBytes)
	}
	if !utf8.ValidString(text) {
		return "", fault.New(fault.PasswordInvalid)
	}
	if text == "" {
		return "", nil // OpaqueString refuses it; here it is merely too short
	}
	normal, err := precis.OpaqueString.String(text)
	if err != nil {
		return "", fault.Wrap(err, fault.PasswordInvalid)
	}
	return normal, nil
}

func random(n int) []byte {
	bytes := make([]byte, n)
	_, _ = rand.Read(bytes) // never fails: it ends the program where there is no randomness
	return bytes
}
