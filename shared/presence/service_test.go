package presence_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/presence"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func wantItem(t *testing.T, what string, got, want presence.UserPresence) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n%+v, want\n%+v", what, got, want)
	}
}

func TestWhatIsToldOfAUser(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	wantItem(t, "never there", w.see(bob, ann), presence.UserPresence{UserID: ann, Status: presence.Offline})
	start := w.clock.Now()
	phone, nameless := w.open(ann, "phone", "c1"), w.open(ann, "", "c2")
	online := presence.UserPresence{UserID: ann, Status: presence.Online, LastSeen: start, Until: start.Add(connection.Lease), Devices: 2}
	wantItem(t, "to others", w.see(bob, ann), online)
	whole := online
	whole.DeviceNames = []string{"phone"}
	wantItem(t, "to itself", w.see(ann, ann), whole)
	wantItem(t, "to an application", w.see("", ann), whole)

	w.pass(10 * time.Minute)
	w.ping(phone)
	online.LastSeen, online.Until = w.clock.Now(), w.clock.Now().Add(connection.Lease)
	wantItem(t, "after a ping", w.see(bob, ann), online)
	w.shut(phone)
	online.Until, online.Devices = start.Add(connection.Lease), 1
	wantItem(t, "on one device", w.see(bob, ann), online)
	w.pass(time.Minute)
	w.shut(nameless)
	gone := w.clock.Now()
	w.pass(time.Hour)
	wantItem(t, "gone", w.see(bob, ann), presence.UserPresence{UserID: ann, Status: presence.Offline, LastSeen: gone})
}

func TestUntilEndsWithTheToken(t *testing.T) {
	w := newWorld(t)
	ann := w.register()
	socket := w.open(ann, "phone", "c1")
	socket.ExpiresAt = w.clock.Now().Add(time.Minute)
	_, err := w.sockets.Reauthorize(t.Context(), socket)
	storetest.OK(t, "Reauthorize", err)
	if until := w.see("", ann).Until; !until.Equal(socket.ExpiresAt) {
		t.Errorf("until %v, the token expires at %v", until, socket.ExpiresAt)
	}
	w.pass(time.Minute)
	if now := w.see("", ann); now.Status != presence.Offline || !now.LastSeen.Equal(w.clock.Now().Add(-time.Minute)) {
		t.Errorf("after the token: %+v", now)
	}
}

// A device that is found gone was seen when it was heard, not when that was found.
func TestALostDeviceWasSeenWhenItWasHeard(t *testing.T) {
	for _, device := range []string{"phone", ""} {
		w := newWorld(t)
		ann := w.register()
		start := w.clock.Now()
		w.open(ann, device, "c1")
		w.poster.Drop("c1")
		w.pass(connection.Lease - time.Second)
		if now := w.see("", ann); now.Status != presence.Online {
			t.Errorf("%q within its lease: %+v", device, now)
		}
		record, err := w.store.Record(t.Context(), w.app, ann, true)
		storetest.OK(t, "Record", err)
		w.sockets.Push(t.Context(), w.app, ann, record, "", []byte("x")) // is answered that the connection is gone
		wantItem(t, "found gone", w.see("", ann), presence.UserPresence{UserID: ann, Status: presence.Offline, LastSeen: start})
	}
}

func TestQueryKeepsTheOrder(t *testing.T) {
	w := newWorld(t)
	var asked []string
	want := map[string]presence.Status{"bob": presence.Unknown, "u_0000000000000000000000": presence.Unknown, "": presence.Unknown}
	for text := range want {
		asked = append(asked, text)
	}
	for i := range 500 {
		user := w.register()
		want[string(user)] = presence.Offline
		if i%3 == 0 {
			w.open(user, "phone", fmt.Sprint("c", i))
			want[string(user)] = presence.Online
		}
		asked = append(asked, string(user), string(user))
	}
	items, err := w.Query(t.Context(), w.app, "", asked)
	storetest.OK(t, "Query", err)
	for i, item := range items {
		if string(item.UserID) != asked[i] || item.Status != want[asked[i]] {
			t.Fatalf("number %d: asked for %q, told %+v", i, asked[i], item)
		}
	}
	other, err := w.Query(t.Context(), id.Source{}.App(), "", asked)
	storetest.OK(t, "Query in another app", err)
	if slices.ContainsFunc(other, func(item presence.UserPresence) bool { return item.Status != presence.Unknown || item.Devices != 0 }) {
		t.Error("another app is told of users that it does not have")
	}
}

