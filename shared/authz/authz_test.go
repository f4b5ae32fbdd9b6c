package authz_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/authz"
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
	catalogued, bits := []authz.Permission{authz.Public}, map[uint8]authz.Permission{}
	for _, entry := range authz.Catalogue {
		switch {
		case entry.EN == "" || entry.ZH == "" || entry.Holders == 0 || len(entry.Roles) == 0:
			t.Errorf("incomplete: %+v", entry)
		case slices.Contains(catalogued, entry.Permission):
			t.Errorf("%s stands twice", entry.Permission)
		case bits[entry.Bit] != "" || entry.Bit >= 64:
			t.Errorf("%s has bit %d; %s has it too, or a set has no such", entry.Permission, entry.Bit, bits[entry.Bit])
		case entry.Holders&^(authz.Developers|authz.Keys|authz.Users) != 0:
			t.Errorf("%s can be had by a kind that is none", entry.Permission)
		case slices.ContainsFunc(entry.Roles, func(role authz.Role) bool { return !role.IsBuiltIn() }):
			t.Errorf("%s is of roles that are none: %v", entry.Permission, entry.Roles)
		case entry.Beyond && entry.Holders&authz.Keys == 0:
			t.Errorf("no user could ever have %s: its key can not", entry.Permission)
		}
		catalogued, bits[entry.Bit] = append(catalogued, entry.Permission), entry.Permission
	}
	source := declared(t)
	slices.Sort(source)
	slices.Sort(catalogued)
	if !slices.Equal(source, catalogued) {
		t.Errorf("declared %v\ncatalogue %v", source, catalogued)
	}
}

// matrix is who may what, written out by hand: bit, permission, kinds of holders (developer, key, user), "beyond" where it
// reaches beyond an end user's own data, and built-in roles. Bits stand in tables: none may ever change or be used again.
const matrix = `
 0 login:manage    d..        owner admin                  auditor
 1 account:read    d..        owner admin                  auditor
 2 account:manage  d..        owner
 3 account:audit   d..        owner admin                  auditor
 4 members:manage  d..        owner admin
 5 apps:read       d..        owner admin                  auditor
 6 apps:manage     d..        owner admin
 7 keys:read       dk. beyond owner admin                  auditor
 8 keys:manage     dk. beyond owner admin
 9 roles:read      dku beyond owner admin                  auditor
10 roles:manage    dku beyond owner admin
11 grants:read     dku beyond owner admin                  auditor
12 grants:manage   dku beyond owner admin
13 records:read    dku beyond owner admin                  auditor
14 users:register  dku beyond owner admin
15 users:read      dku        owner admin moderator member auditor bot
16 users:list      dku beyond owner admin moderator        auditor
17 tokens:manage   dk. beyond owner admin
18 tickets:create  ..u        owner admin moderator member
19 messages:send   dku        owner admin moderator member         bot
20 messages:read   dku        owner admin moderator member         bot
21 messages:mark   dku        owner admin moderator member         bot
22 socket:connect  ..u        owner admin moderator member         bot
23 groups:create   dku        owner admin moderator member         bot
24 groups:read     dku        owner admin moderator member auditor bot
25 groups:join     dku        owner admin moderator member         bot
26 groups:send     dku        owner admin moderator member         bot
27 groups:invite   dku beyond owner admin moderator
28 groups:manage   dku beyond owner admin moderator
29 groups:own      dku beyond owner admin
30 presence:read   dku        owner admin moderator member         bot
31 presence:manage dku        owner admin moderator member         bot
32 users:edit      dku        owner admin moderator member         bot
33 users:manage    dku beyond owner admin
34 blocks:manage   dku        owner admin moderator member         bot
35 media:upload    dku        owner admin moderator member         bot
36 media:read      dku        owner admin moderator member         bot
37 messages:edit   dku        owner admin moderator member         bot
38 messages:react  dku        owner admin moderator member         bot
39 messages:pin    dku        owner admin moderator member         bot
40 messages:moderate dku beyond owner admin moderator
41 messages:delete dku        owner admin moderator member         bot
42 messages:trace  dku        owner admin moderator member         bot
43 groups:mention_all dku beyond owner admin moderator
44 broadcasts:manage dku beyond owner admin
`

