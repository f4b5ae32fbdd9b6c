package check_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/bootstrap"
	"github.com/tokenim/tokenim/local/drill/backup"
	"github.com/tokenim/tokenim/local/drill/check"
	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiondb"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealdb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/trace"
	"github.com/tokenim/tokenim/shared/trace/tracedb"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

// items are tables in memory, for tests to damage.
type items map[string][]table.Item

func (i items) Items(_ context.Context, name string) iter.Seq2[table.Item, error] {
	return func(yield func(table.Item, error) bool) {
		for _, item := range i[name] {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// clone copies the tables and their items, but not the values, which damage replaces.
func (i items) clone() items {
	copied := items{}
	for name, rows := range i {
		for _, row := range rows {
			copied[name] = append(copied[name], maps.Clone(row))
		}
	}
	return copied
}

// tenant returns tables with an app, and its first key.
func tenant(t *testing.T) (*dynamodb.Client, map[string]string, seal.Wrapper, id.Key) {
	t.Helper()
	db, tables := enginetest.Start(t)
	wrapper, err := seal.NewKeyFile([]byte(strings.Repeat("k", 32)))
	storetest.OK(t, "key file", err)
	made, err := bootstrap.Make(t.Context(), db, bootstrap.Tables{Keys: tables["TABLE_KEYS"], Records: tables["TABLE_RECORDS"]}, nil)
	storetest.OK(t, "bootstrap", err)
	secret, err := apikey.Parse(made.APIKey)
	storetest.OK(t, "parse", err)
	return db, tables, wrapper, secret.ID
}

// world returns sound tables, written by the stores: an app with two keys, seven users, two conversations of 7 and 3
// entries, marks and a client ID, groups, and a team with apps. It returns what unwraps their data keys too.
func world(t *testing.T) (items, seal.Wrapper) {
	db, tables, wrapper, key := tenant(t)
	keys := &apikeydb.Store{DB: db, Table: tables["TABLE_KEYS"], Records: &recorddb.Writer{DB: db, Table: tables["TABLE_RECORDS"]}}
	_, err := keys.Create(t.Context(), apikey.Key{ID: id.Source{}.Key(key.App()), App: key.App(), Name: "second",
		Scopes: []string{"messages:send"}, CreatedBy: string(key), CreatedAt: time.Now()}, apikey.Seen{},
		record.New(record.OfApp(key.App()), time.Now(), record.Origin{Actor: string(key)}, record.KeyCreated, "second", nil, nil))
	storetest.OK(t, "create a key", err)

	users, messages := services(db, tables, wrapper)
	talk(t, key.App(), users, messages)
	storetest.OK(t, "note a failed push", (&tracedb.Store{DB: db, Table: tables["TABLE_SENDS"]}).Put(t.Context(), failedPush(key.App()),
		[]trace.Failure{{Connection: "x", Code: "gone"}}, time.Now().Add(trace.Life)))
	gather(t, db, tables, key.App(), users, messages)
	decide(t, db, tables, key.App())
	newOffice(db, tables, wrapper).team(t)

	return copied(t, db, tables), wrapper
}

// failedPush is a push that failed, to a user who is gone meanwhile.
func failedPush(app id.App) trace.Place {
	return trace.Place{App: app, Conversation: id.Conversation(id.Source{}.Group()), Sequence: 7, User: id.Source{}.User()}
}

// services are those that write users, messages and marks.
func services(db *dynamodb.Client, tables map[string]string, wrapper seal.Wrapper) (*user.Service, *message.Service) {
	users := &user.Service{Clock: clock.System{}, Store: &userdb.Store{DB: db, Table: tables["TABLE_USERS"],
		Routing: connectiondb.Routing(tables["TABLE_CONNECTIONS"])}}
	messages := &message.Service{
		Log:      &messagedb.Log{DB: db, Table: tables["TABLE_MESSAGES"]},
		Claims:   &messagedb.Claims{DB: db, Table: tables["TABLE_SENDS"]},
		Members:  &messagedb.Members{DB: db, Table: tables["TABLE_CONVERSATIONS"]},
		Removals: &messagedb.Removals{DB: db, Members: tables["TABLE_CONVERSATIONS"], Log: tables["TABLE_MESSAGES"]},
		Users:    users, Clock: clock.System{},
		Sealer: seal.NewKeyring(&sealdb.Store{DB: db, Table: tables["TABLE_DATA_KEYS"]}, wrapper, clock.System{}),
		Devices: &connection.Service{Store: &connectiondb.Store{DB: db, Table: tables["TABLE_CONNECTIONS"]},
			Poster: connectiontest.NewPoster(), Clock: clock.System{}},
	}
	return users, messages
}

// copied returns what is in the tables.
func copied(t *testing.T, db *dynamodb.Client, tables map[string]string) items {
	all := items{}
	for _, name := range backup.Names() {
		for item, err := range (backup.Tables{DB: db, Physical: physical(tables), PageItems: 2}).Items(t.Context(), name) {
			storetest.OK(t, "scan", err)
			all[name] = append(all[name], item)
		}
	}
	slices.SortFunc(all["MESSAGES"], func(a, b table.Item) int { // by conversation's length, then number
		return strings.Compare(place(a), place(b))
	})
	return all
}

// talk has ann, bob and cy write to each other.
func talk(t *testing.T, app id.App, users *user.Service, messages *message.Service) {
	ids := map[string]id.User{}
	for _, name := range []string{"Ann", "bob", "cy"} {
		registered, err := users.Register(t.Context(), app, name, "")
		storetest.OK(t, "register", err)
		ids[name] = registered.ID
	}
	var last message.Sent
	send := func(from, to, clientID string) {
		var err error
		draft := message.Draft{App: app, From: ids[from], To: string(ids[to]), Text: "hello", ClientID: clientID}
		if clientID != "" { // it refers to something
			draft.Reply, draft.Mentioned = 1, []id.User{ids[to]}
		}
		last, err = messages.Send(t.Context(), draft)
		storetest.OK(t, "send", err)
	}
	for range 3 {
		send("Ann", "bob", "")
		send("bob", "Ann", "")
	}
	send("Ann", "bob", "c#1")
	_, err := messages.MarkRead(t.Context(), app, ids["bob"], last.Message.ConversationID, 5)
	storetest.OK(t, "read", err)
	for range 3 {
		send("cy", "Ann", "")
	}
	_, err = messages.Acknowledge(t.Context(), app, ids["Ann"], last.Message.ConversationID, 2)
	storetest.OK(t, "acknowledge", err)
	_, _, err = users.Change(t.Context(), app, ids["Ann"], user.Wish{Wish: profile.Wish{Custom: map[string]json.RawMessage{"k": json.RawMessage("1")}}})
	storetest.OK(t, "change a profile", err)
	storetest.OK(t, "block", users.Block(t.Context(), app, ids["Ann"], ids["cy"]))
}

func place(item table.Item) string {
	return fmt.Sprintf("%s %09s", text(item["pk"]), text(item["seq"]))
}

func text(value types.AttributeValue) string {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

func physical(tables map[string]string) map[string]string {
	names := map[string]string{}
	for variable, name := range tables {
		names[strings.TrimPrefix(variable, "TABLE_")] = name
	}
	return names
}

// where returns the index of the first item that the test accepts.
func where(t *testing.T, rows []table.Item, accept func(table.Item) bool) int {
	t.Helper()
	at := slices.IndexFunc(rows, accept)
	if at < 0 {
		t.Fatal("the world has no such item")
	}
	return at
}

// drop returns damage that deletes an item.
func drop(name string, accept func(table.Item) bool) func(*testing.T, items) {
	return func(t *testing.T, all items) {
		at := where(t, all[name], accept)
		all[name] = slices.Delete(all[name], at, at+1)
	}
}

// set returns damage that sets an attribute of an item.
func set(name string, accept func(table.Item) bool, attribute string, value types.AttributeValue) func(*testing.T, items) {
	return func(t *testing.T, all items) { all[name][where(t, all[name], accept)][attribute] = value }
}

// has accepts an item whose attribute contains the part.
func has(attribute, part string) func(table.Item) bool {
	return func(item table.Item) bool { return strings.Contains(text(item[attribute]), part) }
}

func is(attribute, value string) func(table.Item) bool {
	return func(item table.Item) bool { return text(item[attribute]) == value }
}

func both(a, b func(table.Item) bool) func(table.Item) bool {
	return func(item table.Item) bool { return a(item) && b(item) }
}

func bytesOf(n int) types.AttributeValue { return &types.AttributeValueMemberB{Value: make([]byte, n)} }

// damage is what can befall tables, with the kinds that tell of it. Any other kind is a false alarm.
type damage struct {
	do   func(*testing.T, items)
	want []check.Kind
}

// bobRow accepts the row of bob, who has read up to 5.
var bobRow = both(has("sk", "c_"), is("read", "5"))

// tenantKey accepts a data key of an app.
func tenantKey(item table.Item) bool { return text(item["pk"]) != id.Platform().String() }

// damages are what can befall the tables of an app.
var damages = map[string]damage{
	"a deleted entry":                 {drop("MESSAGES", is("seq", "4")), []check.Kind{check.Gap}},
	"a deleted first entry":           {drop("MESSAGES", is("seq", "1")), []check.Kind{check.Gap}},
	"a cut end of a log":              {drop("MESSAGES", is("seq", "7")), []check.Kind{check.Routing}},
	"a changed ordinal":               {set("MESSAGES", is("seq", "6"), "lo", table.N(9)), []check.Kind{check.Ordinal}},
	"an entry under another number":   {set("MESSAGES", is("seq", "7"), "seq", table.N(8)), []check.Kind{check.Gap, check.Sealed}},
	"a changed ciphertext":            {set("MESSAGES", is("seq", "2"), "sealed", bytesOf(60)), []check.Kind{check.Sealed}},
	"an entry of another sender":      {swapUsers, []check.Kind{check.Sealed, check.Ordinal}},
	"an entry to a stranger":          {toStranger, []check.Kind{check.Pair}},
	"a lost data key":                 {drop("DATA_KEYS", tenantKey), []check.Kind{check.Sealed, check.Claim}},
	"a data key that does not unwrap": {set("DATA_KEYS", tenantKey, "wrapped", bytesOf(60)), []check.Kind{check.DataKey, check.Sealed, check.Claim}},
	"a hole in the data keys":         {set("DATA_KEYS", tenantKey, "sk", table.S("0000000002")), []check.Kind{check.DataKey, check.Sealed, check.Claim}},
	"a lost membership row":           {drop("CONVERSATIONS", bobRow), []check.Kind{check.Member, check.Routing}},
	"a read mark beyond the end":      {set("CONVERSATIONS", bobRow, "read", table.N(8)), []check.Kind{check.Mark}},
	"an acknowledgement beyond it":    {set("CONVERSATIONS", both(has("sk", "c_"), is("ack", "2")), "ack", table.N(4)), []check.Kind{check.Mark}},
	"a changed read ordinal":          {set("CONVERSATIONS", bobRow, "read_ord", table.N(1)), []check.Kind{check.ReadOrdinal}},
	"another peer":                    {set("CONVERSATIONS", has("sk", "c_"), "peer", table.S("u_0000000000000000000000")), []check.Kind{check.Pair}},
	"a lost name":                     {drop("USERS", has("pk", "#name#ann")), []check.Kind{check.Name}},
	"a name of another":               {set("USERS", has("pk", "#name#ann"), "user", table.S("u_0000000000000000000000")), []check.Kind{check.Name}},
	"a changed username":              {set("USERS", is("username", "Ann"), "username", table.S("eve")), []check.Kind{check.Name}},
	"a name in another shard":         {set("USERS", has("pk", "#name#ann"), "shard", table.S("app#99")), []check.Kind{check.Name}},
	"a lost profile": {drop("USERS", is("username", "bob")),
		[]check.Kind{check.Name, check.Pair, check.Member, check.Routing}},
	"a lost block":               {drop("USERS", has("pk", "#block#")), []check.Kind{check.Name}},
	"a block that sends pass":    {set("USERS", is("blocks", "1"), "block_filter", bytesOf(256)), []check.Kind{check.Name}},
	"a block off the list":       {set("USERS", has("pk", "#block#"), "shard", table.S("app#1")), []check.Kind{check.Name}},
	"a profile of nobody":        {set("USERS", has("pk", "#profile"), "pk", table.S("app_0000000000000000#u_0000000000000000000000#profile")), []check.Kind{check.Name}},
	"a text that is no JSON":     {set("MESSAGES", is("seq", "2"), "rich", yes), []check.Kind{check.Unreadable}},
	"a hidden entry that counts": {set("MESSAGES", is("seq", "6"), "hidden", &types.AttributeValueMemberBOOL{Value: true}), []check.Kind{check.Ordinal}},
	"a lost routing record":      {drop("CONNECTIONS", is("sk", "R")), []check.Kind{check.Routing}},
	"a version that ran back":    {set("CONNECTIONS", is("v", "6"), "v", table.N(5)), []check.Kind{check.Routing}},
	"a floor above the ring":     {set("CONNECTIONS", is("v", "6"), "f", table.N(6)), []check.Kind{check.Routing}},
	"a key of a lost maker":      {drop("KEYS", both(is("name", "bootstrap"), has("sk", "key_"))), []check.Kind{check.Key}},
	"a key's lost app":           {drop("KEYS", both(is("name", "bootstrap"), is("sk", "app"))), []check.Kind{check.Key, check.Name, check.Record}},
	"a short hash":               {set("KEYS", is("name", "second"), "hash", bytesOf(31)), []check.Kind{check.Unreadable, check.Grant}},
	"an unknown scope": {set("KEYS", is("name", "second"), "scopes",
		&types.AttributeValueMemberL{Value: []types.AttributeValue{table.S("everything")}}), []check.Kind{check.Key}},
	"a client ID ahead of its log":  {set("SENDS", has("pk", "#c_"), "from", table.N(99)), []check.Kind{check.Claim}},
	"a failed push to nobody":       {set("SENDS", has("pk", "#trace#"), "pk", table.S("app_0000000000000000#c_0000000000000000000000#0000000000000007#trace#")), []check.Kind{check.Unreadable}},
	"an item of another table":      {mix, []check.Kind{check.Unreadable}},
	"an attribute of another type":  {set("MESSAGES", is("seq", "5"), "lo", table.S("two")), []check.Kind{check.Unreadable, check.Gap}},
	"a mark where its entry is not": {drop("MESSAGES", is("seq", "5")), []check.Kind{check.Gap}},
}

// swapUsers turns an entry around.
func swapUsers(t *testing.T, all items) {
	row := all["MESSAGES"][where(t, all["MESSAGES"], is("seq", "7"))]
	row["from"], row["to"] = row["to"], row["from"]
}

// toStranger changes a receiver to one on the same side of the sender, so that the ordinals still follow.
func toStranger(t *testing.T, all items) {
	row := all["MESSAGES"][where(t, all["MESSAGES"], is("seq", "2"))]
	side := "z"
	if text(row["to"]) < text(row["from"]) {
		side = "0"
	}
	row["to"] = table.S("u_" + strings.Repeat(side, 22))
}

// mix puts an item of one table into another.
func mix(_ *testing.T, all items) { all["SENDS"] = append(all["SENDS"], claimLike(all["USERS"][0])) }

func claimLike(item table.Item) table.Item {
	item = maps.Clone(item)
	item["expires"] = table.N(time.Now().Add(time.Hour).Unix())
	return item
}

func TestSoundTablesHaveNoProblem(t *testing.T) {
	all, wrapper := world(t)
	report, err := check.Run(t.Context(), all, wrapper)
	storetest.OK(t, "Run", err)
	if len(report.Problems) != 0 {
		t.Errorf("problems: %v", report.Problems)
	}
	want := check.Report{Developers: 2, Accounts: 2, Sessions: 2, Apps: 4, APIKeys: 5, Grants: 5, Records: audited(all), Tasks: 4, DataKeys: 2,
		Users: 7, Groups: 2, Conversations: 4, Entries: 34, Members: 11, Claims: 3}
	if got := report.String(); got != want.String() {
		t.Errorf("report: %s; want %s", got, &want)
	}
}

// audited counts the audit records.
func audited(all items) (count int) {
	for _, row := range all["RECORDS"] {
		if text(row["sk"]) != "head" {
			count++
		}
	}
	return count
}

func TestDamageIsFound(t *testing.T) { findAll(t, damages) }

// findOne does each damage to tables that are sound, and demands one problem, of the kind that tells of it.
func findOne(t *testing.T, sound items, wrapper seal.Wrapper, damages map[string]damage) {
	t.Helper()
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			damaged := sound.clone()
			damage.do(t, damaged)
			report, err := check.Run(t.Context(), damaged, wrapper)
			storetest.OK(t, "Run", err)
			if len(report.Problems) != 1 || report.Of(damage.want[0]) != 1 {
				t.Errorf("problems: %v, want one of %s", report.Problems, damage.want[0])
			}
		})
	}
}

// findAll does each damage to a world of its own and demands the kinds that tell of it, and no other.
func findAll(t *testing.T, damages map[string]damage) {
	all, wrapper := world(t)
	findIn(t, all, wrapper, damages)
}

func findIn(t *testing.T, all items, wrapper seal.Wrapper, damages map[string]damage) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			damaged := all.clone()
			damage.do(t, damaged)
			report, err := check.Run(t.Context(), damaged, wrapper)
			storetest.OK(t, "Run", err)
			for _, kind := range damage.want {
				if report.Of(kind) == 0 {
					t.Errorf("no problem of kind %q among %v", kind, report.Problems)
				}
			}
			for _, problem := range report.Problems {
				if !slices.Contains(damage.want, problem.Kind) {
					t.Errorf("false alarm: %s", problem)
				}
			}
		})
	}
}

// Tables under another master key are all noise: the check says so instead of failing.
func TestAnotherMasterKey(t *testing.T) {
	all, _ := world(t)
	other, err := seal.NewKeyFile([]byte(strings.Repeat("x", 32)))
	storetest.OK(t, "key file", err)
	report, err := check.Run(t.Context(), all, other)
	storetest.OK(t, "Run", err)
	if report.Of(check.DataKey) != 2 || report.Of(check.Sealed) != 33 || report.Of(check.Factor) != 1 {
		t.Errorf("report: %s\n%v", report, report.Problems)
	}
}
