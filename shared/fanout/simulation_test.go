package fanout_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/fanout"
	"github.com/tokenim/tokenim/shared/fanout/fanouttest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/group/grouptest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagetest"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/session"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/token"
)

// The simulator runs the real services of many Lambdas at once on one group while it grows beyond what its writers serve
// themselves: a seeded choice decides who makes the next call, and processes die at any write and are repeated. TOKENIM_SEEDS
// sets how many seeds it tries; a failing seed is named.
const defaultSeeds = 60

func TestSimulation(t *testing.T) {
	seeds, first := defaultSeeds, 0
	if text := os.Getenv("TOKENIM_SEEDS"); text != "" {
		seeds, _ = strconv.Atoi(text)
	}
	if text := os.Getenv("TOKENIM_FIRST_SEED"); text != "" {
		first, _ = strconv.Atoi(text)
	}
	if testing.Short() {
		seeds = min(seeds, 20)
	}
	was := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // of what those tell who die
	defer slog.SetDefault(was)
	for seed := first; seed < first+seeds; seed++ {
		synctest.Test(t, func(t *testing.T) { simulate(t, uint64(seed)) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// hosts are the members whom the group begins with, without a device: two more than these, and it grows.
const hosts = group.DirectMembers - 2

// simulation is one run.
type simulation struct {
	t      *testing.T
	random *rand.Rand

	app     id.App
	group   id.Group
	owner   id.User
	log     *streamed
	groups  *grouptest.Store
	claims  *messagetest.Claims
	records *connectiontest.Store
	fans    *fanouttest.Store
	queue   *fanouttest.Queue
	poster  *connectiontest.Poster
	keyring *seal.Keyring

	mutex  sync.Mutex
	parked []ticket
	steps  int64
	// slow has until which step somebody waits while there are others.
	slow map[string]int64
	// posts are what was posted, in order.
	posts []post
	// out has the steps by which a user was answered to be out.
	out map[id.User][]int64
	// busy counts those who write, join and connect; it is 0 when only the fan-out has something to do.
	busy int
	all  sync.WaitGroup
}

// ticket is a call that waits for its turn.
type ticket struct {
	who  string
	turn chan struct{}
}

// post is an entry that was posted.
type post struct {
	connection string
	sequence   int64
	fanned     bool
	step       int64
}

// guest is one who comes and goes, with a device.
type guest struct {
	name string
	user id.User
	// sockets are those that the device has had; the last is open where open says so.
	sockets []connection.Socket
	open    bool
}

// streamed is a log whose puts a stream tells of, in their order.
type streamed struct {
	*messagetest.Log
	simulation *simulation
	mutex      sync.Mutex
	puts       []message.Entry
	// steps has when the entries were put.
	steps map[int64]int64
}

// Append implements message.Log.
func (l *streamed) Append(ctx context.Context, entry message.Entry) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	err := l.Log.Append(ctx, entry)
	if _, again := l.steps[entry.Sequence]; err == nil && !again {
		l.puts, l.steps[entry.Sequence] = append(l.puts, entry), l.simulation.step()
	}
	return err
}

// from returns up to limit of what was put, from the position on.
func (l *streamed) from(position, limit int) []message.Entry {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return slices.Clone(l.puts[position:min(position+limit, len(l.puts))])
}

func (s *simulation) step() int64 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.steps
}

// Known implements group.Users.
func (s *simulation) Known(_ context.Context, _ id.App, users []id.User) (map[id.User]bool, error) {
	known := map[id.User]bool{}
	for _, each := range users {
		known[each] = true
	}
	return known, nil
}

// Claims implements session.Rights.
func (s *simulation) Claims(_ context.Context, claims token.Claims) (authz.Caller, error) {
	return s.guest(claims.User), nil
}

func (s *simulation) guest(user id.User) authz.Caller {
	return authz.Caller{App: s.app, Key: id.Source{}.Key(s.app), User: user, EndUser: true, At: storetest.Noon(), Rights: everything(),
		UserRights: authz.Rights{Kind: authz.Users}}
}

func (s *simulation) application() authz.Caller {
	return authz.Caller{App: s.app, Key: id.Source{}.Key(s.app), At: storetest.Noon(), Rights: everything()}
}

// everything is what a key can do.
func everything() authz.Rights {
	set, _ := authz.ParseSet(authz.Scopes())
	return authz.Rights{Kind: authz.Keys, Base: set}
}

// posting is a gateway that remembers what went through it.
type posting struct {
	connection.Poster
	simulation *simulation
	fanned     bool
}

// Post implements connection.Poster.
func (p posting) Post(ctx context.Context, connectionID string, frame []byte) error {
	err := p.Poster.Post(ctx, connectionID, frame)
	if err == nil {
		p.simulation.posted(connectionID, frame, p.fanned)
	}
	return err
}

func (s *simulation) posted(connectionID string, frame []byte, fanned bool) {
	var event struct {
		Message *message.Message
		Items   []message.Message
	}
	storetest.OK(s.t, "read the frame", json.Unmarshal(frame, &event))
	if event.Message != nil {
		event.Items = []message.Message{*event.Message}
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, each := range event.Items {
		s.posts = append(s.posts, post{connectionID, each.Seq, fanned, s.steps})
	}
}

// process is a Lambda with every service.
type process struct {
	messages    *message.Service
	groups      *group.Service
	connections *connection.Service
	resumer     *session.Resumer
	distributor *fanout.Distributor
	pusher      *fanout.Pusher
}

// process returns a Lambda whose calls go through the fuse.
func (s *simulation) process(fuse *storetest.Fuse) process {
	groups, records := grouptest.Fuse(fuse, s.groups), connectiontest.FuseStore(fuse, s.records)
	log, rows, fans := messagetest.FuseLog(fuse, s.log), messagetest.FuseMembers(fuse, s.groups.Rows()), fanouttest.Fuse(fuse, s.fans)
	gateway := func(fanned bool) connection.Poster {
		return posting{connectiontest.FusePoster(fuse, s.poster), s, fanned}
	}
	p := process{connections: &connection.Service{Store: records, Poster: gateway(false), Clock: clock.System{}}}
	audience := &fanout.Audience{Subscriptions: fans, Records: records, Members: rows, Clock: clock.System{}}
	p.messages = &message.Service{Log: log, Claims: messagetest.FuseClaims(fuse, s.claims), Members: rows, Groups: groups, Devices: p.connections,
		Sealer: s.keyring, Clock: clock.System{}}
	p.groups = &group.Service{Store: groups, Log: p.messages, Users: s, Audience: audience, Clock: clock.System{}}
	p.resumer = &session.Resumer{Connections: p.connections, Messages: p.messages, Rights: s, Audience: audience}
	p.distributor = &fanout.Distributor{States: fans, Log: log, Queue: fanouttest.FuseQueue(fuse, s.queue)}
	p.pusher = &fanout.Pusher{Subscriptions: fans, States: fans, Queue: fanouttest.FuseQueue(fuse, s.queue), Messages: p.messages, Audience: audience, Poster: gateway(true), Limiter: free{},
		Clock: clock.System{}}
	return p
}

func simulate(t *testing.T, seed uint64) {
	lag := []int64{1, 4, storetest.AnyAge}[seed%3]
	s := &simulation{t: t, random: rand.New(rand.NewPCG(seed, 1)), app: id.Source{}.App(), owner: id.Source{}.User(), claims: messagetest.NewClaims(),
		records: connectiontest.NewStore(), fans: fanouttest.NewStore(), queue: fanouttest.NewQueue(), poster: connectiontest.NewPoster(),
		keyring: sealtest.NewKeyring(), slow: map[string]int64{}, out: map[id.User][]int64{}}
	s.log = &streamed{Log: messagetest.NewStaleLog(storetest.Staleness{Seed: seed, Lag: lag}), simulation: s, steps: map[int64]int64{}}
	s.groups = grouptest.NewStore(s.log)
	guests := s.found()
	for i, each := range guests {
		random := func(what uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(i)<<8+what)) }
		s.spawn(func() { s.belong(each, random(2)) })
		s.spawn(func() { s.listen(each, random(3)) })
	}
	s.spawn(func() { s.remove(guests, rand.New(rand.NewPCG(seed, 8))) })
	for i := range 3 {
		s.spawn(func() { s.speak(fmt.Sprint("speaker", i), rand.New(rand.NewPCG(seed, uint64(i)<<8+4))) })
	}
	s.all.Go(func() { s.stream(rand.New(rand.NewPCG(seed, 5))) })
	s.all.Go(func() { s.work(rand.New(rand.NewPCG(seed, 6))) })
	s.schedule()
	s.verify(guests)
}

// found makes the group and its hosts, and the guests, of whom some are in.
func (s *simulation) found() []*guest {
	healthy, ctx := s.process(&storetest.Fuse{}), context.Background()
	users := []id.User{s.owner}
	for range hosts - 1 {
		users = append(users, id.Source{}.User())
	}
	guests := make([]*guest, 4)
	for i := range guests {
		guests[i] = &guest{name: fmt.Sprint("guest", i), user: id.Source{}.User()}
		s.records.Register(s.app, guests[i].user)
	}
	for _, user := range users {
		s.records.Register(s.app, user)
	}
	name, join := "Hall", group.Open
	view, _, err := healthy.groups.Create(ctx, s.guest(s.owner), group.Creation{Wish: group.Wish{Name: &name, Join: &join}})
	storetest.OK(s.t, "Create", err)
	s.group = view.GroupID
	users = append(users[1:], guests[0].user)
	_, err = healthy.groups.Invite(ctx, s.application(), s.group, users, true)
	storetest.OK(s.t, "Invite", err)
	if s.random.IntN(2) == 0 { // else jobs come in two lanes
		return guests
	}
	storetest.OK(s.t, "Divide", s.fans.Divide(ctx, s.app, s.group, 0, 2))
	return guests
}

// spawn starts one for whom the fan-out does not end.
func (s *simulation) spawn(do func()) {
	s.mutex.Lock()
	s.busy++
	s.mutex.Unlock()
	s.all.Go(func() {
		do()
		s.mutex.Lock()
		s.busy--
		s.mutex.Unlock()
	})
}

// quiet tells whether only the fan-out has something to do.
func (s *simulation) quiet() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.busy == 0
}

