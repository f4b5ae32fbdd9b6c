package architecture

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// mayMakeApps are the files that may turn text into an app's ID, each with what it reads. Whoever is added here decides
// whose data is touched: the text has to be one that TokenIM wrote itself, never one of a request.
var mayMakeApps = map[string]string{
	"shared/access/accessdb/row.go":   "its own rows",
	"shared/apikey/apikeydb/row.go":   "its own rows",
	"shared/apikey/revocation.go":     "the job that a revocation queued",
	"shared/media/media.go":           "the key of an object that a link of ours has put",
	"shared/media/mediadb/mediadb.go": "its own rows",
	"shared/connection/presence.go":   "the job that a change of presence queued",
	"shared/fanout/fanout.go":         "the job that the fan-out queued",
	"shared/wire/fanout.go":           "its own rows, as the stream has them",
	"shared/login/logindb/logindb.go": "its own rows: the apps of an account",
	"shared/user/userdb/userdb.go":    "its own rows",
	"shared/erase/user.go":            "the job that a deletion queued",
	"shared/userimport/worker.go":     "the job that an import queued",
	"shared/broadcast/worker.go":      "the job that a broadcast queued",
	"shared/session/resume.go":        "the job that $connect queued",
	"shared/app/appdb/appdb.go":       "its own rows",
	"shared/task/taskdb/taskdb.go":    "its own rows",
	"shared/socket/context.go":        "what the authorizer said, which API Gateway keeps",
}

func TestAppsComeFromCredentials(t *testing.T) {
	for _, s := range sources(t, "shared", "functions") {
		if s.folder() == "shared/id" || strings.HasSuffix(s.folder(), "test") {
			continue
		}
		calls := false
		ast.Inspect(s.file, func(node ast.Node) bool {
			if selector, ok := node.(*ast.SelectorExpr); ok && selector.Sel.Name == "StoredApp" {
				calls = true
			}
			return true
		})
		if _, allowed := mayMakeApps[s.path]; calls != allowed {
			t.Errorf("%s makes an app's ID from text: %v, in the list: %v", s.path, calls, allowed)
		}
	}
}

// TestNoInputHasAnApp: an operation's input may carry an app's ID as text only, for one package to look up among the apps
// of the caller's account.
func TestNoInputHasAnApp(t *testing.T) {
	for _, s := range sources(t, "shared") {
		if !slices.Contains([]string{"routes.go", "frames.go"}, s.name()) {
			continue
		}
		ast.Inspect(s.file, func(node ast.Node) bool {
			kind, ok := node.(*ast.TypeSpec)
			if !ok || !strings.HasSuffix(kind.Name.Name, "Input") {
				return true
			}
			ast.Inspect(kind, func(node ast.Node) bool {
				if selector, ok := node.(*ast.SelectorExpr); ok && selector.Sel.Name == "App" {
					t.Errorf("%s: %s has a field of type App", s.path, kind.Name.Name)
				}
				return true
			})
			return true
		})
	}
}
