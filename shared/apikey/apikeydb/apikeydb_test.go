package apikeydb_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/authz/authzdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestStore(t *testing.T) {
	client, tables := enginetest.Start(t)
	keys, records := tables["TABLE_KEYS"], &recorddb.Writer{DB: client, Table: tables["TABLE_RECORDS"]}
	apikeytest.Run(t, apikeytest.World{Store: &apikeydb.Store{DB: client, Table: keys, Records: records}, Logs: &recorddb.Store{Writer: records},
		DeleteApp: func(app id.App, deleted bool) {
			update := table.Update{Table: keys, Key: table.Key(app.String(), "app"), Set: "REMOVE deleted_at"}
			if deleted {
				update.Set, update.Values = "SET deleted_at = :at", table.Item{":at": table.N(storetest.Noon().UnixMilli())}
			}
			storetest.OK(t, "delete the app", update.Run(t.Context(), client, nil))
		},
		SetPolicy: func(app id.App, policy authz.Policy) { setPolicy(t, client, keys, app, policy) },
		Decide: func(app id.App, key id.Key, statements []authz.Statement, policy authz.Policy) {
			decide(t, client, keys, apikeydb.ItemKey(app, key), statements, policy)
		}})
}

// decide writes what package accessdb writes into a key.
func decide(t *testing.T, client *dynamodb.Client, keys string, key table.Item, statements []authz.Statement, policy authz.Policy) {
	row, err := table.Encode(struct {
		Grants []authzdb.Statement `dynamodbav:"grants"`
		Policy authzdb.Policy      `dynamodbav:"policy"`
	}{authzdb.Statements(statements), authzdb.NewPolicy(policy)})
	storetest.OK(t, "Encode", err)
	update := table.Update{Table: keys, Key: key, Names: map[string]string{"#grants": "grants", "#policy": "policy"},
		Set:    "SET #grants = :grants, #policy = :policy, grants_version = if_not_exists(grants_version, :none) + :one",
		Values: table.Item{":grants": row["grants"], ":policy": row["policy"], ":none": table.N(0), ":one": table.N(1)}}
	storetest.OK(t, "decide", update.Run(t.Context(), client, nil))
}

// setPolicy writes what keys need of the row that package accessdb writes.
func setPolicy(t *testing.T, client *dynamodb.Client, keys string, app id.App, policy authz.Policy) {
	storetest.OK(t, "set the policy", table.Put(t.Context(), client, keys, struct {
		App     string         `dynamodbav:"pk"`
		Sort    string         `dynamodbav:"sk"`
		Version int64          `dynamodbav:"v"`
		Policy  authzdb.Policy `dynamodbav:"policy"`
	}{app.String(), "policy", policy.Version, authzdb.NewPolicy(policy)}, "", nil, nil))
}

// A policy that is written between the read of the one before and the write of the key starts the creation again.
func TestCreateStartsAgainWithAnotherPolicy(t *testing.T) {
	client, tables := enginetest.Start(t)
	app, keys := id.Source{}.App(), tables["TABLE_KEYS"]
	version := int64(0)
	meddling := hooked(client, func(input any) {
		if _, writes := input.(*dynamodb.TransactWriteItemsInput); writes && version < 3 {
			version++
			setPolicy(t, client, keys, app, authz.Policy{Version: version})
		}
	})
	store := &apikeydb.Store{DB: meddling, Table: keys, Records: &recorddb.Writer{DB: meddling, Table: tables["TABLE_RECORDS"]}}
	key := apikeytest.NewKey(app)
	made, err := store.Create(t.Context(), key, apikey.Seen{}, apikeytest.Record(key, record.KeyCreated))
	if err != nil || made.Policy.Version != 3 {
		t.Errorf("made %+v, %v", made, err)
	}
	if found, err := store.Get(t.Context(), app, key.ID); err != nil || found.Policy.Version != 3 {
		t.Errorf("Get = %+v, %v", found, err)
	}
}

// hooked returns a client that calls before every request, with its input.
func hooked(client *dynamodb.Client, before func(input any)) *dynamodb.Client {
	options := client.Options()
	options.APIOptions = append(options.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("hook", func(ctx context.Context, in middleware.InitializeInput,
			next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			before(in.Parameters)
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
	})
	return dynamodb.New(options)
}

// The permission to note a use is confined to these attributes: a request that named another would be refused on AWS, and
// only there.
func TestUsesNameTheirAttributesOnly(t *testing.T) {
	client, tables := enginetest.Start(t)
	var sent []*dynamodb.UpdateItemInput
	spied := hooked(client, func(input any) {
		if update, ok := input.(*dynamodb.UpdateItemInput); ok {
			sent = append(sent, update)
		}
	})
	keys := &apikeydb.Store{DB: spied, Table: tables["TABLE_KEYS"]}
	app := id.Source{}.App()
	storetest.OK(t, "Used", keys.Used(t.Context(), app, id.Source{}.Key(app), storetest.Noon(), storetest.Noon(), "203.0.113.7"))
	storetest.OK(t, "UsedFor", keys.UsedFor(t.Context(), app, id.Source{}.Key(app), authz.MessagesSend, 46000))
	if len(sent) < 3 {
		t.Fatalf("sent %d updates", len(sent))
	}
	for _, update := range sent {
		wantUseOnly(t, update)
	}
}

func wantUseOnly(t *testing.T, sent *dynamodb.UpdateItemInput) {
	t.Helper()
	if sent.ReturnValues != types.ReturnValueNone || sent.ReturnValuesOnConditionCheckFailure != "" {
		t.Fatalf("sent %+v, which asks for something back", sent)
	}
	words := regexp.MustCompile(`[:#]?[a-z_]+`).FindAllString(*sent.UpdateExpression+" "+*sent.ConditionExpression, -1)
	for _, word := range words {
		if !slices.Contains([]string{"pk", "used_at", "used_from", "used", "#bit", "attribute_exists", "attribute_not_exists"}, word) &&
			sent.ExpressionAttributeValues[word] == nil {
			t.Errorf("it names %q", word)
		}
	}
	if bit, named := sent.ExpressionAttributeNames["#bit"]; named && strings.Trim(bit, "0123456789") != "" {
		t.Errorf("it names %q", bit)
	}
}

// A key whose bounds cannot be read is not one without bounds.
func TestDecodeRefusesUnreadableSources(t *testing.T) {
	hash := &types.AttributeValueMemberB{Value: make([]byte, 32)}
	list := func(text string) types.AttributeValue {
		return &types.AttributeValueMemberL{Value: []types.AttributeValue{table.S(text)}}
	}
	if key, err := apikeydb.Decode(table.Item{"hash": hash, "allowed_cidrs": list("203.0.113.0/24")}); err != nil || len(key.Sources) != 1 {
		t.Errorf("Decode = %+v, %v", key, err)
	}
	if key, err := apikeydb.Decode(table.Item{"hash": hash, "allowed_cidrs": list("nowhere")}); err == nil {
		t.Errorf("Decode = %+v, want an error", key)
	}
}
