package group

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/message"
)

// grow has the fan-out take the group over from those who write to it. It can be begun by two at once, break off anywhere and be
// begun anew.
//
// While the reach is Both, whoever writes posts to the roster still, and the fan-out to whoever has subscribed by then. Only
// when every member's row is marked and every open socket subscribed does the first end, and when nothing is on its way to the
// log that the fan-out, which hands the log on in order, would wait for and not be told of. Whoever joins or connects meanwhile
// subscribes by the reach, or by the mark.
func (s *Service) grow(ctx context.Context, grown Group) error {
	if grown.Reach == message.Direct {
		if err := s.Store.SetReach(ctx, grown.App, grown.ID, message.Direct, message.Both); err != nil && !errors.Is(err, ErrChanged) {
			return err
		}
	}
	members, err := s.Store.Subscribing(ctx, grown.App, grown.ID)
	if err != nil {
		return err
	}
	if err := s.Audience.Follow(ctx, grown.App, grown.ID, members); err != nil {
		return err
	}
	if err := s.Log.Settle(ctx, grown.App, grown.ID); err != nil {
		return err
	}
	err = s.Store.SetReach(ctx, grown.App, grown.ID, message.Both, message.Fanned)
	if errors.Is(err, ErrChanged) {
		return nil // somebody else was first
	}
	return err
}

// unsubscribe ends the subscriptions of those whom the commit has taken out. The fan-out does the same when it comes to the
// entry: the caller may die here.
func (s *Service) unsubscribe(ctx context.Context, made Commit) error {
	if made.Was.Reach == message.Direct {
		return nil
	}
	for _, move := range made.Moves {
		if !move.Was.joined() || move.Is.joined() {
			continue
		}
		if err := s.Audience.Leave(ctx, made.Was.App, made.Was.ID, move.Is.User, made.Entry.Sequence); err != nil {
			return err
		}
	}
	return nil
}
