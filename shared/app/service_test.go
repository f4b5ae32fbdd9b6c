package app_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/app/apptest"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/task"
	"github.com/tokenim/tokenim/shared/task/tasktest"
)

// TestMain keeps quiet what these tests provoke on purpose.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

const week = 7 * 24 * time.Hour

// keys are the keys of one app, and the sockets that hang on them.
type keys struct {
	mutex     sync.Mutex
	ids       []id.Key
	suspended map[id.Key]bool
	cut       int
	err       error
	takes     time.Duration // each call
}

func (k *keys) IDs(_ context.Context, _ id.App, after id.Key, limit int) ([]id.Key, error) {
	at, found := slices.BinarySearch(k.ids, after)
	if found {
		at++
	}
	return k.ids[at:min(at+limit, len(k.ids))], nil
}

func (k *keys) Suspend(_ context.Context, _ id.App, key id.Key, on bool) error {
	time.Sleep(k.takes)
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.suspended[key] = on
	return k.err
}

func (k *keys) CutKey(_ context.Context, _ id.App, key id.Key) error {
	time.Sleep(k.takes)
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if !k.suspended[key] {
		return errors.New("cut before the key was suspended")
	}
	k.cut++
	return nil
}

// all tells whether every key is suspended, or none.
func (k *keys) all(suspended bool) bool {
	return !slices.ContainsFunc(k.ids, func(key id.Key) bool { return k.suspended[key] != suspended })
}

// fusedKeys are keys behind a fuse.
type fusedKeys struct {
	*keys
	fuse *storetest.Fuse
}

func (f fusedKeys) Suspend(ctx context.Context, appID id.App, key id.Key, on bool) error {
	return f.fuse.Write(func() error { return f.keys.Suspend(ctx, appID, key, on) })
}

func (f fusedKeys) CutKey(ctx context.Context, appID id.App, key id.Key) error {
	return f.fuse.Write(func() error { return f.keys.CutKey(ctx, appID, key) })
}

// notices keeps what was mailed.
type notices struct {
	mutex sync.Mutex
	sent  []string
	err   error
}

func (n *notices) AppNotice(_ context.Context, account id.Account, kind string, about app.App) error {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.err == nil {
		n.sent = append(n.sent, fmt.Sprint(kind, " ", account, " ", about.Name, " ", about.EraseAt))
	}
	return n.err
}

type fusedNotices struct {
	*notices
	fuse *storetest.Fuse
}

func (f fusedNotices) AppNotice(ctx context.Context, account id.Account, kind string, about app.App) error {
	return f.fuse.Write(func() error { return f.notices.AppNotice(ctx, account, kind, about) })
}

// world is a service on stores in memory, with an app that has keys.
type world struct {
	service *app.Service
	apps    *apptest.Store
	tasks   *tasktest.Store
	keys    *keys
	notices *notices
	clock   *clocktest.Clock
	account id.Account
	app     app.App
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{apps: apptest.NewStore(), tasks: tasktest.NewStore(), keys: &keys{suspended: map[id.Key]bool{}}, notices: &notices{},
		clock: clocktest.New(storetest.Noon()), account: id.Source{}.Account()}
	w.service = &app.Service{Store: w.apps, Keys: w.keys, Sockets: w.keys, Tasks: w.tasks, Notices: w.notices, Clock: w.clock, Grace: week}
	made, err := w.service.Create(t.Context(), w.account, app.Settings{Name: "Chat"}, "", record.Origin{})
	storetest.OK(t, "Create", err)
	w.app = made
	for range 130 { // more than a page
		w.keys.ids = append(w.keys.ids, id.Source{}.Key(made.ID))
	}
	slices.Sort(w.keys.ids)
	return w
}

// through returns the service as a process whose every write passes the fuse.
func (w *world) through(fuse *storetest.Fuse) *app.Service {
	return &app.Service{Store: apptest.FuseStore(fuse, w.apps), Keys: fusedKeys{w.keys, fuse}, Sockets: fusedKeys{w.keys, fuse},
		Tasks: tasktest.FuseStore(fuse, w.tasks), Notices: fusedNotices{w.notices, fuse}, Clock: w.clock, Grace: week}
}

// runTasks does what is due but erasing.
func (w *world) runTasks(t *testing.T) {
	t.Helper()
	runner := &task.Runner{Store: w.tasks, Handlers: map[task.Kind]task.Handler{
		task.AppSuspend: w.service.SuspendTask, task.AppNotice: w.service.NoticeTask}}
	storetest.OK(t, "Run", runner.Run(t.Context(), w.clock.Now()))
}

