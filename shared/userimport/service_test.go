package userimport_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/usertest"
	"github.com/tokenim/tokenim/shared/userimport"
	"github.com/tokenim/tokenim/shared/userimport/userimporttest"
)

func TestMemoryStore(t *testing.T) {
	store := userimporttest.NewStore()
	userimporttest.Run(t, store, store.Users)
}

// jobs are the jobs that were sent and not taken.
type jobs struct {
	mutex sync.Mutex
	sent  []userimport.Job
}

func (j *jobs) Send(_ context.Context, job any, _ time.Duration) error {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.sent = append(j.sent, job.(userimport.Job))
	return nil
}

// world is a process that begins imports and one that works on them.
type world struct {
	store *userimporttest.Store
	jobs  *jobs
	clock *clocktest.Clock
	app   id.App
}

func newWorld() *world {
	return &world{userimporttest.NewStore(), &jobs{}, clocktest.New(storetest.Noon()), id.Source{}.App()}
}

func (w *world) service(fuse *storetest.Fuse) *userimport.Service {
	return &userimport.Service{Store: userimporttest.FuseStore(fuse, w.store), Later: fuse.Queue(w.jobs), Clock: w.clock}
}

func (w *world) worker(fuse *storetest.Fuse) *userimport.Worker {
	return &userimport.Worker{Store: userimporttest.FuseStore(fuse, w.store), Later: fuse.Queue(w.jobs), Clock: w.clock}
}

// take takes the last job.
func (w *world) take(t *testing.T) userimport.Job {
	t.Helper()
	if len(w.jobs.sent) == 0 {
		t.Fatal("no job was sent")
	}
	return w.jobs.sent[len(w.jobs.sent)-1]
}

// candidates are 230 good rows, of which the last has a name that is taken.
func candidates(w *world) (rows []userimport.Candidate) {
	for i := range 230 {
		rows = append(rows, userimport.Candidate{Username: fmt.Sprintf("user%03d", i)})
	}
	ann := usertest.NewUser(w.app, "User229")
	if err := w.store.Users.Create(context.Background(), ann, "user229"); err != nil {
		panic(err)
	}
	return rows
}

// wantDone checks that every row is decided, that each user is there once and has the name of its row, and that counts are right.
func (w *world) wantDone(t *testing.T, job id.Import) {
	t.Helper()
	found, err := w.service(&storetest.Fuse{}).Find(t.Context(), w.app, job)
	if err != nil || found.FinishedAt.IsZero() || found.Registered != 229 || found.Refused != 1 {
		t.Fatalf("the import is %+v, %v", found, err)
	}
	for after := 0; after < found.Total; after += 100 {
		rows, err := w.store.Rows(t.Context(), found, after, 100)
		storetest.OK(t, "Rows", err)
		for _, row := range rows {
			holder, err := w.store.Users.ByName(t.Context(), w.app, fmt.Sprintf("user%03d", row.Number-1), true)
			registered := row.Number < 230
			if err != nil || registered != (row.User == holder) || registered == (row.Code == fault.UsernameTaken) || row.Name != (user.Name{}) {
				t.Errorf("row %d is %+v, the name is %s's, %v", row.Number, row, holder, err)
			}
		}
	}
	if all, _, err := w.store.Users.List(t.Context(), w.app, "", "", 1000); err != nil || len(all) != 230 {
		t.Errorf("the app has %d users, %v; want 230", len(all), err)
	}
}

func text(text string) *string { return &text }

