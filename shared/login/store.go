package login

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// ErrNotFound says that there is no such session, or that it has expired.
var ErrNotFound = errors.New("login: not found")

// Store keeps logins on devices. All reads are strong. Expired sessions are absent. Records are written with the change that
// they tell of, both or neither, and not where nothing is changed; those of one call are of one log.
type Store interface {
	// Session returns the session and its developer's session epoch; nil where it does not exist.
	Session(ctx context.Context, developer id.Developer, session string) (*Session, int64, error)
	// Standing returns the developer's role in the account, "" for no member, and the app of that text if it is one of
	// the account's; none for another text and for "". An app that was deleted is fault.AppDeleted.
	Standing(ctx context.Context, of id.Account, developer id.Developer, app string) (authz.Role, id.App, error)
	// Seen writes down that the session was used, where that has not been done since the time before. It touches that one
	// attribute only.
	Seen(ctx context.Context, developer id.Developer, session string, at, before time.Time) error
	// Epoch returns the developer's session epoch.
	Epoch(ctx context.Context, developer id.Developer) (int64, error)
	// PutSession stores a new session.
	PutSession(ctx context.Context, session Session, records ...record.Record) error
	// List returns the developer's sessions of the epoch of now, the newest first.
	List(ctx context.Context, developer id.Developer) ([]Session, error)
	// Confirm writes down that the developer proved to be there; ErrNotFound where the session has ended.
	Confirm(ctx context.Context, developer id.Developer, session string, at time.Time) error
	// Switch makes the session stand in another account; ErrNotFound where it has ended. One that stands there already is
	// left as it is.
	Switch(ctx context.Context, developer id.Developer, session string, to id.Account, records ...record.Record) error
	// End ends a session; ErrNotFound where there is none.
	End(ctx context.Context, developer id.Developer, session string, records ...record.Record) error
	// EndAll ends every session but the one to keep ("" for none) by moving the epoch on, which is a change each time: it
	// ends logins that are under way, too.
	EndAll(ctx context.Context, developer id.Developer, keep string, records ...record.Record) error
}
