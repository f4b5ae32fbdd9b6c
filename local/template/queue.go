package template

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits of SQS and of Lambda's event source mappings for it.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
const (
	// MaxQueueMessage bounds a message, and all messages of a batch together, in bytes.
	MaxQueueMessage = 1 << 20
	// MaxQueueDelay bounds the delay of a queue or a message.
	MaxQueueDelay = 15 * time.Minute

	windowlessBatch = 10 // the largest batch of a mapping without a window, and of one for a FIFO queue
	startingPollers = 5  // batches that Lambda runs at a time before it scales up

	fifoSuffix = ".fifo" // ends the name of a FIFO queue, and of no other
)

// Queue is one AWS::SQS::Queue.
type Queue struct {
	ID          string        // logical ID
	Name        string        // physical name: QueueName, or the logical ID in lower-case kebab
	Delay       time.Duration // of messages that do not name their own
	Visibility  time.Duration // how long a message that was received is not received again
	Retention   time.Duration // how long a message is kept
	Wait        time.Duration // of a receiver that does not name its own
	MaximumSize int           // bytes of a message
	DeadLetters string        // physical name of the queue for what was received too often; empty without one
	MaxReceives int           // how often a message is received before that

	FIFO          bool // keeps the order of each message group, and takes a deduplication ID once in five minutes
	ContentBased  bool // FIFO: a message without a deduplication ID has its body's SHA-256 for one
	PerGroupDedup bool // FIFO: a deduplication ID counts within its message group only, not in the whole queue
}

// ARN is the queue's.
func (q *Queue) ARN() string { return queueARN(q.Name) }

// URL is the queue's, as !Ref gives it.
func (q *Queue) URL() string { return queueURL(q.Name) }

func queueARN(name string) string { return arn("sqs", name) }

func queueURL(name string) string {
	return "https://sqs." + Region + "." + URLSuffix + "/" + Account + "/" + name
}

// QueueTrigger is an event of type SQS: batches of a queue's messages go to a function.
type QueueTrigger struct {
	Function       string
	Queue          string // physical name
	BatchSize      int
	Window         time.Duration // longest wait for a batch to fill
	PartialBatches bool          // FunctionResponseTypes has ReportBatchItemFailures
	Concurrency    int           // batches at a time
}

// Queue returns the queue of that physical name, or nil.
func (t *Template) Queue(name string) *Queue {
	for _, q := range t.Queues {
		if q.Name == name {
			return q
		}
	}
	return nil
}

func (l *loader) queue(id string, tree any) error {
	var p struct {
		QueueName                     string
		FifoQueue                     bool
		ContentBasedDeduplication     bool
		DeduplicationScope            string
		FifoThroughputLimit           string // which the runner does not hold anyone to
		DelaySeconds                  *int
		VisibilityTimeout             *int
		MessageRetentionPeriod        *int
		ReceiveMessageWaitTimeSeconds *int
		MaximumMessageSize            *int
		RedrivePolicy                 *struct {
			DeadLetterTargetArn string `json:"deadLetterTargetArn"`
			MaxReceiveCount     int    `json:"maxReceiveCount"`
		}
		RedriveAllowPolicy, // which queues may name this one: the template has them all
		SqsManagedSseEnabled,
		KmsMasterKeyId,
		KmsDataKeyReusePeriodSeconds,
		Tags ignored
	}
	if err := decode(tree, &p); err != nil {
		return err
	}
	q := &Queue{ID: id, Name: l.scope.name(typeQueue, id), FIFO: p.FifoQueue, ContentBased: p.ContentBasedDeduplication,
		PerGroupDedup: p.DeduplicationScope == "messageGroup"}
	if err := q.checkFIFO(p.DeduplicationScope, p.FifoThroughputLimit); err != nil {
		return err
	}
	seconds := func(property string, value *int, otherwise, least, most int) (time.Duration, error) {
		n, err := within(property, value, otherwise, least, most)
		return time.Duration(n) * time.Second, err
	}
	var errs [5]error
	q.Delay, errs[0] = seconds("DelaySeconds", p.DelaySeconds, 0, 0, int(MaxQueueDelay.Seconds()))
	q.Visibility, errs[1] = seconds("VisibilityTimeout", p.VisibilityTimeout, 30, 0, 12*60*60)
	q.Retention, errs[2] = seconds("MessageRetentionPeriod", p.MessageRetentionPeriod, 4*24*60*60, 60, 14*24*60*60)
	q.Wait, errs[3] = seconds("ReceiveMessageWaitTimeSeconds", p.ReceiveMessageWaitTimeSeconds, 0, 0, 20)
	q.MaximumSize, errs[4] = within("MaximumMessageSize", p.MaximumMessageSize, MaxQueueMessage, 1<<10, MaxQueueMessage)
	if err := first(errs[:]...); err != nil {
		return err
	}
	if r := p.RedrivePolicy; r != nil {
		var err error
		if q.MaxReceives, err = within("maxReceiveCount", &r.MaxReceiveCount, 0, 1, 1000); err != nil {
			return err
		}
		q.DeadLetters = queueOfARN(r.DeadLetterTargetArn)
		if q.DeadLetters == "" || q.DeadLetters == q.Name {
			return fmt.Errorf("deadLetterTargetArn %q is not another queue's Arn", r.DeadLetterTargetArn)
		}
	}
	l.tpl.Queues = append(l.tpl.Queues, q)
	return nil
}

