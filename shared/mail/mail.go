// Package mail writes the mails that TokenIM sends to the people who log in to it.
//
// Package mail/letter makes a mail out of a kind, a language and the few values that the kind's text mentions; a Sender
// delivers it:
//
//	message, err := letter.Render(mail.ResetPassword, fault.English, address, mail.Content{Link: link, …})
//	err = sender.Send(ctx, message)
//
// They are apart because many functions name a kind of mail, and one writes mails.
//
// Much of what a mail mentions was chosen by strangers: anybody may call an account what they like and invite anybody to
// it. Such values are made harmless before they are shown; see Name.
package mail

import (
	"context"
	"log/slog"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
)

// Content is what the texts may mention. A kind says which of it it needs; the rest stays empty.
type Content struct {
	// Link is an absolute http or https address. It is a secret: it carries a token.
	Link string `json:"link,omitempty"`
	// Source is the network address that a request came from.
	Source string `json:"source,omitempty"`
	// Account and App are names, as their owners chose them.
	Account string `json:"account,omitempty"`
	App     string `json:"app,omitempty"`
	// Key is the ID of an API key, and Name the name that its maker gave it, empty where there is none.
	Key  string `json:"key,omitempty"`
	Name string `json:"name,omitempty"`
	// Role is owner, admin or auditor.
	Role string `json:"role,omitempty"`
	// Email is the address of another person, or the other address of the same one; EmailChanged shows it masked.
	Email string `json:"email,omitempty"`
	// When is the time that the mail is about, Until the end of what it offers. They are shown in UTC, to the minute.
	When  time.Time `json:"when,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// LogValue keeps the content, which holds a link and addresses, out of logs.
func (Content) LogValue() slog.Value { return slog.StringValue("(content of a mail)") }

// String keeps the content out of texts and errors.
func (c Content) String() string { return c.LogValue().String() }

// GoString is String.
func (c Content) GoString() string { return c.String() }

// Message is a mail, ready to be sent.
type Message struct {
	// To is the address of its one recipient.
	To string
	// Subject is one line. Text and HTML say the same.
	Subject, Text, HTML string
	// Kind and Language are what it was made from.
	Kind     Kind
	Language fault.Language
}

// LogValue keeps the message, which holds a link and an address, out of logs: only kind and language are told.
func (m Message) LogValue() slog.Value {
	return slog.StringValue("(mail " + string(m.Kind) + " in " + string(m.Language) + ")")
}

// String keeps the message out of texts and errors.
func (m Message) String() string { return m.LogValue().String() }

// GoString is String.
func (m Message) GoString() string { return m.String() }

// Sender delivers mails.
type Sender interface {
	// Send hands the message over for delivery. A nil error means that sending again would not help: the message was
	// taken, or its address is refused for good. After an error the same message may be sent again, and may then arrive
	// twice. Errors and logs tell neither the address nor the content.
	Send(ctx context.Context, message Message) error
}
