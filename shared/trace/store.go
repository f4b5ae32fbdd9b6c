package trace

import (
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

// Place is an entry of a log, on its way to a user.
type Place struct {
	App          id.App
	Conversation id.Conversation
	Sequence     int64
	User         id.User
}

// Store keeps pushes that failed.
type Store interface {
	// Put keeps the failures at the place until the time, whatever is kept there. One write.
	Put(ctx context.Context, at Place, failures []Failure, until time.Time) error
	// Get returns what is kept of the entry for up to 100 different users, and has not ended at the time now; at.User is not
	// looked at. It is eventually consistent: half a read unit for each.
	Get(ctx context.Context, at Place, users []id.User, now time.Time) (map[id.User][]Failure, error)
}
