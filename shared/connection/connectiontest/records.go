package connectiontest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Leases of the suite: each later than the last.
func lease(number int) time.Time {
	return storetest.Noon().Truncate(time.Second).Add(time.Duration(number) * time.Minute)
}

func runNoRecord(t *testing.T, s Suite) {
	ctx, socket := t.Context(), NewSocket("phone", "conn-1")
	_, err := s.Store.Note(ctx, socket.App, socket.User, Conversation(1), 1)
	storetest.Refused(t, "Note", err, connection.ErrNotFound)
	_, _, err = s.Store.Attach(ctx, socket, lease(1))
	storetest.Refused(t, "Attach", err, connection.ErrNotFound)
	_, err = s.Store.Renew(ctx, socket, lease(1), time.Time{})
	storetest.Refused(t, "Renew", err, connection.ErrNotFound)
	storetest.OK(t, "Trim", s.Store.Trim(ctx, socket.App, socket.User, 0, []id.Conversation{Conversation(1)}, 1))
	for _, name := range []string{"phone", "~conn-1"} {
		standing, err := s.Store.Detach(ctx, socket.App, socket.User, name, "conn-1", lease(1))
		storetest.OK(t, "Detach", err)
		sameRecord(t, "Detach of nobody", standing, connection.Record{})
	}
	for _, strong := range []bool{false, true} { // none of these has made one
		_, err = s.Store.Record(ctx, socket.App, socket.User, strong)
		storetest.Refused(t, "Record", err, connection.ErrNotFound)
	}
}

func runNote(t *testing.T, s Suite) {
	socket := s.newUser()
	want := connection.Record{Ring: map[id.Conversation]connection.Change{}, Devices: map[string]connection.Device{}}
	sameRecord(t, "an empty record", s.record(t, socket), want)
	for i, number := range []int{1, 2, 1, 3} {
		want.Version = int64(i + 1)
		change := connection.Change{Version: want.Version, Sequence: int64(100 + i)}
		want.Ring[Conversation(number)] = change
		sameRecord(t, "Note", s.note(t, socket, number, change.Sequence), want)
		sameRecord(t, "Record", s.record(t, socket), want)
	}
}

// runNoteOwn notes the user's own log, which the record never forgets, and another user's, which is a conversation like others.
func runNoteOwn(t *testing.T, s Suite) {
	socket := s.newUser()
	other := id.Source{}.User()
	for i, each := range []struct {
		of   id.User
		want bool
	}{{other, false}, {socket.User, true}, {other, true}} {
		after, err := s.Store.Note(t.Context(), socket.App, socket.User, id.Pair(socket.App, each.of, each.of), 1)
		storetest.OK(t, "Note", err)
		if after.Own != each.want || s.record(t, socket).Own != each.want {
			t.Errorf("note %d: %+v", i, after)
		}
	}
}

// runNoteOutOfOrder notes sequences as they come where an append was noted late, or twice.
func runNoteOutOfOrder(t *testing.T, s Suite) {
	socket := s.newUser()
	highest := int64(0)
	for i, sequence := range []int64{5, 4, 5, 6, 6, 1, 900_000_000, 7} {
		highest = max(highest, sequence)
		want := connection.Change{Version: int64(i + 1), Sequence: highest}
		if got := s.note(t, socket, 1, sequence).Ring[Conversation(1)]; got != want {
			t.Fatalf("after the note of %d: %+v, want %+v", sequence, got, want)
		}
	}
	if got := s.note(t, socket, 2, 1).Ring[Conversation(2)]; got != (connection.Change{Version: 9, Sequence: 1}) {
		t.Fatalf("another conversation: %+v", got)
	}
}

func runNoteRace(t *testing.T, s Suite) {
	socket := s.newUser()
	versions := make([]int64, storetest.Racers)
	for _, err := range storetest.AtOnce(len(versions), func(i int) error {
		after, err := s.Store.Note(t.Context(), socket.App, socket.User, Conversation(i%8), int64(i))
		versions[i] = after.Version
		if at := after.Ring[Conversation(i%8)].Version; err == nil && at != after.Version {
			return fmt.Errorf("noted at %d under version %d", at, after.Version)
		}
		return err
	}) {
		storetest.OK(t, "Note", err)
	}
	slices.Sort(versions)
	for i, version := range versions {
		if version != int64(i+1) {
			t.Fatalf("versions %v: each change needs its own", versions)
		}
	}
	last := s.record(t, socket)
	for number := range 8 {
		if got := last.Ring[Conversation(number)].Sequence; got != int64(storetest.Racers-8+number) {
			t.Errorf("conversation %d was noted up to %d", number, got)
		}
	}
}