func TestGet(t *testing.T) {
	w := newWorld(t)
	ann := w.register()
	w.open(ann, "phone", "c1")
	got, err := w.Get(t.Context(), w.app, "", string(ann))
	storetest.OK(t, "Get", err)
	wantItem(t, "Get", got, w.see("", ann))
	for _, nobody := range []string{"nobody", "u_0000000000000000000000"} {
		if _, err := w.Get(t.Context(), w.app, "", nobody); !fault.Is(err, fault.UserNotFound) {
			t.Errorf("Get of %s: %v", nobody, err)
		}
	}
	if _, err := w.SetHidden(t.Context(), w.app, "u_0000000000000000000000", true); !fault.Is(err, fault.UserNotFound) {
		t.Errorf("SetHidden of nobody: %v", err)
	}
}

func TestHidden(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	w.open(ann, "phone", "c1")
	own, err := w.SetHidden(t.Context(), w.app, ann, true)
	storetest.OK(t, "SetHidden", err)
	start := w.clock.Now()
	whole := presence.UserPresence{UserID: ann, Status: presence.Online, LastSeen: start, Until: start.Add(connection.Lease), Devices: 1,
		DeviceNames: []string{"phone"}, Hidden: true}
	wantItem(t, "SetHidden", own, whole)
	wantItem(t, "to an application", w.see("", ann), whole)
	wantItem(t, "to others", w.see(bob, ann), presence.UserPresence{UserID: ann, Status: presence.Offline})
	_, err = w.SetHidden(t.Context(), w.app, ann, false)
	storetest.OK(t, "SetHidden", err)
	if shown := w.see(bob, ann); shown.Status != presence.Online || shown.Hidden {
		t.Errorf("shown again: %+v", shown)
	}
}

// Connects of a user whom nobody watches queue nothing, and watching users that there are not writes nothing.
func TestUnwatchedCostsNothing(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	w.shut(w.open(ann, "phone", "c1"))
	nobody := id.Source{}.User()
	items := w.watch(bob, nobody, "bob")
	if items[0].Status != presence.Unknown || items[1].Status != presence.Unknown {
		t.Errorf("watched nobody: %+v", items)
	}
	watchers, _, err := w.store.Watchers(t.Context(), w.app, nobody, w.clock.Now(), "", 10)
	storetest.OK(t, "Watchers", err)
	if w.queue.sent != 0 || watchers != nil {
		t.Errorf("%d jobs, watchers %v", w.queue.sent, watchers)
	}
	w.watch(bob, ann)
	storetest.OK(t, "Unwatch", w.Unwatch(t.Context(), w.app, bob, []string{string(ann), string(nobody), "x"}))
	w.pass(3 * presence.WatchLife)
	w.shut(w.open(ann, "phone", "c2"))
	if w.queue.sent != 0 {
		t.Errorf("%d jobs about a user whom nobody watches any more", w.queue.sent)
	}
}

func TestARecordIsMarkedOnceInAWhile(t *testing.T) {
	w := newWorld(t)
	ann := w.register()
	mark := func() int64 {
		record, err := w.store.Record(t.Context(), w.app, ann, true)
		storetest.OK(t, "Record", err)
		return record.WatchedUntil
	}
	w.watch(w.register(), ann)
	first := mark()
	for range 5 {
		w.pass(presence.WatchLife / 6)
		w.watch(w.register(), ann)
	}
	if mark() != first {
		t.Error("every watch writes to the record")
	}
	w.pass(presence.WatchLife)
	w.watch(w.register(), ann)
	if until := time.Unix(mark(), 0); until.Before(w.clock.Now().Add(presence.WatchLife)) {
		t.Errorf("marked until %v: the watch lasts longer", until)
	}
}

// A change of presence that cannot be queued does not keep anybody from connecting.
func TestQueueOutOfReach(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	w.watch(bob, ann)
	w.queue.fail = errors.New("out of reach")
	w.open(ann, "phone", "c1")
	if now := w.watch(bob, ann)[0]; now.Status != presence.Online {
		t.Errorf("asked again: %+v", now)
	}
}
