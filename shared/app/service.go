package app

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/task"
)

// Tasks keeps reminders of what a request may not come to. A task.Store is one.
type Tasks interface {
	Add(ctx context.Context, task task.Task) error
	Done(ctx context.Context, task task.Task) error
}

// The kinds of notices; the mails of the same kinds.
const (
	NoticeDeleted = "app_deleted"
	NoticeErased  = "app_erased"
)

// Notices tells the owners and admins of an account what became of one of its apps.
type Notices interface {
	// AppNotice queues a mail of the kind.
	AppNotice(ctx context.Context, account id.Account, kind string, app App) error
}

// Service makes, changes, deletes and restores apps. Apps are named by text, as callers name them, and are found in the
// caller's account only: anything else is fault.AppNotFound. What changes an app leaves a record in the account's log, with
// the origin of the change.
type Service struct {
	Store   Store
	Keys    Keys
	Sockets Sockets
	Tasks   Tasks
	Notices Notices
	Clock   clock.Clock
	IDs     id.Source
	// Grace is how long a deleted app can be restored.
	Grace time.Duration
}

// Create makes an app of the account. With an idempotency key ("" for none) a repeated creation returns the app of the
// first as it is by now; with other settings it is fault.IdempotencyConflict. fault.TooMany at MaxApps.
func (s *Service) Create(ctx context.Context, account id.Account, settings Settings, idempotencyKey string, origin record.Origin) (App, error) {
	if account == "" { // nobody's app would be everybody's
		return App{}, fault.New(fault.AccountNotFound)
	}
	settings, err := settings.checked()
	if err != nil {
		return App{}, err
	}
	made := App{ID: s.IDs.App(), Account: account, Settings: settings, CreatedAt: s.now(), Request: settings.fingerprint()}
	if idempotencyKey != "" {
		// The ID follows from the idempotency key, so the app itself is the record of the first request.
		made.ID = id.DeriveApp(account, idempotencyKey)
	}
	standing, err := s.Store.Create(ctx, made, made.recorded(made.CreatedAt, origin, record.AppCreated, nil, settings.recorded()))
	switch {
	case errors.Is(err, ErrExists) && standing.Account == account && standing.Request == made.Request:
		return standing, nil
	case errors.Is(err, ErrExists):
		return App{}, fault.New(fault.IdempotencyConflict)
	case errors.Is(err, ErrTooMany):
		return App{}, fault.New(fault.TooMany, MaxApps)
	}
	return made, err
}

// Find returns the account's app of that ID.
func (s *Service) Find(ctx context.Context, account id.Account, text string) (App, error) {
	found, err := s.Store.Find(ctx, account, text)
	return found, refusal(err)
}

// changeAttempts bounds how often an app may be changed by others while one is at it.
const changeAttempts = 10

// Change changes the app's settings: fault.AppDeleted where it is deleted. Of changes at once each sets what it names and
// leaves the rest to the others.
func (s *Service) Change(ctx context.Context, account id.Account, text string, change Change, origin record.Origin) (App, error) {
	for range changeAttempts {
		found, err := s.Find(ctx, account, text)
		if err != nil {
			return App{}, err
		}
		settings, err := change.of(found.Settings).checked()
		switch {
		case err != nil:
			return App{}, err
		case found.Deleted():
			return App{}, fault.New(fault.AppDeleted)
		case settings.Same(found.Settings):
			return found, nil
		}
		changed, err := s.Store.Change(ctx, found, settings,
			found.recorded(s.now(), origin, record.AppChanged, found.Settings.recorded(), settings.recorded()))
		if !errors.Is(err, ErrChanged) {
			return changed, refusal(err)
		}
	}
	return App{}, fault.TooOften("change an app")
}

// Delete ends an app: its keys are refused from now on and their sockets cut, and after the grace period it is erased.
// Deleting again repeats the first, and does not put off the second.
//
// What has to happen after the decision is written down before it, so that a request that dies in between leaves nothing
// undone; without the decision the reminders come to nothing.
func (s *Service) Delete(ctx context.Context, account id.Account, text string, origin record.Origin) (App, error) {
	found, err := s.Find(ctx, account, text)
	if err != nil {
		return App{}, err
	}
	if found.Deleted() {
		return found, s.align(ctx, found.ID)
	}
	at := s.now()
	notice := task.Task{Kind: task.AppNotice, Due: at.Add(task.Settle), App: found.ID, Subject: stamp(at)}
	err = s.remind(ctx, notice,
		task.Task{Kind: task.AppErase, Due: at.Add(s.Grace + task.Settle), App: found.ID},
		task.Task{Kind: task.AppSuspend, Due: at.Add(task.Settle), App: found.ID})
	if err != nil {
		return App{}, err
	}
	eraseAt := at.Add(s.Grace)
	deleted, err := s.Store.Delete(ctx, found, at, eraseAt, found.recorded(at, origin, record.AppDeleted, nil, recordedDeletion{eraseAt}))
	if err != nil {
		return App{}, refusal(err)
	}
	if err := s.align(ctx, found.ID); err != nil {
		return App{}, err
	}
	s.notify(ctx, deleted, notice)
	return deleted, nil
}

// notify does the task of the notice at once. Where that fails, the task does it in a minute; where another request
// deleted the app, that one's does.
func (s *Service) notify(ctx context.Context, deleted App, notice task.Task) {
	err := s.NoticeTask(ctx, notice)
	if err == nil {
		err = s.Tasks.Done(ctx, notice)
	}
	if err != nil {
		slog.WarnContext(ctx, "notice of a deletion left to its task", "app", deleted.ID, "error", err)
	}
}

// Restore brings a deleted app back, with its keys as they were. fault.AppNotDeleted where there is nothing to restore.
func (s *Service) Restore(ctx context.Context, account id.Account, text string, origin record.Origin) (App, error) {
	found, err := s.Find(ctx, account, text)
	if err != nil {
		return App{}, err
	}
	if !found.Deleted() {
		return App{}, fault.New(fault.AppNotDeleted)
	}
	if err := s.remind(ctx, task.Task{Kind: task.AppSuspend, Due: s.now().Add(task.Settle), App: found.ID}); err != nil {
		return App{}, err
	}
	restored, err := s.Store.Restore(ctx, found, found.recorded(s.now(), origin, record.AppRestored, nil, nil))
	if err != nil {
		return App{}, refusal(err)
	}
	return restored, s.align(ctx, found.ID)
}

// NoticeTask handles task.AppNotice: it tells of the deletion at the time in the task's subject, unless that was taken
// back or never came to be.
func (s *Service) NoticeTask(ctx context.Context, due task.Task) error {
	found, err := s.Store.Current(ctx, due.App)
	if errors.Is(err, ErrNotFound) || err == nil && stamp(found.DeletedAt) != due.Subject {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Notices.AppNotice(ctx, found.Account, NoticeDeleted, found)
}

func (s *Service) remind(ctx context.Context, reminders ...task.Task) error {
	for _, reminder := range reminders {
		if err := s.Tasks.Add(ctx, reminder); err != nil {
			return err
		}
	}
	return nil
}

// now is the time as it is kept.
func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Millisecond) }

// stamp writes the time of a deletion as a task's subject.
func stamp(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }

// refusal turns the store's answers into the caller's.
func refusal(err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		return fault.New(fault.AppNotFound)
	case errors.Is(err, ErrDeleted):
		return fault.New(fault.AppDeleted)
	case errors.Is(err, ErrNotDeleted):
		return fault.New(fault.AppNotDeleted)
	}
	return err
}
