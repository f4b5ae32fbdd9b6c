package apikeydb

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/authz/authzdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/table"
)

// Create implements apikey.Store.
func (s *Store) Create(ctx context.Context, key apikey.Key, maker apikey.Seen, made record.Record) (apikey.Key, error) {
	return s.withPolicy(ctx, key, func(key apikey.Key, policy bookRow) (apikey.Key, error) {
		var standing row
		work := s.creation(key, policy, &standing)
		s.makerStands(work, key, maker)
		return outcome(s.Records.Run(ctx, s.policyStands(work, key.App, policy), made), key, standing)
	})
}

// Rotate implements apikey.Store. A key that replaces itself is its own maker: one transaction takes no item twice, and
// its replacement asks for the same and more.
func (s *Store) Rotate(ctx context.Context, replaced, made apikey.Key, maker apikey.Seen, records ...record.Record) (apikey.Key, error) {
	return s.withPolicy(ctx, made, func(made apikey.Key, policy bookRow) (apikey.Key, error) {
		var standing row
		work := s.creation(made, policy, &standing)
		itself, mark := made.CreatedBy == string(replaced.ID), s.replacement(replaced)
		if itself {
			And(&mark, Stands(s.Table, made.App, replaced.ID, maker))
		}
		work.Update(mark, apikey.ErrNotRotatable)
		work.Standing(&standing)
		if !itself {
			s.makerStands(work, made, maker)
		}
		return outcome(s.Records.Run(ctx, s.policyStands(work, made.App, policy), records...), made, standing)
	})
}

// creation makes the new key, if its app is not deleted; standing gets a key that has its ID.
func (s *Store) creation(key apikey.Key, policy bookRow, standing *row) *table.Transaction {
	made := rowOf(key)
	made.Policy = policy.Policy
	work := &table.Transaction{DB: s.DB, Doing: "store a key"}
	work.Put(s.Table, made, "attribute_not_exists(pk)", apikey.ErrExists)
	work.Standing(standing)
	work.Check(table.Update{Table: s.Table, Key: AppKey(key.App),
		If: "attribute_not_exists(deleted_at)"}, apikey.ErrAppDeleted)
	return work
}

// makerStands is the condition that the key which makes another is as it was checked: whoever revokes a key, or takes
// something from it, and then lists them sees all that it has made. Developers are no rows of this table.
func (s *Store) makerStands(work *table.Transaction, made apikey.Key, maker apikey.Seen) {
	if id.IsKey(made.CreatedBy) {
		work.Check(Stands(s.Table, made.App, id.Key(made.CreatedBy), maker), apikey.ErrMakerChanged)
	}
}

// countRights counts a change of what a key may do or hand on.
const countRights = "grants_version = if_not_exists(grants_version, :none) + :one"

// replacement marks the old key, if it can be replaced. It counts as a change of its rights: what it was making meanwhile, by
// the end that it had before, must not outlive it. What was taken out of its scopes since they were read must not live
// on in the new key; nor must what was granted to it since reach whoever replaces it, who may not have that.
func (s *Store) replacement(replaced apikey.Key) table.Update {
	mark := table.Update{Table: s.Table, Key: ItemKey(replaced.App, replaced.ID),
		Set: "SET rotated_at = :at, rotated_to = :to, expires_at = :expires, " + countRights,
		If: "attribute_exists(pk) AND attribute_not_exists(rotated_to) AND " +
			"attribute_not_exists(revoked_at) AND attribute_not_exists(suspended) AND scopes = :scopes",
		Values: table.Item{":at": table.N(table.Millis(replaced.RotatedAt)), ":to": table.S(string(replaced.RotatedTo)),
			":expires": table.N(table.Millis(replaced.ExpiresAt)), ":scopes": texts(replaced.Scopes), ":none": table.N(0), ":one": table.N(1)}}
	asRead, values := authzdb.AsRead(replaced.Rights.Version)
	And(&mark, table.Update{If: asRead, Values: values})
	if !replaced.RevokedAt.IsZero() {
		mark.Set += ", revoked_at = :revoked"
		mark.Values[":revoked"] = table.N(table.Millis(replaced.RevokedAt))
	}
	return mark
}

// outcome is the made key, with its rights; where a condition is false, its refusal and the key that stands there.
func outcome(err error, made apikey.Key, standing row) (apikey.Key, error) {
	switch {
	case err == nil:
		made.Rights = rightsOf(made)
		return made, nil
	case standing.ID != "":
		key, unreadable := standing.key()
		return key, errors.Join(err, unreadable)
	case errors.Is(err, apikey.ErrNotRotatable):
		return apikey.Key{}, apikey.ErrNotFound
	}
	return apikey.Key{}, err
}

// Revoke implements apikey.Store. Other transactions on the key are waited for, as table.Transaction does: whoever makes and
// rotates keys without a pause must not be able to keep one of them from being revoked.
func (s *Store) Revoke(ctx context.Context, app id.App, key id.Key, at time.Time, revoked record.Record) (apikey.Key, error) {
	return s.change(ctx, app, key, table.Update{Set: "SET revoked_at = :at",
		If: "attribute_exists(pk) AND attribute_not_exists(revoked_at)", Values: table.Item{":at": table.N(table.Millis(at))}}, nil, revoked)
}

// Narrow implements apikey.Store.
func (s *Store) Narrow(ctx context.Context, app id.App, key id.Key, scopes, was []string, narrowed record.Record) (apikey.Key, error) {
	return s.change(ctx, app, key, table.Update{
		Set:    "SET scopes = :scopes, " + countRights,
		If:     "scopes = :was AND attribute_not_exists(revoked_at)",
		Values: table.Item{":scopes": texts(scopes), ":was": texts(was), ":none": table.N(0), ":one": table.N(1)}}, apikey.ErrChanged, narrowed)
}

// errStands says that the condition of a change was false.
var errStands = errors.New("apikeydb: stands")

// change runs the update with the record and returns the key after that. Where its condition is false, it returns the key
// that stands there, with the error refused.
func (s *Store) change(ctx context.Context, app id.App, key id.Key, update table.Update, refused error, changed record.Record) (apikey.Key, error) {
	var standing row
	update.Table, update.Key = s.Table, ItemKey(app, key)
	work := &table.Transaction{DB: s.DB, Doing: "change a key"}
	work.Update(update, errStands)
	work.Standing(&standing)
	err := s.Records.Run(ctx, work, changed)
	switch {
	case err == nil:
		return s.Get(ctx, app, key)
	case !errors.Is(err, errStands):
		return apikey.Key{}, err
	case standing.ID == "":
		return apikey.Key{}, apikey.ErrNotFound
	}
	found, unreadable := standing.key()
	return found, errors.Join(refused, unreadable)
}

func texts(list []string) types.AttributeValue {
	values := make([]types.AttributeValue, len(list))
	for i, text := range list {
		values[i] = table.S(text)
	}
	return &types.AttributeValueMemberL{Value: values}
}
