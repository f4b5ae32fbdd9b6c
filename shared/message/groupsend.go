package message

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// sendToGroup stores a message in a group's log and, unless the fan-out does, posts it to the members' devices. Nothing is
// noted for the members: a group's messages cost one entry whatever its size, and clients find what they missed by the log's end.
//
// The reads have an order: the log's end before the roster. Where the number that was taken follows that end, no change of
// the group can lie between, so the roster is the one at the message's own place in the log: a member whose removal stands
// before it gets nothing. Otherwise the roster is read again after everything before the message can be read.
func (s *Service) sendToGroup(ctx context.Context, draft Draft, group id.Group) (Sent, error) {
	entry := Entry{App: draft.App, Conversation: id.Conversation(group), Sender: draft.From, Type: draft.Type, Rich: draft.refers(), ClientID: draft.ClientID}
	seen, err := s.lookAtEnd(ctx, draft.App, entry.Conversation)
	if err != nil {
		return Sent{}, err
	}
	roster, seat, err := s.hear(ctx, draft, group, seen.reach)
	if err != nil {
		return Sent{}, err
	}
	if err := s.referInGroup(ctx, &draft, roster, seat); err != nil {
		return Sent{}, err
	}
	stored, err := s.appendNumbered(ctx, draft, entry, seat.speaker(), seen)
	if err != nil {
		return Sent{}, err
	}
	if err := s.settle(ctx, stored.App, stored.Conversation, max(seen.settled, stored.Base), stored.Sequence-1); err != nil {
		return Sent{}, err
	}
	message, err := s.openSent(ctx, draft, stored)
	if err != nil {
		return Sent{}, err
	}
	if stored.Reach != Fanned && (stored.Sequence != seen.last+1 || seen.settled != seen.last) {
		if roster, err = s.Groups.Roster(ctx, draft.App, group); err != nil {
			return Sent{}, err
		}
	}
	return Sent{Message: message}, s.announceToGroup(ctx, stored, message, roster, draft.Connection)
}

// hear returns the group's roster, and the seat of the sender, who may speak. A group whose log has shown that it is fanned out
// needs no roster: the sender's own row says who it is.
func (s *Service) hear(ctx context.Context, draft Draft, group id.Group, reach Reach) (roster Roster, seat Seat, err error) {
	roster.Reach = reach
	if reach != Fanned {
		if roster, err = s.Groups.Roster(ctx, draft.App, group); err != nil {
			return Roster{}, Seat{}, err
		}
	}
	seat, member := roster.Members[draft.From]
	if roster.Reach == Fanned {
		row, err := s.Members.Get(ctx, draft.App, draft.From, id.Conversation(group), true)
		if err != nil && !errors.Is(err, ErrNotMember) {
			return Roster{}, Seat{}, err
		}
		seat, member = row.Seat, err == nil && row.In()
	}
	if !member {
		return Roster{}, Seat{}, fault.New(fault.NotAMember)
	}
	return roster, seat, s.heard(seat)
}

// announceToGroup posts the message to the members' devices, unless the fan-out does, and moves the sender's own read mark to
// it: who writes has read what came before.
func (s *Service) announceToGroup(ctx context.Context, entry Entry, message Message, roster Roster, connection string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		_, _, err := s.Members.MarkRead(ctx, entry.App, entry.Sender, entry.Conversation, entry.Sequence, entry.ToLower)
		if errors.Is(err, ErrNotMember) {
			return nil // gone meanwhile, and with it the mark
		}
		return err
	})
	if entry.Reach != Fanned {
		group.Go(func() error { return s.broadcast(ctx, entry, message, roster.at(entry.Sequence), connection) })
	}
	return group.Wait()
}

// broadcast posts a group's message to the users' devices, but to the one of the connection in except.
func (s *Service) broadcast(ctx context.Context, entry Entry, message Message, to []id.User, except string) error {
	return s.Devices.Broadcast(ctx, entry.App, to, entry.Conversation, entry.Sequence, except, Arrival{Event: arrivalEvent, Message: message}.Encode())
}

// at returns the members who see the entry of the sequence, by ID.
func (r Roster) at(sequence int64) []id.User {
	var users []id.User
	for _, user := range slices.Sorted(maps.Keys(r.Members)) {
		if r.Members[user].Since <= sequence {
			users = append(users, user)
		}
	}
	return users
}

// Tell takes the next number of the group's log and returns the entry that tells of the change there, by the user or, for
// "", by an application. It is to be put in the transaction that makes the change, then published; or abandoned.
func (s *Service) Tell(ctx context.Context, app id.App, group id.Group, by id.User, change GroupChange) (Entry, error) {
	entry := Entry{App: app, Conversation: id.Conversation(group), Sender: by, Type: TypeEvent}
	seen, err := s.lookAtEnd(ctx, app, entry.Conversation)
	if err != nil {
		return Entry{}, err
	}
	if entry, err = s.take(ctx, entry, change.Kind.speaker(), seen); err != nil {
		return Entry{}, err
	}
	return s.Told(ctx, entry, change)
}