func wantCode(t *testing.T, doing string, err error, want fault.Code) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Fatalf("%s: %v, want %q", doing, err, want)
	}
}

func TestCreate(t *testing.T) {
	w := newWorld(t)
	made, err := w.service.Create(t.Context(), w.account, app.Settings{Name: "聊天",
		Origins: []string{"HTTPS://Chat.example.com:443", "http://localhost:*", "https://chat.example.com"}}, "", record.Origin{})
	storetest.OK(t, "Create", err)
	if want := []string{"https://chat.example.com", "http://localhost:*"}; !slices.Equal(made.Origins, want) || made.Account != w.account {
		t.Errorf("made %+v", made)
	}
	found, err := w.service.Find(t.Context(), w.account, made.ID.String())
	if err != nil || !reflect.DeepEqual(found, made) {
		t.Errorf("Find = %+v, %v; want %+v", found, err, made)
	}
}

func TestCreateRefuses(t *testing.T) {
	w := newWorld(t)
	_, err := w.service.Create(t.Context(), w.account, app.Settings{Name: "a\u202eb",
		Origins: []string{"https://good.example", "http://bad.example", "https://good.example/"}}, "", record.Origin{})
	refusal := fault.Of(err)
	var names []string
	for _, field := range refusal.Fields {
		names = append(names, field.Name+" "+string(field.Code))
	}
	want := []string{"name field_invalid", "allowed_origins[1] origin_invalid", "allowed_origins[2] origin_invalid"}
	if !slices.Equal(names, want) {
		t.Errorf("refused %v, want %v", names, want)
	}
	for range app.MaxApps - 1 {
		_, err := w.service.Create(t.Context(), w.account, app.Settings{Name: "Chat"}, "", record.Origin{})
		storetest.OK(t, "Create", err)
	}
	_, err = w.service.Create(t.Context(), w.account, app.Settings{Name: "Chat"}, "", record.Origin{})
	wantCode(t, "one app more", err, fault.TooMany)
}

func TestCreateIsIdempotent(t *testing.T) {
	w := newWorld(t)
	settings := app.Settings{Name: "Chat", Origins: []string{"https://chat.example.com"}}
	made, err := w.service.Create(t.Context(), w.account, settings, "r1", record.Origin{})
	storetest.OK(t, "Create", err)
	w.clock.Advance(time.Minute)
	name := "another name" // a change since is no other request
	changed, err := w.service.Change(t.Context(), w.account, made.ID.String(), app.Change{Name: &name}, record.Origin{})
	storetest.OK(t, "Change", err)
	again, err := w.service.Create(t.Context(), w.account, settings, "r1", record.Origin{})
	if err != nil || !reflect.DeepEqual(again, changed) {
		t.Errorf("again = %+v, %v; want %+v", again, err, changed)
	}
	for _, other := range []app.Settings{{Name: name, Origins: settings.Origins}, {Name: "Chat"}} {
		_, err = w.service.Create(t.Context(), w.account, other, "r1", record.Origin{})
		wantCode(t, "Create of another under one idempotency key", err, fault.IdempotencyConflict)
	}
	other, err := w.service.Create(t.Context(), id.Source{}.Account(), settings, "r1", record.Origin{})
	if err != nil || other.ID == made.ID {
		t.Errorf("another account's app = %+v, %v", other, err)
	}
	ids := make([]id.App, storetest.Racers)
	for i, err := range storetest.AtOnce(len(ids), func(i int) error {
		made, err := w.service.Create(t.Context(), w.account, settings, "r2", record.Origin{})
		ids[i] = made.ID
		return err
	}) {
		if err != nil || ids[i] != ids[0] {
			t.Errorf("at once: %v, %v and %v", err, ids[i], ids[0])
		}
	}
}

// Only the account's own apps are there, by their whole ID.
func TestOthersAppsAreNotFound(t *testing.T) {
	w := newWorld(t)
	stranger, text := id.Source{}.Account(), w.app.ID.String()
	for _, try := range []struct {
		account id.Account
		text    string
	}{{stranger, text}, {"", text}, {w.account, id.Source{}.App().String()}, {w.account, ""}, {w.account, text + "0"},
		{w.account, "app_"}, {w.account, strings.ToUpper(text)}, {w.account, id.Platform().String()}, {w.account, "../" + text}} {
		_, err := w.service.Find(t.Context(), try.account, try.text)
		wantCode(t, "Find", err, fault.AppNotFound)
		_, err = w.service.Change(t.Context(), try.account, try.text, app.Change{Origins: []string{}}, record.Origin{})
		wantCode(t, "Change", err, fault.AppNotFound)
		_, err = w.service.Delete(t.Context(), try.account, try.text, record.Origin{})
		wantCode(t, "Delete", err, fault.AppNotFound)
		_, err = w.service.Restore(t.Context(), try.account, try.text, record.Origin{})
		wantCode(t, "Restore", err, fault.AppNotFound)
	}
	if left := w.tasks.All(); len(left) != 0 || w.keys.cut != 0 || len(w.notices.sent) != 0 {
		t.Errorf("refusals left %+v", left)
	}
}

