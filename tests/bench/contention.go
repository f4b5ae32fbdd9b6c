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

// writers send into one conversation at once.
const writers = 50

// printContention has as many send at once: between two users, where each tries for the next number, and into a group, where
// a counter gives the numbers out.
func printContention(ctx context.Context, platform *budget.Platform) error {
	ann, bob, _, err := platform.Pair(ctx)
	if err != nil {
		return err
	}
	group, members, err := platform.Group(ctx, writers)
	if err != nil {
		return err
	}
	fmt.Print("\n## Fifty writers in one conversation\n\nMessages with client IDs; one at a time they cost 3 write units in a pair, 4 in a group.\n\n")
	fmt.Println("| conversation | messages | messages/s | write units | read units | requests |")
	fmt.Println("|---|---|---|---|---|---|")
	pair := func(int) (from, to string) { return ann.ID, bob.ID }
	if err := contend(ctx, platform, "a pair", 3, pair); err != nil {
		return err
	}
	return contend(ctx, platform, "a group of fifty, nobody online", 10, func(n int) (from, to string) { return members[n].ID, group })
}

// contend prints what it costs when every writer sends so many messages, and each message's cost.
func contend(ctx context.Context, platform *budget.Platform, what string, each int, line func(n int) (from, to string)) error {
	if err := platform.Reset(ctx); err != nil {
		return err
	}
	begun := time.Now()
	group, sending := errgroup.WithContext(ctx)
	for n := range writers {
		group.Go(func() error {
			from, to := line(n)
			for i := range each {
				body := map[string]any{"from": from, "to": to, "message": "all at once", "client_id": fmt.Sprint(n, "-", i)}
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
	messages := writers * each
	cost := platform.Count(messages)
	fmt.Printf("| %s | %d | %.0f | %.1f | %.1f | %.2f |\n", what, messages, float64(messages)/time.Since(begun).Seconds(), cost.WriteUnits, cost.ReadUnits, cost.Invocations)
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
