package erasedb_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/tokenim/tokenim/local/engine/enginetest"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/apikey/apikeydb"
	"github.com/tokenim/tokenim/shared/apikey/apikeytest"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/app/appdb"
	"github.com/tokenim/tokenim/shared/app/apptest"
	"github.com/tokenim/tokenim/shared/broadcast/broadcastdb"
	"github.com/tokenim/tokenim/shared/broadcast/broadcasttest"
	"github.com/tokenim/tokenim/shared/clock/clocktest"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiondb"
	"github.com/tokenim/tokenim/shared/erase"
	"github.com/tokenim/tokenim/shared/erase/erasedb"
	"github.com/tokenim/tokenim/shared/fanout"
	"github.com/tokenim/tokenim/shared/fanout/fanoutdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/media"
	"github.com/tokenim/tokenim/shared/media/mediadb"
	"github.com/tokenim/tokenim/shared/media/mediatest"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealdb"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/userdb"
	"github.com/tokenim/tokenim/shared/userimport/userimportdb"
	"github.com/tokenim/tokenim/shared/userimport/userimporttest"
)

// due is when the apps of these tests may be erased: they were deleted at noon.
func due() time.Time { return storetest.Noon().Add(time.Hour) }

// world is an engine with the tables.
type world struct {
	db      *dynamodb.Client
	tables  map[string]string
	objects *objects
}

// objects are the keys of what apps have in the bucket. A page of them is two.
type objects struct{ keys []string }

func (o *objects) DeletePrefix(_ context.Context, prefix string) (bool, error) {
	removed := 0
	o.keys = slices.DeleteFunc(o.keys, func(key string) bool {
		if removed == 2 || !strings.HasPrefix(key, prefix) {
			return false
		}
		removed++
		return true
	})
	return removed > 0, nil
}

func newWorld(t *testing.T) *world {
	client, tables := enginetest.Start(t)
	return &world{client, tables, &objects{}}
}

func (w *world) apps(client *dynamodb.Client) *appdb.Store {
	return &appdb.Store{DB: client, Table: w.tables["TABLE_KEYS"], Accounts: w.tables["TABLE_ACCOUNTS"], Records: w.records(client)}
}

func (w *world) records(client *dynamodb.Client) *recorddb.Writer {
	return &recorddb.Writer{DB: client, Table: w.tables["TABLE_RECORDS"]}
}

// notices keeps what was mailed.
type notices struct{ sent []string }

func (n *notices) AppNotice(_ context.Context, account id.Account, kind string, about app.App) error {
	n.sent = append(n.sent, fmt.Sprint(kind, " ", account, " ", about.Name))
	return nil
}

// eraser returns a process with the client.
func (w *world) eraser(client *dynamodb.Client) (*erase.Eraser, *notices) {
	mailed := &notices{}
	return &erase.Eraser{Apps: w.apps(client), Objects: w.objects, Notices: mailed, Clock: clocktest.New(due()), Store: &erasedb.Store{DB: client,
		Tables: map[erase.Table]string{erase.DataKeys: w.tables["TABLE_DATA_KEYS"], erase.Keys: w.tables["TABLE_KEYS"],
			erase.Users: w.tables["TABLE_USERS"], erase.Messages: w.tables["TABLE_MESSAGES"],
			erase.Conversations: w.tables["TABLE_CONVERSATIONS"], erase.Connections: w.tables["TABLE_CONNECTIONS"],
			erase.Groups: w.tables["TABLE_GROUPS"], erase.Media: w.tables["TABLE_MEDIA"],
			erase.Grants: w.tables["TABLE_GRANTS"], erase.Records: w.tables["TABLE_RECORDS"]}}}, mailed
}

// size says how much an app has: users in a row, each of whom talks to the next. A record is there anyway: of the key.
type size struct{ users, messages, sockets, records int }

// enroll begins an import of two users, which nobody works on.
func (w *world) enroll(t *testing.T, app id.App) {
	t.Helper()
	store, of := &userimportdb.Store{DB: w.db, Table: w.tables["TABLE_CONNECTIONS"]}, userimporttest.NewImport(app, 2)
	_, err := store.Begin(t.Context(), of)
	storetest.OK(t, "import", err)
	storetest.OK(t, "rows", store.Add(t.Context(), of, userimporttest.NewRows(of)))
}

