package message

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
)

// Users finds users. user.Service is one.
type Users interface {
	// Resolve returns the ID that an ID or username stands for, without checking that an ID exists. field names the
	// input, for the refusal.
	Resolve(ctx context.Context, app id.App, idOrName, field string) (id.User, error)
	// Admits refuses what the sender would send to a user who does not take it; silently tells that the sender is to believe
	// that it does.
	Admits(ctx context.Context, app id.App, sender, receiver id.User, field string) (silently bool, err error)
}

// Devices reaches users' devices. connection.Service is one.
type Devices interface {
	// Notify notes that the conversation changed for the user up to the sequence, under the next version, and posts the frame of that
	// version to every live device but the one of the connection in except. It fails only where the note fails.
	Notify(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64, except string, frame func(version int64) []byte) (version int64, err error)
	// HasOther tells whether the user has a device besides the one of the connection; read strongly.
	HasOther(ctx context.Context, app id.App, user id.User, connection string) (bool, error)
	// Broadcast posts the frame of the conversation's entry (0 for what is none) to every live device of the users but the one
	// of the connection in except, and notes nothing. It fails only where it cannot be found out who is online.
	Broadcast(ctx context.Context, app id.App, users []id.User, conversation id.Conversation, sequence int64, except string, frame []byte) error
	// Changed visits the conversations that changed for the user after the version since, by ID, each with the version
	// of its last change and the highest sequence that was noted, and returns the user's version; complete is false
	// where it cannot tell, groups where the user has never been in a group, and own where nothing was ever noted of the
	// user's own log.
	Changed(ctx context.Context, app id.App, user id.User, since int64, strong bool, visit func(conversation id.Conversation, version, sequence int64)) (version int64, complete, groups, own bool, err error)
}

// Sealer encrypts texts and makes fingerprints. seal.Keyring is one.
type Sealer interface {
	Seal(ctx context.Context, app id.App, place seal.Place, text []byte) ([]byte, error)
	Open(ctx context.Context, app id.App, place seal.Place, sealed []byte) ([]byte, error)
	MAC(ctx context.Context, app id.App, purpose seal.Purpose, data []byte) (number uint32, tag []byte, err error)
	VerifyMAC(ctx context.Context, app id.App, purpose seal.Purpose, number uint32, data, tag []byte) (bool, error)
}

// Service sends, lists and marks messages.
type Service struct {
	Log     Log
	Claims  Claims
	Members Members
	// Operations may be nil where nothing is done with messages.
	Operations Operations
	// Removals may be nil where nobody reads as a user.
	Removals Removals
	// Groups may be nil where nothing is written to a group.
	Groups Groups
	// Attachments may be nil where no media is sent or shown.
	Attachments Attachments
	Users       Users
	Devices     Devices
	Sealer      Sealer
	Clock       clock.Clock
	// Pause waits before the next attempt to append. nil means Backoff.
	Pause func(ctx context.Context, attempt int) error
}

// Backoff waits a random time before the attempt: up to 10 ms doubling, at most 300 ms. The randomness keeps writers
// who collided once from colliding again.
func Backoff(ctx context.Context, attempt int) error {
	most := min(10*time.Millisecond<<min(attempt, 5), 300*time.Millisecond)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rand.N(most)):
		return nil
	}
}

func (s *Service) pause(ctx context.Context, attempt int) error {
	if s.Pause != nil {
		return s.Pause(ctx, attempt)
	}
	return Backoff(ctx, attempt)
}

// read returns the contiguous entries from the sequence on, at most limit. It reads cheaply first; where that leaves a
// hole that later entries prove to be filled, it reads strongly.
func (s *Service) read(ctx context.Context, app id.App, conversation id.Conversation, from int64, limit int) ([]Entry, error) {
	entries, err := s.Log.Read(ctx, app, conversation, from, limit, false)
	if err != nil {
		return nil, err
	}
	if prefix := Contiguous(entries, from, +1); len(prefix) == len(entries) {
		return entries, nil
	}
	entries, err = s.readStrongly(ctx, app, conversation, from, limit)
	return Contiguous(entries, from, +1), err
}

