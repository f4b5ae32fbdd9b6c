package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/tests/budget"
	"github.com/tokenim/tokenim/tests/conformance/client"
)

const (
	// span is how long each number of clients is measured.
	span = 6 * time.Second
	// warmSpan goes before, so that no process is started while it counts.
	warmSpan = 2 * time.Second
)

// sample collects the times from a send to the receiver's socket.
type sample struct {
	mu    sync.Mutex
	times []time.Duration
}

func (s *sample) add(times []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times = append(s.times, times...)
}

// percentile returns the time below which the share of the sample lies.
func (s *sample) percentile(share float64) time.Duration {
	if len(s.times) == 0 {
		return 0
	}
	slices.Sort(s.times)
	return s.times[min(len(s.times)-1, int(share*float64(len(s.times))))]
}

func printLatency(ctx context.Context, platform *budget.Platform) error {
	fmt.Print("\n## From a send to the receiver's socket\n\nEach client sends over HTTP to a user of its own who is online, one message after the other.\n\n")
	fmt.Println("| clients | p50 | p99 | messages/s |")
	fmt.Println("|---|---|---|---|")
	for _, clients := range []int{1, 8, 32} {
		if _, err := load(ctx, platform, clients, warmSpan); err != nil {
			return err
		}
		times, err := load(ctx, platform, clients, span)
		if err != nil {
			return err
		}
		fmt.Printf("| %d | %.1f ms | %.1f ms | %.0f |\n", clients, milliseconds(times.percentile(0.5)), milliseconds(times.percentile(0.99)),
			float64(len(times.times))/span.Seconds())
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// load runs the clients for the span.
func load(ctx context.Context, platform *budget.Platform, clients int, span time.Duration) (*sample, error) {
	talks := make([]*talk, clients)
	for i := range talks {
		var err error
		if talks[i], err = newTalk(ctx, platform); err != nil {
			return nil, err
		}
		defer talks[i].socket.Drop()
	}
	var all sample
	group, ctx := errgroup.WithContext(ctx)
	end := time.Now().Add(span)
	for _, t := range talks {
		group.Go(func() error {
			times, err := t.run(ctx, end)
			all.add(times)
			return err
		})
	}
	return &all, group.Wait()
}

// talk is a pair of users, the receiver online.
type talk struct {
	platform *budget.Platform
	ann, bob budget.User
	socket   *client.Socket
}

func newTalk(ctx context.Context, platform *budget.Platform) (*talk, error) {
	ann, bob, _, err := platform.Pair(ctx)
	if err != nil {
		return nil, err
	}
	socket, err := platform.Connect(ctx, bob)
	return &talk{platform: platform, ann: ann, bob: bob, socket: socket}, err
}

// run sends until the end and returns how long each message took to the socket.
func (t *talk) run(ctx context.Context, end time.Time) ([]time.Duration, error) {
	var times []time.Duration
	seen := len(t.socket.Events(0))
	for begun := time.Now(); begun.Before(end); begun = time.Now() {
		if _, err := t.platform.Send(ctx, t.ann.ID, t.bob.ID, nil); err != nil {
			return times, err
		}
		if err := t.socket.Await(ctx, func(events []client.Frame) bool { return len(events) > seen }); err != nil {
			return times, err
		}
		times = append(times, t.socket.Events(seen)[0].At.Sub(begun))
		seen++
	}
	return times, nil
}
