package group_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

func of[T any](value T) *T { return &value }

func TestCreate(t *testing.T) {
	w := newWorld()
	stranger := id.Source{}.User()
	wish := group.Creation{Wish: group.Wish{Name: of("Hiking"), Custom: map[string]json.RawMessage{"k": json.RawMessage(`{"a": "<b>"}`)}},
		Members: []id.User{w.ann, w.bob, stranger, w.owner, w.ann, "nobody"}, IdempotencyKey: "first"}
	view, results, err := w.healthy().Create(t.Context(), w.user(w.owner), wish)
	storetest.OK(t, "Create", err)
	if view.Name != "Hiking" || view.Join != group.InviteOnly || view.Speak != group.Everyone || view.Invite != group.Everyone ||
		view.Owner != w.owner || view.Members != 1 || view.Version != 2 || string(view.Custom["k"]) != `{"a":"<b>"}` ||
		view.Membership == nil || view.Membership.Role != "owner" || view.Membership.Since != 1 {
		t.Errorf("created %+v, %+v", view, view.Membership)
	}
	want := []group.MemberResult{{w.ann, group.ResultInvited}, {w.bob, group.ResultInvited}, {stranger, group.ResultUserNotFound},
		{w.owner, group.ResultAlreadyMember}, {"nobody", group.ResultUserNotFound}}
	wantResults(t, results, want)
	_, err = w.healthy().Join(t.Context(), w.user(w.ann), view.GroupID)
	storetest.OK(t, "Join", err)
	_, err = w.healthy().Decline(t.Context(), w.user(w.bob), view.GroupID)
	storetest.OK(t, "Decline", err)
	w.consistent(t, view.GroupID)
}

func wantResults(t *testing.T, got, want []group.MemberResult) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("results %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("result %+v, want %+v", got[i], want[i])
		}
	}
}

// A repeated creation finds the group, and leaves those alone who have answered meanwhile.
func TestCreateAgain(t *testing.T) {
	w := newWorld()
	for _, caller := range []authz.Caller{w.user(w.owner), w.key(w.owner)} {
		wish := group.Creation{Wish: group.Wish{Name: of("Hiking")}, Members: []id.User{w.ann, w.bob, w.owner}, IdempotencyKey: "first"}
		first, results, err := w.healthy().Create(t.Context(), caller, wish)
		storetest.OK(t, "Create", err)
		if _, err = w.healthy().Remove(t.Context(), caller, first.GroupID, w.bob); err != nil {
			_, err = w.healthy().Remove(t.Context(), w.key(""), first.GroupID, w.bob)
		}
		storetest.OK(t, "Remove", err)
		second, repeated, err := w.healthy().Create(t.Context(), caller, wish)
		storetest.OK(t, "Create again", err)
		if second.GroupID != first.GroupID || w.row(first.GroupID, w.bob).State != message.Left {
			t.Errorf("again %+v, bob is %+v", second, w.row(first.GroupID, w.bob))
		}
		wantResults(t, repeated, results)
		wish.Name = of("Climbing")
		_, _, err = w.healthy().Create(t.Context(), caller, wish)
		refused(t, "another group under the key", err, fault.IdempotencyConflict)
		w.consistent(t, first.GroupID)
	}
}

func TestProfilesAreChecked(t *testing.T) {
	w := newWorld()
	long := strings.Repeat("é", 600)
	for name, test := range map[string]struct {
		wish group.Wish
		code fault.Code
	}{
		"blank name":       {group.Wish{Name: of("  ")}, fault.FieldInvalid},
		"no name":          {group.Wish{}, fault.FieldInvalid},
		"line in the name": {group.Wish{Name: of("a\nb")}, fault.FieldInvalid},
		"long name":        {group.Wish{Name: of(long[:200])}, fault.FieldTooLong},
		"long description": {group.Wish{Name: of("a"), Description: &long}, fault.FieldTooLong},
		"script as avatar": {group.Wish{Name: of("a"), Avatar: of("JavaScript:alert(1)")}, fault.FieldInvalid},
		"data as avatar":   {group.Wish{Name: of("a"), Avatar: of(" data:text/html,x")}, fault.FieldInvalid},
		"long avatar":      {group.Wish{Name: of("a"), Avatar: &long}, fault.FieldTooLong},
		"long custom":      {group.Wish{Name: of("a"), Custom: map[string]json.RawMessage{"k": json.RawMessage(`"` + long + long + `"`)}}, fault.FieldTooLong},
		"no JSON":          {group.Wish{Name: of("a"), Custom: map[string]json.RawMessage{"k": json.RawMessage(`{`)}}, fault.FieldInvalid},
	} {
		_, _, err := w.healthy().Create(t.Context(), w.user(w.owner), group.Creation{Wish: test.wish})
		refused(t, name, err, test.code)
	}
}

