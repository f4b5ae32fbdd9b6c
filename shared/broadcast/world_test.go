package broadcast_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/broadcast"
	"github.com/tokenim/tokenim/shared/broadcast/broadcasttest"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagetest"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/usertest"
)

func TestMemoryStore(t *testing.T) { broadcasttest.Run(t, broadcasttest.NewStore()) }

// sent is a job in the queue.
type sent struct {
	job   broadcast.Job
	delay time.Duration
}

// jobs are the jobs that were sent and not taken.
type jobs struct {
	mutex sync.Mutex
	sent  []sent
}

func (j *jobs) Send(_ context.Context, job any, delay time.Duration) error {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.sent = append(j.sent, sent{job.(broadcast.Job), delay})
	return nil
}

// take takes the first job; none where there is none.
func (j *jobs) take() (first sent, ok bool) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if len(j.sent) == 0 {
		return sent{}, false
	}
	first, j.sent = j.sent[0], j.sent[1:]
	return first, true
}

// people are an app's users, some of whom are deleted and still in the directory.
type people struct {
	*usertest.Store
	mutex sync.Mutex
	gone  map[id.User]bool
}

func (p *people) Get(ctx context.Context, app id.App, who id.User, strong bool) (user.User, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.gone[who] {
		return user.User{}, user.ErrNotFound
	}
	return p.Store.Get(ctx, app, who, strong)
}

func (p *people) remove(who id.User) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.gone[who] = true
}

// page is how many users a page of the directory has.
const page = 3

// directory implements broadcast.Directory: the users in turn in the shards 1, 4, 7 …, by their place.
type directory struct{ users []id.User }

func (d directory) Users(_ context.Context, _ id.App, shard int, after string) (users []id.User, next string, err error) {
	first, last := 0, ""
	if after != "" {
		if _, err := fmt.Sscanf(after, "name of %d", &first); err != nil {
			return nil, "", err
		}
	}
	for i, each := range d.users {
		if 3*(i%5)+1 != shard || i < first {
			continue
		}
		if len(users) == page {
			return users, last, nil
		}
		users, last = append(users, each), fmt.Sprintf("name of %d", i+1)
	}
	return users, "", nil
}

// pace implements broadcast.Limiter: each message takes its time by the clock.
type pace struct{ clock *clocktest.Clock }

func (p pace) Wait(context.Context) error {
	p.clock.Advance(time.Second / broadcast.PerSecond)
	return nil
}

// world is an app whose users are ann, who sends, and others.
type world struct {
	store   *broadcasttest.Store
	jobs    *jobs
	clock   *clocktest.Clock
	log     *messagetest.Log
	claims  *messagetest.Claims
	members *messagetest.Members
	people  *people
	records *connectiontest.Store
	poster  *connectiontest.Poster
	keyring *seal.Keyring
	app     id.App
	ann     id.User
	all     []id.User // ann among them
	// before, where set, is called before a message is sent to the user.
	before func(to id.User) error
}

func newWorld(t *testing.T, others int) *world {
	w := &world{store: broadcasttest.NewStore(), jobs: &jobs{}, clock: clocktest.New(storetest.Noon()), log: messagetest.NewLog(),
		claims: messagetest.NewClaims(), members: messagetest.NewMembers(), people: &people{Store: usertest.NewStore(), gone: map[id.User]bool{}},
		records: connectiontest.NewStore(), poster: connectiontest.NewPoster(), keyring: sealtest.NewKeyring(), app: id.Source{}.App()}
	w.people.Logs = recordtest.NewLogs()
	for i := range others + 1 {
		made := usertest.NewUser(w.app, fmt.Sprintf("user%03d", i))
		storetest.OK(t, "Create", w.people.Create(t.Context(), made, made.Username))
		w.records.Register(w.app, made.ID)
		w.all = append(w.all, made.ID)
	}
	w.ann = w.all[others/2]
	return w
}

// messages returns the service of messages of one process.
func (w *world) messages(fuse *storetest.Fuse) *message.Service {
	return &message.Service{Log: messagetest.FuseLog(fuse, w.log), Claims: messagetest.FuseClaims(fuse, w.claims),
		Members: messagetest.FuseMembers(fuse, w.members), Users: &user.Service{Store: w.people},
		Devices: broadcast.Quiet{Devices: w.devices(fuse)}, Sealer: w.keyring, Clock: w.clock}
}

