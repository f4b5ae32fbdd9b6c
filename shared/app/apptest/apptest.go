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
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Store implements app.Store in memory. Like the table it keeps times to the millisecond.
type Store struct {
	// Logs has the records.
	Logs *recordtest.Logs

	mutex sync.Mutex
	apps  map[id.App]entry
}

// entry is an app and what its account knows of it.
type entry struct {
	app     app.App
	erasing bool
	erased  map[string]int
}

var _ app.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store { return &Store{Logs: recordtest.NewLogs(), apps: map[id.App]entry{}} }

// tell adds the record, which an app without an account does not have.
func (s *Store) tell(told record.Record) {
	if told.Log != "" {
		s.Logs.Add(told)
	}
}

// Create implements app.Store.
func (s *Store) Create(_ context.Context, made app.App, created record.Record) (app.App, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if standing, exists := s.apps[made.ID]; exists {
		return standing.app, app.ErrExists
	}
	if made.Account != "" && len(s.of(made.Account)) >= app.MaxApps {
		return app.App{}, app.ErrTooMany
	}
	made.CreatedAt = millis(made.CreatedAt)
	s.apps[made.ID] = entry{app: made, erased: map[string]int{}}
	s.tell(created)
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
	return s.do(appID, func(*entry) error { return nil })
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
func (s *Store) do(appID id.App, change func(*entry) error) (app.App, error) {
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
func (s *Store) Change(_ context.Context, was app.App, settings app.Settings, changed record.Record) (app.App, error) {
	return s.do(was.ID, func(e *entry) error {
		switch {
		case e.app.Deleted():
			return app.ErrDeleted
		case !e.app.Same(was.Settings):
			return app.ErrChanged
		}
		e.app.Settings = settings
		e.app.Origins = slices.Clone(settings.Origins)
		s.tell(changed)
		return nil
	})
}

// Delete implements app.Store.
func (s *Store) Delete(_ context.Context, deleted app.App, at, eraseAt time.Time, told record.Record) (app.App, error) {
	return s.do(deleted.ID, func(e *entry) error {
		if !e.app.Deleted() {
			e.app.DeletedAt, e.app.EraseAt = millis(at), millis(eraseAt)
			s.tell(told)
		}
		return nil
	})
}

// Restore implements app.Store.
func (s *Store) Restore(_ context.Context, restored app.App, told record.Record) (app.App, error) {
	return s.do(restored.ID, func(e *entry) error {
		switch {
		case e.erasing:
			return app.ErrNotFound
		case !e.app.Deleted():
			return app.ErrNotDeleted
		}
		e.app.DeletedAt, e.app.EraseAt = time.Time{}, time.Time{}
		s.tell(told)
		return nil
	})
}

// BeginErasing implements app.Store.
func (s *Store) BeginErasing(_ context.Context, appID id.App, now time.Time) (app.App, error) {
	return s.do(appID, func(e *entry) error {
		if !e.erasing && (!e.app.Deleted() || e.app.EraseAt.After(now)) {
			return app.ErrNotDue
		}
		if !e.erasing {
			s.tell(app.RecordErased(e.app, now))
		}
		e.erasing = true
		return nil
	})
}

// CountErased implements app.Store.
func (s *Store) CountErased(_ context.Context, appID id.App, rows map[string]int) error {
	_, err := s.do(appID, func(e *entry) error {
		e.erased = maps.Clone(e.erased)
		for table, n := range rows {
			e.erased[table] += n
		}
		return nil
	})
	return err
}

// FinishErasing implements app.Store.
func (s *Store) FinishErasing(_ context.Context, appID id.App, at time.Time) error {
	_, err := s.do(appID, func(e *entry) error {
		if e.erasing && e.app.ErasedAt.IsZero() {
			e.app.ErasedAt, e.app.Settings, e.app.Request = millis(at), app.Settings{}, ""
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

func (f *fused) Delete(ctx context.Context, deleted app.App, at, eraseAt time.Time, told record.Record) (after app.App, err error) {
	err = f.fuse.Write(func() (err error) {
		after, err = f.Store.Delete(ctx, deleted, at, eraseAt, told)
		return err
	})
	return after, err
}

func (f *fused) Restore(ctx context.Context, restored app.App, told record.Record) (after app.App, err error) {
	err = f.fuse.Write(func() (err error) {
		after, err = f.Store.Restore(ctx, restored, told)
		return err
	})
	return after, err
}