// readStrongly reads everything there is from the sequence on. A number that was left empty in a group's log is filled on
// the way, so that no reader stands before it for ever.
func (s *Service) readStrongly(ctx context.Context, app id.App, conversation id.Conversation, from int64, limit int) ([]Entry, error) {
	entries, err := s.Log.Read(ctx, app, conversation, from, limit, true)
	if err != nil || conversation.Group() == "" {
		return entries, err
	}
	end := from + int64(len(Contiguous(entries, from, +1))) - 1
	if !s.abandoned(entries, end) {
		return entries, nil
	}
	if err := s.settle(ctx, app, conversation, end, entries[len(entries)-1].Sequence-1); err != nil {
		return nil, err
	}
	return s.Log.Read(ctx, app, conversation, from, limit, true)
}

// readBack returns the contiguous entries from the sequence (0: the end) back, at most limit. Here too a page with a
// hole, or one that stops early, is read again strongly.
func (s *Service) readBack(ctx context.Context, app id.App, conversation id.Conversation, to int64, limit int) ([]Entry, error) {
	entries, err := s.Log.ReadBack(ctx, app, conversation, to, limit, false)
	if err != nil || wholeBack(entries, to, limit) {
		return entries, err
	}
	entries, err = s.Log.ReadBack(ctx, app, conversation, to, limit, true)
	if err != nil || conversation.Group() == "" || len(entries) == 0 {
		return entries, err
	}
	top := entries[0].Sequence // what comes meanwhile can have gaps again
	if to > top {
		behind, err := s.Log.Read(ctx, app, conversation, to, 1, true)
		if err != nil {
			return nil, err
		}
		if len(behind) > 0 { // else the log ends before it: nobody has taken that number
			top = to
		}
	}
	if len(Contiguous(entries, top, -1)) == len(entries) {
		return entries, nil
	}
	if err := s.settle(ctx, app, conversation, entries[len(entries)-1].Sequence, top); err != nil {
		return nil, err
	}
	return s.Log.ReadBack(ctx, app, conversation, top, limit, true)
}

// wholeBack tells whether a descending page begins where it was asked to, has no hole, and is full or reaches the first
// entry of the log.
func wholeBack(entries []Entry, to int64, limit int) bool {
	if len(entries) == 0 || to > 0 && entries[0].Sequence != to {
		return false
	}
	unbroken := len(Contiguous(entries, entries[0].Sequence, -1)) == len(entries)
	return unbroken && (len(entries) == limit || entries[len(entries)-1].Sequence == 1)
}

// tail returns the last entry of the conversation; zero where it sees none.
func (s *Service) tail(ctx context.Context, app id.App, conversation id.Conversation, strong bool) (Entry, error) {
	entries, err := s.Log.ReadBack(ctx, app, conversation, 0, 1, strong)
	if err != nil || len(entries) == 0 {
		return Entry{}, err
	}
	return entries[0], nil
}

// Contiguous returns the leading entries whose sequences are first, first+step, first+2·step …
func Contiguous(entries []Entry, first, step int64) []Entry {
	for i, entry := range entries {
		if entry.Sequence != first+int64(i)*step {
			return entries[:i]
		}
	}
	return entries
}

// open decrypts an entry.
func (s *Service) open(ctx context.Context, entry Entry) (Message, error) {
	if entry.Type == TypeVoid || entry.recalled() {
		return entry.open(nil)
	}
	text, err := s.Sealer.Open(ctx, entry.App, entry.place(), entry.Sealed)
	if err != nil {
		return Message{}, fmt.Errorf("open %s: %w", entry.ID(), err)
	}
	return entry.open(text)
}

// openAll decrypts the entries.
func (s *Service) openAll(ctx context.Context, entries []Entry) ([]Message, error) {
	messages := make([]Message, 0, len(entries))
	for _, entry := range entries {
		message, err := s.open(ctx, entry)
		if err != nil {
			return nil, err
		}
		messages = append(messages, message)
	}
	return messages, nil
}

func (e Entry) place() seal.Place {
	return seal.Place{Conversation: e.Conversation, Sequence: e.Sequence, Sender: e.Sender}
}
