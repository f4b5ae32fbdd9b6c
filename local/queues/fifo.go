package queues

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"time"
)

// dedupWindow is how long a FIFO queue knows a deduplication ID, counted from the first message that had it.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html
const dedupWindow = 5 * time.Minute

// order is what a message of a FIFO queue has more than another.
type order struct {
	Group    string `json:"group,omitempty"`
	Dedup    string `json:"dedup,omitempty"`
	Sequence int64  `json:"sequence,omitempty"`
}

// number is the sequence number as SQS writes it: numbers of one length, larger from message to message.
func (o order) number() string { return fmt.Sprintf("%020d", o.Sequence) }

// identity is what a FIFO queue keeps of a message as long as it knows its deduplication ID, after its deletion too.
type identity struct {
	ID   string    `json:"id"`
	Sent time.Time `json:"sent"`
	order
}

// scoped is the key of a message's deduplication ID.
func (q *queue) scoped(o order) string {
	if q.PerGroupDedup {
		return o.Group + " " + o.Dedup // neither has a space
	}
	return o.Dedup
}

// seen returns the message of the last five minutes that had the same deduplication ID.
func (q *queue) seen(o order, now time.Time) (identity, bool) {
	first, ok := q.known[q.scoped(o)]
	return first, ok && now.Before(first.Sent.Add(dedupWindow))
}

// learn remembers a message for its deduplication ID, and forgets those of more than five minutes ago. A dead letter was not
// sent to its queue, so it is not a first one there.
func (q *queue) learn(m *message, now time.Time) {
	q.last = max(q.last, m.Sequence)
	if !q.FIFO || m.Source != "" {
		return
	}
	for key, old := range q.known {
		if !now.Before(old.Sent.Add(dedupWindow)) {
			delete(q.known, key)
		}
	}
	q.known[q.scoped(m.order)] = identity{m.ID, m.Sent, m.order}
}

// number gives a message the next sequence number, which is larger than those of an earlier process too, whose clock was not
// ahead of this one's.
func (q *queue) number(m *message, now time.Time) {
	q.last = max(q.last+1, now.UnixNano())
	m.Sequence = q.last
}

// ordered are the messages of a FIFO queue that can be received, in the order in which they are to be: as many of one group
// as there are, then of the next. A group gives nothing while a message of it is in flight, and nothing that comes after a
// message which is delayed.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
func (q *queue) ordered(now time.Time) (all []*message) {
	blocked := map[string]bool{}
	for _, m := range q.messages {
		if m.inFlight && m.Visible.After(now) {
			blocked[m.Group] = true
		}
	}
	var groups []string
	free := map[string][]*message{}
	for _, m := range q.messages {
		switch {
		case blocked[m.Group]:
			continue
		case m.Visible.After(now):
			blocked[m.Group] = true
			continue
		case free[m.Group] == nil:
			groups = append(groups, m.Group)
		}
		free[m.Group] = append(free[m.Group], m)
	}
	for _, group := range groups {
		all = append(all, free[group]...)
	}
	return all
}

// skipped are the messages that were done although one before them in their group has failed.
func skipped(batch []message, failed map[string]bool) (ids []string) {
	broken := map[string]bool{}
	for _, m := range batch {
		switch {
		case failed[m.ID]:
			broken[m.Group] = true
		case broken[m.Group]:
			ids = append(ids, m.ID)
		}
	}
	return ids
}

var orderID = regexp.MustCompile(`^[!-~]{1,128}$`)

// order checks what a message says of its place, and its delay, which in a FIFO queue is the queue's alone.
func (n newMessage) order(q *queue) (order, error) {
	const notHere = "Value %v for parameter %s is invalid. Reason: The request include parameter that is not valid for this queue type."
	if !q.FIFO {
		if n.MessageDeduplicationID != nil {
			return order{}, refuse(invalidValue, notHere, *n.MessageDeduplicationID, "MessageDeduplicationId")
		}
		if n.MessageGroupID != nil { // AWS makes a fair queue of it
			return order{}, refuse(unsupported, "MessageGroupId on a standard queue is not known to the stand-in for SQS")
		}
		return order{}, nil
	}
	if n.DelaySeconds != nil && *n.DelaySeconds != 0 {
		return order{}, refuse(invalidValue, notHere, *n.DelaySeconds, "DelaySeconds")
	}
	if n.MessageGroupID == nil {
		return order{}, refuse(missing, "The request must contain the parameter MessageGroupId.")
	}
	o := order{Group: *n.MessageGroupID}
	switch {
	case n.MessageDeduplicationID != nil:
		o.Dedup = *n.MessageDeduplicationID
	case q.ContentBased:
		sum := sha256.Sum256([]byte(n.MessageBody))
		o.Dedup = hex.EncodeToString(sum[:])
	default:
		return order{}, refuse(invalidValue, "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	}
	for name, value := range map[string]string{"MessageGroupId": o.Group, "MessageDeduplicationId": o.Dedup} {
		if !orderID.MatchString(value) {
			return order{}, refuse(invalidValue, "Value %s for parameter %s is invalid. Reason: %s can only include alphanumeric and punctuation characters. 1 to 128 in length.", value, name, name)
		}
	}
	return o, nil
}
