// Package queues stands in for Amazon SQS, and for Lambda's event source mappings that take messages from it to functions.
// It has the queues of a template, standard and FIFO, which it keeps in memory and in a file.
//
//	service, err := queues.Open(queues.Options{Queues: tpl.Queues, Path: ".local/data/queues.jsonl", Log: log})
//	defer service.Close()
//	http.Handle("/", service) // what the SDK's client speaks: AWS JSON 1.0
//	poller := service.Poll(tpl.QueueTriggers, host, 0)
//	defer poller.Close()
//
// As on AWS a message comes at least once, and now and then twice; functions have to be idempotent. Other than on AWS, a
// standard queue's messages come in the order in which they were sent, unless one has failed.
package queues

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/meter"
	"github.com/tokenim/tokenim/local/template"
)

// Clock tells the time and waits; tests bring their own.
type Clock interface {
	Now() time.Time
	After(wait time.Duration) <-chan time.Time
}

// Options configure a Service.
type Options struct {
	Queues []*template.Queue
	Path   string // file that keeps the messages; empty: in memory only
	Log    *slog.Logger
	Clock  Clock // default the machine's
	// Caller returns the function that makes a request, and Count is told of its requests; both may be nil.
	Caller func(context.Context) string
	Count  func(operation meter.QueueOperation, messages, bytes int)
}

// Service is a set of queues. Its methods may be called at the same time.
type Service struct {
	options Options
	fails   atomic.Int64 // requests that are still to fail on purpose
	doubles atomic.Int64 // batches that are still to be doubled on purpose

	mu      sync.Mutex
	queues  []*queue
	ahead   time.Duration // of the clock, see Advance
	changed chan struct{} // closed, and replaced, when a waiter has to look again
	journal *journal
}

type machine struct{}

func (machine) Now() time.Time                         { return time.Now().UTC() }
func (machine) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Open returns the queues with the messages that an earlier Service has kept in the file. What was being worked on comes
// again at once: whoever had it is gone.
func Open(o Options) (*Service, error) {
	if o.Clock == nil {
		o.Clock = machine{}
	}
	s := &Service{options: o, changed: make(chan struct{})}
	for _, spec := range o.Queues {
		s.queues = append(s.queues, &queue{Queue: spec, known: map[string]identity{}})
	}
	journal, entries, err := openJournal(o.Path)
	if err != nil {
		return nil, err
	}
	s.journal = journal
	for _, e := range entries {
		if q := s.named(e.Queue); q != nil { // of a queue that the template no longer has, as with a stack's
			q.replay(e)
		}
	}
	return s, s.compact()
}

// Close lets go of the file. Later messages are refused.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal.close()
}

// Advance moves the clock of delays, visibility time-outs and retention, for tests that cannot wait.
func (s *Service) Advance(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += by
	s.wake()
}

// FailNext makes the next n requests fail as SQS's do now and then.
func (s *Service) FailNext(n int) { s.fails.Add(int64(n)) }

// DoubleNext makes the next n batches come twice.
func (s *Service) DoubleNext(n int) { s.doubles.Add(int64(n)) }

// take takes one of what is to be done on purpose.
func take(n *atomic.Int64) bool {
	if n.Add(-1) >= 0 {
		return true
	}
	n.Add(1)
	return false
}

// Depth is how many messages a queue has.
type Depth struct {
	Name     string `json:"name"`
	Visible  int    `json:"visible"`   // to be received now
	Delayed  int    `json:"delayed"`   // not to be received yet
	InFlight int    `json:"in_flight"` // received, and neither deleted nor visible again
}

// Depths returns every queue's, by the ID of the template.
func (s *Service) Depths() []Depth {
	s.mu.Lock()
	defer s.mu.Unlock()
	depths := make([]Depth, 0, len(s.queues))
	for _, q := range s.queues {
		s.expire(q)
		depths = append(depths, q.depth(s.now()))
	}
	return depths
}

// named returns the queue of that name, or nil.
func (s *Service) named(name string) *queue {
	for _, q := range s.queues {
		if q.Name == name {
			return q
		}
	}
	return nil
}

// now is the time for the queues. s.mu is held.
func (s *Service) now() time.Time { return s.options.Clock.Now().Add(s.ahead) }

// wake makes waiters look again. s.mu is held.
func (s *Service) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Put puts a message into the standard queue of that name, as AWS itself does for a destination on failure, or for an object.
func (s *Service) Put(name, body string) error {
	q := s.named(name)
	if q == nil || q.FIFO {
		return fmt.Errorf("there is no standard queue %q", name)
	}
	return s.send(q, &message{Body: body})
}

// send puts messages into a queue. Where an error is returned, some may be in it. What a FIFO queue knows already is not put
// again; its first ID and sequence number are set in the message.
func (s *Service) send(q *queue, messages ...*message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, m := range messages {
		if first, ok := q.seen(m.order, now); ok {
			m.ID, m.Sequence = first.ID, first.Sequence
			continue
		}
		m.ID, m.Sent, m.Visible = lambda.NewRequestID(), now, now.Add(m.delay)
		if q.FIFO {
			q.number(m, now)
		}
		if err := s.journal.append(entry{Queue: q.Name, Put: m}); err != nil {
			return err
		}
		q.messages = append(q.messages, m)
		q.learn(m, now)
	}
	s.wake()
	return s.compactWhenLarge()
}

