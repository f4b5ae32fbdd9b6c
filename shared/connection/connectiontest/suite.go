package connectiontest

import (
	"fmt"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// Suite is what the suite runs on.
type Suite struct {
	// Store is the store under test. Its weak reads have to see at once what was written.
	Store connection.Store
	// Register makes a new user's empty routing record.
	Register func(app id.App, user id.User)
}

// Run checks that a store keeps the contract of connection.Store.
func Run(t *testing.T, s Suite) {
	for name, test := range map[string]func(*testing.T, Suite){
		"no record is ErrNotFound":         runNoRecord,
		"Note counts and rings":            runNote,
		"Note keeps the highest sequence":  runNoteOutOfOrder,
		"Note tells the user's own log":    runNoteOwn,
		"Note loses nothing at once":       runNoteRace,
		"Trim at the same version only":    runTrim,
		"Attach enters the device":         runAttach,
		"Attach replaces the same device":  runReplace,
		"Attach evicts the silent":         runEvict,
		"Attach displaces each once":       runReplaceRace,
		"Attach evicts each once":          runEvictRace,
		"Renew extends its own":            runRenew,
		"Detach frees its own":             runDetach,
		"devices leave the ring alone":     runDevicesAndRing,
		"sockets keep every field":         runSocket,
		"Opened knows when":                runOpened,
		"SetCredential changes credential": runCredential,
		"MoveWindow compares and sets":     runWindow,
		"MoveWindow moves once":            runWindowRace,
		"RemoveSocket removes the row":     runRemove,
		"ByKey pages":                      runByKey,
		"Redeem works once":                runRedeem,
		"users and apps are apart":         runApart,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

// newUser registers a user and returns a socket of it.
func (s Suite) newUser() connection.Socket {
	socket := NewSocket("phone", "conn-1")
	s.Register(socket.App, socket.User)
	return socket
}

// NewSocket returns a socket of a new user in a new app; device is as a token names it, "" for none.
func NewSocket(device, connectionID string) connection.Socket {
	ids := id.Source{}
	app := ids.App()
	return connection.Socket{App: app, User: ids.User(), Connection: connectionID,
		Device: connection.DeviceName(device, connectionID), Key: ids.Key(app), Epoch: 3,
		ExpiresAt: storetest.Noon().Truncate(time.Second).Add(time.Hour)}
}

// On returns the same user's socket on another device and connection.
func On(socket connection.Socket, device, connectionID string) connection.Socket {
	socket.Device, socket.Connection = connection.DeviceName(device, connectionID), connectionID
	return socket
}

// Conversation returns a conversation ID by number.
func Conversation(number int) id.Conversation {
	return id.Conversation("c_" + id.Hash(fmt.Sprint(number)))
}

func (s Suite) record(t *testing.T, socket connection.Socket) connection.Record {
	t.Helper()
	strong, err := s.Store.Record(t.Context(), socket.App, socket.User, true)
	storetest.OK(t, "Record", err)
	weak, err := s.Store.Record(t.Context(), socket.App, socket.User, false)
	storetest.OK(t, "Record", err)
	sameRecord(t, "a weak Record", weak, strong)
	return strong
}

func (s Suite) note(t *testing.T, socket connection.Socket, number int, sequence int64) connection.Record {
	t.Helper()
	after, err := s.Store.Note(t.Context(), socket.App, socket.User, Conversation(number), sequence)
	storetest.OK(t, "Note", err)
	return after
}

func (s Suite) attach(t *testing.T, socket connection.Socket, lease time.Time, want ...string) connection.Record {
	t.Helper()
	after, displaced, err := s.Store.Attach(t.Context(), socket, lease)
	storetest.OK(t, "Attach", err)
	if fmt.Sprint(displaced) != fmt.Sprint(want) {
		t.Fatalf("Attach of %s displaced %v, want %v", socket.Device, displaced, want)
	}
	sameRecord(t, "Attach", after, s.record(t, socket))
	return after
}

// detach detaches the socket; what is returned is the record as it stands.
func (s Suite) detach(t *testing.T, socket connection.Socket, seen time.Time) connection.Record {
	t.Helper()
	after, err := s.Store.Detach(t.Context(), socket.App, socket.User, socket.Device, socket.Connection, seen)
	storetest.OK(t, "Detach", err)
	sameRecord(t, "Detach", after, s.record(t, socket))
	return after
}

func sameRecord(t *testing.T, doing string, got, want connection.Record) {
	t.Helper()
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Fatalf("%s = %+v\nwant %+v", doing, got, want)
	}
}

func wantDevice(t *testing.T, record connection.Record, name string, want connection.Device) {
	t.Helper()
	if got, known := record.Devices[name]; !known || got != want {
		t.Fatalf("device %q = %+v (known %v), want %+v", name, got, known, want)
	}
}

func entry(socket connection.Socket, lease time.Time) connection.Device {
	return connection.Device{Connection: socket.Connection, Lease: lease.Unix(), Expires: socket.ExpiresAt.Unix()}
}
