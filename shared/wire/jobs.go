package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/aws/aws-lambda-go/events"
)

// Jobs returns a handler that does the jobs of a queue's messages, all of a batch at once. Those that fail come again, and
// no others; where all do, the invocation fails, so that it is counted as failed.
func Jobs[J any](do func(context.Context, J) error) func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
	return func(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
		failures := make([]error, len(event.Records))
		var group sync.WaitGroup
		for i, message := range event.Records {
			group.Go(func() { failures[i] = job(ctx, message, do) })
		}
		group.Wait()
		return again(ctx, event, failures)
	}
}

// OrderedJobs returns a handler that does the jobs of a FIFO queue's messages: those of a message group together, in their order,
// groups at a time. Where that fails all of the group come again: Lambda deletes what is not reported to it, and would go on
// behind a failed one.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
func OrderedJobs[J any](do func(context.Context, []J) error) func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
	return func(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
		places := map[string][]int{}
		for i, message := range event.Records {
			name := message.Attributes["MessageGroupId"]
			places[name] = append(places[name], i)
		}
		failures := make([]error, len(event.Records))
		var group sync.WaitGroup
		for _, places := range places {
			group.Go(func() {
				jobs := make([]J, len(places))
				var err error
				for at, i := range places {
					err = errors.Join(err, read(event.Records[i], &jobs[at]))
				}
				if err == nil {
					err = do(ctx, jobs)
				}
				for _, i := range places {
					failures[i] = err
				}
			})
		}
		group.Wait()
		return again(ctx, event, failures)
	}
}

// again is the answer that lets the messages whose jobs failed come again.
func again(ctx context.Context, event events.SQSEvent, failures []error) (events.SQSEventResponse, error) {
	answer := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}} // the emulator takes null for a failure
	var last error
	for i, err := range failures {
		if err == nil {
			continue
		}
		answer.BatchItemFailures = append(answer.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: event.Records[i].MessageId})
		last = err
		slog.ErrorContext(ctx, "job failed", "message", event.Records[i].MessageId, "error", err)
	}
	if last != nil && len(answer.BatchItemFailures) == len(event.Records) {
		return events.SQSEventResponse{}, fmt.Errorf("every job of the batch failed, the last: %w", last)
	}
	return answer, nil
}

func job[J any](ctx context.Context, message events.SQSMessage, do func(context.Context, J) error) error {
	var job J
	if err := read(message, &job); err != nil {
		return err
	}
	return do(ctx, job)
}

func read(message events.SQSMessage, job any) error {
	if err := json.Unmarshal([]byte(message.Body), job); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	return nil
}
