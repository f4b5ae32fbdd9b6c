package architecture

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// The words of the rule table. Everything else in it is the name of a package in shared/, or "…" for all of them.
const (
	std        = "the standard library"
	goX        = "golang.org/x"
	lambdaType = "github.com/aws/aws-lambda-go/events"
	lambdaRun  = "github.com/aws/aws-lambda-go/lambda"
	awsSDK     = "github.com/aws/aws-sdk-go-v2"
	smithy     = "github.com/aws/smithy-go"
	humaLib    = "github.com/danielgtaylor/huma/v2"
	jsonLib    = "github.com/go-json-experiment/json"
	jwtLib     = "github.com/golang-jwt/jwt"
	anyShared  = "…"
)

// layer is a kind of package and what its files may import.
type layer struct {
	// name says what the packages are, packages which ones; a name with a star is a pattern.
	name     string
	packages []string
	// files, where not empty, are the only files of those packages that the layer speaks of.
	files []string
	// may is what they import. A package may always import its own parent.
	may []string
}

// ground is what everybody may import: no input or output, nothing but values.
var ground = []string{std, goX, "authz", "fault", "clock", "id", "plainjson", "record", "seal"}

// layers are the rules for shared/, from the inside out. The first layer that fits a file counts.
var layers = []layer{
	{name: "test helpers are free", packages: []string{"*test"},
		may: []string{std, goX, awsSDK, smithy, lambdaType, "pgregory.net/rapid", anyShared, "local"}},

	{name: "the ground knows only itself", packages: []string{"fault", "clock", "id", "name", "plainjson"}, may: []string{std}},
	{name: "who may do what", packages: []string{"authz"}, may: []string{std, "fault", "id"}},
	{name: "what was done", packages: []string{"record"}, may: []string{std, "authz", "id"}},
	{name: "how records are read", packages: []string{"record/recordapi"}, may: append([]string{"api", "cursor"}, ground...)},

	{name: "routes.go and frames.go of a domain meet the edges",
		packages: []string{"account", "apikey", "app", "connection", "message", "seal", "token", "user"},
		files:    []string{"routes.go", "frames.go", "loginroutes.go", "teamroutes.go", "blockroutes.go", "operationroutes.go", "ownroutes.go", "receiptroutes.go"},
		may:      append([]string{"api", "socket", "cursor", "authz", "connection", "login", "profile"}, ground...)},
	{name: "routes of media", packages: []string{"media"}, files: []string{"routes.go"}, may: append([]string{"api"}, ground...)},
	{name: "media are checked by what knows formats", packages: []string{"media/inspect"},
		may: append([]string{"media", "github.com/gabriel-vasile/mimetype"}, ground...)},
	{name: "presence is told from routing records", packages: []string{"presence"}, files: []string{"routes.go", "frames.go"},
		may: append([]string{"api", "socket"}, ground...)},
	{name: "presence is read from routing records", packages: []string{"presence"}, may: append([]string{"connection"}, ground...)},
	{name: "routes of traces", packages: []string{"trace"}, files: []string{"routes.go"}, may: append([]string{"api", "cursor"}, ground...)},
	{name: "traces join the log with the devices", packages: []string{"trace"}, may: append([]string{"connection", "message"}, ground...)},
	{name: "large groups' logs are brought to open sockets", packages: []string{"fanout"}, may: append([]string{"connection", "message"}, ground...)},
	{name: "who may do what is decided, reviewed and recorded", packages: []string{"access"},
		may: append([]string{"api", "cursor", "name", "task"}, ground...)},
	{name: "routes of groups", packages: []string{"group"}, files: []string{"routes.go", "memberroutes.go"},
		may: append([]string{"api", "cursor", "message"}, ground...)},
	{name: "groups are told of in logs", packages: []string{"group"}, may: append([]string{"message", "profile"}, ground...)},
	{name: "what users and groups show of themselves", packages: []string{"profile"}, may: append([]string{"name"}, ground...)},
	{name: "accounts stand on logins, passwords and mails", packages: []string{"account"},
		may: append([]string{"authz", "guess", "login", "mail", "name", "password", "record", "totp"}, ground...)},
	{name: "sessions of developers say what they may", packages: []string{"login"}, may: append([]string{"authz", "record"}, ground...)},
	{name: "passwords", packages: []string{"password"}, may: append([]string{"github.com/ccojocar/zxcvbn-go/data"}, ground...)},
	{name: "codes of authenticators", packages: []string{"totp"}, may: []string{std, "github.com/pquerna/otp"}},
	{name: "what mails are", packages: []string{"mail", "mail/letter"}, may: []string{std, goX, "fault", "mail"}},
	{name: "apps are erased later", packages: []string{"app"}, may: append([]string{"name", "task"}, ground...)},
	{name: "token's own file may sign JWTs", packages: []string{"token"}, files: []string{"token.go"},
		may: append([]string{jwtLib}, ground...)},
	{name: "users have names and profiles", packages: []string{"user"}, may: append([]string{"name", "profile"}, ground...)},
	{name: "the rest of a domain knows no edge, no database and no other domain",
		packages: []string{"apikey", "app", "connection", "guess", "media", "message", "seal", "task", "token"}, may: ground},

	{name: "the edges that Lambda calls", packages: []string{"api", "socket", "session"},
		may: append([]string{lambdaType, humaLib, "api", "socket", "cursor", "authz", "input", "plainjson", "strictjson", "app", "connection", "login", "message", "token"}, ground...)},
	{name: "who is calling", packages: []string{"authn"}, may: append([]string{"authz", "apikey", "login", "token", "user"}, ground...)},
	{name: "what belongs to no resource", packages: []string{"root"}, may: []string{std, "api", "fault"}},
	{name: "cursors", packages: []string{"cursor"}, may: ground},
	{name: "checks of input", packages: []string{"input", "strictjson"}, may: []string{std, humaLib, jsonLib, "fault"}},

	{name: "AWS from the environment", packages: []string{"awsenv"}, may: []string{std, awsSDK}},
	{name: "what all stores share", packages: []string{"table"}, may: []string{std, awsSDK, "awsenv", "fault"}},
	{name: "a store knows its own domain; the stores of credentials and of groups meet others' items",
		packages: []string{"*db"}, may: []string{std, goX, awsSDK, "table", "fault", "id", "clock", "authz", "authz/authzdb", "apikey", "apikey/apikeydb", "login", "login/logindb", "message", "message/messagedb", "profile", "record", "record/recorddb", "user", "user/userdb"}},
	{name: "the other sides of AWS", packages: []string{"push", "invoke", "queue", "bucket", "mail/mailses", "seal/sealkms"},
		may: []string{std, awsSDK, "awsenv", "fault", "connection", "plainjson", "seal"}},
	{name: "notices join what they tell of with those who are told", packages: []string{"notice"},
		may: append([]string{"account", "apikey", "app", "mail"}, ground...)},
	{name: "routes of users' erasure", packages: []string{"erase"}, files: []string{"routes.go"}, may: append([]string{"api"}, ground...)},
	{name: "erasure goes through every table", packages: []string{"erase"}, may: append([]string{"app", "media", "task"}, ground...)},
	{name: "routes of imports", packages: []string{"userimport"}, files: []string{"routes.go"}, may: append([]string{"api", "cursor", "input", "profile"}, ground...)},
	{name: "imports register users", packages: []string{"userimport"}, may: append([]string{"profile", "task", "user"}, ground...)},
	{name: "routes of broadcasts", packages: []string{"broadcast"}, files: []string{"routes.go"}, may: append([]string{"api", "cursor", "message"}, ground...)},
	{name: "broadcasts send messages to users", packages: []string{"broadcast"}, may: append([]string{"message", "task", "user"}, ground...)},
	{name: "the wiring", packages: []string{"wire"}, may: []string{std, goX, lambdaType, lambdaRun, awsSDK, anyShared}},
}

