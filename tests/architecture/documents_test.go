package architecture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
)

func TestOpenAPIDocument(t *testing.T) {
	text, err := json.Marshal(everything(t, refuseAll).http.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", " "); err != nil {
		t.Fatal(err)
	}
	golden(t, "docs/openapi.json", indented.String()+"\n")
}

// made heads every document that is made from the code.
const made = "<!-- Made from the code by `make docs`. -->\n\n"

func TestErrorsDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Errors / 错误码\n\n" + made)
	b.WriteString("Every refusal is a problem document with one of these codes, on HTTP and, under `error`, on the socket. " +
		"Codes never change their meaning; titles and hints may. `retryable` tells whether the same request can succeed later; " +
		"`Retry-After` then says when.\n\n" +
		"所有拒绝都以问题文档返回，并带有下列错误码之一；在连接上则位于 `error` 中。错误码的含义不会改变，标题和提示可能调整。" +
		"`retryable` 表示同一请求稍后是否可能成功，此时 `Retry-After` 给出等待时间。\n\n")
	b.WriteString("| code | status | retryable | title / 标题 | what to do / 处理办法 |\n|---|---|---|---|---|\n")
	for _, code := range fault.Codes() {
		entry := fault.Lookup(code)
		retry := ""
		if entry.Retryable {
			retry = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s<br>%s | %s<br>%s |\n", code, entry.Status, retry,
			entry.Title.EN, entry.Title.ZH, cell(entry.Hint.EN), cell(entry.Hint.ZH))
	}
	golden(t, "docs/errors.md", b.String())
}

// cell makes a text fit for a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

func TestPermissionsDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Permissions / 权限\n\n" + made)
	b.WriteString("Default is deny. An API key has the permissions among its scopes. A user token has what every end user may do, " +
		"for its own user only, whatever the scopes of the key that minted it. A developer's session has what the role in the account may do; " +
		"in an app, which the header X-App-Id names.\n\n" +
		"默认拒绝。API 密钥拥有其 scopes 中的权限；用户令牌拥有每个终端用户都有的权限，且只能代表本人，与签发它的密钥的 scopes 无关。" +
		"开发者会话拥有其在账户中的角色的权限；应用内的操作由 X-App-Id 请求头指定应用。\n\n")
	b.WriteString("| permission | allows / 说明 | as a scope of a key | every end user | owner | admin | auditor |\n|---|---|---|---|---|---|---|\n")
	for _, entry := range authz.Catalogue {
		fmt.Fprintf(&b, "| `%s` | %s<br>%s | %s | %s | %s |\n", entry.Permission, entry.EN, entry.ZH, yes(entry.Key), yes(entry.User), byRole(entry.Permission))
	}
	b.WriteString("\n## What each operation asks for / 各操作所需权限\n\n| operation | permission | API key | user token | owner | admin | auditor |\n|---|---|---|---|---|---|---|\n")
	asked := askedPermissions(t)
	for _, key := range slices.Sorted(maps.Keys(asked)) {
		permission := asked[key]
		_, overSocket := strings.CutPrefix(key, socketPrefix)
		byKey := !overSocket && slices.Contains(authz.Scopes(), string(permission))
		roles := byRole(permission)
		if overSocket {
			roles = byRole("")
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s |\n", key, permission, yes(byKey), yes(authz.UserMay(permission)), roles)
	}
	golden(t, "docs/permissions.md", b.String())
}

// byRole returns the cells of the roles.
func byRole(permission authz.Permission) string {
	var cells []string
	for _, role := range authz.Roles {
		cells = append(cells, yes(authz.RoleMay(role, permission)))
	}
	return strings.Join(cells, " | ")
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

// socketPrefix begins the name of a socket's action where it stands beside routes.
const socketPrefix = "socket "

// askedPermissions returns what every route and every action asks of its caller.
func askedPermissions(t *testing.T) map[string]authz.Permission {
	t.Helper()
	e := everything(t, refuseAll)
	asked := map[string]authz.Permission{}
	for key, operation := range e.operations() {
		asked[key] = permission(operation)
	}
	for name, action := range e.socket.Actions() {
		asked[socketPrefix+name] = action.Permission
	}
	return asked
}

func TestEveryOperationHasAPermissionAndEveryPermissionAnOperation(t *testing.T) {
	var known, used []string
	for _, entry := range authz.Catalogue {
		known = append(known, string(entry.Permission))
		if !entry.Key && !entry.User && entry.Least == "" {
			t.Errorf("nobody can have the permission %s", entry.Permission)
		}
		if entry.EN == "" || entry.ZH == "" {
			t.Errorf("the permission %s lacks a description", entry.Permission)
		}
	}
	for key, permission := range askedPermissions(t) {
		if permission == "" {
			t.Errorf("%s asks for no permission", key)
		}
		if permission != authz.Public {
			used = append(used, string(permission))
		}
	}
	same(t, "authz.Catalogue", known, "the routes and actions", used)
}

// documentedCode finds the codes in the description of a response.
var documentedCode = regexp.MustCompile("`([a-z0-9_]+)`: ")

func TestOperationsNameCodesOfTheCatalogue(t *testing.T) {
	for key, operation := range everything(t, refuseAll).operations() {
		for status, response := range operation.Responses {
			for _, match := range documentedCode.FindAllStringSubmatch(response.Description, -1) {
				code := fault.Code(match[1])
				if !slices.Contains(fault.Codes(), code) {
					t.Errorf("%s may answer %s, which is in no catalogue", key, code)
				}
				if got := fmt.Sprint(fault.Lookup(code).Status); got != status {
					t.Errorf("%s documents %s under %s; its status is %s", key, code, status, got)
				}
			}
		}
	}
}

// unannounced are the codes that no single operation announces: those of the socket, of the handshake, of unknown
// routes, and those that stand for more exact ones.
var unannounced = []fault.Code{fault.ActionMissing, fault.ActionUnknown, fault.FrameNotJSON, fault.MethodNotAllowed,
	fault.OriginNotAllowed, fault.RouteNotFound, fault.TicketUsed}

func TestEveryCodeIsAnnouncedSomewhere(t *testing.T) {
	var announced []string
	for _, operation := range everything(t, refuseAll).operations() {
		for _, response := range operation.Responses {
			for _, match := range documentedCode.FindAllStringSubmatch(response.Description, -1) {
				announced = append(announced, match[1])
			}
		}
	}
	var codes []string
	for _, code := range fault.Codes() {
		codes = append(codes, string(code))
		if slices.Contains(unannounced, code) {
			announced = append(announced, string(code))
		}
	}
	same(t, "the operations", announced, "the catalogue", codes)
}

func TestCodesSpeakBothLanguages(t *testing.T) {
	for _, code := range fault.Codes() {
		entry := fault.Lookup(code)
		for what, text := range map[string]fault.Text{"title": entry.Title, "detail": entry.Detail, "hint": entry.Hint} {
			if text.EN == "" || text.ZH == "" {
				t.Errorf("%s lacks a %s in one language", code, what)
			}
			if strings.Count(text.EN, "%") != strings.Count(text.ZH, "%") {
				t.Errorf("%s: the %s takes other arguments in Chinese", code, what)
			}
		}
	}
}
