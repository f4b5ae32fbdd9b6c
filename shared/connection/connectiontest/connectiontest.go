// Package connectiontest has what tests of connections share: a store and an API Gateway in memory, and the suite that
// every store passes.
package connectiontest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Store implements connection.Store in memory. Like the table it keeps times to the second and never deletes what has
// expired.
type Store struct {
	records *storetest.Table[owner, connection.Record]
	sockets *storetest.Table[socketPlace, connection.Socket]
	tickets *storetest.Table[socketPlace, time.Time]
	watches *storetest.Table[watchPlace, watch]
	// expiries has when sockets expire, by place.
	expiries sync.Map
}

type owner struct {
	app  id.App
	user id.User
}

// socketPlace is where a socket or a ticket stands.
type socketPlace struct {
	owner
	name string
}

var _ connection.Store = (*Store)(nil)

// NewStore returns an empty store, whose every read sees everything.
func NewStore() *Store { return NewStale(storetest.Staleness{}) }

// NewStale returns an empty store, in which Record, where it is not strong, and ByKey see older states.
func NewStale(stale storetest.Staleness) *Store {
	return &Store{records: storetest.NewTable[owner, connection.Record](stale),
		sockets: storetest.NewTable[socketPlace, connection.Socket](stale),
		tickets: storetest.NewTable[socketPlace, time.Time](storetest.Staleness{}),
		watches: storetest.NewTable[watchPlace, watch](storetest.Staleness{})}
}

// Settle makes everything written so far visible to every read.
func (s *Store) Settle() {
	s.records.Settle()
	s.sockets.Settle()
}

// Register makes a new user's empty record, as registration does; it fits usertest.Store.Routing.
func (s *Store) Register(app id.App, user id.User) {
	s.records.Put(owner{app, user}, connection.Record{Ring: map[id.Conversation]connection.Change{}, Devices: map[string]connection.Device{}})
}

