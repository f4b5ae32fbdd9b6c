// Package seal keeps message text unreadable at rest: envelope encryption with a data key per app.
//
// A data key is made and unwrapped by KMS (locally by a key file), cached in the warm Lambda, and rotated by age and by
// use. From each data key HKDF derives one secret per purpose, so sealing, user tokens, cursors and fingerprints never
// share one, and all of them rotate together.
//
//	sealed, err := keyring.Seal(ctx, app, place, []byte("hello"))
//	text, err := keyring.Open(ctx, app, place, sealed)
package seal

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tokenim/tokenim/shared/id"
)

// ErrOpen says that a ciphertext does not open at this place: it was moved, changed, or sealed under a key that is gone.
var ErrOpen = errors.New("seal: the ciphertext does not open")

// ErrNoKey says that the app has no data key of that number.
var ErrNoKey = errors.New("seal: no such data key")

// Place is where a ciphertext belongs. It is authenticated with the text, so that whoever can write to the tables still
// cannot move a message to another conversation, position or sender.
type Place struct {
	Conversation id.Conversation
	Sequence     int64
	Sender       id.User
}

// Purpose separates the secrets that are derived from one data key.
type Purpose string

// The purposes.
const (
	Content     Purpose = "tokenim content v1"
	UserToken   Purpose = "tokenim user token v1"
	Cursor      Purpose = "tokenim cursor v1"
	Fingerprint Purpose = "tokenim fingerprint v1"
)

const (
	version      = 1
	headerLength = 5 // version and the data key's number
)

// Seal encrypts the text for the place under the app's current data key. The result is 33 bytes longer than the text:
// version, key number, 12-byte nonce, 16-byte tag.
func (k *Keyring) Seal(ctx context.Context, app id.App, place Place, text []byte) ([]byte, error) {
	number, err := k.current(ctx, app)
	if err != nil {
		return nil, err
	}
	aead, err := k.aead(ctx, app, number)
	if err != nil {
		return nil, err
	}
	k.countUse(ctx, app, number)
	sealed := append([]byte{version}, binary.BigEndian.AppendUint32(nil, number)...)
	return aead.Seal(sealed, nil, text, place.bind(app, sealed)), nil
}

// Open decrypts what Seal made for the same app and place; anything else is ErrOpen.
func (k *Keyring) Open(ctx context.Context, app id.App, place Place, sealed []byte) ([]byte, error) {
	if len(sealed) < headerLength || sealed[0] != version {
		return nil, ErrOpen
	}
	header := sealed[:headerLength]
	aead, err := k.aead(ctx, app, binary.BigEndian.Uint32(header[1:]))
	if errors.Is(err, ErrNoKey) {
		return nil, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	if err != nil {
		return nil, err
	}
	text, err := aead.Open(nil, nil, sealed[headerLength:], place.bind(app, header))
	if err != nil {
		return nil, ErrOpen
	}
	return text, nil
}

// bind returns the associated data: everything that says where the ciphertext belongs, each part with its length, so
// that no two places read alike.
func (p Place) bind(app id.App, header []byte) []byte {
	data := append([]byte{}, header...)
	for _, part := range []string{app.String(), string(p.Conversation), string(p.Sender)} {
		data = binary.BigEndian.AppendUint32(data, uint32(len(part)))
		data = append(data, part...)
	}
	return binary.BigEndian.AppendUint64(data, uint64(p.Sequence))
}

// MAC returns the HMAC-SHA256 of the data for the purpose under the app's current data key, and that key's number.
func (k *Keyring) MAC(ctx context.Context, app id.App, purpose Purpose, data []byte) (number uint32, tag []byte, err error) {
	number, secret, err := k.Secret(ctx, app, purpose)
	if err != nil {
		return 0, nil, err
	}
	return number, mac(secret, data), nil
}

// VerifyMAC tells whether the tag is the data's for the purpose under the data key of that number.
func (k *Keyring) VerifyMAC(ctx context.Context, app id.App, purpose Purpose, number uint32, data, tag []byte) (bool, error) {
	secret, err := k.SecretOf(ctx, app, number, purpose)
	if errors.Is(err, ErrNoKey) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return hmac.Equal(mac(secret, data), tag), nil
}

// Secret returns the 32-byte secret of the purpose under the app's current data key, and that key's number.
func (k *Keyring) Secret(ctx context.Context, app id.App, purpose Purpose) (uint32, []byte, error) {
	number, err := k.current(ctx, app)
	if err != nil {
		return 0, nil, err
	}
	secret, err := k.SecretOf(ctx, app, number, purpose)
	return number, secret, err
}

// SecretOf returns the 32-byte secret of the purpose under the data key of that number; ErrNoKey where there is none.
func (k *Keyring) SecretOf(ctx context.Context, app id.App, number uint32, purpose Purpose) ([]byte, error) {
	key, err := k.open(ctx, app, number)
	if err != nil {
		return nil, err
	}
	return hkdf.Expand(sha256.New, key, string(purpose), 32)
}

func (k *Keyring) aead(ctx context.Context, app id.App, number uint32) (cipher.AEAD, error) {
	secret, err := k.SecretOf(ctx, app, number, Content)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	// Random 96-bit nonces are safe to 2^32 messages a key; rotation comes well before (maxUses).
	return cipher.NewGCMWithRandomNonce(block)
}

func mac(secret, data []byte) []byte {
	digest := hmac.New(sha256.New, secret)
	digest.Write(data)
	return digest.Sum(nil)
}
