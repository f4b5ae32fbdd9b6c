package presence_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/presence"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// modelled is what a device does in the model: it is heard, and it closes.
type modelled struct {
	socket connection.Socket
	heard  time.Time
	open   bool // as far as the server was told
}

// model is a user with devices that come and go, and another who watches and shows what it is told, as a client should.
type model struct {
	*world
	ann, bob  id.User
	bobSocket connection.Socket
	devices   map[string]*modelled
	hidden    bool
	seen      time.Time
	opened    int

	shown presence.UserPresence // by bob
	told  int                   // events that bob has read
}

func newModel(t *rapid.T) *model {
	w := newWorld(t)
	m := &model{world: w, ann: w.register(), bob: w.register(), devices: map[string]*modelled{}}
	m.bobSocket = w.open(m.bob, "phone", "bob")
	m.shown = w.watch(m.bob, m.ann)[0]
	return m
}

// online counts the devices that are live.
func (m *model) online() (live int) {
	for _, device := range m.devices {
		if device.open && m.clock.Now().Before(device.heard.Add(connection.Lease)) {
			live++
		}
	}
	return live
}

// lastSeen is when ann was live last, as far as the server can know.
func (m *model) lastSeen() time.Time {
	if m.online() > 0 {
		return m.clock.Now()
	}
	last := m.seen
	for _, device := range m.devices {
		if device.heard.After(last) {
			last = device.heard
		}
	}
	return last
}

func (m *model) connect(device string) {
	m.opened++
	name := fmt.Sprint("ann", m.opened)
	m.devices[device] = &modelled{socket: m.open(m.ann, device, name), heard: m.clock.Now(), open: true}
}

// disconnect closes the device's socket; lost says that no $disconnect comes.
func (m *model) disconnect(device string, lost bool) {
	held := m.devices[device]
	if held == nil || !held.open {
		return
	}
	if lost {
		m.poster.Drop(held.socket.Connection)
		return
	}
	m.shut(held.socket)
	held.open, m.seen = false, m.clock.Now()
}

// keep is a ping of the device, which renews a lease that is old enough.
func (m *model) keep(device string) {
	held := m.devices[device]
	if held == nil || !held.open {
		return
	}
	m.ping(held.socket)
	if m.clock.Now().After(held.heard.Add(connection.RenewAfter)) {
		held.heard = m.clock.Now()
	}
}

func (m *model) hide(hidden bool) {
	_, err := m.SetHidden(context.Background(), m.app, m.ann, hidden)
	storetest.OK(m.t, "SetHidden", err)
	m.hidden = hidden
}

// listen takes over what bob was told, and asks again where its time is over; bob's own socket stays.
func (m *model) listen() {
	m.ping(m.bobSocket)
	for _, event := range m.heard("bob", m.told) {
		m.shown = event.UserPresence
		m.told++
	}
	if until := m.shown.Until; !until.IsZero() && !m.clock.Now().Before(until) {
		m.shown = m.watch(m.bob, m.ann)[0]
	}
}

// check compares what everybody is told with the model.
func (m *model) check(t *rapid.T) {
	live := m.online()
	whole := m.see("", m.ann)
	if (whole.Status == presence.Online) != (live > 0) || whole.Devices != live || whole.Hidden != m.hidden {
		t.Fatalf("%d devices live, hidden %v: %+v", live, m.hidden, whole)
	}
	if want := m.lastSeen(); !whole.LastSeen.Equal(want) {
		t.Fatalf("last seen %v, the model %v", whole.LastSeen, want)
	}
	other := m.see(m.bob, m.ann)
	if m.hidden && (other.Status != presence.Offline || !other.LastSeen.IsZero() || other.Devices != 0) {
		t.Fatalf("hidden, but %+v", other)
	}
	if !m.hidden && other.Status != whole.Status {
		t.Fatalf("to others %+v, to applications %+v", other, whole)
	}
}

// wantShown checks that bob shows the truth once everything has come to rest.
func (m *model) wantShown(t *rapid.T) {
	for range 3 { // the job, what bob asks because of the time that passes, the job about that
		m.settle()
		m.listen()
	}
	if m.shown.Status == presence.Online && m.lapsed() && m.clock.Now().Before(m.shown.Until) {
		// The device of the longest lease has closed, which is nobody's business while another is live, and that one was
		// lost without a word: what was told ends with the longest lease.
		m.pass(m.shown.Until.Sub(m.clock.Now()))
		m.listen()
	}
	if want := m.see(m.bob, m.ann).Status; m.shown.Status != want {
		t.Fatalf("bob shows %+v, the truth is %s", m.shown, want)
	}
}

// lapsed tells whether ann is offline only because nothing was heard of a device.
func (m *model) lapsed() bool {
	for _, device := range m.devices {
		if device.open && m.online() == 0 && !m.hidden {
			return true
		}
	}
	return false
}

// TestPresenceFollowsTheModel: whatever devices do and lose, the presence that is told is that of the model, and who
// watches shows it within two dampings.
func TestPresenceFollowsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		device := func() string { return rapid.SampledFrom([]string{"phone", "tablet", "laptop"}).Draw(t, "device") }
		t.Repeat(map[string]func(*rapid.T){
			"connect":    func(*rapid.T) { m.connect(device()) },
			"disconnect": func(*rapid.T) { m.disconnect(device(), false) },
			"lose":       func(*rapid.T) { m.disconnect(device(), true) },
			"ping":       func(*rapid.T) { m.keep(device()) },
			"hide":       func(t *rapid.T) { m.hide(rapid.Bool().Draw(t, "hidden")) },
			"watch again": func(*rapid.T) {
				m.listen()
				m.shown = m.watch(m.bob, m.ann)[0]
			},
			"seconds": func(t *rapid.T) {
				m.pass(time.Duration(rapid.IntRange(1, 9).Draw(t, "seconds")) * time.Second)
				m.listen()
			},
			"minutes": func(t *rapid.T) {
				m.pass(time.Duration(rapid.IntRange(1, 12).Draw(t, "minutes")) * time.Minute)
				m.listen()
			},
			"rest": m.wantShown,
			"":     m.check,
		})
	})
}
