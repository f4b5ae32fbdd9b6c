// Package appdb keeps apps in DynamoDB.
//
// An app is two items: its own row, beside its keys (app / "app"), and the pointer to it in its account (account /
// "app#<app>"), with a count of the pointers on the account's row (account / "account"). A text that names an app is
// looked for among the pointers of one account, and nowhere else does text of a request become an app's ID.
package appdb

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
)

const (
	// pointerPrefix begins the sort keys of the pointers in an account, accountKey is the account's own row.
	pointerPrefix = "app#"
	accountKey    = "account"
)

// Store implements app.Store.
type Store struct {
	DB *dynamodb.Client
	// Table has the apps' own rows; it is the table of the keys.
	Table string
	// Accounts is the table of the accounts; "" where only Create without an account and Get are called.
	Accounts string
	// Records is needed by what changes apps of accounts.
	Records *recorddb.Writer
}

var _ app.Store = (*Store)(nil)

type row struct {
	App       string   `dynamodbav:"pk"`
	Sort      string   `dynamodbav:"sk"`
	Name      string   `dynamodbav:"name"`
	Origins   []string `dynamodbav:"origins"`
	Silent    bool     `dynamodbav:"silent_blocks,omitempty"`
	Edit      *int64   `dynamodbav:"edit_window,omitempty"`
	Recall    *int64   `dynamodbav:"recall_window,omitempty"`
	CreatedAt int64    `dynamodbav:"created_at"`
	Account   string   `dynamodbav:"account,omitempty"`
	Request   string   `dynamodbav:"fingerprint,omitempty"`
	DeletedAt int64    `dynamodbav:"deleted_at,omitempty"`
	EraseAt   int64    `dynamodbav:"erase_at,omitempty"`
	Erasing   int64    `dynamodbav:"erasing,omitempty"`
	ErasedAt  int64    `dynamodbav:"erased_at,omitempty"`
}

// pointer says that an account has an app. DeletedAt is here too, so that whoever chooses an app by its pointer sees
// without another read that it is deleted.
type pointer struct {
	Account   string `dynamodbav:"pk"`
	Sort      string `dynamodbav:"sk"`
	DeletedAt int64  `dynamodbav:"deleted_at,omitempty"`
}

func pointerKey(account id.Account, text string) table.Item {
	return table.Key(string(account), pointerPrefix+text)
}

// Create implements app.Store.
func (s *Store) Create(ctx context.Context, made app.App, created record.Record) (app.App, error) {
	var standing row
	work := &table.Transaction{DB: s.DB, Doing: "create an app"}
	work.Put(s.Table, row{App: made.ID.String(), Sort: apikeydb.AppSort, Name: made.Name, Origins: append([]string{}, made.Origins...),
		CreatedAt: table.Millis(made.CreatedAt), Account: string(made.Account), Request: made.Request},
		"attribute_not_exists(pk)", app.ErrExists)
	work.Standing(&standing)
	if made.Account != "" {
		count := s.count(made.Account, +1)
		count.If, count.Values[":limit"] = "attribute_not_exists(apps) OR apps < :limit", table.N(app.MaxApps)
		work.Update(count, app.ErrTooMany)
		work.Put(s.Accounts, pointerKey(made.Account, made.ID.String()), "", nil)
	}
	err := s.run(ctx, work, created)
	switch {
	case errors.Is(err, app.ErrExists):
		return standing.app(), err
	case err != nil:
		return app.App{}, err
	}
	made.CreatedAt = table.Instant(table.Millis(made.CreatedAt))
	return made, nil
}

// run does the transaction with the record, which an app without an account does not have: there is no log for it.
func (s *Store) run(ctx context.Context, work *table.Transaction, told record.Record) error {
	if told.Log == "" {
		return work.Run(ctx)
	}
	return s.Records.Run(ctx, work, told)
}

// count adds to the number of the account's apps.
func (s *Store) count(account id.Account, by int64) table.Update {
	return table.Update{Table: s.Accounts, Key: table.Key(string(account), accountKey), Set: "ADD apps :by",
		Values: table.Item{":by": table.N(by)}}
}

// Get implements app.Store.
func (s *Store) Get(ctx context.Context, appID id.App) (app.App, bool, error) {
	return s.read(ctx, appID, false)
}

// Current implements app.Store.
func (s *Store) Current(ctx context.Context, appID id.App) (app.App, error) {
	found, ok, err := s.read(ctx, appID, true)
	if err == nil && !ok {
		err = app.ErrNotFound
	}
	return found, err
}

func (s *Store) read(ctx context.Context, appID id.App, strong bool) (app.App, bool, error) {
	var found row
	ok, err := table.Get(ctx, s.DB, s.Table, apikeydb.AppKey(appID), strong, &found)
	if err != nil || !ok {
		return app.App{}, false, err
	}
	return found.app(), true, nil
}

// Find implements app.Store. The text becomes an app's ID by nothing else than its pointer's being there.
func (s *Store) Find(ctx context.Context, account id.Account, text string) (app.App, error) {
	if !id.IsApp(text) || account == "" {
		return app.App{}, app.ErrNotFound
	}
	var found pointer
	ok, err := table.Get(ctx, s.DB, s.Accounts, pointerKey(account, text), true, &found)
	if err != nil {
		return app.App{}, err
	}
	if !ok {
		return app.App{}, app.ErrNotFound
	}
	return s.Current(ctx, found.app())
}

