package erasedb_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiondb"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/erase"
	"github.com/tokenim/tokenim/shared/erase/erasedb"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/group/groupdb"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagedb"
	"github.com/tokenim/tokenim/shared/profile"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/userdb"
)

// people are the services of one process that deal with users, and the jobs that they sent.
type people struct {
	*world
	app      id.App
	users    *user.Service
	groups   *group.Service
	messages *message.Service
	deleter  *erase.Deleter
	eraser   *erase.UserEraser
	sent     *[]erase.UserJob
	keyring  *seal.Keyring
}

// Send implements erase.Later.
func (p people) Send(_ context.Context, job any, _ time.Duration) error {
	*p.sent = append(*p.sent, job.(erase.UserJob))
	return nil
}

// Known implements group.Users.
func (p people) Known(ctx context.Context, app id.App, users []id.User) (map[id.User]bool, error) {
	active := map[id.User]bool{}
	for _, each := range users {
		if found, err := p.users.Store.Get(ctx, app, each, true); err == nil {
			active[each] = !found.Deactivated()
		}
	}
	return active, nil
}

// people returns a process with the client.
func (w *world) people(client *dynamodb.Client, app id.App, keyring *seal.Keyring) people {
	p := people{world: w, app: app, sent: &[]erase.UserJob{}, keyring: keyring}
	p.users = &user.Service{Clock: clock.System{}, Store: &userdb.Store{DB: client, Table: w.tables["TABLE_USERS"], Keys: w.tables["TABLE_KEYS"],
		Routing: connectiondb.Routing(w.tables["TABLE_CONNECTIONS"]), Records: w.records(client)}}
	sockets := &connection.Service{Store: &connectiondb.Store{DB: client, Table: w.tables["TABLE_CONNECTIONS"]}, Poster: connectiontest.NewPoster(), Clock: clock.System{}}
	groups := &groupdb.Store{DB: client, Groups: w.tables["TABLE_GROUPS"], Messages: w.tables["TABLE_MESSAGES"], Conversations: w.tables["TABLE_CONVERSATIONS"]}
	p.messages = &message.Service{Log: &messagedb.Log{DB: client, Table: w.tables["TABLE_MESSAGES"]}, Members: &messagedb.Members{DB: client, Table: w.tables["TABLE_CONVERSATIONS"]},
		Removals: &messagedb.Removals{DB: client, Members: w.tables["TABLE_CONVERSATIONS"], Log: w.tables["TABLE_MESSAGES"]},
		Groups:   groups, Users: p.users, Devices: sockets, Sealer: keyring, Clock: clock.System{}}
	p.groups = &group.Service{Store: groups, Log: p.messages, Users: p, Clock: clock.System{}}
	rows := &erasedb.Store{DB: client, Tables: map[erase.Table]string{erase.Users: w.tables["TABLE_USERS"], erase.Messages: w.tables["TABLE_MESSAGES"],
		erase.Conversations: w.tables["TABLE_CONVERSATIONS"], erase.Connections: w.tables["TABLE_CONNECTIONS"], erase.Grants: w.tables["TABLE_GRANTS"]}}
	store := &erasedb.UserStore{Store: rows, Records: w.records(client)}
	p.deleter = &erase.Deleter{Store: store, Names: p.users, Later: p, Clock: clock.System{}}
	p.eraser = &erase.UserEraser{Store: store, Rows: rows, Groups: p.groups, Sockets: sockets, Later: p, Clock: clock.System{}}
	return p
}

// marks are what nobody must find of a user afterwards.
var marks = []string{"annabelle", "Shown Annabelle", "/annabelle.png", "belongs to her"}

// full is an app with a user who has everything that a user can have, and others who have to do with her.
type full struct {
	people
	ann, bob, cy id.User
	owned        id.Group
}

