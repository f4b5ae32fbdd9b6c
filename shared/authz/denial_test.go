package authz_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// denialOf returns what the refusal says.
func denialOf(t *testing.T, caller authz.Caller, permission authz.Permission) fault.Denial {
	t.Helper()
	var refusal *fault.Error
	if err := caller.Require(permission); !errors.As(err, &refusal) || refusal.Denial == nil {
		t.Fatalf("%s: no denial but %v", permission, err)
	}
	return *refusal.Denial
}

// A refusal names what is missing, to whom, and what denies it.
func TestDenialsSayWhatIsMissing(t *testing.T) {
	list, send := authz.SetOf(authz.UsersList), authz.SetOf(authz.MessagesSend)
	member, moderator, muted := user(), user(allow(list)), user(deny(send))
	ended := deny(list)
	ended.Until = storetest.Noon()
	for name, test := range map[string]struct {
		caller        authz.Caller
		permission    authz.Permission
		subject, from string
	}{
		"a key":                              {called(key(0), false, nil), authz.UsersList, "key_1", ""},
		"a key that is denied it":            {called(key(list, deny(list)), false, nil), authz.UsersList, "key_1", "gr_2"},
		"a key that was denied it":           {called(key(0, ended), false, nil), authz.UsersList, "key_1", ""},
		"a developer":                        {developer(authz.Auditor), authz.KeysManage, "dev_1", ""},
		"a user":                             {called(key(list), true, &member), authz.UsersList, "u_1", ""},
		"a user who is denied it":            {called(key(everything), true, &muted), authz.MessagesSend, "u_1", "gr_2"},
		"a user whose key lacks it":          {called(key(0), true, &moderator), authz.UsersList, "key_1", ""},
		"a user whose key is denied it":      {called(key(list, deny(list)), true, &moderator), authz.UsersList, "key_1", "gr_2"},
		"a key for a user":                   {called(key(0), false, &member), authz.MessagesSend, "key_1", ""},
		"a key for a user who is denied it":  {called(key(everything), false, &muted), authz.MessagesSend, "u_1", "gr_2"},
		"a user, what no user can have":      {called(key(everything), true, &moderator), authz.KeysManage, "u_1", ""},
		"a key, what is no permission":       {called(key(everything), false, nil), "no:such", "key_1", ""},
		"a developer, what only users have":  {developer(authz.Owner), authz.TicketsCreate, "dev_1", ""},
		"a key, what only developers have":   {called(key(everything), false, nil), authz.AppsManage, "key_1", ""},
		"nobody at all, who has not even ID": {authz.Caller{}, authz.AppsRead, "", ""},
	} {
		got := denialOf(t, test.caller, test.permission)
		if got.Permission != string(test.permission) || got.Subject != test.subject || got.DeniedBy != test.from {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Whoever a refusal names can give what is missing, and where somebody can, somebody is named.
func TestWhoIsNamedCanGive(t *testing.T) {
	nobody := user(deny(everything))
	for _, r := range rows(t) {
		lacking := map[string]authz.Caller{"d": developer(""), "k": called(key(0), false, nil), "u": called(key(everything), true, &nobody)}
		for letter, caller := range lacking {
			granters := denialOf(t, caller, r.permission).GrantedBy
			if (len(granters) > 0) != r.can(letter) {
				t.Errorf("%s can be given to %q: %v, by %v", r.permission, letter, r.can(letter), granters)
			}
			for _, granter := range granters {
				if !canGive(granter, letter, r.permission) {
					t.Errorf("%s cannot give %s to %q", granter, r.permission, letter)
				}
			}
			for _, role := range authz.AccountRoles {
				if r.can(letter) && canGive(string(role), letter, r.permission) != slices.Contains(granters, string(role)) {
					t.Errorf("%s is given to %q by %v, and %s", r.permission, letter, granters, role)
				}
			}
			if slices.Contains(granters, "auditor") || letter != "d" && r.can(letter) && !slices.Contains(granters, "owner") {
				t.Errorf("%s is given to %q by %v", r.permission, letter, granters)
			}
		}
	}
}

// canGive tells whether the named can give the permission. To developers it comes with another role in the account, which
// has to have it; else it takes grants:manage and the permission itself, for good.
func canGive(granter, letter string, permission authz.Permission) bool {
	var callers []authz.Caller
	to := map[string]authz.Kind{"k": authz.Keys, "u": authz.Users}[letter]
	if role := authz.Role(granter); role.IsBuiltIn() {
		if letter == "d" {
			return authz.RoleMay(role, permission) && authz.RoleMay(role, authz.MembersManage)
		}
		callers = append(callers, developer(role))
	} else {
		set, unknown := authz.ParseSet(strings.Split(granter, "+"))
		if unknown != "" || slices.Contains(strings.Split(granter, "+")[1:], string(authz.GrantsManage)) {
			return false
		}
		all := user(allow(set))
		callers = append(callers, called(key(set), false, nil), called(key(set), true, &all))
	}
	return slices.ContainsFunc(callers, func(caller authz.Caller) bool {
		return caller.Require(authz.GrantsManage) == nil && caller.Lasting("", to).Has(permission)
	})
}

// What is no permission can be given by nobody.
func TestNobodyGivesWhatIsNone(t *testing.T) {
	for _, caller := range []authz.Caller{developer(authz.Auditor), called(key(0), false, nil)} {
		if got := denialOf(t, caller, "no:such"); got.GrantedBy != nil {
			t.Errorf("%v", got)
		}
	}
}