func TestJudge(t *testing.T) {
	wrong := fault.Invalid(fault.Field{Name: "secret of the caller", Code: fault.FieldUnknown, Args: []any{"x"}})
	rows := userimport.Judge([]userimport.Candidate{
		{Username: "Ann", Wish: profile.Wish{Name: text("Ann of the Mill"), Custom: map[string]json.RawMessage{"a": json.RawMessage("1")}}},
		{Username: "ANN"}, {Username: "bob", Wish: profile.Wish{Avatar: text("javascript:x")}}, {Username: "bob"}, {Username: "a b"}, {Username: ""},
		{Username: "u_x"}, {Wrong: wrong}, {Username: "dan", Wish: profile.Wish{Name: text(strings.Repeat("x", 129))}},
		{Wrong: fault.Invalid(fault.Field{Name: "username", Code: fault.FieldMissing, Args: []any{"username"}})},
	})
	refused := func(number int, code fault.Code, field string) userimport.Row {
		return userimport.Row{Number: number, Outcome: userimport.Outcome{Code: code, Field: field}}
	}
	want := []userimport.Row{
		{Number: 1, Name: user.Name{Shown: "Ann", Compared: "ann"}, Profile: profile.Profile{Name: "Ann of the Mill", Custom: `{"a":1}`}},
		refused(2, fault.UsernameDuplicate, "username"), refused(3, fault.FieldInvalid, "avatar"),
		{Number: 4, Name: user.Name{Shown: "bob", Compared: "bob"}}, refused(5, fault.UsernameInvalid, "username"), refused(6, fault.UsernameInvalid, "username"),
		refused(7, fault.UsernameReserved, "username"), refused(8, fault.FieldUnknown, ""), refused(9, fault.FieldTooLong, "name"),
		refused(10, fault.FieldMissing, "username"),
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("judged\n%+v, want\n%+v", rows, want)
	}
}

func TestImport(t *testing.T) {
	w := newWorld()
	rows := userimport.Judge(candidates(w))
	begun, err := w.service(&storetest.Fuse{}).Begin(t.Context(), w.app, rows, "")
	storetest.OK(t, "Begin", err)
	for range 2 { // again is nothing
		storetest.OK(t, "Do", w.worker(&storetest.Fuse{}).Do(t.Context(), w.take(t)))
		w.wantDone(t, begun.ID)
	}
	for _, job := range []id.Import{"x", id.Source{}.Import()} {
		_, err := w.service(&storetest.Fuse{}).Find(t.Context(), w.app, job)
		refused(t, err, fault.ImportNotFound)
	}
	_, err = w.service(&storetest.Fuse{}).Find(t.Context(), id.Source{}.App(), begun.ID)
	refused(t, err, fault.ImportNotFound)
	w.clock.Advance(userimport.Kept)
	_, err = w.service(&storetest.Fuse{}).Find(t.Context(), w.app, begun.ID)
	refused(t, err, fault.ImportNotFound)
}

func refused(t *testing.T, err error, want fault.Code) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestARepeatedRequestFindsTheImport(t *testing.T) {
	w := newWorld()
	service, rows := w.service(&storetest.Fuse{}), userimport.Judge(candidates(w))
	first, err := service.Begin(t.Context(), w.app, rows, "key")
	storetest.OK(t, "Begin", err)
	_, err = service.Begin(t.Context(), w.app, rows[1:], "key")
	refused(t, err, fault.IdempotencyConflict)
	storetest.OK(t, "Do", w.worker(&storetest.Fuse{}).Do(t.Context(), w.take(t)))
	sent := len(w.jobs.sent)
	again, err := service.Begin(t.Context(), w.app, rows, "key")
	if err != nil || again.ID != first.ID || again.Registered != 229 || len(w.jobs.sent) != sent {
		t.Errorf("again: %+v, %v, %d jobs", again, err, len(w.jobs.sent)-sent)
	}
	w.clock.Advance(userimport.Kept)
	_, err = service.Begin(t.Context(), w.app, rows, "key")
	refused(t, err, fault.IdempotencyConflict)
}

// A request and a worker that die at any of their writes, with or without effect, leave what a second attempt completes.
func TestCrashAtEveryWrite(t *testing.T) {
	for _, tookEffect := range []bool{false, true} {
		for at := 1; ; at++ {
			w := newWorld()
			rows := userimport.Judge(candidates(w))
			fuse := &storetest.Fuse{At: at, TookEffect: tookEffect, Dies: true}
			begun, err := w.service(fuse).Begin(t.Context(), w.app, rows, "key")
			if err == nil {
				err = w.worker(fuse).Do(t.Context(), w.take(t))
			}
			if !fuse.Blown() {
				storetest.OK(t, "without a crash", err)
				break // every write has had its turn
			}
			if !errors.Is(err, storetest.ErrFuse) {
				t.Fatalf("write %d: %v", at, err)
			}
			again, err := w.service(&storetest.Fuse{}).Begin(t.Context(), w.app, rows, "key")
			if err != nil || begun.ID != "" && again.ID != begun.ID {
				t.Fatalf("write %d: again %+v, %v", at, again, err)
			}
			storetest.OK(t, "Do", w.worker(&storetest.Fuse{}).Do(t.Context(), w.take(t)))
			w.wantDone(t, again.ID)
		}
	}
}

