package connection

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

// ErrNotFound says that there is no such record or socket.
var ErrNotFound = errors.New("connection: not found")

// ErrGone says that the connection is closed, or was never one.
var ErrGone = errors.New("connection: gone")

// ErrRedeemed says that the ticket was used before.
var ErrRedeemed = errors.New("connection: ticket redeemed before")

// Store keeps routing records, sockets and redeemed tickets.
type Store interface {
	// Note records that the conversation changed up to the sequence, under the next version, and returns the record
	// after that, with Groups or Own where it is a group or the user's own log. A higher sequence that was noted before stays. One write, or two where notes arrive out of order.
	// ErrNotFound where the user has no record.
	Note(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) (Record, error)
	// Trim forgets the conversations, which may be none, and sets the floor, if the record's version is still the one given;
	// otherwise it does nothing. One write.
	Trim(ctx context.Context, app id.App, user id.User, version int64, oldest []id.Conversation, floor int64) error
	// Record returns the user's record, or ErrNotFound.
	Record(ctx context.Context, app id.App, user id.User, strong bool) (Record, error)
	// Records returns the records of the users, which have to differ; those who have none are left out. It reads in
	// batches, all at once, at the price of single reads.
	Records(ctx context.Context, app id.App, users []id.User, strong bool) (map[id.User]Record, error)

	// Attach enters the socket's device into the record, under a lease until the time, and returns the record after
	// that. A device of the same name is replaced. Where MaxDevices others are known, the one silent longest goes. The
	// connections that lost their place are returned for the caller to close.
	Attach(ctx context.Context, socket Socket, lease time.Time) (after Record, displaced []string, err error)
	// Renew extends the lease of the socket's device, and sets its expiry where expires is not zero; it returns the
	// record after that, or ErrNotFound where the device's connection is another by now.
	Renew(ctx context.Context, socket Socket, lease, expires time.Time) (Record, error)
	// Detach removes the connection from the record if the device still has it: an anonymous device goes, a named
	// one stays known, and Seen becomes the time given. Otherwise it changes nothing. It returns the record as it stands
	// after that, an empty one where there is none. One write.
	Detach(ctx context.Context, app id.App, user id.User, device, connection string, seen time.Time) (Record, error)

	// PutSocket stores the socket's row, whatever stands there. It expires by itself after MaxLife.
	PutSocket(ctx context.Context, socket Socket, expires time.Time) error
	// Socket returns the row of the user's connection, read strongly, or ErrNotFound.
	Socket(ctx context.Context, app id.App, user id.User, connection string) (Socket, error)
	// Opened returns when the connections of the users opened, to the second, by connection; those without a row are left out.
	// It is eventually consistent: half a read unit for each.
	Opened(ctx context.Context, app id.App, connections map[id.User][]string) (map[string]time.Time, error)
	// SetCredential gives the socket's row another key, epoch and expiry; ErrNotFound where there is no row.
	SetCredential(ctx context.Context, socket Socket) error
	// RemoveSocket deletes the socket's row, if there is one.
	RemoveSocket(ctx context.Context, socket Socket) error
	// MoveWindow sets the socket's window if it is still the one that was; it tells whether it did. A socket that is
	// gone is not moved.
	MoveWindow(ctx context.Context, socket Socket, next *Window) (moved bool, err error)
	// ByKey returns up to limit sockets that tokens of the key opened (App, User, Connection, Device and OpenedAt are set),
	// those after the position ("" begins), and the next position ("" at the end). It is eventually consistent and
	// may return sockets that have closed, but none that cannot be open any more at the time. A page may be empty and
	// still have a next one.
	ByKey(ctx context.Context, app id.App, key id.Key, now time.Time, after string, limit int) (sockets []Socket, next string, err error)

	// Redeem marks the ticket used until the time; ErrRedeemed where it was before. Of any number of concurrent calls
	// exactly one succeeds.
	Redeem(ctx context.Context, app id.App, user id.User, ticket string, until time.Time) error
}

// Poster is API Gateway's side of the sockets. Every method answers ErrGone for a connection that is closed or unknown.
type Poster interface {
	// Post sends a text frame of at most 128 KB. Success proves nothing about its arrival.
	Post(ctx context.Context, connection string, frame []byte) error
	// Close closes the connection.
	Close(ctx context.Context, connection string) error
	// Exists tells whether the connection is open.
	Exists(ctx context.Context, connection string) error
}
