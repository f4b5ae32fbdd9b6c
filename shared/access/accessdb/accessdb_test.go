package accessdb_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/access/accessdb"
	"github.com/tokenim/tokenim/shared/access/accesstest"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

// world is an engine with the tables.
type world struct {
	*accessdb.Store
}

func newWorld(t *testing.T) world {
	db, tables := enginetest.Start(t)
	return world{&accessdb.Store{DB: db, Keys: tables["TABLE_KEYS"], Users: tables["TABLE_USERS"], Grants: tables["TABLE_GRANTS"],
		Records: &recorddb.Writer{DB: db, Table: tables["TABLE_RECORDS"]}}}
}

func TestStore(t *testing.T) {
	w := newWorld(t)
	accesstest.Run(t, accesstest.Harness{Store: w, Add: w.add, Remove: w.remove, End: w.end, DeleteApp: w.deleteApp, Policy: w.policy,
		Records: &recorddb.Store{Writer: w.Records}})
}

// place is the table and the key of a subject.
func (w world) place(app id.App, subject string) (string, table.Item) {
	if id.IsKey(subject) {
		return w.Keys, apikeydb.ItemKey(app, id.Key(subject))
	}
	return w.Users, userdb.ItemKey(app, id.User(subject))
}

// add writes the item that package apikeydb or userdb would have.
func (w world) add(t *testing.T, app id.App, subject access.Subject) {
	t.Helper()
	name, item := w.place(app, subject.ID)
	item["created_at"] = table.N(table.Millis(subject.CreatedAt))
	if id.IsUser(subject.ID) {
		item["user"], item["app"], item["username"] = table.S(subject.ID), table.S(app.String()), table.S(subject.Name)
		item["epoch"] = table.N(subject.Epoch)
	} else {
		scopes, err := attributevalue.Marshal(subject.Rights.Base.Names())
		storetest.OK(t, "encode", err)
		item["name"], item["scopes"], item["created_by"] = table.S(subject.Name), scopes, table.S(subject.CreatedBy)
		item["hash"], item["used_at"] = &types.AttributeValueMemberB{Value: make([]byte, 32)}, table.N(table.Millis(subject.UsedAt))
		switch end := subject.EndedAt; {
		case end.IsZero():
		case end.After(storetest.Noon()):
			item["expires_at"] = table.N(table.Millis(end))
		default:
			item["revoked_at"] = table.N(table.Millis(end))
		}
	}
	storetest.OK(t, "add", table.Put(t.Context(), w.DB, name, item, "", nil, nil))
}

func (w world) remove(t *testing.T, app id.App, subject string) {
	t.Helper()
	name, key := w.place(app, subject)
	_, err := w.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &name, Key: key})
	storetest.OK(t, "remove", err)
}

func (w world) end(t *testing.T, app id.App, key id.Key, suspended bool) {
	t.Helper()
	update := table.Update{Table: w.Keys, Key: apikeydb.ItemKey(app, key), Set: "SET revoked_at = :is", Values: table.Item{":is": table.N(1)}}
	if suspended {
		update.Set, update.Values = "SET suspended = :is", table.Item{":is": &types.AttributeValueMemberBOOL{Value: true}}
	}
	storetest.OK(t, "end the key", update.Run(t.Context(), w.DB, nil))
}

func (w world) deleteApp(t *testing.T, app id.App, deleted bool) {
	t.Helper()
	update := table.Update{Table: w.Keys, Key: table.Key(app.String(), "app"), Set: "REMOVE deleted_at"}
	if deleted {
		update.Set, update.Values = "SET deleted_at = :at", table.Item{":at": table.N(storetest.Noon().UnixMilli())}
	}
	storetest.OK(t, "delete the app", update.Run(t.Context(), w.DB, nil))
}

// policy reads what decisions read.
func (w world) policy(t *testing.T, app id.App, key id.Key) authz.Policy {
	t.Helper()
	found, err := (&apikeydb.Store{DB: w.DB, Table: w.Keys}).Get(t.Context(), app, key)
	storetest.OK(t, "Get", err)
	return found.Policy
}
