package queues

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tokenim/tokenim/local/template"
)

// message is one message of a queue, as the file has it too.
type message struct {
	ID            string    `json:"id"`
	Body          string    `json:"body"`
	Sender        string    `json:"sender,omitempty"` // function
	Sent          time.Time `json:"sent"`
	Visible       time.Time `json:"visible"` // not to be received before
	Receives      int       `json:"receives,omitempty"`
	FirstReceived time.Time `json:"first_received,omitzero"`
	Source        string    `json:"source,omitempty"` // ARN of the queue that gave it up
	order
	delay    time.Duration
	inFlight bool // received by somebody of this process
}

// receive counts one more receive and hides the message.
func (m *message) receive(now time.Time, hidden time.Duration) {
	if m.Receives == 0 {
		m.FirstReceived = now
	}
	m.Receives++
	m.Visible, m.inFlight = now.Add(hidden), true
}

// handle names one receive of a message.
func (m *message) handle() string { return m.ID + "." + strconv.Itoa(m.Receives) }

// payload is what the message takes up in an event, at most: JSON needs two bytes where it escapes one, and the
// attributes stay below 1 KB.
func (m *message) payload() int { return 2*len(m.Body) + 1<<10 }

// attributes are SQS's own of a message that was received.
func (m *message) attributes() map[string]string {
	milliseconds := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	attributes := map[string]string{
		"ApproximateReceiveCount": strconv.Itoa(m.Receives), "SentTimestamp": milliseconds(m.Sent),
		"ApproximateFirstReceiveTimestamp": milliseconds(m.FirstReceived), "SenderId": "LOCAL:" + m.Sender,
	}
	if m.Source != "" {
		attributes["DeadLetterQueueSourceArn"] = m.Source
	}
	if m.Group != "" {
		attributes["MessageGroupId"], attributes["MessageDeduplicationId"] = m.Group, m.Dedup
		attributes["SequenceNumber"] = m.number()
	}
	return attributes
}

// queue is one queue. Service.mu guards it.
type queue struct {
	*template.Queue
	messages []*message          // in the order in which they came
	known    map[string]identity // FIFO: by deduplication ID, see scoped
	last     int64               // FIFO: sequence number
}

// available are the messages that can be received, in the order in which they are to be.
func (q *queue) available(now time.Time) []*message {
	if q.FIFO {
		return q.ordered(now)
	}
	return q.where(func(m *message) bool { return !m.Visible.After(now) })
}

// before are the messages that were sent before that time.
func (q *queue) before(t time.Time) []*message {
	return q.where(func(m *message) bool { return m.Sent.Before(t) })
}

func (q *queue) where(fits func(*message) bool) (found []*message) {
	for _, m := range q.messages {
		if fits(m) {
			found = append(found, m)
		}
	}
	return found
}

// next is when the next message becomes visible; zero: none is hidden.
func (q *queue) next(now time.Time) (next time.Time) {
	for _, m := range q.messages {
		if m.Visible.After(now) && (next.IsZero() || m.Visible.Before(next)) {
			next = m.Visible
		}
	}
	return next
}

// held finds the message whose last receive the handle names. It returns errStale where there is a later one, or a FIFO
// queue's message has become visible again, and errGone where there is no such message.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
func (q *queue) held(handle string, now time.Time) (*message, error) {
	id, _, _ := strings.Cut(handle, ".")
	m := q.find(id)
	switch {
	case m == nil:
		return nil, errGone
	case !m.inFlight || m.handle() != handle || q.FIFO && !m.Visible.After(now):
		return nil, errStale
	}
	return m, nil
}

func (q *queue) find(id string) *message {
	if i := q.index(id); i >= 0 {
		return q.messages[i]
	}
	return nil
}

func (q *queue) index(id string) int {
	return slices.IndexFunc(q.messages, func(m *message) bool { return m.ID == id })
}

func (q *queue) drop(id string) {
	if i := q.index(id); i >= 0 {
		q.messages = slices.Delete(q.messages, i, i+1)
	}
}

func (q *queue) depth(now time.Time) Depth {
	d := Depth{Name: q.Name}
	for _, m := range q.messages {
		switch {
		case !m.Visible.After(now):
			d.Visible++
		case m.inFlight:
			d.InFlight++
		default:
			d.Delayed++
		}
	}
	return d
}

// replay applies what the file says. A message that was received is as visible as before: it was received by a process
// that is gone.
func (q *queue) replay(e entry) {
	switch {
	case e.Put != nil && q.find(e.Put.ID) == nil: // a copy that a lost end of the file has left twice is one
		q.messages = append(q.messages, e.Put)
		q.learn(e.Put, e.Put.Sent)
	case e.Known != nil:
		q.known[q.scoped(e.Known.order)], q.last = *e.Known, max(q.last, e.Known.Sequence)
	case e.Received != nil:
		if m := q.find(e.Received.ID); m != nil {
			m.Receives, m.FirstReceived = e.Received.Receives, e.Received.First
		}
	case e.Gone != "":
		q.drop(e.Gone)
	}
}
