package erasedb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/app/apptest"
	"github.com/tokenim/tokenim/shared/erase"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/task"
)

// finish erases until it is done, and returns how many runs that took.
func finish(t *testing.T, eraser *erase.Eraser, appID id.App) int {
	t.Helper()
	for runs := 1; ; runs++ {
		err := eraser.Task(t.Context(), task.Task{Kind: task.AppErase, App: appID})
		if err == nil {
			return runs
		}
		if !errors.Is(err, task.ErrUnfinished) || runs > 5 {
			t.Fatalf("run %d: %v", runs, err)
		}
	}
}

// tombstone is what is left of an app.
type tombstone struct {
	Name          *string `json:"name"`
	Origins       any     `json:"origins"`
	ErasedAt      int64   `json:"erased_at"`
	DataKeys      int     `json:"erased_data_keys"`
	Keys          int     `json:"erased_keys"`
	Users         int     `json:"erased_users"`
	Messages      int     `json:"erased_messages"`
	Conversations int     `json:"erased_conversations"`
	Connections   int     `json:"erased_connections"`
	Groups        int     `json:"erased_groups"`
	Media         int     `json:"erased_media"`
	Grants        int     `json:"erased_grants"`
	Records       int     `json:"erased_records"`
}

// wantErased checks that nothing but the tombstone is left of the app, and returns that.
func (w *world) wantErased(t *testing.T, erased app.App) (left tombstone) {
	t.Helper()
	rows := w.rows(t, body(erased))
	if len(rows) != 1 || len(rows["TABLE_KEYS"]) != 1 {
		t.Fatalf("left: %v", rows)
	}
	storetest.OK(t, "read the tombstone", json.Unmarshal([]byte(rows["TABLE_KEYS"][0]), &left))
	if left.Name != nil || left.Origins != nil || left.ErasedAt != due().UnixMilli() {
		t.Errorf("the tombstone is %s", rows["TABLE_KEYS"][0])
	}
	return left
}

// count returns the number of apps on the account's row.
func (w *world) count(t *testing.T, account id.Account) int {
	t.Helper()
	var found struct {
		Apps int `dynamodbav:"apps"`
	}
	_, err := table.Get(t.Context(), w.db, w.tables["TABLE_ACCOUNTS"], table.Key(string(account), "account"), true, &found)
	storetest.OK(t, "read the account", err)
	return found.Apps
}

func TestErase(t *testing.T) {
	w, account := newWorld(t), id.Source{}.Account()
	// 60 users meet every shard of the directory, but for once in 30,000 million years; 450 messages are three pages, 40 records
	// are in most chains.
	gone := w.seed(t, account, size{users: 60, messages: 2, sockets: 2, records: 40})
	kept := w.seed(t, account, size{users: 5, messages: 30, sockets: 2})
	one, two := w.register(t, gone.ID, "one"), w.register(t, gone.ID, "two")
	w.talk(t, gone.ID, one, two, 450)
	w.forget(t, gone.ID, one, two)
	w.gather(t, gone.ID, 7, one, two)
	w.gather(t, kept.ID, 7, w.register(t, kept.ID, "one"), w.register(t, kept.ID, "two"))
	gone, kept = w.remove(t, gone), w.remove(t, kept)
	before := w.rows(t, body(kept))
	records := len(w.rows(t, body(gone))["TABLE_RECORDS"])
	eraser, mailed := w.eraser(w.db)
	if runs := finish(t, eraser, gone.ID); runs != 2 {
		t.Errorf("it took %d runs; want one that finds users and one that finds none", runs)
	}
	left := w.wantErased(t, gone)
	left.ErasedAt = 0
	want := tombstone{DataKeys: 2, Keys: 2, Users: 2*62 + 1, Messages: 59*2 + 450 + 7 + 1, Conversations: 2*60 + 2 + 1 + 2, Groups: 3, Media: 3, Connections: 60*5 + 2 + 2 + 3 + 4, Grants: 2,
		Records: records}
	if left != want || records < 41 {
		t.Errorf("the receipt is %+v, want %+v", left, want)
	}
	if others := slices.DeleteFunc(slices.Clone(w.objects.keys), func(key string) bool { return strings.Contains(key, kept.ID.String()) }); len(others) > 0 || len(w.objects.keys) != 6 {
		t.Errorf("in the bucket are %q", w.objects.keys)
	}
	if after := w.rows(t, body(kept)); !reflect.DeepEqual(after, before) {
		t.Errorf("the other app was\n%v\nand is\n%v", before, after)
	}
	if got := w.count(t, account); got != 1 {
		t.Errorf("the account has %d apps, want 1", got)
	}
	if want := []string{fmt.Sprint("app_erased ", account, " ", gone.Name)}; !slices.Equal(mailed.sent, want) {
		t.Errorf("mailed %q, want %q", mailed.sent, want)
	}
	finish(t, eraser, gone.ID) // again is nothing
	if len(mailed.sent) != 1 || w.count(t, account) != 1 {
		t.Errorf("mailed %q, the account has %d apps", mailed.sent, w.count(t, account))
	}
}

// What is not due stays as it is: an app in use, one that was restored, and one that nobody knows.
func TestEraseLeavesWhatIsNotDue(t *testing.T) {
	w, account := newWorld(t), id.Source{}.Account()
	used := w.seed(t, account, size{users: 1})
	restored := w.remove(t, w.seed(t, account, size{users: 1}))
	_, err := w.apps(w.db).Restore(t.Context(), restored, apptest.Record(restored, record.AppRestored))
	storetest.OK(t, "Restore", err)
	later := w.seed(t, account, size{users: 1})
	_, err = w.apps(w.db).Delete(t.Context(), later, storetest.Noon(), due().Add(time.Millisecond), apptest.Record(later, record.AppDeleted))
	storetest.OK(t, "Delete", err)
	before := w.rows(t, "")
	eraser, mailed := w.eraser(w.db)
	for _, appID := range []id.App{used.ID, restored.ID, later.ID, id.Source{}.App(), id.Platform()} {
		finish(t, eraser, appID)
	}
	if after := w.rows(t, ""); !reflect.DeepEqual(after, before) || len(mailed.sent) != 0 {
		t.Errorf("it was\n%v\nand is\n%v", before, after)
	}
}