func (w *world) full(t *testing.T) full {
	t.Helper()
	f := full{people: w.people(w.db, id.Source{}.App(), sealtest.NewKeyring())}
	f.ann, f.bob, f.cy = f.register(t, "Annabelle"), f.register(t, "bob"), f.register(t, "cy")
	name, avatar := marks[1], marks[2]
	_, _, err := f.users.Change(t.Context(), f.app, f.ann, user.Wish{Wish: profile.Wish{Name: &name, Avatar: &avatar,
		Custom: map[string]json.RawMessage{"k": json.RawMessage(`"` + marks[3] + `"`)}}})
	storetest.OK(t, "Change", err)
	for _, pair := range [][2]id.User{{f.ann, f.cy}, {f.cy, f.ann}} {
		storetest.OK(t, "Block", f.users.Block(t.Context(), f.app, pair[0], pair[1]))
	}
	for _, pair := range [][2]id.User{{f.ann, f.bob}, {f.bob, f.ann}} {
		_, err := f.messages.Send(t.Context(), message.Draft{App: f.app, From: pair[0], To: string(pair[1]), Text: "hello"})
		storetest.OK(t, "Send", err)
	}
	_, err = f.messages.Delete(t.Context(), f.app, f.ann, id.Pair(f.app, f.ann, f.bob), []int64{1, 2})
	storetest.OK(t, "Delete", err)
	caller := authz.Caller{App: f.app, Key: "key_0000000000000000000000000001", User: f.ann, Rights: authz.Rights{Kind: authz.Keys, Base: authz.HeldBy(authz.Keys)},
		UserRights: authz.Rights{Kind: authz.Users}, At: storetest.Noon()}
	wish := "Hiking"
	view, _, err := f.groups.Create(t.Context(), caller, group.Creation{Wish: group.Wish{Name: &wish}, Members: []id.User{f.bob}})
	storetest.OK(t, "Create", err)
	f.owned = view.GroupID
	f.connect(t, f.app, f.ann, id.Source{}.Key(f.app), 2)
	grant := table.Key(f.app.String(), string(id.Source{}.Grant()))
	grant["subject"], grant["reason"] = table.S(f.app.String()+"#"+string(f.ann)), table.S("annabelle asked for it")
	for _, row := range []table.Item{grant, table.Key(f.app.String(), "subject#"+string(f.ann))} {
		storetest.OK(t, "grant", table.Put(t.Context(), f.db, f.tables["TABLE_GRANTS"], row, "", nil, nil))
	}
	return f
}

func (p people) register(t *testing.T, name string) id.User {
	t.Helper()
	made, err := p.users.Register(t.Context(), p.app, name, name)
	storetest.OK(t, "Register", err)
	return made.ID
}

func (p people) delete(t *testing.T, user id.User) erase.Receipt {
	t.Helper()
	receipt, err := p.deleter.Delete(t.Context(), p.app, string(user), record.Origin{Actor: "key"})
	storetest.OK(t, "Delete", err)
	return receipt
}

// wantForgotten looks for everything that the user was, in every row of every table.
func (f full) wantForgotten(t *testing.T) {
	t.Helper()
	for name, rows := range f.rows(t, strings.TrimPrefix(f.app.String(), "app_")) { // every row of the app
		for _, row := range rows {
			for _, mark := range marks {
				if strings.Contains(strings.ToLower(row), strings.ToLower(mark)) {
					t.Errorf("%q is still in %s: %s", mark, name, row)
				}
			}
		}
	}
	found, rows, err := f.groups.Store.Read(t.Context(), f.app, f.owned, f.ann)
	if err != nil || found.Owner != f.bob || rows[f.ann].State != message.Left {
		t.Errorf("the group is %+v, her row %+v, %v", found, rows[f.ann], err)
	}
	if found := f.rows(t, string(f.ann)+"#deleted"); len(found) > 0 {
		t.Errorf("of what she deleted there is %v", found)
	}
	if found := f.rows(t, string(id.Pair(f.app, f.ann, f.ann))); len(found) > 0 {
		t.Errorf("of her own log there is %v", found)
	}
	page, _, err := f.messages.History(t.Context(), f.app, f.bob, id.Pair(f.app, f.ann, f.bob), message.Ascending, "", 10)
	if err != nil || len(page) != 2 || page[0].Message != "hello" || page[0].From != f.ann {
		t.Errorf("bob reads %+v, %v", page, err)
	}
}

