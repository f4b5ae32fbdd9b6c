package apikeytest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// load is requests with a key, one behind the other in several places at once, each judged as package authn does.
type load struct {
	store  apikey.Store
	key    apikey.Key
	now    time.Time
	ended  atomic.Bool // no request that begins from here on may be accepted
	ending atomic.Bool // a request that ends from here on may be refused
	served atomic.Int64
	done   sync.WaitGroup
}

const loadWorkers = 4

// start begins the load at the time; it goes on until the test ends it.
func start(t *testing.T, store World, key apikey.Key, now time.Time) (*load, context.CancelFunc) {
	l := &load{store: store, key: key, now: now}
	ctx, stop := context.WithCancel(t.Context())
	for range loadWorkers {
		l.done.Go(func() {
			for ctx.Err() == nil {
				l.request(t)
			}
		})
	}
	return l, func() { stop(); l.done.Wait() }
}

func (l *load) request(t *testing.T) {
	defer l.served.Add(1)
	over := l.ended.Load()
	found, err := l.store.Get(t.Context(), l.key.App, l.key.ID)
	if err != nil {
		t.Errorf("Get: %v", err)
		return
	}
	refused := found.Check(apikey.Secret{ID: l.key.ID, Hash: l.key.Hash}, l.now)
	if over && refused == nil {
		t.Error("a request was accepted after the end of its key had been answered")
	}
	if refused != nil && !l.ending.Load() {
		t.Errorf("a request was refused during the overlap: %v", refused)
	}
}

// some waits until the load has been served some more.
func (l *load) some() {
	for until := l.served.Load() + 50; l.served.Load() < until; {
		time.Sleep(time.Millisecond)
	}
}

// end does what ends the key, with requests before, meanwhile and after.
func (l *load) end(t *testing.T, ends func() error) {
	t.Helper()
	l.some()
	l.ending.Store(true)
	err := ends()
	l.ended.Store(true)
	storetest.OK(t, "end the key", err)
	l.some()
}

// runLoad rotates a key with an overlap, in which both keys work, and revokes it then.
func runLoad(t *testing.T, store World) {
	old := create(t, store, NewKey(id.Source{}.App()))
	replaced, made := rotation(old, time.Minute)
	now := replaced.ExpiresAt.Add(-time.Millisecond) // the last of the overlap
	onOld, stopOld := start(t, store, old, now)
	defer stopOld()
	onOld.some()
	_, err := store.Rotate(t.Context(), replaced, made, apikey.Seen{}, told(replaced, made)...)
	storetest.OK(t, "Rotate", err)
	onNew, stopNew := start(t, store, made, now)
	defer stopNew()
	onOld.end(t, func() error {
		_, err := store.Revoke(t.Context(), old.App, old.ID, now, Record(old, record.KeyRevoked))
		return err
	})
	onNew.some() // and nobody has refused it
}

// runLoadAtOnce rotates a key without an overlap: that is its end, by every clock.
func runLoadAtOnce(t *testing.T, store World) {
	old := create(t, store, NewKey(id.Source{}.App()))
	replaced, made := rotation(old, 0)
	onOld, stop := start(t, store, old, made.CreatedAt.Add(-time.Second)) // a clock that is behind
	defer stop()
	onOld.end(t, func() error {
		_, err := store.Rotate(t.Context(), replaced, made, apikey.Seen{}, told(replaced, made)...)
		return err
	})
}