// row is one of the matrix's.
type row struct {
	bit        uint64
	permission authz.Permission
	kinds      string
	beyond     bool
	roles      []string
}

func rows(t *testing.T) (rows []row) {
	t.Helper()
	for line := range strings.Lines(strings.TrimSpace(matrix)) {
		words := strings.Fields(line)
		bit, err := strconv.ParseUint(words[0], 10, 6)
		storetest.OK(t, "read "+line, err)
		r := row{bit: bit, permission: authz.Permission(words[1]), kinds: words[2], roles: words[3:]}
		if r.beyond = words[3] == "beyond"; r.beyond {
			r.roles = words[4:]
		}
		rows = append(rows, r)
	}
	return rows
}

func (r row) may(role authz.Role) bool { return slices.Contains(r.roles, string(role)) }

// letters are the kinds, as the matrix names them.
var letters = map[authz.Kind]string{authz.Developers: "d", authz.Keys: "k", authz.Users: "u"}

func TestWhoMayWhat(t *testing.T) {
	all := rows(t)
	if len(all) != len(authz.Catalogue) {
		t.Errorf("%d rows for %d permissions", len(all), len(authz.Catalogue))
	}
	for _, want := range all {
		entry, _ := authz.Lookup(want.permission)
		if uint64(authz.SetOf(want.permission)) != 1<<want.bit || entry.Beyond != want.beyond {
			t.Errorf("%s: %+v", want.permission, entry)
		}
		for kind, letter := range letters {
			if got := authz.HeldBy(kind).Has(want.permission); got != strings.Contains(want.kinds, letter) {
				t.Errorf("%s can have %s: %v", letter, want.permission, got)
			}
		}
		if got := slices.Contains(authz.Scopes(), string(want.permission)); got != strings.Contains(want.kinds, "k") {
			t.Errorf("%s is a scope: %v", want.permission, got)
		}
		if got := entry.InApp(); got != (want.kinds != "d..") {
			t.Errorf("%s is about an app: %v", want.permission, got)
		}
		for _, role := range []authz.Role{"owner", "admin", "moderator", "member", "auditor", "bot", "", "Owner", "root", "role_0123456789"} {
			inAccount := slices.Contains([]authz.Role{"owner", "admin", "auditor"}, role) && strings.Contains(want.kinds, "d")
			if got := role.Set().Has(want.permission); got != want.may(role) {
				t.Errorf("the role %q has %s: %v", role, want.permission, got)
			}
			if got := authz.RoleMay(role, want.permission); got != (inAccount && want.may(role)) {
				t.Errorf("a member of an account who is %q may %s: %v", role, want.permission, got)
			}
			if got := slices.Contains(authz.RoleScopes(role), string(want.permission)); got != authz.RoleMay(role, want.permission) {
				t.Errorf("the scopes of %q have %s: %v", role, want.permission, got)
			}
		}
	}
}

func TestBuiltInRoles(t *testing.T) {
	var names []string
	for _, role := range authz.BuiltIns {
		names = append(names, string(role.Role))
		if role.EN == "" || role.ZH == "" || !role.Role.IsBuiltIn() || role.Role.Set() == 0 {
			t.Errorf("incomplete: %+v", role)
		}
	}
	if got := strings.Join(names, " "); got != "owner admin moderator member auditor bot" {
		t.Errorf("built in are %s", got)
	}
	for _, role := range []authz.Role{"", "Owner", "root", "role_0123456789"} {
		if role.IsBuiltIn() {
			t.Errorf("%q is built in", role)
		}
	}
}