// insist does something until it is done: processes die at some of their first writes, and after some they are slow, so that
// others make many calls between two of theirs.
func (s *simulation) insist(who string, random *rand.Rand, writes int, do func(process) error) {
	for try := 0; ; try++ {
		fuse := &storetest.Fuse{Before: s.gate(who)}
		if try < 2 && random.IntN(2) == 0 {
			fuse.At, fuse.TookEffect, fuse.Dies = 1+random.IntN(writes), random.IntN(2) == 0, true
		}
		if random.IntN(3) == 0 {
			fuse.Before = s.late(who, fuse, random.IntN(writes), random.Int64N(500))
		}
		err := do(s.process(fuse))
		if err == nil && !fuse.Blown() {
			return
		}
		if err != nil && !errors.Is(err, storetest.ErrFuse) && !fault.Is(err, fault.ConversationBusy) {
			s.t.Errorf("%s: %v", who, err)
			return
		}
	}
}

// late is a gate that waits for so many steps after so many writes, while there are others.
func (s *simulation) late(who string, fuse *storetest.Fuse, writes int, steps int64) func() {
	gate := s.gate(who)
	return func() {
		if fuse.Writes() == writes {
			s.mutex.Lock()
			s.slow[who], steps = s.steps+steps, 0
			s.mutex.Unlock()
		}
		gate()
	}
}

