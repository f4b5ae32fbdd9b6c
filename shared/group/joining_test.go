package group_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func TestJoin(t *testing.T) {
	w := newWorld()
	hidden, asking, open := w.found(t, nil), w.found(t, joins(group.Approval)), w.found(t, joins(group.Open))
	for _, caller := range []authz.Caller{w.user(w.ann), w.key(w.bob)} {
		for range 2 { // the second time it is done already
			view, err := w.healthy().Join(t.Context(), caller, open)
			if err != nil || view.State != message.Joined || view.Role != "member" || view.UserID != caller.User {
				t.Errorf("open: %+v, %v", view, err)
			}
			view, err = w.healthy().Join(t.Context(), caller, asking)
			if err != nil || view.State != message.Asked {
				t.Errorf("approval: %+v, %v", view, err)
			}
		}
		_, err := w.healthy().Join(t.Context(), caller, hidden)
		refused(t, "invite only", err, fault.JoinRefused)
	}
	_, err := w.healthy().Join(t.Context(), w.denied(w.eve, authz.GroupsJoin), open)
	refused(t, "who may not", err, fault.PermissionDenied)
	results, err := w.healthy().Invite(t.Context(), w.user(w.owner), asking, []id.User{w.ann, w.eve}, false)
	storetest.OK(t, "Invite", err)
	wantResults(t, results, []group.MemberResult{{UserID: w.ann, Result: group.ResultAdded}, {UserID: w.eve, Result: group.ResultInvited}})
	view, err := w.healthy().Join(t.Context(), w.user(w.eve), asking)
	if err != nil || view.State != message.Joined {
		t.Errorf("accepted: %+v, %v", view, err)
	}
	if log := w.changes(t, open); len(log) != 3 {
		t.Errorf("%d entries: %+v", len(log), log)
	}
	for _, each := range []id.Group{hidden, asking, open} {
		w.consistent(t, each)
	}
}

func TestDeclineAndLeave(t *testing.T) {
	w := newWorld()
	asking, hidden := w.found(t, joins(group.Approval)), w.found(t, nil)
	_, err := w.healthy().Join(t.Context(), w.user(w.ann), asking)
	storetest.OK(t, "Join", err)
	_, err = w.healthy().Invite(t.Context(), w.user(w.owner), asking, []id.User{w.bob}, false)
	storetest.OK(t, "Invite", err)
	for range 2 {
		for _, user := range []id.User{w.ann, w.bob} {
			view, err := w.healthy().Decline(t.Context(), w.user(user), asking)
			if err != nil || view.State != message.Left {
				t.Errorf("Decline = %+v, %v", view, err)
			}
		}
	}
	_, err = w.healthy().Decline(t.Context(), w.user(w.ann), hidden)
	refused(t, "a stranger declines", err, fault.GroupNotFound)
	_, err = w.healthy().Leave(t.Context(), w.user(w.ann), hidden)
	refused(t, "a stranger leaves", err, fault.GroupNotFound)
	w.add(t, asking, w.ann)
	w.admin(t, asking, w.ann)
	for range 2 {
		view, err := w.healthy().Leave(t.Context(), w.user(w.ann), asking)
		if err != nil || view.State != message.Left || view.Role != "" || view.Since != 0 {
			t.Errorf("Leave = %+v, %v", view, err)
		}
	}
	_, err = w.healthy().Leave(t.Context(), w.user(w.owner), asking)
	refused(t, "the owner leaves", err, fault.OwnerStays)
	w.consistent(t, asking)
}

func TestWhoInvites(t *testing.T) {
	w := newWorld()
	g := w.found(t, nil)
	w.add(t, g, w.ann)
	invite := func(caller authz.Caller, add bool, users ...id.User) error {
		return errOf(w.healthy().Invite(t.Context(), caller, g, users, add))
	}
	storetest.OK(t, "a member invites", invite(w.user(w.ann), false, w.bob))
	refused(t, "one to whom it is denied", invite(w.denied(w.ann, authz.GroupsInvite), false, w.eve), fault.PermissionDenied)
	refused(t, "the invited", invite(w.user(w.bob), false, w.eve), fault.PermissionDenied)
	refused(t, "strangers", invite(w.user(w.eve), false, w.eve), fault.GroupNotFound)
	refused(t, "a member adds", invite(w.user(w.ann), true, w.eve), fault.PermissionDenied)
	refused(t, "the owner adds", invite(w.user(w.owner), true, w.eve), fault.PermissionDenied)
	_, err := w.healthy().Change(t.Context(), w.user(w.owner), g, group.Wish{Invite: of(group.Admins)})
	storetest.OK(t, "Change", err)
	refused(t, "a member where admins invite", invite(w.user(w.ann), false, w.eve), fault.PermissionDenied)
	w.admin(t, g, w.ann)
	storetest.OK(t, "an admin", invite(w.user(w.ann), false, w.eve))
	storetest.OK(t, "a moderator adds", invite(w.moderator(w.register()), true, w.eve))
	if w.row(g, w.eve).State != message.Joined {
		t.Errorf("eve is %+v", w.row(g, w.eve))
	}
	w.consistent(t, g)
}

