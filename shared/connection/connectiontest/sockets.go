package connectiontest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func (s Suite) put(t *testing.T, socket connection.Socket) {
	t.Helper()
	storetest.OK(t, "PutSocket", s.Store.PutSocket(t.Context(), socket, lease(1).Add(connection.MaxLife)))
}

func (s Suite) wantSocket(t *testing.T, want connection.Socket) {
	t.Helper()
	got, err := s.Store.Socket(t.Context(), want.App, want.User, want.Connection)
	storetest.OK(t, "Socket", err)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("Socket = %+v (window %+v)\nwant %+v (window %+v)", got, got.Window, want, want.Window)
	}
}

func newWindow() *connection.Window {
	return &connection.Window{Since: -1, Version: 7, Conversation: Conversation(1), Sequence: 100,
		PrevConversation: Conversation(3), PrevSequence: 9}
}

func runSocket(t *testing.T, s Suite) {
	socket := NewSocket("phone", "conn-1")
	_, err := s.Store.Socket(t.Context(), socket.App, socket.User, socket.Connection)
	storetest.Refused(t, "Socket of nobody", err, connection.ErrNotFound)
	s.put(t, socket)
	s.wantSocket(t, socket)
	socket.Window, socket.Epoch, socket.Device = newWindow(), 0, "~conn-1"
	s.put(t, socket) // whatever stands there
	s.wantSocket(t, socket)
	_, err = s.Store.Socket(t.Context(), socket.App, socket.User, "conn-2")
	storetest.Refused(t, "Socket of another connection", err, connection.ErrNotFound)
}

func runOpened(t *testing.T, s Suite) {
	mine, names := NewSocket("phone", "conn-1"), []string{"conn-none"}
	asked, want := map[id.User][]string{}, map[string]time.Time{}
	for i := range 120 { // more than one batch
		socket := On(mine, "", fmt.Sprint("conn-", i))
		opened := lease(1).Add(time.Duration(i) * time.Second)
		storetest.OK(t, "PutSocket", s.Store.PutSocket(t.Context(), socket, opened.Add(connection.MaxLife)))
		names, want[socket.Connection] = append(names, socket.Connection), opened.Truncate(time.Second)
	}
	theirs := NewSocket("phone", "conn-theirs")
	theirs.App = mine.App
	s.put(t, theirs)
	asked[mine.User], asked[theirs.User] = names, []string{"conn-1", "conn-theirs"} // the first is another's
	want["conn-theirs"] = lease(1).Truncate(time.Second)
	got, err := s.Store.Opened(t.Context(), mine.App, asked)
	storetest.OK(t, "Opened", err)
	if len(got) != len(want) {
		t.Fatalf("Opened knows %d, want %d", len(got), len(want))
	}
	for name, opened := range want {
		if !got[name].Equal(opened) {
			t.Errorf("%s opened at %v, want %v", name, got[name], opened)
		}
	}
	if got, err = s.Store.Opened(t.Context(), id.Source{}.App(), asked); err != nil || len(got) != 0 {
		t.Errorf("Opened in another app: %v, %v", got, err)
	}
	if got, err = s.Store.Opened(t.Context(), mine.App, nil); err != nil || len(got) != 0 {
		t.Errorf("Opened of nothing: %v, %v", got, err)
	}
}

func runCredential(t *testing.T, s Suite) {
	socket := NewSocket("phone", "conn-1")
	storetest.Refused(t, "SetCredential of nobody", s.Store.SetCredential(t.Context(), socket), connection.ErrNotFound)
	_, err := s.Store.Socket(t.Context(), socket.App, socket.User, socket.Connection)
	storetest.Refused(t, "Socket after that", err, connection.ErrNotFound)
	socket.Window = newWindow()
	s.put(t, socket)
	renewed := socket
	renewed.Key, renewed.Epoch, renewed.ExpiresAt = id.Source{}.Key(socket.App), 4, socket.ExpiresAt.Add(time.Hour)
	changed := renewed
	changed.Window, changed.Device = nil, "tablet" // are not the credential's
	storetest.OK(t, "SetCredential", s.Store.SetCredential(t.Context(), changed))
	s.wantSocket(t, renewed)
	s.wantByKey(t, socket.App, socket.Key, 10)
	s.wantByKey(t, socket.App, renewed.Key, 10, "phone/conn-1")
}

