package group_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/fanout"
	"github.com/tokenim/tokenim/shared/fanout/fanouttest"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/group/grouptest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagetest"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// world is the tables that groups are kept in, with an app and its users.
type world struct {
	log     *messagetest.Log
	store   *grouptest.Store
	records *connectiontest.Store
	fans    *fanouttest.Store
	keyring *seal.Keyring
	app     id.App
	// active are the users of the app: false for those who are deactivated.
	active map[id.User]bool
	// owner owns the group; ann, bob and eve have nothing to do with it yet.
	owner, ann, bob, eve id.User
}

func newWorld() *world {
	log := messagetest.NewLog()
	w := &world{log: log, store: grouptest.NewStore(log), records: connectiontest.NewStore(), fans: fanouttest.NewStore(), keyring: sealtest.NewKeyring(),
		app: id.Source{}.App(), active: map[id.User]bool{}}
	w.owner, w.ann, w.bob, w.eve = w.register(), w.register(), w.register(), w.register()
	return w
}

func (w *world) register() id.User {
	user := id.Source{}.User()
	w.records.Register(w.app, user)
	w.active[user] = true
	return user
}

// Known implements group.Users.
func (w *world) Known(_ context.Context, app id.App, users []id.User) (map[id.User]bool, error) {
	found := map[id.User]bool{}
	for _, user := range users {
		if active, known := w.active[user]; known && app == w.app {
			found[user] = active
		}
	}
	return found, nil
}

// process returns the service of one Lambda, whose calls go through the fuse.
func (w *world) process(fuse *storetest.Fuse) *group.Service {
	store := grouptest.Fuse(fuse, w.store)
	audience := &fanout.Audience{Subscriptions: w.fans, Records: connectiontest.FuseStore(fuse, w.records), Members: w.store.Rows(),
		Clock: clock.System{}}
	return &group.Service{Store: store, Users: w, Clock: clock.System{}, Audience: audience, Log: &message.Service{
		Log: messagetest.FuseLog(fuse, w.log), Groups: store, Sealer: w.keyring, Clock: clock.System{},
		Devices: &connection.Service{Store: connectiontest.FuseStore(fuse, w.records),
			Poster: connectiontest.FusePoster(fuse, connectiontest.NewPoster()), Clock: clock.System{}}}}
}

// healthy returns the service of a Lambda that nothing happens to.
func (w *world) healthy() *group.Service { return w.process(&storetest.Fuse{}) }

// everything is what a key can do.
func everything() authz.Rights {
	set, _ := authz.ParseSet(authz.Scopes())
	return authz.Rights{Kind: authz.Keys, Base: set}
}

// user is a caller with a user token, minted by a key that may do nothing else.
func (w *world) user(user id.User) authz.Caller {
	return authz.Caller{App: w.app, Key: id.Source{}.Key(w.app), User: user, EndUser: true, At: storetest.Noon(),
		Rights: authz.Rights{Kind: authz.Keys}, UserRights: authz.Rights{Kind: authz.Users}}
}

// key is an application that may do everything; as is the user whom it acts for, "" for none.
func (w *world) key(as id.User) authz.Caller {
	return authz.Caller{App: w.app, Key: "key_0000000000000000000000000001", User: as, At: storetest.Noon(), Rights: everything(),
		UserRights: authz.Rights{Kind: authz.Users}}
}

// denied is the user with a denial of the permission.
func (w *world) denied(user id.User, permission authz.Permission) authz.Caller {
	caller := w.user(user)
	caller.UserRights.Statements = []authz.Statement{{Grant: "gr_1", Deny: true, Set: authz.SetOf(permission)}}
	return caller
}

// moderator is the user with the role of the whole app, whose token a mighty key has minted.
func (w *world) moderator(user id.User) authz.Caller {
	caller := w.user(user)
	caller.Rights = everything()
	caller.UserRights.Statements = []authz.Statement{{Grant: "gr_2", Role: authz.Moderator}}
	return caller
}

// found makes the owner's group.
func (w *world) found(t storetest.T, change func(*group.Wish)) id.Group {
	name := "Hiking"
	wish := group.Wish{Name: &name}
	if change != nil {
		change(&wish)
	}
	view, _, err := w.healthy().Create(context.Background(), w.user(w.owner), group.Creation{Wish: wish})
	storetest.OK(t, "Create", err)
	return view.GroupID
}

// joins says who may join.
func joins(who group.Joining) func(*group.Wish) {
	return func(wish *group.Wish) { wish.Join = &who }
}

// add adds the users.
func (w *world) add(t storetest.T, of id.Group, users ...id.User) {
	results, err := w.healthy().Invite(context.Background(), w.key(""), of, users, true)
	storetest.OK(t, "add", err)
	for _, each := range results {
		if each.Result != group.ResultAdded {
			t.Fatalf("add %s: %s", each.UserID, each.Result)
		}
	}
}

// crowd adds so many new users, each with an open socket.
func (w *world) crowd(t storetest.T, of id.Group, size int) {
	users := make([]id.User, size)
	for i := range users {
		users[i] = w.register()
		socket := connection.Socket{App: w.app, User: users[i], Connection: "c" + users[i].Random(), Device: "phone", ExpiresAt: clock.System{}.Now().Add(time.Hour)}
		_, _, err := w.records.Attach(context.Background(), socket, clock.System{}.Now().Add(connection.Lease))
		storetest.OK(t, "Attach", err)
	}
	w.add(t, of, users...)
}

