package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagetest"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/session"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/token"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/usertest"
)

// stage is bob, his senders, and everything behind them.
type stage struct {
	t        storetest.T
	messages *message.Service
	resumer  *session.Resumer
	poster   *connectiontest.Poster
	records  *connectiontest.Store
	users    *usertest.Store
	app      id.App
	bob      id.User
	senders  []id.User
	revoked  bool
	denied   []authz.Statement
	sent     map[id.Conversation]int64
	gaps     int
}

func newStage(t storetest.T, senders int) *stage {
	s := &stage{t: t, poster: connectiontest.NewPoster(), records: connectiontest.NewStore(), users: usertest.NewStore(),
		app: id.Source{}.App(), sent: map[id.Conversation]int64{}}
	connections := &connection.Service{Store: s.records, Poster: s.poster, Clock: clock.System{}}
	s.messages = &message.Service{Log: messagetest.NewLog(), Claims: messagetest.NewClaims(), Members: messagetest.NewMembers(),
		Users: &user.Service{Store: s.users}, Devices: connections, Sealer: sealtest.NewKeyring(), Clock: clock.System{}}
	s.resumer = &session.Resumer{Connections: connections, Messages: s.messages, Rights: s}
	s.bob = s.register("bob")
	for i := range senders {
		s.senders = append(s.senders, s.register(fmt.Sprint("sender", i)))
	}
	return s
}

func (s *stage) register(name string) id.User {
	made := user.User{ID: id.Source{}.User(), App: s.app, Username: name}
	storetest.OK(s.t, "register", s.users.Create(context.Background(), made, name))
	s.records.Register(s.app, made.ID)
	return made.ID
}

// Claims implements session.Rights.
func (s *stage) Claims(_ context.Context, claims token.Claims) (authz.Caller, error) {
	if s.revoked {
		return authz.Caller{}, fault.New(fault.TokenRevoked)
	}
	return authz.Caller{App: claims.App, User: claims.User, UserRights: authz.Rights{Kind: authz.Users, Statements: s.denied}, EndUser: true}, nil
}

// send lets a sender write to bob.
func (s *stage) send(sender int) {
	sent, err := s.messages.Send(context.Background(), message.Draft{App: s.app, From: s.senders[sender], To: string(s.bob), Text: "hello"})
	storetest.OK(s.t, "send", err)
	s.sent[sent.Message.ConversationID] = sent.Message.Seq
}

// open opens a socket of bob's and resumes it.
func (s *stage) open(connectionID string, since int64) connection.Socket {
	s.poster.Open(connectionID)
	opened := connection.Socket{App: s.app, User: s.bob, Connection: connectionID, Device: connection.DeviceName("", connectionID),
		ExpiresAt: clock.System{}.Now().Add(token.DefaultLife)}
	storetest.OK(s.t, "open", s.resumer.Connections.Open(context.Background(), opened))
	storetest.OK(s.t, "resume", s.resumer.Resume(context.Background(), session.NewResumeRequest(opened, since)))
	return opened
}

// windows returns what was posted to the connection.
func (s *stage) windows(connectionID string) []message.Window {
	var events []message.Window
	for _, frame := range s.poster.Frames(connectionID) {
		var event message.Window
		storetest.OK(s.t, "decode a frame", json.Unmarshal(frame, &event))
		events = append(events, event)
	}
	return events
}

// acknowledge acknowledges the last message of the window.
func (s *stage) acknowledge(socket connection.Socket, window message.Window) {
	last := window.Items[len(window.Items)-1]
	storetest.OK(s.t, "acknowledge", s.resumer.Acknowledged(context.Background(), socket, last.ConversationID, last.Seq))
}

// receive acknowledges window after window and returns how far the device has each conversation without a gap, from what
// it had. Where a message is missing before another, it reads the gap from the history, as docs/socket.md tells clients.
func (s *stage) receive(socket connection.Socket, have map[id.Conversation]int64) map[id.Conversation]int64 {
	for seen := 0; ; seen++ {
		windows := s.windows(socket.Connection)
		if len(windows) <= seen {
			s.t.Fatalf("window %d did not come", seen+1)
		}
		window := windows[seen]
		for _, m := range window.Items {
			for have[m.ConversationID] < m.Seq-1 {
				s.readGap(m.ConversationID, have)
			}
			have[m.ConversationID] = max(have[m.ConversationID], m.Seq)
		}
		if !window.More {
			return have
		}
		s.acknowledge(socket, window)
	}
}

