package client

import (
	"encoding/json"
	"time"
)

// Message is a message on the wire. Two are equal where every member is.
type Message struct {
	ConversationID string `json:"conversation_id"`
	Seq            int64  `json:"seq"`
	MessageID      string `json:"message_id"`
	From           string `json:"from"`
	To             string `json:"to"`
	Type           string `json:"type"`
	Message        string `json:"message"`
	ClientID       string `json:"client_id"`
	SentAt         string `json:"sent_at"`
	EditedAt       string `json:"edited_at"`
	RecalledAt     string `json:"recalled_at"`
	RecalledBy     string `json:"recalled_by"`
	// Pointers, so that messages without them can be compared.
	Reactions *[]Reaction `json:"reactions"`
	Operation *Operation  `json:"operation"`
}

// Reaction is how many users have reacted with the same.
type Reaction struct {
	Reaction string `json:"reaction"`
	Count    int64  `json:"count"`
}

// Operation is what an entry tells of somebody's doing with a message.
type Operation struct {
	Kind     string  `json:"kind"`
	Seq      int64   `json:"seq"`
	Message  *string `json:"message"`
	Reaction string  `json:"reaction"`
}

// Count returns how many users have reacted to the message with the reaction.
func (m Message) Count(reaction string) int64 {
	if m.Reactions != nil {
		for _, each := range *m.Reactions {
			if each.Reaction == reaction {
				return each.Count
			}
		}
	}
	return 0
}

// Conversation is a row of the conversation list.
type Conversation struct {
	ConversationID string  `json:"conversation_id"`
	With           string  `json:"with"`
	Unread         int64   `json:"unread"`
	AckSeq         int64   `json:"ack_seq"`
	ReadSeq        int64   `json:"read_seq"`
	Last           Message `json:"last"`
}

// Profile is a user.
type Profile struct {
	UserID    string `json:"user_id"`
	Username  string `json:"username"`
	CreatedAt string `json:"created_at"`
}

// Key is the record of an API key; APIKey is in the answer that creates it only.
type Key struct {
	KeyID        string   `json:"key_id"`
	APIKey       string   `json:"api_key"`
	Name         string   `json:"name"`
	Scopes       []string `json:"scopes"`
	AllowedCIDRs []string `json:"allowed_cidrs"`
	CreatedAt    string   `json:"created_at"`
	CreatedBy    string   `json:"created_by"`
	ExpiresAt    string   `json:"expires_at"`
	RevokedAt    string   `json:"revoked_at"`
	RotatedAt    string   `json:"rotated_at"`
	RotatedTo    string   `json:"rotated_to"`
	RotatedFrom  string   `json:"rotated_from"`
	LastUsedAt   string   `json:"last_used_at"`
	LastUsedFrom string   `json:"last_used_from"`
}

// Page is a page of a list.
type Page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor"`
}

// Problem is an error, over HTTP and on the socket alike.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	Hint      string `json:"hint"`
	Retryable *bool  `json:"retryable"`
	RequestID string `json:"request_id"`
	Errors    []struct {
		Field  string `json:"field"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
	} `json:"errors"`
	Denial *Denial `json:"denial"`
}

// Denial is what is missing where a permission is.
type Denial struct {
	Permission string   `json:"permission"`
	Subject    string   `json:"subject"`
	DeniedBy   string   `json:"denied_by"`
	GrantedBy  []string `json:"granted_by"`
}

// Change is a conversation in the answer to sync.
type Change struct {
	ConversationID string  `json:"conversation_id"`
	Seq            int64   `json:"seq"`
	State          string  `json:"state"`
	Last           Message `json:"last"`
}

// Frame is a frame from the server: the answer to one of ours, or an event.
type Frame struct {
	// Raw is the whole frame, At when it arrived.
	Raw []byte    `json:"-"`
	At  time.Time `json:"-"`

	ID    string   `json:"id"`
	Event string   `json:"event"`
	Error *Problem `json:"error"`

	ConversationID string          `json:"conversation_id"`
	MessageID      string          `json:"message_id"`
	Seq            int64           `json:"seq"`
	AckSeq         int64           `json:"ack_seq"`
	ReadSeq        int64           `json:"read_seq"`
	Unread         int64           `json:"unread"`
	V              *int64          `json:"v"`
	ExpiresAt      string          `json:"expires_at"`
	From           string          `json:"from"`
	Content        json.RawMessage `json:"message"`
	Items          []Message       `json:"items"`
	NextCursor     string          `json:"next_cursor"`
	Changed        []Change        `json:"changed"`
	Groups         []Change        `json:"groups"`
	More           bool            `json:"more"`
	Full           bool            `json:"full"`
}

// Messages returns the messages that an event carries: one of a "message", all of a "messages" and a "group_messages" event.
func (f Frame) Messages() []Message {
	switch f.Event {
	case "messages", "group_messages":
		return f.Items
	case "message":
		var one Message
		_ = json.Unmarshal(f.Content, &one) // a message that is none equals no other
		return []Message{one}
	}
	return nil
}

// Code returns the error's code, "" where the frame is no error.
func (f Frame) Code() string {
	if f.Error == nil {
		return ""
	}
	return f.Error.Code
}
