package access

import (
	"context"
	"errors"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
)

// What stores refuse.
var (
	// ErrNotFound says that the app has no such grant or subject.
	ErrNotFound = errors.New("access: not found")
	// ErrExists says that there is a grant of that ID already.
	ErrExists = errors.New("access: exists")
	// ErrChanged says that the subject or the book is another than the caller has read.
	ErrChanged = errors.New("access: changed")
	// ErrGrantorChanged says that who decides, or their token, has been revoked meanwhile, or that they may do something else than
	// when that was read.
	ErrGrantorChanged = errors.New("access: grantor changed")
	// ErrAppDeleted says that the app has been deleted.
	ErrAppDeleted = errors.New("access: app deleted")
)

// Filter chooses grants; what is empty chooses all.
type Filter struct {
	// Subject is who has it, Role the role that it gives.
	Subject string
	Role    authz.Role
	// Ended chooses those too that have ended by Now and whose rows are still there.
	Ended bool
	Now   time.Time
}

// Store keeps grants, the book, and what of both is compiled into subjects and keys. Every method sees only the app that it
// is given. Reads are strong but for List and Subjects.
type Store interface {
	// Subject returns the key or the user, or ErrNotFound.
	Subject(ctx context.Context, app id.App, subject string) (Subject, error)
	// Subjects returns up to limit of the app's keys, and then of the users that have or had grants, those after the
	// position; "" begins. next is the position to go on after, "" at the end.
	Subjects(ctx context.Context, app id.App, position string, limit int) (subjects []Subject, next string, err error)

	// Put stores the grant, and as the subject's statements those given, with the record, in one transaction. The subject's
	// ChangedAt is then the grant's CreatedAt, behind Revoke its RevokedAt. Where the ID is taken, it returns the standing
	// grant and ErrExists, whatever else there is to say; where the Version of the subject's Rights is not the one of was, ErrChanged;
	// where the subject is gone, ErrNotFound; ErrAppDeleted; ErrGrantorChanged where by is revoked, suspended, gone or of other
	// versions or another epoch, also where the grantor is the subject and that has changed.
	Put(ctx context.Context, by Grantor, grant Grant, was Subject, statements []authz.Statement, record record.Record) (standing Grant, err error)
	// Revoke stores RevokedAt and RevokedBy of the grant, and as the subject's statements those given, with the record, in
	// one transaction. ErrNotFound where there is no such grant, ErrExists with the standing grant where it is revoked
	// already, ErrChanged, ErrAppDeleted and ErrGrantorChanged as in Put. A subject that is gone does not keep its grant from being revoked; was
	// is zero for one that was not found.
	Revoke(ctx context.Context, by Grantor, grant Grant, was Subject, statements []authz.Statement, record record.Record) (standing Grant, err error)
	// Get returns the grant, ended or not, or ErrNotFound.
	Get(ctx context.Context, app id.App, grant id.Grant) (Grant, error)
	// List returns grants by ID, up to limit of them, those after the position, "" to begin; next is the position to go on
	// after, "" at the end. A page can be short before the end.
	List(ctx context.Context, app id.App, filter Filter, position string, limit int) (grants []Grant, next string, err error)

	// Book returns what the app has decided; the zero Book for nothing.
	Book(ctx context.Context, app id.App) (Book, error)
	// SetBook stores the book with the record in one transaction, if the version is the one before its own; else ErrChanged.
	// ErrAppDeleted, and ErrGrantorChanged as in Put.
	SetBook(ctx context.Context, by Grantor, app id.App, book Book, record record.Record) error
	// Align copies the policy into each of the app's keys that has an older one; keys that are revoked or have expired are
	// left alone. A key that is made meanwhile has the policy of its own moment. It returns once all have it, and may be called
	// again.
	Align(ctx context.Context, app id.App, policy authz.Policy, now time.Time) error
}