func runTrim(t *testing.T, s Suite) {
	socket := s.newUser()
	for number := range connection.RingSize {
		s.note(t, socket, number, 1)
	}
	full := s.record(t, socket)
	oldest, floor := full.Overflow()
	for _, version := range []int64{full.Version - 1, full.Version + 1} {
		storetest.OK(t, "Trim", s.Store.Trim(t.Context(), socket.App, socket.User, version, oldest, floor))
		sameRecord(t, "after a Trim at another version", s.record(t, socket), full)
	}
	storetest.OK(t, "Trim", s.Store.Trim(t.Context(), socket.App, socket.User, full.Version, oldest, floor))
	for _, conversation := range oldest {
		delete(full.Ring, conversation)
	}
	full.Floor = floor
	sameRecord(t, "after a Trim", s.record(t, socket), full)
	full.Floor = full.Version + 1
	storetest.OK(t, "Trim", s.Store.Trim(t.Context(), socket.App, socket.User, full.Version, nil, full.Floor))
	sameRecord(t, "after a Trim of nothing", s.record(t, socket), full)
}

func runAttach(t *testing.T, s Suite) {
	phone := s.newUser()
	nameless := On(phone, "", "conn-2")
	s.attach(t, phone, lease(1))
	after := s.attach(t, nameless, lease(2))
	if len(after.Devices) != 2 {
		t.Fatalf("devices %+v, want two", after.Devices)
	}
	wantDevice(t, after, "phone", entry(phone, lease(1)))
	wantDevice(t, after, "~conn-2", entry(nameless, lease(2)))
}

func runReplace(t *testing.T, s Suite) {
	first := s.newUser()
	second := On(first, "phone", "conn-2")
	s.attach(t, first, lease(1))
	after := s.attach(t, second, lease(1), "conn-1")
	wantDevice(t, after, "phone", entry(second, lease(1)))
	after = s.attach(t, second, lease(2)) // the same connection again displaces nothing
	wantDevice(t, after, "phone", entry(second, lease(2)))
	s.detach(t, second, lease(3))
	s.attach(t, first, lease(3)) // nor does a device without a socket lose one
}

// fill attaches MaxDevices devices; the third has been silent longest.
func (s Suite) fill(t *testing.T) connection.Socket {
	t.Helper()
	socket := s.newUser()
	for i := range connection.MaxDevices {
		at := lease(10 + i)
		if i == 2 {
			at = lease(1)
		}
		s.attach(t, On(socket, fmt.Sprint("device-", i), fmt.Sprint("conn-", i)), at)
	}
	return socket
}

func runEvict(t *testing.T, s Suite) {
	socket := s.fill(t)
	sixth := On(socket, "", "conn-6")
	after := s.attach(t, sixth, lease(20), "conn-2")
	wantDevice(t, after, "~conn-6", entry(sixth, lease(20)))
	if _, known := after.Devices["device-2"]; known || len(after.Devices) != connection.MaxDevices {
		t.Fatalf("devices %+v", after.Devices)
	}
	s.detach(t, On(socket, "device-0", "conn-0"), lease(20))
	after = s.attach(t, On(socket, "seventh", "conn-7"), lease(21)) // the next silent one has no socket to lose
	if _, known := after.Devices["device-0"]; known || len(after.Devices) != connection.MaxDevices {
		t.Fatalf("devices %+v", after.Devices)
	}
	s.attach(t, On(socket, "device-1", "conn-8"), lease(22), "conn-1") // a known one takes its own place
}

// reconnects is how many of a user's devices connect at once in the suite; the contention that a user can cause.
const reconnects = connection.MaxDevices

// attachAtOnce attaches the sockets at once and returns all connections that lost their place.
func (s Suite) attachAtOnce(t *testing.T, sockets []connection.Socket) (displaced []string) {
	t.Helper()
	lost := make([][]string, len(sockets))
	for _, err := range storetest.AtOnce(len(sockets), func(i int) (err error) {
		_, lost[i], err = s.Store.Attach(t.Context(), sockets[i], lease(30))
		return err
	}) {
		storetest.OK(t, "Attach", err)
	}
	displaced = slices.Concat(lost...)
	slices.Sort(displaced)
	return displaced
}

// wantOnlyKept checks that of all connections those are in the record that were not displaced.
func (s Suite) wantOnlyKept(t *testing.T, socket connection.Socket, all, displaced []string) {
	t.Helper()
	kept := []string{}
	for _, device := range s.record(t, socket).Devices {
		kept = append(kept, device.Connection)
	}
	got := append(kept, displaced...)
	slices.Sort(got)
	slices.Sort(all)
	if !slices.Equal(got, all) {
		t.Fatalf("kept and displaced together %v, want each connection once: %v", got, all)
	}
}

