package queue

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Ordered is a message for a FIFO queue.
type Ordered struct {
	Body any // goes as JSON
	// Group is what the message keeps its place in. SQS gives nothing more of a group to anybody while a message of it is
	// being worked on, and works on many groups at a time.
	Group string
	// ID tells what is sent again from what is new: within five minutes the queue takes one message of an ID, and drops
	// others without an error. Derive it from what the message says, so that a retry has the same one. Where the queue has
	// DeduplicationScope: messageGroup it counts within its group, else in the whole queue.
	ID string
}

// OrderedSender sends messages, each as JSON, to one FIFO queue. A message has no delay of its own there.
type OrderedSender interface {
	// SendOrdered sends any number of messages. Those of a group are in the queue in the order given, behind what the group
	// has already. It tries again what SQS was too busy for, without changing the order: a request has at most one message
	// of a group, for SQS may refuse it and take the next. So ten groups cost one request, and ten messages of one group
	// cost ten; tell in one message what a group has to do.
	//
	// Nothing is sent where a message cannot be (ErrTooLarge, ErrBadName). After any other error some are: of each group
	// the first ones, up to one that may be in the queue or not. Whoever then sends the same again within five minutes has
	// each once, and in order.
	SendOrdered(ctx context.Context, messages []Ordered) error
}

// named tells whether SQS takes the text for a group and for a deduplication ID: letters, digits and punctuation of ASCII.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func named(text string) bool {
	return text != "" && len(text) <= 128 && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// SendOrdered implements OrderedSender.
func (q *Queue) SendOrdered(ctx context.Context, messages []Ordered) error {
	entries := make([]types.SendMessageBatchRequestEntry, len(messages))
	for i, m := range messages {
		text, err := m.encode()
		if err != nil {
			return fmt.Errorf("send to %s: message %d of %d: %w", q.name(), i+1, len(messages), err)
		}
		entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: &text,
			MessageGroupId: &m.Group, MessageDeduplicationId: &m.ID}
	}
	for _, wave := range waves(entries) {
		if err := q.sendEntries(ctx, wave); err != nil {
			return err
		}
	}
	return nil
}

func (m Ordered) encode() (string, error) {
	if !named(m.Group) || !named(m.ID) {
		return "", fmt.Errorf("group %q, ID %q: %w", m.Group, m.ID, ErrBadName)
	}
	return encode(m.Body)
}

// waves are the first messages of all groups, then the second ones, and so on.
func waves(entries []types.SendMessageBatchRequestEntry) (all [][]types.SendMessageBatchRequestEntry) {
	place := map[string]int{}
	for _, entry := range entries {
		n := place[*entry.MessageGroupId]
		place[*entry.MessageGroupId]++
		if n == len(all) {
			all = append(all, nil)
		}
		all[n] = append(all[n], entry)
	}
	return all
}
