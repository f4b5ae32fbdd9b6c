// Package apptest has what tests of apps share: a store in memory and the suite that every store passes.
package apptest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Store implements app.Store in memory. Like the table it keeps times to the millisecond.
type Store struct {
	mutex sync.Mutex
	apps  map[id.App]record
}

// record is an app and what its account knows of it.
type record struct {
	app     app.App
	erasing bool
	erased  map[string]int
}

var _ app.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store { return &Store{apps: map[id.App]record{}} }

// Create implements app.Store.
func (s *Store) Create(_ context.Context, made app.App) (app.App, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if standing, exists := s.apps[made.ID]; exists {
		return standing.app, app.ErrExists
	}
	if made.Account != "" && len(s.of(made.Account)) >= app.MaxApps {
		return app.App{}, app.ErrTooMany
	}
	made.CreatedAt = millis(made.CreatedAt)
	s.apps[made.ID] = record{app: made, erased: map[string]int{}}
	return made, nil
}

// of returns the apps in the account by ID.
func (s *Store) of(account id.Account) (apps []app.App) {
	for _, found := range s.apps {
		if account != "" && found.app.Account == account && !found.erasing {
			apps = append(apps, found.app)
		}
	}
	slices.SortFunc(apps, func(a, b app.App) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	return apps
}

// Get implements app.Store.
func (s *Store) Get(_ context.Context, appID id.App) (app.App, bool, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, ok := s.apps[appID]
	return found.app, ok, nil
}

// Current implements app.Store.
func (s *Store) Current(_ context.Context, appID id.App) (app.App, error) {
	return s.do(appID, func(*record) error { return nil })
}

// Find implements app.Store.
func (s *Store) Find(_ context.Context, account id.Account, text string) (app.App, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, found := range s.of(account) {
		if found.ID.String() == text {
			return found, nil
		}
	}
	return app.App{}, app.ErrNotFound
}

// List implements app.Store.
func (s *Store) List(_ context.Context, account id.Account, after string, limit int) ([]app.App, string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	apps := slices.DeleteFunc(s.of(account), func(a app.App) bool { return a.ID.String() <= after })
	if len(apps) < limit {
		return apps, "", nil
	}
	return apps[:limit], apps[limit-1].ID.String(), nil
}

// do changes the app's record, unless change refuses.
func (s *Store) do(appID id.App, change func(*record) error) (app.App, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, ok := s.apps[appID]
	if !ok {
		return app.App{}, app.ErrNotFound
	}
	if err := change(&found); err != nil {
		return app.App{}, err
	}
	s.apps[appID] = found
	return found.app, nil
}

// Change implements app.Store.
func (s *Store) Change(_ context.Context, appID id.App, change app.Change) (app.App, error) {
	return s.do(appID, func(r *record) error {
		if r.app.Deleted() {
			return app.ErrDeleted
		}
		if change.Name != nil {
			r.app.Name = *change.Name
		}
		if change.Origins != nil {
			r.app.Origins = slices.Clone(change.Origins)
		}
		return nil
	})
}

// Delete implements app.Store.
func (s *Store) Delete(_ context.Context, deleted app.App, at, eraseAt time.Time) (app.App, error) {
	return s.do(deleted.ID, func(r *record) error {
		if !r.app.Deleted() {
			r.app.DeletedAt, r.app.EraseAt = millis(at), millis(eraseAt)
		}
		return nil
	})
}

// Restore implements app.Store.
func (s *Store) Restore(_ context.Context, restored app.App) (app.App, error) {
	return s.do(restored.ID, func(r *record) error {
		switch {
		case r.erasing:
			return app.ErrNotFound
		case !r.app.Deleted():
			return app.ErrNotDeleted
		}
		r.app.DeletedAt, r.app.EraseAt = time.Time{}, time.Time{}
		return nil
	})
}

// BeginErasing implements app.Store.
func (s *Store) BeginErasing(_ context.Context, appID id.App, now time.Time) (app.App, error) {
	return s.do(appID, func(r *record) error {
		if !r.erasing && (!r.app.Deleted() || r.app.EraseAt.After(now)) {
			return app.ErrNotDue
		}
		r.erasing = true
		return nil
	})
}

// CountErased implements app.Store.
func (s *Store) CountErased(_ context.Context, appID id.App, rows map[string]int) error {
	_, err := s.do(appID, func(r *record) error {
		r.erased = maps.Clone(r.erased)
		for table, n := range rows {
			r.erased[table] += n
		}
		return nil
	})
	return err
}

// FinishErasing implements app.Store.
func (s *Store) FinishErasing(_ context.Context, appID id.App, at time.Time) error {
	_, err := s.do(appID, func(r *record) error {
		if r.erasing && r.app.ErasedAt.IsZero() {
			r.app.ErasedAt, r.app.Settings, r.app.Request = millis(at), app.Settings{}, ""
		}
		return nil
	})
	return err
}

// Erased returns the receipt of the app: how many rows of which table were erased.
func (s *Store) Erased(appID id.App) map[string]int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.apps[appID].erased
}

func millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// fused passes everything on to a store, through a fuse.
type fused struct {
	app.Store
	fuse *storetest.Fuse
}

// FuseStore wraps a store so that the fuse counts and fails its writes.
func FuseStore(fuse *storetest.Fuse, store app.Store) app.Store { return &fused{store, fuse} }

func (f *fused) Current(ctx context.Context, appID id.App) (app.App, error) {
	if err := f.fuse.Read(); err != nil {
		return app.App{}, err
	}
	return f.Store.Current(ctx, appID)
}

func (f *fused) Find(ctx context.Context, account id.Account, text string) (app.App, error) {
	if err := f.fuse.Read(); err != nil {
		return app.App{}, err
	}
	return f.Store.Find(ctx, account, text)
}

func (f *fused) Delete(ctx context.Context, deleted app.App, at, eraseAt time.Time) (after app.App, err error) {
	err = f.fuse.Write(func() (err error) {
		after, err = f.Store.Delete(ctx, deleted, at, eraseAt)
		return err
	})
	return after, err
}

func (f *fused) Restore(ctx context.Context, restored app.App) (after app.App, err error) {
	err = f.fuse.Write(func() (err error) {
		after, err = f.Store.Restore(ctx, restored)
		return err
	})
	return after, err
}
