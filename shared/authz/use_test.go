package authz_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// What a key uses is noted once a day, what a user uses where it was granted, and what a developer uses not at all.
func TestUnnoted(t *testing.T) {
	today := authz.Day(storetest.Noon())
	list, send := authz.UsersList, authz.MessagesSend
	both := authz.SetOf(list, send)
	noted := func(rights authz.Rights, day int64) authz.Rights {
		rights.Used = map[authz.Permission]int64{list: day}
		return rights
	}
	byKey, byUser := authz.Use{Key: "key_1", Permission: list, Day: today}, authz.Use{User: "u_1", Permission: list, Day: today}
	sendByKey, sendByUser := byKey, byUser
	sendByKey.Permission, sendByUser.Permission = send, send
	noDefaults := called(key(both), false, nil)
	noDefaults.User, noDefaults.UserRights, noDefaults.Policy = "u_1", user(allow(both)), &authz.Policy{Version: 1}
	member, granted, notedUser := user(), user(allow(both)), noted(user(allow(both)), today)
	for name, test := range map[string]struct {
		caller     authz.Caller
		permission authz.Permission
		want       []authz.Use
	}{
		"a key":                            {called(key(both), false, nil), list, []authz.Use{byKey}},
		"a key, noted yesterday":           {called(noted(key(both), today-1), false, nil), list, []authz.Use{byKey}},
		"a key, noted today":               {called(noted(key(both), today), false, nil), list, nil},
		"a key, noted by a faster clock":   {called(noted(key(both), today+1), false, nil), list, nil},
		"a key, another noted today":       {called(noted(key(both), today), false, nil), send, []authz.Use{sendByKey}},
		"a user by default":                {called(key(both), true, &member), send, nil},
		"a user who was granted it":        {called(key(both), true, &granted), list, []authz.Use{byUser, byKey}},
		"a user noted today, its key not":  {called(key(both), true, &notedUser), list, []authz.Use{byKey}},
		"a key for a user, by default":     {called(key(both), false, &granted), send, []authz.Use{sendByKey}},
		"a key for a user, granted":        {noDefaults, send, []authz.Use{sendByKey, sendByUser}},
		"a key for a user, what is beyond": {called(key(both), false, &granted), list, []authz.Use{byKey}},
		"a developer":                      {developer(authz.Owner), list, nil},
	} {
		if got := test.caller.Unnoted(authz.Asked{Permission: test.permission}); !slices.Equal(got, test.want) {
			t.Errorf("%s: %+v; want %+v", name, got, test.want)
		}
	}
}

// What a user has in one group only is noted where it is used there.
func TestUseInAGroupIsNoted(t *testing.T) {
	group, set := id.Group("g_0000000000000000000001"), authz.SetOf(authz.MessagesModerate)
	granted := authz.Rights{Kind: authz.Users, Statements: []authz.Statement{{Grant: "gr_1", Set: set, Group: group}}}
	caller := called(key(set), true, &granted)
	for asked, want := range map[authz.Asked]int{authz.AskAt(authz.MessagesModerate, "u_1", string(group)): 2, authz.AskAt(authz.MessagesModerate, "c_1"): 1} {
		if got := caller.Unnoted(asked); len(got) != want {
			t.Errorf("%+v: %+v; want %d", asked, got, want)
		}
	}
}

// What is denied to a user is denied to whoever acts for it, also what reaches beyond the user's own data.
func TestADenialHoldsForWhoActsForTheUser(t *testing.T) {
	group, set := id.Group("g_0000000000000000000001"), authz.SetOf(authz.GroupsMentionAll)
	refused := authz.Rights{Kind: authz.Users, Statements: []authz.Statement{{Grant: "gr_1", Deny: true, Set: set, Group: group}}}
	caller := called(key(set), false, &refused)
	var refusal *fault.Error
	if err := caller.RequireIn(authz.GroupsMentionAll, group); !errors.As(err, &refusal) || refusal.Denial == nil || refusal.Denial.DeniedBy != "gr_1" {
		t.Errorf("in the group: %v", err)
	}
	storetest.OK(t, "RequireIn", caller.RequireIn(authz.GroupsMentionAll, "g_0000000000000000000002"))
}

func TestDaysTurnAtMidnight(t *testing.T) {
	midnight := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	if day := authz.Day(midnight); day != 20455 || authz.Day(midnight.Add(-1)) != day-1 || authz.Day(midnight.Add(24*time.Hour-1)) != day ||
		authz.Day(midnight.In(time.FixedZone("elsewhere", -5*60*60))) != day {
		t.Errorf("day %d", day)
	}
}
