package grouptest

import (
	"context"

	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Stored is what a store of groups does: both of its sides.
type Stored interface {
	group.Store
	message.Groups
}

type fused struct {
	Stored
	fuse *storetest.Fuse
}

// Fuse wraps a store so that the fuse counts and fails its writes.
func Fuse(fuse *storetest.Fuse, store Stored) Stored { return &fused{store, fuse} }

// Create implements group.Store.
func (f *fused) Create(ctx context.Context, made group.Group, entry message.Entry) (standing group.Group, err error) {
	err = f.fuse.Write(func() (err error) {
		standing, err = f.Stored.Create(ctx, made, entry)
		return err
	})
	return standing, err
}

// Commit implements group.Store.
func (f *fused) Commit(ctx context.Context, commit group.Commit) error {
	return f.fuse.Write(func() error { return f.Stored.Commit(ctx, commit) })
}

// SetReach implements group.Store.
func (f *fused) SetReach(ctx context.Context, app id.App, of id.Group, from, to message.Reach) error {
	return f.fuse.Write(func() error { return f.Stored.SetReach(ctx, app, of, from, to) })
}

// Subscribing implements group.Store.
func (f *fused) Subscribing(ctx context.Context, app id.App, of id.Group) (members []id.User, err error) {
	err = f.fuse.Write(func() (err error) {
		members, err = f.Stored.Subscribing(ctx, app, of)
		return err
	})
	return members, err
}

// Take implements message.Groups.
func (f *fused) Take(ctx context.Context, app id.App, of id.Group, speaker message.Speaker) (number message.Number, err error) {
	err = f.fuse.Write(func() (err error) {
		number, err = f.Stored.Take(ctx, app, of, speaker)
		return err
	})
	return number, err
}

// Read implements group.Store.
func (f *fused) Read(ctx context.Context, app id.App, of id.Group, users ...id.User) (group.Group, map[id.User]group.Member, error) {
	if err := f.fuse.Read(); err != nil {
		return group.Group{}, nil, err
	}
	return f.Stored.Read(ctx, app, of, users...)
}
