// Package appdb keeps apps in DynamoDB, beside their keys.
package appdb

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// sortKey is where an app's own row stands among its keys, whose sort keys begin with "key_".
const sortKey = "app"

// Store implements app.Store. Key: app / "app".
type Store struct {
	DB    *dynamodb.Client
	Table string
}

var _ app.Store = (*Store)(nil)

type row struct {
	App       string   `dynamodbav:"pk"`
	Sort      string   `dynamodbav:"sk"`
	Name      string   `dynamodbav:"name"`
	Origins   []string `dynamodbav:"origins"`
	CreatedAt int64    `dynamodbav:"created_at"`
}

// Create implements app.Store.
func (s *Store) Create(ctx context.Context, made app.App) error {
	err := table.Put(ctx, s.DB, s.Table, row{App: string(made.ID), Sort: sortKey, Name: made.Name, Origins: made.Origins,
		CreatedAt: made.CreatedAt.UnixMilli()}, "attribute_not_exists(pk)", nil, nil)
	if errors.Is(err, table.ErrCondition) {
		return nil
	}
	return err
}

// Get implements app.Store.
func (s *Store) Get(ctx context.Context, appID id.App) (app.App, bool, error) {
	var found row
	ok, err := table.Get(ctx, s.DB, s.Table, table.Key(string(appID), sortKey), false, &found)
	return app.App{ID: appID, Name: found.Name, Origins: found.Origins,
		CreatedAt: time.UnixMilli(found.CreatedAt).UTC()}, ok, err
}
