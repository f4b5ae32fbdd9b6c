package seal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
)

const (
	// maxAge rotates a data key by time.
	maxAge = 30 * 24 * time.Hour
	// maxUses rotates a data key at a quarter of the 2^32 messages that NIST SP 800-38D allows with random nonces.
	maxUses = 1 << 30
	// countEvery is how many seals one count stands for: each seal is counted with this probability, so that counting
	// costs next to nothing and does not depend on how long a Lambda lives.
	countEvery = 4096
	// currentFor is how long the number of the current key is believed without a look at the table.
	currentFor = 5 * time.Minute
	// openFor is how long an unwrapped key stays in memory: a destroyed key stops working everywhere within this time.
	openFor = 15 * time.Minute
	// maxApps bounds the apps whose keys one process holds.
	maxApps = 1000
)

// DataKey is a row of the data key table.
type DataKey struct {
	// Number counts an app's data keys from 1.
	Number uint32
	// Wrapped is the key as KMS wrapped it.
	Wrapped []byte
	// CreatedAt is when it was made.
	CreatedAt time.Time
	// Uses estimates how many messages it has sealed.
	Uses int64
}

// Wrapper makes and unwraps data keys: KMS, or a key file on a laptop. The context is authenticated with the key.
type Wrapper interface {
	// Generate returns a new 32-byte key and its wrapped form.
	Generate(ctx context.Context, context map[string]string) (key, wrapped []byte, err error)
	// Unwrap returns the key of a wrapped form that Generate made with the same context.
	Unwrap(ctx context.Context, wrapped []byte, context map[string]string) (key []byte, err error)
}

// ErrExists says that a data key of that number exists already.
var ErrExists = errors.New("seal: the data key exists")

// Store keeps wrapped data keys.
type Store interface {
	// Latest returns the app's data key with the highest number, read strongly; ErrNoKey where the app has none.
	Latest(ctx context.Context, app id.App) (DataKey, error)
	// Get returns the data key of that number, or ErrNoKey.
	Get(ctx context.Context, app id.App, number uint32) (DataKey, error)
	// Create stores the key if none has its number, atomically; else ErrExists.
	Create(ctx context.Context, app id.App, key DataKey) error
	// AddUses adds to the key's Uses, atomically.
	AddUses(ctx context.Context, app id.App, number uint32, uses int64) error
}

// Keyring holds the data keys that a process uses. It is safe for concurrent use; make one per process.
type Keyring struct {
	store   Store
	wrapper Wrapper
	clock   clock.Clock
	chance  func() float64

	mutex   sync.Mutex
	apps    map[id.App]*appKeys
	flights singleflight.Group
}

type appKeys struct {
	current   uint32
	checkedAt time.Time
	opened    map[uint32]openedKey
}

type openedKey struct {
	key []byte
	at  time.Time
}

// NewKeyring returns an empty keyring.
func NewKeyring(store Store, wrapper Wrapper, clock clock.Clock) *Keyring {
	return &Keyring{store: store, wrapper: wrapper, clock: clock, chance: rand.Float64, apps: map[id.App]*appKeys{}}
}

// current returns the number of the app's current data key, making one where there is none or the last is worn out.
func (k *Keyring) current(ctx context.Context, app id.App) (uint32, error) {
	if number, fresh := k.remembered(app); fresh {
		return number, nil
	}
	number, err, _ := k.flights.Do("current "+app.String(), func() (any, error) {
		if number, fresh := k.remembered(app); fresh { // a flight that landed since the look above
			return number, nil
		}
		latest, err := k.store.Latest(ctx, app)
		if errors.Is(err, ErrNoKey) || err == nil && k.wornOut(latest) {
			latest, err = k.rotate(ctx, app, latest.Number+1)
		}
		if err != nil {
			return uint32(0), fmt.Errorf("current data key: %w", err)
		}
		k.remember(app, func(keys *appKeys) { keys.current, keys.checkedAt = latest.Number, k.clock.Now() })
		return latest.Number, nil
	})
	return number.(uint32), err
}

func (k *Keyring) wornOut(key DataKey) bool {
	return k.clock.Now().Sub(key.CreatedAt) > maxAge || key.Uses > maxUses
}

// rotate makes the data key with the number. Where another process was faster, its key is taken.
func (k *Keyring) rotate(ctx context.Context, app id.App, number uint32) (DataKey, error) {
	_, wrapped, err := k.wrapper.Generate(ctx, keyContext(app, number))
	if err != nil {
		return DataKey{}, fmt.Errorf("make a data key: %w", err)
	}
	key := DataKey{Number: number, Wrapped: wrapped, CreatedAt: k.clock.Now()}
	err = k.store.Create(ctx, app, key)
	if errors.Is(err, ErrExists) {
		return k.store.Latest(ctx, app)
	}
	return key, err
}

// open returns the unwrapped data key of the number.
func (k *Keyring) open(ctx context.Context, app id.App, number uint32) ([]byte, error) {
	if key, ok := k.openedKey(app, number); ok {
		return key, nil
	}
	key, err, _ := k.flights.Do(fmt.Sprint("open ", app, " ", number), func() (any, error) {
		if key, ok := k.openedKey(app, number); ok { // a flight that landed since the look above
			return key, nil
		}
		row, err := k.store.Get(ctx, app, number)
		if err != nil {
			return []byte(nil), err
		}
		key, err := k.wrapper.Unwrap(ctx, row.Wrapped, keyContext(app, number))
		if err != nil {
			return []byte(nil), fmt.Errorf("unwrap data key %d: %w", number, err)
		}
		k.remember(app, func(keys *appKeys) { keys.opened[number] = openedKey{key: key, at: k.clock.Now()} })
		return key, nil
	})
	return key.([]byte), err
}

// countUse counts one seal, most often by doing nothing. A count that fails costs accuracy, never a message.
func (k *Keyring) countUse(ctx context.Context, app id.App, number uint32) {
	if k.chance() >= 1.0/countEvery {
		return
	}
	if err := k.store.AddUses(ctx, app, number, countEvery); err != nil {
		slog.WarnContext(ctx, "data key uses not counted", "error", err)
	}
}

func (k *Keyring) remembered(app id.App) (number uint32, fresh bool) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	keys, ok := k.apps[app]
	if !ok || keys.current == 0 {
		return 0, false
	}
	return keys.current, k.clock.Now().Sub(keys.checkedAt) < currentFor
}

func (k *Keyring) openedKey(app id.App, number uint32) ([]byte, bool) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	keys, ok := k.apps[app]
	if !ok {
		return nil, false
	}
	opened, ok := keys.opened[number]
	return opened.key, ok && k.clock.Now().Sub(opened.at) < openFor
}

func (k *Keyring) remember(app id.App, change func(*appKeys)) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	keys, ok := k.apps[app]
	if !ok {
		k.makeRoom()
		keys = &appKeys{opened: map[uint32]openedKey{}}
		k.apps[app] = keys
	}
	change(keys)
}

// makeRoom forgets some app when there are too many; its keys are read again when it comes back.
func (k *Keyring) makeRoom() {
	if len(k.apps) < maxApps {
		return
	}
	for app := range k.apps {
		delete(k.apps, app)
		return
	}
}

// keyContext is what KMS authenticates with a wrapped key and writes to its log.
func keyContext(app id.App, number uint32) map[string]string {
	return map[string]string{"app": app.String(), "data_key": fmt.Sprint(number)}
}
