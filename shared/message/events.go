package message

import (
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/plainjson"
)

// The names of the events that the server starts on a socket.
const (
	arrivalEvent = "message"
	windowEvent  = "messages"
	runEvent     = "group_messages"
	typingEvent  = "typing"
	receiptEvent = "receipt"
)

// Arrival is the event of one new message: for this user, or from this user and another of its devices.
type Arrival struct {
	Event   string  `json:"event" enum:"message" doc:"Which event it is." example:"message"`
	Message Message `json:"message" doc:"The message."`
	V       int64   `json:"v,omitempty" doc:"The user's version after this message; absent for a message in a group, unless it is a change of the user's own membership. A client moves its own by one; anything else sends it to sync." example:"42"`
}

// Window is the event of messages that a device has missed.
type Window struct {
	Event string    `json:"event" enum:"messages" doc:"Which event it is." example:"messages"`
	Items []Message `json:"items" nullable:"false" maxItems:"100" doc:"The messages, in the order of each conversation."`
	V     int64     `json:"v" doc:"The user's version, to be taken over only where more is absent." example:"42"`
	More  bool      `json:"more,omitempty" doc:"The next window follows the acknowledgement of this one's last message."`
	Full  bool      `json:"full,omitempty" doc:"The version named at connect was too old to tell what changed since: check all conversations."`
}

// Run is the event of several new messages of a large group, which come together where they come fast.
type Run struct {
	Event          string          `json:"event" enum:"group_messages" doc:"Which event it is." example:"group_messages"`
	ConversationID id.Conversation `json:"conversation_id" doc:"The group's ID." example:"g_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	Items          []Message       `json:"items" nullable:"false" doc:"The messages, in order and without a gap."`
}

// runBytes bounds a frame of a run: API Gateway counts every 32 KB as a message.
const runBytes = 32 << 10

// RunFrame is a frame of several messages of one group that follow each other.
type RunFrame struct {
	// First is the sequence of its first message.
	First int64
	// Text is the event's JSON.
	Text []byte
}

// EncodeRun returns the frames for messages of one group that follow each other: as few as runBytes allows, a single message as the
// event that every message is, more as a Run.
func EncodeRun(messages []Message) (frames []RunFrame) {
	for len(messages) > 0 {
		frame, n := Arrival{Event: arrivalEvent, Message: messages[0]}.Encode(), 1
		size := len(Run{Event: runEvent, ConversationID: messages[0].ConversationID}.Encode())
		for i, each := range messages {
			if size += len(plainjson.Must(each)) + 1; size > runBytes {
				break
			}
			n = max(n, i+1)
		}
		if n > 1 {
			frame = Run{Event: runEvent, ConversationID: messages[0].ConversationID, Items: messages[:n]}.Encode()
		}
		frames, messages = append(frames, RunFrame{First: messages[0].Seq, Text: frame}), messages[n:]
	}
	return frames
}

// Typing is the event that another user is writing.
type Typing struct {
	Event          string          `json:"event" enum:"typing" doc:"Which event it is." example:"typing"`
	From           id.User         `json:"from" doc:"The user who is writing." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	ConversationID id.Conversation `json:"conversation_id" doc:"The conversation with that user." example:"c_4oKyQ1F8aXbT0mJ2cLw7Zr"`
}

// NewTyping returns the event that a user is writing in a conversation.
func NewTyping(from id.User, conversation id.Conversation) Typing {
	return Typing{Event: typingEvent, From: from, ConversationID: conversation}
}

// Marked is the event that the other user of a pair has acknowledged or read.
type Marked struct {
	Event          string          `json:"event" enum:"receipt" doc:"Which event it is." example:"receipt"`
	ConversationID id.Conversation `json:"conversation_id" doc:"The conversation with that user." example:"c_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	From           id.User         `json:"from" doc:"The user whose marks they are." example:"u_4oKyQ1F8aXbT0mJ2cLw7Zr"`
	AckSeq         int64           `json:"ack_seq" doc:"The acknowledged mark: what was sent up to it has arrived." example:"7"`
	ReadSeq        int64           `json:"read_seq" doc:"The read mark: what was sent up to it was read, and has arrived." example:"7"`
}

// Encode returns the event's JSON.
func (a Arrival) Encode() []byte { return plainjson.Must(a) }

// Encode returns the event's JSON.
func (w Window) Encode() []byte { return plainjson.Must(w) }

// Encode returns the event's JSON.
func (r Run) Encode() []byte { return plainjson.Must(r) }

// Encode returns the event's JSON.
func (t Typing) Encode() []byte { return plainjson.Must(t) }

// Encode returns the event's JSON.
func (m Marked) Encode() []byte { return plainjson.Must(m) }
