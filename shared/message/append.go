package message

import (
	"bytes"
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/seal"
)

// busyAfter is how long an append tries before it answers conversation_busy. At about 9 appends a second into one pair
// nobody waits; 50 writers at once get through at 17 a second.
const busyAfter = 5 * time.Second

// firstGlance is how many entries a retry reads first: its own is mostly the one behind the claim, and three of 1 KB cost
// one read unit.
const firstGlance = 3

// busyRetry is what a client is told to wait then.
const busyRetry = 2 * time.Second

// look is what an append has seen of the log. The invariant that makes retries safe: every entry after the first
// attempt's view, up to last, has been compared with the draft's client ID.
type look struct {
	// last is the last entry seen; zero for an empty log.
	last Entry
	// duplicate is the entry that an earlier attempt appended, if one was seen.
	duplicate *Entry
	// silently tells that the receiver is not to see what is appended.
	silently bool
}

// append stores the draft as the next entry of the pair's log and returns it, or returns the entry that an earlier
// attempt with the same client ID stored.
func (s *Service) append(ctx context.Context, draft Draft, to id.User) (Entry, error) {
	entry := Entry{App: draft.App, Conversation: id.Pair(draft.App, draft.From, to), Sender: draft.From, Recipient: to,
		Type: draft.Type, Rich: draft.refers(), ClientID: draft.ClientID}
	seen, err := s.firstLook(ctx, draft, entry)
	if err != nil {
		return Entry{}, err
	}
	entry.Hidden = seen.silently
	if seen, err = s.unlessRefused(ctx, draft, entry, seen); err != nil {
		return Entry{}, err
	}
	if seen.duplicate == nil && draft.ClientID != "" && draft.Known == nil {
		if seen, err = s.claim(ctx, draft, entry, seen); err != nil {
			return Entry{}, err
		}
	}
	if seen.duplicate != nil {
		return s.sameOrConflict(ctx, draft, *seen.duplicate)
	}
	if seen.last.Sequence == 0 {
		if err := s.ensureMembers(ctx, entry); err != nil {
			return Entry{}, err
		}
	}
	return s.putNext(ctx, draft, entry, seen.last)
}

// firstLook reads the log and, at the same time, makes sure that the receiver takes what the sender
// sends.
func (s *Service) firstLook(ctx context.Context, draft Draft, entry Entry) (seen look, err error) {
	group, ctx := errgroup.WithContext(ctx)
	silently := false
	group.Go(func() (err error) {
		silently, err = s.Users.Admits(ctx, entry.App, entry.Sender, entry.Recipient, "to")
		return err
	})
	group.Go(func() (err error) {
		if draft.Known == nil {
			seen.last, err = s.tail(ctx, entry.App, entry.Conversation, false)
			return err
		}
		seen, err = s.lookFrom(ctx, entry, *draft.Known)
		return err
	})
	err = group.Wait()
	seen.silently = silently
	return seen, err
}

// lookFrom reads everything from the known sequence on. Nothing else can hold a duplicate: the client's first attempt
// named the same sequence.
func (s *Service) lookFrom(ctx context.Context, entry Entry, known int64) (look, error) {
	from := max(known, 1)
	limit := PageSize + 2 // the known entry, a page after it, and one that is too many
	entries, err := s.Log.Read(ctx, entry.App, entry.Conversation, from, limit, false)
	if err != nil {
		return look{}, err
	}
	entries = Contiguous(entries, from, +1)
	if len(entries) == 0 && known > 0 {
		if entries, err = s.Log.Read(ctx, entry.App, entry.Conversation, from, limit, true); err != nil {
			return look{}, err
		}
		if len(entries) == 0 || entries[0].Sequence != known {
			return look{}, fault.Invalid(fault.Field{Name: "known", Code: fault.KnownAhead, Args: []any{known}})
		}
	}
	seen := entry.find(entries)
	if seen.duplicate == nil && seen.last.Sequence-known > PageSize {
		return look{}, fault.Invalid(fault.Field{Name: "known", Code: fault.KnownTooOld, Args: []any{PageSize}})
	}
	return seen, nil
}

