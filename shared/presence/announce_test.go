package presence_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/presence"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// wantHeard checks the statuses of the events that came to the connection.
func (w *world) wantHeard(t *testing.T, connectionID string, want ...presence.Status) {
	t.Helper()
	if got := statuses(w.heard(connectionID, 0)); !slices.Equal(got, want) {
		t.Errorf("%s heard %v, want %v", connectionID, got, want)
	}
}

func TestTwoUsersWithTwoDevicesEach(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	for _, of := range []struct {
		user id.User
		name string
	}{{ann, "ann"}, {bob, "bob"}} {
		w.open(of.user, "phone", of.name+"-phone")
		w.open(of.user, "laptop", of.name+"-laptop")
	}
	w.watch(ann, bob)
	w.watch(bob, ann)
	w.shut(connectionOf(w, bob, "phone", "bob-phone"))
	w.settle()
	w.wantHeard(t, "ann-phone") // the laptop is still there
	w.shut(connectionOf(w, bob, "laptop", "bob-laptop"))
	w.settle()
	for _, device := range []string{"ann-phone", "ann-laptop"} {
		w.wantHeard(t, device, presence.Offline)
	}
	event := w.heard("ann-phone", 0)[0]
	wantItem(t, "the event", event.UserPresence, w.see(ann, bob))
	w.open(bob, "phone", "bob-phone-2")
	w.settle()
	for _, device := range []string{"ann-phone", "ann-laptop"} {
		w.wantHeard(t, device, presence.Offline, presence.Online)
	}
	w.wantHeard(t, "bob-phone-2")
}

// connectionOf is the socket of a device.
func connectionOf(w *world, user id.User, device, connectionID string) connection.Socket {
	return connection.Socket{App: w.app, User: user, Device: device, Connection: connectionID}
}

func TestFlappingIsNotAnnounced(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	w.open(bob, "phone", "bob")
	w.watch(bob, ann)
	for i := range 5 {
		w.shut(w.open(ann, "phone", fmt.Sprint("short", i)))
		w.pass(connection.Damping / 2)
	}
	w.settle()
	w.wantHeard(t, "bob")
	socket := w.open(ann, "phone", "ann")
	w.settle()
	w.shut(socket)
	w.pass(connection.Damping / 2)
	w.open(ann, "phone", "ann-again")
	w.settle()
	w.settle()
	w.wantHeard(t, "bob", presence.Online)
}

func TestHidingIsAnnouncedAsGoing(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	w.open(bob, "phone", "bob")
	w.open(ann, "phone", "ann")
	w.watch(bob, ann)
	_, err := w.SetHidden(t.Context(), w.app, ann, true)
	storetest.OK(t, "SetHidden", err)
	w.settle()
	wantItem(t, "hidden", w.heard("bob", 0)[0].UserPresence, presence.UserPresence{UserID: ann, Status: presence.Offline})
	w.shut(w.open(ann, "laptop", "laptop")) // comes and goes unseen
	w.settle()
	_, err = w.SetHidden(t.Context(), w.app, ann, false)
	storetest.OK(t, "SetHidden", err)
	w.settle()
	w.wantHeard(t, "bob", presence.Offline, presence.Online)
}

// A user who watches itself is told what it sees, not what others do.
func TestWatchingOneself(t *testing.T) {
	w := newWorld(t)
	ann := w.register()
	w.watch(ann, ann)
	_, err := w.SetHidden(t.Context(), w.app, ann, false)
	storetest.OK(t, "SetHidden", err)
	w.open(ann, "phone", "ann")
	w.settle()
	if events := w.heard("ann", 0); len(events) != 1 || events[0].DeviceNames == nil {
		t.Errorf("heard %+v", events)
	}
}

// A lost $disconnect: what was told ends by itself, who asks again is told, and the return is announced.
func TestLostDisconnect(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	watcher := w.open(bob, "phone", "bob")
	w.open(ann, "phone", "ann")
	told := w.watch(bob, ann)[0]
	w.poster.Drop("ann") // and no $disconnect
	for w.clock.Now().Before(told.Until) {
		w.pass(5 * time.Minute)
		w.ping(watcher)
	}
	if again := w.watch(bob, ann)[0]; again.Status != presence.Offline || again.LastSeen.After(told.Until.Add(-connection.Lease)) {
		t.Errorf("asked again: %+v", again)
	}
	w.wantHeard(t, "bob")
	w.open(ann, "phone", "ann-2")
	w.settle()
	w.wantHeard(t, "bob", presence.Online)
}

