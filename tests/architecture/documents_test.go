package architecture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
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

func TestAuthorizationDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Authorization / 授权\n\n" + made)
	b.WriteString(authorizationText)
	b.WriteString("\n## Roles / 角色\n\n| role | what for / 用途 |\n|---|---|\n")
	for _, role := range authz.BuiltIns {
		fmt.Fprintf(&b, "| `%s` | %s<br>%s |\n", role.Role, cell(role.EN), role.ZH)
	}
	b.WriteString("\n## Permissions / 权限\n\n| permission | allows / 说明 |" + roleHeads())
	for _, entry := range authz.Catalogue {
		star := ""
		if entry.InGroup() {
			star = " *"
		}
		fmt.Fprintf(&b, "| `%s`%s | %s<br>%s |%s\n", entry.Permission, star, entry.EN, entry.ZH, byRole(entry.Permission, authz.Developers|authz.Keys|authz.Users))
	}
	b.WriteString("\n## What each operation asks for / 各操作所需权限\n\n| operation | permission |" + roleHeads())
	asked := askedPermissions(t)
	for _, key := range slices.Sorted(maps.Keys(asked)) {
		kinds := authz.Developers | authz.Keys | authz.Users
		if _, overSocket := strings.CutPrefix(key, socketPrefix); overSocket {
			kinds = authz.Users // there is no socket without a user token
		}
		fmt.Fprintf(&b, "| `%s` | `%s` |%s\n", key, asked[key], byRole(asked[key], kinds))
	}
	golden(t, "docs/authorization.md", b.String())
}

// authorizationText says how a decision is made and how the tables are read.
const authorizationText = "Default is deny. What is denied explicitly is denied, whatever allows it. `GET /authorizations/explain` says who may do what, and why; " +
	"the guide shows it all in use: [English](guide-authorization.md), [中文](guide-authorization.zh-CN.md).\n\n" +
	"- A **developer** has the role of a member of the account (owner, admin, auditor); in an app, which the header X-App-Id names.\n" +
	"- An **API key** has its scopes, and the roles and permissions that it was granted.\n" +
	"- A **user** has the default roles of the app (member, unless the app says otherwise), and what it was granted. " +
	"A user token does what its user may, for its own user; what reaches beyond the user's own data, only if the key that minted the token may do it too.\n" +
	"- Whoever acts for a user (`from` of `POST /send`, `{id}` of `/users/{id}/…`) needs that both may, for what users can do themselves.\n" +
	"- Nobody grants what they do not have themselves, for good. What a user has for its own data only, it hands on to users alone, never to a key; " +
	"what somebody is denied in one group, they do not hand on for the whole app.\n\n" +
	"默认拒绝；显式拒绝优先于一切允许。`GET /authorizations/explain` 可说明谁能做什么以及原因。" +
	"**开发者**拥有其在账户中的角色；**API 密钥**拥有其 scopes 及被授予的角色和权限；**用户**拥有应用的默认角色（默认为 member）及被授予的权限。" +
	"用户令牌不会超出其用户的权限；超出本人数据的操作还要求签发该令牌的密钥也拥有该权限。代表用户操作时，双方都须拥有相应权限。任何人都不能授予自身并非长期拥有的权限；用户仅对本人数据拥有的权限只能转授给用户，不能转授给密钥；在某个群组中被拒绝的权限，不能在整个应用范围内转授。\n\n" +
	"In the tables, **D** is a developer with the role in the account, **K** a key and **U** a user with the role and nothing else; " +
	"**u** is a user whose token was minted by a key that has the permission too. Whoever is named may; nobody else. A permission with a * can be granted and denied in one group too.\n\n" +
	"表中 **D** 为在账户中拥有该角色的开发者，**K** 为仅拥有该角色的密钥，**U** 为仅拥有该角色的用户，**u** 表示签发其令牌的密钥也须拥有该权限。带 * 的权限也可在单个群组中授予和拒绝。\n"

func roleHeads() string {
	heads, line := "", "|---|---|"
	for _, role := range authz.BuiltIns {
		heads += fmt.Sprintf(" %s |", role.Role)
		line += "---|"
	}
	return heads + "\n" + line + "\n"
}

// byRole returns the cells of the roles: who of the kinds may with the role and nothing else.
func byRole(permission authz.Permission, kinds authz.Kind) string {
	var cells strings.Builder
	for _, role := range authz.BuiltIns {
		fmt.Fprintf(&cells, " %s |", strings.Join(holders(role.Role, permission, kinds), " "))
	}
	return cells.String()
}

func holders(role authz.Role, permission authz.Permission, kinds authz.Kind) (who []string) {
	entry, _ := authz.Lookup(permission)
	if permission == authz.Public {
		return []string{"all"}
	}
	user := "U"
	if entry.Beyond {
		user = "u"
	}
	has := role.Set().Has(permission)
	for _, holder := range []struct {
		kind authz.Kind
		name string
		may  bool
	}{{authz.Developers, "D", authz.RoleMay(role, permission)}, {authz.Keys, "K", has}, {authz.Users, user, has}} {
		if holder.may && kinds&entry.Holders&holder.kind != 0 {
			who = append(who, holder.name)
		}
	}
	return who
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
		if entry.Holders == 0 {
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
	// What sends asks for these where the receiver is a group, and where it mentions all there.
	used = append(used, string(authz.GroupsSend), string(authz.GroupsMentionAll))
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
// routes, of the rows of an import, and those that stand for more exact ones.
var unannounced = []fault.Code{fault.ActionMissing, fault.ActionUnknown, fault.FrameNotJSON, fault.MethodNotAllowed,
	fault.OriginNotAllowed, fault.RouteNotFound, fault.TicketUsed, fault.UsernameDuplicate}

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

// TestWhatIsNotAllowedHasAReason: fault.Wrong asks for one.
func TestWhatIsNotAllowedHasAReason(t *testing.T) {
	for _, s := range sources(t, "shared") {
		if s.folder() == "shared/fault" {
			continue
		}
		ast.Inspect(s.file, func(node ast.Node) bool {
			pair, ok := node.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			if code, ok := pair.Value.(*ast.SelectorExpr); ok && code.Sel.Name == "FieldInvalid" {
				t.Errorf("%s: a field is refused without a reason: use fault.Wrong", s.path)
			}
			return true
		})
	}
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
