package message_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// The simulator runs the real services of many Lambdas at once on tables that are as stale as DynamoDB documents, lets
// a seeded choice decide who makes the next call, and kills processes at any write. TOKENIM_SEEDS sets how many seeds
// it tries; a failing seed is named and fails again.
const defaultSeeds = 400

func TestSimulation(t *testing.T) {
	seeds := defaultSeeds
	if text := os.Getenv("TOKENIM_SEEDS"); text != "" {
		seeds, _ = strconv.Atoi(text)
	}
	if testing.Short() {
		seeds = 40
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			simulate(t, uint64(seed))
		})
		if t.Failed() {
			return
		}
	}
}

// simulation is one run.
type simulation struct {
	*world
	t      *testing.T
	random *rand.Rand

	mutex  sync.Mutex
	parked []ticket
	acked  map[string]message.Message
	all    sync.WaitGroup
}

// ticket is a call that waits for its turn.
type ticket struct {
	who  string
	turn chan struct{}
}

func simulate(t *testing.T, seed uint64) {
	lag := []int64{1, 4, storetest.AnyAge}[seed%3]
	s := &simulation{world: newWorld(t, storetest.Staleness{Seed: seed, Lag: lag}), t: t,
		random: rand.New(rand.NewPCG(seed, 1)), acked: map[string]message.Message{}}
	for number := range 2 + s.random.IntN(5) {
		from, to := s.ann, s.bob
		if s.random.IntN(2) == 0 {
			from, to = to, from
		}
		s.spawn(from, to, fmt.Sprintf("m%d", number), uint64(number)+seed<<8)
	}
	s.spawnReader(seed)
	phone := s.spawnPhone()
	s.schedule()
	s.verify()
	phone.verify()
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

func (s *simulation) pick() (ticket, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.parked) == 0 {
		return ticket{}, false
	}
	slices.SortStableFunc(s.parked, func(a, b ticket) int { return strings.Compare(a.who, b.who) })
	at := s.random.IntN(len(s.parked))
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

// spawn starts one to three attempts at a message at once, of which each retries until it is acknowledged, as a client
// with a bad line does. Processes die at random writes.
func (s *simulation) spawn(from, to id.User, name string, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 2))
	draft := message.Draft{App: s.app, From: from, To: string(to), Text: "text of " + name, ClientID: name}
	if random.IntN(2) == 0 {
		known := int64(0)
		draft.Known = &known
	}
	for attempt := range 1 + random.IntN(3) {
		who := fmt.Sprintf("%s.%d", name, attempt)
		own := rand.New(rand.NewPCG(seed, uint64(attempt)+3))
		s.all.Go(func() { s.client(draft, who, own) })
	}
}

func (s *simulation) client(draft message.Draft, who string, random *rand.Rand) {
	for try := 0; ; try++ {
		fuse := &storetest.Fuse{Before: s.gate(who)}
		if try < 3 && random.IntN(2) == 0 {
			fuse.At, fuse.TookEffect, fuse.Dies = 1+random.IntN(8), random.IntN(2) == 0, random.IntN(4) > 0
		}
		sent, err := s.process(fuse).Send(context.Background(), draft)
		if err == nil {
			s.acknowledged(draft, sent.Message)
			return
		}
		if !errors.Is(err, storetest.ErrFuse) && !fault.Is(err, fault.ConversationBusy) {
			s.t.Errorf("%s: %v", who, err)
			return
		}
	}
}

// acknowledged checks what an answer promises: the message can be read, with everything before it, and all answers to
// one client ID are the same.
func (s *simulation) acknowledged(draft message.Draft, answer message.Message) {
	log := s.history(s.t)
	if int64(len(log)) < answer.Seq || log[answer.Seq-1].ClientID != draft.ClientID || log[answer.Seq-1].Sender != draft.From {
		s.t.Errorf("%s was acknowledged as %d, which cannot be read", draft.ClientID, answer.Seq)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if earlier, ok := s.acked[draft.ClientID]; ok && !reflect.DeepEqual(earlier, answer) {
		s.t.Errorf("%s was answered with %+v and with %+v", draft.ClientID, earlier, answer)
	}
	s.acked[draft.ClientID] = answer
}

// spawnReader starts a client of bob's that pages through the history while it grows, moving its cursor over what it
// got, as any client may.
func (s *simulation) spawnReader(seed uint64) {
	service := s.process(&storetest.Fuse{Before: s.gate("reader")})
	s.all.Go(func() {
		next := int64(1)
		for range 12 {
			position := strconv.FormatInt(next, 10)
			page, _, err := service.History(context.Background(), s.app, "", s.pair(), message.Ascending, position, 3)
			if err != nil {
				s.t.Errorf("reader: %v", err)
			}
			for _, m := range page {
				if m.Seq != next {
					s.t.Errorf("seed %d: the reader's page has %d where %d belongs", seed, m.Seq, next)
				}
				next++
			}
		}
	})
}

// phone is a device of bob's that has no socket: now and then it syncs, and reads what it is told is new.
type phone struct {
	*simulation
	service *message.Service
	version int64
	have    int64
}

func (s *simulation) spawnPhone() *phone {
	p := &phone{simulation: s, service: s.process(&storetest.Fuse{Before: s.gate("phone")})}
	s.all.Go(func() {
		for range 6 {
			p.sync()
		}
	})
	return p
}

// sync asks for what has changed since the phone's version, reads on to the entry that it is told of, and only then
// takes the version.
func (p *phone) sync() {
	changes, err := p.service.Sync(context.Background(), p.app, p.bob, p.version)
	if err != nil {
		p.t.Errorf("sync: %v", err)
		return
	}
	for _, change := range changes.Changed {
		for p.have < change.Seq {
			page, _, err := p.service.History(context.Background(), p.app, p.bob, p.pair(), message.Ascending, strconv.FormatInt(p.have+1, 10), 3)
			if err != nil {
				p.t.Errorf("history: %v", err)
				return
			}
			p.have += int64(len(page))
		}
	}
	p.version = changes.V
}

// verify lets the phone sync until it has the user's true version, on tables that are still stale: then it must have
// everything.
func (p *phone) verify() {
	p.service = p.healthy()
	record, err := p.records.Record(context.Background(), p.app, p.bob, true)
	if err != nil {
		p.t.Fatal(err)
	}
	for p.version < record.Version {
		p.sync()
	}
	// Bob's own messages do not concern his record while he has no other device, so only ann's have to be there.
	var last int64
	for _, entry := range p.history(p.t) {
		if entry.Sender == p.ann {
			last = entry.Sequence
		}
	}
	if p.have < last {
		p.t.Errorf("the phone has version %d and everything up to %d, but ann's last is %d", p.version, p.have, last)
	}
}

// verify looks at the tables when everything has come to rest.
func (s *simulation) verify() {
	s.checkLog(s.t)
	log := s.history(s.t)
	if len(log) != len(s.acked) {
		s.t.Errorf("%d messages are acknowledged, %d are in the log", len(s.acked), len(log))
	}
	for _, reader := range []id.User{s.ann, s.bob} {
		if len(log) == 0 || log[len(log)-1].Ordinal(reader) == 0 {
			continue
		}
		record, err := s.records.Record(context.Background(), s.app, reader, true)
		if err != nil || record.Ring[s.pair()].Version == 0 {
			s.t.Errorf("the record of a receiver is %+v, %v", record, err)
		}
	}
}
