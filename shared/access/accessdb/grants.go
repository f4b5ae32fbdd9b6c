package accessdb

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/authz/authzdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
)

// errGone says that the subject's item, which was there when the caller read it, is there no more.
var errGone = errors.New("accessdb: subject gone")

// Put implements access.Store.
func (s *Store) Put(ctx context.Context, by access.Grantor, grant access.Grant, was access.Subject, statements []authz.Statement,
	record record.Record) (access.Grant, error) {
	var standing row
	made := rowOf(grant)
	was.ID = grant.Subject // it has to be there, whatever the caller has read
	work := &table.Transaction{DB: s.DB, Doing: "store a grant"}
	work.Put(s.Grants, made, "attribute_not_exists(pk)", access.ErrExists)
	work.Standing(&standing)
	err := s.run(ctx, work, change{by, grant, was, statements, grant.CreatedAt}, record)
	switch {
	case errors.Is(err, access.ErrExists):
		return standing.grant(), err
	case errors.Is(err, errGone):
		return access.Grant{}, access.ErrNotFound
	case err != nil:
		return access.Grant{}, err
	}
	return made.grant(), nil
}

// Revoke implements access.Store.
func (s *Store) Revoke(ctx context.Context, by access.Grantor, grant access.Grant, was access.Subject, statements []authz.Statement,
	record record.Record) (access.Grant, error) {
	var standing row
	revoked := rowOf(grant)
	work := &table.Transaction{DB: s.DB, Doing: "revoke a grant"}
	work.Update(table.Update{Table: s.Grants, Key: grantKey(grant.App, grant.ID),
		Set: "SET revoked_at = :at, revoked_by = :by, #ttl = :ttl", If: "attribute_exists(pk) AND attribute_not_exists(revoked_at)",
		Names:  map[string]string{"#ttl": "ttl"}, // a reserved word
		Values: table.Item{":at": table.N(revoked.RevokedAt), ":by": table.S(revoked.RevokedBy), ":ttl": table.N(revoked.Sweep)},
	}, access.ErrExists)
	work.Standing(&standing)
	err := s.run(ctx, work, change{by, grant, was, statements, grant.RevokedAt}, record)
	switch {
	case errors.Is(err, access.ErrExists) && standing.ID == "":
		return access.Grant{}, access.ErrNotFound
	case errors.Is(err, access.ErrExists):
		return standing.grant(), err
	case errors.Is(err, errGone): // since it was read: it has nothing any more that the grant could count in
		return s.Revoke(ctx, by, grant, access.Subject{}, nil, record)
	case err != nil:
		return access.Grant{}, err
	}
	return revoked.grant(), nil
}

// change is what becomes of a grant's subject, and by whom.
type change struct {
	by         access.Grantor
	grant      access.Grant
	was        access.Subject
	statements []authz.Statement
	at         time.Time
}

// run does the work on the grant together with the change of its subject, if the app stands.
func (s *Store) run(ctx context.Context, work *table.Transaction, c change, record record.Record) error {
	var standing struct {
		Key string `dynamodbav:"pk"`
	}
	if err := s.recompile(work, c, &standing); err != nil {
		return err
	}
	s.appStands(work, c.grant.App)
	s.grantorStands(work, c.by, c.grant.App, c.grant.Subject)
	err := s.Records.Run(ctx, work, record)
	if errors.Is(err, access.ErrChanged) && c.was.ID != "" && standing.Key == "" {
		return errGone
	}
	return err
}

// recompile writes the statements into the subject's item, if nobody else has since it was read. Where it was not found, it
// still has to be missing: else the item would go on with what the row of the grant no longer says. standing gets the item
// that another has changed.
func (s *Store) recompile(work *table.Transaction, c change, standing any) error {
	name, key, ok := s.place(c.grant.App, c.grant.Subject)
	if !ok {
		return access.ErrNotFound
	}
	stands, itself := s.itself(c)
	if c.was.ID == "" && itself {
		return access.ErrGrantorChanged
	}
	if c.was.ID == "" {
		work.Check(table.Update{Table: name, Key: key, If: "attribute_not_exists(pk)"}, access.ErrChanged)
		return nil
	}
	kept, err := attributevalue.Marshal(authzdb.Statements(c.statements))
	if err != nil {
		return err
	}
	update := table.Update{Table: name, Key: key, Set: "SET #grants = :grants, grants_version = :next, grants_at = :at",
		If: "attribute_exists(pk) AND grants_version = :was", Names: map[string]string{"#grants": "grants"},
		Values: table.Item{":grants": kept, ":next": table.N(c.was.Rights.Version + 1), ":at": table.N(table.Millis(c.at)),
			":was": table.N(c.was.Rights.Version)}}
	if c.was.Rights.Version == 0 {
		update.If = "attribute_exists(pk) AND attribute_not_exists(grants_version)"
		delete(update.Values, ":was")
	}
	refused := access.ErrChanged
	if itself { // DynamoDB takes no item twice
		apikeydb.And(&update, stands)
		refused = access.ErrGrantorChanged
	}
	work.Update(update, refused)
	work.Standing(standing)
	if c.was.Rights.Version == 0 && id.IsUser(c.grant.Subject) { // the first change of all
		work.Put(s.Grants, marker{App: c.grant.App.String(), Sort: markerPrefix + c.grant.Subject}, "", nil)
	}
	return nil
}

// Get implements access.Store.
func (s *Store) Get(ctx context.Context, app id.App, grant id.Grant) (access.Grant, error) {
	if !id.IsGrant(string(grant)) { // a marker is no grant
		return access.Grant{}, access.ErrNotFound
	}
	var found row
	ok, err := table.Get(ctx, s.DB, s.Grants, grantKey(app, grant), true, &found)
	if err != nil {
		return access.Grant{}, err
	}
	if !ok {
		return access.Grant{}, access.ErrNotFound
	}
	return found.grant(), nil
}
