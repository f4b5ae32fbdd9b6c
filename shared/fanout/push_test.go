package fanout_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/fanout"
	"github.com/tokenim/tokenim/shared/fanout/fanouttest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagetest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// hall is a large group with its log's messages and its members' devices.
type hall struct {
	app      id.App
	group    id.Group
	messages []message.Message
	broken   bool // no entry can be read
	members  *messagetest.Members
	records  *connectiontest.Store
	poster   *connectiontest.Poster
	store    *fanouttest.Store
	queue    *fanouttest.Queue
	audience *fanout.Audience
	pusher   *fanout.Pusher
}

func newHall() *hall {
	h := &hall{app: id.Source{}.App(), group: id.Source{}.Group(), members: messagetest.NewMembers(), records: connectiontest.NewStore(),
		poster: connectiontest.NewPoster(), store: fanouttest.NewStore(), queue: fanouttest.NewQueue()}
	h.audience = &fanout.Audience{Subscriptions: h.store, Records: h.records, Members: h.members, Clock: clock.System{}}
	h.pusher = &fanout.Pusher{Subscriptions: h.store, States: h.store, Queue: h.queue, Messages: h, Audience: h.audience, Poster: h.poster, Limiter: free{},
		Clock: clock.System{}}
	return h
}

// free is a limiter that limits nothing.
type free struct{}

func (free) Wait(ctx context.Context) error { return ctx.Err() }

// Between implements fanout.Messages.
func (h *hall) Between(_ context.Context, _ id.App, _ id.Conversation, from, to int64) ([]message.Message, error) {
	if h.broken {
		return nil, storetest.ErrFuse
	}
	end := min(to, int64(len(h.messages)))
	return h.messages[min(from-1, end):end], nil
}

// say writes a message.
func (h *hall) say(text string) {
	h.messages = append(h.messages, message.Message{ConversationID: id.Conversation(h.group), Seq: int64(len(h.messages)) + 1, Type: message.TypeText, Message: text})
}

// tell writes what became of a user.
func (h *hall) tell(kind message.ChangeKind, user id.User) int64 {
	h.say("")
	last := &h.messages[len(h.messages)-1]
	last.Type, last.Event = message.TypeEvent, &message.GroupChange{Kind: kind, Users: []id.User{user}}
	return last.Seq
}

// member makes a member of a large group.
func (h *hall) member(user id.User, since int64) {
	h.members.SetSubscriber(h.app, user, h.group, message.Seat{State: message.Joined, Since: since})
}

// online makes a member with an open socket, subscribed.
func (h *hall) online(t *testing.T) (id.User, connection.Socket) {
	user := id.Source{}.User()
	h.member(user, 1)
	socket := h.open(t, user)
	storetest.OK(t, "Connect", h.audience.Connect(t.Context(), socket))
	return user, socket
}

func (h *hall) open(t *testing.T, user id.User) connection.Socket {
	h.records.Register(h.app, user)
	socket := connection.Socket{App: h.app, User: user, Connection: "conn-" + user.Random(), Device: "phone", ExpiresAt: clock.System{}.Now().Add(time.Hour)}
	_, _, err := h.records.Attach(t.Context(), socket, clock.System{}.Now().Add(connection.Lease))
	storetest.OK(t, "Attach", err)
	h.poster.Open(socket.Connection)
	return socket
}

func (h *hall) job(from, to int64) fanout.Job {
	return fanout.Job{App: h.app.String(), Group: h.group, From: from, To: to, Part: fanout.Part{Parts: 1}}
}

func (h *hall) push(t *testing.T, jobs ...fanout.Job) {
	t.Helper()
	storetest.OK(t, "Push", h.pusher.Push(t.Context(), jobs))
}