func (w *world) devices(fuse *storetest.Fuse) *connection.Service {
	return &connection.Service{Store: connectiontest.FuseStore(fuse, w.records), Poster: connectiontest.FusePoster(fuse, w.poster), Clock: w.clock}
}

func (w *world) service(fuse *storetest.Fuse) *broadcast.Service {
	return &broadcast.Service{Store: broadcasttest.FuseStore(fuse, w.store), Messages: w.messages(fuse), Sealer: w.keyring,
		Later: fuse.Queue(w.jobs), Clock: w.clock}
}

func (w *world) worker(fuse *storetest.Fuse) *broadcast.Worker {
	return &broadcast.Worker{Store: broadcasttest.FuseStore(fuse, w.store), Directory: directory{w.all}, Users: w.people,
		Messages: asked{w.messages(fuse), w}, Devices: w.devices(fuse), Sealer: w.keyring, Later: fuse.Queue(w.jobs),
		Pace: func() broadcast.Limiter { return pace{w.clock} }, Clock: w.clock}
}

// asked are messages of which the world is told before.
type asked struct {
	*message.Service
	world *world
}

func (a asked) Send(ctx context.Context, draft message.Draft) (message.Sent, error) {
	if a.world.before != nil {
		if err := a.world.before(id.User(draft.To)); err != nil {
			return message.Sent{}, err
		}
	}
	return a.Service.Send(ctx, draft)
}

// healthy is the fuse of a process that nothing happens to.
func healthy() *storetest.Fuse { return &storetest.Fuse{} }

var hello = broadcast.Content{Text: "hello to all"}

func (w *world) begin(t *testing.T, key string) broadcast.Broadcast {
	t.Helper()
	begun, err := w.service(healthy()).Begin(t.Context(), w.app, w.ann, hello, key)
	storetest.OK(t, "Begin", err)
	return begun
}

// work does the jobs one after the other, until none is left.
func (w *world) work(t *testing.T) {
	t.Helper()
	for range 200 {
		next, ok := w.jobs.take()
		if !ok {
			return
		}
		w.clock.Advance(next.delay)
		storetest.OK(t, "Do", w.worker(healthy()).Do(t.Context(), next.job))
	}
	t.Fatal("the jobs do not end")
}

func (w *world) find(t *testing.T, job id.Broadcast) broadcast.Broadcast {
	t.Helper()
	found, err := w.service(healthy()).Find(t.Context(), w.app, job)
	storetest.OK(t, "Find", err)
	return found
}

// texts returns how often the user has what ann's broadcast says.
func (w *world) texts(t *testing.T, to id.User, job id.Broadcast) (times int) {
	t.Helper()
	entries, err := w.log.Read(t.Context(), w.app, id.Pair(w.app, w.ann, to), 1, message.PageSize, true)
	storetest.OK(t, "Read", err)
	for _, entry := range entries {
		text, err := w.keyring.Open(t.Context(), w.app, seal.Place{Conversation: entry.Conversation, Sequence: entry.Sequence, Sender: entry.Sender}, entry.Sealed)
		if err == nil && entry.ClientID == string(job) && string(text) == hello.Text && entry.Sender == w.ann {
			times++
		}
	}
	return times
}

// wantAll checks that everybody has the broadcast once, but for ann and those without, and that it says so.
func (w *world) wantAll(t *testing.T, job id.Broadcast, without ...id.User) {
	t.Helper()
	for i, to := range w.all {
		want := 1
		if to == w.ann || slices.Contains(without, to) {
			want = 0
		}
		if times := w.texts(t, to, job); times != want {
			t.Errorf("user %d has it %d times, want %d", i, times, want)
		}
	}
	found := w.find(t, job)
	if found.State != broadcast.Done || found.FinishedAt.IsZero() || found.Sent != len(w.all)-1-len(without) || found.Skipped+found.Failed != 1+len(without) {
		t.Errorf("the broadcast is %+v", found)
	}
	if _, err := w.store.Content(t.Context(), w.app, job); err == nil {
		t.Error("its content is still there")
	}
}

func (w *world) deactivate(t *testing.T, who id.User) {
	t.Helper()
	changed := record.New(record.OfApp(w.app), w.clock.Now(), record.Origin{}, record.UserDeactivated, string(who), nil, nil)
	_, err := w.people.SetActive(t.Context(), w.app, who, false, w.clock.Now(), changed)
	storetest.OK(t, "SetActive", err)
}
