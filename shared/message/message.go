// Package message is the heart of TokenIM: one append-only log per conversation, and what users do with it.
//
// A conversation's entries are numbered from 1 without gaps. Whoever appends reads first, then puts its entry at the
// next number if nothing stands there; whoever reads believes only the contiguous prefix. From these two rules follow
// order, retries with one effect, and resuming without loss.
package message

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

const (
	// MaxTextBytes bounds a message's text in bytes of UTF-8.
	MaxTextBytes = 4096
	// MaxClientIDBytes bounds a client ID.
	MaxClientIDBytes = 64
	// PageSize is the most entries of one page, of one window of a resume, and that a sender may be behind with "known".
	PageSize = 100
	// ClientIDLife is how long a client ID without "known" is remembered.
	ClientIDLife = 7 * 24 * time.Hour

	// TypeText is the type of a text message.
	TypeText = "text"
	// TypeEvent is the type of an entry that tells of a change of a group; its text is a GroupChange's JSON.
	TypeEvent = "event"
	// TypeOperation is the type of an entry that tells of what somebody did with messages; its text is an Operation's JSON.
	TypeOperation = "operation"
	// TypeVoid is the type of an entry in a group's log whose number was taken and never used, and what the receiver is shown
	// of an entry that was accepted silently. It has nothing to show, and keeps readers from waiting.
	TypeVoid = "void"
)

// Entry is one entry of a conversation's log, as it is stored: the text sealed. Sequence, ordinals, sender and client
// ID never change.
type Entry struct {
	// App and Conversation name the log; Sequence counts its entries from 1.
	App          id.App
	Conversation id.Conversation
	Sequence     int64
	// Sender and Recipient are the two users of a pair. In a group there is no recipient, and no sender where an application
	// made a change.
	Sender    id.User
	Recipient id.User
	// Type is what the message is.
	Type string
	// Sealed is the content under the app's data key: the text, or JSON with all of it.
	Sealed []byte
	// Rich tells that the content of a text is JSON too, for the message refers to something.
	Rich bool
	// ClientID is the sender's own ID of the message; "" where it gave none.
	ClientID string
	// SentAt is when it was appended.
	SentAt time.Time
	// ToLower and ToUpper count the messages of the conversation so far that are for the user whose ID sorts lower,
	// and for the other: the ordinals by which unread messages are counted without reading them. A group counts all its
	// messages in ToLower.
	ToLower int64
	ToUpper int64
	// Hidden tells that the message was accepted silently: the recipient had blocked the sender, and is shown a void. It counts
	// for nobody.
	Hidden bool
	// Base is a sequence up to which the writer knew the log to have no gaps; only groups have it. It spares the next writer
	// to look that far back.
	Base int64
	// Reach is the group's when the number was taken. Entries that are not Direct are what the fan-out is told of.
	Reach Reach
	// Shown is, of an operation, the last sequence that its writer knew to be no operation: where a preview of the conversation
	// is to be looked for.
	Shown int64
	// Revision counts how often the entry was changed since it was put. All that follows changes with it, and so does Sealed.
	Revision int64
	// Edit is the sequence of the operation that tells of the newest content, put at EditedAt; 0 where it is as it was sent.
	Edit     int64
	EditedAt time.Time
	// Recall is the sequence of the operation by which RecalledBy took the message back at RecalledAt; 0 where nobody did.
	// Somebody from outside the conversation is "". A recalled message has no content.
	Recall     int64
	RecalledAt time.Time
	RecalledBy id.User
	// Reactions counts the users who have reacted to the message, by reaction.
	Reactions map[string]int64
}

// Ordinal returns how many messages of the conversation up to this entry are for the user.
func (e Entry) Ordinal(user id.User) int64 {
	if e.Conversation.Group() != "" {
		return e.ToLower
	}
	if user < e.peer(user) {
		return e.ToLower
	}
	return e.ToUpper
}

// peer returns the pair's other user.
func (e Entry) peer(user id.User) id.User {
	if user == e.Sender {
		return e.Recipient
	}
	return e.Sender
}

// follow returns the entry that comes after e in the log: the draft with the next number and the right ordinals.
func (e Entry) follow(draft Entry) Entry {
	draft.Sequence = e.Sequence + 1
	draft.ToLower, draft.ToUpper = e.ToLower, e.ToUpper
	if draft.Type == TypeOperation {
		draft.Shown = e.shown()
	}
	switch {
	case draft.Hidden || !draft.counts():
	case draft.Recipient < draft.Sender:
		draft.ToLower++
	default:
		draft.ToUpper++
	}
	return draft
}

