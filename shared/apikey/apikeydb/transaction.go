package apikeydb

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// appSort is the sort key of an app's own row; package appdb writes it.
const appSort = "app"

// Create implements apikey.Store.
func (s *Store) Create(ctx context.Context, key apikey.Key) (apikey.Key, error) {
	var standing row
	work := s.creation(key, &standing)
	s.makerStands(work, key)
	return outcome(work.Run(ctx), key, standing)
}

// Rotate implements apikey.Store. A key that replaces itself is its own maker: one transaction takes no item twice, and
// its replacement asks for the same and more.
func (s *Store) Rotate(ctx context.Context, replaced, made apikey.Key) (apikey.Key, error) {
	var standing row
	work := s.creation(made, &standing)
	work.Update(s.replacement(replaced), apikey.ErrNotRotatable)
	work.Standing(&standing)
	if made.CreatedBy != string(replaced.ID) {
		s.makerStands(work, made)
	}
	return outcome(work.Run(ctx), made, standing)
}

// creation makes the new key, if its app is not deleted; standing gets a key that has its ID.
func (s *Store) creation(key apikey.Key, standing *row) *table.Transaction {
	work := &table.Transaction{DB: s.DB, Doing: "store a key"}
	work.Put(s.Table, rowOf(key), "attribute_not_exists(pk)", apikey.ErrExists)
	work.Standing(standing)
	work.Check(table.Update{Table: s.Table, Key: table.Key(key.App.String(), appSort),
		If: "attribute_not_exists(deleted_at)"}, apikey.ErrAppDeleted)
	return work
}

// makerStands is the condition that the key which makes another has not been revoked since it was checked: whoever revokes a
// key and then lists them sees all that it has made. Developers are no rows of this table.
func (s *Store) makerStands(work *table.Transaction, made apikey.Key) {
	if !id.IsKey(made.CreatedBy) {
		return
	}
	work.Check(table.Update{Table: s.Table, Key: ItemKey(made.App, id.Key(made.CreatedBy)),
		If: "attribute_not_exists(revoked_at) AND attribute_not_exists(suspended)"}, apikey.ErrMakerRevoked)
}

// replacement marks the old key, if it can be replaced.
func (s *Store) replacement(replaced apikey.Key) table.Update {
	mark := table.Update{Table: s.Table, Key: ItemKey(replaced.App, replaced.ID),
		Set: "SET rotated_at = :at, rotated_to = :to, expires_at = :expires",
		If: "attribute_exists(pk) AND attribute_not_exists(rotated_to) AND " +
			"attribute_not_exists(revoked_at) AND attribute_not_exists(suspended)",
		Values: table.Item{":at": table.N(table.Millis(replaced.RotatedAt)), ":to": table.S(string(replaced.RotatedTo)),
			":expires": table.N(table.Millis(replaced.ExpiresAt))}}
	if !replaced.RevokedAt.IsZero() {
		mark.Set += ", revoked_at = :revoked"
		mark.Values[":revoked"] = table.N(table.Millis(replaced.RevokedAt))
	}
	return mark
}

// outcome is the made key; where a condition is false, its refusal and the key that stands there.
func outcome(err error, made apikey.Key, standing row) (apikey.Key, error) {
	switch {
	case err == nil:
		return made, nil
	case standing.ID != "":
		key, unreadable := standing.key()
		return key, errors.Join(err, unreadable)
	case errors.Is(err, apikey.ErrNotRotatable):
		return apikey.Key{}, apikey.ErrNotFound
	}
	return apikey.Key{}, err
}
