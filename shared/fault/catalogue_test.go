package fault_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"unicode"

	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// declared returns the codes that the package's source declares, by the names of their constants.
func declared(t *testing.T) map[string]fault.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	storetest.OK(t, "parse", err)
	codes := map[string]fault.Code{}
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Code" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			storetest.OK(t, "unquote", err)
			codes[spec.Names[0].Name] = fault.Code(text)
		}
		return true
	})
	return codes
}

func TestEveryCodeHasItsEntry(t *testing.T) {
	seen := map[fault.Code]string{}
	for name, code := range declared(t) {
		if other, ok := seen[code]; ok {
			t.Errorf("%s and %s are both %q", name, other, code)
		}
		seen[code] = name
		if !slices.Contains(fault.Codes(), code) {
			t.Errorf("%s (%q) is not in the catalogue", name, code)
		}
	}
	if len(seen) < 40 || len(seen) != len(fault.Codes()) {
		t.Errorf("%d codes are declared, %d are in the catalogue", len(seen), len(fault.Codes()))
	}
	if !slices.IsSorted(fault.Codes()) {
		t.Error("Codes are not sorted")
	}
}

var snakeCase = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

func TestEntriesAreComplete(t *testing.T) {
	for _, code := range fault.Codes() {
		entry := fault.Lookup(code)
		if !snakeCase.MatchString(string(code)) || http.StatusText(entry.Status) == "" || entry.Status < 400 {
			t.Errorf("%s: status %d", code, entry.Status)
		}
		if retryable := entry.Status == 429 || entry.Status >= 500; retryable != entry.Retryable {
			t.Errorf("%s: status %d and retryable %v contradict each other", code, entry.Status, entry.Retryable)
		}
		for part, text := range map[string]fault.Text{"title": entry.Title, "detail": entry.Detail, "hint": entry.Hint} {
			if text.EN == "" || !isChinese(text.ZH) || isChinese(text.EN) {
				t.Errorf("%s: the %s is %+v", code, part, text)
			}
			if en, zh := verbs(text.EN), verbs(text.ZH); !slices.Equal(en, zh) {
				t.Errorf("%s: the %s has the verbs %v and %v", code, part, en, zh)
			} else if part != "detail" && len(en) > 0 {
				t.Errorf("%s: the %s has the verbs %v, and nobody fills them", code, part, en)
			}
		}
	}
}

func isChinese(text string) bool {
	for _, r := range text {
		if unicode.Is(unicode.Han, r) {
			return true
		}
	}
	return false
}

var verb = regexp.MustCompile(`%[-+# 0]*[0-9]*(?:\.[0-9]+)?[a-zA-Z%]`)

// verbs returns the formatting verbs of a text, in order.
func verbs(text string) []string {
	return slices.DeleteFunc(verb.FindAllString(text, -1), func(v string) bool { return v == "%%" })
}

func TestLookup(t *testing.T) {
	if got := fault.Lookup("no_such_code"); got != fault.Lookup(fault.Internal) {
		t.Errorf("an unknown code reads %+v", got)
	}
	text := fault.Text{EN: "yes", ZH: "是"}
	if text.In(fault.English) != "yes" || text.In(fault.Chinese) != "是" || text.In("fr") != "yes" {
		t.Error("Text.In")
	}
}
