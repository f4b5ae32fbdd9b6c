package message

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
)

// A group's log is numbered by a counter, so that many can write at once: whoever has taken a number is the only one to put
// an entry there, and nobody has to try twice. The price is that a writer may die between the two. Whoever finds a number
// empty for longer than voidAfter fills it with a void, and the late writer takes another.
//
// The client-ID record arbitrates between the attempts of one send: it names the one number at which the message may stand.
// A retry puts the message there if nothing does, and moves the record on only where a void stands.

// voidAfter is how long a number may be empty before it is filled with a void. A writer needs some ten milliseconds.
const voidAfter = 2 * time.Second

// end is what a writer has seen of the end of a group's log.
type end struct {
	// last is the last sequence that was seen, settled the one up to which the log surely has no gaps.
	last, settled int64
	// reach is the furthest that was seen.
	reach Reach
	// shown is where a preview of what was seen is to be looked for.
	shown int64
}

// lookAtEnd reads the last entries cheaply. Where many wrote at once none of them knows the log up to its end, and it reads
// on from what they knew: else whoever writes later would hand on the old knowledge, and have to settle more with every entry.
func (s *Service) lookAtEnd(ctx context.Context, app id.App, conversation id.Conversation) (end, error) {
	entries, err := s.Log.ReadBack(ctx, app, conversation, 0, firstGlance, false)
	if err != nil || len(entries) == 0 {
		return end{}, err
	}
	seen := end{last: entries[0].Sequence, settled: settledBy(entries), reach: furthest(entries)}
	for _, entry := range entries {
		seen.shown = max(seen.shown, entry.shown())
	}
	if seen.settled == seen.last {
		return seen, nil
	}
	next, limit := seen.settled+1, int(min(seen.last-seen.settled, PageSize))
	entries, err = s.Log.Read(ctx, app, conversation, next, limit, false)
	seen.settled += int64(len(Contiguous(entries, next, +1)))
	return seen, err
}

// furthest returns the furthest reach of the entries.
func furthest(entries []Entry) (reach Reach) {
	for _, entry := range entries {
		reach = max(reach, entry.Reach)
	}
	return reach
}

// settledBy returns the sequence up to which the last entries of a log, newest first, prove that nothing is missing: the
// newest, where they reach back without a gap to what one of their writers knew, else the best that one of them knew.
func settledBy(entries []Entry) int64 {
	var known int64
	for _, entry := range entries {
		known = max(known, entry.Base)
	}
	newest := entries[0].Sequence
	run := Contiguous(entries, newest, -1)
	if known >= run[len(run)-1].Sequence-1 {
		return newest
	}
	return known
}

// take returns the entry at the next number of its log.
func (s *Service) take(ctx context.Context, entry Entry, speaker Speaker, seen end) (Entry, error) {
	number, err := s.Groups.Take(ctx, entry.App, entry.Conversation.Group(), speaker)
	entry.Sequence, entry.ToLower, entry.Base = number.Sequence, number.Ordinal, min(seen.settled, number.Sequence-1)
	entry.Reach = number.Reach
	return entry, err
}

// appendNumbered stores the draft in a group's log and returns the entry, or the one that an earlier attempt with the same
// client ID stored. A plain retry is told by a cheap look at the client-ID record before a number is taken for it: the number
// would become a void, which others count as unread.
func (s *Service) appendNumbered(ctx context.Context, draft Draft, entry Entry, speaker Speaker, seen end) (Entry, error) {
	if stored, err := s.stored(ctx, draft, entry); err != nil || stored.Sequence != 0 {
		return stored, err
	}
	if draft.refused != nil {
		return Entry{}, draft.refused
	}
	mine, err := s.take(ctx, entry, speaker, seen)
	if err != nil {
		return Entry{}, err
	}
	place, err := s.reserve(ctx, draft, mine)
	if err != nil {
		s.giveUp(ctx, mine)
		return Entry{}, err
	}
	deadline := s.Clock.Now().Add(busyAfter)
	for {
		stored, err := s.fill(ctx, draft, place)
		if err != nil {
			s.giveUp(ctx, mine)
			return Entry{}, err
		}
		if stored.Type != TypeVoid {
			if stored.Sequence != mine.Sequence {
				s.giveUp(ctx, mine)
			}
			return stored, nil
		}
		if !s.Clock.Now().Before(deadline) {
			s.giveUp(ctx, mine)
			return Entry{}, busy()
		}
		if mine.Sequence == place.Sequence { // filled by somebody who has waited for it too long
			if mine, err = s.take(ctx, entry, speaker, seen); err != nil {
				return Entry{}, err
			}
		}
		if place, err = s.move(ctx, place, mine); err != nil {
			s.giveUp(ctx, mine)
			return Entry{}, err
		}
	}
}

