package fanout

import (
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

// Subscriptions keeps who listens to which group. A subscription goes by itself some time after it has ended.
type Subscriptions interface {
	// Put keeps the subscription, whatever stands there for its connection. It may be one of a membership that has ended: see End.
	// One write.
	Put(ctx context.Context, subscription Subscription) error
	// Remove removes the subscription, if it stands there as it was read: not one that was made anew since. One write.
	Remove(ctx context.Context, subscription Subscription) error
	// End keeps that what the user subscribed to before the sequence has ended, unless a later one is kept, and removes those of
	// its subscriptions that began before. What is kept goes by itself some time after the time. A read, a write, and one for
	// each subscription.
	End(ctx context.Context, app id.App, group id.Group, user id.User, sequence int64, until time.Time) error
	// Page returns up to limit of the group's subscriptions in the part, those after the position ("" begins), and the next
	// position ("" at the end). Before a user's subscriptions comes what End has kept of it, as one without a Connection whose
	// Since is the sequence. It is strongly consistent.
	Page(ctx context.Context, app id.App, group id.Group, part Part, after string, limit int) (page []Subscription, next string, err error)
}

// States keeps how the fan-outs of groups stand.
type States interface {
	// Get returns the group's state, read strongly; a zero one where there is none.
	Get(ctx context.Context, app id.App, group id.Group) (State, error)
	// Advance sets Handed, unless it is further already. One write.
	Advance(ctx context.Context, app id.App, group id.Group, handed int64) error
	// Divide makes the parts that many, if there are still as many as was says (0 for none written down). One write.
	Divide(ctx context.Context, app id.App, group id.Group, was, parts int) error
}
