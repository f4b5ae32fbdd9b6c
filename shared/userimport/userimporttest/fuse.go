package userimporttest

import (
	"context"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/userimport"
)

type fused struct {
	fuse  *storetest.Fuse
	store userimport.Store
}

// FuseStore wraps a store so that the fuse counts and fails its writes.
func FuseStore(fuse *storetest.Fuse, store userimport.Store) userimport.Store {
	return &fused{fuse, store}
}

func (f *fused) Begin(ctx context.Context, begun userimport.Import) (standing userimport.Import, err error) {
	err = f.fuse.Write(func() (err error) {
		standing, err = f.store.Begin(ctx, begun)
		return err
	})
	return standing, err
}

func (f *fused) Add(ctx context.Context, to userimport.Import, rows []userimport.Row) error {
	return f.fuse.Write(func() error { return f.store.Add(ctx, to, rows) })
}

func (f *fused) Get(ctx context.Context, app id.App, job id.Import) (userimport.Import, error) {
	if err := f.fuse.Read(); err != nil {
		return userimport.Import{}, err
	}
	return f.store.Get(ctx, app, job)
}

func (f *fused) Rows(ctx context.Context, of userimport.Import, after, limit int) ([]userimport.Row, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, err
	}
	return f.store.Rows(ctx, of, after, limit)
}

func (f *fused) Register(ctx context.Context, of userimport.Import, row userimport.Row, made user.User) (outcome userimport.Outcome, err error) {
	err = f.fuse.Write(func() (err error) {
		outcome, err = f.store.Register(ctx, of, row, made)
		return err
	})
	return outcome, err
}

func (f *fused) Decide(ctx context.Context, of userimport.Import, number int, outcome userimport.Outcome) (standing userimport.Outcome, err error) {
	err = f.fuse.Write(func() (err error) {
		standing, err = f.store.Decide(ctx, of, number, outcome)
		return err
	})
	return standing, err
}

func (f *fused) Count(ctx context.Context, counted userimport.Import) error {
	return f.fuse.Write(func() error { return f.store.Count(ctx, counted) })
}
