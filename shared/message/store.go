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

// ErrChanged says that what an operation builds on is not as it was read.
var ErrChanged = errors.New("message: changed meanwhile")

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
	// Get returns the record. A read that is not strong costs half a unit and may not see one that was put just now.
	Get(ctx context.Context, app id.App, conversation id.Conversation, sender id.User, clientID string, strong bool, now time.Time) (standing Claim, found bool, err error)
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
	// GetAll returns the rows of up to 100 users in one round trip, by user; who has none is left out. Of the same caution. Half a
	// read unit a user, where strong a whole one.
	GetAll(ctx context.Context, app id.App, users []id.User, conversation id.Conversation, strong bool) (map[id.User]Member, error)
	// List returns up to limit rows of the user by conversation ID, those after the ID; "" begins.
	List(ctx context.Context, app id.App, user id.User, after id.Conversation, limit int, strong bool) ([]Member, error)
	// Acknowledge moves the acknowledged mark forward to the sequence, and returns the row after that and whether this call
	// has moved it. A mark at or past it stays. ErrNotMember where there is no row. One write.
	Acknowledge(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (after Member, moved bool, err error)
	// MarkRead does the same for the read mark and its ordinal.
	MarkRead(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence, ordinal int64) (after Member, moved bool, err error)
}

// Alteration is what an operation does to a conversation.
type Alteration struct {
	// Entry tells of it.
	Entry Entry
	// Message is the message as it is after it, with a Revision one higher; nil leaves it.
	Message *Entry
	// Superseded has the sequence of an entry that told of an earlier edit, and what it tells from now on; nil for none.
	Superseded *Entry
	// Reactions are the acting user's to the message after it, Pins what is pinned after it; nil leaves them. Was is the
	// Sequence that they had before, 0 for none.
	Reactions *Reactions
	Pins      *Pins
	Was       int64
}

// Reactions are what a user has reacted to a message with.
type Reactions struct {
	User  id.User
	Texts []string
	// Sequence is that of the operation that changed them last.
	Sequence int64
}

// Pins are the messages of a conversation that are pinned.
type Pins struct {
	// Pinned are their sequences, in the order in which they were pinned.
	Pinned []int64
	// Sequence is that of the operation that changed them last.
	Sequence int64
}

// Operations changes messages, and keeps who has reacted to them and which are pinned.
type Operations interface {
	// Alter does all of it or nothing: ErrTaken where an entry has its sequence already, ErrChanged where the
	// message's revision, the reactions or the pins are not what they were. Two writes of the size of each row.
	Alter(ctx context.Context, change Alteration) error
	// Reactions returns the user's reactions to the message of the sequence, read strongly; none is no error.
	Reactions(ctx context.Context, app id.App, conversation id.Conversation, sequence int64, user id.User) (Reactions, error)
	// Reactors returns up to limit users who have, or once had, reactions to the message, by ID, those after the user; ""
	// begins. It is eventually consistent.
	Reactors(ctx context.Context, app id.App, conversation id.Conversation, sequence int64, after id.User, limit int) ([]Reactions, error)
	// Windows returns the windows that the app has set, the platform's for others. Half a read unit.
	Windows(ctx context.Context, app id.App) (OperationWindows, error)
	// Pins returns what is pinned in the conversation, read strongly; nothing is no error.
	Pins(ctx context.Context, app id.App, conversation id.Conversation) (Pins, error)
}
