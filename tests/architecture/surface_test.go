package architecture

import (
	"context"
	"go/ast"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tokenim/tokenim/docs"
	"github.com/tokenim/tokenim/local/template"
	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/broadcast"
	"github.com/tokenim/tokenim/shared/erase"
	"github.com/tokenim/tokenim/shared/group"
	"github.com/tokenim/tokenim/shared/media"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/presence"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordapi"
	"github.com/tokenim/tokenim/shared/root"
	"github.com/tokenim/tokenim/shared/session"
	"github.com/tokenim/tokenim/shared/socket"
	"github.com/tokenim/tokenim/shared/token"
	"github.com/tokenim/tokenim/shared/trace"
	"github.com/tokenim/tokenim/shared/user"
	"github.com/tokenim/tokenim/shared/userimport"
)

// edges are the two edges of a function, or of all of them, with nothing behind the operations: enough to ask what
// there is, and to see a request reach its operation.
type edges struct {
	http   *api.API
	socket *socket.Socket
}

// nowhere takes records and keeps none.
type nowhere struct{}

// Append implements api.Recorder.
func (nowhere) Append(context.Context, record.Record) error { return nil }

func newEdges(callers authenticator) *edges {
	edge := api.New(callers, api.Log{})
	edge.RecordTo(nowhere{})
	return &edges{http: edge, socket: socket.New(callers, &posted{}, api.Log{})}
}

// registrars is what a function's main may call to add its operations. A new resource has to be entered here.
var registrars = map[string]func(e *edges) error{
	"access.GrantRoutes":  func(e *edges) error { access.GrantRoutes(e.http, nil, nil); return nil },
	"access.RoleRoutes":   func(e *edges) error { access.RoleRoutes(e.http, nil); return nil },
	"access.ReviewRoutes": func(e *edges) error { access.ReviewRoutes(e.http, nil, nil); return nil },
	"account.Routes":      func(e *edges) error { account.Routes(e.http, nil); return nil },
	"account.TeamRoutes":  func(e *edges) error { account.TeamRoutes(e.http, nil, nil); return nil },
	"app.Routes":          func(e *edges) error { app.Routes(e.http, nil, nil); return nil },
	"apikey.Routes":       func(e *edges) error { apikey.Routes(e.http, nil, nil); return nil },
	"erase.Routes":        func(e *edges) error { erase.Routes(e.http, nil); return nil },
	"broadcast.Routes":    func(e *edges) error { broadcast.Routes(e.http, nil, nil); return nil },
	"userimport.Routes":   func(e *edges) error { userimport.Routes(e.http, nil, nil); return nil },
	"group.Routes":        func(e *edges) error { group.Routes(e.http, nil, nil); return nil },
	"media.Routes":        func(e *edges) error { media.Routes(e.http, nil); return nil },
	"message.Routes":      func(e *edges) error { message.Routes(e.http, nil, nil); return nil },
	"message.Frames":      func(e *edges) error { message.Frames(e.socket, nil, nil, nil); return nil },
	"presence.Routes":     func(e *edges) error { presence.Routes(e.http, nil); return nil },
	"presence.Frames":     func(e *edges) error { presence.Frames(e.socket, nil); return nil },
	"recordapi.Routes":    func(e *edges) error { recordapi.Routes(e.http, nil, nil); return nil },
	"root.Routes":         func(e *edges) error { root.Routes(e.http, docs.OpenAPI); return nil },
	"session.Frames":      func(e *edges) error { session.Frames(e.socket, nil, nil, nil, nil); return nil },
	"token.Routes":        func(e *edges) error { token.Routes(e.http, nil); return nil },
	"trace.Routes":        func(e *edges) error { trace.Routes(e.http, nil, nil); return nil },
	"user.Routes":         func(e *edges) error { user.Routes(e.http, nil, nil); return nil },
}

// undescribed are the routes that stand in no description, because they are about the description, and what takes
// everything else.
var undescribed = []string{"GET /link", "GET /openapi.json", "GET /status", template.DefaultRoute}

// lifecycle are the WebSocket routes that are no actions.
var lifecycle = []string{"$connect", "$default", "$disconnect"}