// stored returns the entry that an earlier attempt stored; zero where none is seen.
func (s *Service) stored(ctx context.Context, draft Draft, entry Entry) (Entry, error) {
	if draft.ClientID == "" {
		return Entry{}, nil
	}
	standing, found, err := s.Claims.Get(ctx, entry.App, entry.Conversation, entry.Sender, entry.ClientID, draft.refused != nil, s.Clock.Now())
	if err != nil || !found {
		return Entry{}, err
	}
	if err := s.sameBody(ctx, draft, standing); err != nil {
		return Entry{}, err
	}
	stored, err := s.entryAt(ctx, entry.of(standing))
	if err != nil || !entry.wrote(stored) {
		return Entry{}, err
	}
	return s.sameOrConflict(ctx, draft, stored)
}

// sameBody refuses a draft that is not the one that the client-ID record was put for.
func (s *Service) sameBody(ctx context.Context, draft Draft, standing Claim) error {
	same, err := s.Sealer.VerifyMAC(ctx, draft.App, seal.Fingerprint, standing.KeyNumber, draft.body(), standing.Fingerprint)
	if err == nil && !same {
		err = clientIDConflict()
	}
	return err
}

// reserve returns where the message belongs: at the number that was taken, or, where an earlier attempt has put the
// client-ID record, at the number of that.
func (s *Service) reserve(ctx context.Context, draft Draft, mine Entry) (Entry, error) {
	if draft.ClientID == "" {
		return mine, nil
	}
	number, tag, err := s.Sealer.MAC(ctx, mine.App, seal.Fingerprint, draft.body())
	if err != nil {
		return Entry{}, err
	}
	claim := Claim{From: mine.Sequence, Ordinal: mine.ToLower, KeyNumber: number, Fingerprint: tag}
	standing, put, err := s.Claims.Put(ctx, mine.App, mine.Conversation, mine.Sender, mine.ClientID, claim, s.Clock.Now())
	if err != nil || put {
		return mine, err
	}
	return mine.of(standing), s.sameBody(ctx, draft, standing)
}

// of returns the entry at the place that the client-ID record names.
func (e Entry) of(standing Claim) Entry {
	e.Sequence, e.ToLower, e.Base = standing.From, standing.Ordinal, min(e.Base, standing.From-1)
	return e
}

// move returns where the message belongs after a void was found at its place: at the number that was taken, unless another
// attempt has moved the record first.
func (s *Service) move(ctx context.Context, from, mine Entry) (Entry, error) {
	if mine.ClientID == "" {
		return mine, nil
	}
	standing, err := s.Claims.Move(ctx, mine.App, mine.Conversation, mine.Sender, mine.ClientID, from.Sequence,
		Claim{From: mine.Sequence, Ordinal: mine.ToLower})
	return mine.of(standing), err
}

// fill puts the message at its place and returns what stands there then: the message, by this attempt or another, or a
// void.
func (s *Service) fill(ctx context.Context, draft Draft, place Entry) (Entry, error) {
	entry, err := s.sealed(ctx, place, draft.content())
	if err != nil {
		return Entry{}, err
	}
	if err = s.Log.Append(ctx, entry); err == nil || !errors.Is(err, ErrTaken) {
		return entry, err
	}
	stored, err := s.entryAt(ctx, place)
	if err != nil || !place.wrote(stored) {
		stored.Type = TypeVoid // somebody else's there is as good as one: the number is spent
		return stored, err
	}
	return s.sameOrConflict(ctx, draft, stored)
}

