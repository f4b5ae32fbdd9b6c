package fanout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

const (
	// posters is how many devices are posted to at once.
	posters = 100
	// postPatience is how long one post may take. A slow device costs its own place among posters, for so long.
	postPatience = 2 * time.Second
	// sweepAfter is how long after its end a subscription is removed that the table has not removed by itself. A renewal of
	// the token may be on its way until then.
	sweepAfter = 10 * time.Minute
)

// Messages reads and opens a group's entries. message.Service is one.
type Messages interface {
	// Between returns the group's messages from the sequence to the other: the log has to have no gap there. It ends before
	// the first that is not there any more, because the group has been erased.
	Between(ctx context.Context, app id.App, conversation id.Conversation, from, to int64) ([]message.Message, error)
}

// Limiter bounds the rate of posts, so that large groups leave the account's calls to API Gateway to everybody else. A
// rate.Limiter is one.
type Limiter interface {
	// Wait returns when a post may be made; an error where the context ends before that, also at once where it will.
	Wait(ctx context.Context) error
}

// Pusher does jobs.
type Pusher struct {
	Subscriptions Subscriptions
	States        States
	// Queue takes the halves of jobs that are too large.
	Queue    Queue
	Messages Messages
	Audience *Audience
	Poster   connection.Poster
	Limiter  Limiter
	Clock    clock.Clock
	// Failures keeps the posts that failed; it may be nil.
	Failures connection.Failures
}

// Push does jobs of one lane, in their order; those that follow each other are done together. It fails only where entries or
// subscriptions cannot be read: the jobs are done again then, from the first, and devices drop what they have.
func (p *Pusher) Push(ctx context.Context, jobs []Job) error {
	for _, job := range joined(jobs) {
		if err := p.push(ctx, job); err != nil {
			return fmt.Errorf("push %s: %w", job.Identity(), err)
		}
	}
	return nil
}

// joined returns the jobs with those joined that follow each other.
func joined(jobs []Job) (fewer []Job) {
	for _, job := range jobs {
		if last := len(fewer) - 1; last >= 0 && fewer[last].Part == job.Part && fewer[last].To+1 == job.From {
			fewer[last].To = job.To
			continue
		}
		fewer = append(fewer, job)
	}
	return fewer
}

// push posts a run of the log to the subscriptions of the part. Those whom it takes into the group are subscribed on the way, those who
// left are not any more: whoever made the change may have died before.
func (p *Pusher) push(ctx context.Context, job Job) error {
	messages, err := p.Messages.Between(ctx, job.Of(), id.Conversation(job.Group), job.From, job.To)
	if err != nil || len(messages) == 0 {
		return err
	}
	if err := p.keep(ctx, job, messages); err != nil {
		return err
	}
	whole, end := message.EncodeRun(messages), Subscription{}
	for after := ""; ; {
		page, next, err := p.Subscriptions.Page(ctx, job.Of(), job.Group, job.Part, after, partSize)
		if err != nil {
			return err
		}
		if next != "" && job.Parts < maxParts {
			return p.divide(ctx, job)
		}
		page, end = standing(page, end)
		if err := p.postAll(ctx, page, messages, whole); err != nil || next == "" {
			return err
		}
		after = next
	}
}

// standing returns the page without the subscriptions that have ended, and the last end, which may concern the next page.
func standing(page []Subscription, end Subscription) ([]Subscription, Subscription) {
	return slices.DeleteFunc(page, func(each Subscription) bool {
		if each.Connection == "" {
			end = each
			return false
		}
		return each.User == end.User && each.Since <= end.Since
	}), end
}

