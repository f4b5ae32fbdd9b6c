package message

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Draft is a message to send.
type Draft struct {
	// App and From are the authenticated sender's.
	App  id.App
	From id.User
	// Connection is the socket that it came over; "" over HTTP.
	Connection string
	// To is the receiver's ID or username, or a group's ID.
	To string
	// Type and Text are the content; an empty type is text. Of other types the text is a caption, which may be empty.
	Type string
	Text string
	// MediaID names what the types image, video, audio and file show; Send fills Parts.Media by it.
	MediaID id.Media
	Parts
	// ClientID makes retries have one effect; "" for none.
	ClientID string
	// Known is the last sequence of the conversation that the client has seen, the same over its retries; nil where
	// it does not say.
	Known *int64
	// Reply is the sequence of the message of the conversation that it replies to; 0 for none. Send fills References.ReplyTo by it.
	Reply int64
	// Mentioned are the users whom it mentions, each any number of times; Send fills References.Mentions by them.
	Mentioned []id.User
	// MayMentionAll refuses a sender with the role in the group who may not mention all there. It is there where MentionAll is set.
	MayMentionAll func(role authz.Role) error
	// refused is why it is not sent, unless an earlier attempt has stored it: what it refers to may have gone since.
	refused error
}

// Sent is the outcome of a send.
type Sent struct {
	// Message is the message as it was stored, by this attempt or by an earlier one.
	Message Message
	// SenderVersion is the sender's own version where the sender has other devices, else 0.
	SenderVersion int64
}

// Send stores a message and tells both users' devices. It returns only after the message can be read and the receiver's
// routing record says so; a repeated call with the same client ID has the same effect and answer as the first, and
// completes it where it broke off.
func (s *Service) Send(ctx context.Context, draft Draft) (Sent, error) {
	if err := draft.check(); err != nil {
		return Sent{}, err
	}
	if err := draft.checkReferences(); err != nil {
		return Sent{}, err
	}
	if err := s.attach(ctx, &draft); err != nil {
		return Sent{}, err
	}
	if err := draft.checkContent(); err != nil {
		return Sent{}, err
	}
	if id.IsGroup(draft.To) {
		sent, err := s.sendToGroup(ctx, draft, id.Group(draft.To))
		return sent, groupFault(err)
	}
	to, err := s.Users.Resolve(ctx, draft.App, draft.To, "to")
	if err != nil {
		return Sent{}, err
	}
	if to == draft.From {
		return Sent{}, fault.Invalid(fault.Field{Name: "to", Code: fault.RecipientIsSender})
	}
	if err := s.referInPair(ctx, &draft, to); err != nil {
		return Sent{}, err
	}
	entry, err := s.append(ctx, draft, to)
	if err != nil {
		return Sent{}, err
	}
	var sent Sent
	if sent.Message, err = s.openSent(ctx, draft, entry); err != nil {
		return Sent{}, err
	}
	sent.SenderVersion, err = s.announce(ctx, entry, sent.Message, draft.Connection)
	return sent, err
}

// check refuses what can be refused without reading anything.
func (d *Draft) check() error {
	if d.Type == "" {
		d.Type = TypeText
	}
	switch {
	case !slices.Contains(types, d.Type):
		return unknownType()
	case d.Text == "" && d.Type == TypeText:
		return fault.Invalid(fault.Field{Name: "message", Code: fault.MessageEmpty})
	case len(d.Text) > MaxTextBytes:
		return fault.Invalid(fault.Field{Name: "message", Code: fault.MessageTooLarge, Args: []any{len(d.Text), MaxTextBytes}})
	case len(d.ClientID) > MaxClientIDBytes:
		return fault.Invalid(fault.Field{Name: "client_id", Code: fault.FieldTooLong, Args: []any{"client_id", fmt.Sprint(MaxClientIDBytes)}})
	case d.Known != nil && *d.Known < 0:
		return fault.Invalid(fault.Field{Name: "known", Code: fault.FieldRange, Args: []any{"known", "0"}})
	}
	return d.checkParts()
}

// announce notes the change in the receiver's routing record, and in the sender's where the sender has other devices,
// and pushes to both. The sender's record is read only now, after the append: a device that attaches later resumes over
// the entry, one that attached earlier is seen. The receiver of what was accepted silently is told nothing.
func (s *Service) announce(ctx context.Context, entry Entry, message Message, connection string) (senderVersion int64, err error) {
	frame := func(version int64) []byte { return Arrival{Event: arrivalEvent, Message: message, V: version}.Encode() }
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if entry.Hidden {
			return nil
		}
		_, err := s.Devices.Notify(ctx, entry.App, entry.Recipient, entry.Conversation, entry.Sequence, "", frame)
		return err
	})
	group.Go(func() error {
		others, err := s.Devices.HasOther(ctx, entry.App, entry.Sender, connection)
		if err != nil || !others {
			return err
		}
		senderVersion, err = s.Devices.Notify(ctx, entry.App, entry.Sender, entry.Conversation, entry.Sequence, connection, frame)
		return err
	})
	err = group.Wait()
	return senderVersion, err
}

// ensureMembers makes both users' rows of a conversation that has no entry yet. They come before the first entry, so
// that no entry is ever without them.
func (s *Service) ensureMembers(ctx context.Context, entry Entry) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, pair := range [][2]id.User{{entry.Sender, entry.Recipient}, {entry.Recipient, entry.Sender}} {
		group.Go(func() error {
			return s.Members.Ensure(ctx, Member{App: entry.App, User: pair[0], Conversation: entry.Conversation, Peer: pair[1]})
		})
	}
	return group.Wait()
}

// member returns the user's row of the conversation; fault.ConversationNotFound where there is none, or the user is not in the
// group. A group's row is read strongly: who was removed sees nothing from then on.
func (s *Service) member(ctx context.Context, app id.App, user id.User, conversation id.Conversation) (Member, error) {
	if conversation.Group() == "" {
		if member, err := s.Members.Get(ctx, app, user, conversation, false); !errors.Is(err, ErrNotMember) {
			return member, err
		}
	}
	return s.memberNow(ctx, app, user, conversation)
}

// memberNow is member by a strong read.
func (s *Service) memberNow(ctx context.Context, app id.App, user id.User, conversation id.Conversation) (Member, error) {
	member, err := s.Members.Get(ctx, app, user, conversation, true)
	if errors.Is(err, ErrNotMember) || err == nil && !member.In() {
		return Member{}, notFound()
	}
	return member, err
}

func notFound() error {
	return fault.Invalid(fault.Field{Name: "conversation_id", Code: fault.ConversationNotFound})
}
