package connectiontest

import (
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// fused passes everything on to a store, through a fuse.
type fused struct {
	fuse  *storetest.Fuse
	store connection.Store
}

// FuseStore wraps a store so that the fuse counts and fails its writes.
func FuseStore(fuse *storetest.Fuse, store connection.Store) connection.Store {
	return &fused{fuse, store}
}

func (f *fused) Note(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (after connection.Record, err error) {
	err = f.fuse.Write(func() (err error) {
		after, err = f.store.Note(ctx, app, user, conversation, sequence)
		return err
	})
	return after, err
}

func (f *fused) Trim(ctx context.Context, app id.App, user id.User, version int64, oldest []id.Conversation, floor int64) error {
	return f.fuse.Write(func() error { return f.store.Trim(ctx, app, user, version, oldest, floor) })
}

func (f *fused) Record(ctx context.Context, app id.App, user id.User, strong bool) (connection.Record, error) {
	if err := f.fuse.Read(); err != nil {
		return connection.Record{}, err
	}
	return f.store.Record(ctx, app, user, strong)
}

func (f *fused) Attach(ctx context.Context, socket connection.Socket, lease time.Time) (after connection.Record, displaced []string, err error) {
	err = f.fuse.Write(func() (err error) {
		after, displaced, err = f.store.Attach(ctx, socket, lease)
		return err
	})
	return after, displaced, err
}

func (f *fused) Renew(ctx context.Context, socket connection.Socket, lease, expires time.Time) (after connection.Record, err error) {
	err = f.fuse.Write(func() (err error) {
		after, err = f.store.Renew(ctx, socket, lease, expires)
		return err
	})
	return after, err
}

func (f *fused) Records(ctx context.Context, app id.App, users []id.User, strong bool) (map[id.User]connection.Record, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, err
	}
	return f.store.Records(ctx, app, users, strong)
}

func (f *fused) Detach(ctx context.Context, app id.App, user id.User, device, connectionID string, seen time.Time) (after connection.Record, err error) {
	err = f.fuse.Write(func() (err error) {
		after, err = f.store.Detach(ctx, app, user, device, connectionID, seen)
		return err
	})
	return after, err
}

func (f *fused) PutSocket(ctx context.Context, socket connection.Socket, expires time.Time) error {
	return f.fuse.Write(func() error { return f.store.PutSocket(ctx, socket, expires) })
}

func (f *fused) Socket(ctx context.Context, app id.App, user id.User, connectionID string) (connection.Socket, error) {
	if err := f.fuse.Read(); err != nil {
		return connection.Socket{}, err
	}
	return f.store.Socket(ctx, app, user, connectionID)
}

func (f *fused) Opened(ctx context.Context, app id.App, connections map[id.User][]string) (map[string]time.Time, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, err
	}
	return f.store.Opened(ctx, app, connections)
}

func (f *fused) SetCredential(ctx context.Context, socket connection.Socket) error {
	return f.fuse.Write(func() error { return f.store.SetCredential(ctx, socket) })
}

func (f *fused) RemoveSocket(ctx context.Context, socket connection.Socket) error {
	return f.fuse.Write(func() error { return f.store.RemoveSocket(ctx, socket) })
}

func (f *fused) MoveWindow(ctx context.Context, socket connection.Socket, next *connection.Window) (moved bool, err error) {
	err = f.fuse.Write(func() (err error) {
		moved, err = f.store.MoveWindow(ctx, socket, next)
		return err
	})
	return moved, err
}

func (f *fused) ByKey(ctx context.Context, app id.App, key id.Key, now time.Time, after string, limit int) ([]connection.Socket, string, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, "", err
	}
	return f.store.ByKey(ctx, app, key, now, after, limit)
}

func (f *fused) Redeem(ctx context.Context, app id.App, user id.User, ticket string, until time.Time) error {
	return f.fuse.Write(func() error { return f.store.Redeem(ctx, app, user, ticket, until) })
}

// fusedPoster passes everything on to a poster until the fuse's process is dead.
type fusedPoster struct {
	fuse   *storetest.Fuse
	poster connection.Poster
}

// FusePoster wraps a poster so that a dead process posts nothing. Posts are not counted: they keep no state.
func FusePoster(fuse *storetest.Fuse, poster connection.Poster) connection.Poster {
	return &fusedPoster{fuse, poster}
}

func (f *fusedPoster) Post(ctx context.Context, connectionID string, frame []byte) error {
	if err := f.fuse.Read(); err != nil {
		return err
	}
	return f.poster.Post(ctx, connectionID, frame)
}

func (f *fusedPoster) Close(ctx context.Context, connectionID string) error {
	if err := f.fuse.Read(); err != nil {
		return err
	}
	return f.poster.Close(ctx, connectionID)
}

func (f *fusedPoster) Exists(ctx context.Context, connectionID string) error {
	if err := f.fuse.Read(); err != nil {
		return err
	}
	return f.poster.Exists(ctx, connectionID)
}
