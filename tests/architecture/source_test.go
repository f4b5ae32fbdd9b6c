// Package architecture holds the parts of the project to each other: what may import what, how large things may get, and
// that the template, the operations, the sample events and the documents all say the same.
//
// The documents that are made from the code are written anew by `make docs`, which is
//
//	go test ./tests/architecture -update
package architecture

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/local/template"
)

var update = flag.Bool("update", false, "write the documents that are made from the code")

const (
	// repository is its folder, seen from this folder.
	repository = "../.."
	// module is the path that our own imports begin with.
	module = "github.com/tokenim/tokenim/"
)

// source is one Go file.
type source struct {
	// path is relative to the repository, with forward slashes.
	path string
	file *ast.File
	set  *token.FileSet
}

// folder returns the package's folder, such as "shared/user".
func (s source) folder() string { return s.path[:max(0, strings.LastIndexByte(s.path, '/'))] }

// name returns the file's name, such as "routes.go".
func (s source) name() string { return s.path[strings.LastIndexByte(s.path, '/')+1:] }

// imports returns the paths that the file imports.
func (s source) imports() []string {
	var paths []string
	for _, spec := range s.file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value) // the parser has passed it
		paths = append(paths, path)
	}
	return paths
}

// lines returns how many lines there are from one node's begin to its end.
func (s source) lines(node ast.Node) int {
	return s.set.Position(node.End()).Line - s.set.Position(node.Pos()).Line + 1
}

// sources returns the Go files under the folders, tests left out.
func sources(t *testing.T, folders ...string) []source {
	t.Helper()
	var found []source
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(repository, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
			relative, _ := filepath.Rel(repository, path)
			found = append(found, source{path: filepath.ToSlash(relative), file: file, set: set})
			return err
		})
		if err != nil {
			t.Fatalf("read the sources of %s: %v", folder, err)
		}
	}
	return found
}

// read returns a file of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// golden holds a document to the text that the code makes, or writes it.
func golden(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join(repository, path), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if read(t, path) != want {
		t.Errorf("%s does not say what the code says: run `make docs` and look at what changed", path)
	}
}

// loadTemplate returns the project's template as the laptop runner reads it.
func loadTemplate(t *testing.T) *template.Template {
	t.Helper()
	tpl, err := template.Load(filepath.Join(repository, "template.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}
