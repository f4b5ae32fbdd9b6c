package user

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// MaxBlocks is how many users one user can block.
const MaxBlocks = 1000

// Block is that a user takes no messages from another.
type Block struct {
	// User has blocked Other.
	User, Other id.User
	// At is when.
	At time.Time
}

// Blocks tells, within a user's record, whom the user has perhaps blocked: a Bloom filter. Who sends to the user reads the
// record anyway, so that only one of those whom it has really blocked, and few others, cost a look for the block itself.
type Blocks struct {
	// Count is how many users it has blocked.
	Count int
	// Filter has the bits of all whom it has ever blocked since it last had blocked nobody; nil for nobody.
	Filter []byte
}

const (
	// filterBytes is the size of a filter, which stands in a record that has to stay small; filterBits are the bits of each user.
	// Of others, one in 400 is looked for where a hundred are blocked, and nearly every second where a thousand are.
	filterBytes = 256
	filterBits  = 3
)

// bits returns the user's bits in a filter.
func bits(user id.User) (places [filterBits]uint16) {
	hash := sha256.Sum256([]byte(user))
	for i := range places {
		places[i] = binary.BigEndian.Uint16(hash[2*i:]) % (8 * filterBytes)
	}
	return places
}

// MayHave tells whether the user may have blocked the other; false is sure.
func (b Blocks) MayHave(other id.User) bool {
	if len(b.Filter) != filterBytes {
		return false
	}
	for _, at := range bits(other) {
		if b.Filter[at/8]&(1<<(at%8)) == 0 {
			return false
		}
	}
	return true
}

// With returns the blocks with one more.
func (b Blocks) With(other id.User) Blocks {
	filter := make([]byte, filterBytes)
	copy(filter, b.Filter)
	for _, at := range bits(other) {
		filter[at/8] |= 1 << (at % 8)
	}
	return Blocks{Count: b.Count + 1, Filter: filter}
}

// Less returns the blocks with one less. The filter keeps its bits, which others may share, until nobody is blocked.
func (b Blocks) Less() Blocks {
	if b.Count <= 1 {
		return Blocks{}
	}
	return Blocks{Count: b.Count - 1, Filter: b.Filter}
}

// Equal tells whether two are the same.
func (b Blocks) Equal(other Blocks) bool {
	return b.Count == other.Count && bytes.Equal(b.Filter, other.Filter)
}

// blockAttempts is how often a change of a user's blocks is decided anew because another one was faster: a client may send
// many at once.
const blockAttempts = 20

// oneself says that the other is the user itself.
var oneself = fault.Text{EN: "Nobody blocks themselves.", ZH: "不能屏蔽自己。"}

// Block has the user take no messages from the other any more: fault.UserNotFound where the app has no such other user,
// fault.TooMany where the user has blocked MaxBlocks. Blocking again changes nothing.
func (s *Service) Block(ctx context.Context, app id.App, userID, other id.User) error {
	if userID == other {
		return fault.Invalid(fault.Wrong("other", oneself))
	}
	if _, err := s.Get(ctx, app, string(other), "other"); err != nil {
		return err
	}
	at := s.Clock.Now()
	return s.changeBlocks(ctx, app, userID, func(was User) error {
		if was.Blocks.Count >= MaxBlocks {
			blocked, _, err := s.Store.Blocking(ctx, app, userID, other)
			if err == nil && !blocked {
				err = fault.New(fault.TooMany, MaxBlocks)
			}
			return err
		}
		return s.Store.PutBlock(ctx, was, Block{User: userID, Other: other, At: at})
	})
}

// Unblock has the user take messages from the other again. Unblocking whom it has not blocked changes nothing.
func (s *Service) Unblock(ctx context.Context, app id.App, userID, other id.User) error {
	return s.changeBlocks(ctx, app, userID, func(was User) error { return s.Store.RemoveBlock(ctx, was, other) })
}

// changeBlocks does the change to the user as it is, until nobody else has been faster.
func (s *Service) changeBlocks(ctx context.Context, app id.App, userID id.User, change func(was User) error) error {
	for range blockAttempts {
		was, err := s.Store.Get(ctx, app, userID, true)
		if errors.Is(err, ErrNotFound) {
			return NotFound("id")
		}
		if err != nil {
			return err
		}
		switch err := change(was); {
		case errors.Is(err, ErrBlocked), errors.Is(err, ErrNotBlocked):
			return nil
		case !errors.Is(err, ErrChanged):
			return err
		}
	}
	return fault.TooOften("change of a user's blocks")
}

// Admits refuses what the sender would send to a user whom the app does not have, who is deactivated, or who has blocked the
// sender: fault.Blocked, unless the app accepts such messages silently; then it returns true, and what was sent must not reach
// the receiver. field names the input that held the receiver. One half of a read unit; half a unit more for the block and the
// app's setting, where the receiver may have blocked the sender.
func (s *Service) Admits(ctx context.Context, app id.App, sender, receiver id.User, field string) (silently bool, err error) {
	found, err := s.Get(ctx, app, string(receiver), field)
	switch {
	case err != nil:
		return false, err
	case found.Deactivated():
		return false, Deactivated(field)
	case !found.Blocks.MayHave(sender):
		return false, nil
	}
	blocked, silently, err := s.Store.Blocking(ctx, app, receiver, sender)
	if err == nil && blocked && !silently {
		err = fault.Invalid(fault.Field{Name: field, Code: fault.Blocked})
	}
	return blocked && silently, err
}
