package message_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/connection/connectiontest"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/message/messagetest"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/usertest"
)

// world is the platform's tables and its gateway, with users ann and bob.
type world struct {
	log        *messagetest.Log
	operations *messagetest.Operations
	claims     *messagetest.Claims
	members    *messagetest.Members
	removals   *messagetest.Removals
	groups     *messagetest.Groups
	users      *usertest.Store
	records    *connectiontest.Store
	poster     *connectiontest.Poster
	keyring    *seal.Keyring

	app      id.App
	ann, bob id.User
}

// newWorld returns tables that are as stale as told.
func newWorld(t testing.TB, stale storetest.Staleness) *world {
	w := &world{log: messagetest.NewStaleLog(stale), claims: messagetest.NewClaims(), members: messagetest.NewStaleMembers(stale), groups: messagetest.NewGroups(),
		users: usertest.NewStore(), records: connectiontest.NewStale(stale), poster: connectiontest.NewPoster(),
		keyring: sealtest.NewKeyring(), app: id.Source{}.App()}
	w.operations = messagetest.NewOperations(w.log)
	w.removals = messagetest.NewRemovals(stale, w.log, w.members)
	w.ann, w.bob = w.register(t, "ann"), w.register(t, "bob")
	return w
}

func (w *world) register(t testing.TB, name string) id.User {
	made := user.User{ID: id.Source{}.User(), App: w.app, Username: name}
	storetest.OK(t, "register", w.users.Create(t.Context(), made, name))
	w.records.Register(w.app, made.ID)
	return made.ID
}

// process returns the services of one Lambda, whose calls go through the fuse.
func (w *world) process(fuse *storetest.Fuse) *message.Service {
	return &message.Service{
		Log: messagetest.FuseLog(fuse, w.log), Claims: messagetest.FuseClaims(fuse, w.claims),
		Members: messagetest.FuseMembers(fuse, w.members), Removals: messagetest.FuseRemovals(fuse, w.removals), Groups: messagetest.FuseGroups(fuse, w.groups), Users: &user.Service{Store: w.users},
		Devices: &connection.Service{Store: connectiontest.FuseStore(fuse, w.records),
			Poster: connectiontest.FusePoster(fuse, w.poster), Clock: clock.System{}},
		Operations: messagetest.FuseOperations(fuse, w.operations), Sealer: w.keyring, Clock: clock.System{},
	}
}

// healthy returns the services of a Lambda that nothing happens to.
func (w *world) healthy() *message.Service { return w.process(&storetest.Fuse{}) }

// settle lets every write become visible to every read.
func (w *world) settle() {
	w.log.Settle()
	w.members.Settle()
	w.removals.Settle()
	w.records.Settle()
}

func (w *world) pair() id.Conversation { return id.Pair(w.app, w.ann, w.bob) }

// history returns the whole conversation, read strongly.
func (w *world) history(t *testing.T) []message.Entry {
	var all []message.Entry
	for {
		page, err := w.log.Read(context.Background(), w.app, w.pair(), int64(len(all))+1, message.PageSize, true)
		storetest.OK(t, "read the log", err)
		if all = append(all, page...); len(page) < message.PageSize {
			return all
		}
	}
}

// checkLog fails where the log has a gap, a client ID twice, or wrong ordinals.
func (w *world) checkLog(t *testing.T) {
	t.Helper()
	seen := map[string]int64{}
	var toAnn, toBob int64
	for i, entry := range w.history(t) {
		if entry.Sequence != int64(i)+1 {
			t.Fatalf("entry %d has sequence %d", i+1, entry.Sequence)
		}
		key := fmt.Sprint(entry.Sender, entry.ClientID)
		if first, twice := seen[key]; twice && entry.ClientID != "" {
			t.Fatalf("client ID %s stands at %d and %d", entry.ClientID, first, entry.Sequence)
		}
		seen[key] = entry.Sequence
		switch {
		case entry.Type == message.TypeOperation:
		case entry.Sender == w.ann:
			toBob++
		default:
			toAnn++
		}
		if entry.Ordinal(w.ann) != toAnn || entry.Ordinal(w.bob) != toBob {
			t.Fatalf("entry %d has ordinals %d and %d, want %d and %d", entry.Sequence, entry.Ordinal(w.ann), entry.Ordinal(w.bob), toAnn, toBob)
		}
	}
}

// texts opens the messages' texts in order.
func (w *world) texts(t *testing.T) []string {
	messages, _, err := w.healthy().History(t.Context(), w.app, "", w.pair(), message.Ascending, "", 100)
	storetest.OK(t, "read the history", err)
	var texts []string
	for _, m := range messages {
		texts = append(texts, m.Message)
	}
	return slices.Clip(texts)
}

// noGroups subscribes a device to no large group: there are none.
func noGroups(context.Context) error { return nil }