// app returns the app that the pointer names.
func (p pointer) app() id.App { return id.StoredApp(strings.TrimPrefix(p.Sort, pointerPrefix)) }

// List implements app.Store.
func (s *Store) List(ctx context.Context, account id.Account, after string, limit int) ([]app.App, string, error) {
	low := pointerPrefix + after
	if after != "" {
		low += "\x00"
	}
	answer, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Accounts, KeyConditionExpression: aws.String("pk = :account AND sk BETWEEN :low AND :high"),
		// "$" comes behind "#": it ends the pointers.
		ExpressionAttributeValues: table.Item{":account": table.S(string(account)), ":low": table.S(low), ":high": table.S("app$")},
		Limit:                     aws.Int32(int32(limit)), ConsistentRead: aws.Bool(true),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
	})
	if err != nil {
		return nil, "", table.Classify("list apps", err)
	}
	var listed []id.App
	for _, item := range answer.Items {
		var found pointer
		if err := table.Decode(item, &found); err != nil {
			return nil, "", err
		}
		listed = append(listed, found.app())
	}
	apps, err := s.rows(ctx, listed)
	if err != nil || len(listed) < limit {
		return apps, "", err
	}
	return apps, listed[limit-1].String(), nil
}

// rows reads the apps, in their order; at most 100, a page. One that is gone since is left out.
func (s *Store) rows(ctx context.Context, listed []id.App) ([]app.App, error) {
	var keys []table.Item
	for _, appID := range listed {
		keys = append(keys, apikeydb.AppKey(appID))
	}
	found, err := table.BatchGet(ctx, s.DB, table.Read{Table: s.Table, Keys: keys, Strong: true})
	if err != nil {
		return nil, err
	}
	byID := map[string]app.App{}
	for _, item := range found[s.Table] {
		var decoded row
		if err := table.Decode(item, &decoded); err != nil {
			return nil, err
		}
		byID[decoded.App] = decoded.app()
	}
	var apps []app.App
	for _, appID := range listed {
		if one, ok := byID[appID.String()]; ok {
			apps = append(apps, one)
		}
	}
	return apps, nil
}

// Change implements app.Store.
func (s *Store) Change(ctx context.Context, was app.App, settings app.Settings, changed record.Record) (app.App, error) {
	var standing row
	work := &table.Transaction{DB: s.DB, Doing: "change an app"}
	update := table.Update{Table: s.Table, Key: apikeydb.AppKey(was.ID), Set: "SET #name = :name, origins = :origins, silent_blocks = :silent",
		If:    "attribute_not_exists(deleted_at) AND #name = :was AND origins = :were AND ",
		Names: map[string]string{"#name": "name"},
		Values: table.Item{":name": table.S(settings.Name), ":origins": texts(settings.Origins), ":silent": flag(settings.SilentBlocks),
			":was": table.S(was.Name), ":were": texts(was.Origins), ":on": flag(true)}}
	if was.SilentBlocks {
		update.If += "silent_blocks = :on"
	} else {
		update.If += "(attribute_not_exists(silent_blocks) OR silent_blocks <> :on)"
	}
	window(&update, "edit_window", was.EditWindow, settings.EditWindow)
	window(&update, "recall_window", was.RecallWindow, settings.RecallWindow)
	work.Update(update, app.ErrChanged)
	work.Standing(&standing)
	err := s.run(ctx, work, changed)
	switch {
	case errors.Is(err, app.ErrChanged) && standing.App == "":
		return app.App{}, app.ErrNotFound
	case errors.Is(err, app.ErrChanged) && standing.DeletedAt != 0:
		return app.App{}, app.ErrDeleted
	case err != nil:
		return app.App{}, err
	}
	was.Settings = settings
	return was, nil
}

// window has the update set the attribute, if it is as it was. A window that was set stays set.
func window(update *table.Update, attribute string, was, is *int64) {
	if was == nil {
		update.If += " AND attribute_not_exists(" + attribute + ")"
	} else {
		update.If += " AND " + attribute + " = :was_" + attribute
		update.Values[":was_"+attribute] = table.N(*was)
	}
	if is != nil {
		update.Set += ", " + attribute + " = :" + attribute
		update.Values[":"+attribute] = table.N(*is)
	}
}

func flag(on bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: on} }

func texts(list []string) types.AttributeValue {
	values := make([]types.AttributeValue, len(list))
	for i, text := range list {
		values[i] = table.S(text)
	}
	return &types.AttributeValueMemberL{Value: values}
}

func (r row) app() app.App {
	return app.App{ID: id.StoredApp(r.App), Account: id.Account(r.Account), CreatedAt: table.Instant(r.CreatedAt),
		Request: r.Request, Settings: app.Settings{Name: r.Name, Origins: r.Origins, SilentBlocks: r.Silent, EditWindow: r.Edit, RecallWindow: r.Recall}, DeletedAt: table.Instant(r.DeletedAt),
		EraseAt: table.Instant(r.EraseAt), ErasedAt: table.Instant(r.ErasedAt)}
}
