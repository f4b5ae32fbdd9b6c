package fanout

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
)

// refusal is that a device was not posted what comes from the first sequence on.
type refusal struct {
	to      Subscription
	first   int64
	failure connection.Failure
}

// note has the refusals of messages up to the last kept. What is noted of a message and a user replaces what was: so it is told at once
// of all the user's devices that the message did not come to, which are more the later it is.
func (p *Pusher) note(ctx context.Context, refused <-chan refusal, last int64) {
	users := map[id.User][]refusal{}
	for each := range refused {
		users[each.to.User] = append(users[each.to.User], each)
	}
	var group errgroup.Group
	group.SetLimit(posters)
	for user, all := range users {
		slices.SortFunc(all, func(a, b refusal) int { return cmp.Compare(a.first, b.first) })
		group.Go(func() error {
			var failed []connection.Failure
			for i, each := range all {
				failed = append(failed, each.failure)
				until := last
				if i+1 < len(all) {
					until = all[i+1].first - 1
				}
				if until >= each.first {
					connection.NoteFailures(ctx, p.Failures, each.to.App, user, id.Conversation(each.to.Group), each.first, until, failed)
				}
			}
			return nil
		})
	}
	_ = group.Wait() // what goes wrong is logged
}