// A device that was silent longer than its lease and pings again is a user who comes back.
func TestSilentDeviceComesBack(t *testing.T) {
	for name, back := range map[string]func(w *world, silent connection.Socket){
		"by a ping": (*world).ping,
		"by a new token": func(w *world, silent connection.Socket) {
			_, err := w.sockets.Reauthorize(t.Context(), silent)
			storetest.OK(t, "Reauthorize", err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ann, bob := w.register(), w.register()
			watcher, silent := w.open(bob, "phone", "bob"), w.open(ann, "phone", "ann")
			w.watch(bob, ann)
			for range 5 {
				w.pass(9 * time.Minute)
				w.ping(watcher)
			}
			if status := w.watch(bob, ann)[0].Status; status != presence.Offline {
				t.Fatalf("silent, but %s", status)
			}
			w.settle() // others who watch may not have asked again yet
			back(w, silent)
			w.settle()
			w.wantHeard(t, "bob", presence.Offline, presence.Online)
		})
	}
}

// Who begins to watch within Damping is answered what the others are not told yet, and is told if it does not last.
func TestWatchingAUserWhoFlaps(t *testing.T) {
	w := newWorld(t)
	ann, bob, cem := w.register(), w.register(), w.register()
	w.open(bob, "phone", "bob")
	w.open(cem, "phone", "cem")
	socket := w.open(ann, "phone", "ann")
	w.watch(bob, ann)
	w.shut(socket)
	w.pass(2 * time.Second)
	if status := w.watch(cem, ann)[0].Status; status != presence.Offline {
		t.Errorf("the answer within the damping: %s", status)
	}
	w.pass(time.Second)
	w.open(ann, "phone", "ann-again")
	w.settle()
	w.settle()
	w.wantHeard(t, "bob")
	w.wantHeard(t, "cem", presence.Online)
}

func TestOfTwoJobsOneAnnounces(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	w.open(bob, "phone", "bob")
	w.watch(bob, ann)
	w.open(ann, "phone", "ann")
	w.clock.Advance(connection.Damping)
	jobs := []connection.PresenceChange{w.change(ann, "job1"), w.change(ann, "job2")}
	for i, err := range storetest.AtOnce(len(jobs), func(i int) error { return w.watchers.Announce(t.Context(), jobs[i]) }) {
		storetest.OK(t, fmt.Sprint("job ", i), err)
	}
	w.wantHeard(t, "bob", presence.Online)
}

// A job that broke off is done again, by itself only.
func TestAJobIsDoneAgain(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	w.open(bob, "phone", "bob")
	w.watch(bob, ann)
	w.open(ann, "phone", "ann")
	w.clock.Advance(connection.Damping)
	job := w.queue.due()[0]
	fuse := &failing{Store: w.store, err: errors.New("out of reach")}
	broken := *w.watchers
	broken.Store = fuse
	if err := broken.Announce(t.Context(), job); !errors.Is(err, fuse.err) {
		t.Fatalf("the job that breaks off: %v", err)
	}
	storetest.OK(t, "another job", w.watchers.Announce(t.Context(), w.change(ann, "other")))
	w.wantHeard(t, "bob")
	storetest.OK(t, "the job again", w.watchers.Announce(t.Context(), job))
	w.wantHeard(t, "bob", presence.Online)
}

// failing is a store that finds no watchers.
type failing struct {
	presence.Store
	err error
}

// Watchers implements presence.Store.
func (f *failing) Watchers(ctx context.Context, app id.App, watched id.User, now time.Time, after string, limit int) ([]id.User, string, error) {
	return nil, "", f.err
}

