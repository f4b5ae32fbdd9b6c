package wire

import (
	"context"
	"encoding/json"
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
		answer := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}} // the emulator takes null for a failure
		var last error
		for i, err := range failures {
			if err != nil {
				last = err
				slog.ErrorContext(ctx, "job failed", "message", event.Records[i].MessageId, "error", err)
				answer.BatchItemFailures = append(answer.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: event.Records[i].MessageId})
			}
		}
		if last != nil && len(answer.BatchItemFailures) == len(event.Records) {
			return events.SQSEventResponse{}, fmt.Errorf("every job of the batch failed, the last: %w", last)
		}
		return answer, nil
	}
}

func job[J any](ctx context.Context, message events.SQSMessage, do func(context.Context, J) error) error {
	var read J
	if err := json.Unmarshal([]byte(message.Body), &read); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	return do(ctx, read)
}
