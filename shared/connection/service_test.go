package connection_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// fixture is a service with all that it stands on, and a registered user's phone.
type fixture struct {
	*connection.Service
	store  *connectiontest.Store
	poster *connectiontest.Poster
	clock  *clocktest.Clock
	phone  connection.Socket
}

func newFixture() *fixture {
	f := &fixture{store: connectiontest.NewStore(), poster: connectiontest.NewPoster(), clock: clocktest.New(storetest.Noon()),
		phone: connectiontest.NewSocket("phone", "conn-phone")}
	f.Service = &connection.Service{Store: f.store, Poster: f.poster, Clock: f.clock}
	f.store.Register(f.phone.App, f.phone.User)
	return f
}

// open opens a socket of the fixture's user, at API Gateway too.
func (f *fixture) open(t *testing.T, device, connectionID string) connection.Socket {
	t.Helper()
	socket := connectiontest.On(f.phone, device, connectionID)
	f.poster.Open(connectionID)
	storetest.OK(t, "Open", f.Open(t.Context(), socket))
	return socket
}

func (f *fixture) record(t *testing.T) connection.Record {
	t.Helper()
	record, err := f.store.Record(t.Context(), f.phone.App, f.phone.User, true)
	storetest.OK(t, "Record", err)
	return record
}

func (f *fixture) push(t *testing.T, except string) {
	t.Helper()
	f.Push(t.Context(), f.phone.App, f.phone.User, f.record(t), except, []byte("frame"))
}

func (f *fixture) wantFrames(t *testing.T, want map[string]int) {
	t.Helper()
	for connectionID, frames := range want {
		if got := len(f.poster.Frames(connectionID)); got != frames {
			t.Errorf("%s got %d frames, want %d", connectionID, got, frames)
		}
	}
}

func (f *fixture) wantConnection(t *testing.T, device, want string) {
	t.Helper()
	if got := f.record(t).Devices[device].Connection; got != want {
		t.Errorf("%q has the connection %q, want %q", device, got, want)
	}
}

func TestPushReachesLiveDevices(t *testing.T) {
	f := newFixture()
	for _, device := range []string{"phone", "tablet", "laptop"} {
		f.open(t, device, "conn-"+device)
	}
	storetest.OK(t, "Close", f.Close(t.Context(), connectiontest.On(f.phone, "laptop", "conn-laptop")))
	f.push(t, "conn-tablet")
	f.push(t, "")
	f.wantFrames(t, map[string]int{"conn-phone": 2, "conn-tablet": 1, "conn-laptop": 0})
	f.clock.Advance(connection.Lease)
	f.push(t, "")
	f.wantFrames(t, map[string]int{"conn-phone": 2, "conn-tablet": 1})
}

func TestGoneConnectionKeepsItsPlaceWhileYoung(t *testing.T) {
	f := newFixture()
	f.clock.Advance(800 * time.Millisecond) // late within its second: leases are kept in whole ones
	f.open(t, "phone", "conn-phone")
	f.open(t, "", "conn-2")
	f.poster.Drop("conn-phone")
	f.poster.Drop("conn-2")
	f.clock.Advance(connection.YoungFor - time.Millisecond)
	f.push(t, "")
	f.wantConnection(t, "phone", "conn-phone")
	f.wantConnection(t, "~conn-2", "conn-2")
	f.clock.Advance(time.Second + time.Millisecond)
	f.push(t, "")
	f.wantConnection(t, "phone", "")
	devices := f.record(t).Devices
	if _, known := devices["phone"]; !known || len(devices) != 1 {
		t.Errorf("devices %+v: the named one stays known, the other goes", devices)
	}
}

func TestFailingPostsHurtNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		for _, device := range []string{"phone", "hangs", "fails", "gone", "tablet"} {
			f.open(t, device, "conn-"+device)
		}
		f.clock.Advance(time.Minute)
		f.poster.Hang("conn-hangs")
		f.poster.Fail("conn-fails", errors.New("throttled"))
		f.poster.Drop("conn-gone")
		before := time.Now()
		f.push(t, "")
		if took := time.Since(before); took > 5*time.Second {
			t.Errorf("a hanging post held the push for %v", took)
		}
		f.wantFrames(t, map[string]int{"conn-phone": 1, "conn-tablet": 1})
		for _, device := range []string{"phone", "hangs", "fails", "tablet"} {
			f.wantConnection(t, device, "conn-"+device)
		}
		f.wantConnection(t, "gone", "")
	})
}

