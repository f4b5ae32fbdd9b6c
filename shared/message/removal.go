package message

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/plainjson"
)

// MaxDeleted is how many messages one call deletes: they go in one transaction, which takes a hundred writes.
const MaxDeleted = 50

// Delete removes messages of a conversation for the user, and for nobody else: to the user they are voids from then on. Who deletes
// a message has read up to it. It refuses what is no message that the user sees. A repeated call finds them deleted, and
// completes the telling.
func (s *Service) Delete(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequences []int64) (Marks, error) {
	member, err := s.removing(ctx, app, user, conversation)
	if err != nil {
		return Marks{}, err
	}
	entries, err := s.deletable(ctx, member, sequences)
	if err != nil {
		return Marks{}, err
	}
	return s.remove(ctx, member, func(now Member) (Removal, Operation, error) {
		removal, err := s.deletion(ctx, now, entries)
		return removal, Operation{Kind: Deleted, ConversationID: conversation, Seqs: removal.Deleted}, err
	})
}

// Clear removes all of a conversation up to the sequence for the user, and for nobody else; 0 stands for its end. What the user may
// see begins behind it from then on, and the user has read up to it.
func (s *Service) Clear(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (Marks, error) {
	member, err := s.removing(ctx, app, user, conversation)
	if err != nil {
		return Marks{}, err
	}
	if sequence == 0 {
		last, err := s.tail(ctx, app, conversation, true)
		if err != nil || last.Sequence == 0 {
			return member.marks(), err
		}
		sequence = last.Sequence
	}
	entry, err := s.entryOf(ctx, app, user, conversation, sequence)
	if err != nil {
		return Marks{}, err
	}
	return s.remove(ctx, member, func(now Member) (Removal, Operation, error) {
		removal := Removal{Was: now, Is: now.after(entry)}
		removal.Is.Cleared = max(now.Cleared, sequence)
		removal.Is.Acknowledged = max(now.Acknowledged, sequence)
		return removal, Operation{Kind: Cleared, ConversationID: conversation, Seq: sequence}, nil
	})
}

// removing returns the row of the user who removes something from the conversation. From its own log nothing is removed: its
// devices would miss it.
func (s *Service) removing(ctx context.Context, app id.App, user id.User, conversation id.Conversation) (Member, error) {
	if !id.IsConversation(string(conversation)) || conversation == id.Pair(app, user, user) {
		return Member{}, notFound()
	}
	return s.member(ctx, app, user, conversation)
}

// deletable returns the entries of the sequences, ascending. Those that the user does not see any more are left out; what never was
// a message that it saw is refused. Because logs have no gaps, the highest tells whether all are there.
func (s *Service) deletable(ctx context.Context, member Member, sequences []int64) ([]Entry, error) {
	for i, sequence := range sequences {
		if name := fmt.Sprintf("seqs[%d]", i); sequence < 1 {
			return nil, fault.Invalid(fault.Field{Name: name, Code: fault.FieldRange, Args: []any{name, ">= 1"}})
		}
	}
	asked := slices.Compact(slices.Sorted(slices.Values(sequences)))
	last := asked[len(asked)-1]
	if _, err := s.entryOf(ctx, member.App, member.User, member.Conversation, last); err != nil {
		if fault.Is(err, fault.SequenceAhead) {
			name := fmt.Sprintf("seqs[%d]", slices.Index(sequences, last))
			err = fault.Invalid(fault.Field{Name: name, Code: fault.SequenceAhead, Args: []any{last}})
		}
		return nil, err
	}
	asked = slices.DeleteFunc(asked, func(sequence int64) bool { return sequence < member.First() })
	entries := make([]Entry, len(asked))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(tailReaders)
	for i, sequence := range asked {
		group.Go(func() error {
			found, err := s.read(ctx, member.App, member.Conversation, sequence, 1)
			if err == nil && len(found) == 0 {
				found, err = s.readStrongly(ctx, member.App, member.Conversation, sequence, 1)
			}
			if err != nil {
				return err
			}
			if len(found) == 0 || !found[0].seenBy(member.User).counts() {
				return noMessageAt(slices.Index(sequences, sequence))
			}
			entries[i] = found[0]
			return nil
		})
	}
	return entries, group.Wait()
}

// noMessageAt refuses the i-th of the sequences.
func noMessageAt(i int) error {
	return fault.Invalid(fault.Field{Name: fmt.Sprintf("seqs[%d]", i), Code: fault.MessageNotFound})
}

// deletion returns what is left to delete of the entries, which are in order.
func (s *Service) deletion(ctx context.Context, now Member, entries []Entry) (Removal, error) {
	removal := Removal{Was: now, Is: now}
	if len(entries) == 0 {
		return removal, nil
	}
	var deleted []int64
	if now.Deletes {
		var err error
		if deleted, err = s.deletedAmong(ctx, now, entries, true); err != nil {
			return removal, err
		}
	}
	for _, entry := range entries {
		if _, gone := slices.BinarySearch(deleted, entry.Sequence); !gone && entry.Sequence >= now.First() {
			removal.Deleted, removal.Is = append(removal.Deleted, entry.Sequence), removal.Is.after(entry)
			removal.Is.Deletes = true
		}
	}
	return removal, nil
}

// after returns the row of who has read up to the entry.
func (m Member) after(entry Entry) Member {
	if entry.Sequence > m.Read {
		m.Read, m.ReadOrdinal = entry.Sequence, entry.Ordinal(m.User)
	}
	return m
}

// remove does what plan makes of the user's row, which it gets as it is now, together with an entry in the user's own log, and
// tells the user's devices. Two at once come one after the other, by the number of that entry: what it was planned by is read
// behind the entry before. Where nothing is left to do the last entry is told again: whoever did it may have died before.
func (s *Service) remove(ctx context.Context, member Member, plan func(now Member) (Removal, Operation, error)) (Marks, error) {
	deadline := s.Clock.Now().Add(busyAfter)
	for attempt := 0; ; attempt++ {
		last, now, err := s.standing(ctx, member)
		if err != nil {
			return Marks{}, err
		}
		removal, told, err := plan(now)
		if err != nil {
			return Marks{}, err
		}
		if len(removal.Deleted) == 0 && removal.Is.Cleared == now.Cleared {
			return s.removed(ctx, now, last)
		}
		if removal.Entry, err = s.ownEntry(ctx, member, last, told); err != nil {
			return Marks{}, err
		}
		if err = s.Removals.Remove(ctx, removal); err == nil {
			return s.removed(ctx, removal.Is, removal.Entry)
		}
		if !errors.Is(err, ErrOvertaken) {
			return Marks{}, err
		}
		if !s.Clock.Now().Before(deadline) {
			return Marks{}, busy()
		}
		if err := s.pause(ctx, attempt); err != nil {
			return Marks{}, fault.Wrap(err, fault.Unavailable)
		}
	}
}

// standing returns the last entry of the user's own log, zero where it has none, and after it the user's row of the conversation.
// The own log's row comes before its first entry.
func (s *Service) standing(ctx context.Context, member Member) (last Entry, now Member, err error) {
	own := Member{App: member.App, User: member.User, Peer: member.User, Conversation: id.Pair(member.App, member.User, member.User)}
	last, err = s.tail(ctx, own.App, own.Conversation, true)
	if err == nil && last.Sequence == 0 {
		err = s.Members.Ensure(ctx, own)
	}
	if err != nil {
		return Entry{}, Member{}, err
	}
	now, err = s.memberNow(ctx, member.App, member.User, member.Conversation)
	return last, now, err
}

// ownEntry returns the entry of the user's own log that comes after the last and tells of the operation.
func (s *Service) ownEntry(ctx context.Context, member Member, last Entry, told Operation) (Entry, error) {
	return s.sealed(ctx, last.follow(Entry{App: member.App, Conversation: id.Pair(member.App, member.User, member.User),
		Sender: member.User, Recipient: member.User, Type: TypeOperation}), plainjson.Must(told))
}

// removed tells the user's devices of the entry, unless it is zero, and returns where the user stands in the conversation.
func (s *Service) removed(ctx context.Context, now Member, entry Entry) (Marks, error) {
	if entry.Sequence > 0 {
		message, err := s.open(ctx, entry)
		if err != nil {
			return Marks{}, err
		}
		if err := s.note(ctx, entry, message, []id.User{now.User}); err != nil {
			return Marks{}, err
		}
	}
	return s.left(ctx, now)
}
