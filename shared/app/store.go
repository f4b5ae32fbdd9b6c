package app

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// ErrNotFound says that there is no such app, or that the account has none of that ID.
var ErrNotFound = errors.New("app: not found")

// ErrExists says that an app of that ID exists already, or was erased.
var ErrExists = errors.New("app: exists")

// ErrTooMany says that the account has MaxApps apps.
var ErrTooMany = errors.New("app: too many")

// ErrDeleted and ErrNotDeleted say that an app is in the other state than a change of it asks for.
var (
	ErrDeleted    = errors.New("app: deleted")
	ErrNotDeleted = errors.New("app: not deleted")
)

// ErrChanged says that the app has other settings than the caller has read.
var ErrChanged = errors.New("app: changed")

// ErrNotDue says that an app must not be erased: it is not deleted, or may still be restored.
var ErrNotDue = errors.New("app: not due to be erased")

// Store keeps apps. Times are kept to the millisecond. The records that methods take are written in the same transaction as
// the change that they tell of; a call that changes nothing leaves none.
type Store interface {
	// Create stores a new app and enters it in its account, all or nothing. Where the ID is taken, it returns the standing
	// app and ErrExists, whatever else there is to say; where the account has MaxApps apps, ErrTooMany. An app without an
	// account is entered nowhere, and has no record: created is the zero Record then.
	Create(ctx context.Context, app App, created record.Record) (standing App, err error)
	// Get returns the app, eventually consistent; found is false where there is none.
	Get(ctx context.Context, app id.App) (found App, ok bool, err error)
	// Current returns the app, read strongly, or ErrNotFound.
	Current(ctx context.Context, app id.App) (App, error)
	// Find returns the app of the account that has the text for its ID, read strongly, or ErrNotFound: for any other
	// text, for the app of another account, and from BeginErasing on.
	Find(ctx context.Context, account id.Account, text string) (App, error)
	// List returns up to limit apps of the account by ID, those after the ID; "" begins. next is the ID to go on after,
	// "" at the end.
	List(ctx context.Context, account id.Account, after string, limit int) (apps []App, next string, err error)
	// Change gives the app the settings in place of those that it was read with, and returns it after that; ErrChanged where
	// it has others by now, ErrDeleted where it is deleted, or ErrNotFound.
	Change(ctx context.Context, app App, settings Settings, changed record.Record) (App, error)
	// Delete sets DeletedAt and EraseAt if they are not set yet, and returns the app after that.
	Delete(ctx context.Context, app App, at, eraseAt time.Time, deleted record.Record) (App, error)
	// Restore removes DeletedAt and EraseAt and returns the app after that; ErrNotDeleted where they are not set, and
	// ErrNotFound from BeginErasing on.
	Restore(ctx context.Context, app App, restored record.Record) (App, error)

	// BeginErasing takes a deleted app out of its account, once, however often it is called: from then on it cannot be
	// restored, and the account's log has RecordErased. It returns the app, or ErrNotDue or ErrNotFound.
	BeginErasing(ctx context.Context, app id.App, now time.Time) (App, error)
	// CountErased adds to what the app's record tells of how many rows of which table were erased.
	CountErased(ctx context.Context, app id.App, rows map[string]int) error
	// FinishErasing sets ErasedAt and removes the settings from the record; once only.
	FinishErasing(ctx context.Context, app id.App, at time.Time) error
}
