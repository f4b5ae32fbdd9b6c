package message

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/plainjson"
)

// Changes answers what has happened since a version.
type Changes struct {
	V       int64    `json:"v" doc:"The user's version now." example:"42"`
	Changed []Change `json:"changed,omitzero" nullable:"false" doc:"The conversations that changed, by ID. A client reads on from what it has of each."`
	Groups  []Change `json:"groups,omitzero" nullable:"false" doc:"Where each group that the user is in ends, by ID: a group's messages are not among what changed. A client reads on from what it has of each."`
	Full    bool     `json:"full,omitempty" doc:"The version is too old to tell: check all conversations."`
}

// Change is a conversation that has changed.
type Change struct {
	ConversationID id.Conversation `json:"conversation_id" doc:"The conversation's ID." example:"c_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Seq            int64           `json:"seq" doc:"Its last sequence; for a group the one of the change that concerned the user." example:"7"`
	State          State           `json:"state,omitempty" enum:"member,invited,asked,left" doc:"For a group: how the user stands to it now."`
	Last           *Message        `json:"last,omitempty" doc:"Its last message; absent where the answer has no more room for it."`
}

// maxSyncGroups is how many groups an answer to sync lists: what fits into a frame beside the rest. Whoever is in more is told
// to check all conversations.
const maxSyncGroups = 500

// Sync returns what has changed for the user since the version: half a read unit, and half a unit for each
// conversation that changed and for each group.
func (s *Service) Sync(ctx context.Context, app id.App, user id.User, since int64) (Changes, error) {
	now, err := s.changedSince(ctx, app, user, since, false)
	if err != nil {
		return Changes{}, err
	}
	if !now.complete {
		return Changes{V: now.version, Full: true}, nil
	}
	answer := Changes{V: now.version, Changed: make([]Change, len(now.changed))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(tailReaders)
	for i, noted := range now.changed {
		group.Go(func() (err error) { answer.Changed[i], err = s.change(ctx, app, user, now, noted); return err })
	}
	if now.groups {
		group.Go(func() (err error) { answer.Groups, err = s.groupEnds(ctx, app, user); return err })
	}
	if err := group.Wait(); err != nil {
		return Changes{}, err
	}
	if len(answer.Groups) > maxSyncGroups {
		return Changes{V: now.version, Full: true}, nil
	}
	return answer.fit(), nil
}

// change returns what a noted conversation is like now. A group is noted where the user's own membership changed. Only of those who
// have removed something for themselves is the row read that tells of it.
func (s *Service) change(ctx context.Context, app id.App, user id.User, now changes, noted noted) (Change, error) {
	if noted.conversation.Group() != "" {
		member, err := s.Members.Get(ctx, app, user, noted.conversation, true)
		return Change{ConversationID: noted.conversation, Seq: noted.sequence, State: member.Seat.State}, err
	}
	tail, err := s.tailFrom(ctx, app, noted.conversation, noted.sequence)
	if err != nil {
		return Change{}, err
	}
	if now.own {
		member, err := s.member(ctx, app, user, noted.conversation)
		if err == nil {
			tail, err = s.shownOne(ctx, member, tail, false)
		}
		if err != nil {
			return Change{}, err
		}
	}
	last, err := s.open(ctx, tail.seenBy(user))
	return Change{ConversationID: noted.conversation, Seq: tail.Sequence, Last: &last}, err
}

// groupEnds returns where each of the user's groups ends, at most one more than maxSyncGroups.
func (s *Service) groupEnds(ctx context.Context, app id.App, user id.User) ([]Change, error) {
	ends := []Change{}
	for after := BeforeGroups; len(ends) <= maxSyncGroups; {
		members, err := s.Members.List(ctx, app, user, after, rowsPerPage, false)
		if err != nil {
			return nil, err
		}
		rows, err := s.withTails(ctx, in(members), false)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			ends = append(ends, Change{ConversationID: row.Conversation, Seq: row.tail.Sequence})
		}
		if len(members) < rowsPerPage {
			break
		}
		after = members[len(members)-1].Conversation
	}
	return ends, nil
}

// fit leaves out the messages that would make the answer too large for a frame; their sequences stay.
func (c Changes) fit() Changes {
	size := len(plainjson.Must(c.Groups))
	for i, change := range c.Changed {
		if change.Last == nil {
			continue
		}
		if size += len(plainjson.Must(change)) + 1; size > windowBytes {
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

// changes is what the routing record tells a device at a version.
type changes struct {
	changed []noted
	// version is the user's now.
	version int64
	// complete is false where the version is too old to tell.
	complete bool
	// groups is false where the user has never been in a group.
	groups bool
	// own is false where the user has never removed anything for itself.
	own bool
}

// changedSince returns the conversations that changed after the version, by ID.
func (s *Service) changedSince(ctx context.Context, app id.App, user id.User, since int64, strong bool) (now changes, err error) {
	now.version, now.complete, now.groups, now.own, err = s.Devices.Changed(ctx, app, user, since, strong,
		func(conversation id.Conversation, version, sequence int64) {
			now.changed = append(now.changed, noted{conversation, version, sequence})
		})
	return now, err
}

// tailFrom returns the last entry of a conversation, at least the one that was noted: a client that is told less would
// take the version and never look for the rest. The cheap read mostly has it.
func (s *Service) tailFrom(ctx context.Context, app id.App, conversation id.Conversation, noted int64) (Entry, error) {
	for _, strong := range []bool{false, true} {
		last, err := s.tail(ctx, app, conversation, strong)
		if err != nil || last.Sequence >= noted {
			return last, err
		}
	}
	return Entry{}, fmt.Errorf("conversation %s ends before the noted entry %d", conversation, noted)
}
