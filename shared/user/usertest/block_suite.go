package usertest

import (
	"errors"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/user"
)

// standing reads the user strongly.
func standing(t *testing.T, store user.Store, of user.User) user.User {
	t.Helper()
	found, err := store.Get(t.Context(), of.App, of.ID, true)
	storetest.OK(t, "Get", err)
	return found
}

func wantBlocked(t *testing.T, store user.Store, of user.User, other id.User, want bool) {
	t.Helper()
	if blocked, _, err := store.Blocking(t.Context(), of.App, of.ID, other); err != nil || blocked != want {
		t.Fatalf("Blocking = %v, %v; want %v", blocked, err, want)
	}
}

func runBlocks(t *testing.T, store user.Store) {
	app := id.Source{}.App()
	ola := NewUser(app, "ola")
	block := func(other id.User) user.Block { return user.Block{User: ola.ID, Other: other, At: storetest.Noon()} }
	others := make([]id.User, 12)
	for i := range others {
		others[i] = id.Source{}.User()
	}
	slices.Sort(others)
	storetest.Refused(t, "PutBlock of nobody", store.PutBlock(t.Context(), ola, block(others[0])), user.ErrChanged)
	create(t, store, ola, "ola")
	storetest.Refused(t, "RemoveBlock", store.RemoveBlock(t.Context(), ola, others[0]), user.ErrNotBlocked)
	storetest.OK(t, "PutBlock", store.PutBlock(t.Context(), ola, block(others[0])))
	storetest.Refused(t, "PutBlock again", store.PutBlock(t.Context(), ola, block(others[0])), user.ErrBlocked)
	storetest.Refused(t, "PutBlock of one read before", store.PutBlock(t.Context(), ola, block(others[1])), user.ErrChanged)
	wantBlocked(t, store, ola, others[0], true)
	wantBlocked(t, store, ola, others[1], false)
	wantBlocked(t, store, NewUser(id.Source{}.App(), "ola"), others[0], false)
	for _, other := range others[1:] {
		storetest.OK(t, "PutBlock", store.PutBlock(t.Context(), standing(t, store, ola), block(other)))
	}
	if got := standing(t, store, ola).Blocks; got.Count != len(others) || slices.ContainsFunc(others, func(o id.User) bool { return !got.MayHave(o) }) {
		t.Errorf("the record has %+v", got)
	}
	for _, limit := range []int{1, 5, 12, 100} {
		if got := blocked(t, store, ola, limit); !slices.Equal(got, others) {
			t.Errorf("pages of %d: %v, want %v", limit, got, others)
		}
	}
	for i, other := range others {
		storetest.OK(t, "RemoveBlock", store.RemoveBlock(t.Context(), standing(t, store, ola), other))
		wantBlocked(t, store, ola, other, false)
		if got := blocked(t, store, ola, 100); !slices.Equal(got, others[i+1:]) {
			t.Errorf("left: %v, want %v", got, others[i+1:])
		}
	}
	wantUser(t, store, ola) // as before the first
}

func blocked(t *testing.T, store user.Store, of user.User, limit int) []id.User {
	t.Helper()
	all := []id.User{}
	for after := id.User(""); ; {
		page, next, err := store.Blocks(t.Context(), of.App, of.ID, after, limit)
		storetest.OK(t, "Blocks", err)
		for _, block := range page {
			if block.User != of.ID || !block.At.Equal(storetest.Noon()) {
				t.Fatalf("Blocks returned %+v", block)
			}
			all = append(all, block.Other)
		}
		if next == "" {
			return all
		}
		after = next
	}
}

// runBlockRace: of changes that were decided on the same record one is made, and the count is right.
func runBlockRace(t *testing.T, store user.Store) {
	pia := NewUser(id.Source{}.App(), "pia")
	create(t, store, pia, "pia")
	storetest.OneWins(t, storetest.Racers, user.ErrChanged, func(int) error {
		return store.PutBlock(t.Context(), pia, user.Block{User: pia.ID, Other: id.Source{}.User(), At: storetest.Noon()})
	})
	was, other := standing(t, store, pia), blocked(t, store, pia, 100)
	if was.Blocks.Count != 1 || len(other) != 1 {
		t.Fatalf("%+v, blocked %v", was.Blocks, other)
	}
	for _, err := range storetest.AtOnce(2, func(i int) error {
		if i == 0 {
			return store.RemoveBlock(t.Context(), was, other[0])
		}
		return store.PutBlock(t.Context(), was, user.Block{User: pia.ID, Other: id.Source{}.User(), At: storetest.Noon()})
	}) {
		if err != nil && !errors.Is(err, user.ErrChanged) {
			t.Errorf("the race ends with %v", err)
		}
	}
	if got := standing(t, store, pia).Blocks.Count; got != len(blocked(t, store, pia, 100)) {
		t.Errorf("the record counts %d, there are %v", got, blocked(t, store, pia, 100))
	}
}
