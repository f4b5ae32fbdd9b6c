package user_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/user/usertest"
)

func TestBlock(t *testing.T) {
	store := usertest.NewStore()
	service, _, _, app := setUp(store)
	ann, bob, cy := register(t, service, app, "Ann", ""), register(t, service, app, "Bob", ""), register(t, service, app, "Cy", "")
	wantCode(t, "Block of nobody", service.Block(t.Context(), app, ann.ID, id.Source{}.User()), fault.UserNotFound)
	wantCode(t, "Block of a text", service.Block(t.Context(), app, ann.ID, "Bob"), fault.UserNotFound)
	wantCode(t, "Block of oneself", service.Block(t.Context(), app, ann.ID, ann.ID), fault.FieldInvalid)
	wantCode(t, "Block by nobody", service.Block(t.Context(), app, id.Source{}.User(), bob.ID), fault.UserNotFound)
	admits := func(sender, receiver id.User) string {
		silently, err := service.Admits(t.Context(), app, sender, receiver, "to")
		if err != nil {
			return string(fault.Of(err).Code)
		}
		return fmt.Sprint(silently)
	}
	wantAdmits := func(sender, receiver id.User, want string) {
		t.Helper()
		if got := admits(sender, receiver); got != want {
			t.Errorf("Admits: %s, want %s", got, want)
		}
	}
	wantAdmits(bob.ID, ann.ID, "false")
	for range 2 {
		storetest.OK(t, "Block", service.Block(t.Context(), app, ann.ID, bob.ID))
	}
	wantAdmits(bob.ID, ann.ID, "blocked")
	wantAdmits(ann.ID, bob.ID, "false")
	wantAdmits(cy.ID, ann.ID, "false")
	store.Silent = true
	wantAdmits(bob.ID, ann.ID, "true")
	wantAdmits(cy.ID, ann.ID, "false")
	for range 2 {
		storetest.OK(t, "Unblock", service.Unblock(t.Context(), app, ann.ID, bob.ID))
	}
	wantAdmits(bob.ID, ann.ID, "false")
}

func TestManyBlocks(t *testing.T) {
	service, _, _, app := setUp(usertest.NewStore())
	ann := register(t, service, app, "Ann", "")
	others := make([]id.User, user.MaxBlocks+1)
	for i := range others {
		others[i] = register(t, service, app, fmt.Sprint("other", i), "").ID
	}
	const together = 10 // what a client may send at once
	for i := 0; i+together < len(others); i += together {
		for _, err := range storetest.AtOnce(together, func(n int) error { return service.Block(t.Context(), app, ann.ID, others[i+n]) }) {
			storetest.OK(t, "Block", err)
		}
	}
	wantCode(t, "Block of one too many", service.Block(t.Context(), app, ann.ID, others[user.MaxBlocks]), fault.TooMany)
	storetest.OK(t, "Block again", service.Block(t.Context(), app, ann.ID, others[0]))
	storetest.OK(t, "Unblock", service.Unblock(t.Context(), app, ann.ID, others[0]))
	storetest.OK(t, "Block of another", service.Block(t.Context(), app, ann.ID, others[user.MaxBlocks]))
}

// TestFilter: whom a user has blocked is never missed, whatever was lifted; others are seldom taken for blocked.
func TestFilter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blocks, blocked := user.Blocks{}, []id.User{}
		for range rapid.IntRange(0, 120).Draw(t, "changes") {
			if len(blocked) > 0 && rapid.IntRange(0, 2).Draw(t, "lift") == 0 {
				blocks, blocked = blocks.Less(), blocked[1:]
				continue
			}
			other := id.Source{}.User()
			blocks, blocked = blocks.With(other), append(blocked, other)
		}
		if blocks.Count != len(blocked) || len(blocked) == 0 && blocks.Filter != nil {
			t.Fatalf("%+v for %d blocks", blocks, len(blocked))
		}
		for _, other := range blocked {
			if !blocks.MayHave(other) {
				t.Fatalf("%s is missed", other)
			}
		}
		mistaken := 0
		for range 1000 {
			if blocks.MayHave(id.Source{}.User()) {
				mistaken++
			}
		}
		if mistaken > 50 {
			t.Fatalf("%d of 1000 others look blocked", mistaken)
		}
	})
}
