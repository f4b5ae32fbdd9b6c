package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrUnreadable says that a head is kept in a form that no store writes.
var ErrUnreadable = errors.New("record: unreadable head")

// MostRead is how many records List looks at in one call, at the most: so many more than a page has that a filter which
// chooses few is served in few calls, and so few that a call comes to its end.
const MostRead = 1000

// Filter chooses records. What is left empty chooses all.
type Filter struct {
	// Subject, Actor, Action and Permission are compared as they are.
	Subject, Actor, Permission string
	Action                     Action
	// From is the earliest time, Until the first that is too late.
	From, Until time.Time
}

// Matches tells whether the filter chooses the record.
func (f Filter) Matches(r Record) bool {
	return (f.Subject == "" || f.Subject == r.Subject) && (f.Actor == "" || f.Actor == r.Actor) &&
		(f.Action == "" || f.Action == r.Action) && (f.Permission == "" || slices.Contains(r.Permissions, f.Permission)) &&
		(f.From.IsZero() || !r.At.Before(f.From)) && (f.Until.IsZero() || r.At.Before(f.Until))
}

// Position says where the record stands in lists: by time, and records of one millisecond by chain and number.
func (r Record) Position() string {
	return fmt.Sprintf("%s#%x#%016d", Instant(r.At), r.Chain, r.Seq)
}

// Instant is the position before all records of the time, and behind all earlier ones. Times beyond what 13 digits of
// milliseconds can say are the first or the last that they can.
func Instant(at time.Time) string {
	return fmt.Sprintf("%013d", min(max(at.UnixMilli(), 0), 9_999_999_999_999))
}

// Store keeps logs. Whoever changes something else with a record does both in one transaction, which is the business of
// the store that is changed; here is what only reads, and what only records.
type Store interface {
	// Append adds a record by itself to a chain of its log.
	Append(ctx context.Context, record Record) error
	// List returns records of the log that the filter chooses, the newest first, or the oldest first: up to limit of them,
	// those after the position, "" to begin. next is the position to go on after, "" at the end; a page can be short, even
	// empty, before the end. It is eventually consistent.
	List(ctx context.Context, log Log, filter Filter, oldestFirst bool, position string, limit int) (entries []Entry, next string, err error)
	// Chain returns up to limit records of the chain by Seq, those after the number, read strongly, as they are kept: a text
	// that cannot be decoded comes with a zero Record. Fewer than the limit are all there are.
	Chain(ctx context.Context, log Log, chain int, after int64, limit int) ([]Entry, error)
	// Head returns the end of the chain, read strongly; ErrUnreadable where what stands there is none.
	Head(ctx context.Context, log Log, chain int) (Head, error)
}