func TestSharedPackagesImportOnlyWhatTheirLayerMay(t *testing.T) {
	for _, s := range sources(t, "shared") {
		name := strings.TrimPrefix(s.folder(), "shared/")
		layer := layerOf(name, s.name())
		if layer == nil {
			t.Errorf("%s: package %s is in no layer; say in imports_test.go what it may import", s.path, name)
			continue
		}
		for _, imported := range s.imports() {
			if !layer.allows(name, imported) {
				t.Errorf("%s imports %s; rule: %s", s.path, imported, layer.name)
			}
		}
	}
}

func layerOf(name, file string) *layer {
	for i, l := range layers {
		fits := slices.ContainsFunc(l.packages, func(pattern string) bool {
			// A pattern looks at the last element: connectiontest of connection/connectiontest.
			matched, _ := path.Match(pattern, path.Base(name))
			return pattern == name || strings.HasPrefix(pattern, "*") && matched
		})
		if fits && (len(l.files) == 0 || slices.Contains(l.files, file)) {
			return &layers[i]
		}
	}
	return nil
}

// allows tells whether a file of the package may import the path.
func (l layer) allows(name, imported string) bool {
	if ours, ok := strings.CutPrefix(imported, module+"shared/"); ok {
		return slices.Contains(l.may, ours) || slices.Contains(l.may, anyShared) || ours == path.Dir(name)
	}
	if folder, ok := strings.CutPrefix(imported, module); ok {
		top, _, _ := strings.Cut(folder, "/")
		return slices.Contains(l.may, top)
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return slices.Contains(l.may, std)
	}
	return slices.ContainsFunc(l.may, func(allowed string) bool {
		return imported == allowed || strings.HasPrefix(imported, allowed+"/")
	})
}

