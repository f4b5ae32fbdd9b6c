package message

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Receipt tells how far a message has come with one of those whom it was sent to.
type Receipt struct {
	UserID    id.User `json:"user_id" doc:"Whom the message was sent to." example:"u_7Zr2cLw0mJaXbT4oKyQ1F8"`
	Delivered bool    `json:"delivered" doc:"A device of the user has acknowledged it, or the user has read it." example:"true"`
	Read      bool    `json:"read" doc:"The user has read it." example:"false"`
}

// Receipts returns up to limit receipts of the message at the sequence, those after the position ("" begins), and the next
// position ("" at the end). Where user is not "", it has to see the message; else it is fault.ConversationNotFound or
// fault.MessageNotFound, which is also what all learn of an entry that is no message.
func (s *Service) Receipts(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64, position string, limit int) (receipts []Receipt, next string, err error) {
	entry, err := s.visible(ctx, app, user, conversation, sequence)
	if err != nil {
		return nil, "", err
	}
	return s.Recipients(ctx, entry, position, limit)
}

// SentBy returns the message of the ID; where user is not "", only one that the user has sent and still sees. Any other is
// fault.MessageNotFound.
func (s *Service) SentBy(ctx context.Context, app id.App, user id.User, messageID string) (Entry, error) {
	conversation, sequence, ok := parseMessageID(messageID)
	if !ok {
		return Entry{}, unknownID()
	}
	entry, err := s.visible(ctx, app, user, conversation, sequence)
	missing := fault.Is(err, fault.ConversationNotFound) || fault.Is(err, fault.MessageNotFound)
	if missing || err == nil && user != "" && entry.Sender != user {
		return Entry{}, unknownID()
	}
	return entry, err
}

// Recipients returns up to limit receipts of the entry, those after the position ("" begins), and the next position ("" at the
// end). In a group they are the members of now who were members then, without the sender; a page may be short before the end.
// What was accepted silently has not come to anybody.
func (s *Service) Recipients(ctx context.Context, entry Entry, position string, limit int) (receipts []Receipt, next string, err error) {
	users, state := []id.User{entry.Recipient}, State("")
	if group := entry.Conversation.Group(); group != "" {
		state = Joined
		if users, next, err = s.Groups.Joined(ctx, entry.App, group, position, limit); err != nil {
			return nil, "", err
		}
	}
	members, err := s.Members.GetAll(ctx, entry.App, users, entry.Conversation, false)
	if err != nil {
		return nil, "", err
	}
	receipts = make([]Receipt, 0, len(users))
	for _, user := range users {
		member := members[user]
		if user == entry.Sender || member.Seat.State != state || entry.Sequence < member.Seat.Since {
			continue
		}
		receipts = append(receipts, Receipt{UserID: user, Delivered: !entry.Hidden && entry.Sequence <= member.Held(),
			Read: !entry.Hidden && entry.Sequence <= member.Read})
	}
	return receipts, next, nil
}

// visible returns the message at the sequence, if the user sees it; "" is an application, which sees all.
func (s *Service) visible(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (Entry, error) {
	entry, err := s.entryFor(ctx, app, user, conversation, sequence)
	if err == nil && !entry.counts() {
		err = messageNotFound()
	}
	return entry, err
}

// tellPatience is how long whoever moves a mark waits for the other user's devices to be told.
const tellPatience = 2 * time.Second

// tellPeer tells the devices of the pair's other user that the member's marks have moved to the entry. Who misses it asks for
// receipts: a failure is not the member's. A void in the place of what was accepted silently tells nobody, a group's members are
// not told: with every mark of everybody each of them would be posted to; and of the user's own log there is nobody to tell.
func (s *Service) tellPeer(ctx context.Context, entry Entry, member Member) {
	if member.inGroup() || member.own() || entry.Hidden {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tellPatience)
	defer cancel()
	frame := Marked{Event: receiptEvent, ConversationID: member.Conversation, From: member.User, AckSeq: member.Held(), ReadSeq: member.Read}.Encode()
	if err := s.Devices.Broadcast(ctx, member.App, []id.User{entry.peer(member.User)}, member.Conversation, 0, "", frame); err != nil {
		slog.WarnContext(ctx, "receipt not pushed", "error", err)
	}
}

// parseMessageID returns the conversation and the sequence that a message ID names: see Entry.ID.
func parseMessageID(text string) (conversation id.Conversation, sequence int64, ok bool) {
	rest, isMessage := strings.CutPrefix(text, "m_")
	end := strings.LastIndexByte(rest, '_')
	if !isMessage || end < 0 {
		return "", 0, false
	}
	sequence, err := strconv.ParseInt(rest[end+1:], 10, 64)
	conversation = id.Conversation(rest[:end])
	if conversation.Group() == "" {
		conversation = "c_" + conversation
	}
	named := Entry{Conversation: conversation, Sequence: sequence}
	return conversation, sequence, err == nil && sequence > 0 && id.IsConversation(string(conversation)) && named.ID() == text
}

// unknownID says that the ID is of no message that the caller has to do with.
func unknownID() error {
	return fault.Invalid(fault.Field{Name: "id", Code: fault.MessageNotFound})
}