// got returns the sequences that the socket was posted, and by how many frames.
func (h *hall) got(t *testing.T, socket connection.Socket) (sequences []int64, frames int) {
	t.Helper()
	for _, frame := range h.poster.Frames(socket.Connection) {
		var event struct {
			Event   string
			Message *message.Message
			Items   []message.Message
		}
		storetest.OK(t, "read the frame", json.Unmarshal(frame, &event))
		if event.Message != nil {
			event.Items = []message.Message{*event.Message}
		}
		for _, each := range event.Items {
			sequences = append(sequences, each.Seq)
		}
		frames++
		if len(frame) > 32<<10 {
			t.Errorf("a frame has %d bytes", len(frame))
		}
	}
	return sequences, frames
}

func TestEveryDeviceGetsEveryMessage(t *testing.T) {
	h := newHall()
	var sockets []connection.Socket
	for range 250 { // more than a page
		_, socket := h.online(t)
		sockets = append(sockets, socket)
	}
	h.say("one")
	h.say("two")
	h.say("three")
	h.push(t, h.job(1, 1))
	h.push(t, h.job(2, 2), h.job(3, 3))
	for _, socket := range sockets {
		if got, frames := h.got(t, socket); !slices.Equal(got, upTo(3)) || frames != 2 {
			t.Fatalf("%s got %v in %d frames; the second and the third should have come together", socket.Connection, got, frames)
		}
	}
}

// Long messages are split into frames of at most 32 KB.
func TestFramesAreBounded(t *testing.T) {
	h := newHall()
	_, socket := h.online(t)
	for range 20 {
		h.say(strings.Repeat("語", message.MaxTextBytes/3))
	}
	h.push(t, h.job(1, 20))
	if got, frames := h.got(t, socket); !slices.Equal(got, upTo(20)) || frames != 3 {
		t.Errorf("got %v in %d frames", got, frames)
	}
}

// A dead device is forgotten, an expired one passed over, a slow one posted to beside the others.
func TestOneDeviceDoesNotHurtTheOthers(t *testing.T) {
	h := newHall()
	_, dead := h.online(t)
	_, well := h.online(t)
	expired := fanout.Subscription{App: h.app, Group: h.group, User: id.Source{}.User(), Connection: "old", Until: clock.System{}.Now().Add(-time.Minute)}
	swept := fanout.Subscription{App: h.app, Group: h.group, User: id.Source{}.User(), Connection: "older", Until: clock.System{}.Now().Add(-time.Hour)}
	for _, each := range []fanout.Subscription{expired, swept} {
		storetest.OK(t, "Put", h.store.Put(t.Context(), each))
		h.poster.Open(each.Connection)
	}
	h.poster.Drop(dead.Connection)
	h.say("hello")
	h.push(t, h.job(1, 1))
	if got, _ := h.got(t, well); !slices.Equal(got, upTo(1)) {
		t.Errorf("the device that is well got %v", got)
	}
	if got := h.subscribed(t); !maps.Equal(got, map[string]bool{well.Connection: true, "old": true}) {
		t.Errorf("subscribed are %v", got)
	}
	if len(h.poster.Frames("old"))+len(h.poster.Frames("older")) != 0 {
		t.Error("an expired device got something")
	}
}

func (h *hall) subscribed(t *testing.T) map[string]bool {
	t.Helper()
	page, _, err := h.store.Page(t.Context(), h.app, h.group, fanout.Part{Parts: 1}, "", 1000)
	storetest.OK(t, "Page", err)
	connections := map[string]bool{}
	for _, each := range page {
		connections[each.Connection] = true
	}
	return connections
}

// Whoever joins while online gets what comes after the change, though the one who made it has died; whoever leaves gets
// nothing after it.
func TestTheFanOutFollowsMemberships(t *testing.T) {
	h := newHall()
	gone, goneSocket := h.online(t)
	user := id.Source{}.User()
	socket := h.open(t, user)
	joined := h.tell(message.UsersJoined, user)
	h.member(user, joined)
	h.say("welcome")
	h.tell(message.UserRemoved, gone)
	h.members.SetSeat(h.app, gone, h.group, message.Seat{State: message.Left}, 0, 0)
	h.say("behind its back")
	h.push(t, h.job(1, 4))
	if got, _ := h.got(t, socket); !slices.Equal(got, []int64{2, 3, 4}) {
		t.Errorf("who joined got %v; its own change is noted for it", got)
	}
	if got, _ := h.got(t, goneSocket); len(got) != 0 {
		t.Errorf("who was removed got %v", got)
	}
}

