package queues

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tokenim/tokenim/local/template"
)

// Limits of SQS.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const (
	maxEntries = 10             // of a batch, and of what is received at once
	maxHidden  = 12 * time.Hour // visibility time-out
	maxWait    = 20 * time.Second
)

// newMessage is what SendMessage and the entries of a batch say of a message.
type newMessage struct {
	MessageBody            string
	DelaySeconds           *int
	MessageGroupID         *string `json:"MessageGroupId"`
	MessageDeduplicationID *string `json:"MessageDeduplicationId"`
}

type sendRequest struct {
	QueueUrl string
	newMessage
}

type sent struct {
	MessageID string `json:"MessageId"`
	MD5       string `json:"MD5OfMessageBody"`
	Sequence  string `json:"SequenceNumber,omitempty"` // of a FIFO queue
}

// sentAs is the answer for a message that was sent.
func sentAs(m *message) sent {
	s := sent{MessageID: m.ID, MD5: checksum(m.Body)}
	if m.Group != "" {
		s.Sequence = m.number()
	}
	return s
}

func sendMessage(c *call) (any, error) {
	request, err := input[sendRequest](c)
	if err != nil {
		return nil, err
	}
	c.count("SendMessage", 1, len(request.MessageBody))
	m, err := request.message(c)
	if err != nil {
		return nil, err
	}
	if err := c.service.send(c.queue, m); err != nil {
		return nil, err
	}
	return sentAs(m), nil
}