// An erasing that dies at any of its writes goes on, and has taken the data keys before anything that they open.
func TestCrashBetweenWrites(t *testing.T) {
	w := newWorld(t)
	step := 1
	if testing.Short() {
		step = 7
	}
	for _, tookEffect := range []bool{false, true} {
		for at := 1; ; at += step {
			account := id.Source{}.Account()
			gone := w.remove(t, w.seed(t, account, size{users: 3, messages: 2, sockets: 1}))
			kept := w.seed(t, account, size{users: 2, messages: 1, sockets: 1})
			before, others := w.rows(t, body(gone)), w.rows(t, body(kept))
			fuse := &storetest.Fuse{At: at, TookEffect: tookEffect, Dies: true}
			dying, _ := w.eraser(w.through(fuse))
			var err error
			for err = task.ErrUnfinished; errors.Is(err, task.ErrUnfinished); {
				err = dying.Erase(t.Context(), gone.ID)
			}
			if !fuse.Blown() {
				break // every write has had its turn
			}
			t.Run(fmt.Sprintf("write %d, took effect %v", at, tookEffect), func(t *testing.T) {
				if err == nil {
					t.Fatal("a dead process has finished")
				}
				after := w.rows(t, body(gone))
				if len(after["TABLE_DATA_KEYS"]) > 0 && !sameData(before, after) {
					t.Errorf("data keys are left, and of the rest:\n%v", after)
				}
				eraser, _ := w.eraser(w.db)
				finish(t, eraser, gone.ID)
				w.wantErased(t, gone)
				if now := w.rows(t, body(kept)); !reflect.DeepEqual(now, others) || w.count(t, account) != 1 {
					t.Errorf("the other app was\n%v\nand is\n%v; the account has %d", others, now, w.count(t, account))
				}
			})
		}
	}
}

// sameData tells whether the rows are the same but for the app's own record and its pointer.
func sameData(before, after map[string][]string) bool {
	for _, name := range []string{"TABLE_USERS", "TABLE_MESSAGES", "TABLE_CONVERSATIONS", "TABLE_CONNECTIONS", "TABLE_GRANTS", "TABLE_RECORDS"} {
		if !slices.Equal(before[name], after[name]) {
			return false
		}
	}
	return len(before["TABLE_KEYS"]) == len(after["TABLE_KEYS"])
}

// A run without time does nothing but begin, and the next one goes on.
func TestEraseKeepsItsTime(t *testing.T) {
	w, account := newWorld(t), id.Source{}.Account()
	gone := w.remove(t, w.seed(t, account, size{users: 3, messages: 2, sockets: 1}))
	before := w.rows(t, body(gone))
	eraser, _ := w.eraser(w.db)
	short, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	storetest.Refused(t, "a run without time", eraser.Erase(short, gone.ID), task.ErrUnfinished)
	if after := w.rows(t, body(gone)); !sameData(before, after) || len(after["TABLE_DATA_KEYS"]) != 2 {
		t.Errorf("it was\n%v\nand is\n%v", before, after)
	}
	finish(t, eraser, gone.ID)
	w.wantErased(t, gone)
}

// What DynamoDB leaves undone of a batch is done by the next.
func TestEraseRepeatsWhatWasLeftUndone(t *testing.T) {
	w, account := newWorld(t), id.Source{}.Account()
	gone := w.remove(t, w.seed(t, account, size{users: 2, messages: 40}))
	var batches atomic.Int64
	eraser, _ := w.eraser(w.halving(&batches))
	finish(t, eraser, gone.ID)
	if left := w.wantErased(t, gone); left.Messages != 40 || left.Users != 5 || batches.Load() < 15 {
		t.Errorf("the receipt is %+v after %d batches", left, batches.Load())
	}
}

// A user who talks to everybody has more conversations than a run has time for. What a run has done of them stays done, so
// that the runs come to an end.
func TestEraseGoesOnWithinAUser(t *testing.T) {
	w, account := newWorld(t), id.Source{}.Account()
	gone := w.seed(t, account, size{})
	everybody := w.register(t, gone.ID, "everybody")
	const conversations = 450 // more than two pages
	for range conversations {
		w.talk(t, gone.ID, everybody, id.Source{}.User(), 1)
	}
	gone = w.remove(t, gone)
	for runs, left := 0, conversations; left > 0; runs++ {
		queries := 0
		eraser, _ := w.eraser(w.intercept(func(input any, next func() (any, error)) (any, error) {
			if query, ok := input.(*dynamodb.QueryInput); ok && *query.TableName == w.tables["TABLE_MESSAGES"] {
				if queries++; queries > 220 {
					return nil, task.ErrUnfinished // as where the time is up
				}
			}
			return next()
		}))
		if err := eraser.Erase(t.Context(), gone.ID); !errors.Is(err, task.ErrUnfinished) {
			t.Fatalf("run %d: %v", runs, err)
		}
		of := slices.DeleteFunc(w.rows(t, string(everybody))["TABLE_CONVERSATIONS"], func(row string) bool {
			return !strings.Contains(row, `"pk":"`+gone.ID.String()+"#"+string(everybody))
		})
		if len(of) >= left {
			t.Fatalf("run %d has left %d conversations of %d", runs, len(of), left)
		}
		left = len(of)
	}
}