// wrote tells whether the entry that stands at the draft's number is the draft's, by an earlier attempt. Another's stands
// there only where tables were restored and the counter, or the client-ID record, is not as new as the log.
func (e Entry) wrote(stored Entry) bool {
	return e.ClientID != "" && stored.ClientID == e.ClientID && stored.Sender == e.Sender
}

// entryAt reads strongly what stands at the place; zero where nothing does.
func (s *Service) entryAt(ctx context.Context, place Entry) (Entry, error) {
	entries, err := s.Log.Read(ctx, place.App, place.Conversation, place.Sequence, 1, true)
	if err != nil || len(entries) == 0 || entries[0].Sequence != place.Sequence {
		return Entry{}, err
	}
	return entries[0], nil
}

// giveUp fills a number that nothing will come of. Where that fails, whoever waits for it does the same, later.
func (s *Service) giveUp(ctx context.Context, place Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveUpPatience)
	defer cancel()
	_ = s.void(ctx, place)
}

// giveUpPatience is how long giving a number up may take.
const giveUpPatience = time.Second

// void puts a void at the place, unless something stands there.
func (s *Service) void(ctx context.Context, place Entry) error {
	err := s.Log.Append(ctx, Entry{App: place.App, Conversation: place.Conversation, Sequence: place.Sequence, Type: TypeVoid,
		SentAt: s.Clock.Now().Truncate(time.Millisecond), ToLower: place.ToLower, Base: place.Base, Reach: place.Reach})
	if errors.Is(err, ErrTaken) {
		return nil
	}
	return err
}

// settle returns when the log has no gap up to the sequence: it waits for writers who are on their way, and fills what they
// have left empty for longer than voidAfter. An entry is acknowledged and shown only after that: what can be read is the
// part of the log before its first gap.
func (s *Service) settle(ctx context.Context, app id.App, conversation id.Conversation, settled, until int64) error {
	begun := s.Clock.Now()
	for attempt := 0; settled < until; attempt++ {
		from := max(settled, 1)
		entries, err := s.Log.Read(ctx, app, conversation, from, PageSize, true)
		if err != nil {
			return err
		}
		before := settled
		if run := Contiguous(entries, from, +1); len(run) > 0 {
			settled = run[len(run)-1].Sequence
		}
		for _, entry := range entries {
			settled = max(settled, entry.Base)
		}
		if settled > before {
			attempt = 0
			continue
		}
		if s.Clock.Now().Sub(begun) >= voidAfter || s.abandoned(entries, settled) {
			if err := s.void(ctx, missing(app, conversation, entries, settled)); err != nil {
				return err
			}
			continue
		}
		if err := s.pause(ctx, attempt); err != nil {
			return fault.Wrap(err, fault.Unavailable)
		}
	}
	return nil
}

// abandoned tells whether the number after the sequence is empty for longer than voidAfter: an entry behind it, whose number
// was taken later, was put before that.
func (s *Service) abandoned(entries []Entry, sequence int64) bool {
	for _, entry := range entries {
		if entry.Sequence > sequence+1 && s.Clock.Now().Sub(entry.SentAt) >= voidAfter {
			return true
		}
	}
	return false
}

// missing returns the place after the sequence. Its ordinal is that of the entry before: whoever has read up to it is told of
// a message too many rather than of one too few. What those behind it knew the log to have, it has: that lies before the gap.
// Its reach is at least its own, so that a fan-out which waits for it is told.
func missing(app id.App, conversation id.Conversation, entries []Entry, sequence int64) Entry {
	place := Entry{App: app, Conversation: conversation, Sequence: sequence + 1, Reach: furthest(entries)}
	for _, entry := range entries {
		place.Base = max(place.Base, entry.Base)
		if entry.Sequence == sequence {
			place.ToLower = entry.ToLower
		}
	}
	return place
}

// groupFault turns what a group refuses into what the caller is told.
func groupFault(err error) error {
	switch {
	case errors.Is(err, ErrNoGroup):
		return fault.Invalid(fault.Field{Name: "to", Code: fault.GroupNotFound})
	case errors.Is(err, ErrDismissed):
		return fault.New(fault.GroupDismissed)
	case errors.Is(err, ErrAdminsOnly):
		return fault.New(fault.GroupAdminsOnly)
	case errors.Is(err, ErrHushed):
		return fault.New(fault.GroupMuted)
	}
	return err
}
