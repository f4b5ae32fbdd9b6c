package usertest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
)

// Run checks that a store keeps the contract of user.Store. Its reads that are not strong have to see at once what was
// written, which a memory store without staleness and the local engine do.
func Run(t *testing.T, store user.Store) {
	t.Run("Create and Get keep every field", func(t *testing.T) { runKeeps(t, store) })
	t.Run("a taken name leaves nothing behind", func(t *testing.T) { runNameTaken(t, store) })
	t.Run("a taken ID is ErrExists", func(t *testing.T) { runExists(t, store) })
	t.Run("one of many gets the name", func(t *testing.T) { runNameRace(t, store) })
	t.Run("one of many gets the ID", func(t *testing.T) { runIDRace(t, store) })
	t.Run("List pages by name", func(t *testing.T) { runList(t, store) })
	t.Run("RevokeTokens counts", func(t *testing.T) { runRevoke(t, store) })
	t.Run("Change takes the name along", func(t *testing.T) { runChange(t, store) })
	t.Run("one of many changes wins", func(t *testing.T) { runChangeRace(t, store) })
	t.Run("blocks are counted and listed", func(t *testing.T) { runBlocks(t, store) })
	t.Run("one of two changes of blocks wins", func(t *testing.T) { runBlockRace(t, store) })
	t.Run("UsedFor keeps the last day of each", func(t *testing.T) { runUsedFor(t, store) })
	t.Run("an app sees its own users", func(t *testing.T) { runApart(t, store) })
}

// NewUser returns a user of the app with the name.
func NewUser(app id.App, name string) user.User {
	return user.User{ID: id.Source{}.User(), App: app, Username: name, CreatedAt: storetest.Noon(), Rights: authz.Rights{Kind: authz.Users}}
}

func create(t *testing.T, store user.Store, made user.User, compared string) {
	t.Helper()
	storetest.OK(t, "Create "+compared, store.Create(t.Context(), made, compared))
}

func wantUser(t *testing.T, store user.Store, want user.User) {
	t.Helper()
	for _, strong := range []bool{false, true} {
		found, err := store.Get(t.Context(), want.App, want.ID, strong)
		storetest.OK(t, "Get", err)
		if !reflect.DeepEqual(found, want) {
			t.Fatalf("Get (strong %v) = %+v, want %+v", strong, found, want)
		}
	}
}

func wantName(t *testing.T, store user.Store, app id.App, compared string, want id.User) {
	t.Helper()
	for _, strong := range []bool{false, true} {
		found, err := store.ByName(t.Context(), app, compared, strong)
		storetest.OK(t, "ByName", err)
		if found != want {
			t.Fatalf("ByName %q (strong %v) = %s, want %s", compared, strong, found, want)
		}
	}
}

func wantNobody(t *testing.T, store user.Store, app id.App, userID id.User, compared string) {
	t.Helper()
	for _, strong := range []bool{false, true} {
		_, err := store.Get(t.Context(), app, userID, strong)
		storetest.Refused(t, "Get", err, user.ErrNotFound)
		_, err = store.ByName(t.Context(), app, compared, strong)
		storetest.Refused(t, "ByName", err, user.ErrNotFound)
	}
}

func runKeeps(t *testing.T, store user.Store) {
	app := id.Source{}.App()
	ann := NewUser(app, "Änn")
	wantNobody(t, store, app, ann.ID, "änn")
	create(t, store, ann, "änn")
	wantUser(t, store, ann)
	wantName(t, store, app, "änn", ann.ID)
	wantNobody(t, store, app, id.Source{}.User(), "Änn") // the compared form only
}

func runNameTaken(t *testing.T, store user.Store) {
	app := id.Source{}.App()
	first, second := NewUser(app, "Bob"), NewUser(app, "BOB")
	create(t, store, first, "bob")
	storetest.Refused(t, "Create of a taken name", store.Create(t.Context(), second, "bob"), user.ErrNameTaken)
	wantUser(t, store, first)
	wantName(t, store, app, "bob", first.ID)
	_, err := store.Get(t.Context(), app, second.ID, true)
	storetest.Refused(t, "Get of the refused user", err, user.ErrNotFound)
	create(t, store, second, "bob2") // the refusal has not used up the ID
}

func runExists(t *testing.T, store user.Store) {
	app := id.Source{}.App()
	first := NewUser(app, "Cy")
	create(t, store, first, "cy")
	again := first
	again.Username = "Di"
	storetest.Refused(t, "Create of a taken ID", store.Create(t.Context(), again, "di"), user.ErrExists)
	storetest.Refused(t, "Create of the same", store.Create(t.Context(), first, "cy"), user.ErrExists)
	wantUser(t, store, first)
	_, err := store.ByName(t.Context(), app, "di", true)
	storetest.Refused(t, "ByName of the refused name", err, user.ErrNotFound)
}

func runNameRace(t *testing.T, store user.Store) {
	app := id.Source{}.App()
	users := make([]user.User, storetest.Racers)
	for i := range users {
		users[i] = NewUser(app, "Eve")
	}
	winner := storetest.OneWins(t, len(users), user.ErrNameTaken, func(i int) error {
		return store.Create(t.Context(), users[i], "eve")
	})
	wantName(t, store, app, "eve", users[winner].ID)
	for i, loser := range users {
		if _, err := store.Get(t.Context(), app, loser.ID, true); i != winner && !errors.Is(err, user.ErrNotFound) {
			t.Errorf("a user who lost the race exists: %v", err)
		}
	}
}

