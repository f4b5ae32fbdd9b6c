package authz_test

import (
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

var tenant = id.Source{}.App()

// everything is every bit, also those that no permission has.
const everything = authz.Set(1<<64 - 1)

func key(scopes authz.Set, statements ...authz.Statement) authz.Rights {
	return authz.Rights{Kind: authz.Keys, Base: scopes, Statements: statements}
}

func user(statements ...authz.Statement) authz.Rights {
	return authz.Rights{Kind: authz.Users, Statements: statements}
}

func developer(role authz.Role) authz.Caller {
	base, _ := authz.ParseSet(authz.RoleScopes(role))
	return authz.Caller{App: tenant, Developer: "dev_1", Account: "acct_1", Role: role, At: storetest.Noon(),
		Rights: authz.Rights{Kind: authz.Developers, Base: base}}
}

// called is a caller with the key and, where it is not nil, the user.
func called(application authz.Rights, endUser bool, of *authz.Rights) authz.Caller {
	caller := authz.Caller{App: tenant, Key: "key_1", Rights: application, At: storetest.Noon(), EndUser: endUser}
	if of != nil {
		caller.User, caller.UserRights = "u_1", *of
	}
	return caller
}

func allow(permissions authz.Set) authz.Statement {
	return authz.Statement{Grant: "gr_1", Set: permissions}
}
func deny(permissions authz.Set) authz.Statement {
	return authz.Statement{Grant: "gr_2", Set: permissions, Deny: true}
}

// Require walks every cell: default is deny, a key has its scopes and nothing else, a user what it was given and what all
// have, and nobody what its kind can not have.
func TestRequire(t *testing.T) {
	member, all, none, forbidden := user(), user(allow(everything)), authz.Rights{}, user(allow(everything), deny(everything))
	for _, r := range append(rows(t), row{permission: "no:such"}, row{permission: ""}, row{permission: authz.Public}) {
		it := authz.SetOf(r.permission)
		keys, users, own := r.can("k"), r.can("u"), r.can("u") && !r.beyond
		for name, test := range map[string]struct {
			caller authz.Caller
			want   bool
		}{
			"nobody":                             {authz.Caller{}, false},
			"a key without a kind":               {called(authz.Rights{Base: everything}, false, nil), false},
			"a key with it alone":                {called(key(it), false, nil), keys},
			"a key with all others":              {called(key(everything&^it), false, nil), false},
			"a key with all":                     {called(key(everything), false, nil), keys},
			"a key that was granted it":          {called(key(0, allow(it)), false, nil), keys},
			"a key that is denied it":            {called(key(everything, deny(it)), false, nil), false},
			"a user without rights, key all":     {called(key(everything), true, &none), false},
			"a user by default, key all":         {called(key(everything), true, &member), users && r.may("member")},
			"a user by default, key nothing":     {called(key(0), true, &member), own && r.may("member")},
			"a user granted all, key all":        {called(key(everything), true, &all), users},
			"a user granted all, key it alone":   {called(key(it), true, &all), users},
			"a user granted all, key all others": {called(key(everything&^it), true, &all), own},
			"a user granted all, key denied it":  {called(key(everything, deny(it)), true, &all), own},
			"a user denied all, key all":         {called(key(everything), true, &forbidden), false},
			"a key for a user granted all":       {called(key(everything), false, &all), keys},
			"a key for a user denied all":        {called(key(everything), false, &forbidden), keys && !users},
			"a key for a user by default":        {called(key(everything), false, &member), keys && (!own || r.may("member"))},
			"a key with nothing for a user":      {called(key(0), false, &all), false},
		} {
			err := test.caller.Require(r.permission)
			if (err == nil) != test.want || err != nil && !fault.Is(err, fault.PermissionDenied) {
				t.Errorf("%s, %q: %v; want %v", name, r.permission, err, test.want)
			}
		}
	}
}

// can tells whether the kind, by its letter, can have the permission.
func (r row) can(letter string) bool {
	for _, each := range r.kinds {
		if string(each) == letter {
			return true
		}
	}
	return false
}

// A developer has what the role may do: in the account at once, in an app once one is chosen.
func TestDevelopersChooseAnApp(t *testing.T) {
	for _, role := range []authz.Role{authz.Owner, authz.Admin, authz.Auditor, authz.Moderator, authz.Member, ""} {
		for _, r := range rows(t) {
			inAccount := role == authz.Owner || role == authz.Admin || role == authz.Auditor
			may, caller := inAccount && r.can("d") && r.may(role), developer(role)
			caller.User, caller.UserRights = "u_1", user(allow(everything)) // acting for a user changes nothing where the user may
			if err := caller.Require(r.permission); (err == nil) != may || err != nil && !fault.Is(err, fault.PermissionDenied) {
				t.Errorf("an %s in an app, %s: %v", role, r.permission, err)
			}
			caller.App = id.App{}
			want := fault.PermissionDenied
			if may {
				want = fault.AppNotChosen
			}
			if err := caller.Require(r.permission); may && r.kinds == "d.." {
				storetest.OK(t, string(role)+" without an app, "+string(r.permission), err)
			} else if !fault.Is(err, want) {
				t.Errorf("an %s without an app, %s: %v", role, r.permission, err)
			}
		}
	}
}

// What holds in one group holds only there; what holds in the app, in each; until the instant of its end.
func TestRequireIn(t *testing.T) {
	now, list := storetest.Noon(), authz.SetOf(authz.UsersList)
	inGroup := authz.Statement{Grant: "gr_3", Set: list, Group: "g_1"}
	notInGroup := authz.Statement{Grant: "gr_4", Set: list, Group: "g_1", Deny: true}
	ends := authz.Statement{Grant: "gr_5", Set: list, Until: now.Add(1)}
	ended := authz.Statement{Grant: "gr_6", Set: list, Until: now}
	for name, test := range map[string]struct {
		rights        authz.Rights
		app, one, two bool
	}{
		"of the app":              {key(list), true, true, true},
		"of one group":            {key(0, inGroup), false, true, false},
		"denied in one group":     {key(list, notInGroup), true, false, true},
		"allowed, denied there":   {key(0, inGroup, notInGroup), false, false, false},
		"denied in the app":       {key(0, inGroup, deny(list)), false, false, false},
		"ends a nanosecond later": {key(0, ends), true, true, true},
		"ended this instant":      {key(0, ended), false, false, false},
	} {
		caller := called(test.rights, false, nil)
		for group, want := range map[id.Group]bool{"": test.app, "g_1": test.one, "g_2": test.two} {
			if err := caller.RequireIn(authz.UsersList, group); (err == nil) != want {
				t.Errorf("%s, in %q: %v", name, group, err)
			}
		}
	}
}

// What a caller may hand on is what it has itself and keeps.
func TestWhatCallersMayHandOn(t *testing.T) {
	now := storetest.Noon()
	some := authz.SetOf(authz.GrantsManage, authz.UsersList, authz.MessagesSend)
	ends := allow(some)
	ends.Until = now.Add(time.Hour)
	granter := developer(authz.Owner) // of a role that there may be once
	granter.Rights.Base = authz.SetOf(authz.GrantsManage)
	users := authz.SetOf(authz.TicketsCreate, authz.SocketConnect) // what nobody else can have
	own := authz.Member.Set()                                      // what users have for their own data
	withGrants, withoutMessages := user(allow(some)), user(allow(some), deny(authz.Member.Set()))
	for name, test := range map[string]struct {
		caller authz.Caller
		want   authz.Set
	}{
		"nobody":                           {authz.Caller{}, 0},
		"a key":                            {called(key(some), false, nil), some | users},
		"a key, what ends":                 {called(key(authz.SetOf(authz.UsersRead), ends), false, nil), authz.SetOf(authz.UsersRead)},
		"a key, for a user who has more":   {called(key(some), false, &withGrants), some | users},
		"a user of a mighty key":           {called(key(everything), true, &withGrants), some | authz.Member.Set()},
		"a user of a weak key":             {called(key(authz.SetOf(authz.UsersList)), true, &withGrants), authz.SetOf(authz.UsersList) | authz.Member.Set()},
		"a user, denied what members have": {called(key(everything), true, &withoutMessages), some &^ authz.SetOf(authz.MessagesSend)},
		"an owner":                         {developer(authz.Owner), authz.Owner.Set()},
		"an admin":                         {developer(authz.Admin), authz.Owner.Set() &^ authz.SetOf(authz.AccountManage)},
		"a developer who may only grant":   {granter, authz.SetOf(authz.GrantsManage) | users},
		"an auditor":                       {developer(authz.Auditor), authz.Auditor.Set() & authz.HeldBy(authz.Developers)},
	} {
		if got := test.caller.Lasting("", authz.Users); got != test.want {
			t.Errorf("%s: %v; want %v", name, got.Names(), test.want.Names())
		}
		if test.caller.EndUser {
			test.want &^= own
		}
		for _, to := range []authz.Kind{authz.Keys, authz.Keys | authz.Users} {
			if got := test.caller.Lasting("", to); got != test.want {
				t.Errorf("%s, to keys: %v; want %v", name, got.Names(), test.want.Names())
			}
		}
	}
}

func TestRequireConfirmed(t *testing.T) {
	now := storetest.Noon()
	for age, want := range map[time.Duration]bool{0: true, 10 * time.Minute: true, 10*time.Minute + 1: false, 24 * time.Hour: false} {
		if err := (authz.Caller{ConfirmedAt: now.Add(-age)}).RequireConfirmed(now); (err == nil) != want {
			t.Errorf("confirmed %v ago: %v", age, err)
		}
	}
	if err := (authz.Caller{}).RequireConfirmed(now); !fault.Is(err, fault.StepUpRequired) {
		t.Errorf("never confirmed: %v", err)
	}
}

func TestCallersHaveAName(t *testing.T) {
	rights := user()
	for want, caller := range map[string]authz.Caller{"": {}, "key_1": called(key(0), false, &rights), "u_1": called(key(0), true, &rights),
		"dev_1": developer(authz.Owner)} {
		if got := caller.By(); got != want || caller.Known() != (want != "") {
			t.Errorf("%q is called %q, known: %v", want, got, caller.Known())
		}
	}
}

// Within gives a member what its role in the group gives it, there and nowhere else, and beats no denial. What comes of the
// group needs no mightier key.
func TestWithin(t *testing.T) {
	group, other := id.Source{}.Group(), id.Source{}.Group()
	member, denied := user(), user(deny(authz.SetOf(authz.GroupsManage)))
	for name, test := range map[string]struct {
		caller     authz.Caller
		role       authz.Role
		permission authz.Permission
		in         id.Group
		want       bool
	}{
		"the owner owns":                  {called(key(0), true, &member), authz.GroupOwner, authz.GroupsOwn, group, true},
		"the owner manages":               {called(key(0), true, &member), authz.GroupOwner, authz.GroupsManage, group, true},
		"an admin manages":                {called(key(0), true, &member), authz.GroupAdmin, authz.GroupsManage, group, true},
		"an admin does not own":           {called(key(everything), true, &member), authz.GroupAdmin, authz.GroupsOwn, group, false},
		"a member does not manage":        {called(key(everything), true, &member), authz.GroupMember, authz.GroupsManage, group, false},
		"the owner mentions all":          {called(key(0), true, &member), authz.GroupOwner, authz.GroupsMentionAll, group, true},
		"an admin mentions all":           {called(key(0), true, &member), authz.GroupAdmin, authz.GroupsMentionAll, group, true},
		"a member does not mention all":   {called(key(everything), true, &member), authz.GroupMember, authz.GroupsMentionAll, group, false},
		"nobody does not manage":          {called(key(everything), true, &member), "", authz.GroupsManage, group, false},
		"not in another group":            {called(key(everything), true, &member), authz.GroupOwner, authz.GroupsManage, other, false},
		"not in the whole app":            {called(key(everything), true, &member), authz.GroupOwner, authz.GroupsManage, "", false},
		"a denial beats the group's role": {called(key(everything), true, &denied), authz.GroupOwner, authz.GroupsManage, group, false},
		"an app's role is none here":      {called(key(0), true, &member), authz.Owner, authz.GroupsManage, group, false},
		"a key does it by itself":         {called(key(0), false, nil), authz.GroupOwner, authz.GroupsManage, group, false},
	} {
		err := test.caller.Within(group, test.role).RequireIn(test.permission, test.in)
		if (err == nil) != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A user with the right in the whole app does not get around its key by being in some group.
	mighty := user(allow(authz.SetOf(authz.GroupsManage)))
	caller := called(key(0), true, &mighty).Within(group, authz.GroupOwner)
	if caller.RequireIn(authz.GroupsManage, other) == nil || caller.Require(authz.GroupsManage) == nil {
		t.Error("the key that minted the token was not asked")
	}
}
