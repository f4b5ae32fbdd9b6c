package architecture

import (
	"go/ast"
	"strings"
	"testing"
)

const (
	// maxFileLines bounds a file, tests left out.
	maxFileLines = 500
	// maxFunctionLines bounds a function with its signature.
	maxFunctionLines = 80
)

func TestFilesAndFunctionsStaySmall(t *testing.T) {
	for _, s := range sources(t, "shared", "functions", "local", "tests", "docs") {
		if lines := strings.Count(read(t, s.path), "\n"); lines > maxFileLines {
			t.Errorf("%s has %d lines; the most is %d", s.path, lines, maxFileLines)
		}
		for _, declaration := range s.file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if ok && s.lines(function) > maxFunctionLines {
				t.Errorf("%s: %s has %d lines; the most is %d", s.path, function.Name.Name, s.lines(function), maxFunctionLines)
			}
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range sources(t, "shared", "functions", "local") {
		for _, declaration := range s.file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || exportedReceiver(d.Recv)) {
					t.Errorf("%s: %s has no comment", s.path, d.Name.Name)
				}
			case *ast.GenDecl:
				undocumented(t, s, d)
			}
		}
	}
}

// undocumented reports exported types without a comment of their own or of their group.
func undocumented(t *testing.T, s source, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		declared, ok := spec.(*ast.TypeSpec)
		if ok && declared.Name.IsExported() && d.Doc == nil && declared.Doc == nil {
			t.Errorf("%s: type %s has no comment", s.path, declared.Name.Name)
		}
	}
}

// exportedReceiver tells whether a method belongs to an exported type.
func exportedReceiver(receiver *ast.FieldList) bool {
	kind := receiver.List[0].Type
	if pointer, ok := kind.(*ast.StarExpr); ok {
		kind = pointer.X
	}
	if generic, ok := kind.(*ast.IndexExpr); ok {
		kind = generic.X
	}
	name, ok := kind.(*ast.Ident)
	return ok && name.IsExported()
}
