package architecture

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// lambdaSets are the variables that Lambda itself sets.
var lambdaSets = []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"}

// shared by all functions, in Globals: a function need not read them.
var globalVariables = []string{"LOG_SAMPLE_RATE", "METRICS", "METRICS_NAMESPACE", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI",
	"AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SESV2", "AWS_ENDPOINT_URL_SQS"}

func TestFunctionsHaveTheVariablesThatTheyRead(t *testing.T) {
	bodies := functionBodies(t)
	for _, f := range loadTemplate(t).Functions {
		reader := variableReader{bodies: bodies, read: map[string]bool{}, seen: map[string]bool{}}
		reader.visit(f.Folder, "main")
		var want, have []string
		for name := range reader.read {
			if !slices.Contains(lambdaSets, name) && !slices.Contains(globalVariables, name) {
				want = append(want, name)
			}
		}
		for name := range f.Environment {
			if !slices.Contains(globalVariables, name) {
				have = append(have, name)
			}
		}
		if len(want) == 0 && f.Folder != "functions/root" {
			t.Errorf("%s: found no variables that %s reads; has table.Name another name?", f.Name, f.Folder)
		}
		same(t, f.Name+"'s environment in template.yaml", have, "what "+f.Folder+" reads", want)
		for _, name := range globalVariables {
			if _, ok := f.Environment[name]; !ok {
				t.Errorf("%s: Globals lack %s", f.Name, name)
			}
		}
	}
}

// variableReader follows calls from a main through our packages and collects the variables that are read on the way. It
// goes by names: pkg.Function, and methods of wire.Core.
type variableReader struct {
	bodies map[string]*ast.FuncDecl // "shared/wire.NewCore"
	read   map[string]bool
	seen   map[string]bool
}

// functionBodies returns the functions of our own packages by folder and name; methods as well, by their bare name.
func functionBodies(t *testing.T) map[string]*ast.FuncDecl {
	t.Helper()
	bodies := map[string]*ast.FuncDecl{}
	for _, s := range sources(t, "functions", "shared") {
		for _, declaration := range s.file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && (function.Recv == nil || s.folder() == "shared/wire") {
				bodies[s.folder()+"."+function.Name.Name] = function
			}
		}
	}
	return bodies
}

func (r variableReader) visit(folder, name string) {
	body := r.bodies[folder+"."+name]
	if body == nil || r.seen[folder+"."+name] {
		return
	}
	r.seen[folder+"."+name] = true
	ast.Inspect(body, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok {
			r.call(folder, call)
		}
		return true
	})
}

// prefixes are the functions that read a variable named by their argument.
var prefixes = map[string]string{"table.Name": "TABLE_", "awsenv.Endpoint": "AWS_ENDPOINT_URL_", "os.Getenv": "", "invoke.FromEnvironment": "", "queue.FromEnvironment": "", "bucket.FromEnvironment": ""}

func (r variableReader) call(folder string, call *ast.CallExpr) {
	function := call.Fun
	if generic, ok := function.(*ast.IndexExpr); ok {
		function = generic.X
	}
	pkg, name := selector(function)
	if name == "" {
		if local, ok := call.Fun.(*ast.Ident); ok {
			r.visit(folder, local.Name)
		}
		return
	}
	if prefix, ok := prefixes[pkg+"."+name]; ok && len(call.Args) == 1 {
		if literal, ok := call.Args[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
			value, _ := strconv.Unquote(literal.Value) // the parser has passed it
			r.read[prefix+value] = true
		}
		return
	}
	if pkg == "core" || pkg == "c" {
		r.visit("shared/wire", name)
		return
	}
	for key := range maps.Keys(r.bodies) {
		if strings.HasSuffix(key, "/"+pkg+"."+name) {
			r.visit(strings.TrimSuffix(key, "."+name), name)
		}
	}
}

func TestEveryFunctionFolderIsAFunctionOfTheTemplate(t *testing.T) {
	var declared, folders []string
	for _, f := range loadTemplate(t).Functions {
		declared = append(declared, f.Folder)
	}
	for _, s := range sources(t, "functions") {
		folders = append(folders, s.folder())
	}
	same(t, "template.yaml", declared, "the folder functions/", folders)
}

func TestEveryTableVariableNamesATable(t *testing.T) {
	tpl := loadTemplate(t)
	tables := tpl.TableVariables()
	for _, f := range tpl.Functions {
		for name, value := range f.Environment {
			if strings.HasPrefix(name, "TABLE_") && tables[name] != value {
				t.Errorf("%s: %s is %q, which is no table of the template, or another than elsewhere", f.Name, name, value)
			}
		}
	}
}

// TestWebSocketRouteKeysDiffer guards against a trap of SAM: of two keys that differ in case only, one is lost without a
// word, and a key that is not alphanumeric makes a bad logical ID.
func TestWebSocketRouteKeysDiffer(t *testing.T) {
	seen := map[string]string{}
	for key := range loadTemplate(t).WebSocket.Routes {
		folded := strings.ToLower(key)
		if other, ok := seen[folded]; ok {
			t.Errorf("WebSocket routes %q and %q differ in case only: SAM keeps one of them", key, other)
		}
		seen[folded] = key
		if strings.ContainsFunc(strings.TrimPrefix(key, "$"), notAlphanumeric) {
			t.Errorf("WebSocket route %q: SAM takes letters and digits only", key)
		}
	}
}

func notAlphanumeric(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
}
