package message

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// MaxPins bounds how many messages of a conversation are pinned.
const MaxPins = 50

// Pin pins a message, so that it is among the conversation's pinned ones. In a group its owner and admins can.
func (s *Service) Pin(ctx context.Context, act Act) (Done, error) { return s.pin(ctx, act, Pinned) }

// Unpin takes a message from among the pinned ones.
func (s *Service) Unpin(ctx context.Context, act Act) (Done, error) { return s.pin(ctx, act, Unpinned) }

func (s *Service) pin(ctx context.Context, act Act, kind OperationKind) (Done, error) {
	return s.do(ctx, act, func(ctx context.Context, on scene) (decision, error) {
		if on.Conversation.Group() != "" {
			if err := on.manages(); err != nil {
				return decision{}, err
			}
		}
		hidden, err := s.hides(ctx, on)
		if err != nil {
			return decision{}, err
		}
		pins, err := s.Operations.Pins(ctx, on.Caller.App, on.Conversation)
		if err != nil {
			return decision{}, err
		}
		decided := decision{after: pins.Sequence, hidden: hidden, operation: Operation{Kind: kind, Seq: on.Sequence}}
		if decided.done = slices.Contains(pins.Pinned, on.Sequence) == (kind == Pinned); decided.done {
			return decided, nil
		}
		switch {
		case kind == Pinned && on.target.recalled():
			return decision{}, messageRecalled()
		case kind == Pinned && len(pins.Pinned) >= MaxPins:
			return decision{}, fault.New(fault.PinsFull, MaxPins)
		}
		if hidden { // the other user's list stays as it is
			return decided, nil
		}
		decided.change = func(entry Entry) Alteration {
			return Alteration{Pins: pins.with(on.Sequence, kind, entry.Sequence), Was: pins.Sequence}
		}
		return decided, nil
	})
}

// with returns the pins after the operation of the sequence.
func (p Pins) with(message int64, kind OperationKind, sequence int64) *Pins {
	p.Sequence, p.Pinned = sequence, toggled(p.Pinned, message, kind == Pinned)
	return &p
}

// PinnedMessages returns the messages of the conversation that are pinned, the latest first, as far as the user may see them;
// "" is an application.
func (s *Service) PinnedMessages(ctx context.Context, app id.App, user id.User, conversation id.Conversation) ([]Message, error) {
	if !id.IsConversation(string(conversation)) {
		return nil, notFound()
	}
	pins, err := s.Operations.Pins(ctx, app, conversation)
	if err != nil {
		return nil, err
	}
	if _, err := s.reader(ctx, app, user, conversation, len(pins.Pinned) > 0); err != nil { // strangers cause no reads of what is pinned
		return nil, err
	}
	entries := make([]Entry, len(pins.Pinned))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(tailReaders)
	for i, sequence := range pins.Pinned {
		group.Go(func() (err error) {
			entries[len(entries)-1-i], err = s.entryAt(reading, Entry{App: app, Conversation: conversation, Sequence: sequence})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	member, err := s.reader(ctx, app, user, conversation, true)
	if err == nil {
		entries, err = s.shown(ctx, member, entries, false)
	}
	if err != nil {
		return nil, err
	}
	return s.openAll(ctx, slices.DeleteFunc(entries, func(e Entry) bool { return !e.counts() }))
}