func TestExpiredTokenIsCut(t *testing.T) {
	f := newFixture()
	f.open(t, "phone", "conn-phone")
	f.phone.ExpiresAt = f.clock.Now().Add(time.Minute)
	f.open(t, "tablet", "conn-tablet")
	f.clock.Advance(time.Minute)
	f.push(t, "")
	f.wantFrames(t, map[string]int{"conn-phone": 1, "conn-tablet": 0})
	f.wantConnection(t, "tablet", "")
	if closed := f.poster.Closed(); !slices.Equal(closed, []string{"conn-tablet"}) {
		t.Errorf("closed %v", closed)
	}
}

func TestOpen(t *testing.T) {
	f := newFixture()
	first := f.open(t, "phone", "conn-1")
	second := f.open(t, "phone", "conn-2")
	if closed := f.poster.Closed(); !slices.Equal(closed, []string{"conn-1"}) {
		t.Errorf("closed %v, want the displaced conn-1", closed)
	}
	for _, socket := range []connection.Socket{first, second} {
		if _, err := f.Standing(t.Context(), socket.App, socket.User, socket.Connection); err != nil {
			t.Errorf("no row of %s: %v", socket.Connection, err)
		}
	}
	f.poster.Drop("conn-2") // a displaced connection that is gone already, or does not close, is no failure
	f.open(t, "phone", "conn-3")
	f.poster.Fail("conn-3", errors.New("throttled"))
	f.open(t, "phone", "conn-4")
	f.wantConnection(t, "phone", "conn-4")
	nobody := connectiontest.NewSocket("phone", "conn-5")
	storetest.Refused(t, "Open of nobody", f.Open(t.Context(), nobody), connection.ErrNotFound)
}

// refusing fails one method of a store.
type refusing struct {
	*connectiontest.Store
	attach, trim error
}

func (r refusing) Attach(ctx context.Context, socket connection.Socket, lease time.Time) (connection.Record, []string, error) {
	if r.attach != nil {
		return connection.Record{}, nil, r.attach
	}
	return r.Store.Attach(ctx, socket, lease)
}

func (r refusing) Trim(ctx context.Context, app id.App, user id.User, version int64, oldest []id.Conversation, floor int64) error {
	if r.trim != nil {
		return r.trim
	}
	return r.Store.Trim(ctx, app, user, version, oldest, floor)
}

// The row comes before the device, so that a key revoked in between finds the socket.
func TestOpenPutsTheRowFirst(t *testing.T) {
	f := newFixture()
	f.Store = refusing{Store: f.store, attach: errors.New("no answer")}
	if err := f.Open(t.Context(), f.phone); err == nil {
		t.Fatal("Open succeeded")
	}
	if _, err := f.Standing(t.Context(), f.phone.App, f.phone.User, f.phone.Connection); err != nil {
		t.Errorf("the row came after the device: %v", err)
	}
}

// A ring that cannot be trimmed costs the sender nothing, and the next change makes it good.
func TestNoteSurvivesAFailedTrim(t *testing.T) {
	f := newFixture()
	note := func(number int) {
		_, err := f.Note(t.Context(), f.phone.App, f.phone.User, connectiontest.Conversation(number), 1)
		storetest.OK(t, "Note", err)
	}
	f.Store = refusing{Store: f.store, trim: errors.New("no answer")}
	for number := range connection.RingSize {
		note(number)
	}
	f.Store = f.store
	note(0)
	if record := f.record(t); len(record.Ring) != connection.RingSize/2 || record.Floor != 9 {
		t.Errorf("ring of %d, floor %d; want %d and 9", len(record.Ring), record.Floor, connection.RingSize/2)
	}
}

func TestKeep(t *testing.T) {
	f := newFixture()
	socket := f.open(t, "phone", "conn-phone")
	lease := f.record(t).Devices["phone"].Lease
	keep := func() error {
		record, _, err := f.Keep(t.Context(), socket)
		if err == nil && record.Devices["phone"] != f.record(t).Devices["phone"] {
			t.Errorf("Keep = %+v, but the record has %+v", record.Devices, f.record(t).Devices)
		}
		return err
	}
	f.clock.Advance(connection.RenewAfter - time.Second)
	storetest.OK(t, "Keep", keep())
	if got := f.record(t).Devices["phone"].Lease; got != lease {
		t.Errorf("a young lease was renewed from %d to %d", lease, got)
	}
	f.clock.Advance(2 * time.Second)
	storetest.OK(t, "Keep", keep())
	if got, want := f.record(t).Devices["phone"].Lease, f.clock.Now().Add(connection.Lease).Unix(); got != want {
		t.Errorf("a due lease is %d, want %d", got, want)
	}
	f.open(t, "phone", "conn-2")
	storetest.Refused(t, "Keep of a displaced socket", keep(), connection.ErrGone)
	f.wantConnection(t, "phone", "conn-2")
}

