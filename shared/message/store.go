package message

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

// ErrTaken says that an entry of that sequence exists already.
var ErrTaken = errors.New("message: sequence taken")

// ErrNotMember says that the user has no row of the conversation.
var ErrNotMember = errors.New("message: not a member")

// Log keeps the entries of conversations.
type Log interface {
	// Append stores the entry if none has its sequence, atomically; else ErrTaken. An entry with the very same
	// ciphertext is this one, stored by an attempt whose answer was lost: that is success. One write of its size.
	Append(ctx context.Context, entry Entry) error
	// Read returns up to limit entries with sequences from `from` on, ascending. A read that is not strong may miss
	// entries, also in the middle: the caller takes the contiguous part only. limit is at most PageSize+2.
	Read(ctx context.Context, app id.App, conversation id.Conversation, from int64, limit int, strong bool) ([]Entry, error)
	// ReadBack returns up to limit entries with sequences up to `to`, descending; to 0 means from the end. The same
	// caution goes for a read that is not strong.
	ReadBack(ctx context.Context, app id.App, conversation id.Conversation, to int64, limit int, strong bool) ([]Entry, error)
}

// Claims keeps client-ID records.
type Claims interface {
	// Put stores the record for ClientIDLife if there is none (or an expired one); else it returns the standing
	// record, read strongly, and put is false.
	Put(ctx context.Context, app id.App, conversation id.Conversation, sender id.User, clientID string, claim Claim, now time.Time) (standing Claim, put bool, err error)
	// Get returns the record, read cheaply: one that was put just now may not be seen. Half a read unit.
	Get(ctx context.Context, app id.App, conversation id.Conversation, sender id.User, clientID string, now time.Time) (standing Claim, found bool, err error)
	// Move sets the record's From and Ordinal to those of the claim if its From is still the one given, and returns the record
	// after that: of two who move it from the same place one succeeds, and both learn where it stands. One write.
	Move(ctx context.Context, app id.App, conversation id.Conversation, sender id.User, clientID string, from int64, claim Claim) (standing Claim, err error)
}

// Members keeps the users' rows of conversations.
type Members interface {
	// Ensure makes the row with zero marks if there is none; a row that exists is left as it is.
	Ensure(ctx context.Context, member Member) error
	// Get returns the row, or ErrNotMember. A read that is not strong may miss what was written just now.
	Get(ctx context.Context, app id.App, user id.User, conversation id.Conversation, strong bool) (Member, error)
	// List returns up to limit rows of the user by conversation ID, those after the ID; "" begins.
	List(ctx context.Context, app id.App, user id.User, after id.Conversation, limit int, strong bool) ([]Member, error)
	// Acknowledge moves the acknowledged mark forward to the sequence and returns the row after that. A mark at or
	// past it stays. ErrNotMember where there is no row. One write.
	Acknowledge(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (Member, error)
	// MarkRead does the same for the read mark and its ordinal.
	MarkRead(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence, ordinal int64) (Member, error)
}
