package trace

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
)

// Messages finds messages, and how far they have come. message.Service is one.
type Messages interface {
	// SentBy returns the message of the ID; where user is not "", only one that the user has sent and still sees. Any other is
	// fault.MessageNotFound.
	SentBy(ctx context.Context, app id.App, user id.User, messageID string) (message.Entry, error)
	// Recipients returns up to limit receipts of the entry, those after the position ("" begins), and the next position ("" at
	// the end).
	Recipients(ctx context.Context, entry message.Entry, position string, limit int) (receipts []message.Receipt, next string, err error)
}

// Devices knows users' devices. connection.Store is one.
type Devices interface {
	// Records returns the routing records of the users, which have to differ; those who have none are left out.
	Records(ctx context.Context, app id.App, users []id.User, strong bool) (map[id.User]connection.Record, error)
	// Opened returns when the connections of the users opened, to the second, by connection; unknown ones are left out.
	Opened(ctx context.Context, app id.App, connections map[id.User][]string) (map[string]time.Time, error)
}

// Service tells where messages are.
type Service struct {
	Messages Messages
	Devices  Devices
	Store    Store
	Clock    clock.Clock
}

// Trace tells where a message is with up to limit of its receivers, those after the position ("" begins), and the next position
// ("" at the end). viewer is the user who asks, and is told only of what it has sent; "" is an application. Any other message
// is fault.MessageNotFound.
//
// A user is told no more of another than its presence tells: whether it was reached, and nothing of its devices. And it never
// learns that a message was accepted silently: that one waits like any other that has not been acknowledged.
func (s *Service) Trace(ctx context.Context, app id.App, viewer id.User, messageID, position string, limit int) (told Trace, recipients []Recipient, next string, err error) {
	entry, err := s.Messages.SentBy(ctx, app, viewer, messageID)
	if err != nil {
		return Trace{}, nil, "", err
	}
	told = Trace{MessageID: entry.ID(), ConversationID: entry.Conversation, Seq: entry.Sequence, StoredAt: entry.SentAt, State: Stored}
	receipts, next, err := s.Messages.Recipients(ctx, entry, position, limit)
	if err != nil {
		return Trace{}, nil, "", err
	}
	if entry.Hidden && viewer == "" {
		told.State = Hidden
		for _, receipt := range receipts {
			recipients = append(recipients, Recipient{UserID: receipt.UserID, Status: Waiting, Why: Blocked})
		}
		return told, recipients, next, nil
	}
	known, err := s.look(ctx, entry, receipts)
	for _, receipt := range receipts {
		recipients = append(recipients, s.recipient(entry, receipt, known[receipt.UserID], viewer))
	}
	return told, recipients, next, err
}

// recipient returns what the viewer is told of a receiver.
func (s *Service) recipient(entry message.Entry, receipt message.Receipt, known evidence, viewer id.User) Recipient {
	shown := Recipient{UserID: receipt.UserID, Devices: known.devices(entry.SentAt, s.Clock.Now())}
	shown.Status, shown.Why = status(receipt, shown.Devices)
	if viewer == "" {
		return shown
	}
	shown.Devices = nil
	if known.record.Hidden && shown.Status == Pushed {
		shown.Status = Waiting
	}
	if known.record.Hidden {
		shown.Why = ""
	}
	return shown
}

// look returns what is known of the receivers' devices.
func (s *Service) look(ctx context.Context, entry message.Entry, receipts []message.Receipt) (map[id.User]evidence, error) {
	users := make([]id.User, len(receipts))
	for i, receipt := range receipts {
		users[i] = receipt.UserID
	}
	var records map[id.User]connection.Record
	var opened map[string]time.Time
	var failed map[id.User][]Failure
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if records, err = s.Devices.Records(inner, entry.App, users, false); err == nil {
			opened, err = s.Devices.Opened(inner, entry.App, s.live(records))
		}
		return err
	})
	group.Go(func() (err error) {
		failed, err = s.Store.Get(inner, Place{App: entry.App, Conversation: entry.Conversation, Sequence: entry.Sequence}, users, s.Clock.Now())
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	known := make(map[id.User]evidence, len(users))
	for _, user := range users {
		known[user] = evidence{records[user], opened, failed[user]}
	}
	return known, nil
}

// live returns the connections of the records' live devices.
func (s *Service) live(records map[id.User]connection.Record) map[id.User][]string {
	now, connections := s.Clock.Now(), map[id.User][]string{}
	for user, record := range records {
		for _, device := range record.Devices {
			if device.Live(now) {
				connections[user] = append(connections[user], device.Connection)
			}
		}
	}
	return connections
}
