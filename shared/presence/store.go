package presence

import (
	"context"
	"time"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
)

// Store reads routing records, writes what they have of presence, and keeps who watches whom. What there is no record for
// is connection.ErrNotFound.
type Store interface {
	// Record and Records are those of connection.Store.
	Record(ctx context.Context, app id.App, user id.User, strong bool) (connection.Record, error)
	Records(ctx context.Context, app id.App, users []id.User, strong bool) (map[id.User]connection.Record, error)

	// SetHidden hides the user's presence from other users, or shows it again, and returns the record after that. One
	// write.
	SetHidden(ctx context.Context, app id.App, user id.User, hidden bool) (connection.Record, error)
	// MarkWatched notes that somebody watches the user until the time, or longer, and returns the record after that. Where
	// nobody did at now, online is noted as what was announced last; otherwise that stays as it is. One write, or two
	// where somebody did.
	MarkWatched(ctx context.Context, app id.App, user id.User, now, until time.Time, online bool) (connection.Record, error)
	// PutAnnounced replaces what was announced, if that is still what stands there. It returns the record as it stands after
	// that: a change of presence is either in it, or was written with the new announcement in view. One write.
	PutAnnounced(ctx context.Context, app id.App, user id.User, was, is connection.Announcement) (connection.Record, error)

	// PutWatch notes that the watcher watches the user, whatever stands there. It expires by itself.
	PutWatch(ctx context.Context, app id.App, watched, watcher id.User, expires time.Time) error
	// RemoveWatch ends that, if it is so.
	RemoveWatch(ctx context.Context, app id.App, watched, watcher id.User) error
	// Watchers returns up to limit users who watch the user at the time, by ID, those after the position ("" begins), and
	// the next position ("" at the end). It reads strongly. A page may be short or empty and still have a next one.
	Watchers(ctx context.Context, app id.App, watched id.User, now time.Time, after string, limit int) (watchers []id.User, next string, err error)
}
