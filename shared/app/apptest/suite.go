package apptest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Run checks that a store keeps the contract of app.Store. It reads at once what it wrote, which a memory store and the
// local engine allow.
func Run(t *testing.T, store World) {
	t.Run("Create keeps every field, once", func(t *testing.T) { runCreate(t, store) })
	t.Run("an app without an account", func(t *testing.T) { runAlone(t, store) })
	t.Run("an account has a hundred apps at most", func(t *testing.T) { runMost(t, store) })
	t.Run("List pages by ID", func(t *testing.T) { runList(t, store) })
	t.Run("Find knows the account's own apps only", func(t *testing.T) { runFind(t, store) })
	t.Run("Change", func(t *testing.T) { runChange(t, store) })
	t.Run("Change is atomic", func(t *testing.T) { runChangeRace(t, store) })
	t.Run("Delete counts once", func(t *testing.T) { runDelete(t, store) })
	t.Run("Restore", func(t *testing.T) { runRestore(t, store) })
	t.Run("erasing", func(t *testing.T) { runErase(t, store) })
	t.Run("restoring or erasing, one wins", func(t *testing.T) { runRestoreOrErase(t, store) })
}

// NewApp returns an app of the account with every field of a new one set.
func NewApp(account id.Account) app.App {
	return app.App{ID: id.Source{}.App(), Account: account, CreatedAt: storetest.Noon(), Request: id.Hash("request"),
		Settings: app.Settings{Name: "Chat 聊天", Origins: []string{"https://chat.example.com", "http://localhost:*"}}}
}

func create(t *testing.T, store World, account id.Account) app.App {
	t.Helper()
	made := NewApp(account)
	got, err := store.Create(t.Context(), made, Record(made, record.AppCreated))
	storetest.OK(t, "Create", err)
	same(t, "Create", got, made)
	return made
}

func same(t *testing.T, doing string, got, want app.App) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s = %+v\nwant %+v", doing, got, want)
	}
}

// wantFound checks what each of the ways to an app finds.
func wantFound(t *testing.T, store World, want app.App) {
	t.Helper()
	got, ok, err := store.Get(t.Context(), want.ID)
	if err != nil || !ok {
		t.Fatalf("Get = %v, %v", ok, err)
	}
	same(t, "Get", got, want)
	got, err = store.Current(t.Context(), want.ID)
	storetest.OK(t, "Current", err)
	same(t, "Current", got, want)
	got, err = store.Find(t.Context(), want.Account, want.ID.String())
	storetest.OK(t, "Find", err)
	same(t, "Find", got, want)
}

func runCreate(t *testing.T, store World) {
	account := id.Source{}.Account()
	made := make([]app.App, storetest.Racers)
	standing := make([]app.App, storetest.Racers)
	for i := range made {
		made[i] = NewApp(account)
		made[i].ID, made[i].Name = made[0].ID, fmt.Sprint("app ", i)
	}
	// The engine's transactions get in each other's way; each racer tries until it has an answer of its own.
	winner := storetest.OneWins(t, len(made), app.ErrExists, func(i int) (err error) {
		standing[i], err = store.Create(t.Context(), made[i], Record(made[i], record.AppCreated))
		return err
	})
	for i := range standing {
		same(t, "the standing app", standing[i], made[winner])
	}
	wantFound(t, store, made[winner])
	wantTold(t, store, made[winner], record.AppCreated)
	if apps := list(t, store, account, 100); len(apps) != 1 {
		t.Errorf("the account has %+v", apps)
	}
}

func runAlone(t *testing.T, store World) {
	made := create(t, store, "")
	got, ok, err := store.Get(t.Context(), made.ID)
	if err != nil || !ok {
		t.Fatalf("Get = %v, %v", ok, err)
	}
	same(t, "Get", got, made)
	_, err = store.Find(t.Context(), "", made.ID.String())
	storetest.Refused(t, "Find without an account", err, app.ErrNotFound)
	_, err = store.BeginErasing(t.Context(), made.ID, storetest.Noon().AddDate(100, 0, 0))
	storetest.Refused(t, "BeginErasing", err, app.ErrNotDue)
}

