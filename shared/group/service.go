package group

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/plainjson"
)

// Log writes to the logs of groups. message.Service is one.
type Log interface {
	// Told returns the entry with the change as its text: for the first of a log, whose number nobody has to take.
	Told(ctx context.Context, entry message.Entry, change message.GroupChange) (message.Entry, error)
	// Tell takes the next number of the group's log and returns the entry for it, which is not stored. by is "" for an
	// application. message.ErrNoGroup where there is nothing to tell any more, ErrDismissed where it is not of who leaves.
	Tell(ctx context.Context, app id.App, group id.Group, by id.User, change message.GroupChange) (message.Entry, error)
	// Abandon gives an entry's number up, so that nobody waits for it. It does nothing where an entry stands there.
	Abandon(ctx context.Context, entry message.Entry)
	// Settle returns when every number of the group's log that was taken before stands there.
	Settle(ctx context.Context, app id.App, group id.Group) error
	// Publish tells the members of an entry that is stored, once all before it can be read, and notes it for those affected,
	// so that they learn of it at their next sync.
	Publish(ctx context.Context, entry message.Entry, affected []id.User) error
	// Remind tells some of those affected by the entry of the sequence once more, and notes it for them.
	Remind(ctx context.Context, app id.App, group id.Group, sequence int64, affected []id.User) error
}

// Audience subscribes devices to groups whose reach is not Direct. fanout.Audience is one.
type Audience interface {
	// Follow subscribes those of the users who are members.
	Follow(ctx context.Context, app id.App, group id.Group, users []id.User) error
	// Leave ends what the user, who left by the entry of the sequence, has subscribed to before: nothing more is posted by that
	// when it returns.
	Leave(ctx context.Context, app id.App, group id.Group, user id.User, sequence int64) error
}

// Users finds users.
type Users interface {
	// Known returns those of up to 100 users that the app has, with whether they are active: nobody acts for a deactivated one.
	Known(ctx context.Context, app id.App, users []id.User) (active map[id.User]bool, err error)
}

// Service makes groups and changes them.
type Service struct {
	Store    Store
	Log      Log
	Users    Users
	Audience Audience
	Clock    clock.Clock
	IDs      id.Source
	// Pause waits before a change is tried again. nil means message.Backoff.
	Pause func(ctx context.Context, attempt int) error
}

const (
	// attempts is how often a change is tried that others overtake; the pauses between add up to some 3 s.
	attempts = 24
	// busyRetry is what the caller is told to wait then.
	busyRetry = 2 * time.Second
)

// errNothing says that there is nothing to change.
var errNothing = errors.New("group: nothing to change")

// plan is what a change shall do.
type plan struct {
	// told is what the log tells of it.
	told message.GroupChange
	// is is the group after it; its Members and Version follow from the rest.
	is Group
	// moves are the rows as they shall be; Is.Version and, for those who join, Is.Since follow from the entry.
	moves []Move
	holds Holds
}

// affected returns those whose own rows change.
func (p plan) affected() (users []id.User) {
	for _, move := range p.moves {
		users = append(users, move.Is.User)
	}
	return users
}

// move adds the change of a row.
func (p *plan) move(was, is Member) { p.moves = append(p.moves, Move{Was: was, Is: is}) }

// commit returns the plan as a change at the entry. The caller has to be who it was when this was decided.
func (p plan) commit(seen scene, entry message.Entry) Commit {
	made := Commit{Entry: entry, Was: seen.group, Is: p.is, Holds: p.holds}
	me, moved := seen.me(), false
	for _, move := range p.moves {
		move.Is.Version, move.Is.By = entry.Sequence, seen.caller.User
		if move.Is.joined() && !move.Was.joined() {
			move.Is.Since = entry.Sequence
		}
		moved = moved || move.Was.User == me.User
		made.Moves = append(made.Moves, move)
	}
	if me.joined() && !moved {
		made.Stands = []Member{me}
	}
	made.Is.Version, made.Is.Members = entry.Sequence, seen.group.Members+made.Gain()
	return made
}

// change reads the group with the users' rows, has decide say what becomes of it, and does that, until nobody is in the way.
// It returns what was read and decided on, and the commit, which changes nothing where decide says errNothing. permission is
// that of read.
func (s *Service) change(ctx context.Context, caller authz.Caller, permission authz.Permission, group id.Group, users []id.User,
	decide func(seen scene) (plan, error)) (scene, Commit, error) {
	for attempt := range attempts {
		if attempt > 0 {
			if err := s.pause(ctx, attempt); err != nil {
				return scene{}, Commit{}, fault.Wrap(err, fault.Unavailable)
			}
		}
		seen, err := s.read(ctx, caller, permission, group, users...)
		if err != nil {
			return scene{}, Commit{}, err
		}
		planned, err := decide(seen)
		switch {
		case errors.Is(err, errNothing):
			return seen, Commit{Was: seen.group, Is: seen.group}, nil
		case err != nil:
			return scene{}, Commit{}, err
		case seen.group.Dismissed() && !planned.told.Kind.Leaves():
			return scene{}, Commit{}, fault.New(fault.GroupDismissed)
		case seen.group.Members+gains(planned.moves) > seen.group.room():
			if err := s.grow(ctx, seen.group); err != nil && !overtaken(err) {
				return scene{}, Commit{}, err
			}
			continue
		}
		made, err := s.make(ctx, seen, planned)
		if !overtaken(err) {
			return seen, made, err
		}
	}
	busy := fault.New(fault.ConversationBusy)
	busy.RetryAfter = busyRetry
	return scene{}, Commit{}, busy
}