// checkFIFO refuses what AWS refuses of a FIFO queue, or of one that is none.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
func (q *Queue) checkFIFO(scope, limit string) error {
	switch {
	case q.FIFO != strings.HasSuffix(q.Name, fifoSuffix):
		return fmt.Errorf("QueueName %q: with FifoQueue: true, and only then, it ends with %s", q.Name, fifoSuffix)
	case !q.FIFO && (q.ContentBased || scope != "" || limit != ""):
		return fmt.Errorf("ContentBasedDeduplication, DeduplicationScope and FifoThroughputLimit need FifoQueue: true")
	case !slices.Contains([]string{"", "queue", "messageGroup"}, scope):
		return fmt.Errorf("DeduplicationScope %q: it is queue or messageGroup", scope)
	case !slices.Contains([]string{"", "perQueue", "perMessageGroupId"}, limit):
		return fmt.Errorf("FifoThroughputLimit %q: it is perQueue or perMessageGroupId", limit)
	case limit == "perMessageGroupId" && !q.PerGroupDedup:
		return fmt.Errorf("FifoThroughputLimit %s needs DeduplicationScope: messageGroup", limit)
	}
	return nil
}

func (l *loader) queueEvent(function string, properties map[string]any) error {
	var p struct {
		Queue                          string
		BatchSize                      *int
		MaximumBatchingWindowInSeconds *int
		FunctionResponseTypes          []string
		ScalingConfig                  struct{ MaximumConcurrency *int }
		Enabled                        *bool
		MetricsConfig                  ignored
	}
	if err := decode(properties, &p); err != nil {
		return err
	}
	t := &QueueTrigger{Function: function, Queue: queueOfARN(p.Queue)}
	if t.Queue == "" {
		return fmt.Errorf("%q is not the Arn of a queue of this template", p.Queue)
	}
	var errs [3]error
	var window int
	t.BatchSize, errs[0] = within("BatchSize", p.BatchSize, 10, 1, 10_000)
	window, errs[1] = within("MaximumBatchingWindowInSeconds", p.MaximumBatchingWindowInSeconds, 0, 0, 300)
	t.Concurrency, errs[2] = within("MaximumConcurrency", p.ScalingConfig.MaximumConcurrency, startingPollers, 2, 1000)
	if err := first(errs[:]...); err != nil {
		return err
	}
	t.Window = time.Duration(window) * time.Second
	if t.BatchSize > windowlessBatch && window == 0 {
		return fmt.Errorf("BatchSize %d: above %d, MaximumBatchingWindowInSeconds has to be 1 at least", t.BatchSize, windowlessBatch)
	}
	var err error
	if t.PartialBatches, err = partialBatches(p.FunctionResponseTypes); err != nil {
		return err
	}
	if p.Enabled == nil || *p.Enabled {
		l.tpl.QueueTriggers = append(l.tpl.QueueTriggers, t)
	}
	return nil
}