// message checks a message that is to be sent.
func (n newMessage) message(c *call) (*message, error) {
	if n.MessageBody == "" {
		return nil, refuse(missing, "The request must contain the parameter MessageBody.")
	}
	if size := len(n.MessageBody); size > c.queue.MaximumSize {
		return nil, refuse(invalidValue, "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", c.queue.MaximumSize)
	}
	if strings.ContainsFunc(n.MessageBody, forbidden) {
		return nil, refuse("InvalidMessageContents", "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
	}
	place, err := n.order(c.queue)
	if err != nil {
		return nil, err
	}
	m := &message{Body: n.MessageBody, Sender: c.function(), order: place, delay: c.queue.Delay}
	if n.DelaySeconds != nil && !c.queue.FIFO {
		if m.delay, err = seconds("DelaySeconds", *n.DelaySeconds, template.MaxQueueDelay); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// forbidden tells whether a message may not have the character: those that XML 1.0 has not either.
func forbidden(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

func seconds(parameter string, n int, most time.Duration) (time.Duration, error) {
	d := time.Duration(n) * time.Second
	if n < 0 || d > most {
		return 0, refuse(invalidValue, "Value %d for parameter %s is invalid. Reason: Must be between 0 and %.0f.", n, parameter, most.Seconds())
	}
	return d, nil
}

type batchRequest struct {
	QueueUrl string
	Entries  []batchEntry
}

type batchEntry struct {
	ID string `json:"Id"`
	newMessage
}

type batchAnswer struct {
	Successful []batchSent
	Failed     []batchFailure
}

type batchSent struct {
	ID string `json:"Id"`
	sent
}

type batchFailure struct {
	ID          string `json:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

// sendMessageBatch sends the entries that can be sent; the others are in the answer.
func sendMessageBatch(c *call) (any, error) {
	request, err := input[batchRequest](c)
	if err != nil {
		return nil, err
	}
	c.count("SendMessage", len(request.Entries), request.size())
	if err := request.check(); err != nil {
		return nil, err
	}
	answer := batchAnswer{Successful: []batchSent{}, Failed: []batchFailure{}}
	var messages []*message
	for _, e := range request.Entries {
		m, err := e.message(c)
		if r := (*refusal)(nil); errors.As(err, &r) {
			answer.Failed = append(answer.Failed, batchFailure{ID: e.ID, Code: r.code(), Message: r.message, SenderFault: true})
			continue
		}
		messages = append(messages, m)
		answer.Successful = append(answer.Successful, batchSent{ID: e.ID})
	}
	if err := c.service.send(c.queue, messages...); err != nil {
		return nil, err
	}
	for i, m := range messages {
		answer.Successful[i].sent = sentAs(m)
	}
	return answer, nil
}

var entryID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// check holds the batch as a whole to SQS's rules.
func (b batchRequest) check() error {
	switch n := len(b.Entries); {
	case n == 0:
		return refuse("EmptyBatchRequest", "There should be at least one SendMessageBatchRequestEntry in the request.")
	case n > maxEntries:
		return refuse("TooManyEntriesInBatchRequest", "Maximum number of entries per request are %d. You have sent %d.", maxEntries, n)
	}
	seen := map[string]bool{}
	for _, e := range b.Entries {
		if !entryID.MatchString(e.ID) {
			return refuse("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if seen[e.ID] {
			return refuse("BatchEntryIdsNotDistinct", "Id %s repeated.", e.ID)
		}
		seen[e.ID] = true
	}
	if size := b.size(); size > template.MaxQueueMessage {
		return refuse("BatchRequestTooLong", "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", template.MaxQueueMessage, size)
	}
	return nil
}

// size is the bytes of all messages together.
func (b batchRequest) size() (size int) {
	for _, e := range b.Entries {
		size += len(e.MessageBody)
	}
	return size
}

type receiveRequest struct {
	QueueUrl                    string
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	AttributeNames              []string
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string // there are none
}

type received struct {
	MessageID     string `json:"MessageId"`
	ReceiptHandle string
	Body          string
	MD5           string            `json:"MD5OfBody"`
	Attributes    map[string]string `json:",omitempty"`
}

func receiveMessage(c *call) (any, error) {
	request, err := input[receiveRequest](c)
	if err != nil {
		return nil, err
	}
	limit, hidden, wait, err := request.check(c.queue)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		c.service.await(c.Context(), c.queue, 1, c.service.options.Clock.After(wait))
	}
	messages, size := []received{}, 0
	for _, m := range c.service.receive(c.queue, limit, maxRequest, hidden) {
		size += len(m.Body)
		messages = append(messages, received{MessageID: m.ID, ReceiptHandle: m.handle(), Body: m.Body, MD5: checksum(m.Body),
			Attributes: request.attributes(&m)})
	}
	c.count("ReceiveMessage", len(messages), size)
	return struct{ Messages []received }{messages}, nil
}

func (r receiveRequest) check(q *queue) (limit int, hidden, wait time.Duration, err error) {
	limit, hidden, wait = 1, q.Visibility, q.Wait
	if r.MaxNumberOfMessages != nil {
		limit = *r.MaxNumberOfMessages
	}
	if limit < 1 || limit > maxEntries {
		return 0, 0, 0, refuse(invalidValue, "Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and %d, if provided.", limit, maxEntries)
	}
	if r.VisibilityTimeout != nil {
		if hidden, err = seconds("VisibilityTimeout", *r.VisibilityTimeout, maxHidden); err != nil {
			return 0, 0, 0, err
		}
	}
	if r.WaitTimeSeconds != nil {
		wait, err = seconds("WaitTimeSeconds", *r.WaitTimeSeconds, maxWait)
	}
	return limit, hidden, wait, err
}

// attributes are those of the message that the request asks for.
func (r receiveRequest) attributes(m *message) map[string]string {
	wanted := append(slices.Clone(r.AttributeNames), r.MessageSystemAttributeNames...)
	attributes := m.attributes()
	for name := range attributes {
		if !slices.Contains(wanted, name) && !slices.Contains(wanted, "All") {
			delete(attributes, name)
		}
	}
	return attributes
}

// handleRequest is what DeleteMessage and ChangeMessageVisibility take.
type handleRequest struct {
	QueueUrl          string
	ReceiptHandle     string
	VisibilityTimeout *int
}

// deleteMessage answers with success for a stale receipt too, as a standard queue does, and deletes nothing. A FIFO queue
// refuses it: the message comes again, and with it all that follows in its group.
func deleteMessage(c *call) (any, error) {
	request, err := input[handleRequest](c)
	if err != nil {
		return nil, err
	}
	c.count("DeleteMessage", 1, 0)
	if !strings.Contains(request.ReceiptHandle, ".") {
		return nil, refuse("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	switch err := c.service.delete(c.queue, request.ReceiptHandle); {
	case err == nil, errors.Is(err, errGone), errors.Is(err, errStale) && !c.queue.FIFO:
		return struct{}{}, nil
	case errors.Is(err, errStale):
		return nil, refuse(invalidValue, "Value %s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.", request.ReceiptHandle)
	default:
		return nil, err
	}
}

func changeVisibility(c *call) (any, error) {
	request, err := input[handleRequest](c)
	if err != nil {
		return nil, err
	}
	c.count("ChangeMessageVisibility", 1, 0)
	if request.VisibilityTimeout == nil {
		return nil, refuse(missing, "The request must contain the parameter VisibilityTimeout.")
	}
	hidden, err := seconds("VisibilityTimeout", *request.VisibilityTimeout, maxHidden)
	if err != nil {
		return nil, err
	}
	if err := c.service.hide(c.queue, request.ReceiptHandle, hidden); err != nil {
		return nil, refuse("MessageNotInflight", "The message is not in flight: %v.", err)
	}
	return struct{}{}, nil
}

func queueAttributes(c *call) (any, error) {
	request, err := input[struct {
		QueueUrl       string
		AttributeNames []string
	}](c)
	if err != nil {
		return nil, err
	}
	c.count("GetQueueAttributes", 0, 0)
	all := c.service.attributes(c.queue)
	wanted := map[string]string{}
	for _, name := range request.AttributeNames {
		switch value, known := all[name]; {
		case name == "All":
			return struct{ Attributes map[string]string }{all}, nil
		case known:
			wanted[name] = value
		case !slices.Contains([]string{"RedrivePolicy", "FifoQueue", "ContentBasedDeduplication"}, name): // which a queue may do without
			return nil, refuse("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
	}
	return struct{ Attributes map[string]string }{wanted}, nil
}

// attributes are a queue's settings and depth, as SQS writes them.
func (s *Service) attributes(q *queue) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(q)
	depth := q.depth(s.now())
	whole := func(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
	attributes := map[string]string{
		"QueueArn": q.ARN(), "DelaySeconds": whole(q.Delay), "VisibilityTimeout": whole(q.Visibility),
		"MessageRetentionPeriod": whole(q.Retention), "ReceiveMessageWaitTimeSeconds": whole(q.Wait),
		"MaximumMessageSize":                    strconv.Itoa(q.MaximumSize),
		"ApproximateNumberOfMessages":           strconv.Itoa(depth.Visible),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(depth.Delayed),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(depth.InFlight),
	}
	if q.FIFO {
		attributes["FifoQueue"], attributes["ContentBasedDeduplication"] = "true", strconv.FormatBool(q.ContentBased)
	}
	if q.DeadLetters != "" {
		policy, _ := json.Marshal(map[string]any{ // a string and a number always marshal
			"deadLetterTargetArn": s.named(q.DeadLetters).ARN(), "maxReceiveCount": q.MaxReceives})
		attributes["RedrivePolicy"] = string(policy)
	}
	return attributes
}