// Note implements connection.Store.
func (s *Store) Note(_ context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (connection.Record, error) {
	return s.change(app, user, func(r *connection.Record) bool {
		r.Version++
		r.Groups = r.Groups || conversation.Group() != ""
		r.Own = r.Own || conversation == id.Pair(app, user, user)
		r.Ring[conversation] = connection.Change{Version: r.Version, Sequence: max(sequence, r.Ring[conversation].Sequence)}
		return true
	})
}

// Trim implements connection.Store.
func (s *Store) Trim(_ context.Context, app id.App, user id.User, version int64, oldest []id.Conversation, floor int64) error {
	_, _ = s.change(app, user, func(r *connection.Record) bool {
		if r.Version != version {
			return false
		}
		for _, conversation := range oldest {
			delete(r.Ring, conversation)
		}
		r.Floor = floor
		return true
	})
	return nil
}

// Record implements connection.Store.
func (s *Store) Record(_ context.Context, app id.App, user id.User, strong bool) (connection.Record, error) {
	found, ok := s.records.Get(owner{app, user}, strong)
	if !ok {
		return connection.Record{}, connection.ErrNotFound
	}
	return clone(found), nil
}

// Attach implements connection.Store.
func (s *Store) Attach(_ context.Context, socket connection.Socket, lease time.Time) (connection.Record, []string, error) {
	var displaced []string
	after, err := s.change(socket.App, socket.User, func(r *connection.Record) bool {
		old, known := r.Devices[socket.Device]
		if !known && len(r.Devices) >= connection.MaxDevices {
			silent := r.Silent()
			old = r.Devices[silent]
			delete(r.Devices, silent)
		}
		if old.Connection != "" && old.Connection != socket.Connection {
			displaced = append(displaced, old.Connection)
		}
		r.Devices[socket.Device] = connection.Device{Connection: socket.Connection, Lease: lease.Unix(), Expires: socket.ExpiresAt.Unix()}
		return true
	})
	return after, displaced, err
}

// Renew implements connection.Store.
func (s *Store) Renew(_ context.Context, socket connection.Socket, lease, expires time.Time) (connection.Record, error) {
	renewed := false
	after, err := s.change(socket.App, socket.User, func(r *connection.Record) bool {
		device, known := r.Devices[socket.Device]
		renewed = known && device.Connection == socket.Connection
		device.Lease = lease.Unix()
		if !expires.IsZero() {
			device.Expires = expires.Unix()
		}
		if renewed {
			r.Devices[socket.Device] = device
		}
		return renewed
	})
	if err == nil && !renewed {
		return connection.Record{}, connection.ErrNotFound
	}
	return after, err
}

// Detach implements connection.Store.
func (s *Store) Detach(_ context.Context, app id.App, user id.User, device, connectionID string, seen time.Time) (connection.Record, error) {
	after, _ := s.change(app, user, func(r *connection.Record) bool {
		entry, known := r.Devices[device]
		if !known || entry.Connection != connectionID {
			return false
		}
		entry.Connection, r.Seen = "", seen.Unix()
		r.Devices[device] = entry
		if connection.Anonymous(device) {
			delete(r.Devices, device)
		}
		return true
	})
	return after, nil
}

// change lets do change a copy of the record and stores it where do says so.
func (s *Store) change(app id.App, user id.User, do func(*connection.Record) bool) (connection.Record, error) {
	after, ok := s.records.Do(owner{app, user}, func(now connection.Record, exists bool) (connection.Record, bool) {
		if !exists {
			return now, false
		}
		next := clone(now)
		if !do(&next) {
			return now, false
		}
		return next, true
	})
	if !ok {
		return connection.Record{}, connection.ErrNotFound
	}
	return clone(after), nil
}

func clone(r connection.Record) connection.Record {
	r.Ring, r.Devices = maps.Clone(r.Ring), maps.Clone(r.Devices)
	return r
}

// PutSocket implements connection.Store.
func (s *Store) PutSocket(_ context.Context, socket connection.Socket, expires time.Time) error {
	s.expiries.Store(placeOf(socket), expires)
	socket.ExpiresAt = socket.ExpiresAt.Truncate(time.Second)
	socket.Window = cloneWindow(socket.Window)
	s.sockets.Put(placeOf(socket), socket)
	return nil
}

// Socket implements connection.Store.
func (s *Store) Socket(_ context.Context, app id.App, user id.User, connectionID string) (connection.Socket, error) {
	found, ok := s.sockets.Get(socketPlace{owner{app, user}, connectionID}, true)
	if !ok {
		return connection.Socket{}, connection.ErrNotFound
	}
	found.Window = cloneWindow(found.Window)
	return found, nil
}

// Opened implements connection.Store.
func (s *Store) Opened(_ context.Context, app id.App, connections map[id.User][]string) (map[string]time.Time, error) {
	opened := map[string]time.Time{}
	for user, names := range connections {
		for _, name := range names {
			place := socketPlace{owner{app, user}, name}
			if _, ok := s.sockets.Get(place, false); ok {
				expires, _ := s.expiries.Load(place)
				opened[name] = expires.(time.Time).Add(-connection.MaxLife).Truncate(time.Second)
			}
		}
	}
	return opened, nil
}

// SetCredential implements connection.Store.
func (s *Store) SetCredential(_ context.Context, socket connection.Socket) error {
	_, ok := s.sockets.Do(placeOf(socket), func(now connection.Socket, exists bool) (connection.Socket, bool) {
		now.Key, now.Epoch, now.ExpiresAt = socket.Key, socket.Epoch, socket.ExpiresAt.Truncate(time.Second)
		return now, exists
	})
	if !ok {
		return connection.ErrNotFound
	}
	return nil
}

// RemoveSocket implements connection.Store.
func (s *Store) RemoveSocket(_ context.Context, socket connection.Socket) error {
	s.sockets.Delete(placeOf(socket))
	return nil
}

// MoveWindow implements connection.Store.
func (s *Store) MoveWindow(_ context.Context, socket connection.Socket, next *connection.Window) (moved bool, err error) {
	s.sockets.Do(placeOf(socket), func(now connection.Socket, exists bool) (connection.Socket, bool) {
		moved = exists && sameWindow(now.Window, socket.Window)
		now.Window = cloneWindow(next)
		return now, moved
	})
	return moved, nil
}

// ByKey implements connection.Store.
func (s *Store) ByKey(_ context.Context, app id.App, key id.Key, now time.Time, after string, limit int) ([]connection.Socket, string, error) {
	position := func(p socketPlace) string { return string(p.user) + "\n" + p.name }
	found := s.sockets.Select(false, func(p socketPlace) bool { return p.app == app && position(p) > after })
	slices.SortFunc(found, func(a, b connection.Socket) int { return cmp.Compare(position(placeOf(a)), position(placeOf(b))) })
	var sockets []connection.Socket
	for _, socket := range found {
		expires, _ := s.expiries.Load(placeOf(socket))
		if socket.Key != key || !expires.(time.Time).After(now) {
			continue
		}
		if len(sockets) == limit {
			return sockets, position(placeOf(sockets[limit-1])), nil
		}
		sockets = append(sockets, connection.Socket{App: app, User: socket.User, Key: key, Device: socket.Device, Connection: socket.Connection,
			OpenedAt: expires.(time.Time).Add(-connection.MaxLife)})
	}
	return sockets, "", nil
}

// Redeem implements connection.Store.
func (s *Store) Redeem(_ context.Context, app id.App, user id.User, ticket string, until time.Time) error {
	if _, inserted := s.tickets.Insert(socketPlace{owner{app, user}, ticket}, until); !inserted {
		return connection.ErrRedeemed
	}
	return nil
}

func placeOf(socket connection.Socket) socketPlace {
	return socketPlace{owner{socket.App, socket.User}, socket.Connection}
}

func cloneWindow(w *connection.Window) *connection.Window {
	if w == nil {
		return nil
	}
	copied := *w
	return &copied
}

func sameWindow(a, b *connection.Window) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
