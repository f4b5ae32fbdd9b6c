package broadcasttest

import (
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/broadcast"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

type fused struct {
	fuse  *storetest.Fuse
	store broadcast.Store
}

// FuseStore wraps a store so that the fuse counts and fails its writes.
func FuseStore(fuse *storetest.Fuse, store broadcast.Store) broadcast.Store {
	return &fused{fuse, store}
}

func (f *fused) Begin(ctx context.Context, begun broadcast.Broadcast, content []byte) (standing broadcast.Broadcast, err error) {
	err = f.fuse.Write(func() (err error) {
		standing, err = f.store.Begin(ctx, begun, content)
		return err
	})
	return standing, err
}

func (f *fused) Get(ctx context.Context, app id.App, job id.Broadcast) (broadcast.Broadcast, error) {
	if err := f.fuse.Read(); err != nil {
		return broadcast.Broadcast{}, err
	}
	return f.store.Get(ctx, app, job)
}

func (f *fused) Content(ctx context.Context, app id.App, job id.Broadcast) ([]byte, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, err
	}
	return f.store.Content(ctx, app, job)
}

func (f *fused) List(ctx context.Context, app id.App, after string, limit int) ([]broadcast.Broadcast, string, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, "", err
	}
	return f.store.List(ctx, app, after, limit)
}

func (f *fused) Cancel(ctx context.Context, app id.App, job id.Broadcast, at time.Time) (after broadcast.Broadcast, err error) {
	err = f.fuse.Write(func() (err error) {
		after, err = f.store.Cancel(ctx, app, job, at)
		return err
	})
	return after, err
}

func (f *fused) Save(ctx context.Context, saved broadcast.Broadcast) (after broadcast.Broadcast, err error) {
	err = f.fuse.Write(func() (err error) {
		after, err = f.store.Save(ctx, saved)
		return err
	})
	return after, err
}

func (f *fused) Release(ctx context.Context, of broadcast.Broadcast) error {
	return f.fuse.Write(func() error { return f.store.Release(ctx, of) })
}
