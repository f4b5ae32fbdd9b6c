package userimport

import (
	"context"
	"errors"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/task"
	"github.com/tokenim/tokenim/shared/user"
)

const (
	// page is how many rows are read, and counted, at once.
	page = 100
	// atOnce is how many rows are decided at once: about 300 a second, which one partition of the table takes.
	atOnce = 8
)

// Worker registers the users of imports.
type Worker struct {
	Store Store
	Later Later
	Clock clock.Clock
}

// Do does the job, from the first row on that is not counted. It does nothing where the import is done, over, or erased with its
// app. Where there is more to do than time, it sends itself on.
func (w *Worker) Do(ctx context.Context, job Job) error {
	found, err := w.Store.Get(ctx, id.StoredApp(job.App), job.Import)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for found.Counted() < found.Total && !found.Over(w.Clock.Now()) {
		if !task.TimeLeft(ctx) {
			return w.Later.Send(ctx, job, 0)
		}
		after, err := w.page(ctx, found)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		found = after
	}
	return nil
}

// page decides and counts the next rows, and returns the import after that; ErrNotFound where it is being erased.
func (w *Worker) page(ctx context.Context, of Import) (Import, error) {
	rows, err := w.Store.Rows(ctx, of, of.Counted(), page)
	if err != nil {
		return Import{}, err
	}
	if len(rows) == 0 {
		return Import{}, ErrNotFound
	}
	var group errgroup.Group // without a context of its own: one that fails does not keep the others from their end
	group.SetLimit(atOnce)
	for i := range rows {
		group.Go(func() (err error) {
			rows[i].Outcome, err = w.decide(ctx, of, rows[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return Import{}, err
	}
	for _, row := range rows {
		if row.User != "" {
			of.Registered++
		} else {
			of.Refused++
		}
	}
	if of.Counted() == of.Total {
		of.FinishedAt = w.Clock.Now()
	}
	return of, w.Store.Count(ctx, of)
}

// decide registers the row's user, unless the row is decided. The user's ID follows from the row, so that also where the table of
// the rows was lost and restored nobody is registered twice; and from when the import began, since another under the same
// idempotency key, once this one is forgotten, has the same ID.
func (w *Worker) decide(ctx context.Context, of Import, row Row) (Outcome, error) {
	if row.Decided() {
		return row.Outcome, nil
	}
	made := user.User{ID: id.DeriveUser(of.App, "import", string(of.ID), strconv.FormatInt(of.CreatedAt.UnixMilli(), 10), strconv.Itoa(row.Number)), App: of.App, Username: row.Name.Shown,
		CreatedAt: w.Clock.Now(), Rights: authz.Rights{Kind: authz.Users}}
	if row.Profile != (profile.Profile{}) {
		made.Version = 1
	}
	outcome, err := w.Store.Register(ctx, of, row, made)
	switch {
	case errors.Is(err, user.ErrExists):
		return w.Store.Decide(ctx, of, row.Number, Outcome{User: made.ID})
	case errors.Is(err, user.ErrNameTaken):
		return w.Store.Decide(ctx, of, row.Number, Outcome{Code: fault.UsernameTaken, Field: "username"})
	}
	return outcome, err
}