// Workers at once, and a request that is repeated while they work, come to one result.
func TestWorkersAtOnce(t *testing.T) {
	w := newWorld()
	rows := userimport.Judge(candidates(w))
	begun, err := w.service(&storetest.Fuse{}).Begin(t.Context(), w.app, rows, "key")
	storetest.OK(t, "Begin", err)
	job := w.take(t)
	for _, err := range storetest.AtOnce(8, func(i int) error {
		if i == 0 {
			_, err := w.service(&storetest.Fuse{}).Begin(context.Background(), w.app, rows, "key")
			return err
		}
		return w.worker(&storetest.Fuse{}).Do(context.Background(), job)
	}) {
		storetest.OK(t, "at once", err)
	}
	w.wantDone(t, begun.ID)
}

// A worker without time sends itself on; one whose import is erased ends.
func TestAWorkerStops(t *testing.T) {
	w := newWorld()
	begun, err := w.service(&storetest.Fuse{}).Begin(t.Context(), w.app, userimport.Judge(candidates(w)), "")
	storetest.OK(t, "Begin", err)
	late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	storetest.OK(t, "Do", w.worker(&storetest.Fuse{}).Do(late, w.take(t)))
	if len(w.jobs.sent) != 2 || w.jobs.sent[1] != w.jobs.sent[0] {
		t.Errorf("sent: %v", w.jobs.sent)
	}
	gone := userimport.Job{App: w.app.String(), Import: id.Source{}.Import()}
	storetest.OK(t, "Do of no import", w.worker(&storetest.Fuse{}).Do(t.Context(), gone))
	empty := userimporttest.NewImport(w.app, 3)
	_, err = w.store.Begin(t.Context(), empty)
	storetest.OK(t, "Begin", err)
	storetest.OK(t, "Do of an import without rows", w.worker(&storetest.Fuse{}).Do(t.Context(), userimport.Job{App: w.app.String(), Import: empty.ID}))
	w.clock.Advance(userimport.Kept)
	storetest.OK(t, "Do of one that is over", w.worker(&storetest.Fuse{}).Do(t.Context(), w.take(t)))
	if found, err := w.store.Get(t.Context(), w.app, begun.ID); err != nil || found.Counted() != 0 {
		t.Errorf("the import that is over: %+v, %v", found, err)
	}
}

// TestAKeyIsUsedAgainOnceItsImportIsForgotten: the import after it registers its own rows, under the same import ID.
func TestAKeyIsUsedAgainOnceItsImportIsForgotten(t *testing.T) {
	w := newWorld()
	users := w.store.Users
	begin := func(names ...string) userimport.Import {
		var candidates []userimport.Candidate
		for _, name := range names {
			candidates = append(candidates, userimport.Candidate{Username: name})
		}
		begun, err := w.service(&storetest.Fuse{}).Begin(t.Context(), w.app, userimport.Judge(candidates), "staff")
		storetest.OK(t, "Begin", err)
		storetest.OK(t, "Do", w.worker(&storetest.Fuse{}).Do(t.Context(), w.take(t)))
		return begun
	}
	first := begin("ann", "bob")
	w.clock.Advance(2 * userimport.Kept) // its rows have expired
	w.store = userimporttest.NewStore()
	w.store.Users = users
	if second := begin("carol", "dave"); second.ID != first.ID {
		t.Fatalf("import %s after %s", second.ID, first.ID)
	}
	for _, name := range []string{"ann", "bob", "carol", "dave"} {
		if user, err := users.ByName(t.Context(), w.app, name, true); err != nil || user == "" {
			t.Errorf("%s is not registered: %v", name, err)
		}
	}
}