func (s Suite) move(t *testing.T, socket connection.Socket, next *connection.Window, want bool) {
	t.Helper()
	moved, err := s.Store.MoveWindow(t.Context(), socket, next)
	storetest.OK(t, "MoveWindow", err)
	if moved != want {
		t.Fatalf("MoveWindow from %+v to %+v: %v, want %v", socket.Window, next, moved, want)
	}
}

func runWindow(t *testing.T, s Suite) {
	socket := NewSocket("phone", "conn-1")
	s.move(t, socket, newWindow(), false) // gone
	_, err := s.Store.Socket(t.Context(), socket.App, socket.User, socket.Connection)
	storetest.Refused(t, "Socket after that", err, connection.ErrNotFound)
	s.put(t, socket)
	open := socket
	open.Window = newWindow()
	s.move(t, open, nil, false) // there is none yet
	s.move(t, socket, open.Window, true)
	s.wantSocket(t, open)
	s.move(t, socket, newWindow(), false) // there is one now
	for _, other := range otherWindows() {
		stale := socket
		stale.Window = &other
		s.move(t, stale, nil, false)
	}
	s.wantSocket(t, open)
	next := open
	next.Window = &connection.Window{Since: 5, Version: 8, Conversation: Conversation(2), Sequence: 1}
	s.move(t, open, next.Window, true)
	s.wantSocket(t, next)
	s.move(t, next, nil, true)
	s.wantSocket(t, socket)
	s.move(t, socket, nil, true) // from none to none
}

// otherWindows differ from newWindow in one field each. The position alone does not tell two resumes apart.
func otherWindows() []connection.Window {
	windows := slices.Repeat([]connection.Window{*newWindow()}, 6)
	windows[0].Since = 6
	windows[1].Version++
	windows[2].Conversation = Conversation(2)
	windows[3].Sequence--
	windows[4].PrevConversation = ""
	windows[5].PrevSequence++
	return windows
}

func runRemove(t *testing.T, s Suite) {
	socket := NewSocket("phone", "conn-1")
	storetest.OK(t, "RemoveSocket of none", s.Store.RemoveSocket(t.Context(), socket))
	s.put(t, socket)
	storetest.OK(t, "RemoveSocket", s.Store.RemoveSocket(t.Context(), socket))
	_, err := s.Store.Socket(t.Context(), socket.App, socket.User, socket.Connection)
	storetest.Refused(t, "Socket after that", err, connection.ErrNotFound)
	s.wantByKey(t, socket.App, socket.Key, 10)
}

func runWindowRace(t *testing.T, s Suite) {
	socket := NewSocket("phone", "conn-1")
	s.put(t, socket)
	lost := errors.New("not moved")
	winner := storetest.OneWins(t, storetest.Racers, lost, func(i int) error {
		moved, err := s.Store.MoveWindow(t.Context(), socket, &connection.Window{Conversation: Conversation(1), Sequence: int64(i)})
		if err == nil && !moved {
			return lost
		}
		return err
	})
	socket.Window = &connection.Window{Conversation: Conversation(1), Sequence: int64(winner)}
	s.wantSocket(t, socket)
}

