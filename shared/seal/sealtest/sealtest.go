// Package sealtest has what tests of sealing share: a store in memory, a wrapper that counts, and the suite that every
// store passes.
package sealtest

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Store implements seal.Store in memory. Like the table it keeps times to the millisecond.
type Store struct {
	keys *storetest.Table[place, seal.DataKey]
}

type place struct {
	app    id.App
	number uint32
}

var _ seal.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{keys: storetest.NewTable[place, seal.DataKey](storetest.Staleness{})}
}

// Latest implements seal.Store.
func (s *Store) Latest(_ context.Context, app id.App) (seal.DataKey, error) {
	keys := s.keys.Select(true, func(p place) bool { return p.app == app })
	if len(keys) == 0 {
		return seal.DataKey{}, seal.ErrNoKey
	}
	return slices.MaxFunc(keys, func(a, b seal.DataKey) int { return cmp.Compare(a.Number, b.Number) }), nil
}

// Get implements seal.Store.
func (s *Store) Get(_ context.Context, app id.App, number uint32) (seal.DataKey, error) {
	key, ok := s.keys.Get(place{app, number}, true)
	if !ok {
		return seal.DataKey{}, seal.ErrNoKey
	}
	return key, nil
}

// Create implements seal.Store.
func (s *Store) Create(_ context.Context, app id.App, key seal.DataKey) error {
	key.Wrapped, key.CreatedAt = bytes.Clone(key.Wrapped), key.CreatedAt.Truncate(time.Millisecond)
	if _, inserted := s.keys.Insert(place{app, key.Number}, key); !inserted {
		return seal.ErrExists
	}
	return nil
}

// AddUses implements seal.Store.
func (s *Store) AddUses(_ context.Context, app id.App, number uint32, uses int64) error {
	_, ok := s.keys.Do(place{app, number}, func(key seal.DataKey, exists bool) (seal.DataKey, bool) {
		key.Uses += uses
		return key, exists
	})
	if !ok {
		return seal.ErrNoKey
	}
	return nil
}

// Destroy removes a data key for good.
func (s *Store) Destroy(app id.App, number uint32) { s.keys.Delete(place{app, number}) }

// Broken implements seal.Store: whatever is asked fails.
type Broken struct{ Err error }

var _ seal.Store = Broken{}

// Latest implements seal.Store.
func (b Broken) Latest(context.Context, id.App) (seal.DataKey, error) { return seal.DataKey{}, b.Err }

// Get implements seal.Store.
func (b Broken) Get(context.Context, id.App, uint32) (seal.DataKey, error) {
	return seal.DataKey{}, b.Err
}

// Create implements seal.Store.
func (b Broken) Create(context.Context, id.App, seal.DataKey) error { return b.Err }

// AddUses implements seal.Store.
func (b Broken) AddUses(context.Context, id.App, uint32, int64) error { return b.Err }

// Wrapper is a key file that counts its calls, as KMS bills them.
type Wrapper struct {
	*seal.KeyFile
	// Calls counts Generate and Unwrap.
	Calls atomic.Int64
}

var _ seal.Wrapper = (*Wrapper)(nil)

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
