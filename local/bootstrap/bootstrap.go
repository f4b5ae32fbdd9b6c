// Package bootstrap makes the first app and its first API key: by the laptop runner at its first start, and on AWS by
// `make bootstrap-key`.
package bootstrap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/app/appdb"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
)

// Made is what bootstrapping has made.
type Made struct {
	App    string `json:"app"`
	APIKey string `json:"api_key"`
}

// Tables are the names of the tables that bootstrapping writes to.
type Tables struct{ Keys, Records string }

// Make creates an app with the allowed origins and a key with every scope, and the key's record. The app has none: no
// account owns it.
func Make(ctx context.Context, db *dynamodb.Client, tables Tables, origins []string) (Made, error) {
	tenant := id.Source{}.App()
	made := Made{App: tenant.String()}
	apps := &appdb.Store{DB: db, Table: tables.Keys}
	first := app.App{ID: tenant, Settings: app.Settings{Name: "bootstrap", Origins: origins}, CreatedAt: clock.System{}.Now()}
	if _, err := apps.Create(ctx, first, record.Record{}); err != nil {
		return Made{}, fmt.Errorf("make the first app: %w", err)
	}
	keys := &apikey.Service{Clock: clock.System{}, Store: &apikeydb.Store{DB: db, Table: tables.Keys,
		Records: &recorddb.Writer{DB: db, Table: tables.Records}}}
	text, err := keys.Bootstrap(ctx, tenant, authz.Scopes())
	if err != nil {
		return Made{}, fmt.Errorf("make the first key: %w", err)
	}
	made.APIKey = text
	return made, nil
}

// localOrigins are the pages of the developer's own machine.
var localOrigins = []string{"http://localhost:*", "http://127.0.0.1:*"}

// Local returns the laptop's API key, made at the first start on a data folder and kept in it. It has the form of the
// runner's Bootstrap hook.
func Local(ctx context.Context, environment map[string]string, dataDir string) (string, error) {
	db := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(environment["AWS_ENDPOINT_URL_DYNAMODB"]),
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
	path := filepath.Join(dataDir, "bootstrap.json")
	made, err := read(path)
	if err != nil {
		return "", err
	}
	if made.APIKey != "" && stands(ctx, db, environment["TABLE_KEYS"], made) {
		return made.APIKey, nil
	}
	if made, err = Make(ctx, db, Tables{Keys: environment["TABLE_KEYS"], Records: environment["TABLE_RECORDS"]}, localOrigins); err != nil {
		return "", err
	}
	text, err := json.Marshal(made)
	if err != nil {
		return "", err
	}
	return made.APIKey, os.WriteFile(path, text, 0o600)
}

// read returns what an earlier start has made, zero where there was none.
func read(path string) (made Made, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return Made{}, nil
	}
	if err != nil {
		return Made{}, err
	}
	return made, json.Unmarshal(text, &made)
}

// stands tells whether the key still works in these tables: another engine may have been named since.
func stands(ctx context.Context, db *dynamodb.Client, table string, made Made) bool {
	secret, err := apikey.Parse(made.APIKey)
	if err != nil {
		return false
	}
	key, err := (&apikeydb.Store{DB: db, Table: table}).Get(ctx, secret.ID.App(), secret.ID)
	return err == nil && key.Check(secret, clock.System{}.Now()) == nil
}
