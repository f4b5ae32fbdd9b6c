package message

import (
	"context"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/plainjson"
)

// windowBytes bounds a window's JSON: API Gateway takes frames of 128 KB, and the envelope needs a little.
const windowBytes = 120 << 10

// rowsPerPage is how many membership rows a resume reads at once.
const rowsPerPage = 100

// NoVersion is the position of a device that named none at connect.
const NoVersion int64 = -1

// Progress is how far the resume of a socket has come.
type Progress struct {
	// Since is the version that the device named at connect, or NoVersion.
	Since int64
	// Version is the user's version when the resume began.
	Version int64
	// Conversation and Sequence are the last that was posted; conversations are gone through by ID.
	Conversation id.Conversation
	Sequence     int64
}

// start is where a resume begins in a conversation: behind the sequence.
type start struct {
	// member is the user's row of it.
	member Member
	after  int64
}

// Begin returns the first window of a socket that has just opened, and the progress after it. since is the version that
// the device named, or NoVersion. Where the user is or was in a group subscribe is called before the log of one is read: what
// comes later is posted by the fan-out then.
//
// A device that named a version gets, of every conversation that changed since, at least what came after it. A device that
// named none, or one too old to tell, gets what lies beyond the user's marks.
func (s *Service) Begin(ctx context.Context, app id.App, user id.User, since int64, subscribe func(context.Context) error) (Window, *Progress, error) {
	now, err := s.changedSince(ctx, app, user, since, true)
	if err == nil && now.groups {
		err = subscribe(ctx)
	}
	if err != nil {
		return Window{}, nil, err
	}
	full := since != NoVersion && !now.complete
	if full {
		since = NoVersion
	}
	window, progress, err := s.Next(ctx, app, user, Progress{Since: since, Version: now.version})
	window.Full = full
	return window, progress, err
}

// Next returns the window behind the progress and the progress after it; nil where the window is the last.
func (s *Service) Next(ctx context.Context, app id.App, user id.User, progress Progress) (Window, *Progress, error) {
	window := windowBuilder{service: s, progress: progress, items: []Message{}}
	full, err := s.walk(ctx, app, user, progress, func(from start) (bool, error) { return window.fill(ctx, from) })
	if err != nil {
		return Window{}, nil, err
	}
	event := Window{Event: windowEvent, Items: window.items, V: progress.Version, More: window.full, Full: full}
	if !window.full {
		return event, nil, nil
	}
	return event, &window.progress, nil
}

// walk visits the conversations of a resume by ID, beginning within the one of the progress. visit returns false to stop.
// full says that the ring has moved on during the resume: what the device has missed is not known any more, so it gets
// what lies beyond the user's marks and has to check all its conversations.
func (s *Service) walk(ctx context.Context, app id.App, user id.User, progress Progress, visit func(start) (bool, error)) (full bool, err error) {
	if progress.Since == NoVersion {
		return false, s.marked(ctx, app, user, progress, "", visit)
	}
	now, err := s.changedSince(ctx, app, user, progress.Since, true)
	if err != nil {
		return false, err
	}
	if !now.complete {
		return true, s.marked(ctx, app, user, progress, "", visit)
	}
	return false, s.changed(ctx, app, user, progress, now, visit)
}

// BeforeGroups comes after every pair and before every group, in the order of rows.
const BeforeGroups id.Conversation = "g"

// marked visits the user's conversations behind the one given, each behind the user's marks.
func (s *Service) marked(ctx context.Context, app id.App, user id.User, progress Progress, after id.Conversation, visit func(start) (bool, error)) error {
	if progress.Conversation > after {
		more, err := s.goOn(ctx, app, user, progress, visit)
		if err != nil || !more {
			return err
		}
		after = progress.Conversation
	}
	for {
		members, err := s.Members.List(ctx, app, user, after, rowsPerPage, true)
		if err != nil {
			return err
		}
		waiting, err := s.withTails(ctx, in(members), true)
		if err != nil {
			return err
		}
		for _, member := range waiting {
			if member.tail.Sequence <= member.Held() {
				continue
			}
			if more, err := visit(start{member.Member, member.Held()}); err != nil || !more {
				return err
			}
		}
		if len(members) < rowsPerPage {
			return nil
		}
		after = members[len(members)-1].Conversation
	}
}

