package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// phc is a hash as a PHC string has it: $argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>, both in raw standard base64. See
// github.com/P-H-C/phc-string-format.
type phc struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
	salt   []byte
	tag    []byte
}

// The bounds of what we compute: whoever can write a stored hash must not choose how much memory and time we spend.
// Between them lies room for higher costs in later years.
const (
	maxPHC       = 256
	maxMemoryKiB = 64 << 10
	maxPasses    = 10
	maxLanes     = 4
	minSalt      = 8 // the least that RFC 9106 allows
	maxSalt      = 64
	minTag       = 16 // a shorter tag is found by chance
	maxTag       = 64
	minPerLane   = 8 // KiB; RFC 9106, 3.1
)

var errMalformed = errors.New("password: malformed hash")

var encoding = base64.RawStdEncoding.Strict()

// parse reads a PHC string. It accepts exactly what String writes, within the bounds; the error never shows the hash.
func parse(text string) (phc, error) {
	if len(text) > maxPHC {
		return phc{}, errMalformed
	}
	parts := strings.Split(text, "$")
	if len(parts) != 6 {
		return phc{}, errMalformed
	}
	var read phc
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &read.memory, &read.passes, &read.lanes); err != nil {
		return phc{}, errMalformed
	}
	var errSalt, errTag error
	read.salt, errSalt = encoding.DecodeString(parts[4])
	read.tag, errTag = encoding.DecodeString(parts[5])
	// One way to write a hash is enough: a leading zero, a line break or another version shows here.
	if errSalt != nil || errTag != nil || !read.bounded() || read.String() != text {
		return phc{}, errMalformed
	}
	return read, nil
}

func (h phc) bounded() bool {
	return within(h.lanes, 1, maxLanes) && within(h.memory, minPerLane*uint32(h.lanes), maxMemoryKiB) &&
		within(h.passes, 1, maxPasses) && within(len(h.salt), minSalt, maxSalt) && within(len(h.tag), minTag, maxTag)
}

func within[N int | uint8 | uint32](number, least, most N) bool {
	return least <= number && number <= most
}

// String returns the PHC string.
func (h phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.lanes,
		encoding.EncodeToString(h.salt), encoding.EncodeToString(h.tag))
}
