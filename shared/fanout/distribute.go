package fanout

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

const (
	// distributed is how many groups' entries are handed on at once.
	distributed = 8
	// jobBytes bounds the texts of one job. So ten jobs, as many as a pusher is given at once, are done in its time at the
	// rate that it may post, even where a text is written six times as long in a frame.
	jobBytes = 16 << 10
)

// Queue takes the jobs. It has the promises of a FIFO queue of SQS.
type Queue interface {
	// SendInOrder sends the jobs; those of one lane are done in this order, one after the other, and of two with one identity
	// that come within five minutes one is dropped.
	SendInOrder(ctx context.Context, jobs []Job) error
}

// Distributor hands on what the stream tells of.
//
// The stream tells of a group's entries in the order in which they were put, which among many writers is not that of their
// sequences. So what it tells is only that there is something: what is handed on is the log, from where it was handed on to last,
// up to its first gap. Whoever fills the gap is told of in turn.
type Distributor struct {
	States States
	Log    message.Log
	Queue  Queue
}

// Distribute hands on the logs of the entries. They may be told again, and to two at once: devices drop what they have.
func (d *Distributor) Distribute(ctx context.Context, told []message.Entry) error {
	type log struct {
		app          id.App
		conversation id.Conversation
	}
	begins := map[log]int64{}
	for _, entry := range told {
		if entry.Reach == message.Direct {
			continue
		}
		of := log{entry.App, entry.Conversation}
		if begin, again := begins[of]; !again || entry.Base+1 < begin {
			begins[of] = entry.Base + 1
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(distributed)
	for of, begin := range begins {
		group.Go(func() error {
			if err := d.handOn(ctx, of.app, of.conversation, begin); err != nil {
				return fmt.Errorf("hand on %s: %w", of.conversation, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// handOn hands on what is new of a log, page by page. Of a group of which nothing was handed on before, that is what comes from
// begin on. A page's jobs come before the state: whoever dies in between sends them again.
func (d *Distributor) handOn(ctx context.Context, app id.App, conversation id.Conversation, begin int64) error {
	state, err := d.States.Get(ctx, app, conversation.Group())
	if err != nil {
		return err
	}
	next := begin
	if state.Handed != 0 {
		next = state.Handed + 1
	}
	for {
		entries, err := d.Log.Read(ctx, app, conversation, next, message.PageSize, true)
		if err != nil {
			return err
		}
		whole := message.Contiguous(entries, next, +1)
		if len(whole) == 0 {
			return nil
		}
		if err := d.Queue.SendInOrder(ctx, jobs(app, conversation.Group(), whole, max(state.Parts, 1))); err != nil {
			return err
		}
		next = whole[len(whole)-1].Sequence + 1
		if err := d.States.Advance(ctx, app, conversation.Group(), next-1); err != nil || len(whole) < message.PageSize {
			return err
		}
	}
}

// jobs returns the jobs for the entries: for each part, and for each run of entries that a frame holds or little more.
func jobs(app id.App, group id.Group, entries []message.Entry, parts int) (made []Job) {
	for len(entries) > 0 {
		n, size := 0, 0
		for n < len(entries) && (n == 0 || size+len(entries[n].Sealed) <= jobBytes) {
			size += len(entries[n].Sealed)
			n++
		}
		for number := range parts {
			made = append(made, Job{App: app.String(), Group: group, From: entries[0].Sequence, To: entries[n-1].Sequence,
				Part: Part{Number: number, Parts: parts}})
		}
		entries = entries[n:]
	}
	return made
}