// A device whose lease has ended was passed by; one that pings in time was not.
func TestKeepTellsOfALapse(t *testing.T) {
	for after, want := range map[time.Duration]bool{connection.RenewAfter + time.Second: false, connection.Lease + time.Second: true} {
		f := newFixture()
		socket := f.open(t, "phone", "conn-1")
		f.clock.Advance(after)
		if _, regained, err := f.Keep(t.Context(), socket); err != nil || regained != want {
			t.Errorf("after %v: regained %v, %v", after, regained, err)
		}
	}
}

// A device that lost its place to nobody gets it back with its next ping.
func TestKeepRegainsAPlace(t *testing.T) {
	for _, device := range []string{"phone", ""} {
		f := newFixture()
		socket := f.open(t, device, "conn-1")
		storetest.OK(t, "Close", f.Close(t.Context(), connectiontest.On(socket, device, "conn-1")))
		record, regained, err := f.Keep(t.Context(), socket)
		storetest.OK(t, "Keep", err)
		if got := record.Devices[socket.Device].Connection; got != "conn-1" || !regained {
			t.Errorf("%q has the connection %q after a ping, regained: %v", socket.Device, got, regained)
		}
	}
}

func TestReauthorize(t *testing.T) {
	f := newFixture()
	socket := f.open(t, "phone", "conn-phone")
	renewed := socket
	renewed.Key, renewed.Epoch, renewed.ExpiresAt = id.Source{}.Key(socket.App), 9, socket.ExpiresAt.Add(time.Hour)
	record, err := f.Reauthorize(t.Context(), renewed)
	storetest.OK(t, "Reauthorize", err)
	if got := record.Devices["phone"].Expires; got != renewed.ExpiresAt.Unix() {
		t.Errorf("the device expires at %d, want %d", got, renewed.ExpiresAt.Unix())
	}
	standing, err := f.Standing(t.Context(), socket.App, socket.User, socket.Connection)
	if err != nil || standing != renewed {
		t.Errorf("Standing = %+v, %v; want %+v", standing, err, renewed)
	}
	_, err = f.Reauthorize(t.Context(), connectiontest.On(renewed, "phone", "conn-unknown"))
	storetest.Refused(t, "Reauthorize of no socket", err, connection.ErrNotFound)
}

func TestCutUser(t *testing.T) {
	f := newFixture()
	f.open(t, "phone", "conn-phone")
	f.open(t, "", "conn-2")
	f.open(t, "tablet", "conn-3")
	f.poster.Fail("conn-phone", errors.New("throttled"))
	storetest.OK(t, "CutUser", f.CutUser(t.Context(), f.phone.App, f.phone.User))
	f.wantConnection(t, "phone", "")
	f.wantConnection(t, "tablet", "")
	closed := f.poster.Closed()
	slices.Sort(closed)
	if !slices.Equal(closed, []string{"conn-2", "conn-3"}) {
		t.Errorf("closed %v: one that fails must not keep the others", closed)
	}
	storetest.OK(t, "CutUser of nobody", f.CutUser(t.Context(), f.phone.App, id.Source{}.User()))
}

func TestCutKeyPagesThroughMany(t *testing.T) {
	f := newFixture()
	const sockets = 250
	for i := range sockets {
		socket := connectiontest.On(f.phone, "phone", fmt.Sprint("conn-", i))
		socket.User = id.Source{}.User()
		f.store.Register(socket.App, socket.User)
		f.poster.Open(socket.Connection)
		storetest.OK(t, "Open", f.Open(t.Context(), socket))
	}
	other := f.phone
	other.Key = id.Source{}.Key(f.phone.App)
	f.poster.Open(other.Connection)
	storetest.OK(t, "Open", f.Open(t.Context(), other))
	f.poster.Drop("conn-17") // gone already
	storetest.OK(t, "CutKey", f.CutKey(t.Context(), f.phone.App, f.phone.Key))
	if closed := f.poster.Closed(); len(closed) != sockets-1 || slices.Contains(closed, other.Connection) {
		t.Errorf("closed %d sockets, want %d and not another key's", len(closed), sockets-1)
	}
	f.wantConnection(t, "phone", other.Connection)
	storetest.OK(t, "CutKey again", f.CutKey(t.Context(), f.phone.App, f.phone.Key))
}

