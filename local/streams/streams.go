// Package streams stands in for Lambda's event source mappings of DynamoDB streams: it polls the tables' streams and
// calls the functions that the template names, batch by batch, in order within a shard, with the records that pass the
// template's filters. A batch that fails is tried again, and holds up its shard, until it succeeds, its attempts are used up
// or it is too old.
package streams

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/tokenim/tokenim/local/engine"
	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/template"
)

const (
	pollEvery   = 100 * time.Millisecond // Lambda polls about four times a second
	lookEvery   = time.Second            // for new shards
	firstRetry  = 50 * time.Millisecond  // doubled from attempt to attempt
	longestWait = 5 * time.Second
)

// Invoker runs functions; lambda.Host is one.
type Invoker interface {
	Invoke(ctx context.Context, function string, payload []byte) (lambda.Result, error)
}

// Options say what to poll.
type Options struct {
	Endpoint string // of DynamoDB
	Triggers []*template.StreamTrigger
	Invoker  Invoker
	Log      *slog.Logger
	Position string // file that keeps how far each shard was read; empty: begin at the trigger's start each time
	// Discard puts what is told of records that are given up into the queue of that name. It may be nil where no trigger
	// names a queue.
	Discard func(queue, body string) error
}

// Poller polls until Close.
type Poller struct {
	Options
	streams  *dynamodbstreams.Client
	position *positions
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// Start begins to poll. It returns an error when a trigger's table has no stream.
func Start(ctx context.Context, o Options) (*Poller, error) {
	position, err := readPositions(o.Position)
	if err != nil {
		return nil, err
	}
	p := &Poller{Options: o, position: position, streams: dynamodbstreams.New(dynamodbstreams.Options{
		Region: template.Region, BaseEndpoint: aws.String(o.Endpoint),
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})}
	tables := engine.Client(o.Endpoint)
	arns := make([]string, len(o.Triggers))
	for i, t := range o.Triggers {
		out, err := tables.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.Table})
		if err != nil {
			return nil, fmt.Errorf("find the stream of %s: %w", t.Table, err)
		}
		if arns[i] = aws.ToString(out.Table.LatestStreamArn); arns[i] == "" {
			return nil, fmt.Errorf("function %s has a DynamoDB event, but table %s has no stream", t.Function, t.Table)
		}
	}
	polling, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	for i, t := range o.Triggers {
		p.running.Go(func() { p.follow(polling, t, arns[i]) })
	}
	return p, nil
}

// Close stops polling; a batch that a function has at the moment will come again.
func (p *Poller) Close() {
	p.stop()
	p.running.Wait()
}

// follow reads every shard of a stream, each after its parent.
func (p *Poller) follow(ctx context.Context, t *template.StreamTrigger, arn string) {
	finished := map[string]chan struct{}{}
	for ctx.Err() == nil {
		shards, err := p.shards(ctx, arn)
		if err != nil && ctx.Err() == nil {
			p.Log.Error("the stream's shards cannot be listed", "table", t.Table, "error", err)
		}
		for _, s := range shards {
			if id := aws.ToString(s.ShardId); finished[id] == nil {
				done, parent := make(chan struct{}), finished[aws.ToString(s.ParentShardId)]
				finished[id] = done
				p.running.Go(func() {
					defer close(done)
					if parent != nil {
						<-parent
					}
					p.read(ctx, t, arn, id)
				})
			}
		}
		wait(ctx, lookEvery)
	}
}

func (p *Poller) shards(ctx context.Context, arn string) ([]types.Shard, error) {
	var all []types.Shard
	input := &dynamodbstreams.DescribeStreamInput{StreamArn: &arn}
	for {
		out, err := p.streams.DescribeStream(ctx, input)
		if err != nil {
			return all, err
		}
		all = append(all, out.StreamDescription.Shards...)
		if input.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; input.ExclusiveStartShardId == nil {
			return all, nil
		}
	}
}

// source is one shard for one trigger.
type source struct {
	trigger    *template.StreamTrigger
	arn, shard string
}

// key names the source in the positions.
func (s source) key() string { return s.trigger.Function + " " + s.arn + " " + s.shard }

// read takes a shard's records until the shard is closed and read to its end.
func (p *Poller) read(ctx context.Context, t *template.StreamTrigger, arn, shard string) {
	var iterator *string
	for ctx.Err() == nil {
		if iterator == nil {
			iterator = p.iterator(ctx, source{t, arn, shard})
		}
		out, err := p.records(ctx, t, iterator)
		if err != nil {
			iterator = nil // it may have expired
			wait(ctx, pollEvery)
			continue
		}
		if len(out.Records) > 0 {
			p.take(ctx, source{t, arn, shard}, out.Records)
		}
		if out.NextShardIterator == nil {
			return
		}
		iterator = out.NextShardIterator
		if len(out.Records) < int(t.BatchSize) {
			wait(ctx, max(pollEvery, t.Window))
		}
	}
}

func (p *Poller) records(ctx context.Context, t *template.StreamTrigger, iterator *string) (*dynamodbstreams.GetRecordsOutput, error) {
	if iterator == nil {
		return nil, fmt.Errorf("no iterator")
	}
	limit := min(t.BatchSize, 1000) // of GetRecords
	return p.streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: iterator, Limit: &limit})
}

// iterator begins after the last record that was delivered, or where the trigger says.
func (p *Poller) iterator(ctx context.Context, from source) *string {
	input := &dynamodbstreams.GetShardIteratorInput{StreamArn: &from.arn, ShardId: &from.shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	if from.trigger.FromLatest {
		input.ShardIteratorType = types.ShardIteratorTypeLatest
	}
	if sequence := p.position.get(from.key()); sequence != "" {
		input.ShardIteratorType, input.SequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &sequence
	}
	out, err := p.streams.GetShardIterator(ctx, input)
	if err != nil {
		if ctx.Err() == nil {
			p.Log.Error("the stream cannot be read", "table", from.trigger.Table, "error", err)
		}
		return nil
	}
	return out.ShardIterator
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