// divide leaves the job to two, one for each half of its part, and doubles the parts. It comes before any post: a job for many
// thousands, who came online while the group was silent, would never end in time, however often it came again.
//
// Jobs of the old parts and of the new may be under way at once then: a device can get a later message before an earlier one,
// this once.
func (p *Pusher) divide(ctx context.Context, job Job) error {
	lower, upper := job, job
	lower.Part, upper.Part = Part{2 * job.Number, 2 * job.Parts}, Part{2*job.Number + 1, 2 * job.Parts}
	if err := p.Queue.SendInOrder(ctx, []Job{lower, upper}); err != nil {
		return err
	}
	state, err := p.States.Get(ctx, job.Of(), job.Group)
	if err != nil || max(state.Parts, 1) != job.Parts {
		return err // another part's job was first
	}
	return p.States.Divide(ctx, job.Of(), job.Group, state.Parts, 2*job.Parts)
}

// keep keeps the subscriptions of those of the part's users up of whose membership the messages tell.
func (p *Pusher) keep(ctx context.Context, job Job, messages []message.Message) error {
	var joined []id.User
	for _, each := range messages {
		for _, user := range each.Left() {
			if !job.has(user) {
				continue
			}
			if err := p.Audience.Leave(ctx, job.Of(), job.Group, user, each.Seq); err != nil {
				return err
			}
		}
		for _, user := range each.Joined() {
			if job.has(user) && !slices.Contains(joined, user) {
				joined = append(joined, user)
			}
		}
	}
	return p.Audience.Follow(ctx, job.Of(), job.Group, joined)
}

// postAll posts to the subscriptions all at once, and has it noted where that failed. Nothing that goes wrong with one concerns the
// others; it fails only where there is no time left to post to all.
func (p *Pusher) postAll(ctx context.Context, page []Subscription, messages []message.Message, whole []message.RunFrame) error {
	now := p.Clock.Now()
	var group errgroup.Group
	group.SetLimit(posters)
	refused := make(chan refusal, len(page))
	for _, to := range page {
		group.Go(func() error {
			switch {
			case now.After(to.Until.Add(sweepAfter)):
				p.forget(ctx, to)
			case now.Before(to.Until) && to.Connection != "":
				return p.post(ctx, to, p.own(to, messages, whole), refused)
			}
			return nil
		})
	}
	err := group.Wait()
	close(refused)
	p.note(ctx, refused, messages[len(messages)-1].Seq)
	return err
}

// own returns the frames for the subscription: all, or those of what came since.
func (p *Pusher) own(to Subscription, messages []message.Message, whole []message.RunFrame) []message.RunFrame {
	if to.Since <= messages[0].Seq {
		return whole
	}
	own := slices.Clone(messages)
	return message.EncodeRun(slices.DeleteFunc(own, func(each message.Message) bool { return each.Seq < to.Since }))
}

// post posts the frames in order, up to the first that the gateway refuses: the device finds by the gap what it has missed. It fails
// where the job's time is up, or would be before its turn.
func (p *Pusher) post(ctx context.Context, to Subscription, frames []message.RunFrame, refused chan<- refusal) error {
	for _, frame := range frames {
		if err := p.Limiter.Wait(ctx); err != nil {
			return err
		}
		err := p.postOne(ctx, to.Connection, frame.Text)
		if errors.Is(err, connection.ErrGone) {
			// Devices subscribe only when they are open, or will do so again when they are. Nobody takes the subscription away
			// when a socket closes: this is how it ends, and no failure to be noted.
			p.forget(ctx, to)
			return nil
		}
		if err != nil {
			slog.WarnContext(ctx, "push failed", "error", err)
			refused <- refusal{to, frame.First, connection.FailureOf(err, "", to.Connection, p.Clock.Now())}
			return ctx.Err()
		}
	}
	return nil
}

func (p *Pusher) postOne(ctx context.Context, connectionID string, frame []byte) error {
	ctx, cancel := context.WithTimeout(ctx, postPatience)
	defer cancel()
	return p.Poster.Post(ctx, connectionID, frame)
}

// forget removes a subscription that has ended.
func (p *Pusher) forget(ctx context.Context, ended Subscription) {
	if err := p.Subscriptions.Remove(ctx, ended); err != nil {
		slog.WarnContext(ctx, "subscription not removed", "error", err)
	}
}