// proclaim begins a broadcast, which nobody works on.
func (w *world) proclaim(t *testing.T, app id.App) {
	t.Helper()
	store := &broadcastdb.Store{DB: w.db, Table: w.tables["TABLE_CONNECTIONS"]}
	_, err := store.Begin(t.Context(), broadcasttest.New(app), []byte("sealed"))
	storetest.OK(t, "broadcast", err)
}

// seed makes an app of the account with everything that an app can have.
func (w *world) seed(t *testing.T, account id.Account, has size) app.App {
	t.Helper()
	made := apptest.NewApp(account)
	made, err := w.apps(w.db).Create(t.Context(), made, apptest.Record(made, record.AppCreated))
	storetest.OK(t, "Create", err)
	for number := range uint32(2) {
		storetest.OK(t, "data key", (&sealdb.Store{DB: w.db, Table: w.tables["TABLE_DATA_KEYS"]}).Create(t.Context(), made.ID,
			seal.DataKey{Number: number + 1, Wrapped: []byte("wrapped"), CreatedAt: storetest.Noon()}))
	}
	key := apikeytest.NewKey(made.ID)
	key.CreatedBy = ""
	_, err = (&apikeydb.Store{DB: w.db, Table: w.tables["TABLE_KEYS"], Records: w.records(w.db)}).Create(t.Context(), key, apikey.Seen{}, apikeytest.Record(key, record.KeyCreated))
	storetest.OK(t, "key", err)
	w.decide(t, made.ID, key.ID)
	for range has.records {
		told := record.New(record.OfApp(made.ID), storetest.Noon(), record.Origin{}, record.DataRead, "users", nil, nil)
		storetest.OK(t, "record", (&recorddb.Store{Writer: w.records(w.db)}).Append(t.Context(), told))
	}
	w.upload(t, made.ID)
	w.enroll(t, made.ID)
	w.proclaim(t, made.ID)
	var before id.User
	for i := range has.users {
		next := w.register(t, made.ID, fmt.Sprint("user", i))
		w.connect(t, made.ID, next, key.ID, has.sockets)
		if i > 0 {
			w.talk(t, made.ID, before, next, has.messages)
		}
		before = next
	}
	return made
}

// upload makes three media, each in both its places in the bucket.
func (w *world) upload(t *testing.T, app id.App) {
	t.Helper()
	store := &mediadb.Store{DB: w.db, Table: w.tables["TABLE_MEDIA"]}
	for range 3 {
		m := mediatest.New(app)
		_, err := store.Create(t.Context(), m)
		storetest.OK(t, "media", err)
		w.objects.keys = append(w.objects.keys, media.UploadKey(app, m.ID), media.Key(app, m.ID, media.Original))
	}
}

// decide writes a book, a grant to the key, and the marker of a user who has had one.
func (w *world) decide(t *testing.T, appID id.App, key id.Key) {
	t.Helper()
	book, grant := table.Key(appID.String(), "policy"), table.Key(appID.String(), string(id.Source{}.Grant()))
	book["v"], grant["subject"] = table.N(1), table.S(appID.String()+"#"+string(key))
	storetest.OK(t, "book", table.Put(t.Context(), w.db, w.tables["TABLE_KEYS"], book, "", nil, nil))
	for _, row := range []table.Item{grant, table.Key(appID.String(), "subject#"+string(id.Source{}.User()))} {
		storetest.OK(t, "grant", table.Put(t.Context(), w.db, w.tables["TABLE_GRANTS"], row, "", nil, nil))
	}
}

func (w *world) register(t *testing.T, appID id.App, name string) id.User {
	t.Helper()
	users := &userdb.Store{DB: w.db, Table: w.tables["TABLE_USERS"], Routing: connectiondb.Routing(w.tables["TABLE_CONNECTIONS"])}
	made := user.User{ID: id.Source{}.User(), App: appID, Username: name, CreatedAt: storetest.Noon()}
	storetest.OK(t, "register", users.Create(t.Context(), made, name))
	if name != "user0" {
		return made.ID
	}
	storetest.OK(t, "profile", users.Change(t.Context(), user.Change{Was: made, Username: name, From: name, To: name, Profile: profile.Profile{Name: "shown"}}))
	storetest.OK(t, "block", users.PutBlock(t.Context(), made, user.Block{User: made.ID, Other: id.Source{}.User(), At: storetest.Noon()}))
	return made.ID
}

