package connection

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/id"
)

// broadcastWorkers is how many users' devices a broadcast posts to at once: all of a group's that its sender serves.
const broadcastWorkers = 100

// Broadcast posts the frame of the conversation's entry (0 for what is none) to every live device of the users but the one of
// the connection in except, and notes nothing: half a read unit for each user. What goes wrong with one device concerns
// nobody else; it fails only where the records cannot be read.
func (s *Service) Broadcast(ctx context.Context, app id.App, users []id.User, conversation id.Conversation, sequence int64, except string, frame []byte) error {
	records, err := s.Store.Records(ctx, app, users, false)
	if err != nil {
		return fmt.Errorf("find who is online: %w", err)
	}
	var group errgroup.Group
	group.SetLimit(broadcastWorkers)
	for user, record := range records {
		group.Go(func() error {
			s.pushEntry(ctx, app, user, record, conversation, sequence, except, frame)
			return nil
		})
	}
	return group.Wait()
}
