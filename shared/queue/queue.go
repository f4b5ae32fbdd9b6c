// Package queue sends messages to queues of SQS, from which Lambda takes them to the functions that work on them: at least
// once, in any order, and later again where a function fails.
//
//	jobs := queue.FromEnvironment("JOBS_QUEUE") // its URL, !Ref JobsQueue in template.yaml
//	err := jobs.Send(ctx, Job{App: app}, time.Minute)
//
// A FIFO queue (FifoQueue: true) keeps the order within each group:
//
//	err := jobs.SendOrdered(ctx, []queue.Ordered{{Body: Job{Seq: 7}, Group: conversation, ID: conversation + "#7"}})
package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/tokenim/tokenim/shared/awsenv"
	"github.com/tokenim/tokenim/shared/plainjson"
)

// Limits of SQS.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
const (
	MaxBody  = 1 << 20          // bytes of a message, and of all messages of a request
	MaxDelay = 15 * time.Minute // of a message

	batchSize = 10 // messages of a request
	// rounds is how often a message is tried that SQS refuses in a batch for a reason of its own. The SDK tries again only
	// where a whole request fails.
	rounds = 3
)

// Errors that say that a message can never be sent.
var (
	ErrTooLarge = errors.New("the message is larger than 1 MiB")
	ErrTooLate  = errors.New("the delay is negative or longer than 15 minutes")
	ErrBadName  = errors.New("the group or the ID is not 1 to 128 visible characters of ASCII")
)

// Sender sends messages, each as JSON, to one queue. A message that was sent stays so, whatever becomes of the caller. An
// error can come although a message was sent: whoever tries again sends it twice.
type Sender interface {
	// Send sends one message, which nobody sees before the delay has passed; it is rounded up to whole seconds, and 0 is the
	// queue's own. It returns ErrTooLarge, ErrTooLate, or SQS's error.
	Send(ctx context.Context, body any, delay time.Duration) error
	// SendAll sends any number of messages with the queue's own delay, ten and one MiB at most by request, and tries again those that
	// SQS was too busy for. Nothing is sent where a message cannot be (ErrTooLarge); after any other error some are.
	SendAll(ctx context.Context, bodies ...any) error
}

// Queue is the Sender of a standard queue of SQS, or the OrderedSender of a FIFO queue.
type Queue struct {
	client *sqs.Client
	url    string
}

var (
	_ Sender        = (*Queue)(nil)
	_ OrderedSender = (*Queue)(nil)
)

// FromEnvironment returns the queue whose URL the variable holds, such as JOBS_QUEUE. A missing variable is a defect of the
// template.
func FromEnvironment(variable string) *Queue {
	url := os.Getenv(variable)
	if url == "" {
		panic("queue: " + variable + " is not set; the function's environment in template.yaml lacks it")
	}
	client := sqs.NewFromConfig(awsenv.Config(), func(o *sqs.Options) { o.BaseEndpoint = awsenv.Endpoint("SQS") })
	return &Queue{client: client, url: url}
}

// Send implements Sender.
func (q *Queue) Send(ctx context.Context, body any, delay time.Duration) error {
	if delay < 0 || delay > MaxDelay {
		return fmt.Errorf("send to %s: %v: %w", q.name(), delay, ErrTooLate)
	}
	text, err := encode(body)
	if err != nil {
		return fmt.Errorf("send to %s: %w", q.name(), err)
	}
	seconds := int32((delay + time.Second - 1) / time.Second)
	_, err = q.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: &text, DelaySeconds: seconds})
	if err != nil {
		return fmt.Errorf("send to %s: %w", q.name(), err)
	}
	return nil
}

// SendAll implements Sender.
func (q *Queue) SendAll(ctx context.Context, bodies ...any) error {
	entries := make([]types.SendMessageBatchRequestEntry, len(bodies))
	for i, body := range bodies {
		text, err := encode(body)
		if err != nil {
			return fmt.Errorf("send to %s: message %d of %d: %w", q.name(), i+1, len(bodies), err)
		}
		entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: &text}
	}
	return q.sendEntries(ctx, entries)
}

// sendEntries sends any number of messages.
func (q *Queue) sendEntries(ctx context.Context, entries []types.SendMessageBatchRequestEntry) error {
	for len(entries) > 0 {
		n := fitting(entries)
		if err := q.sendBatch(ctx, entries[:n]); err != nil {
			return fmt.Errorf("send to %s: %w", q.name(), err)
		}
		entries = entries[n:]
	}
	return nil
}

// fitting is how many of the messages one request takes: at least one.
func fitting(entries []types.SendMessageBatchRequestEntry) int {
	size := 0
	for n, entry := range entries {
		if size += len(*entry.MessageBody); n == batchSize || n > 0 && size > MaxBody {
			return n
		}
	}
	return len(entries)
}

// sendBatch sends what one request takes, and again what SQS refuses without a fault of the message.
func (q *Queue) sendBatch(ctx context.Context, entries []types.SendMessageBatchRequestEntry) error {
	for round := 1; ; round++ {
		answer, err := q.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: entries})
		if err != nil || len(answer.Failed) == 0 {
			return err
		}
		var again []types.SendMessageBatchRequestEntry
		for _, failure := range answer.Failed {
			if failure.SenderFault || round == rounds {
				return fmt.Errorf("%d of %d messages are refused: %s: %s", len(answer.Failed), len(entries), aws.ToString(failure.Code), aws.ToString(failure.Message))
			}
			for _, entry := range entries {
				if *entry.Id == aws.ToString(failure.Id) {
					again = append(again, entry)
				}
			}
		}
		entries = again
	}
}

// forbidden are the two characters that JSON leaves as they are and SQS refuses; a user's text may have them.
var forbidden = strings.NewReplacer("\uFFFE", `\ufffe`, "\uFFFF", `\uffff`)

// encode writes a message as JSON that SQS takes.
func encode(body any) (string, error) {
	plain, err := plainjson.Encode(body)
	if err != nil {
		return "", fmt.Errorf("encode a message: %w", err)
	}
	text := forbidden.Replace(string(plain))
	if len(text) > MaxBody {
		return "", fmt.Errorf("%d bytes: %w", len(text), ErrTooLarge)
	}
	return text, nil
}

// name is the queue's, the last part of its URL, for errors.
func (q *Queue) name() string { return q.url[strings.LastIndexByte(q.url, '/')+1:] }
