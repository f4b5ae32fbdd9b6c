package message

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/id"
)

// A user has a log of its own: the pair of the user with itself. Its entries tell of what the user has removed for itself, and
// nobody else sees them. They are noted and posted like messages, so that the user's devices do the same, in the same order.

// ErrOvertaken says that a removal was decided by what is not so any more.
var ErrOvertaken = errors.New("message: removal overtaken")

// Removals keeps what users have removed for themselves.
type Removals interface {
	// Deleted returns the sequences of the conversation, from the one to the other, that the user has deleted, ascending.
	Deleted(ctx context.Context, app id.App, user id.User, conversation id.Conversation, from, to int64, strong bool) ([]int64, error)
	// Remove does all of the removal or nothing; ErrOvertaken where the row's marks are not those that were read, where one
	// of the messages is deleted already, or where the entry's place is taken.
	Remove(ctx context.Context, removal Removal) error
}

// Removal is what a user removes for itself from a conversation.
type Removal struct {
	// Was is the user's row of the conversation as it was read, Is the same with the marks, Cleared and Deletes that it is to
	// have. The conversation has at least one entry.
	Was, Is Member
	// Deleted are the sequences of messages that the user has not deleted before, at most MaxDeleted.
	Deleted []int64
	// Entry tells of it in the user's own log.
	Entry Entry
}

// own tells whether the row is of the user's own log.
func (m Member) own() bool { return m.Peer == m.User && m.User != "" }

// First returns the sequence at which begins what the user may see of the conversation: where it joined, or behind what it has
// cleared.
func (m Member) First() int64 { return max(m.Seat.Since, m.Cleared+1) }

// shown returns entries of one conversation as the member sees them: what it has removed for itself is a void, and so is what was
// accepted silently. Whoever has deleted nothing pays no read for that. The zero Member is an application's, which sees everything.
func (s *Service) shown(ctx context.Context, member Member, entries []Entry, strong bool) ([]Entry, error) {
	if member.User == "" || len(entries) == 0 {
		return entries, nil
	}
	var deleted []int64
	if member.Deletes {
		var err error
		if deleted, err = s.deletedAmong(ctx, member, entries, strong); err != nil {
			return nil, err
		}
	}
	seen := make([]Entry, len(entries))
	for i, entry := range entries {
		seen[i] = entry.seenBy(member.User)
		if _, gone := slices.BinarySearch(deleted, entry.Sequence); gone || entry.Sequence < member.First() {
			seen[i] = entry.blank()
		}
	}
	return seen, nil
}

// deletedAmong returns the sequences that the member has deleted, ascending: all among those of the entries, and some beside. Entries
// that lie far apart, as pinned ones do, are looked for by themselves: what was deleted between them has no bound.
func (s *Service) deletedAmong(ctx context.Context, member Member, entries []Entry, strong bool) ([]int64, error) {
	asked := make([]int64, len(entries))
	for i, entry := range entries {
		asked[i] = entry.Sequence
	}
	slices.Sort(asked)
	var runs [][]int64
	for start, i := 0, 1; i <= len(asked); i++ {
		if i == len(asked) || asked[i]-asked[i-1] > PageSize {
			runs, start = append(runs, asked[start:i]), i
		}
	}
	found := make([][]int64, len(runs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(tailReaders)
	for i, run := range runs {
		group.Go(func() (err error) {
			found[i], err = s.Removals.Deleted(ctx, member.App, member.User, member.Conversation, run[0], run[len(run)-1], strong)
			return err
		})
	}
	err := group.Wait()
	return slices.Concat(found...), err
}

// shownOne is shown for one entry.
func (s *Service) shownOne(ctx context.Context, member Member, entry Entry, strong bool) (Entry, error) {
	seen, err := s.shown(ctx, member, []Entry{entry}, strong)
	if err != nil {
		return Entry{}, err
	}
	return seen[0], nil
}
