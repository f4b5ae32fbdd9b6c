// Package authndb reads credentials from DynamoDB: the key and the acting user in one BatchGetItem, two read units.
package authndb

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/authn"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/authz/authzdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

// Records implements authn.Records.
type Records struct {
	DB *dynamodb.Client
	// Keys and Users are the tables.
	Keys, Users string
}

var _ authn.Records = (*Records)(nil)

// Load implements authn.Records.
func (r *Records) Load(ctx context.Context, app id.App, key id.Key, userID id.User) (*apikey.Key, *user.User, error) {
	var reads []table.Read
	if key != "" {
		reads = append(reads, table.Read{Table: r.Keys, Keys: []table.Item{apikeydb.ItemKey(app, key)}, Strong: true})
	}
	if userID != "" {
		reads = append(reads, table.Read{Table: r.Users, Keys: []table.Item{userdb.ItemKey(app, userID)}, Strong: true})
	}
	items, err := table.BatchGet(ctx, r.DB, reads...)
	if err != nil {
		return nil, nil, err
	}
	foundKey, err := first(items[r.Keys], apikeydb.Decode)
	if err != nil {
		return nil, nil, err
	}
	foundUser, err := first(items[r.Users], userdb.Decode)
	return foundKey, foundUser, err
}

// policySort is where an app's book stands among its keys; package accessdb writes it.
const policySort = "policy"

// LoadUser implements authn.Records.
func (r *Records) LoadUser(ctx context.Context, app id.App, userID id.User) (*user.User, authz.Policy, error) {
	items, err := table.BatchGet(ctx, r.DB,
		table.Read{Table: r.Users, Keys: []table.Item{userdb.ItemKey(app, userID)}, Strong: true},
		table.Read{Table: r.Keys, Keys: []table.Item{table.Key(app.String(), policySort)}, Strong: true})
	if err != nil {
		return nil, authz.Policy{}, err
	}
	policy, err := first(items[r.Keys], func(item table.Item) (authz.Policy, error) {
		var book struct {
			Policy authzdb.Policy `dynamodbav:"policy"`
		}
		err := table.Decode(item, &book)
		return book.Policy.Decode(), err
	})
	if err != nil {
		return nil, authz.Policy{}, err
	}
	found, err := first(items[r.Users], userdb.Decode)
	if policy == nil {
		policy = &authz.Policy{}
	}
	return found, *policy, err
}

// first decodes the only item, nil where there is none.
func first[T any](items []table.Item, decode func(table.Item) (T, error)) (*T, error) {
	if len(items) == 0 {
		return nil, nil
	}
	decoded, err := decode(items[0])
	return &decoded, err
}
