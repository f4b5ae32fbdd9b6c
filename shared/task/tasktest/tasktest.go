// Package tasktest has what tests of tasks share: a store in memory and the suite that every store passes.
package tasktest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/task"
)

// Store implements task.Store in memory. Like the table it keeps times to the millisecond.
type Store struct {
	tasks *storetest.Table[place, task.Task]
}

type place struct {
	due     int64
	kind    task.Kind
	app     id.App
	subject string
}

var _ task.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{tasks: storetest.NewTable[place, task.Task](storetest.Staleness{})}
}

func placeOf(t task.Task) place { return place{t.Due.UnixMilli(), t.Kind, t.App, t.Subject} }

// Add implements task.Store.
func (s *Store) Add(_ context.Context, added task.Task) error {
	added.Due = time.UnixMilli(added.Due.UnixMilli()).UTC()
	s.tasks.Put(placeOf(added), added)
	return nil
}

// Due implements task.Store.
func (s *Store) Due(_ context.Context, now time.Time, limit int) ([]task.Task, error) {
	due := s.tasks.Select(true, func(p place) bool { return p.due <= now.UnixMilli() })
	slices.SortFunc(due, func(a, b task.Task) int { return a.Due.Compare(b.Due) })
	return due[:min(limit, len(due))], nil
}

// Done implements task.Store.
func (s *Store) Done(_ context.Context, done task.Task) error {
	s.tasks.Delete(placeOf(done))
	return nil
}

// All returns every task that is not done, the oldest first.
func (s *Store) All() []task.Task {
	all := s.tasks.Select(true, func(place) bool { return true })
	slices.SortFunc(all, func(a, b task.Task) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Kind, b.Kind))
	})
	return all
}

// fused passes everything on to a store, through a fuse.
type fused struct {
	fuse  *storetest.Fuse
	store task.Store
}

// FuseStore wraps a store so that the fuse counts and fails its writes.
func FuseStore(fuse *storetest.Fuse, store task.Store) task.Store { return &fused{fuse, store} }

func (f *fused) Add(ctx context.Context, added task.Task) error {
	return f.fuse.Write(func() error { return f.store.Add(ctx, added) })
}

func (f *fused) Due(ctx context.Context, now time.Time, limit int) ([]task.Task, error) {
	if err := f.fuse.Read(); err != nil {
		return nil, err
	}
	return f.store.Due(ctx, now, limit)
}

func (f *fused) Done(ctx context.Context, done task.Task) error {
	return f.fuse.Write(func() error { return f.store.Done(ctx, done) })
}