func (w *world) connect(t *testing.T, appID id.App, userID id.User, key id.Key, sockets int) {
	t.Helper()
	store := &connectiondb.Store{DB: w.db, Table: w.tables["TABLE_CONNECTIONS"]}
	for i := range sockets {
		socket := connection.Socket{App: appID, User: userID, Connection: fmt.Sprint("connection", i), Device: fmt.Sprint("d", i),
			Key: key, ExpiresAt: due()}
		storetest.OK(t, "socket", store.PutSocket(t.Context(), socket, due()))
		storetest.OK(t, "ticket", store.Redeem(t.Context(), appID, userID, fmt.Sprint("ticket", i), due()))
	}
}

func (w *world) talk(t *testing.T, appID id.App, a, b id.User, messages int) {
	t.Helper()
	members := &messagedb.Members{DB: w.db, Table: w.tables["TABLE_CONVERSATIONS"]}
	log := &messagedb.Log{DB: w.db, Table: w.tables["TABLE_MESSAGES"]}
	pair := id.Pair(appID, a, b)
	for _, of := range [][2]id.User{{a, b}, {b, a}} {
		storetest.OK(t, "member", members.Ensure(t.Context(), message.Member{App: appID, User: of[0], Conversation: pair, Peer: of[1]}))
	}
	for i := range messages {
		storetest.OK(t, "message", log.Append(t.Context(), message.Entry{App: appID, Conversation: pair, Sequence: int64(i + 1),
			Sender: a, Recipient: b, Type: "text", Sealed: []byte(fmt.Sprint("sealed ", i)), SentAt: storetest.Noon()}))
	}
}

// forget has a user delete the first two messages of its conversation with the other for itself.
func (w *world) forget(t *testing.T, appID id.App, a, b id.User) {
	t.Helper()
	members := &messagedb.Members{DB: w.db, Table: w.tables["TABLE_CONVERSATIONS"]}
	own := message.Member{App: appID, User: a, Conversation: id.Pair(appID, a, a), Peer: a}
	storetest.OK(t, "member", members.Ensure(t.Context(), own))
	row, err := members.Get(t.Context(), appID, a, id.Pair(appID, a, b), true)
	storetest.OK(t, "row", err)
	is := row
	is.Deletes = true
	removals := &messagedb.Removals{DB: w.db, Members: w.tables["TABLE_CONVERSATIONS"], Log: w.tables["TABLE_MESSAGES"]}
	storetest.OK(t, "Remove", removals.Remove(t.Context(), message.Removal{Was: row, Is: is, Deleted: []int64{1, 2}, Entry: message.Entry{
		App: appID, Conversation: own.Conversation, Sequence: 1, Sender: a, Recipient: a, Type: message.TypeOperation, Sealed: []byte("sealed"), SentAt: storetest.Noon()}}))
}

// gather has the users talk in a group whose three rows are the given.
func (w *world) gather(t *testing.T, appID id.App, messages int, users ...id.User) {
	t.Helper()
	group := id.Source{}.Group()
	for _, sort := range []string{"G", "N", "R"} {
		row := table.Key(appID.String()+"#"+string(group), sort)
		storetest.OK(t, "group", table.Put(t.Context(), w.db, w.tables["TABLE_GROUPS"], row, "", nil, nil))
	}
	members := &messagedb.Members{DB: w.db, Table: w.tables["TABLE_CONVERSATIONS"]}
	subscriptions := &fanoutdb.Store{DB: w.db, Connections: w.tables["TABLE_CONNECTIONS"]}
	for _, user := range users {
		storetest.OK(t, "member", members.Ensure(t.Context(), message.Member{App: appID, User: user, Conversation: id.Conversation(group)}))
		storetest.OK(t, "subscription", subscriptions.Put(t.Context(), fanout.Subscription{App: appID, Group: group, User: user, Connection: "c"}))
	}
	log := &messagedb.Log{DB: w.db, Table: w.tables["TABLE_MESSAGES"]}
	for i := range messages {
		storetest.OK(t, "message", log.Append(t.Context(), message.Entry{App: appID, Conversation: id.Conversation(group), Sequence: int64(i + 1),
			Sender: users[0], Type: "text", Sealed: []byte(fmt.Sprint("sealed ", i)), SentAt: storetest.Noon()}))
	}
}