// More users at once than a small group has; and the same once more.
func TestInviteMany(t *testing.T) {
	w := newWorld()
	g := w.found(t, nil)
	var crowd []id.User
	for range 150 {
		crowd = append(crowd, w.register())
	}
	for _, first := range []bool{true, false} {
		results, err := w.healthy().Invite(t.Context(), w.key(""), g, crowd, true)
		storetest.OK(t, "Invite", err)
		for i, each := range results {
			want := group.ResultAlreadyMember
			if first {
				want = group.ResultAdded
			}
			if each != (group.MemberResult{UserID: crowd[i], Result: want}) {
				t.Fatalf("result %d is %+v", i, each)
			}
		}
	}
	if now := w.group(g); now.Members != 151 || now.Reach != message.Fanned {
		t.Errorf("the group is %+v", now)
	}
	w.consistent(t, g)
}

func TestRemove(t *testing.T) {
	w := newWorld()
	g := w.found(t, joins(group.Approval))
	w.add(t, g, w.ann, w.bob)
	w.admin(t, g, w.ann)
	remove := func(caller authz.Caller, user id.User) error {
		return errOf(w.healthy().Remove(t.Context(), caller, g, user))
	}
	refused(t, "a member removes", remove(w.user(w.bob), w.ann), fault.PermissionDenied)
	refused(t, "an admin removes the owner", remove(w.user(w.ann), w.owner), fault.OwnerProtected)
	refused(t, "an application removes the owner", remove(w.key(""), w.owner), fault.OwnerProtected)
	refused(t, "a moderator removes an admin", remove(w.moderator(w.eve), w.ann), fault.OwnerProtected)
	refused(t, "somebody unknown", remove(w.user(w.owner), w.eve), fault.GroupMemberNotFound)
	refused(t, "no user", remove(w.user(w.owner), "eve"), fault.GroupMemberNotFound)
	for range 2 {
		storetest.OK(t, "an admin removes a member", remove(w.user(w.ann), w.bob))
	}
	w.add(t, g, w.bob)
	w.admin(t, g, w.bob)
	refused(t, "an admin removes an admin", remove(w.user(w.ann), w.bob), fault.OwnerProtected)
	storetest.OK(t, "the owner removes an admin", remove(w.user(w.owner), w.bob))
	_, err := w.healthy().Join(t.Context(), w.user(w.eve), g)
	storetest.OK(t, "Join", err)
	storetest.OK(t, "an admin refuses who asks", remove(w.user(w.ann), w.eve))
	if w.row(g, w.eve).State != message.Left {
		t.Errorf("eve is %+v", w.row(g, w.eve))
	}
	w.consistent(t, g)
}

func TestRolesAndMutes(t *testing.T) {
	w := newWorld()
	g := w.found(t, nil)
	w.add(t, g, w.ann, w.bob)
	service := w.healthy()
	_, err := service.SetRole(t.Context(), w.user(w.ann), g, w.bob, authz.GroupAdmin)
	refused(t, "a member makes an admin", err, fault.PermissionDenied)
	for range 2 {
		view, err := service.SetRole(t.Context(), w.user(w.owner), g, w.ann, authz.GroupAdmin)
		if err != nil || view.Role != "admin" {
			t.Errorf("SetRole = %+v, %v", view, err)
		}
	}
	_, err = service.SetRole(t.Context(), w.user(w.ann), g, w.bob, authz.GroupAdmin)
	refused(t, "an admin makes an admin", err, fault.PermissionDenied)
	_, err = service.SetRole(t.Context(), w.user(w.owner), g, w.owner, authz.GroupMember)
	refused(t, "the owner steps down", err, fault.OwnerProtected)
	_, err = service.SetRole(t.Context(), w.user(w.owner), g, w.eve, authz.GroupAdmin)
	refused(t, "a stranger's role", err, fault.GroupMemberNotFound)
	until := time.Now().Add(time.Hour)
	for range 2 {
		view, err := service.Mute(t.Context(), w.user(w.ann), g, w.bob, until)
		if err != nil || view.MutedUntil == nil || !view.MutedUntil.Equal(until.Truncate(time.Second)) {
			t.Errorf("Mute = %+v, %v", view, err)
		}
	}
	view, err := service.Mute(t.Context(), w.user(w.ann), g, w.bob, time.Time{})
	if err != nil || view.MutedUntil != nil {
		t.Errorf("Mute = %+v, %v", view, err)
	}
	_, err = service.Mute(t.Context(), w.user(w.ann), g, w.bob, time.Now().Add(-time.Hour))
	refused(t, "a mute that is over", err, fault.FieldInvalid)
	_, err = service.Mute(t.Context(), w.user(w.ann), g, w.owner, until)
	refused(t, "an admin mutes the owner", err, fault.OwnerProtected)
	_, err = service.Mute(t.Context(), w.user(w.bob), g, w.ann, until)
	refused(t, "a member mutes", err, fault.PermissionDenied)
	_, err = service.Mute(t.Context(), w.user(w.owner), g, w.ann, until)
	storetest.OK(t, "the owner mutes an admin", err)
	var kinds []message.ChangeKind
	for _, change := range w.changes(t, g) {
		kinds = append(kinds, change.Kind)
	}
	if want := "[created joined role muted muted muted]"; fmt.Sprint(kinds) != want {
		t.Errorf("told %v, want %s", kinds, want)
	}
	w.consistent(t, g)
}

