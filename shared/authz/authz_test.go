package authz_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// declared returns every constant of type Permission in the source.
func declared(t *testing.T) (permissions []authz.Permission) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "authz.go", nil, 0)
	storetest.OK(t, "parse", err)
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok {
			if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Permission" {
				text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				storetest.OK(t, "unquote", err)
				permissions = append(permissions, authz.Permission(text))
			}
		}
		return true
	})
	return permissions
}

func TestCatalogueIsComplete(t *testing.T) {
	catalogued := []authz.Permission{authz.Public}
	for _, entry := range authz.Catalogue {
		if entry.EN == "" || entry.ZH == "" || !entry.Key && !entry.User && entry.Least == "" {
			t.Errorf("incomplete: %+v", entry)
		}
		if slices.Contains(catalogued, entry.Permission) {
			t.Errorf("%s stands twice", entry.Permission)
		}
		catalogued = append(catalogued, entry.Permission)
	}
	source := declared(t)
	slices.Sort(source)
	slices.Sort(catalogued)
	if !slices.Equal(source, catalogued) {
		t.Errorf("declared %v\ncatalogue %v", source, catalogued)
	}
}

// The published matrix of the documentation: who may hold what.
func TestWhoMayWhat(t *testing.T) {
	type holders struct {
		key, user bool
		least     authz.Role
	}
	want := map[authz.Permission]holders{
		authz.LoginManage: {false, false, authz.Auditor}, authz.AccountRead: {false, false, authz.Auditor},
		authz.AccountManage: {false, false, authz.Owner}, authz.MembersManage: {false, false, authz.Admin},
		authz.AppsRead: {false, false, authz.Auditor}, authz.AppsManage: {false, false, authz.Admin},
		authz.KeysRead: {true, false, authz.Auditor}, authz.KeysManage: {true, false, authz.Admin},
		authz.UsersRegister: {true, false, authz.Admin}, authz.UsersRead: {true, true, authz.Auditor},
		authz.UsersList: {true, false, authz.Auditor}, authz.TokensManage: {true, false, authz.Admin},
		authz.TicketsCreate: {false, true, ""}, authz.MessagesSend: {true, true, authz.Admin},
		authz.MessagesRead: {true, true, authz.Admin}, authz.MessagesMark: {true, true, authz.Admin},
		authz.SocketConnect: {false, true, ""}, authz.Public: {}, "no:such": {}, "": {},
	}
	for _, permission := range declared(t) {
		if _, ok := want[permission]; !ok {
			t.Errorf("nobody has said who may hold %s", permission)
		}
	}
	for permission, may := range want {
		if got := slices.Contains(authz.Scopes(), string(permission)); got != may.key {
			t.Errorf("a key can have %q: %v", permission, got)
		}
		if got := authz.UserMay(permission); got != may.user {
			t.Errorf("an end user may %q: %v", permission, got)
		}
		for rank, role := range authz.Roles {
			if got := authz.RoleMay(role, permission); got != (rank <= slices.Index(authz.Roles, may.least)) {
				t.Errorf("an %s may %q: %v", role, permission, got)
			}
		}
		for _, nobody := range []authz.Role{"", "Owner", "root"} {
			if authz.RoleMay(nobody, permission) {
				t.Errorf("the role %q may %q", nobody, permission)
			}
		}
	}
}

// A developer has what the role may do: in the account at once, in an app once one is chosen.
func TestDevelopersChooseAnApp(t *testing.T) {
	for _, role := range authz.Roles {
		for _, permission := range declared(t) {
			caller := authz.Caller{Developer: "dev_1", Account: "acct_1", Role: role, Scopes: authz.RoleScopes(role)}
			inApp := slices.Contains(authz.Scopes(), string(permission))
			switch err := caller.Require(permission); {
			case !authz.RoleMay(role, permission):
				if !fault.Is(err, fault.PermissionDenied) {
					t.Errorf("an %s, %s: %v", role, permission, err)
				}
			case inApp != fault.Is(err, fault.AppNotChosen):
				t.Errorf("an %s without an app, %s: %v", role, permission, err)
			}
			caller.App = id.Source{}.App()
			if err := caller.Require(permission); (err == nil) != authz.RoleMay(role, permission) {
				t.Errorf("an %s in an app, %s: %v", role, permission, err)
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

// Require walks every cell: default is deny, a key has its scopes and nothing else, an end user what all have.
func TestRequire(t *testing.T) {
	all := authz.Scopes()
	for _, permission := range append(declared(t), "no:such", "") {
		others := slices.DeleteFunc(slices.Clone(all), func(scope string) bool { return scope == string(permission) })
		isScope, mine := len(others) < len(all), authz.UserMay(permission)
		for name, test := range map[string]struct {
			caller authz.Caller
			want   bool
		}{
			"nobody":                        {authz.Caller{}, false},
			"a key with it alone":           {authz.Caller{Scopes: []string{string(permission)}}, true},
			"a key with all scopes":         {authz.Caller{Scopes: all}, isScope},
			"a key with all others":         {authz.Caller{Scopes: others}, false},
			"an end user":                   {authz.Caller{EndUser: true}, mine},
			"an end user of a powerful key": {authz.Caller{EndUser: true, Scopes: append(all, string(permission))}, mine},
			"an end user of a weak key":     {authz.Caller{EndUser: true, Scopes: others}, mine},
		} {
			err := test.caller.Require(permission)
			if (err == nil) != test.want || err != nil && !fault.Is(err, fault.PermissionDenied) {
				t.Errorf("%s, %q: %v", name, permission, err)
			}
		}
	}
}