func TestChange(t *testing.T) {
	w := newWorld()
	g := w.found(t, nil)
	w.add(t, g, w.ann, w.bob)
	w.admin(t, g, w.ann)
	seen := w.group(g)
	view, err := w.healthy().Change(t.Context(), w.user(w.ann), g, group.Wish{Name: of("Climbing"), Speak: of(group.Admins), Version: &seen.Version})
	storetest.OK(t, "Change", err)
	if view.Name != "Climbing" || view.Version != seen.Version+1 || view.Members != 3 || w.group(g).Speak != group.Admins {
		t.Errorf("changed %+v", view)
	}
	changes := w.changes(t, g)
	if last := changes[len(changes)-1]; last.Kind != message.GroupUpdated || string(last.Group) != `{"name":"Climbing","speak":"admins"}` {
		t.Errorf("told %+v: %s", last, last.Group)
	}
	_, err = w.healthy().Change(t.Context(), w.user(w.owner), g, group.Wish{Name: of("Running"), Version: &seen.Version})
	refused(t, "a change of another version", err, fault.GroupChanged)
	same, err := w.healthy().Change(t.Context(), w.key(""), g, group.Wish{Name: of("Climbing")})
	if err != nil || same.Version != view.Version || len(w.changes(t, g)) != len(changes) {
		t.Errorf("a change to the same: %+v, %v", same, err)
	}
	_, err = w.healthy().Change(t.Context(), w.user(w.bob), g, group.Wish{Name: of("Running")})
	refused(t, "a member's change", err, fault.PermissionDenied)
	_, err = w.healthy().Change(t.Context(), w.user(w.eve), g, group.Wish{Name: of("Running")})
	refused(t, "a stranger's change", err, fault.GroupNotFound)
	_, err = w.healthy().Change(t.Context(), w.denied(w.owner, authz.GroupsManage), g, group.Wish{Name: of("Running")})
	refused(t, "the change of an owner to whom it is denied", err, fault.PermissionDenied)
	_, err = w.healthy().Change(t.Context(), w.moderator(w.eve), g, group.Wish{MutedAll: of(true)})
	storetest.OK(t, "a moderator's change", err)
	w.consistent(t, g)
}

func TestDismiss(t *testing.T) {
	w := newWorld()
	g := w.found(t, joins(group.Open))
	w.add(t, g, w.ann)
	w.admin(t, g, w.ann)
	_, err := w.healthy().Dismiss(t.Context(), w.user(w.ann), g)
	refused(t, "an admin", err, fault.PermissionDenied)
	for range 2 {
		view, err := w.healthy().Dismiss(t.Context(), w.user(w.owner), g)
		if err != nil || view.DismissedAt == nil || view.Version != 4 {
			t.Fatalf("Dismiss = %+v, %v", view, err)
		}
	}
	view, err := w.healthy().Get(t.Context(), w.user(w.ann), g)
	if err != nil || view.DismissedAt == nil {
		t.Errorf("a member sees %+v, %v", view, err)
	}
	service := w.healthy()
	for doing, err := range map[string]error{
		"Change":   errOf(service.Change(t.Context(), w.user(w.owner), g, group.Wish{Name: of("a")})),
		"Join":     errOf(service.Join(t.Context(), w.user(w.eve), g)),
		"Remove":   errOf(service.Remove(t.Context(), w.user(w.owner), g, w.ann)),
		"Transfer": errOf(service.Transfer(t.Context(), w.user(w.owner), g, w.ann)),
		"Invite":   errOf(service.Invite(t.Context(), w.user(w.owner), g, []id.User{w.eve}, false)),
	} {
		refused(t, doing, err, fault.GroupDismissed)
	}
	w.consistent(t, g)
}

