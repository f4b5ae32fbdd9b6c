package message

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/id"
)

// Changes answers what has happened since a version.
type Changes struct {
	// V is the user's version now.
	V int64 `json:"v"`
	// Changed are the conversations that changed, by ID. A client reads on from what it has of each.
	Changed []Change `json:"changed,omitzero"`
	// Full says that the version is too old to tell: all conversations have to be checked.
	Full bool `json:"full,omitempty"`
}

// Change is a conversation that has changed, with its last message.
type Change struct {
	ConversationID id.Conversation `json:"conversation_id"`
	Last           Message         `json:"last"`
}

// Sync returns what has changed for the user since the version: half a read unit, and half a unit for each
// conversation.
func (s *Service) Sync(ctx context.Context, app id.App, user id.User, since int64) (Changes, error) {
	version, changed, complete, err := s.Devices.Changed(ctx, app, user, since, false)
	if err != nil {
		return Changes{}, err
	}
	if !complete {
		return Changes{V: version, Full: true}, nil
	}
	conversations := slices.Sorted(maps.Keys(changed))
	answer := Changes{V: version, Changed: make([]Change, len(conversations))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(tailReaders)
	for i, conversation := range conversations {
		group.Go(func() error {
			entries, err := s.readBack(ctx, app, conversation, 0, 1)
			if err != nil || len(entries) == 0 {
				return err
			}
			last, err := s.open(ctx, entries[0])
			answer.Changed[i] = Change{ConversationID: conversation, Last: last}
			return err
		})
	}
	return answer, group.Wait()
}