// idle lets others make some calls.
func (s *simulation) idle(who string, turns int) {
	for range turns {
		s.gate(who)()
	}
}

// schedule lets one parked call after the other go, as the seed chooses, until everybody is done.
func (s *simulation) schedule() {
	done := make(chan struct{})
	go func() { s.all.Wait(); close(done) }()
	for {
		synctest.Wait()
		select {
		case <-done:
			return
		default:
		}
		if next, ok := s.pick(); ok {
			close(next.turn)
			continue
		}
		time.Sleep(time.Millisecond) // everybody is in a back-off: the bubble's clock jumps
	}
}

// pick chooses among those who wait, each with the same chance, however many calls it makes at once.
func (s *simulation) pick() (ticket, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.parked) == 0 {
		return ticket{}, false
	}
	s.steps++
	var names []string
	for _, each := range s.parked {
		names = append(names, each.who)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if fast := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return s.steps < s.slow[name] }); len(fast) > 0 {
		names = fast
	}
	name := names[s.random.IntN(len(names))]
	at := slices.IndexFunc(s.parked, func(each ticket) bool { return each.who == name })
	next := s.parked[at]
	s.parked = slices.Delete(s.parked, at, at+1)
	return next, true
}

// gate parks a process's call until the scheduler lets it go.
func (s *simulation) gate(who string) func() {
	return func() {
		turn := make(chan struct{})
		s.mutex.Lock()
		s.parked = append(s.parked, ticket{who, turn})
		s.mutex.Unlock()
		<-turn
	}
}