func TestEraseUser(t *testing.T) {
	w := newWorld(t)
	f := w.full(t)
	if found := f.rows(t, "nnabelle"); len(found["TABLE_USERS"]) < 2 || len(found["TABLE_GRANTS"]) != 1 {
		t.Fatalf("she is in %v", found)
	}
	_, err := f.deleter.Delete(t.Context(), f.app, string(id.Source{}.User()), record.Origin{})
	if !fault.Is(err, fault.UserNotFound) {
		t.Errorf("Delete of nobody: %v", err)
	}
	storetest.OK(t, "a job without a decision", f.eraser.Do(t.Context(), erase.UserJob{App: f.app.String(), User: f.ann}))
	first := f.delete(t, f.ann)
	if again := f.delete(t, f.ann); !reflect.DeepEqual(again.RequestedAt, first.RequestedAt) || !first.ErasedAt.IsZero() {
		t.Errorf("deleted %+v, again %+v", first, again)
	}
	if _, err := f.users.Store.Get(t.Context(), f.app, f.ann, true); err == nil {
		t.Error("she is a user still")
	}
	_, err = f.messages.Send(t.Context(), message.Draft{App: f.app, From: f.bob, To: string(f.ann), Text: "too late"})
	if !fault.Is(err, fault.UserNotFound) {
		t.Errorf("a message to her: %v", err)
	}
	if _, err := f.users.Register(t.Context(), f.app, "annabelle", ""); !fault.Is(err, fault.UsernameTaken) {
		t.Errorf("her name before all is gone: %v", err)
	}
	for range 2 {
		storetest.OK(t, "Do", f.eraser.Do(t.Context(), erase.UserJob{App: f.app.String(), User: f.ann}))
	}
	f.wantForgotten(t)
	receipt, err := f.deleter.Find(t.Context(), f.app, f.ann)
	want := map[string]int{"groups": 1, "conversations": 2, "messages": 1, "removals": 2, "connections": 5, "grants": 1, "blocks": 1, "profiles": 1, "names": 1}
	if err != nil || receipt.ErasedAt.IsZero() || fmt.Sprint(receipt.Rows) != fmt.Sprint(want) {
		t.Errorf("receipt %+v, %v; want %v", receipt, err, want)
	}
	if _, err := f.users.Register(t.Context(), f.app, "Annabelle", "Annabelle"); !fault.Is(err, fault.IdempotencyConflict) {
		t.Errorf("her ID once more: %v", err)
	}
	f.register(t, "annabelle") // the name is free
}

// TestHeirsAreActive: a deactivated user, even an admin, does not get the group while there is an active member.
func TestHeirsAreActive(t *testing.T) {
	f := newWorld(t).full(t)
	caller := authz.Caller{App: f.app, Rights: authz.Rights{Kind: authz.Keys, Base: authz.HeldBy(authz.Keys)}, At: storetest.Noon()}
	_, err := f.groups.Invite(t.Context(), caller, f.owned, []id.User{f.cy}, true)
	storetest.OK(t, "Invite", err)
	_, err = f.groups.SetRole(t.Context(), caller, f.owned, f.cy, authz.GroupAdmin)
	storetest.OK(t, "SetRole", err)
	now := f.users.Clock.Now()
	deactivated := record.New(record.OfApp(f.app), now, record.Origin{Actor: "key"}, record.UserDeactivated, string(f.cy), nil, nil)
	_, err = f.users.Store.SetActive(t.Context(), f.app, f.cy, false, now, deactivated)
	storetest.OK(t, "SetActive", err)
	for _, next := range []struct{ leaves, owns id.User }{{f.ann, f.bob}, {f.bob, f.cy}} {
		f.delete(t, next.leaves)
		storetest.OK(t, "Do", f.eraser.Do(t.Context(), erase.UserJob{App: f.app.String(), User: next.leaves}))
		if found, _, err := f.groups.Store.Read(t.Context(), f.app, f.owned); err != nil || found.Owner != next.owns || found.Dismissed() {
			t.Errorf("the group of bob %s and cy %s is %+v, %v", f.bob, f.cy, found, err)
		}
	}
}