// receive takes up to limit visible messages, no more than bytes of payload but for the first, and hides them. What was
// received too often goes to the dead-letter queue instead.
func (s *Service) receive(q *queue, limit, bytes int, hidden time.Duration) []message {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(q)
	var received []message
	now := s.now()
	for _, m := range q.available(now) {
		if q.DeadLetters != "" && m.Receives >= q.MaxReceives {
			s.giveUp(q, m)
			continue
		}
		if bytes -= m.payload(); len(received) == limit || len(received) > 0 && bytes < 0 {
			break
		}
		m.receive(now, hidden)
		s.note(entry{Queue: q.Name, Received: &receipt{ID: m.ID, Receives: m.Receives, First: m.FirstReceived}})
		received = append(received, *m)
	}
	return received
}

// giveUp moves a message to the dead-letter queue, where it is first, so that it is never in neither. It keeps its ID, its
// group and deduplication ID, and its count of receives. It also keeps the time at which it was sent, from which the other
// queue's retention counts too, but for a FIFO queue's, which begins anew. s.mu is held.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html
func (s *Service) giveUp(q *queue, m *message) {
	dead := &message{ID: m.ID, Body: m.Body, Sender: m.Sender, Sent: m.Sent, Visible: s.now(), Source: q.ARN(),
		Receives: m.Receives, FirstReceived: m.FirstReceived, order: m.order}
	target := s.named(q.DeadLetters)
	if target.FIFO {
		dead.Sent = s.now()
		target.number(dead, dead.Sent)
	}
	s.note(entry{Queue: target.Name, Put: dead})
	target.messages = append(target.messages, dead)
	s.remove(q, m)
	s.wake()
	s.options.Log.Error("a message was received too often", "queue", q.Name, "dead_letters", target.Name, "message", m.ID, "receives", m.Receives)
}

// Errors for a receipt that no longer stands for its message.
var (
	errStale = errors.New("the receipt is not the message's last, or its time is over")
	errGone  = errors.New("the message is gone")
)

// delete removes a message that was received, or returns errStale or errGone.
func (s *Service) delete(q *queue, handle string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := q.held(handle, s.now())
	if err != nil {
		return err
	}
	s.remove(q, m)
	if q.FIFO {
		s.wake() // its group may go on
	}
	return s.compactWhenLarge()
}

// hide lets a message that was received come again after another time, or returns errStale or errGone.
func (s *Service) hide(q *queue, handle string, hidden time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := q.held(handle, s.now())
	if err != nil {
		return err
	}
	m.Visible = s.now().Add(hidden)
	s.wake()
	return nil
}

// expire removes what is older than the queue keeps it. s.mu is held.
func (s *Service) expire(q *queue) {
	oldest := s.now().Add(-q.Retention)
	for _, m := range q.before(oldest) {
		s.remove(q, m)
	}
}

// remove takes a message out of its queue. s.mu is held.
func (s *Service) remove(q *queue, m *message) {
	q.drop(m.ID)
	s.note(entry{Queue: q.Name, Gone: m.ID})
}

// note writes down what happened to a message. Where that fails, the message comes again after a restart, no more.
func (s *Service) note(e entry) {
	if err := s.journal.append(e); err != nil {
		s.options.Log.Error("the queues' file cannot be written", "error", err)
	}
}

// compactWhenLarge keeps the file in proportion to what is in it. s.mu is held.
func (s *Service) compactWhenLarge() error {
	if !s.journal.large() {
		return nil
	}
	return s.compact()
}

// compact writes the file anew, with the messages that are there. s.mu is held, or s is not yet shared.
func (s *Service) compact() error {
	var entries []entry
	for _, q := range s.queues {
		for _, m := range q.messages {
			entries = append(entries, entry{Queue: q.Name, Put: m})
		}
		for _, first := range q.known { // also of messages that are gone
			entries = append(entries, entry{Queue: q.Name, Known: &first})
		}
	}
	if err := s.journal.rewrite(entries); err != nil {
		return fmt.Errorf("keep the queues: %w", err)
	}
	return nil
}

// await waits until n messages can be received, and tells whether they can. It gives up at the limit, which may be nil, or when
// ctx ends.
func (s *Service) await(ctx context.Context, q *queue, n int, limit <-chan time.Time) bool {
	for {
		s.mu.Lock()
		now, changed := s.now(), s.changed
		available, next := len(q.available(now)), q.next(now)
		s.mu.Unlock()
		if available >= n {
			return true
		}
		var due <-chan time.Time
		if !next.IsZero() {
			due = s.options.Clock.After(next.Sub(now))
		}
		select {
		case <-changed:
		case <-due:
		case <-limit:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
