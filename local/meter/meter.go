// Package meter counts what functions do: invocations, posts, every DynamoDB operation with the capacity that it consumed,
// every request to a queue with what it is billed, and every access to an object. The budget tests and the test of least privilege read it.
package meter

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

// Operation is one kind of DynamoDB access by one function. An operation inside a transaction counts as the IAM action
// that it needs, such as PutItem.
type Operation struct {
	Function string `json:"function"`
	Action   string `json:"action"` // as IAM names it, such as dynamodb:Query
	Table    string `json:"table"`
	Index    string `json:"index,omitempty"`
}

// Usage is how often an operation happened and the capacity units that its requests consumed. The units of a
// transaction count on its first operation on each table.
type Usage struct {
	Operation
	Calls      int     `json:"calls"`
	ReadUnits  float64 `json:"read_units"`
	WriteUnits float64 `json:"write_units"`
}

// QueueOperation is one kind of access to a queue by one function.
type QueueOperation struct {
	Function string `json:"function"`
	Action   string `json:"action"` // as IAM names it: a batch of messages is sent by sqs:SendMessage too
	Queue    string `json:"queue"`
}

// QueueUsage is how often an operation happened, with how many messages, and the requests that SQS bills.
type QueueUsage struct {
	QueueOperation
	Calls    int `json:"calls"`
	Messages int `json:"messages"`
	Requests int `json:"requests"`
}

// ObjectOperation is one kind of access to objects by one function, or with a link that it has signed.
type ObjectOperation struct {
	Function string `json:"function"`
	Action   string `json:"action"`   // as IAM names it, such as s3:GetObject
	Resource string `json:"resource"` // the bucket, or the bucket with the first part of the key and a star
}

// ObjectUsage is how often an operation happened.
type ObjectUsage struct {
	ObjectOperation
	Calls int `json:"calls"`
}

// billedChunk is what SQS bills as one request, in bytes: each 64 KB of a payload.
//
// https://aws.amazon.com/sqs/pricing/
const billedChunk = 64 << 10

// Counters collects counts. Its methods may be called from many goroutines.
type Counters struct {
	mu     sync.Mutex
	events map[string]map[string]int
	usage  map[Operation]Usage
	queues map[QueueOperation]QueueUsage
	stored map[ObjectOperation]int
}

// Snapshot is a copy of the counters. Events maps what happened ("invocations", "cold_starts", "async_invokes",
// "posts", "deletes") to functions and counts.
type Snapshot struct {
	Events   map[string]map[string]int `json:"events"`
	DynamoDB []Usage                   `json:"dynamodb"`
	SQS      []QueueUsage              `json:"sqs"`
	S3       []ObjectUsage             `json:"s3"`
}

// Count adds one event of a function.
func (c *Counters) Count(what, function string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.events == nil {
		c.events = map[string]map[string]int{}
	}
	if c.events[what] == nil {
		c.events[what] = map[string]int{}
	}
	c.events[what][function]++
}

// add adds usages.
func (c *Counters) add(usages []Usage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.usage == nil {
		c.usage = map[Operation]Usage{}
	}
	for _, u := range usages {
		sum := c.usage[u.Operation]
		sum.Operation = u.Operation
		sum.Calls += u.Calls
		sum.ReadUnits += u.ReadUnits
		sum.WriteUnits += u.WriteUnits
		c.usage[u.Operation] = sum
	}
}

// CountQueue adds one request of a function to a queue: the IAM action that it needed, the messages that it carried and
// their bytes.
func (c *Counters) CountQueue(operation QueueOperation, messages, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.queues == nil {
		c.queues = map[QueueOperation]QueueUsage{}
	}
	sum := c.queues[operation]
	sum.QueueOperation = operation
	sum.Calls++
	sum.Messages += messages
	sum.Requests += max(1, (bytes+billedChunk-1)/billedChunk)
	c.queues[operation] = sum
}

// CountObject adds one access to an object.
func (c *Counters) CountObject(operation ObjectOperation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stored == nil {
		c.stored = map[ObjectOperation]int{}
	}
	c.stored[operation]++
}

// Snapshot returns a copy of what was counted since the last Reset.
func (c *Counters) Snapshot() Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Snapshot{Events: map[string]map[string]int{}, DynamoDB: []Usage{}, SQS: []QueueUsage{}, S3: []ObjectUsage{}}
	for what, functions := range c.events {
		s.Events[what] = maps.Clone(functions)
	}
	s.DynamoDB = append(s.DynamoDB, slices.Collect(maps.Values(c.usage))...)
	slices.SortFunc(s.DynamoDB, func(a, b Usage) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Table, b.Table),
			cmp.Compare(a.Index, b.Index), cmp.Compare(a.Action, b.Action))
	})
	s.SQS = append(s.SQS, slices.Collect(maps.Values(c.queues))...)
	slices.SortFunc(s.SQS, func(a, b QueueUsage) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Action, b.Action))
	})
	for operation, calls := range c.stored {
		s.S3 = append(s.S3, ObjectUsage{operation, calls})
	}
	slices.SortFunc(s.S3, func(a, b ObjectUsage) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Action, b.Action))
	})
	return s
}

// Reset sets every count to zero.
func (c *Counters) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events, c.usage, c.queues, c.stored = nil, nil, nil, nil
}
