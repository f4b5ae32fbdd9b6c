package appdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
)

// Delete implements app.Store.
func (s *Store) Delete(ctx context.Context, deleted app.App, at, eraseAt time.Time, told record.Record) (app.App, error) {
	var standing row
	when := table.N(table.Millis(at))
	work := &table.Transaction{DB: s.DB, Doing: "delete an app"}
	work.Update(table.Update{Table: s.Table, Key: apikeydb.AppKey(deleted.ID), Set: "SET deleted_at = :at, erase_at = :erase",
		If:     "attribute_exists(pk) AND attribute_not_exists(deleted_at)",
		Values: table.Item{":at": when, ":erase": table.N(table.Millis(eraseAt))}}, app.ErrNotFound)
	work.Standing(&standing)
	work.Update(s.mark(deleted, "SET deleted_at = :at", table.Item{":at": when}), app.ErrNotFound)
	err := s.run(ctx, work, told)
	switch found := standing.app(); {
	case errors.Is(err, app.ErrNotFound) && found.Deleted():
		return found, nil
	case err != nil:
		return app.App{}, err
	}
	deleted.DeletedAt, deleted.EraseAt = table.Instant(table.Millis(at)), table.Instant(table.Millis(eraseAt))
	return deleted, nil
}

// Restore implements app.Store.
func (s *Store) Restore(ctx context.Context, restored app.App, told record.Record) (app.App, error) {
	var standing row
	work := &table.Transaction{DB: s.DB, Doing: "restore an app"}
	work.Update(table.Update{Table: s.Table, Key: apikeydb.AppKey(restored.ID), Set: "REMOVE deleted_at, erase_at",
		If: "attribute_exists(deleted_at) AND attribute_not_exists(erasing)"}, app.ErrNotFound)
	work.Standing(&standing)
	work.Update(s.mark(restored, "REMOVE deleted_at", nil), app.ErrNotFound)
	err := s.run(ctx, work, told)
	switch found := standing.app(); {
	case errors.Is(err, app.ErrNotFound) && found.ID == restored.ID && !found.Deleted():
		return app.App{}, app.ErrNotDeleted
	case err != nil:
		return app.App{}, err
	}
	restored.DeletedAt, restored.EraseAt = time.Time{}, time.Time{}
	return restored, nil
}

// mark is an update of the pointer to an app, which has to be there.
func (s *Store) mark(marked app.App, set string, values table.Item) table.Update {
	return table.Update{Table: s.Accounts, Key: pointerKey(marked.Account, marked.ID.String()), Set: set,
		If: "attribute_exists(pk)", Values: values}
}

// BeginErasing implements app.Store. What the condition says happens once, and the account's count with it: "erasing" is
// never removed.
func (s *Store) BeginErasing(ctx context.Context, appID id.App, now time.Time) (app.App, error) {
	found, err := s.erasing(ctx, appID)
	if !errors.Is(err, app.ErrNotDue) || !found.Deleted() {
		return found, err
	}
	work := &table.Transaction{DB: s.DB, Doing: "begin to erase an app"}
	work.Update(table.Update{Table: s.Table, Key: apikeydb.AppKey(appID), Set: "SET erasing = :now",
		If:     "erase_at <= :now AND attribute_not_exists(erasing)",
		Values: table.Item{":now": table.N(table.Millis(now))}}, app.ErrNotDue)
	work.Update(s.count(found.Account, -1), nil)
	work.Remove(table.Update{Table: s.Accounts, Key: pointerKey(found.Account, appID.String())}, nil)
	err = s.run(ctx, work, app.RecordErased(found, now))
	if errors.Is(err, app.ErrNotDue) {
		return s.erasing(ctx, appID) // another run may have begun since
	}
	return found, err
}

// erasing returns the app, and app.ErrNotDue where its erasing has not begun.
func (s *Store) erasing(ctx context.Context, appID id.App) (app.App, error) {
	var found row
	ok, err := table.Get(ctx, s.DB, s.Table, apikeydb.AppKey(appID), true, &found)
	switch {
	case err != nil:
		return app.App{}, err
	case !ok:
		return app.App{}, app.ErrNotFound
	case found.Erasing == 0:
		return found.app(), app.ErrNotDue
	}
	return found.app(), nil
}

// receiptPrefix begins the attributes that count what was erased, one for each table.
const receiptPrefix = "erased_"

// CountErased implements app.Store.
func (s *Store) CountErased(ctx context.Context, appID id.App, rows map[string]int) error {
	var adds []string
	values := table.Item{}
	for i, name := range slices.Sorted(maps.Keys(rows)) {
		value := fmt.Sprintf(":n%d", i)
		adds = append(adds, receiptPrefix+name+" "+value)
		values[value] = table.N(int64(rows[name]))
	}
	if len(adds) == 0 {
		return nil
	}
	return table.Update{Table: s.Table, Key: apikeydb.AppKey(appID), Set: "ADD " + strings.Join(adds, ", "),
		If: "attribute_exists(erasing)", Values: values}.Run(ctx, s.DB, nil)
}

// FinishErasing implements app.Store. deleted_at stays, so that nothing takes the app for one that is in use.
func (s *Store) FinishErasing(ctx context.Context, appID id.App, at time.Time) error {
	err := table.Update{Table: s.Table, Key: apikeydb.AppKey(appID),
		Set: "SET erased_at = :at REMOVE #name, origins, silent_blocks, edit_window, recall_window, fingerprint", If: "attribute_exists(erasing) AND attribute_not_exists(erased_at)",
		Names: map[string]string{"#name": "name"}, Values: table.Item{":at": table.N(table.Millis(at))}}.Run(ctx, s.DB, nil)
	if errors.Is(err, table.ErrCondition) {
		return nil // it is finished
	}
	return err
}
