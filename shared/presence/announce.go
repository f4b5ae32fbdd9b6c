package presence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/plainjson"
)

const (
	// watchersAPage is how many are read at once: as many as one batch of records.
	watchersAPage = 100
	// pagesAJob bounds what one job does, so that it ends in its time even where every post waits as long as it may:
	// 2,000 watchers in groups of pushes, 2 s each. The rest is another job's.
	pagesAJob = 20
	// pushes is how many watchers are pushed to at once.
	pushes = 100
	// overtakings bounds how often an announcement is overtaken by a change; each time it begins anew.
	overtakings = 5
)

var errOvertaken = errors.New("presence: overtaken too often")

// presenceEvent is the name of the event.
const presenceEvent = "presence"

// UserPresenceEvent says that the presence of a user has changed whom this user watches.
type UserPresenceEvent struct {
	Event string `json:"event" enum:"presence" doc:"Which event it is." example:"presence"`
	UserPresence
}

// Encode returns the event's JSON.
func (e UserPresenceEvent) Encode() []byte { return plainjson.Must(e) }

// Devices pushes to users' devices. connection.Service is one.
type Devices interface {
	// Push posts the frame to every live device of the record but the connection named in except.
	Push(ctx context.Context, app id.App, user id.User, record connection.Record, except string, frame []byte)
}

// Watchers announces changes to those who watch.
type Watchers struct {
	Store   Store
	Devices Devices
	// Later takes the rest of a job that has more watchers than it can tell.
	Later connection.Later
	Clock clock.Clock
}

// Announce looks whether the user's presence is another than what was announced last, and if so tells everybody who
// watches. Of two jobs about one change one does; a job that is done again tells again what it has announced, in case it had
// broken off.
func (w *Watchers) Announce(ctx context.Context, change connection.PresenceChange) error {
	for range pagesAJob {
		record, announces, err := w.decide(ctx, change)
		switch {
		case errors.Is(err, connection.ErrNotFound):
			return nil
		case err != nil:
			return fmt.Errorf("decide what to announce: %w", err)
		case !announces && change.Asking != "":
			return w.tell(ctx, change.Of(), change.User, record, []id.User{change.Asking})
		case !announces:
			return nil
		}
		watchers, next, err := w.Store.Watchers(ctx, change.Of(), change.User, w.Clock.Now(), change.After, watchersAPage)
		if err != nil {
			return err
		}
		if err := w.tell(ctx, change.Of(), change.User, record, watchers); err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		change.After = next
	}
	return w.Later.Send(ctx, change, 0)
}

// decide returns the record and whether its presence is to be announced by this job: not where another has announced it, nor
// where the change has not lasted. It is asked again before every page, so that the older of two jobs stops when the newer
// one begins, and nobody is told the older thing last.
func (w *Watchers) decide(ctx context.Context, change connection.PresenceChange) (connection.Record, bool, error) {
	app, user := change.Of(), change.User
	record, err := w.Store.Record(ctx, app, user, true)
	if err != nil {
		return record, false, err
	}
	for range overtakings {
		now := w.Clock.Now()
		switch {
		case !record.Watched(now):
			return record, false, nil
		case !record.Unannounced(now):
			return record, record.Announced.By == change.ID, nil
		case change.After != "":
			return record, false, nil // the job of the newer change tells everybody
		}
		record, err = w.Store.PutAnnounced(ctx, app, user, record.Announced,
			connection.Announcement{Online: record.Shown(now), By: change.ID})
		if err != nil {
			return record, false, err
		}
		// It is looked at once more: it may have changed before the announcement was put into it.
	}
	return record, false, errOvertaken
}

// tell pushes the user's presence to every live device of the watchers. Nothing that goes wrong with one concerns the
// others, or the job: who was not told asks again when the item's time is over.
func (w *Watchers) tell(ctx context.Context, app id.App, user id.User, record connection.Record, watchers []id.User) error {
	records, err := w.Store.Records(ctx, app, watchers, false)
	if err != nil {
		return err
	}
	now := w.Clock.Now()
	frames := map[bool][]byte{false: event(user, record, now, false), true: event(user, record, now, true)}
	var group errgroup.Group
	group.SetLimit(pushes)
	for watcher, devices := range records {
		group.Go(func() error {
			w.Devices.Push(ctx, app, watcher, devices, "", frames[watcher == user])
			return nil
		})
	}
	return group.Wait()
}

func event(user id.User, record connection.Record, now time.Time, whole bool) []byte {
	return UserPresenceEvent{Event: presenceEvent, UserPresence: Of(user, record, now, whole)}.Encode()
}