// Whoever took the user in may have died before that was noted. A device that connects asks the record whether there is
// anything to subscribe to.
func TestTheFanOutNotesTheFirstGroup(t *testing.T) {
	h := newHall()
	user := id.Source{}.User()
	h.records.Register(h.app, user)
	joined := h.tell(message.UsersJoined, user)
	h.member(user, joined)
	for range 2 {
		h.push(t, h.job(1, 1))
	}
	record, err := h.records.Record(t.Context(), h.app, user, true)
	storetest.OK(t, "Record", err)
	if noted := record.Ring[id.Conversation(h.group)]; !record.Groups || noted != (connection.Change{Version: 1, Sequence: joined}) {
		t.Errorf("the record is %+v", record)
	}
}

// A socket that opens while its user is removed is posted nothing, whichever comes first, and though whoever subscribes it dies
// right after that; until the user comes back.
func TestWhoLeftIsPostedNothing(t *testing.T) {
	h := newHall()
	user := id.Source{}.User()
	joined := h.tell(message.UsersJoined, user)
	h.member(user, joined)
	socket := h.open(t, user)
	left := h.tell(message.UserRemoved, user)
	late := *h.audience
	late.Subscriptions = interrupting{h.store, func() { // the removal comes to its end before the subscription is written
		h.members.SetSeat(h.app, user, h.group, message.Seat{State: message.Left}, 0, 0)
		storetest.OK(t, "Leave", h.audience.Leave(t.Context(), h.app, h.group, user, left))
	}}
	for name, subscribe := range map[string]func() error{
		"Connect": func() error { return late.Connect(t.Context(), socket) },
		"Follow":  func() error { return late.Follow(t.Context(), h.app, h.group, []id.User{user}) },
	} {
		h.member(user, joined)
		storetest.OK(t, name, subscribe())
		h.say("behind its back")
		h.push(t, h.job(int64(len(h.messages)), int64(len(h.messages))))
		if got, _ := h.got(t, socket); len(got) != 0 {
			t.Errorf("%s: who was removed got %v", name, got)
		}
	}
	again := h.tell(message.UsersJoined, user)
	h.member(user, again)
	h.push(t, h.job(again, again))
	storetest.OK(t, "Leave, late", h.audience.Leave(t.Context(), h.app, h.group, user, left))
	h.say("welcome back")
	h.push(t, h.job(again+1, again+1))
	if got, _ := h.got(t, socket); !slices.Equal(got, []int64{again + 1}) {
		t.Errorf("who came back got %v", got)
	}
}

// What a post finds gone may be a socket that was about to open, and has subscribed since.
func TestASocketThatOpensStaysSubscribed(t *testing.T) {
	h := newHall()
	user, socket := h.online(t)
	h.poster.Drop(socket.Connection)
	storetest.OK(t, "Follow", h.audience.Follow(t.Context(), h.app, h.group, []id.User{user}))
	h.pusher.Poster = opening{h.poster, func() {
		h.poster.Open(socket.Connection)
		storetest.OK(t, "Connect", h.audience.Connect(t.Context(), socket))
	}}
	for _, text := range []string{"one", "two", "three"} {
		h.say(text)
	}
	h.push(t, h.job(2, 2))
	h.push(t, h.job(3, 3))
	if got, _ := h.got(t, socket); !slices.Equal(got, []int64{3}) {
		t.Errorf("got %v", got)
	}
}

// opening does something after a post to a connection that is gone.
type opening struct {
	connection.Poster
	after func()
}

