// Package task has work that is due later: what a request decides now and a schedule does when its time has come.
//
// Whoever decides adds the task first and writes the decision after it. A task is therefore no order but a reminder: its
// handler looks at the records of now, and does nothing where the decision was never written or has been taken back.
package task

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

// Kind names what is to be done; a Runner has a handler for each.
type Kind string

// The kinds.
const (
	// AppSuspend brings the keys of an app in line with whether it is deleted.
	AppSuspend Kind = "app_suspend"
	// AppNotice mails the owners of an app that it was deleted. Subject is the time of the deletion.
	AppNotice Kind = "app_notice"
	// AppErase erases a deleted app.
	AppErase Kind = "app_erase"
	// PolicyAlign copies what an app has decided for all into those of its keys that do not have it yet.
	PolicyAlign Kind = "policy_align"
	// KeyExpiring warns of the end of an API key. Subject is the key's ID.
	KeyExpiring Kind = "key_expiring"
	// KeyRotated looks whether a key is still used that has been replaced. Subject is the key's ID.
	KeyRotated Kind = "key_rotated"
	// MediaUnsent removes a media that was not sent. Subject is the media's ID.
	MediaUnsent Kind = "media_unsent"
)

// Kinds are all of them.
var Kinds = []Kind{AppSuspend, AppNotice, AppErase, PolicyAlign, KeyExpiring, KeyRotated, MediaUnsent}

// Settle is how long after a request its reminders of it are due, at the earliest: no request lives so long (API Gateway
// gives one 30 seconds), so whoever then looks sees everything that it has written, or will never write.
const Settle = time.Minute

// Task is work that is due at a time.
type Task struct {
	// Kind says what is to be done.
	Kind Kind
	// Due is when, to the millisecond. A task that failed is due again later.
	Due time.Time
	// App is whose work it is.
	App id.App
	// Subject says what of the app it is about, such as a key's ID; "" for the app itself. Without "#".
	Subject string
	// Attempts is how often it has failed.
	Attempts int
}

// ErrUnfinished is what a handler returns whose time is up before its work is done. The task goes on at the next run.
var ErrUnfinished = errors.New("task: unfinished")

// Store keeps tasks until they are done.
type Store interface {
	// Add keeps the task. One of the same kind, time, app and subject is the same task: it replaces that.
	Add(ctx context.Context, task Task) error
	// Due returns up to limit tasks that are due by now and not done, the oldest first, however long nobody has asked. A
	// task that was added when it had been due for more than three days may be missing.
	Due(ctx context.Context, now time.Time, limit int) ([]Task, error)
	// Done removes the task; one that is gone is left alone.
	Done(ctx context.Context, task Task) error
}
