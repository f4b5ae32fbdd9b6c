package seal

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// KeyFile wraps data keys with a master key from a file: what KMS does on AWS, for a laptop.
type KeyFile struct{ aead cipher.AEAD }

// OpenKeyFile reads the master key, 32 bytes in hexadecimal, from the file.
func OpenKeyFile(path string) (*KeyFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the master key: %w", err)
	}
	master, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(master) != 32 {
		return nil, fmt.Errorf("the master key in %s is not 32 bytes of hexadecimal", path)
	}
	return NewKeyFile(master)
}

// NewKeyFile returns a wrapper with the 32-byte master key.
func NewKeyFile(master []byte) (*KeyFile, error) {
	block, err := aes.NewCipher(master)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &KeyFile{aead: aead}, err
}

// Generate implements Wrapper.
func (f *KeyFile) Generate(_ context.Context, context map[string]string) (key, wrapped []byte, err error) {
	key = make([]byte, 32)
	rand.Read(key)
	return key, f.aead.Seal(nil, nil, key, canonical(context)), nil
}

// Unwrap implements Wrapper.
func (f *KeyFile) Unwrap(_ context.Context, wrapped []byte, context map[string]string) ([]byte, error) {
	key, err := f.aead.Open(nil, nil, wrapped, canonical(context))
	if err != nil {
		return nil, fmt.Errorf("unwrap with the key file: %w", err)
	}
	return key, nil
}

// canonical writes a context in one way only: encoding/json sorts the keys of a map.
func canonical(context map[string]string) []byte {
	text, err := json.Marshal(context)
	if err != nil {
		panic(err) // strings always encode
	}
	return text
}
