package connection

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
)

// Notify notes that the conversation changed for the user up to the sequence, under the next version, and posts the frame of that version
// to every live device but the one of the connection in except. It fails only where the note fails; a user who was erased just
// now has nobody to be told.
func (s *Service) Notify(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64, except string, frame func(version int64) []byte) (int64, error) {
	record, err := s.Note(ctx, app, user, conversation, sequence)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	s.pushEntry(ctx, app, user, record, conversation, sequence, except, frame(record.Version))
	return record.Version, nil
}

// outdateTries is how often an outdating is tried that changes of the user's conversations get in the way of.
const outdateTries = 10

// Outdate has the user's devices look at all conversations at their next sync: so much has changed that it was not noted one by
// one. The conversation is one that has changed, up to the sequence. A user without devices has nobody to be told, and neither has
// one who was erased just now. One read unit; one more and two writes for a user with devices.
//
// The next version is pushed to nobody, so that no device comes past it but by a sync; and the floor is raised to it before it is
// there, so that every such sync is told to look at all. It counts only if nobody else has made that version meanwhile.
func (s *Service) Outdate(ctx context.Context, app id.App, user id.User, conversation id.Conversation, sequence int64) error {
	devices, err := s.HasOther(ctx, app, user, "")
	for tries := 0; err == nil && devices && tries < outdateTries; tries++ {
		var record Record
		if record, err = s.Store.Record(ctx, app, user, true); err != nil {
			break
		}
		next := record.Version + 1
		if err = s.Store.Trim(ctx, app, user, record.Version, slices.Collect(maps.Keys(record.Ring)), next); err != nil {
			break
		}
		if record, err = s.Store.Note(ctx, app, user, conversation, sequence); err == nil && record.Version == next && record.Floor == next {
			return nil
		}
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err == nil && devices:
		return fault.TooOften("outdate a user's devices")
	}
	return err
}

// HasOther tells whether the user has a device besides the one of the connection ("" for none); read strongly.
func (s *Service) HasOther(ctx context.Context, app id.App, user id.User, connection string) (bool, error) {
	record, err := s.Store.Record(ctx, app, user, true)
	if errors.Is(err, ErrNotFound) { // it was erased just now
		return false, nil
	}
	return record.HasOther(connection, s.Clock.Now()), err
}

// Changed visits the conversations that changed for the user after the version since, by ID, each with the version of
// its last change and the highest sequence that was noted, and returns the user's version. complete is false where the
// record does not reach back so far, groups where none of a group was ever noted, own where the user's own log never was. A version that seems to lie ahead is looked at strongly before it is believed.
func (s *Service) Changed(ctx context.Context, app id.App, user id.User, since int64, strong bool, visit func(conversation id.Conversation, version, sequence int64)) (version int64, complete, groups, own bool, err error) {
	record, err := s.record(ctx, app, user, strong)
	if err == nil && since > record.Version && !strong {
		record, err = s.record(ctx, app, user, true)
	}
	if err != nil {
		return 0, false, false, false, err
	}
	conversations, complete := record.ChangedSince(since)
	for _, conversation := range conversations {
		visit(conversation, record.Ring[conversation].Version, record.Ring[conversation].Sequence)
	}
	return record.Version, complete, record.Groups, record.Own, nil
}

// record reads the record; a cheap read that does not find one, as just after the registration, is made good by a strong
// one.
func (s *Service) record(ctx context.Context, app id.App, user id.User, strong bool) (Record, error) {
	record, err := s.Store.Record(ctx, app, user, strong)
	if errors.Is(err, ErrNotFound) && !strong {
		return s.Store.Record(ctx, app, user, true)
	}
	return record, err
}

// Signal posts a frame to the user's live devices without noting anything: for what is worth nothing a second later.
func (s *Service) Signal(ctx context.Context, app id.App, user id.User, frame []byte) error {
	record, err := s.record(ctx, app, user, false)
	if errors.Is(err, ErrNotFound) {
		return fault.Invalid(fault.Field{Name: "to", Code: fault.UserNotFound, Args: []any{"to"}})
	}
	if err == nil {
		s.Push(ctx, app, user, record, "", frame)
	}
	return err
}

// Standing returns the socket's row, with the rights that an auth frame may have renewed; ErrNotFound where it has none.
func (s *Service) Standing(ctx context.Context, app id.App, user id.User, connection string) (Socket, error) {
	return s.Store.Socket(ctx, app, user, connection)
}

// Answer posts a frame to the connection; a connection that is gone is no error.
func (s *Service) Answer(ctx context.Context, connection string, frame []byte) error {
	if err := s.Poster.Post(ctx, connection, frame); err != nil && !errors.Is(err, ErrGone) {
		return err
	}
	return nil
}
