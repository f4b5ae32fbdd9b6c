// Package accessdb keeps grants and books in DynamoDB, and what of them is compiled into subjects and keys.
//
// Grants have a table of their own: app / grant ID, and in the index by_subject app#subject / grant ID. Beside them stands
// a marker for every user that has or had grants, app / "subject#<user>": nothing else lists those. A subject's statements
// stand in its own item, in the table of keys or of users, as package authzdb says. The book of an app stands among its
// keys, app / "policy".
package accessdb

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/authz/authzdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

// Store implements access.Store.
type Store struct {
	DB *dynamodb.Client
	// Keys, Users and Grants are the physical names of the tables.
	Keys, Users, Grants string
	// Records adds the records to the transactions.
	Records *recorddb.Writer
}

var _ access.Store = (*Store)(nil)

// FromEnvironment returns a store on the tables that the environment names.
func FromEnvironment(db *dynamodb.Client) *Store {
	return &Store{DB: db, Keys: table.Name("KEYS"), Users: table.Name("USERS"), Grants: table.Name("GRANTS"),
		Records: recorddb.WriterFromEnvironment(db)}
}

// appStands is the condition that the app has not been deleted.
func (s *Store) appStands(work *table.Transaction, app id.App) {
	work.Check(table.Update{Table: s.Keys, Key: apikeydb.AppKey(app), If: "attribute_not_exists(deleted_at)"}, access.ErrAppDeleted)
}

// place returns where the subject's item stands; ok is false for a text that names neither a key nor a user.
func (s *Store) place(app id.App, subject string) (name string, key table.Item, ok bool) {
	switch {
	case id.IsKey(subject):
		return s.Keys, apikeydb.ItemKey(app, id.Key(subject)), true
	case id.IsUser(subject):
		return s.Users, userdb.ItemKey(app, id.User(subject)), true
	}
	return "", nil, false
}

// Subject implements access.Store.
func (s *Store) Subject(ctx context.Context, app id.App, subject string) (access.Subject, error) {
	name, key, ok := s.place(app, subject)
	if !ok {
		return access.Subject{}, access.ErrNotFound
	}
	found, err := table.BatchGet(ctx, s.DB, table.Read{Table: name, Keys: []table.Item{key}, Strong: true})
	if err != nil {
		return access.Subject{}, err
	}
	if len(found[name]) == 0 {
		return access.Subject{}, access.ErrNotFound
	}
	if id.IsUser(subject) {
		return decodeUser(found[name][0])
	}
	return decodeKey(found[name][0])
}

// decodeKey reads the item of a key.
func decodeKey(item table.Item) (access.Subject, error) {
	key, err := apikeydb.Decode(item)
	if err != nil {
		return access.Subject{}, err
	}
	subject := access.Subject{ID: string(key.ID), Name: key.Name, Rights: key.Rights, CreatedAt: key.CreatedAt,
		CreatedBy: key.CreatedBy, EndedAt: key.RevokedAt, UsedAt: key.UsedAt, Policy: key.Policy}
	if end := key.ExpiresAt; !end.IsZero() && (subject.EndedAt.IsZero() || end.Before(subject.EndedAt)) {
		subject.EndedAt = end
	}
	return changed(item, subject)
}

// decodeUser reads the item of a user.
func decodeUser(item table.Item) (access.Subject, error) {
	user, err := userdb.Decode(item)
	if err != nil {
		return access.Subject{}, err
	}
	subject := access.Subject{ID: string(user.ID), Name: user.Username, Rights: user.Rights, CreatedAt: user.CreatedAt, Epoch: user.TokenEpoch}
	return changed(item, subject)
}

// changed fills in when the item says that its statements were changed. Decisions do not need that, so keys and users do not
// have it.
func changed(item table.Item, subject access.Subject) (access.Subject, error) {
	var rights authzdb.Rights
	err := table.Decode(item, &rights)
	subject.ChangedAt = table.Instant(rights.ChangedAt)
	return subject, err
}
