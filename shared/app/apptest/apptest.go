// Package apptest has what tests of apps share: a store in memory and the suite that every store passes.
package apptest

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Store implements app.Store in memory.
type Store struct {
	apps *storetest.Table[id.App, app.App]
}

var _ app.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{apps: storetest.NewTable[id.App, app.App](storetest.Staleness{})}
}

// Create implements app.Store.
func (s *Store) Create(_ context.Context, made app.App) error {
	made.CreatedAt = made.CreatedAt.Truncate(time.Millisecond)
	s.apps.Insert(made.ID, made)
	return nil
}

// Get implements app.Store.
func (s *Store) Get(_ context.Context, appID id.App) (app.App, bool, error) {
	found, ok := s.apps.Get(appID, true)
	return found, ok, nil
}

// Run checks that a store keeps the contract of app.Store. It reads at once what it wrote, which a memory store and the
// local engine allow.
func Run(t *testing.T, store app.Store) {
	ctx := t.Context()
	made := app.App{ID: id.Source{}.App(), Name: "Chat 聊天", CreatedAt: storetest.Noon(),
		Origins: []string{"https://chat.example.com", "http://localhost:*"}}
	_, found, err := store.Get(ctx, made.ID)
	if err != nil || found {
		t.Fatalf("Get of an unknown app: %v, %v", found, err)
	}
	for _, name := range []string{made.Name, "another name"} {
		again := made
		again.Name = name
		storetest.OK(t, "Create", store.Create(ctx, again))
	}
	got, found, err := store.Get(ctx, made.ID)
	if err != nil || !found || !reflect.DeepEqual(got, made) {
		t.Fatalf("Get = %+v, %v, %v; want the first, %+v", got, found, err, made)
	}
	_, found, err = store.Get(ctx, id.Source{}.App())
	if err != nil || found {
		t.Fatalf("Get of another app: %v, %v", found, err)
	}
}