// TestDismissedGroupsAreLeft: nobody is kept in one, nor invited to it, and its owner can go too.
func TestDismissedGroupsAreLeft(t *testing.T) {
	w := newWorld()
	g := w.found(t, nil)
	w.add(t, g, w.ann)
	service := w.healthy()
	_, err := service.Invite(t.Context(), w.user(w.owner), g, []id.User{w.bob}, false)
	storetest.OK(t, "Invite", err)
	storetest.OK(t, "Dismiss", errOf(service.Dismiss(t.Context(), w.user(w.owner), g)))
	for range 2 {
		storetest.OK(t, "Decline", errOf(service.Decline(t.Context(), w.user(w.bob), g)))
		storetest.OK(t, "Leave", errOf(service.Leave(t.Context(), w.user(w.owner), g)))
	}
	_, err = service.Get(t.Context(), w.user(w.owner), g)
	refused(t, "the owner who left", err, fault.GroupNotFound)
	refused(t, "joining again", errOf(service.Join(t.Context(), w.user(w.bob), g)), fault.JoinRefused)
	view, err := service.Get(t.Context(), w.user(w.ann), g)
	if err != nil || view.Members != 1 || view.DismissedAt == nil || w.row(g, w.owner).State != message.Left {
		t.Errorf("ann sees %+v, %v", view, err)
	}
	storetest.OK(t, "the last leaves", errOf(service.Leave(t.Context(), w.user(w.ann), g)))
	kinds := []message.ChangeKind{}
	for _, change := range w.changes(t, g) {
		kinds = append(kinds, change.Kind)
	}
	want := []message.ChangeKind{message.GroupCreated, message.UsersJoined, message.UsersInvited, message.GroupDismissed,
		message.UserDeclined, message.UserLeft, message.UserLeft}
	if !slices.Equal(kinds, want) {
		t.Errorf("told %v, want %v", kinds, want)
	}
	w.consistent(t, g)
}

func errOf[T any](_ T, err error) error { return err }

func TestWhoSeesAGroup(t *testing.T) {
	w := newWorld()
	hidden, asking, open := w.found(t, nil), w.found(t, joins(group.Approval)), w.found(t, joins(group.Open))
	see := func(caller authz.Caller, g id.Group) error { return errOf(w.healthy().Get(t.Context(), caller, g)) }
	refused(t, "a stranger", see(w.user(w.ann), hidden), fault.GroupNotFound)
	for _, each := range []struct {
		caller authz.Caller
		group  id.Group
	}{{w.user(w.ann), asking}, {w.user(w.ann), open}, {w.user(w.owner), hidden}, {w.key(""), hidden}, {w.moderator(w.ann), hidden}} {
		storetest.OK(t, "Get", see(each.caller, each.group))
	}
	refused(t, "a denied member", see(w.denied(w.owner, authz.GroupsRead), hidden), fault.PermissionDenied)
	other := w.key("")
	other.App = id.Source{}.App()
	refused(t, "another app", see(other, open), fault.GroupNotFound)
	refused(t, "no ID", see(w.key(""), "group"), fault.GroupNotFound)
	_, err := w.healthy().Invite(t.Context(), w.user(w.owner), hidden, []id.User{w.ann}, false)
	storetest.OK(t, "Invite", err)
	storetest.OK(t, "the invited", see(w.user(w.ann), hidden))
	_, _, err = w.healthy().Members(t.Context(), w.user(w.ann), hidden, group.Filter{}, "", 10)
	refused(t, "the invited list members", err, fault.NotAMember)
	_, _, err = w.healthy().Members(t.Context(), w.user(w.eve), open, group.Filter{}, "", 10)
	refused(t, "strangers list members", err, fault.NotAMember)
	_, _, err = w.healthy().Members(t.Context(), w.user(w.eve), hidden, group.Filter{}, "", 10)
	refused(t, "strangers list hidden members", err, fault.GroupNotFound)
	for _, caller := range []authz.Caller{w.user(w.owner), w.key(""), w.moderator(w.eve)} {
		list, next, err := w.healthy().Members(t.Context(), caller, hidden, group.Filter{}, "", 10)
		if err != nil || next != "" || len(list) != 1 || list[0].UserID != w.owner || list[0].Role != "owner" {
			t.Errorf("Members = %+v, %v", list, err)
		}
		list, _, err = w.healthy().Members(t.Context(), caller, hidden, group.Filter{Since: 1}, "", 10)
		if err != nil || len(list) != 1 || list[0].State != message.Invited || list[0].By != w.owner {
			t.Errorf("Members since 1 = %+v, %v", list, err)
		}
	}
	mine, _, err := w.healthy().Of(t.Context(), w.user(w.ann), message.Invited, "", 10)
	if err != nil || len(mine) != 1 || mine[0].Group.GroupID != hidden || mine[0].Group.Name != "Hiking" {
		t.Errorf("Of = %+v, %v", mine, err)
	}
	owned, _, err := w.healthy().Of(t.Context(), w.user(w.owner), message.Joined, "", 10)
	if err != nil || len(owned) != 3 {
		t.Errorf("Of = %+v, %v", owned, err)
	}
}

