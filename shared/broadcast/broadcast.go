// Package broadcast sends one message to all users of an app, each in its conversation with the sender: a broadcast, which a job
// works through. How far it has come can be read for seven days.
//
//	begun, err := service.Begin(ctx, app, from, content, idempotencyKey) // by the request
//	err = worker.Do(ctx, job)                                           // by the queue, as often as it likes
//
// The broadcast's ID is the client ID of all its messages, so a user gets it once, however often a worker dies and however many
// work on the same broadcast. Where the next users begin is saved together with what is counted, and only by the worker who saw
// what was saved last: of two, one goes on.
package broadcast

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/seal"
)

const (
	// MaxUnfinished is how many broadcasts of an app may be unfinished at a time. Each is sent at its own rate, so it bounds what
	// they take from everybody else.
	MaxUnfinished = 3
	// Kept is how long a broadcast is kept. It is not longer than a client ID is remembered: whoever still works on it then
	// could send twice.
	Kept = message.ClientIDLife
	// Shards is how many parts the directory of an app's users has; package userdb makes as many.
	Shards = 16
)

// State is how far a broadcast has come.
type State string

// The states.
const (
	// Running is being sent, or waits for its next turn.
	Running State = "running"
	// Done was sent to all users.
	Done State = "done"
	// Cancelled was stopped on request; whoever it reached before has it.
	Cancelled State = "cancelled"
	// Failed was stopped because its sender is deactivated or deleted.
	Failed State = "failed"
)

// Broadcast is a broadcast and how far it has come.
type Broadcast struct {
	ID   id.Broadcast
	App  id.App
	From id.User
	// Type is the type of its message.
	Type string
	// KeyNumber and Fingerprint are the MAC of sender and content, for requests that are repeated.
	KeyNumber   uint32
	Fingerprint []byte
	// CreatedAt is when it was asked for, CancelledAt when it was asked to stop; zero for not.
	CreatedAt, CancelledAt time.Time
	// Slot is which of the app's MaxUnfinished places it takes, from 0.
	Slot int
	Progress
}

// Progress is what a worker changes of a broadcast.
type Progress struct {
	State State
	// Code is why it has failed.
	Code fault.Code
	// FinishedAt is when nothing more was to be sent; zero until then.
	FinishedAt time.Time
	// Sent, Skipped and Failed count users: who has it, to whom it cannot be sent, and with whom it went wrong.
	Sent, Skipped, Failed int
	// Shard is the part of the directory that the next users are in, Position where in it they begin, sealed: it is a name.
	Shard    int
	Position []byte
	// Last is an entry that was sent, the zero Mark for none.
	Last Mark
	// Tries is how often the next users were tried in vain.
	Tries int
	// Steps counts how often this was saved, Run names who did it last.
	Steps int
	Run   string
}

// Mark is an entry of a conversation.
type Mark struct {
	Conversation id.Conversation
	Sequence     int64
}

// Finished tells whether nothing more will be sent.
func (b Broadcast) Finished() bool { return b.State != Running }

// Over tells whether the broadcast is older than broadcasts are kept, though DynamoDB may not have removed it yet.
func (b Broadcast) Over(now time.Time) bool { return !now.Before(b.CreatedAt.Add(Kept)) }

// finished returns the broadcast as it ends.
func (b Broadcast) finished(state State, code fault.Code, at time.Time) Broadcast {
	b.State, b.Code, b.FinishedAt, b.Position = state, code, at, nil
	return b
}

// Content is what a broadcast says.
type Content struct {
	// Type is the message's type, "" for text; Text the text or the caption.
	Type     string            `json:"type"`
	Text     string            `json:"text,omitempty"`
	MediaID  id.Media          `json:"media_id,omitempty"`
	Location *message.Location `json:"location,omitempty"`
	Custom   *message.Object   `json:"custom,omitempty"`
}

// draft returns the message of the broadcast to the receiver.
func (c Content) draft(of Broadcast, to id.User) message.Draft {
	return message.Draft{App: of.App, From: of.From, To: string(to), Type: c.Type, Text: c.Text, MediaID: c.MediaID,
		Parts: message.Parts{Location: c.Location, Custom: c.Custom}, ClientID: string(of.ID)}
}

// What is sealed of a broadcast stands at places of its own: no conversation has such an ID.
const (
	contentPlace = iota
	positionPlace
)

func (b Broadcast) place(sequence int64) seal.Place {
	return seal.Place{Conversation: id.Conversation(b.ID), Sequence: sequence, Sender: b.From}
}

func decode(text []byte, content *Content) error {
	if err := json.Unmarshal(text, content); err != nil {
		return fmt.Errorf("content of a broadcast: %w", err)
	}
	return nil
}
