package check_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/drill/check"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// operatedWorld is a pair's log of which a message was edited twice and reacted to, one was recalled, and one is pinned.
func operatedWorld(t *testing.T) (items, seal.Wrapper) {
	db, tables, wrapper, key := tenant(t)
	app := key.App()
	users, messages := services(db, tables, wrapper)
	messages.Operations = &messagedb.Operations{DB: db, Messages: tables["TABLE_MESSAGES"], Conversations: tables["TABLE_CONVERSATIONS"], Keys: tables["TABLE_KEYS"]}
	talk(t, app, users, messages)
	ann, err := users.Resolve(t.Context(), app, "ann", "to")
	storetest.OK(t, "Resolve", err)
	bob, err := users.Resolve(t.Context(), app, "bob", "to")
	storetest.OK(t, "Resolve", err)
	on := func(user id.User, sequence int64) message.Act {
		return message.Act{Caller: authz.Caller{App: app, User: user}, Conversation: id.Pair(app, ann, bob), Sequence: sequence}
	}
	for _, text := range []string{"once", "twice"} {
		_, err = messages.Edit(t.Context(), on(ann, 1), message.Edit{Text: &text})
		storetest.OK(t, "Edit", err)
	}
	_, err = messages.React(t.Context(), on(bob, 1), "👍")
	storetest.OK(t, "React", err)
	_, err = messages.Recall(t.Context(), on(bob, 2))
	storetest.OK(t, "Recall", err)
	_, err = messages.Pin(t.Context(), on(bob, 3))
	storetest.OK(t, "Pin", err)
	return copied(t, db, tables), wrapper
}

func TestOperationsAreChecked(t *testing.T) {
	sound, wrapper := operatedWorld(t)
	report, err := check.Run(t.Context(), sound, wrapper)
	storetest.OK(t, "Run", err)
	if len(report.Problems) != 0 {
		t.Fatalf("problems: %v", report.Problems)
	}
	reaction := has("sk", "#u_")
	findOne(t, sound, wrapper, map[string]damage{
		"an edit that nothing tells of":   {set("MESSAGES", is("edit", "9"), "edit", table.N(4)), only(check.Operation)},
		"a recall that nothing tells of":  {set("MESSAGES", is("recall", "11"), "recall", table.N(4)), only(check.Operation)},
		"content of a recalled message":   {set("MESSAGES", is("recall", "11"), "sealed", bytesOf(40)), only(check.Operation)},
		"a lost reaction":                 {drop("CONVERSATIONS", reaction), only(check.Operation)},
		"a reaction of nobody":            {set("CONVERSATIONS", reaction, "sk", table.S("0000000000000001#u_0000000000000000000000")), only(check.Operation)},
		"a reaction that is not counted":  {set("MESSAGES", is("edit", "9"), "reactions", &types.AttributeValueMemberM{}), only(check.Operation)},
		"a pin beyond the end":            {set("CONVERSATIONS", is("sk", "pins"), "pinned", &types.AttributeValueMemberL{Value: []types.AttributeValue{table.N(99)}}), only(check.Operation)},
		"a row of a conversation's alone": {set("CONVERSATIONS", is("sk", "pins"), "sk", table.S("x")), only(check.Unreadable)},
	})
}
