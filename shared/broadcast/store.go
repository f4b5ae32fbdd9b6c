package broadcast

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/user"
)

// ErrNotFound says that the app has no such broadcast, or that its content is gone.
var ErrNotFound = errors.New("broadcast: not found")

// ErrTooMany says that MaxUnfinished broadcasts of the app are unfinished.
var ErrTooMany = errors.New("broadcast: too many are unfinished")

// ErrOvertaken says that somebody else has saved since.
var ErrOvertaken = errors.New("broadcast: overtaken")

// Store keeps broadcasts. Every method sees only the broadcast's own app. Reads are strong, but for List.
type Store interface {
	// Begin stores the broadcast with its sealed content and gives it a free Slot, all or nothing, unless one of the ID stands:
	// it returns the one that stands after it. ErrTooMany where no slot is free; a slot whose broadcast is older than Kept at
	// CreatedAt is.
	Begin(ctx context.Context, begun Broadcast, content []byte) (standing Broadcast, err error)
	// Get returns the broadcast, or ErrNotFound.
	Get(ctx context.Context, app id.App, broadcast id.Broadcast) (Broadcast, error)
	// Content returns the sealed content, or ErrNotFound.
	Content(ctx context.Context, app id.App, broadcast id.Broadcast) ([]byte, error)
	// List returns up to limit broadcasts, the latest first, those behind the position; "" begins. next is the position to go on
	// behind, "" at the end. It is eventually consistent.
	List(ctx context.Context, app id.App, after string, limit int) (page []Broadcast, next string, err error)
	// Cancel sets CancelledAt, unless it is set or the broadcast is finished, and returns the broadcast after that; ErrNotFound
	// where there is none.
	Cancel(ctx context.Context, app id.App, broadcast id.Broadcast, at time.Time) (Broadcast, error)
	// Save replaces the Progress of the broadcast if it stands at one step less, and returns the broadcast after that.
	// ErrOvertaken where it stands at another; but where it stands at this very step of the same Run, this is the repetition of
	// a call that has succeeded. ErrNotFound where there is no such broadcast. One write.
	Save(ctx context.Context, saved Broadcast) (Broadcast, error)
	// Release removes the content and frees the slot, if it is still the broadcast's. Again is nothing.
	Release(ctx context.Context, of Broadcast) error
}

// Directory lists the users of apps.
type Directory interface {
	// Users returns a page of the users in a shard, 0 to Shards-1, those after the position; "" begins. next is the position to
	// go on at, "" at the end. It is eventually consistent. Who is registered or deleted meanwhile may be there or not.
	Users(ctx context.Context, app id.App, shard int, after string) (users []id.User, next string, err error)
}

// Users finds users. A user.Store is one.
type Users interface {
	// Get returns the user, or user.ErrNotFound. A read that is not strong may miss what was written just now.
	Get(ctx context.Context, app id.App, user id.User, strong bool) (user.User, error)
}

// Messages sends messages. A message.Service does, whose Devices should be Quiet.
type Messages interface {
	// Send stores a message and tells the receiver's devices. It refuses what is no message before it looks at the receiver.
	Send(ctx context.Context, draft message.Draft) (message.Sent, error)
}

// Devices tells a user's devices that much has changed. connection.Service does.
type Devices interface {
	// Outdate has the user's devices look at all conversations at their next sync. The conversation is one that has changed, up
	// to the sequence.
	Outdate(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) error
}

// Sealer encrypts texts and makes fingerprints. seal.Keyring is one.
type Sealer interface {
	Seal(ctx context.Context, app id.App, place seal.Place, text []byte) ([]byte, error)
	Open(ctx context.Context, app id.App, place seal.Place, sealed []byte) ([]byte, error)
	MAC(ctx context.Context, app id.App, purpose seal.Purpose, data []byte) (number uint32, tag []byte, err error)
	VerifyMAC(ctx context.Context, app id.App, purpose seal.Purpose, number uint32, data, tag []byte) (bool, error)
}

// Limiter bounds the rate of messages. A rate.Limiter is one.
type Limiter interface {
	// Wait returns when a message may be sent; an error where the context ends before that, also at once where it will.
	Wait(ctx context.Context) error
}

// Later sends jobs. A queue.Queue does.
type Later interface {
	// Send sends a job that is done after the delay.
	Send(ctx context.Context, job any, delay time.Duration) error
}

// Quiet are the devices for a broadcast's sends: those of the sender are not told of each message. It would cost a write and a
// frame for each user, and nothing but the last few would stay in the sender's record. The worker tells them at the end, once.
type Quiet struct{ message.Devices }

// HasOther implements message.Devices: nobody is to be told besides the receiver.
func (Quiet) HasOther(context.Context, id.App, id.User, string) (bool, error) { return false, nil }
