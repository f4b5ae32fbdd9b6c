package message

import (
	"bytes"
	"encoding/json"

	"github.com/tokenim/tokenim/shared/id"
)

// Event is what the server starts on a socket.
type Event struct {
	// Event is "message", "messages" or "typing".
	Event string `json:"event"`
	// Message is the one of a "message" event.
	Message *Message `json:"message,omitempty"`
	// Items are the messages of a "messages" event, in order.
	Items []Message `json:"items,omitzero"`
	// V is the user's version. A client moves its own by one; anything else sends it to sync. In a "messages" event
	// it counts only when More is false.
	V int64 `json:"v"`
	// More says that the next window of a resume follows the acknowledgement of this one's last message.
	More bool `json:"more,omitempty"`
	// Full says that the version which the device named is too old to tell what changed since: all its conversations
	// have to be checked.
	Full bool `json:"full,omitempty"`
}

// Typing is the event that another user is writing.
type Typing struct {
	Event          string          `json:"event"`
	From           id.User         `json:"from"`
	ConversationID id.Conversation `json:"conversation_id"`
}

// Encode returns the event's JSON.
func (e Event) Encode() []byte { return encode(e) }

// Encode returns the event's JSON.
func (t Typing) Encode() []byte { return encode(t) }

// encode writes JSON without the escapes for HTML, which would make frames larger for nothing.
func encode(value any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // these types always encode
	}
	return bytes.TrimRight(buffer.Bytes(), "\n")
}