// Message is an entry as users see it, and its JSON on the wire: the same in every answer, push and resume.
type Message struct {
	ConversationID id.Conversation `json:"conversation_id" doc:"The conversation it belongs to." example:"c_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Seq            int64           `json:"seq" doc:"Its number in the conversation, from 1 without gaps." example:"1"`
	MessageID      string          `json:"message_id" doc:"Its ID within the app." example:"m_4oKyQ1F8aXbT0mJ2cLw7Zr_1"`
	From           id.User         `json:"from" doc:"The sender's user ID; empty for what an application changed in a group, and for a void." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	To             string          `json:"to" doc:"The receiver's user ID, or the group's ID." example:"u_7Zr2cLw0mJaXbT4oKyQ1F8"`
	Type           string          `json:"type" doc:"What it is: text, image, video, audio, file, location or custom; operation for what somebody did with messages, event for a change of a group, void for a number that nothing came of." example:"text"`
	Message        string          `json:"message" doc:"The text, or the caption of another type; empty for whatever is no message." example:"Hello!"`
	Parts
	Event     *GroupChange `json:"event,omitempty" doc:"What changed in the group, for type event."`
	Operation *Operation   `json:"operation,omitempty" doc:"What was done with which message, for type operation."`
	ClientID  string       `json:"client_id,omitempty" doc:"The sender's own ID of the message." example:"c-1"`
	SentAt    time.Time    `json:"sent_at" doc:"When it was stored." example:"2026-11-21T23:11:22.143Z"`
	// What became of it since.
	Revision   int64           `json:"revision,omitempty" doc:"How often something was done with it: operations up to this revision are in what it shows." example:"3"`
	EditedAt   *time.Time      `json:"edited_at,omitempty" nullable:"false" doc:"When it was edited last; absent where it is as it was sent."`
	RecalledAt *time.Time      `json:"recalled_at,omitempty" nullable:"false" doc:"When it was recalled: it has no content since."`
	RecalledBy id.User         `json:"recalled_by,omitempty" doc:"Who recalled it; absent where it was done from outside the conversation."`
	Reactions  []ReactionCount `json:"reactions,omitempty" nullable:"false" maxItems:"20" doc:"How often users have reacted to it, by reaction, the most frequent first."`
}

// counts tells whether the entry is a message, which others have unread until they read it.
func (e Entry) counts() bool { return slices.Contains(types, e.Type) }

// ID returns the message ID of the entry: conversation and sequence in one text.
func (e Entry) ID() string {
	return "m_" + strings.TrimPrefix(string(e.Conversation), "c_") + "_" + strconv.FormatInt(e.Sequence, 10)
}

// open returns the entry as users see it, with its text.
func (e Entry) open(text []byte) (Message, error) {
	message := Message{ConversationID: e.Conversation, Seq: e.Sequence, MessageID: e.ID(), From: e.Sender, To: string(e.Recipient),
		Type: e.Type, Message: string(text), ClientID: e.ClientID, SentAt: e.SentAt}
	if e.Conversation.Group() != "" {
		message.To = string(e.Conversation)
	}
	if message.tellState(e); e.recalled() {
		message.Message = ""
		return message, nil
	}
	if slices.Contains(types, e.Type) && (e.Type != TypeText || e.Rich) {
		return message, message.openRich(text)
	}
	switch e.Type {
	case TypeEvent:
		message.Message, message.Event = "", &GroupChange{}
		return message, message.tells(text, message.Event)
	case TypeOperation:
		message.Message, message.Operation = "", &Operation{}
		return message, message.tells(text, message.Operation)
	}
	return message, nil
}

// tellState puts what became of the entry into the message.
func (m *Message) tellState(e Entry) {
	m.Revision = e.Revision
	if e.Edit != 0 && !e.recalled() {
		m.EditedAt = &e.EditedAt
	}
	if e.recalled() {
		m.RecalledAt, m.RecalledBy = &e.RecalledAt, e.RecalledBy
	}
	m.Reactions = countsOf(e.Reactions)
}

// tells decodes what the text of an entry tells that is no message.
func (m Message) tells(text []byte, of any) error {
	if err := json.Unmarshal(text, of); err != nil {
		return fmt.Errorf("what %s tells: %w", m.MessageID, err)
	}
	return nil
}

// Member is a user's row of a conversation.
type Member struct {
	// App, User and Conversation name the row; Peer is the pair's other user, "" in a group.
	App          id.App
	User         id.User
	Conversation id.Conversation
	Peer         id.User
	// Seat is what the row has for a group.
	Seat Seat
	// Subscribes says that the user's devices have to be subscribed to the group: its reach is not Direct.
	Subscribes bool
	// Acknowledged is the sequence up to which the user's devices have the messages.
	Acknowledged int64
	// Read is the sequence up to which the user has read, ReadOrdinal the user's ordinal there.
	Read        int64
	ReadOrdinal int64
	// Cleared is the sequence up to which the user has cleared the conversation for itself.
	Cleared int64
	// Deletes says that the user has deleted messages of the conversation for itself: Removals has which.
	Deletes bool
}

// Held returns the sequence up to which the user surely has the messages: what was read has arrived.
func (m Member) Held() int64 { return max(m.Acknowledged, m.Read) }

// In tells whether the user may read the conversation: a pair's are always in, a group's while they are members.
func (m Member) In() bool { return !m.inGroup() || m.Seat.State == Joined }

// inGroup tells whether the row is of a group.
func (m Member) inGroup() bool { return m.Conversation.Group() != "" }

// Unread returns how many messages for the user came after its read mark: the one formula, everywhere.
func (m Member) Unread(tail Entry) int64 { return tail.Ordinal(m.User) - m.ReadOrdinal }

// Claim is a client-ID record: the place that a sender's client ID has in time, put before the message is appended.
type Claim struct {
	// From is, in a pair, the last sequence that the first attempt had seen; the message can only be after it. In a group it
	// is the one number at which the message may stand.
	From int64
	// Ordinal is that number's ordinal, in a group.
	Ordinal int64
	// KeyNumber and Fingerprint are the MAC of the body, so that another body under the same client ID is found out.
	KeyNumber   uint32
	Fingerprint []byte
}