func (s Suite) wantByKey(t *testing.T, app id.App, key id.Key, limit int, want ...string) {
	t.Helper()
	got := []string{}
	for after := ""; ; {
		sockets, next, err := s.Store.ByKey(t.Context(), app, key, lease(1), after, limit)
		storetest.OK(t, "ByKey", err)
		if len(sockets) > limit {
			t.Fatalf("ByKey returned %d sockets, limit %d, next %q", len(sockets), limit, next)
		}
		for _, socket := range sockets {
			if socket.App != app || !id.IsUser(string(socket.User)) || socket.OpenedAt.IsZero() {
				t.Fatalf("ByKey returned %+v", socket)
			}
			got = append(got, socket.Device+"/"+socket.Connection)
		}
		if next == "" {
			break
		}
		after = next
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("ByKey in pages of %d = %v, want %v", limit, got, want)
	}
}

func runByKey(t *testing.T, s Suite) {
	base := NewSocket("phone", "conn")
	var want []string
	for user := range 4 {
		socket := base
		socket.User = id.Source{}.User()
		for device := range 3 {
			named := On(socket, fmt.Sprint("device-", device), fmt.Sprint("conn-", user, device))
			s.put(t, named)
			want = append(want, named.Device+"/"+named.Connection)
		}
	}
	for i := range 20 { // those that cannot be open any more, among the others
		gone := On(base, "gone", fmt.Sprint("conn-gone-", i))
		gone.User = id.Source{}.User()
		storetest.OK(t, "PutSocket", s.Store.PutSocket(t.Context(), gone, lease(1)))
	}
	other := On(base, "other", "conn-other")
	other.Key = id.Source{}.Key(base.App)
	s.put(t, other)
	for _, limit := range []int{1, 5, 11, 12, 13, 100} {
		s.wantByKey(t, base.App, base.Key, limit, slices.Clone(want)...)
	}
	s.wantByKey(t, base.App, other.Key, 10, "other/conn-other")
	s.wantByKey(t, base.App, id.Source{}.Key(base.App), 10)
	s.wantByKey(t, id.Source{}.App(), base.Key, 10)
}

func runRedeem(t *testing.T, s Suite) {
	ctx, socket := t.Context(), NewSocket("phone", "conn-1")
	redeem := func(int) error { return s.Store.Redeem(ctx, socket.App, socket.User, "ticket-1", lease(1)) }
	storetest.OneWins(t, storetest.Racers, connection.ErrRedeemed, redeem)
	storetest.Refused(t, "Redeem again", redeem(0), connection.ErrRedeemed)
	storetest.OK(t, "Redeem of another ticket", s.Store.Redeem(ctx, socket.App, socket.User, "ticket-2", lease(1)))
	_, err := s.Store.Socket(ctx, socket.App, socket.User, "ticket-1")
	storetest.Refused(t, "Socket of a ticket's name", err, connection.ErrNotFound)
}

func runApart(t *testing.T, s Suite) {
	ctx, mine := t.Context(), s.newUser()
	theirs := mine // the same user ID in another app
	theirs.App = id.Source{}.App()
	s.Register(theirs.App, theirs.User)
	s.attach(t, mine, lease(1))
	s.note(t, mine, 1, 1)
	s.put(t, mine)
	if record := s.record(t, theirs); record.Version != 0 || len(record.Devices) != 0 {
		t.Fatalf("another app's record changed: %+v", record)
	}
	_, err := s.Store.Socket(ctx, theirs.App, theirs.User, mine.Connection)
	storetest.Refused(t, "Socket by another app", err, connection.ErrNotFound)
	_, err = s.Store.Socket(ctx, mine.App, id.Source{}.User(), mine.Connection)
	storetest.Refused(t, "Socket by another user", err, connection.ErrNotFound)
	storetest.OK(t, "Redeem", s.Store.Redeem(ctx, mine.App, mine.User, "t", lease(1)))
	storetest.OK(t, "Redeem in another app", s.Store.Redeem(ctx, theirs.App, theirs.User, "t", lease(1)))
	storetest.OK(t, "Redeem by another user", s.Store.Redeem(ctx, mine.App, id.Source{}.User(), "t", lease(1)))
}