// goOn visits the conversation that the last window ended in, unless it is a group that the user is not in any more.
func (s *Service) goOn(ctx context.Context, app id.App, user id.User, progress Progress, visit func(start) (bool, error)) (more bool, err error) {
	member, err := s.memberNow(ctx, app, user, progress.Conversation)
	if fault.Is(err, fault.ConversationNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return visit(start{member, max(progress.Sequence, member.First()-1)}) // it may have left and joined again
}

// changed visits the pairs that changed since the version of the progress, then the groups: their messages are noted for
// nobody, so the user's marks tell what is new there.
func (s *Service) changed(ctx context.Context, app id.App, user id.User, progress Progress, now changes, visit func(start) (bool, error)) error {
	for _, change := range now.changed {
		if change.conversation < progress.Conversation || change.conversation.Group() != "" {
			continue
		}
		find := s.member
		if now.own { // what it has removed meanwhile is not to come back
			find = s.memberNow
		}
		member, err := find(ctx, app, user, change.conversation)
		if err != nil {
			return err
		}
		from := start{member, max(progress.Sequence, member.First()-1)}
		if change.conversation > progress.Conversation {
			if from.after, err = s.presumablyHeld(ctx, member, change, progress.Since); err != nil {
				return err
			}
		}
		if more, err := visit(from); err != nil || !more {
			return err
		}
	}
	if !now.groups {
		return nil
	}
	return s.marked(ctx, app, user, progress, BeforeGroups, visit)
}

// presumablyHeld returns a sequence up to which a device at the version has a changed conversation. Each append is followed
// by a note with a version of its own, so no more entries than versions have passed can be new to the device; an entry
// whose note came late is covered by the user's marks. Where another device has moved these, that one entry can be behind
// the start: the device sees the gap in the sequence and reads it from the history, as with every gap.
func (s *Service) presumablyHeld(ctx context.Context, member Member, change noted, since int64) (int64, error) {
	tail, err := s.tailFrom(ctx, member.App, change.conversation, change.sequence)
	if err != nil {
		return 0, err
	}
	return max(member.First()-1, min(tail.Sequence-(change.version-since), member.Held())), nil
}

// windowBuilder collects messages until a window is full.
type windowBuilder struct {
	service  *Service
	progress Progress
	items    []Message
	bytes    int
	full     bool
}

// fill adds what lies behind the start, up to where the user's membership ends, and returns false when the window is full.
func (w *windowBuilder) fill(ctx context.Context, from start) (bool, error) {
	for after := from.after; ; {
		limit := PageSize - len(w.items) + 1 // one more than fits tells whether the window is full
		entries, err := w.service.readStrongly(ctx, from.member.App, from.member.Conversation, after+1, limit)
		if err != nil {
			return false, err
		}
		run, err := w.service.shown(ctx, from.member, Contiguous(entries, after+1, +1), true)
		if err != nil {
			return false, err
		}
		for _, entry := range run {
			message, err := w.service.open(ctx, entry)
			if err != nil {
				return false, err
			}
			if !w.add(message) {
				w.full = true
				return false, nil
			}
			if message.ends(from.member.User) {
				return true, nil
			}
			after = entry.Sequence
		}
		if len(entries) < limit || len(run) == 0 {
			return true, nil
		}
	}
}

// add takes the message into the window if there is room for it.
func (w *windowBuilder) add(message Message) bool {
	size := len(plainjson.Must(message)) + 1
	if len(w.items) == PageSize || len(w.items) > 0 && w.bytes+size > windowBytes {
		return false
	}
	w.items, w.bytes = append(w.items, message), w.bytes+size
	w.progress.Conversation, w.progress.Sequence = message.ConversationID, message.Seq
	return true
}