// readGap reads a page of the history behind what the device has.
func (s *stage) readGap(conversation id.Conversation, have map[id.Conversation]int64) {
	s.gaps++
	page, _, err := s.messages.History(context.Background(), s.app, s.bob, conversation, message.Ascending,
		strconv.FormatInt(have[conversation]+1, 10), message.PageSize)
	storetest.OK(s.t, "history", err)
	if len(page) == 0 {
		s.t.Fatalf("%s: nothing behind %d, but a later message came", conversation, have[conversation])
	}
	have[conversation] = page[len(page)-1].Seq
}

func (s *stage) check(have map[id.Conversation]int64) {
	for conversation, last := range s.sent {
		if have[conversation] != last {
			s.t.Fatalf("%s: the device has everything up to %d of %d", conversation, have[conversation], last)
		}
	}
}

func TestResumeWindowByWindow(t *testing.T) {
	s := newStage(t, 3)
	for i := range 330 {
		s.send(i % 3)
	}
	socket := s.open("c1", message.NoVersion)
	if first := s.windows("c1")[0]; len(first.Items) != message.PageSize || !first.More || first.V != 330 {
		t.Fatalf("the first window has %d messages, more %v, v %d", len(first.Items), first.More, first.V)
	}
	s.check(s.receive(socket, map[id.Conversation]int64{}))
	if windows := len(s.windows("c1")); windows != 4 || s.gaps > 0 {
		t.Fatalf("%d windows, want 4; %d gaps", windows, s.gaps)
	}
}

func TestNothingMissedStillTellsTheVersion(t *testing.T) {
	s := newStage(t, 1)
	s.open("c1", message.NoVersion)
	windows := s.windows("c1")
	if len(windows) != 1 || windows[0].Items == nil || windows[0].More || windows[0].V != 0 {
		t.Fatalf("posted %+v", windows)
	}
}

// TestLostWindow acknowledges the window before again, as a client does whose next window never came: it comes again,
// the last one too. Acknowledgements within a window bring nothing.
func TestLostWindow(t *testing.T) {
	s := newStage(t, 1)
	for range 150 {
		s.send(0)
	}
	socket := s.open("c1", message.NoVersion)
	first := s.windows("c1")[0]
	s.acknowledge(socket, first)
	half := first.Items[50]
	storetest.OK(t, "acknowledge", s.resumer.Acknowledged(t.Context(), socket, half.ConversationID, half.Seq))
	s.acknowledge(socket, first)
	windows := s.windows("c1")
	if len(windows) != 3 || len(windows[1].Items) != 50 || len(windows[2].Items) != 50 || windows[2].More {
		t.Fatalf("%d windows after the repeated acknowledgement", len(windows))
	}
}

func TestAcknowledgedAtOnceOpensOneWindow(t *testing.T) {
	s := newStage(t, 1)
	for range 250 {
		s.send(0)
	}
	socket := s.open("c1", message.NoVersion)
	last := s.windows("c1")[0].Items[message.PageSize-1]
	for _, err := range storetest.AtOnce(16, func(int) error {
		return s.resumer.Acknowledged(context.Background(), socket, last.ConversationID, last.Seq)
	}) {
		storetest.OK(t, "acknowledge", err)
	}
	first := s.windows("c1")[1].Items[0].Seq
	for _, window := range s.windows("c1")[1:] {
		if window.Items[0].Seq != first {
			t.Fatalf("a window from %d came without an acknowledgement", window.Items[0].Seq)
		}
	}
}

func TestResumeTwice(t *testing.T) {
	s := newStage(t, 2)
	for i := range 150 {
		s.send(i % 2)
	}
	socket := s.open("c1", message.NoVersion)
	storetest.OK(t, "the second delivery", s.resumer.Resume(t.Context(), session.NewResumeRequest(socket, message.NoVersion)))
	have := map[id.Conversation]int64{}
	for _, window := range s.windows("c1") {
		for _, m := range window.Items {
			have[m.ConversationID] = max(have[m.ConversationID], m.Seq)
		}
	}
	s.acknowledge(socket, s.windows("c1")[0])
	last := s.windows("c1")[2]
	if last.More || len(last.Items) != 50 {
		t.Fatalf("the last window has %d messages, more %v", len(last.Items), last.More)
	}
}

