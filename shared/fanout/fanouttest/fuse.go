package fanouttest

import (
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/fanout"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Kept is what a store of the fan-out does: both of its sides.
type Kept interface {
	fanout.Subscriptions
	fanout.States
}

type fused struct {
	fuse  *storetest.Fuse
	store Kept
}

// Fuse wraps a store so that the fuse counts and fails its writes.
func Fuse(fuse *storetest.Fuse, store Kept) Kept { return &fused{fuse, store} }

func (f *fused) Put(ctx context.Context, subscription fanout.Subscription) error {
	return f.fuse.Write(func() error { return f.store.Put(ctx, subscription) })
}

func (f *fused) Remove(ctx context.Context, subscription fanout.Subscription) error {
	return f.fuse.Write(func() error { return f.store.Remove(ctx, subscription) })
}

func (f *fused) End(ctx context.Context, app id.App, group id.Group, user id.User, sequence int64, until time.Time) error {
	return f.fuse.Write(func() error { return f.store.End(ctx, app, group, user, sequence, until) })
}

func (f *fused) Page(ctx context.Context, app id.App, group id.Group, part fanout.Part, after string, limit int) ([]fanout.Subscription, string, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, "", err
	}
	return f.store.Page(ctx, app, group, part, after, limit)
}

func (f *fused) Get(ctx context.Context, app id.App, group id.Group) (fanout.State, error) {
	if err := f.fuse.Read(); err != nil {
		return fanout.State{}, err
	}
	return f.store.Get(ctx, app, group)
}

func (f *fused) Advance(ctx context.Context, app id.App, group id.Group, handed int64) error {
	return f.fuse.Write(func() error { return f.store.Advance(ctx, app, group, handed) })
}

func (f *fused) Divide(ctx context.Context, app id.App, group id.Group, was, parts int) error {
	return f.fuse.Write(func() error { return f.store.Divide(ctx, app, group, was, parts) })
}

type fusedQueue struct {
	fuse  *storetest.Fuse
	queue fanout.Queue
}

// FuseQueue wraps a queue so that the fuse counts and fails what is sent.
func FuseQueue(fuse *storetest.Fuse, queue fanout.Queue) fanout.Queue {
	return &fusedQueue{fuse, queue}
}

func (f *fusedQueue) SendInOrder(ctx context.Context, jobs []fanout.Job) error {
	return f.fuse.Write(func() error { return f.queue.SendInOrder(ctx, jobs) })
}