// subscribing checks that each member's row is marked, and that the sockets of the crowd, who are members, are subscribed.
func (w *world) subscribing(t *testing.T, of id.Group) {
	members, _, err := w.store.Members(context.Background(), w.app, of, group.Filter{State: message.Joined}, "", 1000)
	storetest.OK(t, "Members", err)
	for _, each := range members {
		if !w.store.Row(w.app, each.User, of).Subscribes {
			t.Errorf("the row of %s is not marked", each.User)
		}
	}
	subscribed, _, err := w.fans.Page(context.Background(), w.app, of, fanout.Part{Parts: 1}, "", 1000)
	if err != nil || len(subscribed) != group.DirectMembers-1 {
		t.Errorf("%d sockets are subscribed, %v", len(subscribed), err)
	}
}

// admin makes the member an admin.
func (w *world) admin(t storetest.T, of id.Group, user id.User) {
	_, err := w.healthy().SetRole(context.Background(), w.user(w.owner), of, user, authz.GroupAdmin)
	storetest.OK(t, "SetRole", err)
}

func (w *world) row(of id.Group, user id.User) group.Member {
	_, rows, _ := w.store.Read(context.Background(), w.app, of, user)
	return rows[user]
}

func (w *world) group(of id.Group) group.Group {
	found, _, _ := w.store.Read(context.Background(), w.app, of)
	return found
}

// changes reads what the group's log tells, without voids; it fails where the log has gaps.
func (w *world) changes(t storetest.T, of id.Group) (told []message.GroupChange) {
	entries, err := w.log.Read(context.Background(), w.app, id.Conversation(of), 1, 1000, true)
	storetest.OK(t, "read the log", err)
	for i, entry := range entries {
		if entry.Sequence != int64(i)+1 {
			t.Fatalf("entry %d has the number %d", i+1, entry.Sequence)
		}
		if entry.Type == message.TypeVoid {
			continue
		}
		text, err := w.keyring.Open(context.Background(), w.app, seal.Place{Conversation: entry.Conversation, Sequence: entry.Sequence, Sender: entry.Sender}, entry.Sealed)
		storetest.OK(t, "open", err)
		var change message.GroupChange
		storetest.OK(t, "decode", json.Unmarshal(text, &change))
		told = append(told, change)
	}
	return told
}

// consistent checks that the log tells what the rows, the roster and the group say.
func (w *world) consistent(t storetest.T, of id.Group) {
	now, told := w.group(of), map[id.User]message.State{}
	owner := now.Owner
	for _, change := range w.changes(t, of) {
		for _, user := range change.Users {
			switch change.Kind {
			case message.GroupCreated, message.UsersJoined:
				told[user] = message.Joined
			case message.UsersInvited:
				told[user] = message.Invited
			case message.UserAsked:
				told[user] = message.Asked
			case message.UserDeclined, message.UserLeft, message.UserRemoved:
				told[user] = message.Left
			case message.OwnerTransferred:
				owner = user
			}
		}
	}
	if owner != now.Owner {
		t.Fatalf("the log says that %s owns the group, the group %s", owner, now.Owner)
	}
	members, owners := 0, 0
	roster, err := w.store.Roster(context.Background(), w.app, of)
	storetest.OK(t, "Roster", err)
	for user, state := range told {
		row := w.row(of, user)
		if row.State != state {
			t.Fatalf("the log says that %s is %s, the row %s", user, state, row.State)
		}
		if state == message.Joined {
			members++
			if seat, listed := roster.Members[user]; seat != row.Seat && (listed || now.Reach != message.Fanned) {
				t.Fatalf("the roster has %+v, the row %+v", roster.Members[user], row.Seat)
			}
		}
		if row.Role == authz.GroupOwner {
			owners++
		}
	}
	gone := now.Dismissed() && w.row(of, now.Owner).State == message.Left
	if owned := owners == 1 && w.row(of, now.Owner).Role == authz.GroupOwner; owned == gone {
		t.Fatalf("%d owners; the owner has left a dismissed group: %v", owners, gone)
	}
	if now.Members != members || len(roster.Members) > members || now.Reach != message.Fanned && len(roster.Members) != members {
		t.Fatalf("%d members, %d in the roster, %d by the log; %d owners", now.Members, len(roster.Members), members, owners)
	}
}

// noted checks that the users' devices learn at their next sync how the users stand to the group.
func (w *world) noted(t storetest.T, of id.Group, users ...id.User) {
	for _, user := range users {
		record, err := w.records.Record(context.Background(), w.app, user, true)
		storetest.OK(t, "read the record", err)
		if row := w.row(of, user); record.Ring[id.Conversation(of)].Sequence < row.Version {
			t.Fatalf("the change %d of a row was noted for nobody: %+v", row.Version, record.Ring)
		}
	}
}

// refused checks the code of a refusal.
func refused(t storetest.T, doing string, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Fatalf("%s: %v, want %s", doing, err, code)
	}
}

// waiting runs the test where waits cost nothing.
func waiting(t *testing.T, run func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, run)
}