func (o opening) Post(ctx context.Context, connectionID string, frame []byte) error {
	err := o.Poster.Post(ctx, connectionID, frame)
	if errors.Is(err, connection.ErrGone) {
		o.after()
	}
	return err
}

// interrupting does something before each subscription.
type interrupting struct {
	fanout.Subscriptions
	before func()
}

func (i interrupting) Put(ctx context.Context, made fanout.Subscription) error {
	i.before()
	return i.Subscriptions.Put(ctx, made)
}

// A part that has grown too large is divided before anybody is posted to, as often as it takes: thousands can have come online
// since the last message.
func TestPartsAreDivided(t *testing.T) {
	h := newHall()
	for i := range 1700 {
		made := fanout.Subscription{App: h.app, Group: h.group, User: id.Source{}.User(), Connection: fmt.Sprint("c", i), Until: clock.System{}.Now().Add(time.Hour)}
		h.poster.Open(made.Connection)
		storetest.OK(t, "Put", h.store.Put(t.Context(), made))
	}
	h.say("hello")
	limit := &counting{}
	h.pusher.Limiter = limit
	h.push(t, h.job(1, 1))
	h.push(t, h.job(1, 1)) // it may come again, also after it was done
	for jobs := h.queue.Take(); len(jobs) > 0; jobs = h.queue.Take() {
		for _, job := range jobs {
			limit.posts = 0
			h.push(t, job)
			if limit.posts > 500 {
				t.Errorf("%s made %d posts", job.Identity(), limit.posts)
			}
		}
	}
	for i := range 1700 {
		if got := len(h.poster.Frames(fmt.Sprint("c", i))); got != 1 {
			t.Fatalf("c%d got %d frames", i, got)
		}
	}
	if state, _ := h.store.Get(t.Context(), h.app, h.group); state.Parts < 4 {
		t.Errorf("the state is %+v", state)
	}
}

// counting is a limiter that counts the posts that it allows.
type counting struct {
	mutex sync.Mutex
	posts int
}

func (c *counting) Wait(context.Context) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.posts++
	return nil
}

// A job of a group that has been erased, or of tables that were restored to an earlier moment, is done: there is nothing to post,
// and its lane goes on.
func TestAJobOfAnErasedGroupIsDone(t *testing.T) {
	h := newHall()
	_, socket := h.online(t)
	storetest.OK(t, "Push", h.pusher.Push(t.Context(), []fanout.Job{h.job(1, 2)}))
	h.say("later")
	h.push(t, h.job(1, 1))
	if got, _ := h.got(t, socket); !slices.Equal(got, []int64{1}) {
		t.Errorf("got %v", got)
	}
}

// A job whose entries cannot be read fails, and comes again.
func TestAJobFailsWhole(t *testing.T) {
	h := newHall()
	_, socket := h.online(t)
	h.say("hello")
	h.broken = true
	if err := h.pusher.Push(t.Context(), []fanout.Job{h.job(1, 1)}); err == nil {
		t.Error("a job whose entry cannot be read is done")
	}
	h.broken = false
	h.push(t, h.job(1, 1))
	if got, _ := h.got(t, socket); !slices.Equal(got, upTo(1)) {
		t.Errorf("then got %v", got)
	}
}

// A job that has no time left to post to everybody is not done. A limiter says so before the time is up.
func TestAJobWithoutTimeComesAgain(t *testing.T) {
	h := newHall()
	_, socket := h.online(t)
	h.say("hello")
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	h.pusher.Limiter = rate.NewLimiter(rate.Every(2*time.Hour), 1)
	for try, want := range []bool{true, false} {
		if err := h.pusher.Push(ctx, []fanout.Job{h.job(1, 1)}); (err == nil) != want {
			t.Errorf("try %d: %v", try, err)
		}
	}
	if got, _ := h.got(t, socket); !slices.Equal(got, upTo(1)) {
		t.Errorf("got %v", got)
	}
}
