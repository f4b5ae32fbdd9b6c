package accesstest

import (
	"maps"
	"time"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/authz"
)

// kept returns the subject as it is kept, with slices and maps of its own.
func kept(subject access.Subject) access.Subject {
	subject.Rights.Statements, subject.Rights.Used = keptStatements(subject.Rights.Statements), maps.Clone(subject.Rights.Used)
	for _, at := range []*time.Time{&subject.ChangedAt, &subject.CreatedAt, &subject.EndedAt, &subject.UsedAt} {
		*at = millis(*at)
	}
	return subject
}

func keptStatements(statements []authz.Statement) []authz.Statement {
	copied := append([]authz.Statement(nil), statements...)
	for i := range copied {
		copied[i].Until = millis(copied[i].Until)
	}
	return copied
}

func keptGrant(grant access.Grant) access.Grant {
	grant.Statement.Grant = grant.ID
	for _, at := range []*time.Time{&grant.Statement.Until, &grant.CreatedAt, &grant.RevokedAt} {
		*at = millis(*at)
	}
	return grant
}

// millis is the time as the tables keep it. Zero is zero in every zone.
func millis(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Truncate(time.Millisecond).UTC()
}

func keptBook(book access.Book) access.Book {
	book.Roles, book.Defaults = append([]access.Role(nil), book.Roles...), append([]authz.Role(nil), book.Defaults...)
	book.ChangedAt = millis(book.ChangedAt)
	for i := range book.Roles {
		book.Roles[i].CreatedAt, book.Roles[i].ChangedAt = millis(book.Roles[i].CreatedAt), millis(book.Roles[i].ChangedAt)
	}
	return book
}
