package fault_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// use is a place in the source that makes a refusal: its code and how many arguments fill the detail.
type use struct {
	at   token.Position
	code string
	args int
}

// TestCallsFillTheirDetails finds every refusal in the source whose code is written out, and checks that its arguments
// are as many as the verbs of the code's detail: a detail with a hole in it would reach a caller.
func TestCallsFillTheirDetails(t *testing.T) {
	codes, found := declared(t), 0
	for _, folder := range []string{"..", "../../functions"} {
		for _, use := range uses(t, folder) {
			code, ok := codes[use.code]
			if !ok {
				continue // a variable, or a constant of another package
			}
			found++
			if want := len(verbs(fault.Lookup(code).Detail.EN)); use.args != want {
				t.Errorf("%s: %s has %d arguments, its detail takes %d", use.at, use.code, use.args, want)
			}
		}
	}
	if found < 20 {
		t.Errorf("found %d refusals in the source; the test looks for the wrong thing", found)
	}
}

func uses(t *testing.T, folder string) (all []use) {
	t.Helper()
	files := token.NewFileSet()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if found, ok := useIn(node); ok {
				found.at = files.Position(node.Pos())
				all = append(all, found)
			}
			return true
		})
		return nil
	})
	storetest.OK(t, "walk "+folder, err)
	return all
}

// useIn reads a call of fault.New or fault.Wrap, or a fault.Field.
func useIn(node ast.Node) (use, bool) {
	switch n := node.(type) {
	case *ast.CallExpr:
		first := map[string]int{"New": 0, "Wrap": 1}
		at, ok := first[nameIn(n.Fun)]
		if !ok || len(n.Args) <= at || n.Ellipsis.IsValid() {
			return use{}, false
		}
		return use{code: nameIn(n.Args[at]), args: len(n.Args) - at - 1}, true
	case *ast.CompositeLit:
		if nameIn(n.Type) != "Field" {
			return use{}, false
		}
		return fieldUse(n)
	}
	return use{}, false
}

func fieldUse(literal *ast.CompositeLit) (found use, ok bool) {
	for _, element := range literal.Elts {
		pair, keyed := element.(*ast.KeyValueExpr)
		if !keyed {
			return use{}, false
		}
		switch pair.Key.(*ast.Ident).Name {
		case "Code":
			found.code = nameIn(pair.Value)
		case "Args":
			args, written := pair.Value.(*ast.CompositeLit)
			if !written {
				return use{}, false
			}
			found.args = len(args.Elts)
		}
	}
	return found, true
}

// nameIn returns the name behind "fault.", "" for anything else.
func nameIn(expression ast.Expr) string {
	selector, ok := expression.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if pkg, ok := selector.X.(*ast.Ident); !ok || pkg.Name != "fault" {
		return ""
	}
	return selector.Sel.Name
}