func runMost(t *testing.T, store World) {
	account := id.Source{}.Account()
	for range app.MaxApps - 1 {
		create(t, store, account)
	}
	last := NewApp(account)
	errs := storetest.AtOnce(4, func(i int) error {
		racer := NewApp(account)
		if i == 0 {
			racer = last
		}
		_, err := store.Create(t.Context(), racer, Record(racer, record.AppCreated))
		return err
	})
	made := slices.DeleteFunc(errs, func(err error) bool { return err != nil })
	if apps := list(t, store, account, 100); len(made) != 1 || len(apps) != app.MaxApps {
		t.Fatalf("%d of 4 made the last app; there are %d", len(made), len(apps))
	}
	more := NewApp(account)
	_, err := store.Create(t.Context(), more, Record(more, record.AppCreated))
	storetest.Refused(t, "one app more", err, app.ErrTooMany)
	first := list(t, store, account, 100)[0]
	standing, err := store.Create(t.Context(), first, Record(first, record.AppCreated))
	storetest.Refused(t, "Create of one that is there", err, app.ErrExists)
	if standing.ID.IsZero() {
		t.Error("ErrExists without the standing app")
	}
	create(t, store, id.Source{}.Account())
}

// list returns the account's apps, read in pages.
func list(t *testing.T, store World, account id.Account, limit int) (all []app.App) {
	t.Helper()
	for after := ""; ; {
		page, next, err := store.List(t.Context(), account, after, limit)
		storetest.OK(t, "List", err)
		if len(page) > limit {
			t.Fatalf("List returned %d apps, limit %d", len(page), limit)
		}
		all = append(all, page...)
		if next == "" {
			return all
		}
		after = next
	}
}