// everything returns the edges with every operation.
func everything(t *testing.T, callers authenticator) *edges {
	t.Helper()
	return registered(t, callers, slices.Sorted(maps.Keys(registrars)))
}

// of returns the edges with the operations that the function's main adds.
func of(t *testing.T, f *template.Function, callers authenticator) *edges {
	t.Helper()
	return registered(t, callers, registrations(t, f))
}

func registered(t *testing.T, callers authenticator, names []string) *edges {
	t.Helper()
	e := newEdges(callers)
	for _, name := range names {
		register := registrars[name]
		if register == nil {
			t.Fatalf("a main calls %s, which surface_test.go does not know", name)
		}
		if err := register(e); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return e
}

// registrations returns which Routes and Frames the function's main calls.
func registrations(t *testing.T, f *template.Function) []string {
	t.Helper()
	var names []string
	for _, s := range sources(t, f.Folder) {
		ast.Inspect(s.file, func(node ast.Node) bool {
			pkg, name := selector(node)
			if strings.HasSuffix(name, "Routes") || name == "Frames" {
				names = append(names, pkg+"."+name)
			}
			return true
		})
	}
	return names
}

// selector returns the two names of a.b, "" for anything else.
func selector(node ast.Node) (string, string) {
	s, ok := node.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	left, ok := s.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	return left.Name, s.Sel.Name
}

// operations returns the described operations by route key, such as "POST /send".
func (e *edges) operations() map[string]*huma.Operation {
	found := map[string]*huma.Operation{}
	for path, item := range e.http.OpenAPI().Paths {
		for method, operation := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put,
			"PATCH": item.Patch, "DELETE": item.Delete} {
			if operation != nil {
				found[method+" "+path] = operation
			}
		}
	}
	return found
}

// permission returns what an operation asks of its caller.
func permission(operation *huma.Operation) authz.Permission {
	name, _ := operation.Extensions["x-permission"].(string)
	return authz.Permission(name)
}

func TestTemplateRoutesAreTheOperationsOfTheirFunctions(t *testing.T) {
	tpl := loadTemplate(t)
	for _, f := range tpl.Functions {
		want := slices.Collect(maps.Keys(of(t, f, refuseAll).operations()))
		if slices.Contains(registrations(t, f), "root.Routes") {
			want = append(want, undescribed...)
		}
		var declared []string
		for _, route := range tpl.HTTP.Routes {
			if route.Function == f.Name {
				declared = append(declared, route.Key())
			}
		}
		same(t, f.Name+": routes in template.yaml", declared, "operations of "+f.Folder, want)
	}
}

func TestTemplateActionsAreTheActionsOfTheirFunctions(t *testing.T) {
	tpl := loadTemplate(t)
	for _, f := range tpl.Functions {
		want := slices.Collect(maps.Keys(of(t, f, refuseAll).socket.Actions()))
		var declared []string
		for key, function := range tpl.WebSocket.Routes {
			if function == f.Name && !strings.HasPrefix(key, "$") {
				declared = append(declared, key)
			}
		}
		same(t, f.Name+": WebSocket routes in template.yaml", declared, "actions of "+f.Folder, want)
	}
	for _, key := range lifecycle {
		if tpl.WebSocket.Routes[key] == "" {
			t.Errorf("template.yaml has no WebSocket route %s", key)
		}
	}
}

func TestEveryRegistrarIsCalledByAFunction(t *testing.T) {
	called := map[string]bool{}
	for _, f := range loadTemplate(t).Functions {
		for _, name := range registrations(t, f) {
			called[name] = true
		}
	}
	same(t, "surface_test.go", slices.Collect(maps.Keys(registrars)), "the mains", slices.Collect(maps.Keys(called)))
}

// same holds two sets of names to each other and says which side lacks what.
func same(t *testing.T, oneName string, one []string, otherName string, other []string) {
	t.Helper()
	for _, name := range lacking(one, other) {
		t.Errorf("%s lacks %q, which %s has", oneName, name, otherName)
	}
	for _, name := range lacking(other, one) {
		t.Errorf("%s lacks %q, which %s has", otherName, name, oneName)
	}
}

// lacking returns, sorted, what one does not have of other.
func lacking(one, other []string) []string {
	var names []string
	for _, name := range other {
		if !slices.Contains(one, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
