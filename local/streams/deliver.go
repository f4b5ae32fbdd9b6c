package streams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/pattern"
	"github.com/tokenim/tokenim/local/template"
)

// take delivers what passes the filters of what was read. The position moves over the rest too, without an invocation.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
func (p *Poller) take(ctx context.Context, from source, records []types.Record) {
	var passing []types.Record
	for _, r := range records {
		if passes(from.trigger, r, from.arn) {
			passing = append(passing, r)
		}
	}
	p.deliver(ctx, from, passing)
	if ctx.Err() == nil { // else some may not be delivered
		p.done(from, records)
	}
}

// passes tells whether a filter of the trigger lets a record through.
func passes(t *template.StreamTrigger, r types.Record, arn string) bool {
	if len(t.Filters) == 0 {
		return true
	}
	text, err := json.Marshal(record(r, arn))
	var read any
	if err == nil {
		err = json.Unmarshal(text, &read)
	}
	if err != nil {
		return true // the attempt to deliver it says what is wrong
	}
	return slices.ContainsFunc(t.Filters, func(f *pattern.Pattern) bool { return f.Matches(read) })
}

// done moves the position behind these records.
func (p *Poller) done(from source, records []types.Record) {
	if len(records) > 0 {
		p.position.set(from.key(), sequence(records[len(records)-1]))
	}
}

// deliver calls the function with a batch until all of it is done or given up. With Bisect a batch for which the function
// fails is halved, which does not count as an attempt; a batch of which it reports a part is not.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
func (p *Poller) deliver(ctx context.Context, from source, batch []types.Record) {
	t, pause := from.trigger, firstRetry
	for attempt := 0; ctx.Err() == nil; attempt++ {
		if batch = p.withoutOld(from, batch); len(batch) == 0 {
			return
		}
		left, err := p.attempt(ctx, t, from.arn, batch)
		p.done(from, batch[:len(batch)-len(left)])
		if batch = left; len(batch) == 0 {
			return
		}
		switch {
		case ctx.Err() != nil:
			return
		case t.Bisect && len(batch) > 1 && !errors.Is(err, errReported):
			half := len(batch) / 2
			p.deliver(ctx, from, batch[:half])
			p.deliver(ctx, from, batch[half:])
			return
		case t.Retries >= 0 && attempt >= t.Retries:
			p.giveUp(from, batch, "RetryAttemptsExhausted", attempt+1, err)
			return
		}
		wait(ctx, pause)
		pause = min(2*pause, longestWait)
	}
}

// withoutOld gives up the first records of a batch where they are too old for the trigger.
func (p *Poller) withoutOld(from source, batch []types.Record) []types.Record {
	if from.trigger.MaximumAge == 0 {
		return batch
	}
	oldest := time.Now().Add(-from.trigger.MaximumAge)
	n := slices.IndexFunc(batch, func(r types.Record) bool { return !arrival(r).Before(oldest) })
	if n < 0 {
		n = len(batch)
	}
	if n > 0 {
		p.giveUp(from, batch[:n], "MaxRecordAgeExceeded", 0, errors.New("older than MaximumRecordAgeInSeconds"))
	}
	return batch[n:]
}

// arrival is when a record was written; DynamoDB tells the second.
func arrival(r types.Record) time.Time { return aws.ToTime(r.Dynamodb.ApproximateCreationDateTime) }

// giveUp moves on behind records that are not tried any more, and tells the trigger's queue of them.
func (p *Poller) giveUp(from source, batch []types.Record, condition string, calls int, cause error) {
	p.Log.Error("records are given up", "function", from.trigger.Function, "records", len(batch), "error", cause)
	if from.trigger.Discards != "" {
		if err := p.tell(from, batch, condition, calls); err != nil {
			p.Log.Error("nobody is told of the records that are given up", "queue", from.trigger.Discards, "error", err)
		}
	}
	p.done(from, batch)
}

// tell puts into the trigger's queue where the records are, which are not in it themselves.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
func (p *Poller) tell(from source, batch []types.Record, condition string, calls int) error {
	first, last := batch[0], batch[len(batch)-1]
	text, err := json.Marshal(map[string]any{
		"requestContext": map[string]any{"requestId": lambda.NewRequestID(), "functionArn": template.FunctionARN(from.trigger.Function),
			"condition": condition, "approximateInvokeCount": calls},
		"version": "1.0", "timestamp": time.Now().UTC(),
		"DDBStreamBatchInfo": map[string]any{"shardId": from.shard, "startSequenceNumber": sequence(first), "endSequenceNumber": sequence(last),
			"approximateArrivalOfFirstRecord": arrival(first), "approximateArrivalOfLastRecord": arrival(last),
			"batchSize": len(batch), "streamArn": from.arn},
	})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return p.Discard(from.trigger.Discards, string(text))
}

// attempt calls the function once and returns the records that it has to see again.
func (p *Poller) attempt(ctx context.Context, t *template.StreamTrigger, arn string, batch []types.Record) ([]types.Record, error) {
	payload, err := json.Marshal(event(batch, arn))
	if err != nil {
		return batch, fmt.Errorf("encode the records: %w", err)
	}
	result, err := p.Invoker.Invoke(ctx, t.Function, payload)
	if err != nil {
		return batch, err
	}
	if result.FunctionError != "" {
		return batch, fmt.Errorf("function failed: %s", result.Payload)
	}
	if !t.PartialBatches {
		return nil, nil
	}
	return failed(batch, result.Payload)
}
