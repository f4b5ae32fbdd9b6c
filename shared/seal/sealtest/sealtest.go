// Package sealtest has what tests of sealing share: a store in memory, a wrapper that counts, and the suite that every
// store passes.
package sealtest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
)

// Store implements seal.Store in memory.
type Store struct {
	mutex sync.Mutex
	keys  map[id.App][]seal.DataKey
}

var _ seal.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store { return &Store{keys: map[id.App][]seal.DataKey{}} }

// Latest implements seal.Store.
func (s *Store) Latest(_ context.Context, app id.App) (seal.DataKey, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	keys := s.keys[app]
	if len(keys) == 0 {
		return seal.DataKey{}, seal.ErrNoKey
	}
	return keys[len(keys)-1], nil
}

// Get implements seal.Store.
func (s *Store) Get(_ context.Context, app id.App, number uint32) (seal.DataKey, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if number == 0 || int(number) > len(s.keys[app]) {
		return seal.DataKey{}, seal.ErrNoKey
	}
	return s.keys[app][number-1], nil
}

// Create implements seal.Store; numbers count from 1 without gaps, as a keyring makes them.
func (s *Store) Create(_ context.Context, app id.App, key seal.DataKey) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if int(key.Number) != len(s.keys[app])+1 {
		return seal.ErrExists
	}
	s.keys[app] = append(s.keys[app], key)
	return nil
}

// AddUses implements seal.Store.
func (s *Store) AddUses(_ context.Context, app id.App, number uint32, uses int64) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if number == 0 || int(number) > len(s.keys[app]) {
		return seal.ErrNoKey
	}
	s.keys[app][number-1].Uses += uses
	return nil
}

// Wrapper is a key file that counts its calls, as KMS bills them.
type Wrapper struct {
	*seal.KeyFile
	// Calls counts Generate and Unwrap.
	Calls atomic.Int64
}

// NewWrapper returns a wrapper with a fixed master key.
func NewWrapper() *Wrapper {
	file, err := seal.NewKeyFile(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		panic(err)
	}
	return &Wrapper{KeyFile: file}
}

// Generate implements seal.Wrapper.
func (w *Wrapper) Generate(ctx context.Context, context map[string]string) ([]byte, []byte, error) {
	w.Calls.Add(1)
	return w.KeyFile.Generate(ctx, context)
}

// Unwrap implements seal.Wrapper.
func (w *Wrapper) Unwrap(ctx context.Context, wrapped []byte, context map[string]string) ([]byte, error) {
	w.Calls.Add(1)
	return w.KeyFile.Unwrap(ctx, wrapped, context)
}

// NewKeyring returns a keyring on a store in memory.
func NewKeyring() *seal.Keyring {
	return seal.NewKeyring(NewStore(), NewWrapper(), clock.System{})
}

// Run checks that a store keeps the contract of seal.Store.
func Run(t *testing.T, store seal.Store) {
	ctx, app := t.Context(), id.Source{}.App()
	if _, err := store.Latest(ctx, app); !errors.Is(err, seal.ErrNoKey) {
		t.Fatalf("Latest of an app without keys: %v, want ErrNoKey", err)
	}
	made := time.UnixMilli(1_700_000_000_123).UTC()
	for number := uint32(1); number <= 12; number++ {
		key := seal.DataKey{Number: number, Wrapped: []byte{byte(number), 0, 255}, CreatedAt: made}
		if err := store.Create(ctx, app, key); err != nil {
			t.Fatalf("Create %d: %v", number, err)
		}
		if err := store.Create(ctx, app, key); !errors.Is(err, seal.ErrExists) {
			t.Fatalf("Create %d again: %v, want ErrExists", number, err)
		}
	}
	latest, err := store.Latest(ctx, app)
	if err != nil || latest.Number != 12 || !latest.CreatedAt.Equal(made) {
		t.Fatalf("Latest = %+v, %v; want number 12 of %v", latest, err, made)
	}
	if err := store.AddUses(ctx, app, 7, 5); err != nil {
		t.Fatalf("AddUses: %v", err)
	}
	seventh, err := store.Get(ctx, app, 7)
	if err != nil || seventh.Uses != 5 || !bytes.Equal(seventh.Wrapped, []byte{7, 0, 255}) {
		t.Fatalf("Get 7 = %+v, %v", seventh, err)
	}
	if _, err := store.Get(ctx, app, 13); !errors.Is(err, seal.ErrNoKey) {
		t.Fatalf("Get 13: %v, want ErrNoKey", err)
	}
	if err := store.AddUses(ctx, app, 13, 1); err == nil {
		t.Fatal("AddUses on a key that does not exist succeeded")
	}
}