// What opens behind the time was judged by what held then, and stays.
func TestCutOpened(t *testing.T) {
	f := newFixture()
	f.poster.Open(f.phone.Connection)
	storetest.OK(t, "Open", f.Open(t.Context(), f.phone))
	changed := f.clock.Now().Add(10 * time.Second)
	f.clock.Advance(20 * time.Second)
	later := connectiontest.On(f.phone, "tablet", "conn-later")
	f.poster.Open(later.Connection)
	storetest.OK(t, "Open", f.Open(t.Context(), later))
	storetest.OK(t, "CutOpened", f.CutOpened(t.Context(), f.phone.App, f.phone.Key, changed))
	if closed := f.poster.Closed(); !slices.Equal(closed, []string{f.phone.Connection}) {
		t.Errorf("closed %v", closed)
	}
	storetest.OK(t, "CutKey", f.CutKey(t.Context(), f.phone.App, f.phone.Key))
	if closed := f.poster.Closed(); !slices.Contains(closed, later.Connection) {
		t.Errorf("closed %v", closed)
	}
}

// TestOutdate: who has seen everything but what is outdated has to look at all; later changes are told one by one again. Who has
// no device, and who is erased, has nobody to be told.
func TestOutdate(t *testing.T) {
	f := newFixture()
	outdate := func() {
		t.Helper()
		storetest.OK(t, "Outdate", f.Outdate(t.Context(), f.phone.App, f.phone.User, connectiontest.Conversation(0), 7))
	}
	outdate()
	if record := f.record(t); record.Version != 0 {
		t.Errorf("without a device: %+v", record)
	}
	f.open(t, "phone", "conn-phone")
	for number := range connection.RingSize / 2 {
		_, err := f.Note(t.Context(), f.phone.App, f.phone.User, connectiontest.Conversation(number), 1)
		storetest.OK(t, "Note", err)
	}
	seen := f.record(t).Version
	outdate()
	record := f.record(t)
	if _, complete := record.ChangedSince(seen); complete || record.Version != seen+1 || record.Floor != record.Version || len(record.Ring) != 1 {
		t.Errorf("after version %d: %+v", seen, record)
	}
	f.wantFrames(t, map[string]int{"conn-phone": 0})
	after, err := f.Note(t.Context(), f.phone.App, f.phone.User, connectiontest.Conversation(1), 2)
	storetest.OK(t, "Note", err)
	if changed, complete := after.ChangedSince(record.Version); !complete || len(changed) != 1 {
		t.Errorf("then changed: %v, %v", changed, complete)
	}
	storetest.OK(t, "Outdate of nobody", f.Outdate(t.Context(), f.phone.App, id.Source{}.User(), connectiontest.Conversation(0), 7))
}

// overtaking is a store in which others do something before or after each of the first trims.
type overtaking struct {
	connection.Store
	times         int
	before, after func()
}

func (o *overtaking) Trim(ctx context.Context, app id.App, user id.User, version int64, oldest []id.Conversation, floor int64) error {
	o.times--
	if o.times >= 0 {
		o.before()
	}
	err := o.Store.Trim(ctx, app, user, version, oldest, floor)
	if o.times >= 0 {
		o.after()
	}
	return err
}

// TestOutdateIsOvertaken: whoever has followed the pushes of others meanwhile, or has asked in between, has to look at all too.
func TestOutdateIsOvertaken(t *testing.T) {
	for times, want := range map[int]bool{3: true, 100: false} {
		for name, early := range map[string]bool{"before": true, "after": false} {
			f := newFixture()
			f.open(t, "phone", "conn-phone")
			pushed := int64(0) // the version of the phone, which gets every push
			note := func(now bool) func() {
				return func() {
					if now == early {
						record, err := f.store.Note(t.Context(), f.phone.App, f.phone.User, connectiontest.Conversation(3), 1)
						storetest.OK(t, "Note", err)
						if _, complete := record.ChangedSince(pushed); record.Version == pushed+1 || complete {
							pushed = record.Version
						}
					}
				}
			}
			f.Store = &overtaking{f.store, times, note(true), note(false)}
			err := f.Outdate(t.Context(), f.phone.App, f.phone.User, connectiontest.Conversation(0), 7)
			_, complete := f.record(t).ChangedSince(pushed)
			if outdated := err == nil && !complete; outdated != want || err != nil && !fault.Is(err, fault.Overtaken) {
				t.Errorf("overtaken %d times %s: %v, complete %v", times, name, err, complete)
			}
		}
	}
}
