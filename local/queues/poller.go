package queues

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/template"
)

// Invoker runs functions; lambda.Host is one.
type Invoker interface {
	Invoke(ctx context.Context, function string, payload []byte) (lambda.Result, error)
}

// Poller takes messages to functions until Close. It stands in for Lambda's event source mappings.
type Poller struct {
	service *Service
	invoker Invoker
	every   int // one in so many batches comes twice; 0 and below: none
	stop    context.CancelFunc
	running sync.WaitGroup
}

// Poll begins to take messages to the functions that the triggers name. One in so many batches comes twice, as it may on
// AWS (0: one in 100; negative: none but those of DoubleNext).
func (s *Service) Poll(triggers []*template.QueueTrigger, invoker Invoker, doubleEvery int) *Poller {
	if doubleEvery == 0 {
		doubleEvery = 100
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Poller{service: s, invoker: invoker, every: doubleEvery, stop: cancel}
	for _, t := range triggers {
		q := s.named(t.Queue)
		p.running.Go(func() { p.follow(ctx, t, q) })
	}
	return p
}

// Close stops polling. What a function has at the moment comes again, after the visibility time-out or with the next
// Service.
func (p *Poller) Close() {
	p.stop()
	p.running.Wait()
}

// follow keeps up to the trigger's number of batches with the function.
func (p *Poller) follow(ctx context.Context, t *template.QueueTrigger, q *queue) {
	slots := make(chan struct{}, t.Concurrency)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		batch := p.gather(ctx, t, q)
		if len(batch) == 0 {
			return
		}
		p.running.Go(func() {
			p.deliver(ctx, t, q, batch)
			<-slots
		})
	}
}

// gather waits for a batch: until it is full, or the window has passed since the first message was there. It returns an
// empty one when ctx has ended.
func (p *Poller) gather(ctx context.Context, t *template.QueueTrigger, q *queue) []message {
	for p.service.await(ctx, q, 1, nil) {
		if t.Window > 0 {
			p.service.await(ctx, q, t.BatchSize, p.service.options.Clock.After(t.Window))
		}
		if ctx.Err() != nil {
			break
		}
		if batch := p.service.receive(q, t.BatchSize, lambda.MaxPayload, q.Visibility); len(batch) > 0 {
			return batch
		}
	}
	return nil
}

// deliver calls the function and deletes what it has done. The rest comes again after the visibility time-out.
//
// A batch may have messages of several groups of a FIFO queue, each group's in order. As with a standard queue, Lambda deletes
// what the function does not report, also what follows a failed message in its group: "your function should stop processing
// messages after the first failure and return all failed and unprocessed messages in batchItemFailures". A function that does
// not is heard of.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
func (p *Poller) deliver(ctx context.Context, t *template.QueueTrigger, q *queue, batch []message) {
	failed, err := p.attempt(ctx, t, q, batch)
	for range p.extra() {
		failed, err = p.attempt(ctx, t, q, batch)
	}
	if ids := skipped(batch, failed); q.FIFO && len(ids) > 0 {
		p.service.options.Log.Error("the order of a group is lost: the function reports a message as failed, and not those that follow it in its group",
			"function", t.Function, "queue", q.Name, "done_before_it", ids)
	}
	for _, m := range batch {
		if failed[m.ID] {
			continue
		}
		if err := p.service.delete(q, m.handle()); err != nil && !errors.Is(err, errGone) {
			p.service.options.Log.Warn("a message will come again although its function is done", "queue", q.Name, "message", m.ID, "error", err)
		}
	}
	if err != nil && ctx.Err() == nil { // else nobody waited for the answer
		p.service.options.Log.Error("messages will come again", "function", t.Function, "queue", q.Name, "messages", len(failed), "error", err)
	}
}

// extra returns 1 for a batch that is to come twice.
func (p *Poller) extra() int {
	if take(&p.service.doubles) || p.every > 0 && rand.IntN(p.every) == 0 {
		return 1
	}
	return 0
}

// attempt calls the function once and returns the IDs of the messages that it has to see again.
func (p *Poller) attempt(ctx context.Context, t *template.QueueTrigger, q *queue, batch []message) (map[string]bool, error) {
	payload, err := newEvent(q, batch)
	if err != nil {
		return all(batch), fmt.Errorf("encode the messages: %w", err)
	}
	result, err := p.invoker.Invoke(ctx, t.Function, payload)
	if err != nil {
		return all(batch), err
	}
	if result.FunctionError != "" {
		return all(batch), fmt.Errorf("function failed: %s", result.Payload)
	}
	if !t.PartialBatches {
		return nil, nil
	}
	return failures(batch, result.Payload)
}

func all(batch []message) map[string]bool {
	ids := make(map[string]bool, len(batch))
	for _, m := range batch {
		ids[m.ID] = true
	}
	return ids
}