func TestRevokedBeforeResume(t *testing.T) {
	s := newStage(t, 1)
	s.send(0)
	s.revoked = true
	s.open("c1", message.NoVersion)
	if frames := s.poster.Frames("c1"); len(frames) != 0 {
		t.Fatalf("a revoked socket was sent %d frames", len(frames))
	}
	if err := s.poster.Exists(t.Context(), "c1"); err == nil {
		t.Fatal("a revoked socket is open")
	}
}

// A revocation can come while a socket opens: it removes the row, and finds no socket to close.
func TestCutBeforeItCouldBeClosed(t *testing.T) {
	s := newStage(t, 1)
	s.poster.Open("c1")
	held := connection.Socket{App: s.app, User: s.bob, Connection: "c1", Device: "phone", ExpiresAt: clock.System{}.Now().Add(time.Hour)}
	storetest.OK(t, "open", s.resumer.Connections.Open(t.Context(), held))
	storetest.OK(t, "remove", s.records.RemoveSocket(t.Context(), held))
	storetest.OK(t, "resume", s.resumer.Resume(t.Context(), session.NewResumeRequest(held, message.NoVersion)))
	if closed := s.poster.Closed(); len(closed) != 1 || len(s.poster.Frames("c1")) != 0 {
		t.Errorf("closed are %v; posted %d frames", closed, len(s.poster.Frames("c1")))
	}
}

// countingPoster counts how often it was asked whether a connection is open.
type countingPoster struct {
	*connectiontest.Poster
	looks int
}

func (p *countingPoster) Exists(ctx context.Context, connectionID string) error {
	p.looks++
	return p.Poster.Exists(ctx, connectionID)
}

// TestClosedBeforeResume: a socket that closed as soon as it had opened holds no function for long.
func TestClosedBeforeResume(t *testing.T) {
	s := newStage(t, 1)
	poster := &countingPoster{Poster: s.poster}
	s.resumer.Connections.Poster = poster
	closed := connection.Socket{App: s.app, User: s.bob, Connection: "c1", Device: "phone", ExpiresAt: clock.System{}.Now().Add(time.Hour)}
	storetest.OK(t, "open", s.resumer.Connections.Open(t.Context(), closed))
	storetest.OK(t, "close", s.resumer.Connections.Close(t.Context(), closed))
	storetest.OK(t, "resume", s.resumer.Resume(t.Context(), session.NewResumeRequest(closed, message.NoVersion)))
	if poster.looks > 6 { // at 0, 20, 60, 140, 300 and 620 ms
		t.Errorf("it looked %d times for a socket that has closed", poster.looks)
	}
}

// TestDeniedBeforeResume: a socket that opened while its user was losing what a socket stands on is sent nothing.
func TestDeniedBeforeResume(t *testing.T) {
	for _, permission := range []authz.Permission{authz.SocketConnect, authz.MessagesRead} {
		s := newStage(t, 1)
		s.send(0)
		s.denied = []authz.Statement{{Deny: true, Set: authz.SetOf(permission)}}
		s.open("c1", message.NoVersion)
		if frames := s.poster.Frames("c1"); len(frames) != 0 || s.poster.Exists(t.Context(), "c1") == nil {
			t.Fatalf("without %s the socket is open and was sent %d frames", permission, len(frames))
		}
	}
}

func TestVersionBehindTheFloor(t *testing.T) {
	s := newStage(t, connection.RingSize+1)
	for i := range s.senders {
		s.send(i)
	}
	socket := s.open("c1", 0)
	if first := s.windows("c1")[0]; !first.Full {
		t.Fatal("a version behind the floor is not told to check everything")
	}
	s.check(s.receive(socket, map[id.Conversation]int64{}))
}

// late lets a sender die between its append and its note, and returns the draft for the retry.
func (s *stage) late() message.Draft {
	fuse := &storetest.Fuse{At: 2, Dies: true} // the append, and then the note
	dying := *s.messages
	dying.Log = messagetest.FuseLog(fuse, dying.Log)
	dying.Devices = &connection.Service{Store: connectiontest.FuseStore(fuse, s.records), Poster: s.poster, Clock: clock.System{}}
	draft := message.Draft{App: s.app, From: s.senders[0], To: string(s.bob), Text: "late", ClientID: "late", Known: new(int64(1))}
	if _, err := dying.Send(context.Background(), draft); err == nil {
		s.t.Fatalf("a dead process acknowledged")
	}
	return draft
}