// Told returns the entry with the change as its text, sealed: for the first entry of a group, which nobody has to count for.
func (s *Service) Told(ctx context.Context, entry Entry, change GroupChange) (Entry, error) {
	text, err := json.Marshal(change)
	if err != nil {
		return Entry{}, err
	}
	return s.sealed(ctx, entry, text)
}

// Settle returns when every number of the group's log that was taken before stands there. It takes a number for that itself,
// which becomes a void.
func (s *Service) Settle(ctx context.Context, app id.App, group id.Group) error {
	entry := Entry{App: app, Conversation: id.Conversation(group)}
	seen, err := s.lookAtEnd(ctx, app, entry.Conversation)
	if err != nil {
		return err
	}
	if entry, err = s.take(ctx, entry, Nobody, seen); err != nil {
		return err
	}
	s.giveUp(ctx, entry)
	return s.settle(ctx, app, entry.Conversation, entry.Base, entry.Sequence)
}

// Abandon fills the number of an entry that was told and never put.
func (s *Service) Abandon(ctx context.Context, entry Entry) { s.giveUp(ctx, entry) }

// Publish shows an entry that was put: once everything before it can be read it is posted to the members' devices, unless the
// fan-out does that. For those whom it affects it is noted besides, so that a device that is offline learns of the group, or
// of its end, at its next sync.
func (s *Service) Publish(ctx context.Context, entry Entry, affected []id.User) error {
	message, err := s.readable(ctx, entry)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	if entry.Reach != Fanned {
		group.Go(func() error { return s.tellRoster(ctx, entry, message, affected, "") })
	}
	group.Go(func() error { return s.note(ctx, entry, message, affected) })
	return group.Wait()
}

// tellRoster posts the message to the members' devices, but not to those of who is noted, and not to the one of the connection in
// except.
func (s *Service) tellRoster(ctx context.Context, entry Entry, message Message, noted []id.User, except string) error {
	roster, err := s.Groups.Roster(ctx, entry.App, entry.Conversation.Group())
	if err != nil {
		return err
	}
	told := roster.at(entry.Sequence)
	told = slices.DeleteFunc(told, func(user id.User) bool { return slices.Contains(noted, user) })
	return s.broadcast(ctx, entry, message, told, except)
}

// Remind posts a change to users whom it affects once more, and notes it for them: Publish may have broken off before it did.
// Where no change stands at the sequence, as where tables were restored to other moments, there is nothing to tell.
func (s *Service) Remind(ctx context.Context, app id.App, of id.Group, sequence int64, affected []id.User) error {
	entry, err := s.entryAt(ctx, Entry{App: app, Conversation: id.Conversation(of), Sequence: sequence})
	if err != nil || entry.Type != TypeEvent {
		return err
	}
	message, err := s.readable(ctx, entry)
	if err != nil {
		return err
	}
	return s.note(ctx, entry, message, affected)
}

// readable returns the entry opened, once everything before it can be read.
func (s *Service) readable(ctx context.Context, entry Entry) (Message, error) {
	if err := s.settle(ctx, entry.App, entry.Conversation, entry.Base, entry.Sequence-1); err != nil {
		return Message{}, err
	}
	return s.open(ctx, entry)
}

// note notes an entry for those whom it affects, and posts it to their devices.
func (s *Service) note(ctx context.Context, entry Entry, message Message, affected []id.User) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(tailReaders)
	for _, user := range affected {
		group.Go(func() error {
			_, err := s.Devices.Notify(ctx, entry.App, user, entry.Conversation, entry.Sequence, "", func(version int64) []byte {
				return Arrival{Event: arrivalEvent, Message: message, V: version}.Encode()
			})
			return err
		})
	}
	return group.Wait()
}

// Between returns the group's messages from the sequence to the other: the log has to have no gap there. It ends before the
// first that is not there any more, because the group has been erased or the tables were restored to other moments.
func (s *Service) Between(ctx context.Context, app id.App, conversation id.Conversation, from, to int64) ([]Message, error) {
	messages := make([]Message, 0, to-from+1)
	for from <= to {
		entries, err := s.read(ctx, app, conversation, from, int(min(to-from+1, PageSize)))
		if err != nil {
			return nil, err
		}
		if len(entries) == 0 { // the cheap read is behind, or they are gone
			if entries, err = s.readStrongly(ctx, app, conversation, from, int(min(to-from+1, PageSize))); err != nil {
				return nil, err
			}
			if entries = Contiguous(entries, from, +1); len(entries) == 0 {
				return messages, nil
			}
		}
		opened, err := s.openAll(ctx, entries)
		if err != nil {
			return nil, err
		}
		messages, from = append(messages, opened...), from+int64(len(entries))
	}
	return messages, nil
}
