package access

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/task"
)

// Sockets cuts live connections. connection.Service is one.
type Sockets interface {
	// CutUser closes every socket of the user.
	CutUser(ctx context.Context, app id.App, user id.User) error
	// CutKey closes every socket whose token the key minted.
	CutKey(ctx context.Context, app id.App, key id.Key) error
}

// Keys is what is asked of the app's keys.
type Keys interface {
	// IDs returns up to limit IDs of the app's keys, those after the ID; "" begins.
	IDs(ctx context.Context, app id.App, after id.Key, limit int) ([]id.Key, error)
	// Narrow takes scopes from a key: fault.KeyNotFound, KeyNotActive. Scopes that it does not have are no error.
	Narrow(ctx context.Context, app id.App, key id.Key, scopes []string, origin record.Origin) error
	// CutLater has the sockets of the key that opened before the time cut again soon: the index that finds them lags behind.
	CutLater(ctx context.Context, app id.App, key id.Key, before time.Time) error
}

// Tasks keeps reminders of what a request may not come to. A task.Store is one.
type Tasks interface {
	Add(ctx context.Context, task task.Task) error
	Done(ctx context.Context, task task.Task) error
}

// Members tells of the members of accounts.
type Members interface {
	// Standing returns the role that the developer has in the account of the app, and since when; ok is false for no member.
	Standing(ctx context.Context, app id.App, developer id.Developer) (role authz.Role, since time.Time, ok bool, err error)
}

// Groups tells of groups and of who is in them.
type Groups interface {
	// Role returns the role that the user has in the group, "" for one who is no member, or for no user; ErrNotFound where there is
	// no such group.
	Role(ctx context.Context, app id.App, group id.Group, user id.User) (authz.Role, error)
}

// Service grants, revokes, makes roles, and explains.
type Service struct {
	Store   Store
	Records record.Store
	Sockets Sockets
	Keys    Keys
	Tasks   Tasks
	// Members may be nil where developers are not explained.
	Members Members
	// Groups may be nil where nothing is granted nor explained.
	Groups Groups
	Clock  clock.Clock
	IDs    id.Source
}

const (
	// attempts is how often a change is tried again that others overtake; the pauses between add up to some 2 s.
	attempts     = 12
	longestPause = 300 * time.Millisecond
)

// untilUnchanged runs the change until nobody overtakes it. Each run reads anew what it changes.
func untilUnchanged(ctx context.Context, change func() error) error {
	for attempt := range attempts {
		err := change()
		if !errors.Is(err, ErrChanged) {
			return err
		}
		pause := min(longestPause, 5*time.Millisecond<<attempt)
		select {
		case <-ctx.Done():
			return fault.Wrap(ctx.Err(), fault.Unavailable)
		case <-time.After(pause/2 + rand.N(pause)): // those who collided shall not collide again
		}
	}
	return fault.Wrap(ErrChanged, fault.Overtaken)
}

// after returns the time of a change of what was changed last at a time: as it is kept, and later than that one. The order
// of the records of one subject is thereby the order of its changes, whatever the clocks of two functions say.
func (s *Service) after(last time.Time) time.Time {
	now := s.Clock.Now().UTC().Truncate(time.Millisecond)
	if !now.After(last) {
		return last.Add(time.Millisecond)
	}
	return now
}

// opening are the permissions that a socket stands on, as package session asks for them.
var opening = authz.SetOf(authz.SocketConnect, authz.MessagesRead)

// cutUser closes the user's sockets where the user could have some before and may have none now.
func (s *Service) cutUser(ctx context.Context, app id.App, user id.User, before, after authz.Set) error {
	if before&opening == opening && after&opening != opening {
		return s.Sockets.CutUser(ctx, app, user)
	}
	return nil
}

// cutAll closes all sockets of the app: whoever may still have one opens it again and is sent what it has missed.
func (s *Service) cutAll(ctx context.Context, app id.App) error {
	const page = 100
	// Whoever opens one from now on is judged by what holds now. A second more, for clocks that differ and times that are cut
	// to whole seconds.
	before := s.Clock.Now().Add(time.Second)
	for after := id.Key(""); ; {
		keys, err := s.Keys.IDs(ctx, app, after, page)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if err := s.Keys.CutLater(ctx, app, key, before); err != nil {
				slog.WarnContext(ctx, "sockets not cut again", "key", key, "error", err)
			}
			if err := s.Sockets.CutKey(ctx, app, key); err != nil {
				return err
			}
			after = key
		}
		if len(keys) < page {
			return nil
		}
	}
}

// refusal turns what stores refuse into what callers are told.
func refusal(err error) error {
	if errors.Is(err, ErrAppDeleted) {
		return fault.New(fault.AppDeleted)
	}
	return err
}

// roleIn returns the role that the user has in the group, "" for none, also where there is no group or no user; a group that is none
// is refused as the field.
func (s *Service) roleIn(ctx context.Context, app id.App, group id.Group, user id.User, field string) (authz.Role, error) {
	if group == "" {
		return "", nil
	}
	role, err := s.Groups.Role(ctx, app, group, user)
	if errors.Is(err, ErrNotFound) {
		return "", fault.Invalid(fault.Field{Name: field, Code: fault.GroupNotFound})
	}
	return role, err
}

// lacking refuses a caller who would give subjects of the kinds a permission that it cannot hand on to them.
func lacking(caller authz.Caller, group id.Group, to authz.Kind, given authz.Set) error {
	if missing := given &^ caller.Lasting(group, to); missing != 0 {
		return fault.New(fault.GrantExceeds, string(missing.First()))
	}
	return nil
}