func TestTransfer(t *testing.T) {
	w := newWorld()
	g := w.found(t, nil)
	w.add(t, g, w.ann, w.bob)
	_, err := w.healthy().Mute(t.Context(), w.user(w.owner), g, w.ann, time.Now().Add(time.Hour))
	storetest.OK(t, "Mute", err)
	hand := func(caller authz.Caller, to id.User) error {
		return errOf(w.healthy().Transfer(t.Context(), caller, g, to))
	}
	refused(t, "a member", hand(w.user(w.bob), w.bob), fault.PermissionDenied)
	refused(t, "to a stranger", hand(w.user(w.owner), w.eve), fault.GroupMemberNotFound)
	refused(t, "to nobody", hand(w.user(w.owner), "eve"), fault.GroupMemberNotFound)
	refused(t, "a stranger", hand(w.user(w.eve), w.owner), fault.GroupNotFound)
	w.active[w.ann] = false
	for _, owner := range []authz.Caller{w.user(w.owner), w.key("")} {
		refused(t, "to a deactivated user", hand(owner, w.ann), fault.UserDeactivated)
	}
	refused(t, "a member, to a deactivated user", hand(w.user(w.bob), w.ann), fault.PermissionDenied)
	delete(w.active, w.ann)
	refused(t, "to a deleted user", hand(w.user(w.owner), w.ann), fault.GroupMemberNotFound)
	w.active[w.ann] = true
	for range 2 {
		storetest.OK(t, "Transfer", hand(w.user(w.owner), w.ann))
		w.active[w.ann] = false // what is done stays done
	}
	if now := w.row(g, w.ann); now.Role != authz.GroupOwner || !now.MutedUntil.IsZero() || w.row(g, w.owner).Role != authz.GroupAdmin {
		t.Errorf("ann is %+v, the owner that was %+v", now, w.row(g, w.owner))
	}
	refused(t, "the owner that was", hand(w.user(w.owner), w.bob), fault.PermissionDenied)
	storetest.OK(t, "an application", hand(w.key(""), w.bob))
	storetest.OK(t, "the owner that was leaves", errOf(w.healthy().Leave(t.Context(), w.user(w.owner), g)))
	w.consistent(t, g)
}

// Who is muted cannot speak again by leaving and coming back.
func TestAMuteOutlastsTheMembership(t *testing.T) {
	w := newWorld()
	g := w.found(t, joins(group.Open))
	w.add(t, g, w.ann)
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for _, change := range []func() error{
		func() error { return errOf(w.healthy().Mute(t.Context(), w.user(w.owner), g, w.ann, until)) },
		func() error { return errOf(w.healthy().Leave(t.Context(), w.user(w.ann), g)) },
		func() error {
			return errOf(w.healthy().Invite(t.Context(), w.user(w.owner), g, []id.User{w.ann}, false))
		},
		func() error { return errOf(w.healthy().Join(t.Context(), w.user(w.ann), g)) },
	} {
		storetest.OK(t, "change", change())
	}
	roster, err := w.store.Roster(t.Context(), w.app, g)
	storetest.OK(t, "Roster", err)
	if muted := roster.Members[w.ann].MutedUntil; !muted.Equal(until) {
		t.Errorf("muted until %v, want %v", muted, until)
	}
	w.consistent(t, g)
}