// Thousands watch: they are told in several jobs, and dead, slow and failing sockets cost nobody else.
func TestThousandsWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const crowd = 4500
		ann := w.register()
		var alive []string
		for i := range crowd {
			watcher, name := w.register(), fmt.Sprint("w", i)
			w.watch(watcher, ann)
			if i%10 == 9 {
				continue // is offline
			}
			w.open(watcher, "phone", name)
			switch i % 100 {
			case 1:
				w.poster.Drop(name)
			case 2:
				w.poster.Hang(name)
			case 3:
				w.poster.Fail(name, errors.New("throttled"))
			default:
				alive = append(alive, name)
			}
		}
		w.open(ann, "phone", "ann")
		before, jobs := time.Now(), 0
		w.clock.Advance(connection.Damping)
		for due := w.queue.due(); len(due) > 0; due = w.queue.due() {
			for _, job := range due {
				jobs++
				storetest.OK(t, "Announce", w.watchers.Announce(t.Context(), job))
			}
		}
		if took := time.Since(before); jobs != 3 || took > 2*time.Minute {
			t.Errorf("%d jobs that took %v, want 3", jobs, took)
		}
		for _, name := range alive {
			if heard := w.heard(name, 0); len(heard) != 1 || heard[0].UserID != ann || heard[0].Status != presence.Online {
				t.Fatalf("%s heard %+v", name, heard)
			}
		}
	})
}

// A job that has more watchers than it can tell leaves them to the next, which does nothing once the user has changed.
func TestTheRestOfAJobIsOvertaken(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	w.open(bob, "phone", "bob")
	w.watch(bob, ann)
	socket := w.open(ann, "phone", "ann")
	w.settle()
	w.wantHeard(t, "bob", presence.Online)
	record, err := w.store.Record(t.Context(), w.app, ann, true)
	storetest.OK(t, "Record", err)
	rest := connection.PresenceChange{App: w.app.String(), User: ann, ID: record.Announced.By, After: "a"}
	storetest.OK(t, "the rest", w.watchers.Announce(t.Context(), rest))
	w.wantHeard(t, "bob", presence.Online, presence.Online)
	w.shut(socket)
	storetest.OK(t, "the rest, overtaken", w.watchers.Announce(t.Context(), rest))
	w.settle()
	storetest.OK(t, "the rest, overtaken and announced", w.watchers.Announce(t.Context(), rest))
	w.wantHeard(t, "bob", presence.Online, presence.Online, presence.Offline)
}

func TestAWatchEnds(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	w.open(bob, "phone", "bob")
	w.watch(bob, ann)
	storetest.OK(t, "Unwatch", w.Unwatch(t.Context(), w.app, bob, []string{string(ann)}))
	socket := w.open(ann, "phone", "ann")
	w.settle()
	w.watch(bob, ann)
	w.shut(socket)
	w.pass(0)
	storetest.OK(t, "of a user who is not there", w.watchers.Announce(t.Context(), w.change(id.Source{}.User(), "job")))
	w.settle()
	w.wantHeard(t, "bob", presence.Offline)
	w.pass(presence.WatchLife)
	w.watch(w.register(), ann) // the record stays watched
	w.open(bob, "phone", "bob-2")
	w.open(ann, "phone", "ann-2")
	w.settle()
	w.wantHeard(t, "bob-2")
}

// A user who changes between the look at the record and the mark that it is watched: nobody would have announced it.
func TestChangeWhileBeginningToWatch(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	w.open(bob, "phone", "bob")
	w.Store = &between{Store: w.store, do: func() { w.open(ann, "phone", "ann") }}
	if now := w.watch(bob, ann)[0]; now.Status != presence.Online {
		t.Errorf("the answer is older than the watch: %+v", now)
	}
	w.settle()
	record, err := w.store.Record(t.Context(), w.app, ann, true)
	storetest.OK(t, "Record", err)
	if !record.Announced.Online {
		t.Error("what is announced is not what is shown")
	}
}

// between does something after the records were read.
type between struct {
	*connectiontest.Store
	do func()
}

// Records implements presence.Store.
func (b *between) Records(ctx context.Context, app id.App, users []id.User, strong bool) (map[id.User]connection.Record, error) {
	found, err := b.Store.Records(ctx, app, users, strong)
	if b.do != nil {
		do := b.do
		b.do = nil
		do()
	}
	return found, err
}
