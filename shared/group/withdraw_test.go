package group_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func (w *world) withdraw(t *testing.T, from id.Group, user id.User, want bool) {
	t.Helper()
	delete(w.active, user)
	for i := range 2 { // the second finds it done
		was, err := w.healthy().Withdraw(t.Context(), w.app, from, user)
		storetest.OK(t, "Withdraw", err)
		if was != (want && i == 0) {
			t.Errorf("withdrawn: %v the %d. time", was, i+1)
		}
	}
	w.consistent(t, from)
}

func (w *world) standing(t *testing.T, in id.Group, user id.User) (group.Group, group.Member) {
	t.Helper()
	found, rows, err := w.store.Read(t.Context(), w.app, in, user)
	storetest.OK(t, "Read", err)
	return found, rows[user]
}

func TestWithdraw(t *testing.T) {
	w := newWorld()
	made := w.found(t, func(wish *group.Wish) { open := group.Open; wish.Join = &open })
	for _, user := range []id.User{w.ann, w.bob, w.eve} {
		_, err := w.healthy().Join(t.Context(), w.user(user), made)
		storetest.OK(t, "Join", err)
	}
	_, err := w.healthy().SetRole(t.Context(), w.key(""), made, w.eve, authz.GroupAdmin)
	storetest.OK(t, "SetRole", err)
	w.withdraw(t, made, id.Source{}.User(), false)
	w.withdraw(t, made, w.owner, true)
	if found, row := w.standing(t, made, w.owner); found.Owner != w.eve || row.State != message.Left {
		t.Errorf("eve, the admin, should own it: %+v, %+v", found, row)
	}
	w.withdraw(t, made, w.eve, true)
	if found, _ := w.standing(t, made, w.eve); found.Owner != w.ann || found.Members != 2 {
		t.Errorf("ann, the oldest member, should own it: %+v", found)
	}
	w.withdraw(t, made, w.bob, true)
	w.withdraw(t, made, w.ann, true)
	if found, _ := w.standing(t, made, w.ann); !found.Dismissed() {
		t.Errorf("nobody is left: %+v", found)
	}
	if was, err := w.healthy().Withdraw(t.Context(), w.app, id.Source{}.Group(), w.ann); was || err != nil {
		t.Errorf("out of no group: %v, %v", was, err)
	}
}

// TestHeirsAreActive: nobody acts for a deactivated user, so that a group which it inherits has no owner who can do anything.
func TestHeirsAreActive(t *testing.T) {
	for name, c := range map[string]struct {
		admins, deactivated []string
		want                string
	}{
		"the next who is active":           {deactivated: []string{"ann"}, want: "bob"},
		"an active member before an admin": {admins: []string{"eve"}, deactivated: []string{"eve"}, want: "ann"},
		"an active admin before the rest":  {admins: []string{"ann", "eve"}, deactivated: []string{"ann"}, want: "eve"},
		"the only one who is active":       {admins: []string{"ann"}, deactivated: []string{"ann", "bob"}, want: "eve"},
		"nobody is active":                 {deactivated: []string{"ann", "bob", "eve"}, want: "ann"},
		"nobody is active, one an admin":   {admins: []string{"bob"}, deactivated: []string{"ann", "bob", "eve"}, want: "bob"},
	} {
		w := newWorld()
		made, named := w.found(t, nil), map[string]id.User{"ann": w.ann, "bob": w.bob, "eve": w.eve}
		for _, user := range []id.User{w.ann, w.bob, w.eve} {
			w.add(t, made, user)
		}
		for _, user := range c.admins {
			w.admin(t, made, named[user])
		}
		for _, user := range c.deactivated {
			w.active[named[user]] = false
		}
		w.withdraw(t, made, w.owner, true)
		if found, row := w.standing(t, made, w.owner); found.Owner != named[c.want] || row.State != message.Left {
			t.Errorf("%s: %s should own it: %+v, %+v, of %v", name, c.want, found, row, named)
		}
	}
}

// TestWithdrawalsThatDie: at whichever call a process dies, the next one completes what it began.
func TestWithdrawalsThatDie(t *testing.T) {
	for at := 1; ; at++ {
		w := newWorld()
		made := w.found(t, func(wish *group.Wish) { open := group.Open; wish.Join = &open })
		_, err := w.healthy().Join(t.Context(), w.user(w.ann), made)
		storetest.OK(t, "Join", err)
		delete(w.active, w.owner)
		fuse := &storetest.Fuse{At: at, TookEffect: at%2 == 0, Dies: true}
		_, _ = w.process(fuse).Withdraw(t.Context(), w.app, made, w.owner)
		if !fuse.Blown() {
			return
		}
		_, err = w.healthy().Withdraw(t.Context(), w.app, made, w.owner)
		storetest.OK(t, "Withdraw", err)
		if found, row := w.standing(t, made, w.owner); found.Owner != w.ann || row.State != message.Left {
			t.Errorf("after a death at %d: %+v, %+v", at, found, row)
		}
		w.consistent(t, made)
	}
}
