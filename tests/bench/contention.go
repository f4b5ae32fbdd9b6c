package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/tests/budget"
	"github.com/tokenim/tokenim/tests/conformance/client"
)

const (
	// writers send into one conversation at once, each perWriter messages.
	writers   = 50
	perWriter = 3
	messages  = writers * perWriter
)

func printContention(ctx context.Context, platform *budget.Platform) error {
	ann, bob, _, err := platform.Pair(ctx)
	if err != nil {
		return err
	}
	if err := platform.Reset(ctx); err != nil {
		return err
	}
	begun := time.Now()
	group, sending := errgroup.WithContext(ctx)
	for n := range writers {
		group.Go(func() error {
			for i := range perWriter {
				body := map[string]any{"from": ann.ID, "to": bob.ID, "message": "all at once", "client_id": fmt.Sprint(n, "-", i)}
				if err := untilThrough(sending, platform, body); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	took := time.Since(begun)
	cost := platform.Count(messages)
	fmt.Printf("\n## Fifty writers in one conversation\n\n%d messages with client IDs, %d at once: %.0f messages/s; %.1f write units, %.1f read units and %.2f requests a message. "+
		"Beside them, one at a time costs 3 write units.\n", messages, writers, messages/took.Seconds(), cost.WriteUnits, cost.ReadUnits, cost.Invocations)
	return nil
}

// untilThrough sends the body, and again after the time that the answer names while the conversation is busy.
func untilThrough(ctx context.Context, platform *budget.Platform, body map[string]any) error {
	for {
		answer, err := platform.App.Do(ctx, client.Request{Path: "/send", Body: body})
		if err != nil {
			return err
		}
		switch answer.Status {
		case http.StatusOK:
			return nil
		case http.StatusTooManyRequests:
		default:
			return fmt.Errorf("send: %s", answer)
		}
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After")) // without one, at once
		select {
		case <-time.After(time.Duration(seconds) * time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
