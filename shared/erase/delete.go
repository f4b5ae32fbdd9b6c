package erase

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// undecided is how long a job waits that is sent before the decision which it is about: longer than a request lasts.
const undecided = 30 * time.Second

// Names resolves usernames. user.Service is one.
type Names interface {
	// Resolve returns the ID that an ID or username stands for, without checking that an ID exists.
	Resolve(ctx context.Context, app id.App, idOrName, field string) (id.User, error)
}

// Deleter deletes users, and shows what became of it.
type Deleter struct {
	Store UserStore
	Names Names
	Later Later
	Clock clock.Clock
}

// recordedDeletion is what a record says of a deleted user: nothing that would have to be erased.
type recordedDeletion struct {
	Deleted bool `json:"deleted"`
}

// Delete deletes the user: fault.UserNotFound where there is none. From then on there is no such user; what it has is erased by a
// job. Deleting again is the same: it returns the same receipt, and has the job done that may have been lost.
//
// A job is sent before the decision too, and comes to nothing without it: so a request that dies in between leaves nothing
// undone.
func (d *Deleter) Delete(ctx context.Context, app id.App, idOrName string, origin record.Origin) (Receipt, error) {
	user, err := d.Names.Resolve(ctx, app, idOrName, "id")
	if err != nil {
		return Receipt{}, err
	}
	if receipt, err := d.Store.Receipt(ctx, app, user); err == nil && !receipt.ErasedAt.IsZero() {
		return receipt, nil
	}
	job := UserJob{App: app.String(), User: user}
	if err := d.Later.Send(ctx, job, undecided); err != nil {
		return Receipt{}, err
	}
	now := d.Clock.Now()
	told := record.New(record.OfApp(app), now, origin, record.UserDeleted, string(user), nil, recordedDeletion{true})
	receipt, err := d.Store.BeginUser(ctx, app, user, now, told)
	if err != nil {
		return Receipt{}, notFound(err)
	}
	return receipt, d.Later.Send(ctx, job, 0)
}

// Find returns the receipt of a deleted user; fault.UserNotFound where no user of the ID was deleted.
func (d *Deleter) Find(ctx context.Context, app id.App, user id.User) (Receipt, error) {
	if !id.IsUser(string(user)) {
		return Receipt{}, notFound(ErrNoUser)
	}
	receipt, err := d.Store.Receipt(ctx, app, user)
	return receipt, notFound(err)
}

func notFound(err error) error {
	if errors.Is(err, ErrNoUser) {
		return fault.Invalid(fault.Field{Name: "id", Code: fault.UserNotFound, Args: []any{"id"}})
	}
	return err
}
