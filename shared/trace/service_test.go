package trace_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagetest"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/trace"
	"github.com/tokenim/tokenim/shared/trace/tracetest"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/usertest"
)

// world is the platform with the users ann and bob, whose time the test moves.
type world struct {
	app         id.App
	ann, bob    id.User
	clock       *clocktest.Clock
	users       *usertest.Store
	records     *connectiontest.Store
	poster      *connectiontest.Poster
	connections *connection.Service
	messages    *message.Service
	trace       *trace.Service
}

func newWorld(t *testing.T) *world {
	w := &world{app: id.Source{}.App(), clock: clocktest.New(storetest.Noon().Truncate(time.Second)), users: usertest.NewStore(),
		records: connectiontest.NewStore(), poster: connectiontest.NewPoster()}
	kept := tracetest.NewStore()
	w.connections = &connection.Service{Store: w.records, Poster: w.poster, Clock: w.clock, Failures: &trace.Notes{Store: kept, Clock: w.clock}}
	w.messages = &message.Service{Log: messagetest.NewLog(), Claims: messagetest.NewClaims(), Members: messagetest.NewMembers(), Groups: messagetest.NewGroups(),
		Users: &user.Service{Store: w.users}, Devices: w.connections, Sealer: sealtest.NewKeyring(), Clock: w.clock}
	w.trace = &trace.Service{Messages: w.messages, Devices: w.records, Store: kept, Clock: w.clock}
	w.ann, w.bob = w.register(t, "ann"), w.register(t, "bob")
	return w
}

func (w *world) register(t *testing.T, name string) id.User {
	made := user.User{ID: id.Source{}.User(), App: w.app, Username: name}
	storetest.OK(t, "register", w.users.Create(t.Context(), made, name))
	w.records.Register(w.app, made.ID)
	return made.ID
}

// open opens a socket of the user's device; "" is one without a name.
func (w *world) open(t *testing.T, of id.User, device, connectionID string) connection.Socket {
	t.Helper()
	socket := connection.Socket{App: w.app, User: of, Device: connection.DeviceName(device, connectionID), Connection: connectionID,
		ExpiresAt: w.clock.Now().Add(time.Hour)}
	w.poster.Open(connectionID)
	storetest.OK(t, "Open", w.connections.Open(t.Context(), socket))
	w.clock.Advance(time.Minute)
	return socket
}

// send sends from ann to bob.
func (w *world) send(t *testing.T) message.Message {
	t.Helper()
	sent, err := w.messages.Send(t.Context(), message.Draft{App: w.app, From: w.ann, To: string(w.bob), Text: "where is it?"})
	storetest.OK(t, "Send", err)
	w.clock.Advance(time.Minute)
	return sent.Message
}

// told is the trace of a message with its one receiver; devices are listed as name, result and code.
func (w *world) told(t *testing.T, viewer id.User, of message.Message) (whole trace.Trace, line string) {
	t.Helper()
	whole, recipients, next, err := w.trace.Trace(t.Context(), w.app, viewer, of.MessageID, "", 10)
	storetest.OK(t, "Trace", err)
	if len(recipients) != 1 || next != "" || recipients[0].UserID != w.bob {
		t.Fatalf("%+v, next %q", recipients, next)
	}
	words := []string{string(recipients[0].Status), string(recipients[0].Why)}
	for _, device := range recipients[0].Devices {
		words = append(words, fmt.Sprintf("%s:%s:%s", device.Device, device.Result, device.Code))
		connected := device.Result == trace.ByPush || device.Result == trace.ByResume
		if device.ConnectedAt.IsZero() == connected || device.At.IsZero() != (device.Result != trace.Failed) {
			t.Errorf("%+v", device)
		}
	}
	return whole, strings.Join(words, " ")
}

// want checks what an application and what the sender is told.
func (w *world) want(t *testing.T, of message.Message, app, sender string) {
	t.Helper()
	for viewer, want := range map[id.User]string{"": app, w.ann: sender} {
		whole, line := w.told(t, viewer, of)
		if line != want {
			t.Errorf("%q is told %q, want %q", viewer, line, want)
		}
		if expected := (trace.Trace{MessageID: of.MessageID, ConversationID: of.ConversationID, Seq: of.Seq, StoredAt: of.SentAt, State: trace.Stored}); whole != expected {
			t.Errorf("%q is told %+v, want %+v", viewer, whole, expected)
		}
	}
}

func TestAMessageOnItsWay(t *testing.T) {
	w := newWorld(t)
	first := w.send(t)
	w.want(t, first, "waiting offline", "waiting offline")
	phone := w.open(t, w.bob, "phone", "conn-phone")
	w.want(t, first, "pushed  phone:resumed:", "pushed ")
	second := w.send(t)
	w.open(t, w.bob, "", "conn-nameless")
	w.want(t, second, "pushed  phone:pushed: :resumed:", "pushed ")
	_, err := w.messages.Acknowledge(t.Context(), w.app, w.bob, first.ConversationID, 2)
	storetest.OK(t, "Acknowledge", err)
	w.want(t, second, "delivered  phone:pushed: :resumed:", "delivered ")
	storetest.OK(t, "Close", w.connections.Close(t.Context(), phone))
	w.want(t, second, "delivered  phone:offline: :resumed:", "delivered ")
	_, err = w.messages.MarkRead(t.Context(), w.app, w.bob, first.ConversationID, 1)
	storetest.OK(t, "MarkRead", err)
	w.want(t, first, "read  phone:offline: :resumed:", "read ")
	w.clock.Advance(connection.Lease) // what is not heard of is not there
	w.want(t, w.send(t), "waiting offline phone:offline:", "waiting offline")
}