// claim puts the client-ID record. Where an earlier attempt has put one, everything since that attempt's view is read
// strongly and searched.
func (s *Service) claim(ctx context.Context, draft Draft, entry Entry, seen look) (look, error) {
	body := draft.body()
	number, tag, err := s.Sealer.MAC(ctx, entry.App, seal.Fingerprint, body)
	if err != nil {
		return look{}, err
	}
	mine := Claim{From: seen.last.Sequence, KeyNumber: number, Fingerprint: tag}
	standing, put, err := s.Claims.Put(ctx, entry.App, entry.Conversation, entry.Sender, entry.ClientID, mine, s.Clock.Now())
	if err != nil || put {
		return seen, err
	}
	if err := s.sameBody(ctx, draft, standing); err != nil {
		return look{}, err
	}
	return s.lookOn(ctx, entry, max(standing.From, 1))
}

// lookOn reads strongly from the sequence to the end of the log, page by page, and looks for a duplicate.
func (s *Service) lookOn(ctx context.Context, entry Entry, from int64) (look, error) {
	var seen look
	for limit := firstGlance; ; limit = PageSize {
		entries, err := s.Log.Read(ctx, entry.App, entry.Conversation, from, limit, true)
		if err != nil {
			return look{}, err
		}
		page := entry.find(entries)
		if page.last.Sequence != 0 {
			seen = page
		}
		if seen.duplicate != nil || len(entries) < limit {
			return seen, nil
		}
		from = seen.last.Sequence + 1
	}
}

// putNext puts the entry behind the last one seen until nothing else stands there.
func (s *Service) putNext(ctx context.Context, draft Draft, entry, last Entry) (Entry, error) {
	deadline := s.Clock.Now().Add(busyAfter)
	for attempt := 0; ; attempt++ {
		next, err := s.sealed(ctx, last.follow(entry), draft.content())
		if err != nil {
			return Entry{}, err
		}
		if err = s.Log.Append(ctx, next); err == nil || !errors.Is(err, ErrTaken) {
			return next, err
		}
		seen, err := s.lookOn(ctx, entry, last.Sequence+1)
		if err != nil {
			return Entry{}, err
		}
		if seen.duplicate != nil {
			return s.sameOrConflict(ctx, draft, *seen.duplicate)
		}
		if seen.last.Sequence > 0 {
			last = seen.last
		}
		if !s.Clock.Now().Before(deadline) {
			return Entry{}, busy()
		}
		if err := s.pause(ctx, attempt); err != nil {
			return Entry{}, fault.Wrap(err, fault.Unavailable)
		}
	}
}

// openSent returns the entry that the draft came to, opened: what the draft says, unless somebody has changed it since an earlier
// attempt stored it.
func (s *Service) openSent(ctx context.Context, draft Draft, entry Entry) (Message, error) {
	if entry.rewritten() {
		return s.open(ctx, entry)
	}
	return entry.open(draft.content())
}

// sealed returns the entry with its time and the text sealed for its place.
func (s *Service) sealed(ctx context.Context, entry Entry, text []byte) (Entry, error) {
	entry.SentAt = s.Clock.Now().Truncate(time.Millisecond)
	var err error
	entry.Sealed, err = s.Sealer.Seal(ctx, entry.App, entry.place(), text)
	return entry, err
}

// sameOrConflict returns the entry that an earlier attempt stored, if it has the draft's body.
func (s *Service) sameOrConflict(ctx context.Context, draft Draft, entry Entry) (Entry, error) {
	if entry.rewritten() {
		return entry, nil
	}
	stored, err := s.open(ctx, entry)
	if err != nil {
		return Entry{}, err
	}
	if stored.Type != draft.Type || stored.refers() != draft.refers() || !bytes.Equal(stored.content(), draft.content()) {
		return Entry{}, clientIDConflict()
	}
	return entry, nil
}

// find returns the last of the entries and the one that has the sender and client ID of e.
func (e Entry) find(entries []Entry) look {
	var seen look
	for i, entry := range entries {
		if e.ClientID != "" && entry.ClientID == e.ClientID && entry.Sender == e.Sender {
			seen.duplicate = &entries[i]
		}
		seen.last = entry
	}
	return seen
}

// body is what a client ID stands for. No type has a line break or a plus in it, so no two bodies read alike: not that of a text
// and that of another which refers to something and is JSON.
func (d Draft) body() []byte {
	kind := d.Type
	if d.refers() {
		kind += "+"
	}
	return append([]byte(kind+"\n"), d.content()...)
}

func clientIDConflict() error {
	return fault.Invalid(fault.Field{Name: "client_id", Code: fault.ClientIDConflict})
}

func busy() error {
	refusal := fault.New(fault.ConversationBusy)
	refusal.RetryAfter = busyRetry
	return refusal
}