// Who made a group and is not in it any more learns nothing new of it by making it again.
func TestACreationRepeatedFromOutside(t *testing.T) {
	w := newWorld()
	ctx := t.Context()
	wish := group.Creation{Wish: group.Wish{Name: of("Hiking")}, Members: []id.User{w.ann}, IdempotencyKey: "first"}
	made, _, err := w.healthy().Create(ctx, w.user(w.owner), wish)
	storetest.OK(t, "Create", err)
	for _, change := range []func() error{
		func() error { return errOf(w.healthy().Join(ctx, w.user(w.ann), made.GroupID)) },
		func() error { return errOf(w.healthy().Transfer(ctx, w.user(w.owner), made.GroupID, w.ann)) },
		func() error { return errOf(w.healthy().Remove(ctx, w.user(w.ann), made.GroupID, w.owner)) },
		func() error {
			return errOf(w.healthy().Change(ctx, w.user(w.ann), made.GroupID, group.Wish{Name: of("a secret")}))
		},
	} {
		storetest.OK(t, "change", change())
	}
	again, results, err := w.healthy().Create(ctx, w.user(w.owner), wish)
	storetest.OK(t, "repeated", err)
	if again.GroupID != made.GroupID || again.Name != "Hiking" || again.Version != 1 || !again.CreatedAt.Equal(made.CreatedAt) || len(results) != 0 {
		t.Errorf("who made the group is shown %+v, %+v", again, results)
	}
}

// TestADenialInTheGroupHoldsForAdding: adding needs the permission in the whole app, and that it is not denied in the group.
func TestADenialInTheGroupHoldsForAdding(t *testing.T) {
	w := newWorld()
	denied, other := w.found(t, nil), w.found(t, nil)
	keeper, stranger := w.register(), w.register()
	caller := w.moderator(keeper)
	caller.UserRights.Statements = append(caller.UserRights.Statements,
		authz.Statement{Grant: "gr_1", Deny: true, Set: authz.SetOf(authz.GroupsManage, authz.GroupsRead), Group: denied})
	w.add(t, denied, keeper)
	w.add(t, other, keeper)
	_, err := w.healthy().Invite(t.Context(), caller, denied, []id.User{stranger}, true)
	if !fault.Is(err, fault.PermissionDenied) {
		t.Errorf("added where it is denied: %v", err)
	}
	_, err = w.healthy().Invite(t.Context(), caller, other, []id.User{stranger}, true)
	storetest.OK(t, "Invite", err)
	listed, _, err := w.healthy().Of(t.Context(), caller, message.Joined, "", 10)
	if err != nil || len(listed) != 1 || listed[0].Group.GroupID != other {
		t.Errorf("listed %+v, %v; want %s alone", listed, err, other)
	}
}
