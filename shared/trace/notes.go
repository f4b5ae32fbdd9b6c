package trace

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
)

// mostNoted is of how many entries it is noted that one post of a run failed. A gateway that refuses much shall not cause ten
// times as many writes.
const mostNoted = 10

// Notes implements connection.Failures on a store.
type Notes struct {
	Store Store
	Clock clock.Clock
}

var _ connection.Failures = (*Notes)(nil)

// Note implements connection.Failures. Of a long run only the first entries are noted.
func (n *Notes) Note(ctx context.Context, app id.App, user id.User, conversation id.Conversation, from, to int64, failed []connection.Failure) error {
	failures := make([]Failure, len(failed))
	for i, each := range failed {
		failures[i] = Failure{Device: nameOf(each.Device), Connection: tokenOf(each.Connection), Code: each.Code, At: each.At}
	}
	until := n.Clock.Now().Add(Life)
	group, ctx := errgroup.WithContext(ctx)
	for sequence := from; sequence <= min(to, from+mostNoted-1); sequence++ {
		group.Go(func() error {
			return n.Store.Put(ctx, Place{App: app, Conversation: conversation, Sequence: sequence, User: user}, failures, until)
		})
	}
	return group.Wait()
}