func TestPushesThatFail(t *testing.T) {
	w := newWorld(t)
	w.open(t, w.bob, "phone", "conn-phone")
	w.open(t, w.bob, "", "conn-nameless")
	w.poster.Fail("conn-phone", errors.New("throttled"))
	refused := w.send(t)
	w.want(t, refused, "pushed  phone:failed:refused :pushed:", "pushed ")
	w.poster.Fail("conn-phone", nil)
	w.poster.Drop("conn-phone")
	w.poster.Drop("conn-nameless")
	gone := w.send(t)
	whole, line := w.told(t, "", gone)
	if want := []string{"waiting push_failed phone:failed:gone :failed:gone", "waiting push_failed :failed:gone phone:failed:gone"}; line != want[0] && line != want[1] {
		t.Errorf("%+v: %q", whole, line)
	}
	if _, line := w.told(t, w.ann, gone); line != "waiting push_failed" {
		t.Errorf("the sender is told %q", line)
	}
	w.open(t, w.bob, "phone", "conn-again")
	w.want(t, refused, "pushed  phone:failed:refused phone:resumed:", "pushed ")
	w.clock.Advance(trace.Life)
	w.want(t, refused, "waiting offline phone:offline:", "waiting offline")
}

func TestWhatASenderIsNotTold(t *testing.T) {
	w := newWorld(t)
	w.open(t, w.bob, "phone", "conn-phone")
	hidden := w.send(t)
	_, err := w.records.SetHidden(t.Context(), w.app, w.bob, true)
	storetest.OK(t, "SetHidden", err)
	w.want(t, hidden, "pushed  phone:pushed:", "waiting ")
	_, err = w.records.SetHidden(t.Context(), w.app, w.bob, false)
	storetest.OK(t, "SetHidden", err)
	w.users.Silent = true
	storetest.OK(t, "Block", (&user.Service{Store: w.users, Clock: w.clock}).Block(t.Context(), w.app, w.bob, w.ann))
	silent := w.send(t)
	if len(w.poster.Frames("conn-phone")) != 1 {
		t.Fatal("the blocker was posted to")
	}
	_, err = w.messages.MarkRead(t.Context(), w.app, w.bob, silent.ConversationID, silent.Seq)
	storetest.OK(t, "MarkRead", err)
	if whole, line := w.told(t, w.ann, silent); line != "pushed " || whole.State != trace.Stored {
		t.Errorf("the sender is told %q, %+v: that is not what it is told of a message that was not acknowledged", line, whole)
	}
	if whole, line := w.told(t, "", silent); line != "waiting blocked" || whole.State != trace.Hidden {
		t.Errorf("an application is told %q, %+v", line, whole)
	}
}

func TestOnlySendersAreTold(t *testing.T) {
	w := newWorld(t)
	sent := w.send(t)
	for _, viewer := range []id.User{w.bob, w.register(t, "eve")} {
		if _, _, _, err := w.trace.Trace(t.Context(), w.app, viewer, sent.MessageID, "", 10); !fault.Is(err, fault.MessageNotFound) {
			t.Errorf("another user: %v", err)
		}
	}
	if _, _, _, err := w.trace.Trace(t.Context(), id.Source{}.App(), "", sent.MessageID, "", 10); !fault.Is(err, fault.MessageNotFound) {
		t.Errorf("another app: %v", err)
	}
}

// TestNotesKeepNoSecrets looks for what must not be in a note: the connection, under which a socket is posted to.
func TestNotesKeepNoSecrets(t *testing.T) {
	kept := &keeping{calls: map[string][]trace.Failure{}}
	notes := &trace.Notes{Store: kept, Clock: clocktest.New(storetest.Noon())}
	failed := []connection.Failure{{Device: connection.DeviceName("", "conn-secret"), Connection: "conn-secret", Code: connection.Gone}}
	storetest.OK(t, "Note", notes.Note(t.Context(), id.Source{}.App(), "u", "c", 5, 100, failed))
	text, err := json.Marshal(kept.calls)
	storetest.OK(t, "encode", err)
	if strings.Contains(string(text), "secret") {
		t.Errorf("kept %s", text)
	}
	if len(kept.calls) != 10 {
		t.Errorf("%d entries of a run were noted, want the first 10", len(kept.calls))
	}
}

// keeping is a store that remembers what is put, by the entry.
type keeping struct {
	tracetest.Store
	mutex sync.Mutex
	calls map[string][]trace.Failure
}

func (k *keeping) Put(_ context.Context, at trace.Place, failures []trace.Failure, _ time.Time) error {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.calls[fmt.Sprint(at.Sequence)] = failures
	return nil
}
