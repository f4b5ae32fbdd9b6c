package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tokenim/tokenim/tests/budget"
	"github.com/tokenim/tokenim/tests/conformance/client"
)

// printFanOut prints what a message to a group of 5,000 costs, 500 of whom are online, beside what its pushes alone do.
func printFanOut(ctx context.Context, platform *budget.Platform) error {
	const members, online, messages = 5_000, 500, 20
	crowd, err := gather(ctx, platform, members, online)
	if err != nil {
		return err
	}
	send := func(n int) error {
		for range n {
			if err := crowd.send(ctx); err != nil {
				return err
			}
			if err := crowd.await(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	if err := send(2); err != nil { // starts the functions, and divides the parts
		return err
	}
	if err := platform.Reset(ctx); err != nil {
		return err
	}
	if err := send(messages); err != nil {
		return err
	}
	cost := platform.Count(messages)
	// Beside the assumption for every invocation: a pusher that posts 500 a second, 256 MB of it.
	dollars := cost.Price(1) + cost.Posts/500*0.25*13.3334
	fmt.Printf("\n## A message to a group of 5,000, 500 of them online\n\n| write units | read units | invocations | posts | $ per million | ÷ the pushes alone |\n|---|---|---|---|---|---|\n")
	fmt.Printf("| %s | %s | %s | %s | %.2f | %.3f |\n", number(cost.WriteUnits), number(cost.ReadUnits), number(cost.Invocations), number(cost.Posts), dollars, dollars/cost.Posts)
	return nil
}

// printCrowd prints how a message comes to a group of 10,000 with 2,000 sockets, and what sending to groups of other sizes takes.
func printCrowd(ctx context.Context, platform *budget.Platform) error {
	const members, online, messages = 10_000, 2_000, 100
	begun := time.Now()
	crowd, err := gather(ctx, platform, members, online)
	if err != nil {
		return err
	}
	ready := time.Since(begun)
	for range 2 { // starts the functions, and divides the parts
		if err := crowd.send(ctx); err != nil {
			return err
		}
		if err := crowd.await(ctx); err != nil {
			return err
		}
	}
	first := len(crowd.sent)
	var sends sample
	begun = time.Now()
	for range messages {
		sending := time.Now()
		if err := crowd.send(ctx); err != nil {
			return err
		}
		sends.add([]time.Duration{time.Since(sending)})
	}
	sent := time.Since(begun)
	if err := crowd.await(ctx); err != nil {
		return err
	}
	arrived, frames, err := crowd.check(first)
	if err != nil {
		return err
	}
	fmt.Printf("\n## A group of %d, %d of them online\n\n", members, online)
	fmt.Printf("Made and connected in %.0f s. %d messages, sent one after the other in %.1f s, were at every one of the %d sockets once and in order %.1f s after the first was sent, in %d frames of the %d that messages one by one would have been. From a send to the last member: p50 %.1f s, p99 %.1f s.\n",
		ready.Seconds(), messages, sent.Seconds(), online, time.Since(begun).Seconds(), frames, messages*online, arrived.percentile(0.5).Seconds(), arrived.percentile(0.99).Seconds())
	fmt.Print("\nThe sender's latency does not depend on the size; medians of one run, nothing else going on:\n\n| members | online | p50 of a send |\n|---|---|---|\n")
	for _, size := range []struct{ members, online int }{{10, 3}, {75, 30}, {1_000, 30}} {
		median, err := sendsTo(ctx, platform, size.members, size.online)
		if err != nil {
			return err
		}
		fmt.Printf("| %d | %d | %.1f ms |\n", size.members, size.online, milliseconds(median))
	}
	median, err := crowd.calmly(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("| %d | %d | %.1f ms |\n", members, online, milliseconds(median))
	return nil
}

// sendsTo returns the median time of sends to a new group, each awaited by all who are online.
func sendsTo(ctx context.Context, platform *budget.Platform, members, online int) (time.Duration, error) {
	crowd, err := gather(ctx, platform, members, online)
	if err != nil {
		return 0, err
	}
	return crowd.calmly(ctx)
}

// audience is a group with the sockets of those of its members who are online, and what was sent to it.
type audience struct {
	platform *budget.Platform
	group    string
	owner    budget.User
	sockets  []*client.Socket
	sent     []sentMessage
}

type sentMessage struct {
	sequence int64
	at       time.Time
}

func gather(ctx context.Context, platform *budget.Platform, members, online int) (*audience, error) {
	group, users, sockets, err := platform.LargeGroup(ctx, members, online)
	if err != nil {
		return nil, err
	}
	return &audience{platform: platform, group: group, owner: users[0], sockets: sockets}, nil
}

// send sends a message.
func (a *audience) send(ctx context.Context) error {
	at := time.Now()
	answer, err := a.platform.Send(ctx, a.owner.ID, a.group, map[string]any{"client_id": fmt.Sprint("crowd-", len(a.sent))})
	a.sent = append(a.sent, sentMessage{answer.Number("seq"), at})
	return err
}

// await waits until every socket has had all that was sent.
func (a *audience) await(ctx context.Context) error {
	for _, socket := range a.sockets {
		if err := socket.Await(ctx, func([]client.Frame) bool { return len(budget.Heard(socket, a.group)) >= len(a.sent) }); err != nil {
			return fmt.Errorf("%d of %d messages have come: %w", len(budget.Heard(socket, a.group)), len(a.sent), err)
		}
	}
	return nil
}

// calm is how many messages a median stands on.
const calm = 15

// calmly returns the median time of sends, each of which everybody has had before the next.
func (a *audience) calmly(ctx context.Context) (time.Duration, error) {
	var sends sample
	for range calm {
		begun := time.Now()
		if err := a.send(ctx); err != nil {
			return 0, err
		}
		sends.add([]time.Duration{time.Since(begun)})
		if err := a.await(ctx); err != nil {
			return 0, err
		}
	}
	return sends.percentile(0.5), nil
}

// check demands that every socket was told everything once and in order, and returns for each message from the first on when the
// last socket had it, and the frames that those were.
func (a *audience) check(first int) (arrived *sample, frames int, err error) {
	arrived = &sample{}
	var want []int64
	last := map[int64]time.Time{}
	for _, each := range a.sent {
		want = append(want, each.sequence)
	}
	for _, socket := range a.sockets {
		if heard := budget.Heard(socket, a.group); !slices.Equal(heard, want) {
			return nil, 0, fmt.Errorf("a socket was told %v, not %v", heard, want)
		}
		for _, event := range socket.Events(0) {
			counted := false
			for _, message := range event.Messages() {
				if event.At.After(last[message.Seq]) {
					last[message.Seq] = event.At
				}
				counted = counted || message.ConversationID == a.group && message.Seq >= a.sent[first].sequence
			}
			if counted {
				frames++
			}
		}
	}
	for _, each := range a.sent[first:] {
		arrived.add([]time.Duration{last[each.sequence].Sub(each.at)})
	}
	return arrived, frames, nil
}