// overtaken tells whether a change failed because of another, and can be decided anew.
func overtaken(err error) bool {
	return errors.Is(err, ErrChanged) || errors.Is(err, message.ErrTaken) || errors.Is(err, message.ErrDismissed) ||
		errors.Is(err, message.ErrNoGroup)
}

// make makes the planned change.
func (s *Service) make(ctx context.Context, seen scene, planned plan) (Commit, error) {
	entry, err := s.Log.Tell(ctx, seen.group.App, seen.group.ID, seen.caller.User, planned.told)
	if err != nil {
		return Commit{}, err
	}
	made := planned.commit(seen, entry)
	if err := s.Store.Commit(ctx, made); err != nil {
		// Even where the change came through after all that does no harm: then an entry stands at the number.
		s.Log.Abandon(ctx, entry)
		return Commit{}, err
	}
	if err := s.unsubscribe(ctx, made); err != nil {
		return Commit{}, err
	}
	return made, s.Log.Publish(ctx, entry, planned.affected())
}

// remind tells the users, for whom there was nothing to change, of the last change of their rows, and ends what those who have left
// are subscribed to. It may have been this very request that made the change, and broke off before that.
func (s *Service) remind(ctx context.Context, seen scene, users ...id.User) error {
	changes := map[int64][]id.User{}
	for _, user := range users {
		row := seen.rows[user]
		if row.Version != 0 {
			changes[row.Version] = append(changes[row.Version], user)
		}
		if row.State == message.Left && seen.group.Reach != message.Direct {
			if err := s.Audience.Leave(ctx, seen.group.App, seen.group.ID, user, row.Version); err != nil {
				return err
			}
		}
	}
	for version, affected := range changes {
		if err := s.Log.Remind(ctx, seen.group.App, seen.group.ID, version, affected); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) pause(ctx context.Context, attempt int) error {
	if s.Pause != nil {
		return s.Pause(ctx, attempt)
	}
	return message.Backoff(ctx, attempt)
}

// read reads the group for the caller, with the rows of the caller and of the users. Only users can have a permission by
// what the group says of them: others without it are refused before anything is read.
func (s *Service) read(ctx context.Context, caller authz.Caller, permission authz.Permission, group id.Group, users ...id.User) (scene, error) {
	if !caller.EndUser {
		if err := caller.RequireIn(permission, group); err != nil {
			return scene{}, err
		}
	}
	if !id.IsGroup(string(group)) {
		return scene{}, fault.New(fault.GroupNotFound)
	}
	if caller.User != "" {
		users = append(users[:len(users):len(users)], caller.User)
	}
	found, rows, err := s.Store.Read(ctx, caller.App, group, users...)
	if errors.Is(err, ErrNotFound) {
		return scene{}, fault.New(fault.GroupNotFound)
	}
	return scene{caller: caller, group: found, rows: rows}, err
}

// encoded returns the value's JSON; nothing for members of an app's own that are none.
func encoded(value any) json.RawMessage {
	text, _ := plainjson.Encode(value)
	return text
}

// scene is what a change is decided on: a group, how some users stand to it, and who asks.
type scene struct {
	caller authz.Caller
	group  Group
	rows   map[id.User]Member
}

// me returns the caller's own row; a zero one for an application.
func (s scene) me() Member {
	if s.caller.User == "" {
		return Member{}
	}
	return s.rows[s.caller.User]
}

// within returns the caller with what its role in the group gives it.
func (s scene) within() authz.Caller {
	if me := s.me(); me.joined() {
		return s.caller.Within(s.group.ID, me.Role)
	}
	return s.caller
}

// visible tells whether the caller may know that there is such a group: its members do, those whom it invited or who ask to
// join, everybody where one can join or ask, applications, and users who look after groups.
func (s scene) visible() bool {
	me := s.me()
	return !s.caller.EndUser || me.joined() || me.State == message.Invited || me.State == message.Asked ||
		s.group.Join != InviteOnly || s.caller.RequireIn(authz.GroupsManage, s.group.ID) == nil
}

// require refuses a caller without the permission in the group; it learns nothing of a group that it cannot see.
func (s scene) require(permission authz.Permission) error {
	if !s.visible() {
		return fault.New(fault.GroupNotFound)
	}
	return s.within().RequireIn(permission, s.group.ID)
}

// requireInside is require for what only members see, and those who look after groups.
func (s scene) requireInside(permission authz.Permission) error {
	if err := s.require(permission); err != nil {
		return err
	}
	if s.caller.EndUser && !s.me().joined() && s.caller.RequireIn(authz.GroupsManage, s.group.ID) != nil {
		return fault.New(fault.NotAMember)
	}
	return nil
}