func TestDelete(t *testing.T) {
	w := newWorld(t)
	text, noon := w.app.ID.String(), storetest.Noon()
	for range 2 { // again repeats the suspension and changes nothing else
		deleted, err := w.service.Delete(t.Context(), w.account, text, record.Origin{})
		storetest.OK(t, "Delete", err)
		if !deleted.DeletedAt.Equal(noon) || !deleted.EraseAt.Equal(noon.Add(week)) || !w.keys.all(true) {
			t.Errorf("deleted %+v", deleted)
		}
		w.keys.suspended[w.keys.ids[7]] = false
		w.clock.Advance(time.Hour)
	}
	if want := []string{fmt.Sprint("app_deleted ", w.account, " Chat ", noon.Add(week))}; !slices.Equal(w.notices.sent, want) {
		t.Errorf("mailed %q, want %q", w.notices.sent, want)
	}
	if w.keys.cut != 2*len(w.keys.ids) {
		t.Errorf("cut %d, want each key's twice", w.keys.cut)
	}
	name := "another name"
	_, err := w.service.Change(t.Context(), w.account, text, app.Change{Name: &name}, record.Origin{})
	wantCode(t, "Change", err, fault.AppDeleted)
	w.runTasks(t)
	want := []task.Task{{Kind: task.AppErase, Due: noon.Add(week + task.Settle), App: w.app.ID}}
	if left := w.tasks.All(); len(left) > 0 && left[0].Due.Before(want[0].Due) || !w.keys.all(true) || len(w.notices.sent) != 1 {
		t.Errorf("left %+v", left)
	}
}

func TestRestore(t *testing.T) {
	w := newWorld(t)
	text := w.app.ID.String()
	_, err := w.service.Restore(t.Context(), w.account, text, record.Origin{})
	wantCode(t, "Restore of one in use", err, fault.AppNotDeleted)
	_, err = w.service.Delete(t.Context(), w.account, text, record.Origin{})
	storetest.OK(t, "Delete", err)
	w.clock.Advance(time.Hour)
	restored, err := w.service.Restore(t.Context(), w.account, text, record.Origin{})
	storetest.OK(t, "Restore", err)
	if !reflect.DeepEqual(restored, w.app) || !w.keys.all(false) {
		t.Errorf("restored %+v, want %+v", restored, w.app)
	}
	w.clock.Advance(time.Hour)
	_, err = w.service.Delete(t.Context(), w.account, text, record.Origin{})
	storetest.OK(t, "Delete again", err)
	if len(w.notices.sent) != 2 {
		t.Errorf("mailed %q", w.notices.sent)
	}
	_, err = w.apps.BeginErasing(t.Context(), w.app.ID, w.clock.Now().Add(week))
	storetest.OK(t, "BeginErasing", err)
	_, err = w.service.Restore(t.Context(), w.account, text, record.Origin{})
	wantCode(t, "Restore of one that is being erased", err, fault.AppNotFound)
}

// A mail that cannot be queued does not stop a deletion; its task tries again, until the app is restored.
func TestNoticeIsTriedAgain(t *testing.T) {
	for _, restored := range []bool{false, true} {
		w := newWorld(t)
		w.notices.err = errors.New("no answer")
		_, err := w.service.Delete(t.Context(), w.account, w.app.ID.String(), record.Origin{})
		storetest.OK(t, "Delete", err)
		want := 1
		if restored {
			_, err := w.service.Restore(t.Context(), w.account, w.app.ID.String(), record.Origin{})
			storetest.OK(t, "Restore", err)
			want = 0
		}
		w.notices.err = nil
		w.clock.Advance(time.Hour)
		w.runTasks(t)
		w.runTasks(t)
		if len(w.notices.sent) != want {
			t.Errorf("restored %v: mailed %q", restored, w.notices.sent)
		}
	}
}

func TestDeleteReportsAFailedSuspension(t *testing.T) {
	w := newWorld(t)
	w.keys.err = errors.New("no answer")
	if _, err := w.service.Delete(t.Context(), w.account, w.app.ID.String(), record.Origin{}); !errors.Is(err, w.keys.err) {
		t.Errorf("Delete: %v, want the keys' error, so that the caller repeats it", err)
	}
}