func runIDRace(t *testing.T, store user.Store) {
	app := id.Source{}.App()
	one := NewUser(app, "Flo")
	winner := storetest.OneWins(t, storetest.Racers, user.ErrExists, func(i int) error {
		return store.Create(t.Context(), one, fmt.Sprint("flo", i))
	})
	users, _, err := store.List(t.Context(), app, "", "", storetest.Racers)
	if err != nil || len(users) != 1 {
		t.Fatalf("List after the race = %v, %v; want one user", users, err)
	}
	wantName(t, store, app, fmt.Sprint("flo", winner), one.ID)
}

func runList(t *testing.T, store user.Store) {
	app := id.Source{}.App()
	if users, next, err := store.List(t.Context(), app, "", "", 10); err != nil || len(users) != 0 || next != "" {
		t.Fatalf("List of an app without users = %v, %q, %v", users, next, err)
	}
	var want []string
	for i := range 45 {
		name := fmt.Sprintf("%c%d", 'a'+i*7%26, i)
		create(t, store, NewUser(app, name), name)
		want = append(want, name)
	}
	for _, name := range []string{"zoë", "жук", "周"} {
		create(t, store, NewUser(app, name), name)
		want = append(want, name)
	}
	slices.Sort(want)
	for _, limit := range []int{1, 7, 16, 47, 48, 49, 100} {
		if got := listAll(t, store, app, limit); !slices.Equal(got, want) {
			t.Errorf("pages of %d = %v\nwant %v", limit, got, want)
		}
	}
	for _, prefix := range []string{"a", "b", "zo", "ж", "周", "a0", "absent", "z\U0010FFFE"} {
		begin := slices.DeleteFunc(slices.Clone(want), func(name string) bool { return !strings.HasPrefix(name, prefix) })
		for _, limit := range []int{1, 2, 100} {
			if got := listPrefix(t, store, app, prefix, limit); !slices.Equal(got, begin) {
				t.Errorf("with the prefix %q, pages of %d = %v\nwant %v", prefix, limit, got, begin)
			}
		}
	}
}

func listAll(t *testing.T, store user.Store, app id.App, limit int) []string {
	t.Helper()
	return listPrefix(t, store, app, "", limit)
}

func listPrefix(t *testing.T, store user.Store, app id.App, prefix string, limit int) (all []string) {
	for after := ""; ; {
		page, next, err := store.List(t.Context(), app, prefix, after, limit)
		storetest.OK(t, "List", err)
		if len(page) > limit {
			t.Fatalf("List returned %d users, limit %d", len(page), limit)
		}
		for _, user := range page {
			if user.App != app || user.ID == "" || !user.CreatedAt.Equal(storetest.Noon()) {
				t.Fatalf("List returned %+v", user)
			}
			all = append(all, user.Username)
		}
		if next == "" {
			return all
		}
		if next <= after {
			t.Fatalf("List goes on after %q, behind %q", next, after)
		}
		after = next
	}
}

func runRevoke(t *testing.T, store user.Store) {
	app := id.Source{}.App()
	gil := NewUser(app, "Gil")
	_, err := store.RevokeTokens(t.Context(), app, gil.ID)
	storetest.Refused(t, "RevokeTokens of nobody", err, user.ErrNotFound)
	wantNobody(t, store, app, gil.ID, "gil")
	create(t, store, gil, "gil")
	epochs := make([]int64, storetest.Racers)
	for _, err := range storetest.AtOnce(len(epochs), func(i int) error {
		after, err := store.RevokeTokens(t.Context(), app, gil.ID)
		epochs[i] = after.TokenEpoch
		return err
	}) {
		storetest.OK(t, "RevokeTokens", err)
	}
	slices.Sort(epochs)
	for i, epoch := range epochs {
		if epoch != int64(i+1) {
			t.Fatalf("epochs %v: each call has to count once", epochs)
		}
	}
	gil.TokenEpoch = int64(len(epochs))
	wantUser(t, store, gil)
}

func runUsedFor(t *testing.T, store user.Store) {
	app := id.Source{}.App()
	una := NewUser(app, "Una")
	create(t, store, una, "una")
	una.Rights.Used = map[authz.Permission]int64{}
	for _, note := range []struct {
		permission authz.Permission
		day, want  int64
	}{{authz.UsersList, 46000, 46000}, {authz.UsersList, 46000, 46000}, {authz.MessagesSend, 45999, 45999},
		{authz.UsersList, 46001, 46001}, {authz.UsersList, 45000, 46001}} {
		for _, err := range storetest.AtOnce(4, func(int) error {
			return store.UsedFor(t.Context(), app, una.ID, note.permission, note.day)
		}) {
			storetest.OK(t, "UsedFor", err)
		}
		una.Rights.Used[note.permission] = note.want
		wantUser(t, store, una)
	}
	nobody := NewUser(app, "Nobody")
	storetest.OK(t, "UsedFor", store.UsedFor(t.Context(), app, nobody.ID, authz.UsersList, 46000))
	storetest.OK(t, "UsedFor by another app", store.UsedFor(t.Context(), id.Source{}.App(), una.ID, authz.UsersList, 46002))
	wantNobody(t, store, app, nobody.ID, "nobody")
	wantUser(t, store, una)
}

func runApart(t *testing.T, store user.Store) {
	mine, theirs := id.Source{}.App(), id.Source{}.App()
	hal := NewUser(mine, "Hal")
	create(t, store, hal, "hal")
	wantNobody(t, store, theirs, hal.ID, "hal")
	_, err := store.RevokeTokens(t.Context(), theirs, hal.ID)
	storetest.Refused(t, "RevokeTokens by another app", err, user.ErrNotFound)
	other := hal // the same ID and name are free in another app
	other.App, other.Username = theirs, "HAL"
	create(t, store, other, "hal")
	wantUser(t, store, hal)
	wantUser(t, store, other)
	if got := listAll(t, store, mine, 10); !slices.Equal(got, []string{"Hal"}) {
		t.Fatalf("List = %v, want Hal alone", got)
	}
}
