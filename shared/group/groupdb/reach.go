package groupdb

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table"
)

// marked is how many rows are marked at once.
const marked = 25

// SetReach implements group.Store with one transaction: the profile, the counter and the roster have the reach.
func (s *Store) SetReach(ctx context.Context, app id.App, of id.Group, from, to message.Reach) error {
	work := &table.Transaction{DB: s.DB, Doing: "change the reach of a group"}
	for _, item := range []string{profileItem, counterItem, rosterItem} {
		e := newExpression()
		condition := "attribute_exists(pk) AND " + e.reaches(from)
		e.values[":to"] = table.N(int64(to))
		e.set = append(e.set, "#reach = :to")
		work.Update(e.update(s.Groups, s.key(app, of, item), condition), group.ErrChanged)
	}
	return work.Run(ctx)
}

// Subscribing implements group.Store.
func (s *Store) Subscribing(ctx context.Context, app id.App, of id.Group) ([]id.User, error) {
	roster, err := s.Roster(ctx, app, of)
	if err != nil {
		return nil, err
	}
	var members []id.User
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(marked)
	for user := range roster.Members {
		members = append(members, user)
		work.Go(func() error {
			e := newExpression()
			e.flag("fan", true)
			e.names["#state"], e.values[":joined"] = "state", table.S(string(message.Joined))
			err := e.update(s.Conversations, rowKey(app, user, of), "#state = :joined").Run(ctx, s.DB, nil)
			if errors.Is(err, table.ErrCondition) {
				return nil
			}
			return err
		})
	}
	slices.Sort(members)
	return members, work.Wait()
}
