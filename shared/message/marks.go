package message

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Marks is where a user stands in a conversation.
type Marks struct {
	ConversationID id.Conversation `json:"conversation_id" doc:"The conversation's ID." example:"c_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	AckSeq         int64           `json:"ack_seq" doc:"The acknowledged mark after this call." example:"7"`
	ReadSeq        int64           `json:"read_seq" doc:"The read mark after this call." example:"7"`
	ClearedSeq     int64           `json:"cleared_seq,omitempty" doc:"The sequence up to which the user has cleared the conversation for itself; absent where it has not." example:"5"`
	Unread         *int64          `json:"unread,omitempty" doc:"Messages from others beyond the read mark; absent after acknowledging."`
}

// Acknowledge says that the user's device has everything up to the sequence. Marks move forward only; one beyond the
// end of the conversation is fault.SequenceAhead.
func (s *Service) Acknowledge(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (Marks, error) {
	entry, err := s.entryOf(ctx, app, user, conversation, sequence)
	if err != nil {
		return Marks{}, err
	}
	member, moved, err := s.Members.Acknowledge(ctx, app, user, conversation, sequence)
	if err != nil {
		return Marks{}, notMember(err)
	}
	if moved && member.Read < sequence { // what was read has arrived: there is nothing new to tell
		s.tellPeer(ctx, entry, member)
	}
	return member.marks(), nil
}

// MarkRead says that the user has read everything up to the sequence, as Acknowledge does, and returns what is left.
func (s *Service) MarkRead(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (Marks, error) {
	entry, err := s.entryOf(ctx, app, user, conversation, sequence)
	if err != nil {
		return Marks{}, err
	}
	member, moved, err := s.Members.MarkRead(ctx, app, user, conversation, sequence, entry.Ordinal(user))
	if err != nil {
		return Marks{}, notMember(err)
	}
	if moved {
		s.tellPeer(ctx, entry, member)
	}
	return s.left(ctx, member)
}

// left returns the member's marks with what is unread behind them.
func (s *Service) left(ctx context.Context, member Member) (Marks, error) {
	tail, err := s.tail(ctx, member.App, member.Conversation, false)
	if err != nil {
		return Marks{}, err
	}
	marks := member.marks()
	unread := int64(0)
	if tail.Sequence > 0 {
		unread = max(0, member.Unread(tail))
	}
	marks.Unread = &unread
	return marks, nil
}

// entryOf returns the entry of the sequence for one of the conversation's two users. Because logs have no gaps, an
// entry that exists is a mark that does not lie ahead. Strangers learn nothing, not even how long the log is.
func (s *Service) entryOf(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (Entry, error) {
	if !id.IsConversation(string(conversation)) {
		return Entry{}, notFound()
	}
	if conversation.Group() != "" {
		return s.entryOfGroup(ctx, app, user, conversation, sequence)
	}
	for _, strong := range []bool{false, true} {
		entries, err := s.Log.Read(ctx, app, conversation, sequence, 1, strong)
		if err != nil {
			return Entry{}, err
		}
		if len(entries) == 1 && entries[0].Sequence == sequence {
			if entries[0].Sender != user && entries[0].Recipient != user {
				return Entry{}, notFound()
			}
			return entries[0], nil
		}
	}
	if _, err := s.member(ctx, app, user, conversation); err != nil {
		return Entry{}, err
	}
	return Entry{}, sequenceAhead(sequence)
}

// entryOfGroup is entryOf for a group, whose entries do not tell who its members are. A mark before the user joined moves
// nothing, so it does no harm. One that passed a number which is empty still would have the user miss what comes there.
func (s *Service) entryOfGroup(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (Entry, error) {
	if _, err := s.member(ctx, app, user, conversation); err != nil {
		return Entry{}, err
	}
	entries, err := s.readStrongly(ctx, app, conversation, sequence, 1)
	if err != nil {
		return Entry{}, err
	}
	if len(entries) == 0 || entries[0].Sequence != sequence {
		return Entry{}, sequenceAhead(sequence)
	}
	return entries[0], s.settle(ctx, app, conversation, entries[0].Base, sequence-1)
}

func sequenceAhead(sequence int64) error {
	return fault.Invalid(fault.Field{Name: "seq", Code: fault.SequenceAhead, Args: []any{sequence}})
}

func (m Member) marks() Marks {
	return Marks{ConversationID: m.Conversation, AckSeq: m.Acknowledged, ReadSeq: m.Read, ClearedSeq: m.Cleared}
}

func notMember(err error) error {
	if errors.Is(err, ErrNotMember) {
		return notFound()
	}
	return err
}
