package grouptest

import (
	"slices"
	"testing"

	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func runReach(t *testing.T, h Harness) {
	made := create(t, h)
	ann, bob, eve := id.Source{}.User(), id.Source{}.User(), id.Source{}.User()
	c := moved(t, h, made, joining, ann, bob)
	commit(t, h, c)
	made.Members = c.Is.Members
	late := moved(t, h, made, joining, eve)
	storetest.Refused(t, "not what it is", h.Store.SetReach(t.Context(), made.App, made.ID, message.Both, message.Fanned), group.ErrChanged)
	storetest.OK(t, "SetReach", h.Store.SetReach(t.Context(), made.App, made.ID, message.Direct, message.Both))
	storetest.Refused(t, "twice", h.Store.SetReach(t.Context(), made.App, made.ID, message.Direct, message.Both), group.ErrChanged)
	storetest.Refused(t, "a commit on the reach before", h.Store.Commit(t.Context(), late), group.ErrChanged)
	number, err := h.Store.Take(t.Context(), made.App, made.ID, message.Nobody)
	if err != nil || number.Reach != message.Both {
		t.Errorf("took %+v, %v", number, err)
	}
	commit(t, h, moved(t, h, made, leaving, bob))
	members, err := h.Store.Subscribing(t.Context(), made.App, made.ID)
	if want := []id.User{made.Owner, ann}; err != nil || len(members) != 2 || !slices.Contains(members, want[0]) || !slices.Contains(members, want[1]) {
		t.Errorf("subscribing: %v, %v, want %v", members, err, want)
	}
	commit(t, h, moved(t, h, made, joining, eve))
	storetest.OK(t, "SetReach", h.Store.SetReach(t.Context(), made.App, made.ID, message.Both, message.Fanned))
	commit(t, h, moved(t, h, made, joining, bob))
	commit(t, h, moved(t, h, made, leaving, ann))
	for user, want := range map[id.User]bool{made.Owner: true, ann: false, bob: true, eve: true} {
		if row := h.Row(t, made.App, user, made.ID); row.Subscribes != want {
			t.Errorf("%s subscribes: %v, want %v", user, row.Subscribes, want)
		}
	}
	roster, err := h.Store.Roster(t.Context(), made.App, made.ID)
	_, has := roster.Members[eve]
	if err != nil || roster.Reach != message.Fanned || len(roster.Members) != 2 || !has {
		t.Errorf("the roster is %+v, %v; want the owner and eve, who joined before", roster, err)
	}
	if now, _ := read(t, h, made); now.Reach != message.Fanned || now.Members != 3 {
		t.Errorf("the group is %+v", now)
	}
	storetest.Refused(t, "no group", h.Store.SetReach(t.Context(), made.App, id.Source{}.Group(), message.Direct, message.Both), group.ErrChanged)
}

// A group of the most members has no place for one more, whoever brings its messages to them.
func runRoom(t *testing.T, h Harness) {
	made := New()
	made.Members, made.Reach = group.MaxMembers-1, message.Fanned
	_, err := h.Store.Create(t.Context(), made, Entry(made, 1))
	storetest.OK(t, "Create", err)
	first, second := moved(t, h, made, joining, id.Source{}.User()), moved(t, h, made, joining, id.Source{}.User())
	commit(t, h, first)
	storetest.Refused(t, "one too many", h.Store.Commit(t.Context(), second), group.ErrChanged)
}
