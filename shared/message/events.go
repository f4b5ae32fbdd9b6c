package message

import (
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/plainjson"
)

// The names of the events that the server starts on a socket.
const (
	arrivalEvent = "message"
	windowEvent  = "messages"
	typingEvent  = "typing"
)

// Arrival is the event of one new message: for this user, or from this user and another of its devices.
type Arrival struct {
	Event   string  `json:"event" enum:"message" doc:"Which event it is." example:"message"`
	Message Message `json:"message" doc:"The message."`
	V       int64   `json:"v,omitempty" doc:"The user's version after this message; absent for a message in a group. A client moves its own by one; anything else sends it to sync." example:"42"`
}

// Window is the event of messages that a device has missed.
type Window struct {
	Event string    `json:"event" enum:"messages" doc:"Which event it is." example:"messages"`
	Items []Message `json:"items" nullable:"false" maxItems:"100" doc:"The messages, in the order of each conversation."`
	V     int64     `json:"v" doc:"The user's version, to be taken over only where more is absent." example:"42"`
	More  bool      `json:"more,omitempty" doc:"The next window follows the acknowledgement of this one's last message."`
	Full  bool      `json:"full,omitempty" doc:"The version named at connect was too old to tell what changed since: check all conversations."`
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

// Encode returns the event's JSON.
func (a Arrival) Encode() []byte { return plainjson.Must(a) }

// Encode returns the event's JSON.
func (w Window) Encode() []byte { return plainjson.Must(w) }

// Encode returns the event's JSON.
func (t Typing) Encode() []byte { return plainjson.Must(t) }