// partialBatches reads an event's FunctionResponseTypes.
func partialBatches(types []string) (bool, error) {
	for _, kind := range types {
		if kind != "ReportBatchItemFailures" {
			return false, fmt.Errorf("FunctionResponseTypes %q: only ReportBatchItemFailures is known", kind)
		}
	}
	return len(types) > 0, nil
}

// within returns the value, or otherwise where the template says nothing, and refuses what AWS refuses.
func within[N int | int32](property string, value *N, otherwise, least, most N) (N, error) {
	if value == nil {
		return otherwise, nil
	}
	if *value < least || *value > most {
		return 0, fmt.Errorf("%s %d: it has to be %d to %d", property, *value, least, most)
	}
	return *value, nil
}

// queueOfARN takes the queue's name out of its ARN; "" where it is none of ours.
func queueOfARN(text string) string {
	name, ok := strings.CutPrefix(text, queueARN(""))
	if !ok {
		return ""
	}
	return name
}

// checkQueues holds queues and events to each other, as AWS does when the stack is made.
func (l *loader) checkQueues() error {
	for _, q := range l.tpl.Queues {
		if q.DeadLetters != "" {
			switch dead := l.tpl.Queue(q.DeadLetters); {
			case dead == nil:
				return fmt.Errorf("queue %s: its dead-letter queue %q is not in this template", q.ID, q.DeadLetters)
			case dead.FIFO != q.FIFO:
				return fmt.Errorf("queue %s: it and its dead-letter queue %s are both FIFO queues or both none", q.ID, dead.ID)
			}
		}
		same := func(other *Queue) bool { return other != q && other.Name == q.Name }
		if slices.ContainsFunc(l.tpl.Queues, same) {
			return fmt.Errorf("queue %s: another queue is named %s too", q.ID, q.Name)
		}
	}
	for _, t := range l.tpl.Streams {
		if q := l.tpl.Queue(t.Discards); t.Discards != "" && (q == nil || q.FIFO) {
			return fmt.Errorf("function %s: the destination %q of its DynamoDB event is not a standard queue of this template", t.Function, t.Discards)
		}
	}
	for _, t := range l.tpl.QueueTriggers {
		q, f := l.tpl.Queue(t.Queue), l.tpl.Function(t.Function)
		if q == nil {
			return fmt.Errorf("function %s: the queue %q of its SQS event is not in this template", t.Function, t.Queue)
		}
		if q.FIFO && (t.BatchSize > windowlessBatch || t.Window > 0) {
			return fmt.Errorf("function %s: an event of a FIFO queue has a BatchSize of %d at most and no MaximumBatchingWindowInSeconds", t.Function, windowlessBatch)
		}
		if q.Visibility < f.Timeout {
			// A batch would come again while the function still works on it.
			return fmt.Errorf("queue %s: its VisibilityTimeout %v is less than the Timeout %v of function %s, which AWS refuses", q.ID, q.Visibility, f.Timeout, f.Name)
		}
	}
	return nil
}

// readQueueNames finds the names that queues give themselves, before anything refers to them. A FIFO queue without one gets
// the ending that it needs, as on AWS.
func (s scope) readQueueNames(resources map[string]any) error {
	for id, resource := range resources {
		if s.resources[id] != typeQueue {
			continue
		}
		properties, _ := resource.(map[string]any)["Properties"].(map[string]any)
		given, err := s.resolve(properties["QueueName"])
		if err != nil {
			return fmt.Errorf("resource %s: %w", id, err)
		}
		if name, ok := given.(string); ok {
			s.names[id] = name
		} else if properties["FifoQueue"] == true {
			s.names[id] = physical(typeQueue, id) + fifoSuffix
		}
	}
	return nil
}
