package apikeydb

import (
	"maps"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/authz/authzdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// Stands is the condition that a key exists, is neither revoked nor suspended, and may do what it might when it was seen. The
// policy is the copy in the key's item: by that it was judged, and not by the app's own, which may be ahead of it.
func Stands(name string, app id.App, key id.Key, seen apikey.Seen) table.Update {
	stands := table.Update{Table: name, Key: ItemKey(app, key),
		If:    "attribute_exists(pk) AND attribute_not_exists(revoked_at) AND attribute_not_exists(suspended)",
		Names: map[string]string{"#policy": "policy"}, Values: table.Item{":seen_policy": table.N(seen.Policy)}}
	policy := "#policy.v = :seen_policy"
	if seen.Policy == 0 {
		policy = "(attribute_not_exists(#policy) OR #policy.v = :seen_policy)"
	}
	And(&stands, table.Update{If: policy})
	rights, values := authzdb.AsRead(seen.Rights)
	And(&stands, table.Update{If: rights, Values: values})
	return stands
}

// merged returns both maps in one, nil for nothing: DynamoDB refuses empty ones.
func merged[V any](one, other map[string]V) map[string]V {
	if len(one)+len(other) == 0 {
		return nil
	}
	both := map[string]V{}
	maps.Copy(both, one)
	maps.Copy(both, other)
	return both
}

// And adds the condition of the other update to that of the update of the same item.
func And(update *table.Update, other table.Update) {
	update.If += " AND " + other.If
	update.Names, update.Values = merged(update.Names, other.Names), merged(update.Values, other.Values)
}