// The keys of a deleted app are refused when the request is answered, also where there are thousands: it has half a minute.
func TestDeleteOfThousandsOfKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.keys.takes = 10 * time.Millisecond // a write and a query of DynamoDB, at their slow end
		for range 5_000 {
			w.keys.ids = append(w.keys.ids, id.Source{}.Key(w.app.ID))
		}
		slices.Sort(w.keys.ids)
		began := time.Now()
		_, err := w.service.Delete(t.Context(), w.account, w.app.ID.String(), record.Origin{})
		storetest.OK(t, "Delete", err)
		if took := time.Since(began); took > 20*time.Second || !w.keys.all(true) || w.keys.cut != len(w.keys.ids) {
			t.Errorf("it took %s, and cut %d of %d", took, w.keys.cut, len(w.keys.ids))
		}
	})
}

// A deletion or restoration that dies between any two of its writes is completed by its tasks, or never was.
func TestCrashBetweenWrites(t *testing.T) {
	for _, restores := range []bool{false, true} {
		for _, tookEffect := range []bool{false, true} {
			for at := 1; ; at++ {
				w := newWorld(t)
				w.keys.ids = w.keys.ids[:3]
				if restores {
					_, err := w.service.Delete(t.Context(), w.account, w.app.ID.String(), record.Origin{})
					storetest.OK(t, "Delete", err)
				}
				fuse := &storetest.Fuse{At: at, TookEffect: tookEffect, Dies: true}
				do := w.through(fuse).Delete
				if restores {
					do = w.through(fuse).Restore
				}
				_, err := do(t.Context(), w.account, w.app.ID.String(), record.Origin{})
				if !fuse.Blown() {
					break // every write has had its turn
				}
				t.Run(fmt.Sprintf("restores %v, write %d, took effect %v", restores, at, tookEffect), func(t *testing.T) {
					w.clock.Advance(task.Settle)
					w.runTasks(t)
					checkAligned(t, w, restores, err)
					checkTold(t, w, restores)
				})
			}
		}
	}
}

// checkAligned looks whether keys, mails and the task to erase fit to what the app is.
func checkAligned(t *testing.T, w *world, restores bool, answered error) {
	found, err := w.service.Find(t.Context(), w.account, w.app.ID.String())
	storetest.OK(t, "Find", err)
	if answered == nil && found.Deleted() == restores || !w.keys.all(found.Deleted()) {
		t.Errorf("the app is %+v, its keys are suspended: %v", found, w.keys.suspended)
	}
	if mailed := len(w.notices.sent) > 0; mailed != (found.Deleted() || restores) {
		t.Errorf("mailed %q of %+v", w.notices.sent, found)
	}
	erasures := slices.DeleteFunc(w.tasks.All(), func(left task.Task) bool { return left.Kind != task.AppErase })
	if found.Deleted() && !slices.ContainsFunc(erasures, func(e task.Task) bool { return !e.Due.Before(found.EraseAt) }) {
		t.Errorf("the app is deleted, and is erased by %+v", erasures)
	}
}

// Deletions and restorations at once leave the keys as the app is in the end.
func TestDeleteAndRestoreAtOnce(t *testing.T) {
	for range 20 {
		w := newWorld(t)
		w.keys.ids = w.keys.ids[:5]
		for _, err := range storetest.AtOnce(8, func(i int) (err error) {
			do := w.service.Delete
			if i%2 == 1 {
				do = w.service.Restore
			}
			_, err = do(t.Context(), w.account, w.app.ID.String(), record.Origin{})
			return err
		}) {
			if err != nil && !fault.Is(err, fault.AppNotDeleted) && !fault.Is(err, fault.Overtaken) {
				// A cut that comes when a restoration has just given the key back is refused by the keys of this test.
				if !strings.Contains(err.Error(), "cut before") {
					t.Fatal(err)
				}
			}
		}
		w.clock.Advance(task.Settle)
		w.runTasks(t)
		found, err := w.service.Find(t.Context(), w.account, w.app.ID.String())
		storetest.OK(t, "Find", err)
		if !w.keys.all(found.Deleted()) {
			t.Fatalf("the app is deleted: %v; its keys are suspended: %v", found.Deleted(), w.keys.suspended)
		}
	}
}

func TestGrace(t *testing.T) {
	for days, want := range map[string]time.Duration{"": week, "1": 24 * time.Hour, "30": 30 * 24 * time.Hour} {
		if got := app.Grace(days); got != want {
			t.Errorf("Grace(%q) = %v", days, got)
		}
	}
	for _, days := range []string{"0", "31", "-1", "7d", "1.5"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Grace(%q) was taken", days)
				}
			}()
			app.Grace(days)
		}()
	}
}
