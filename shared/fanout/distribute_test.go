package fanout_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/fanout"
	"github.com/tokenim/tokenim/shared/fanout/fanouttest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagetest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// course is a group's log as it is being written, its stream, and what was handed on of it.
type course struct {
	app         id.App
	group       id.Group
	log         *messagetest.Log
	states      *fanouttest.Store
	queue       *fanouttest.Queue
	distributor *fanout.Distributor
}

func newCourse() *course {
	c := &course{app: id.Source{}.App(), group: id.Source{}.Group(), log: messagetest.NewLog(), states: fanouttest.NewStore(), queue: fanouttest.NewQueue()}
	c.distributor = &fanout.Distributor{States: c.states, Log: c.log, Queue: c.queue}
	return c
}

// put writes the entry and returns it as the stream tells of it.
func (c *course) put(t storetest.T, sequence, base int64) message.Entry {
	entry := message.Entry{App: c.app, Conversation: id.Conversation(c.group), Sequence: sequence, Base: base, Type: message.TypeText,
		Sealed: []byte(id.Source{}.Text(8)), Reach: message.Fanned}
	storetest.OK(t, "Append", c.log.Append(context.Background(), entry))
	return entry
}

func (c *course) distribute(t storetest.T, told ...message.Entry) {
	storetest.OK(t, "Distribute", c.distributor.Distribute(context.Background(), told))
}

// handed returns the sequences that the jobs since the last call have, in their order.
func (c *course) handed() (sequences []int64) {
	for _, job := range c.queue.Take() {
		for sequence := job.From; sequence <= job.To; sequence++ {
			sequences = append(sequences, sequence)
		}
	}
	return sequences
}

// upTo returns the numbers from 1 on.
func upTo(last int64) (all []int64) {
	for n := int64(1); n <= last; n++ {
		all = append(all, n)
	}
	return all
}

func TestWhatFollowsIsHandedOnAtOnce(t *testing.T) {
	c := newCourse()
	for n := range int64(5) {
		c.distribute(t, c.put(t, n+1, n))
	}
	if got := c.handed(); !slices.Equal(got, upTo(5)) {
		t.Errorf("handed on %v", got)
	}
}

func TestWhatIsAheadWaits(t *testing.T) {
	c := newCourse()
	c.distribute(t, c.put(t, 1, 0))
	third := c.put(t, 3, 1)
	c.distribute(t, third)
	if got := c.handed(); !slices.Equal(got, upTo(1)) {
		t.Fatalf("handed on %v before the second stood", got)
	}
	c.distribute(t, c.put(t, 2, 1))
	if got := c.handed(); !slices.Equal(got, []int64{2, 3}) {
		t.Errorf("then handed on %v", got)
	}
	c.distribute(t, third)
	if got := c.handed(); len(got) != 0 {
		t.Errorf("told again, handed on %v", got)
	}
}

// What is too long for one frame, or for one page of the log, is handed on in jobs of a size, and none of it twice.
func TestJobsAreBounded(t *testing.T) {
	c := newCourse()
	var last message.Entry
	for n := range int64(250) {
		last = message.Entry{App: c.app, Conversation: id.Conversation(c.group), Sequence: n + 1, Base: n, Sealed: make([]byte, 4<<10), Reach: message.Fanned}
		last.Sealed[0] = byte(n)
		storetest.OK(t, "Append", c.log.Append(t.Context(), last))
	}
	first := last
	first.Base = 0
	c.distribute(t, first)
	seen := int64(0)
	for _, job := range c.queue.Take() {
		if job.From != seen+1 || job.To-job.From > 5 {
			t.Fatalf("after %d comes %+v", seen, job)
		}
		seen = job.To
	}
	if seen != 250 {
		t.Errorf("handed on up to %d", seen)
	}
}

// What a group's writers post themselves is none of the fan-out's business.
func TestDirectEntriesAreNot(t *testing.T) {
	c := newCourse()
	entry := c.put(t, 1, 0)
	entry.Reach = message.Direct
	c.distribute(t, entry)
	if got := c.handed(); len(got) != 0 {
		t.Errorf("handed on %v", got)
	}
}

// Whatever the order in which concurrent writers' entries are put, however the stream cuts them into batches, and though it tells
// of some twice: every entry is handed on once, in order.
func TestEveryEntryIsHandedOnOnceInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCourse()
		writers := rapid.IntRange(1, 6).Draw(t, "writers")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		last, stood, whole := int64(rapid.IntRange(1, 40).Draw(t, "entries")), map[int64]bool{}, int64(0)
		type draft struct{ sequence, base int64 }
		var taken []draft
		var batch []message.Entry
		var handed []int64
		for next := int64(1); next <= last || len(taken) > 0; {
			switch {
			case next <= last && len(taken) < writers && random.IntN(2) == 0:
				// A writer looks at the log's end, perhaps an old one, and takes a number.
				taken = append(taken, draft{next, max(0, whole-int64(random.IntN(2)))})
				next++
			case len(taken) > 0:
				i := random.IntN(len(taken))
				batch = append(batch, c.put(t, taken[i].sequence, min(taken[i].base, taken[i].sequence-1)))
				stood[taken[i].sequence] = true
				taken = slices.Delete(taken, i, i+1)
				for stood[whole+1] {
					whole++
				}
			}
			if random.IntN(3) == 0 || next > last && len(taken) == 0 {
				c.distribute(t, batch...)
				if random.IntN(4) == 0 {
					c.distribute(t, batch...)
				}
				batch, handed = nil, append(handed, c.handed()...)
			}
		}
		if !slices.Equal(handed, upTo(last)) {
			t.Fatalf("handed on %v of %d", handed, last)
		}
	})
}

// A state that could not be written has the batch told again; that hands on nothing twice within the queue's memory.
func TestJobsComeBeforeTheState(t *testing.T) {
	c := newCourse()
	c.distribute(t, c.put(t, 1, 0))
	c.distributor.States = failing{c.states}
	third, second := c.put(t, 3, 1), c.put(t, 2, 1)
	if err := c.distributor.Distribute(t.Context(), []message.Entry{third, second}); err == nil {
		t.Fatal("the failure is not told")
	}
	c.distributor.States = c.states
	c.distribute(t, third, second)
	if got := c.handed(); !slices.Equal(got, upTo(3)) {
		t.Errorf("handed on %v", got)
	}
}

type failing struct{ fanout.States }

func (failing) Advance(context.Context, id.App, id.Group, int64) error { return storetest.ErrFuse }