// TestBothUsersOfAPair: what two wrote to each other is nobody's when both are gone.
func TestBothUsersOfAPair(t *testing.T) {
	w := newWorld(t)
	f := w.full(t)
	for _, user := range []id.User{f.ann, f.bob} {
		f.delete(t, user)
	}
	for _, job := range *f.sent {
		storetest.OK(t, "Do", f.eraser.Do(t.Context(), job))
	}
	if found := f.rows(t, string(id.Pair(f.app, f.ann, f.bob))); len(found) > 0 {
		t.Errorf("of their conversation there is %v", found)
	}
	if found, _, err := f.groups.Store.Read(t.Context(), f.app, f.owned); err != nil || !found.Dismissed() {
		t.Errorf("their group is %+v, %v", found, err)
	}
}

// TestErasingAnAppTakesReceipts: what is left of an erased user goes with its app.
func TestErasingAnAppTakesReceipts(t *testing.T) {
	w, account := newWorld(t), id.Source{}.Account()
	gone := w.seed(t, account, size{users: 2, messages: 1})
	p := w.people(w.db, gone.ID, sealtest.NewKeyring())
	ann := p.register(t, "ann")
	p.delete(t, ann)
	storetest.OK(t, "Do", p.eraser.Do(t.Context(), (*p.sent)[0]))
	if found := w.rows(t, string(ann)); len(found["TABLE_USERS"]) != 1 {
		t.Fatalf("left of her: %v", found)
	}
	gone = w.remove(t, gone)
	eraser, _ := w.eraser(w.db)
	finish(t, eraser, gone.ID)
	w.wantErased(t, gone)
}

// TestUserJobsThatDie: wherever an erasing dies, before a write or after it, by turns, the same job goes on from there.
func TestUserJobsThatDie(t *testing.T) {
	w := newWorld(t)
	step := 2
	if testing.Short() {
		step = 8
	}
	for _, tookEffect := range []bool{false, true} {
		at := 1
		if tookEffect {
			at = 2
		}
		for ; ; at += step {
			f := w.full(t)
			fuse := &storetest.Fuse{At: at, TookEffect: tookEffect, Dies: true}
			dying := w.people(w.through(fuse), f.app, f.keyring)
			_, deleted := dying.deleter.Delete(t.Context(), f.app, string(f.ann), record.Origin{Actor: "key"})
			jobs := *dying.sent
			if deleted == nil {
				_ = dying.eraser.Do(t.Context(), jobs[0])
			}
			if !fuse.Blown() {
				break
			}
			_, kept := f.users.Store.Get(t.Context(), f.app, f.ann, true)
			storetest.OK(t, "Do", f.eraser.Do(t.Context(), jobs[0])) // sent before anything else
			if kept == nil {
				if deleted == nil {
					t.Fatalf("at %d: an answer without a decision", at)
				}
				continue // nothing was decided
			}
			f.wantForgotten(t)
			if receipt, err := f.deleter.Find(t.Context(), f.app, f.ann); err != nil || receipt.ErasedAt.IsZero() {
				t.Errorf("after a death at %d (took effect: %v): %+v, %v", at, tookEffect, receipt, err)
			}
			if t.Failed() {
				t.Fatalf("after a death at %d (took effect: %v)", at, tookEffect)
			}
		}
	}
}