// TestRulesRefuseWhatTheyShould proves that the table bites.
func TestRulesRefuseWhatTheyShould(t *testing.T) {
	for _, forbidden := range []struct{ name, file, imported string }{
		{"user", "service.go", awsSDK + "/service/dynamodb"},
		{"user", "service.go", module + "shared/api"},
		{"user", "user.go", module + "shared/message"},
		{"message", "routes.go", awsSDK + "/aws"},
		{"user", "service.go", "github.com/google/uuid"},
		{"fault", "fault.go", module + "shared/id"},
		{"token", "routes.go", jwtLib + "/v5"},
		{"api", "api.go", awsSDK + "/aws"},
		{"wire", "wire.go", module + "local/run"},
		{"message/messagedb", "log.go", module + "shared/api"},
		{"message/messagedb", "log.go", module + "shared/connection"},
	} {
		if layerOf(forbidden.name, forbidden.file).allows(forbidden.name, forbidden.imported) {
			t.Errorf("%s/%s may import %s", forbidden.name, forbidden.file, forbidden.imported)
		}
	}
}

// functionMay is what a function's main may import: it only wires.
var functionMay = []string{std, lambdaRun, anyShared, "docs"}

// maxMainLines bounds a function's main.go.
const maxMainLines = 40

func TestFunctionsAreOneShortMain(t *testing.T) {
	files := map[string]int{}
	for _, s := range sources(t, "functions") {
		files[s.folder()]++
		if s.name() != "main.go" || strings.Count(s.path, "/") != 2 {
			t.Errorf("%s: a function is functions/<name>/main.go and nothing else", s.path)
		}
		if lines := strings.Count(read(t, s.path), "\n"); lines > maxMainLines {
			t.Errorf("%s has %d lines; a main only wires, in at most %d", s.path, lines, maxMainLines)
		}
		for _, imported := range s.imports() {
			if !(layer{may: functionMay}).allows("", imported) {
				t.Errorf("%s imports %s; a main only wires what shared/ has", s.path, imported)
			}
		}
	}
	if len(files) == 0 {
		t.Error("no functions found")
	}
}
