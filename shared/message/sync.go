package message

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/id"
)

// Changes answers what has happened since a version.
type Changes struct {
	V       int64    `json:"v" doc:"The user's version now." example:"42"`
	Changed []Change `json:"changed,omitzero" nullable:"false" doc:"The conversations that changed, by ID. A client reads on from what it has of each."`
	Full    bool     `json:"full,omitempty" doc:"The version is too old to tell: check all conversations."`
}

// Change is a conversation that has changed.
type Change struct {
	ConversationID id.Conversation `json:"conversation_id" doc:"The conversation's ID." example:"c_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Seq            int64           `json:"seq" doc:"Its last sequence." example:"7"`
	Last           *Message        `json:"last,omitempty" doc:"Its last message; absent where the answer has no more room for it."`
}

// Sync returns what has changed for the user since the version: half a read unit, and half a unit for each
// conversation.
func (s *Service) Sync(ctx context.Context, app id.App, user id.User, since int64) (Changes, error) {
	changed, version, complete, err := s.changedSince(ctx, app, user, since, false)
	if err != nil {
		return Changes{}, err
	}
	if !complete {
		return Changes{V: version, Full: true}, nil
	}
	answer := Changes{V: version, Changed: make([]Change, len(changed))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(tailReaders)
	for i, noted := range changed {
		group.Go(func() error {
			tail, err := s.tailFrom(ctx, app, noted.conversation, noted.sequence)
			if err != nil {
				return err
			}
			last, err := s.open(ctx, tail)
			answer.Changed[i] = Change{ConversationID: noted.conversation, Seq: tail.Sequence, Last: &last}
			return err
		})
	}
	err = group.Wait()
	return answer.fit(), err
}

// fit leaves out the messages that would make the answer too large for a frame; their sequences stay.
func (c Changes) fit() Changes {
	size := 0
	for i, change := range c.Changed {
		if change.Last == nil {
			continue
		}
		if size += len(encode(change)) + 1; size > windowBytes {
			c.Changed[i].Last = nil
		}
	}
	return c
}

// noted is a conversation's last change as the routing record has it.
type noted struct {
	conversation      id.Conversation
	version, sequence int64
}

// changedSince returns the conversations that changed after the version, by ID.
func (s *Service) changedSince(ctx context.Context, app id.App, user id.User, since int64, strong bool) (changed []noted, version int64, complete bool, err error) {
	version, complete, err = s.Devices.Changed(ctx, app, user, since, strong,
		func(conversation id.Conversation, version, sequence int64) {
			changed = append(changed, noted{conversation, version, sequence})
		})
	return changed, version, complete, err
}

// tailFrom returns the last entry of a conversation, at least the one that was noted: a client that is told less would
// take the version and never look for the rest. The cheap read mostly has it.
func (s *Service) tailFrom(ctx context.Context, app id.App, conversation id.Conversation, noted int64) (Entry, error) {
	for _, strong := range []bool{false, true} {
		entries, err := s.Log.ReadBack(ctx, app, conversation, 0, 1, strong)
		if err != nil {
			return Entry{}, err
		}
		if len(entries) == 1 && entries[0].Sequence >= noted {
			return entries[0], nil
		}
	}
	return Entry{}, fmt.Errorf("conversation %s ends before the noted entry %d", conversation, noted)
}