// remove deletes the app, so that it may be erased when it is due.
func (w *world) remove(t *testing.T, deleted app.App) app.App {
	t.Helper()
	deleted, err := w.apps(w.db).Delete(t.Context(), deleted, storetest.Noon(), due(), apptest.Record(deleted, record.AppDeleted))
	storetest.OK(t, "Delete", err)
	return deleted
}

// rows returns every row that names the app, or one of its keys, as text by table; but for what the log of its account says
// of it, which stays.
func (w *world) rows(t *testing.T, of string) map[string][]string {
	t.Helper()
	rows := map[string][]string{}
	for variable, name := range w.tables {
		pages := dynamodb.NewScanPaginator(w.db, &dynamodb.ScanInput{TableName: &name})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			storetest.OK(t, "Scan", err)
			for _, item := range page.Items {
				var generic map[string]any
				storetest.OK(t, "decode", attributevalue.UnmarshalMap(item, &generic))
				text, err := json.Marshal(generic)
				storetest.OK(t, "encode", err)
				ofAccount := variable == "TABLE_RECORDS" && strings.HasPrefix(fmt.Sprint(generic["pk"]), "acct_")
				if strings.Contains(string(text), of) && !ofAccount {
					rows[variable] = append(rows[variable], string(text))
				}
			}
		}
		slices.Sort(rows[variable])
	}
	maps.DeleteFunc(rows, func(_ string, found []string) bool { return len(found) == 0 })
	return rows
}

// body is the part of an app's ID that its keys' IDs have too.
func body(of app.App) string { return strings.TrimPrefix(of.ID.String(), "app_") }

// intercept returns a client like the world's whose requests pass through do. Its next takes effect and answers.
func (w *world) intercept(do func(input any, next func() (any, error)) (any, error)) *dynamodb.Client {
	options := w.db.Options()
	handle := func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
		out middleware.InitializeOutput, metadata middleware.Metadata, err error) {
		out.Result, err = do(in.Parameters, func() (any, error) {
			var answered middleware.InitializeOutput
			answered, metadata, err = next.HandleInitialize(ctx, in)
			return answered.Result, err
		})
		return out, metadata, err
	}
	options.APIOptions = append(slices.Clone(options.APIOptions), func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("erasedb_test.intercept", handle), middleware.Before)
	})
	return dynamodb.New(options)
}

// through returns a client whose every write passes the fuse.
func (w *world) through(fuse *storetest.Fuse) *dynamodb.Client {
	return w.intercept(func(input any, next func() (any, error)) (answer any, err error) {
		switch input.(type) {
		case *dynamodb.GetItemInput, *dynamodb.QueryInput:
			if err := fuse.Read(); err != nil {
				return nil, err
			}
			return next()
		}
		err = fuse.Write(func() (err error) {
			answer, err = next()
			return err
		})
		return answer, err
	})
}

// halving returns a client that leaves half of every batch undone, as DynamoDB may, and counts the batches.
func (w *world) halving(batches *atomic.Int64) *dynamodb.Client {
	return w.intercept(func(input any, next func() (any, error)) (any, error) {
		batch, ok := input.(*dynamodb.BatchWriteItemInput)
		if !ok {
			return next()
		}
		batches.Add(1)
		undone := map[string][]types.WriteRequest{}
		for name, writes := range batch.RequestItems {
			half := (len(writes) + 1) / 2
			batch.RequestItems[name] = writes[:half]
			if half < len(writes) {
				undone[name] = writes[half:]
			}
		}
		answer, err := next()
		if answered, ok := answer.(*dynamodb.BatchWriteItemOutput); ok {
			answered.UnprocessedItems = undone
		}
		return answer, err
	})
}
