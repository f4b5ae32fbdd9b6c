package apikeydb_test

import (
	"context"
	"regexp"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestStore(t *testing.T) {
	client, tables := enginetest.Start(t)
	keys := tables["TABLE_KEYS"]
	apikeytest.Run(t, &apikeydb.Store{DB: client, Table: keys}, func(app id.App, deleted bool) {
		update := table.Update{Table: keys, Key: table.Key(app.String(), "app"), Set: "REMOVE deleted_at"}
		if deleted {
			update.Set, update.Values = "SET deleted_at = :at", table.Item{":at": table.N(storetest.Noon().UnixMilli())}
		}
		storetest.OK(t, "delete the app", update.Run(t.Context(), client, nil))
	})
}

// The permission to note a use is confined to these attributes: a request that named another would be refused on AWS, and
// only there.
func TestUsedNamesItsAttributesOnly(t *testing.T) {
	client, tables := enginetest.Start(t)
	var sent *dynamodb.UpdateItemInput
	options := client.Options()
	options.APIOptions = append(options.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("capture", func(ctx context.Context, in middleware.InitializeInput,
			next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			sent, _ = in.Parameters.(*dynamodb.UpdateItemInput)
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
	})
	keys := &apikeydb.Store{DB: dynamodb.New(options), Table: tables["TABLE_KEYS"]}
	app := id.Source{}.App()
	storetest.OK(t, "Used", keys.Used(t.Context(), app, id.Source{}.Key(app), storetest.Noon(), storetest.Noon(), "203.0.113.7"))
	if sent == nil || sent.ReturnValues != types.ReturnValueNone || sent.ReturnValuesOnConditionCheckFailure != "" {
		t.Fatalf("sent %+v, which asks for something back", sent)
	}
	words := regexp.MustCompile(`:?[a-z_]+`).FindAllString(*sent.UpdateExpression+" "+*sent.ConditionExpression, -1)
	for _, word := range words {
		if !slices.Contains([]string{"pk", "used_at", "used_from", "attribute_exists", "attribute_not_exists", ":at", ":from", ":before"}, word) {
			t.Errorf("it names %q", word)
		}
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
