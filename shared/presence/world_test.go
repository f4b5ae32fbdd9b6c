package presence_test

import (
	"context"
	"encoding/json"
	"time"

	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/presence"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// queue implements connection.Later: jobs wait until the clock has come to them.
type queue struct {
	clock *clocktest.Clock
	jobs  []waiting
	sent  int
	fail  error
}

type waiting struct {
	change connection.PresenceChange
	due    time.Time
}

// Send implements connection.Later.
func (q *queue) Send(_ context.Context, job any, delay time.Duration) error {
	if q.fail != nil {
		return q.fail
	}
	q.sent++
	q.jobs = append(q.jobs, waiting{job.(connection.PresenceChange), q.clock.Now().Add(delay)})
	return nil
}

// due takes the jobs out whose time has come.
func (q *queue) due() (ready []connection.PresenceChange) {
	var left []waiting
	for _, job := range q.jobs {
		if job.due.After(q.clock.Now()) {
			left = append(left, job)
		} else {
			ready = append(ready, job.change)
		}
	}
	q.jobs = left
	return ready
}

// world is an app with its users, and all that presence stands on.
type world struct {
	*presence.Service
	t        storetest.T
	app      id.App
	store    *connectiontest.Store
	poster   *connectiontest.Poster
	clock    *clocktest.Clock
	queue    *queue
	sockets  *connection.Service
	watchers *presence.Watchers
}

func newWorld(t storetest.T) *world {
	w := &world{t: t, app: id.Source{}.App(), store: connectiontest.NewStore(), poster: connectiontest.NewPoster(),
		clock: clocktest.New(storetest.Noon().Truncate(time.Second))}
	w.queue = &queue{clock: w.clock}
	w.sockets = &connection.Service{Store: w.store, Poster: w.poster, Clock: w.clock, Later: w.queue}
	w.Service = &presence.Service{Store: w.store, Users: w, Announcer: w.sockets, Clock: w.clock}
	w.watchers = &presence.Watchers{Store: w.store, Devices: w.sockets, Later: w.queue, Clock: w.clock}
	return w
}

// Resolve implements presence.Users: nobody has a name.
func (w *world) Resolve(_ context.Context, _ id.App, idOrName, field string) (id.User, error) {
	if !id.IsUser(idOrName) {
		return "", fault.Invalid(fault.Field{Name: field, Code: fault.UserNotFound, Args: []any{field}})
	}
	return id.User(idOrName), nil
}

func (w *world) register() id.User {
	user := id.Source{}.User()
	w.store.Register(w.app, user)
	return user
}

// open opens a socket whose token lasts a day.
func (w *world) open(user id.User, device, connectionID string) connection.Socket {
	socket := connection.Socket{App: w.app, User: user, Connection: connectionID, Device: connection.DeviceName(device, connectionID),
		Key: id.Source{}.Key(w.app), ExpiresAt: w.clock.Now().Add(24 * time.Hour)}
	w.poster.Open(connectionID)
	storetest.OK(w.t, "Open", w.sockets.Open(context.Background(), socket))
	return socket
}

// shut closes a socket, and its $disconnect comes.
func (w *world) shut(socket connection.Socket) {
	w.poster.Drop(socket.Connection)
	storetest.OK(w.t, "Close", w.sockets.Close(context.Background(), socket))
}

func (w *world) ping(socket connection.Socket) {
	_, _, err := w.sockets.Keep(context.Background(), socket)
	storetest.OK(w.t, "Keep", err)
}

// pass lets time pass, and has the jobs done whose time comes.
func (w *world) pass(by time.Duration) {
	w.clock.Advance(by)
	for _, change := range w.queue.due() {
		storetest.OK(w.t, "Announce", w.watchers.Announce(context.Background(), change))
	}
}

// settle waits for a change to be announced.
func (w *world) settle() { w.pass(connection.Damping) }

// watch lets the user watch others and returns the answer.
func (w *world) watch(watcher id.User, users ...id.User) []presence.UserPresence {
	items, err := w.Watch(context.Background(), w.app, watcher, texts(users))
	storetest.OK(w.t, "Watch", err)
	return items
}

// see is what a viewer is told of a user; "" is an application.
func (w *world) see(viewer, user id.User) presence.UserPresence {
	items, err := w.Query(context.Background(), w.app, viewer, texts([]id.User{user}))
	storetest.OK(w.t, "Query", err)
	return items[0]
}

func texts(users []id.User) []string {
	all := make([]string, len(users))
	for i, user := range users {
		all[i] = string(user)
	}
	return all
}

// change is a job about the user.
func (w *world) change(user id.User, by string) connection.PresenceChange {
	return connection.PresenceChange{App: w.app.String(), User: user, ID: by}
}

// heard are the events of presence that were posted to the connection, from the number on.
func (w *world) heard(connectionID string, from int) (events []presence.UserPresenceEvent) {
	for _, frame := range w.poster.Frames(connectionID)[from:] {
		var event presence.UserPresenceEvent
		storetest.OK(w.t, "decode an event", json.Unmarshal(frame, &event))
		events = append(events, event)
	}
	return events
}

// statuses are those of the events.
func statuses(events []presence.UserPresenceEvent) (all []presence.Status) {
	for _, event := range events {
		all = append(all, event.Status)
	}
	return all
}