// TestNotesOutOfOrder: an append whose sender died before its note comes by resume all the same, although fewer versions
// than entries have passed.
func TestNotesOutOfOrder(t *testing.T) {
	s := newStage(t, 1)
	s.send(0)
	s.late()
	s.send(0)
	socket := s.open("c1", 1)
	s.check(s.receive(socket, map[id.Conversation]int64{id.Pair(s.app, s.bob, s.senders[0]): 1}))
	if s.gaps > 0 {
		t.Fatal("the late message did not come by itself")
	}
}

// TestNotesOutOfOrderOnTheSecondDevice: where another device has moved the user's marks, the gap in the sequence tells.
func TestNotesOutOfOrderOnTheSecondDevice(t *testing.T) {
	for _, retried := range []bool{false, true} {
		s := newStage(t, 1)
		s.send(0)
		draft := s.late()
		s.send(0)
		conversation, version := id.Pair(s.app, s.bob, s.senders[0]), int64(1)
		if retried {
			_, err := s.messages.Send(t.Context(), draft)
			storetest.OK(t, "retry", err)
			version = 2 // the tablet was pushed message 3 with it
		}
		_, err := s.messages.Acknowledge(t.Context(), s.app, s.bob, conversation, 3)
		storetest.OK(t, "the phone's acknowledgement", err)
		s.check(s.receive(s.open("tablet", version), map[id.Conversation]int64{conversation: 1}))
	}
}

// TestRingMovesOnDuringResume: what the device has missed is not known any more, so it is told to check everything.
func TestRingMovesOnDuringResume(t *testing.T) {
	s := newStage(t, 10+2*connection.RingSize)
	for i := range 300 {
		s.send(i % 10)
	}
	for conversation, last := range s.sent {
		_, err := s.messages.Acknowledge(t.Context(), s.app, s.bob, conversation, last)
		storetest.OK(t, "the phone's acknowledgement", err)
	}
	tablet := s.open("tablet", 0)
	if first := s.windows("tablet")[0]; first.Full || !first.More {
		t.Fatalf("the first window is %v, %v", first.Full, first.More)
	}
	for i := 10; i < len(s.senders); i++ {
		s.send(i)
	}
	s.receive(tablet, map[id.Conversation]int64{})
	windows := s.windows("tablet")
	if last := windows[len(windows)-1]; !last.Full {
		t.Fatal("the last window does not tell the device to check everything")
	}
}

// TestPingKeepsWhatAuthRenewed: pings still carry what $connect was told, also after an auth frame.
func TestPingKeepsWhatAuthRenewed(t *testing.T) {
	for _, dropped := range []bool{false, true} {
		s := newStage(t, 1)
		now := clock.System{}.Now()
		connections := s.resumer.Connections
		connections.Clock = clock.Func(func() time.Time { return now })
		s.poster.Open("c1")
		held := connection.Socket{App: s.app, User: s.bob, Connection: "c1", Device: "phone", ExpiresAt: now.Add(time.Hour)}
		storetest.OK(t, "open", connections.Open(t.Context(), held))
		now = now.Add(50 * time.Minute)
		renewed := held
		renewed.ExpiresAt = now.Add(time.Hour)
		_, err := connections.Reauthorize(t.Context(), renewed)
		storetest.OK(t, "auth", err)
		if dropped { // out of the record, by a 410 that was none
			_, err := s.records.Detach(t.Context(), s.app, s.bob, "phone", "c1", time.Now())
			storetest.OK(t, "detach", err)
		}
		now = now.Add(9 * time.Minute)
		_, _, err = connections.Keep(t.Context(), held)
		storetest.OK(t, "ping", err)
		now = now.Add(2 * time.Minute) // the first token is over
		s.send(0)
		if frames := len(s.poster.Frames("c1")); frames != 1 {
			t.Fatalf("%d frames after the first token's end, closed %v", frames, s.poster.Closed())
		}
	}
}

// TestResumeFromVersion drops a device at any version and brings it back: whatever was sent before and since, it ends
// with everything.
func TestResumeFromVersion(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		senders := rapid.IntRange(1, 20).Draw(rt, "senders")
		s := newStage(rt, senders)
		burst := func(name string) {
			for _, sender := range rapid.SliceOfN(rapid.IntRange(0, senders-1), 0, 150).Draw(rt, name) {
				s.send(sender)
			}
		}
		burst("before")
		have := s.receive(s.open("c1", message.NoVersion), map[id.Conversation]int64{})
		version := s.windows("c1")[0].V
		s.check(have)
		s.poster.Drop("c1")
		burst("since")
		socket := s.open("c2", version)
		s.check(s.receive(socket, have))
	})
}