// runReplaceRace lets one device connect several times within one second: all leases are equal.
func runReplaceRace(t *testing.T, s Suite) {
	socket := s.newUser()
	s.attach(t, socket, lease(30))
	all, sockets := []string{socket.Connection}, []connection.Socket{}
	for i := range reconnects {
		next := On(socket, "phone", fmt.Sprint("again-", i))
		sockets, all = append(sockets, next), append(all, next.Connection)
	}
	displaced := s.attachAtOnce(t, sockets)
	if len(displaced) != reconnects {
		t.Errorf("displaced %v, want %d", displaced, reconnects)
	}
	s.wantOnlyKept(t, socket, all, displaced)
}

func runEvictRace(t *testing.T, s Suite) {
	socket := s.fill(t)
	var all []string
	for _, device := range s.record(t, socket).Devices {
		all = append(all, device.Connection)
	}
	var sockets []connection.Socket
	for i := range reconnects {
		next := On(socket, "", fmt.Sprint("new-", i))
		sockets, all = append(sockets, next), append(all, next.Connection)
	}
	displaced := s.attachAtOnce(t, sockets)
	if devices := s.record(t, socket).Devices; len(devices) != connection.MaxDevices {
		t.Errorf("%d devices, want %d", len(devices), connection.MaxDevices)
	}
	s.wantOnlyKept(t, socket, all, displaced)
}

func runRenew(t *testing.T, s Suite) {
	for _, device := range []string{"phone", ""} {
		socket := s.newUser()
		socket = On(socket, device, "conn-1")
		s.attach(t, socket, lease(1))
		socket.ExpiresAt = socket.ExpiresAt.Add(time.Hour)
		after, err := s.Store.Renew(t.Context(), socket, lease(2), socket.ExpiresAt)
		storetest.OK(t, "Renew", err)
		wantDevice(t, after, socket.Device, entry(socket, lease(2)))
		sameRecord(t, "Record", s.record(t, socket), after)
		stale := socket
		stale.ExpiresAt = socket.ExpiresAt.Add(-time.Hour)
		after, err = s.Store.Renew(t.Context(), stale, lease(4), time.Time{})
		storetest.OK(t, "Renew of the lease alone", err)
		wantDevice(t, after, socket.Device, entry(socket, lease(4)))
		for _, lost := range []connection.Socket{On(socket, device, "conn-2"), On(socket, "tablet", "conn-1")} {
			_, err = s.Store.Renew(t.Context(), lost, lease(3), lost.ExpiresAt)
			storetest.Refused(t, "Renew of a socket without a place", err, connection.ErrNotFound)
		}
		sameRecord(t, "Record", s.record(t, socket), after)
		s.detach(t, socket, lease(3))
		_, err = s.Store.Renew(t.Context(), socket, lease(3), time.Time{})
		storetest.Refused(t, "Renew after Detach", err, connection.ErrNotFound)
	}
}

func runDetach(t *testing.T, s Suite) {
	phone := s.newUser()
	nameless := On(phone, "", "conn-2")
	s.attach(t, phone, lease(1))
	before := s.attach(t, nameless, lease(2))
	seen := lease(3)
	detach := func(device, connectionID string) connection.Record {
		other := phone
		other.Device, other.Connection = device, connectionID
		return s.detach(t, other, seen)
	}
	sameRecord(t, "Detach of another connection", detach("phone", "conn-2"), before)
	sameRecord(t, "Detach of an unknown device", detach("tablet", "conn-1"), before)
	sameRecord(t, "Detach of an unknown anonymous device", detach("~conn-3", "conn-3"), before)
	after := detach("phone", "conn-1")
	if after.Seen != seen.Unix() {
		t.Fatalf("Seen is %d, want %d", after.Seen, seen.Unix())
	}
	wantDevice(t, after, "phone", connection.Device{Lease: lease(1).Unix(), Expires: phone.ExpiresAt.Unix()})
	wantDevice(t, after, "~conn-2", entry(nameless, lease(2)))
	seen = lease(4)
	sameRecord(t, "Detach again", detach("phone", "conn-1"), after)
	after = detach("~conn-2", "conn-2")
	if _, known := after.Devices["~conn-2"]; known || len(after.Devices) != 1 {
		t.Fatalf("devices %+v, want the phone alone", after.Devices)
	}
	seen = lease(5)
	sameRecord(t, "Detach again", detach("~conn-2", "conn-2"), after)
}

func runDevicesAndRing(t *testing.T, s Suite) {
	socket := s.newUser()
	s.attach(t, socket, lease(1))
	noted := s.note(t, socket, 1, 1)
	wantDevice(t, noted, "phone", entry(socket, lease(1)))
	after := s.attach(t, On(socket, "tablet", "conn-2"), lease(2))
	if after.Version != 1 || after.Ring[Conversation(1)].Version != 1 || len(after.Ring) != 1 {
		t.Fatalf("Attach changed the ring: %+v", after)
	}
}