func runList(t *testing.T, store World) {
	mine, theirs := id.Source{}.Account(), id.Source{}.Account()
	create(t, store, theirs)
	if apps := list(t, store, mine, 10); len(apps) != 0 {
		t.Fatalf("List of an account without apps = %+v", apps)
	}
	var want []app.App
	for range 7 {
		want = append(want, create(t, store, mine))
	}
	slices.SortFunc(want, func(a, b app.App) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	for limit := 1; limit <= 8; limit++ {
		if got := list(t, store, mine, limit); !reflect.DeepEqual(got, want) {
			t.Errorf("pages of %d = %+v\nwant %+v", limit, got, want)
		}
	}
}

func runFind(t *testing.T, store World) {
	account, other := id.Source{}.Account(), id.Source{}.Account()
	made, theirs := create(t, store, account), create(t, store, other)
	wantFound(t, store, made)
	text := made.ID.String()
	for _, wrong := range []string{"", text[:19], text + "0", text + "#", " " + text, strings.ToUpper(text), "app_", "account",
		"app_0000000000000000", id.Source{}.App().String(), theirs.ID.String(), "app_../../../../../", "app#" + text, "\x00", strings.Repeat("a", 3000)} {
		_, err := store.Find(t.Context(), account, wrong)
		storetest.Refused(t, fmt.Sprintf("Find of %.40q", wrong), err, app.ErrNotFound)
	}
	_, err := store.Current(t.Context(), id.Source{}.App())
	storetest.Refused(t, "Current of an unknown app", err, app.ErrNotFound)
	_, ok, err := store.Get(t.Context(), id.Source{}.App())
	if err != nil || ok {
		t.Errorf("Get of an unknown app: %v, %v", ok, err)
	}
}

func runChange(t *testing.T, store World) {
	want := create(t, store, id.Source{}.Account())
	told := []record.Action{record.AppCreated}
	for _, settings := range []app.Settings{{Name: "another name", Origins: want.Origins}, {Name: "another name", Origins: []string{}},
		{Name: "another name", Origins: []string{}, SilentBlocks: true}, {Name: "another name", Origins: []string{}, EditWindow: new(int64(0))},
		{Name: "another name", Origins: []string{}, EditWindow: new(int64(60)), RecallWindow: new(int64(900))}, {Name: "聊天", EditWindow: new(int64(60)), RecallWindow: new(int64(900)), Origins: []string{"https://other.example.com"}}} {
		was := want
		want.Settings = settings
		got, err := store.Change(t.Context(), was, settings, Record(was, record.AppChanged))
		storetest.OK(t, "Change", err)
		same(t, "Change", got, want)
		wantFound(t, store, want)
		_, err = store.Change(t.Context(), was, app.Settings{Name: "late"}, Record(was, record.AppChanged))
		storetest.Refused(t, "Change of what was changed meanwhile", err, app.ErrChanged)
		wantFound(t, store, want)
		told = append(told, record.AppChanged)
	}
	wantTold(t, store, want, told...)
	unknown := NewApp(want.Account)
	_, err := store.Change(t.Context(), unknown, want.Settings, Record(unknown, record.AppChanged))
	storetest.Refused(t, "Change of an unknown app", err, app.ErrNotFound)
	_, ok, err := store.Get(t.Context(), unknown.ID)
	if ok || err != nil {
		t.Errorf("Get after that: %v, %v", ok, err)
	}
	deleted := remove(t, store, want)
	_, err = store.Change(t.Context(), want, app.Settings{Name: "late"}, Record(want, record.AppChanged))
	storetest.Refused(t, "Change of a deleted app", err, app.ErrDeleted)
	wantFound(t, store, deleted)
	wantTold(t, store, unknown)
	wantTold(t, store, want, append(told, record.AppDeleted)...)
}

// runChangeRace lets many change an app at once: each change is in place of what it says it was.
func runChangeRace(t *testing.T, store World) {
	made := create(t, store, id.Source{}.Account())
	storetest.OneWins(t, storetest.Racers, app.ErrChanged, func(i int) error {
		_, err := store.Change(t.Context(), made, app.Settings{Name: fmt.Sprint("name ", i)}, Record(made, record.AppChanged))
		return err
	})
	wantTold(t, store, made, record.AppCreated, record.AppChanged)
}

// remove deletes the app at noon, to be erased an hour later.
func remove(t *testing.T, store World, deleted app.App) app.App {
	t.Helper()
	got, err := store.Delete(t.Context(), deleted, storetest.Noon(), storetest.Noon().Add(time.Hour), Record(deleted, record.AppDeleted))
	storetest.OK(t, "Delete", err)
	deleted.DeletedAt, deleted.EraseAt = storetest.Noon(), storetest.Noon().Add(time.Hour)
	same(t, "Delete", got, deleted)
	return deleted
}

func runDelete(t *testing.T, store World) {
	made := create(t, store, id.Source{}.Account())
	after := make([]app.App, storetest.Racers)
	errs := storetest.AtOnce(len(after), func(i int) (err error) {
		at := storetest.Noon().Add(time.Duration(i) * time.Second)
		after[i], err = store.Delete(t.Context(), made, at, at.Add(time.Hour), Record(made, record.AppDeleted))
		return err
	})
	for i := range after {
		storetest.OK(t, "Delete", errs[i])
		same(t, "Delete", after[i], after[0])
	}
	if !after[0].Deleted() || after[0].EraseAt.Sub(after[0].DeletedAt) != time.Hour {
		t.Errorf("deleted = %+v", after[0])
	}
	wantFound(t, store, after[0])
	if apps := list(t, store, made.Account, 10); len(apps) != 1 || !apps[0].Deleted() {
		t.Errorf("List = %+v", apps)
	}
	unknown := NewApp(made.Account)
	_, err := store.Delete(t.Context(), unknown, storetest.Noon(), storetest.Noon(), Record(unknown, record.AppDeleted))
	storetest.Refused(t, "Delete of an unknown app", err, app.ErrNotFound)
	wantTold(t, store, unknown)
	wantTold(t, store, made, record.AppCreated, record.AppDeleted)
}

func runRestore(t *testing.T, store World) {
	made := create(t, store, id.Source{}.Account())
	_, err := store.Restore(t.Context(), made, Record(made, record.AppRestored))
	storetest.Refused(t, "Restore of one in use", err, app.ErrNotDeleted)
	for range 2 {
		got, err := store.Restore(t.Context(), remove(t, store, made), Record(made, record.AppRestored))
		storetest.OK(t, "Restore", err)
		same(t, "Restore", got, made)
		wantFound(t, store, made)
	}
	_, err = store.Restore(t.Context(), NewApp(made.Account), Record(made, record.AppRestored))
	storetest.Refused(t, "Restore of an unknown app", err, app.ErrNotFound)
	wantTold(t, store, made, record.AppCreated, record.AppDeleted, record.AppRestored, record.AppDeleted, record.AppRestored)
}

func runErase(t *testing.T, store World) {
	account := id.Source{}.Account()
	made, other := create(t, store, account), create(t, store, account)
	due := storetest.Noon().Add(time.Hour)
	_, err := store.BeginErasing(t.Context(), made.ID, due)
	storetest.Refused(t, "BeginErasing of one in use", err, app.ErrNotDue)
	_, err = store.BeginErasing(t.Context(), id.Source{}.App(), due)
	storetest.Refused(t, "BeginErasing of an unknown app", err, app.ErrNotFound)
	deleted := remove(t, store, made)
	_, err = store.BeginErasing(t.Context(), made.ID, due.Add(-time.Millisecond))
	storetest.Refused(t, "BeginErasing before its time", err, app.ErrNotDue)
	storetest.OK(t, "FinishErasing before it began", store.FinishErasing(t.Context(), made.ID, due))
	wantFound(t, store, deleted)
	for _, err := range storetest.AtOnce(8, func(int) error {
		_, err := store.BeginErasing(t.Context(), made.ID, due)
		return err
	}) {
		storetest.OK(t, "BeginErasing", err)
	}
	_, err = store.Find(t.Context(), account, made.ID.String())
	storetest.Refused(t, "Find of one that is being erased", err, app.ErrNotFound)
	_, err = store.Restore(t.Context(), deleted, Record(made, record.AppRestored))
	storetest.Refused(t, "Restore of one that is being erased", err, app.ErrNotFound)
	if apps := list(t, store, account, 10); len(apps) != 1 || apps[0].ID != other.ID {
		t.Errorf("List = %+v", apps)
	}
	runTombstone(t, store, deleted, due)
	wantTold(t, store, made, record.AppCreated, record.AppDeleted, record.AppErased)
	for range app.MaxApps - 1 { // the erased app left the count, once
		create(t, store, account)
	}
	more := NewApp(account)
	_, err = store.Create(t.Context(), more, Record(more, record.AppCreated))
	storetest.Refused(t, "one app more", err, app.ErrTooMany)
}

// runTombstone finishes the erasing twice and looks at what is left.
func runTombstone(t *testing.T, store World, deleted app.App, due time.Time) {
	storetest.OK(t, "CountErased of nothing", store.CountErased(t.Context(), deleted.ID, nil))
	storetest.OK(t, "CountErased", store.CountErased(t.Context(), deleted.ID, map[string]int{"users": 2, "keys": 1}))
	want := deleted
	want.Settings, want.Request, want.ErasedAt = app.Settings{}, "", due
	for i := range 2 {
		storetest.OK(t, "FinishErasing", store.FinishErasing(t.Context(), deleted.ID, due.Add(time.Duration(i)*time.Hour)))
		got, err := store.Current(t.Context(), deleted.ID)
		storetest.OK(t, "Current", err)
		same(t, "the tombstone", got, want)
		got, err = store.BeginErasing(t.Context(), deleted.ID, due)
		storetest.OK(t, "BeginErasing of one that is erased", err)
		same(t, "BeginErasing", got, want)
	}
	standing, err := store.Create(t.Context(), deleted, Record(deleted, record.AppCreated))
	storetest.Refused(t, "Create in place of a tombstone", err, app.ErrExists)
	same(t, "the standing tombstone", standing, want)
}

func runRestoreOrErase(t *testing.T, store World) {
	for range 8 {
		deleted := remove(t, store, create(t, store, id.Source{}.Account()))
		errs := storetest.AtOnce(2, func(i int) (err error) {
			if i == 0 {
				_, err = store.Restore(t.Context(), deleted, Record(deleted, record.AppRestored))
				return err
			}
			_, err = store.BeginErasing(t.Context(), deleted.ID, deleted.EraseAt)
			return err
		})
		_, err := store.Find(t.Context(), deleted.Account, deleted.ID.String())
		if (errs[0] == nil) == (errs[1] == nil) || (errs[0] == nil) != (err == nil) {
			t.Fatalf("Restore: %v, BeginErasing: %v, Find after that: %v", errs[0], errs[1], err)
		}
		last := record.AppErased
		if err == nil {
			last = record.AppRestored
		}
		wantTold(t, store, deleted, record.AppCreated, record.AppDeleted, last)
	}
}
