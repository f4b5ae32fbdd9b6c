package check_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/drill/check"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
)

// remove has Ann delete two messages of her conversation with bob, and clear that with cy; it returns who she is.
func remove(t *testing.T, app id.App, users *user.Service, messages *message.Service) id.User {
	t.Helper()
	var ids []id.User
	for _, name := range []string{"ann", "bob", "cy"} {
		found, err := users.Resolve(t.Context(), app, name, "to")
		storetest.OK(t, "Resolve", err)
		ids = append(ids, found)
	}
	_, err := messages.Delete(t.Context(), app, ids[0], id.Pair(app, ids[0], ids[1]), []int64{1, 2})
	storetest.OK(t, "Delete", err)
	_, err = messages.Clear(t.Context(), app, ids[0], id.Pair(app, ids[0], ids[2]), 2)
	storetest.OK(t, "Clear", err)
	return ids[0]
}

// TestRemovalsAreChecked: what a user has removed for itself is sound, and what contradicts it is found.
func TestRemovalsAreChecked(t *testing.T) {
	db, tables, wrapper, key := tenant(t)
	app := key.App()
	users, messages := services(db, tables, wrapper)
	talk(t, app, users, messages)
	ann := remove(t, app, users, messages)
	all := copied(t, db, tables)
	wantSound(t, "removed", all, wrapper)

	own := has("pk", string(id.Pair(app, ann, ann)))
	deletes := func(item table.Item) bool {
		flag, _ := item["deletes"].(*types.AttributeValueMemberBOOL)
		return flag != nil && flag.Value
	}
	findIn(t, all, wrapper, map[string]damage{
		"a deleted message that the row knows nothing of": {set("CONVERSATIONS", deletes, "deletes", &types.AttributeValueMemberBOOL{}), []check.Kind{check.Removal}},
		"a deleted message beyond the read mark": {func(t *testing.T, all items) {
			row := all["CONVERSATIONS"][where(t, all["CONVERSATIONS"], has("sk", "#0000000000000002"))]
			row["sk"] = table.S(strings.Replace(text(row["sk"]), "0002", "0003", 1))
		}, []check.Kind{check.Removal}},
		"a deleted message of nothing": {set("CONVERSATIONS", has("sk", "#0000000000000002"), "sk", table.S("c_1#2")), []check.Kind{check.Unreadable}},
		"cleared and not read":         {set("CONVERSATIONS", is("cleared", "2"), "cleared", table.N(3)), []check.Kind{check.Removal}},
		"removed and not told": {func(t *testing.T, all items) {
			drop("MESSAGES", both(own, is("seq", "2")))(t, all)
			drop("MESSAGES", own)(t, all)
		}, []check.Kind{check.Removal, check.Routing}},
		"a text in the own log": {set("MESSAGES", both(own, is("seq", "2")), "type", table.S("text")), []check.Kind{check.Pair, check.Ordinal}},
	})
}
