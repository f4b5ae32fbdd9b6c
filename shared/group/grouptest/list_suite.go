package grouptest

import (
	"cmp"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// all reads a list to its end.
func all(t *testing.T, limit int, page func(position string) ([]group.Member, string, error)) (members []group.Member) {
	t.Helper()
	for position, pages := "", 0; ; pages++ {
		some, next, err := page(position)
		storetest.OK(t, "list", err)
		if len(some) > limit || pages > 100 {
			t.Fatalf("page %d has %d members, limit %d", pages, len(some), limit)
		}
		members = append(members, some...)
		if position = next; next == "" {
			return members
		}
	}
}

func users(members []group.Member) (ids []id.User) {
	for _, member := range members {
		ids = append(ids, member.User)
	}
	slices.Sort(ids)
	return ids
}

func runMembers(t *testing.T, h Harness) {
	made := create(t, h)
	var crowd []id.User
	for range 7 {
		crowd = append(crowd, id.Source{}.User())
	}
	commit(t, h, moved(t, h, made, joining, crowd[:5]...)) // several of one version
	commit(t, h, moved(t, h, made, inviting, crowd[5:]...))
	commit(t, h, moved(t, h, made, leaving, crowd[0]))
	list := func(limit int, filter group.Filter) []group.Member {
		return all(t, limit, func(position string) ([]group.Member, string, error) {
			return h.Store.Members(t.Context(), made.App, made.ID, filter, position, limit)
		})
	}
	for limit := 1; limit <= 9; limit++ {
		everybody := list(limit, group.Filter{})
		if len(everybody) != 8 || !slices.IsSortedFunc(everybody, func(a, b group.Member) int { return cmp.Compare(a.Version, b.Version) }) {
			t.Fatalf("pages of %d: %+v", limit, everybody)
		}
		var joined []id.User
		for position, more := "", true; more; more = position != "" {
			page, next, err := h.Store.Joined(t.Context(), made.App, made.ID, position, limit)
			storetest.OK(t, "Joined", err)
			if joined, position = append(joined, page...), next; len(page) > limit {
				t.Fatalf("Joined returned %d, limit %d", len(page), limit)
			}
		}
		if want := users(list(limit, group.Filter{State: message.Joined})); !slices.Equal(slices.Sorted(slices.Values(joined)), want) {
			t.Fatalf("pages of %d: %v joined, want %v", limit, joined, want)
		}
		_, rows := read(t, h, made, users(everybody)...)
		for _, member := range everybody {
			if rows[member.User] != member {
				t.Fatalf("listed %+v, is %+v", member, rows[member.User])
			}
		}
		for _, want := range []struct {
			filter group.Filter
			users  []id.User
		}{
			{group.Filter{State: message.Joined}, append([]id.User{made.Owner}, crowd[1:5]...)},
			{group.Filter{State: message.Invited}, crowd[5:]},
			{group.Filter{State: message.Left}, crowd[:1]},
			{group.Filter{Since: 2}, append(slices.Clone(crowd[5:]), crowd[0])},
			{group.Filter{Since: 3}, crowd[:1]},
			{group.Filter{Since: 4}, nil},
			{group.Filter{Since: 2, State: message.Invited}, crowd[5:]},
		} {
			sorted := slices.Clone(want.users)
			slices.Sort(sorted)
			if got := users(list(limit, want.filter)); !slices.Equal(got, sorted) {
				t.Errorf("pages of %d, %+v: %v, want %v", limit, want.filter, got, sorted)
			}
		}
	}
}

func runOf(t *testing.T, h Harness) {
	ann := id.Source{}.User()
	app := id.Source{}.App()
	var joined, invited []id.Group
	for i := range 6 {
		made := New()
		made.App = app
		_, err := h.Store.Create(t.Context(), made, Entry(made, 1))
		storetest.OK(t, "Create", err)
		if i%2 == 0 {
			commit(t, h, moved(t, h, made, joining, ann))
			joined = append(joined, made.ID)
		} else {
			commit(t, h, moved(t, h, made, inviting, ann))
			invited = append(invited, made.ID)
		}
	}
	for state, want := range map[message.State][]id.Group{message.Joined: joined, message.Invited: invited, message.Asked: nil} {
		slices.Sort(want)
		for limit := 1; limit <= 7; limit++ {
			var got []id.Group
			for _, member := range all(t, limit, func(position string) ([]group.Member, string, error) {
				return h.Store.Of(t.Context(), app, ann, state, position, limit)
			}) {
				got = append(got, member.Group)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s by %d: %v, want %v", state, limit, got, want)
			}
		}
	}
}

func runApart(t *testing.T, h Harness) {
	mine, ann := create(t, h), id.Source{}.User()
	commit(t, h, moved(t, h, mine, joining, ann))
	theirs := mine
	theirs.App = id.Source{}.App()
	_, _, err := h.Store.Read(t.Context(), theirs.App, theirs.ID)
	storetest.Refused(t, "Read", err, group.ErrNotFound)
	_, err = h.Store.Take(t.Context(), theirs.App, theirs.ID, message.Nobody)
	storetest.Refused(t, "Take", err, message.ErrNoGroup)
	members, _, err := h.Store.Members(t.Context(), theirs.App, theirs.ID, group.Filter{}, "", 10)
	if err != nil || len(members) != 0 {
		t.Errorf("Members = %v, %v", members, err)
	}
	members, _, err = h.Store.Of(t.Context(), theirs.App, ann, message.Joined, "", 10)
	if err != nil || len(members) != 0 {
		t.Errorf("Of = %v, %v", members, err)
	}
	if _, err = h.Store.Create(t.Context(), theirs, Entry(theirs, 1)); err != nil {
		t.Errorf("another app's group of the same ID: %v", err)
	}
}
