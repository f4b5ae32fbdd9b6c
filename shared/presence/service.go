package presence

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// writers is how many rows are written at once.
const writers = 25

// Users finds users by name. user.Service is one.
type Users interface {
	// Resolve returns the ID that an ID or username stands for, without checking that an ID exists.
	Resolve(ctx context.Context, app id.App, idOrName, field string) (id.User, error)
}

// Announcer has changes announced. connection.Service is one.
type Announcer interface {
	// Announce has those who watch the user told, after connection.Damping, if they were told another thing last than what
	// the record shows; and asking, who was answered that, even if it does not last.
	Announce(ctx context.Context, app id.App, user, asking id.User, record connection.Record)
}

// Service answers who is online, and begins and ends watches. A viewer is the end user who asks; "" is an application,
// which sees everything.
type Service struct {
	Store     Store
	Users     Users
	Announcer Announcer
	Clock     clock.Clock
}

// Get returns the presence of a user by ID or name; fault.UserNotFound where there is none.
func (s *Service) Get(ctx context.Context, app id.App, viewer id.User, idOrName string) (UserPresence, error) {
	user, err := s.Users.Resolve(ctx, app, idOrName, "id")
	if err != nil {
		return UserPresence{}, err
	}
	record, err := s.Store.Record(ctx, app, user, false)
	if errors.Is(err, connection.ErrNotFound) {
		record, err = s.Store.Record(ctx, app, user, true) // as just after the registration
	}
	if err != nil {
		return UserPresence{}, notFound(err)
	}
	return s.item(viewer, user, record), nil
}

// Query returns the presence of each of the users, by ID, in the order asked; Unknown for what is no user of the app.
func (s *Service) Query(ctx context.Context, app id.App, viewer id.User, users []string) ([]UserPresence, error) {
	records, err := s.records(ctx, app, users)
	if err != nil {
		return nil, err
	}
	return s.items(viewer, users, records), nil
}

// Watch returns the same and has the watcher told of every change from then on, for WatchLife.
//
// The rows are written before the answer is made, so that a change is in the answer, or is announced after it: a job waits
// connection.Damping before it looks who watches.
func (s *Service) Watch(ctx context.Context, app id.App, watcher id.User, users []string) ([]UserPresence, error) {
	records, err := s.records(ctx, app, users)
	if err != nil {
		return nil, err
	}
	after := make([]connection.Record, len(records))
	known := make([]id.User, 0, len(records))
	for user := range records {
		known = append(known, user)
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i, user := range known {
		group.Go(func() (err error) {
			after[i], err = s.watch(inner, app, user, watcher, records[user])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, user := range known {
		records[user] = after[i]
	}
	return s.items(watcher, users, records), nil
}

// watch lets the watcher watch one user, and returns the user's record after that.
func (s *Service) watch(ctx context.Context, app id.App, user, watcher id.User, record connection.Record) (connection.Record, error) {
	now := s.Clock.Now()
	if err := s.Store.PutWatch(ctx, app, user, watcher, now.Add(WatchLife)); err != nil {
		return record, err
	}
	if !record.Watched(now.Add(WatchLife)) {
		var err error
		if record, err = s.Store.MarkWatched(ctx, app, user, now, now.Add(markLife), record.Shown(now)); err != nil {
			return record, err
		}
	}
	// The answer may be news to the others: within Damping, or after a connection was lost without a word.
	s.Announcer.Announce(ctx, app, user, watcher, record)
	return record, nil
}

// Unwatch ends watches.
func (s *Service) Unwatch(ctx context.Context, app id.App, watcher id.User, users []string) error {
	remove := s.Store.RemoveWatch
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for _, user := range distinct(users) {
		group.Go(func() error { return remove(ctx, app, user, watcher) })
	}
	return group.Wait()
}

// SetHidden hides the user's presence from other users, or shows it again, and returns it as the user sees it.
func (s *Service) SetHidden(ctx context.Context, app id.App, user id.User, hidden bool) (UserPresence, error) {
	after, err := s.Store.SetHidden(ctx, app, user, hidden)
	if err != nil {
		return UserPresence{}, notFound(err)
	}
	s.Announcer.Announce(ctx, app, user, "", after)
	return s.item(user, user, after), nil
}

// notFound names what the store does not have.
func notFound(err error) error {
	if errors.Is(err, connection.ErrNotFound) {
		return fault.Invalid(fault.Field{Name: "id", Code: fault.UserNotFound, Args: []any{"id"}})
	}
	return err
}

// records returns the records of those of the users whom the app has. The cheap read comes first; only who is not found by
// it is looked for strongly.
func (s *Service) records(ctx context.Context, app id.App, users []string) (map[id.User]connection.Record, error) {
	asked := distinct(users)
	records, err := s.Store.Records(ctx, app, asked, false)
	if err != nil || len(records) == len(asked) {
		return records, err
	}
	missing := slices.DeleteFunc(asked, func(user id.User) bool { _, found := records[user]; return found })
	late, err := s.Store.Records(ctx, app, missing, true)
	if err != nil {
		return nil, err
	}
	for user, record := range late {
		records[user] = record
	}
	return records, nil
}

// distinct returns those that are IDs of users, each once.
func distinct(users []string) []id.User {
	var found []id.User
	seen := make(map[string]bool, len(users))
	for _, user := range users {
		if id.IsUser(user) && !seen[user] {
			seen[user] = true
			found = append(found, id.User(user))
		}
	}
	return found
}

func (s *Service) items(viewer id.User, users []string, records map[id.User]connection.Record) []UserPresence {
	items := make([]UserPresence, len(users))
	for i, user := range users {
		if record, known := records[id.User(user)]; known {
			items[i] = s.item(viewer, id.User(user), record)
		} else {
			items[i] = UserPresence{UserID: id.User(user), Status: Unknown}
		}
	}
	return items
}

func (s *Service) item(viewer, user id.User, record connection.Record) UserPresence {
	return Of(user, record, s.Clock.Now(), viewer == "" || viewer == user)
}
