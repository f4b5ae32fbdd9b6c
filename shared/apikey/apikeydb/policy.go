package apikeydb

import (
	"context"
	"errors"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/authz/authzdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// policySort is the sort key of what the app has decided for all its subjects; package accessdb writes it.
const policySort = "policy"

// bookRow is what keys need of that row.
type bookRow struct {
	Version int64          `dynamodbav:"v"`
	Policy  authzdb.Policy `dynamodbav:"policy"`
}

// errPolicyMoved says that the app has decided something else since its policy was read.
var errPolicyMoved = errors.New("apikeydb: policy moved")

// withPolicy has a key made with the policy of its app. Whoever changes the policy copies it into the keys that there are
// then; a key that came to be between with the policy before would never get the new one.
func (s *Store) withPolicy(ctx context.Context, key apikey.Key, do func(apikey.Key, bookRow) (apikey.Key, error)) (apikey.Key, error) {
	for attempt := 0; ; attempt++ {
		if err := table.Pause(ctx, attempt); err != nil {
			return apikey.Key{}, table.Classify("store a key", err)
		}
		var policy bookRow
		if _, err := table.Get(ctx, s.DB, s.Table, policyKey(key.App), true, &policy); err != nil {
			return apikey.Key{}, err
		}
		key.Policy = policy.Policy.Decode()
		made, err := do(key, policy)
		if !errors.Is(err, errPolicyMoved) {
			return made, err
		}
	}
}

// policyStands adds the condition that the policy is still the one that was read.
func (s *Store) policyStands(work *table.Transaction, app id.App, policy bookRow) *table.Transaction {
	check := table.Update{Table: s.Table, Key: policyKey(app), If: "attribute_not_exists(pk)"}
	if policy.Version > 0 {
		check.If, check.Values = "v = :version", table.Item{":version": table.N(policy.Version)}
	}
	work.Check(check, errPolicyMoved)
	return work
}

func policyKey(app id.App) table.Item { return table.Key(app.String(), policySort) }
