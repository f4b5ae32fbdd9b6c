//go:build conformance

package conformance

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// accessOperations are the routes with bodies that decide who may do what, in an app of their own.
func accessOperations(t *testing.T) []operation {
	s := newScene(t)
	ann, list := registerBy(t, s.key, "ann"), []string{"users:list"}
	role := newRole(t, s.key, list, nil)
	state := func() string {
		all := ""
		for _, path := range []string{"/roles", "/authorizations/defaults", "/grants?ended=true&limit=100", "/records?limit=100"} {
			answer := get(t, s.key, path)
			wantStatus(t, answer, http.StatusOK)
			all += string(answer.Body)
		}
		return all
	}
	own := func(method, path string, valid object, wrong map[string][]any, required ...string) operation {
		return operation{method: method, path: path, by: &s.key, valid: with(valid, object{"reason": "x"}), wrong: wrong, required: required, state: state}
	}
	wish := object{"subject": ann.ID, "permissions": []string{"groups:send"}, "effect": "allow", "group": s.group(t), "until": "2100-01-01T00:00:00Z"}
	texts := func(names ...string) map[string][]any {
		wrong := map[string][]any{"reason": notText, "api_key": notText}
		for _, name := range names {
			wrong[name] = notText
		}
		return wrong
	}
	grants, roles, change, defaults, revocation := texts("subject", "effect", "group"), texts("name", "description"), texts("name", "description"), texts(), texts()
	grants["permissions"], grants["until"] = notList, notTime
	roles["permissions"], roles["denied"], change["permissions"], change["denied"] = notList, notList, notList, notList
	defaults["roles"], revocation["grant_ids"], revocation["scopes"] = notList, notList, notList
	bulk := own("", "/grants/bulk", object{"grants": []object{wish}}, map[string][]any{"grants": notList, "api_key": notText}, "grants")
	delete(bulk.valid, "reason")
	return []operation{
		own("", "/grants", wish, grants, "subject"), bulk,
		own("", "/grants/revoke", object{"grant_ids": []string{"absent"}, "scopes": []object{{"key_id": "absent", "scopes": list}}}, revocation),
		own("", "/roles", object{"name": "x", "description": "x", "permissions": list, "denied": list}, roles, "name", "permissions"),
		own(http.MethodPatch, "/roles/"+role, object{"name": "x", "description": "x", "permissions": list, "denied": list}, change),
		own(http.MethodPut, "/authorizations/defaults", object{"roles": []string{"member"}}, defaults, "roles"),
	}
}

// TestBoundsOfWhoMayDoWhat: each value out of bounds has a code of its own, and changes nothing.
func TestBoundsOfWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ann, list := registerBy(t, s.key, "ann"), []string{"users:list"}
	role := newRole(t, s.key, list, nil)
	wish := object{"subject": ann.ID, "permissions": list}
	wishes := func(n int) []object { return slices.Repeat([]object{wish}, n) }
	many := slices.Repeat(list, 65)
	before := recordsOf(t, s.key, "")
	for _, c := range []struct {
		method, path string
		body         object
		code, field  string
	}{
		{"", "/grants", with(wish, object{"subject": strings.Repeat("s", 65)}), "field_too_long", "subject"},
		{"", "/grants", with(wish, object{"subject": ""}), "subject_not_found", "subject"},
		{"", "/grants", with(wish, object{"subject": s.app}), "subject_not_found", "subject"},
		{"", "/grants", with(wish, object{"reason": strings.Repeat("好", 501)}), "field_too_long", "reason"},
		{"", "/grants", with(wish, object{"permissions": many}), "field_too_long", "permissions"},
		{"", "/grants", with(wish, object{"permissions": []any{7}}), "field_type", "permissions[0]"},
		{"", "/grants", with(wish, object{"permissions": []string{"public"}}), "permission_unknown", "permissions[0]"},
		{"", "/grants", with(wish, object{"effect": "maybe"}), "field_invalid", "effect"},
		{"", "/grants", with(wish, object{"effect": "DENY"}), "field_invalid", "effect"},
		{"", "/grants", with(wish, object{"group": ""}), "field_too_short", "group"},
		{"", "/grants", with(wish, object{"group": "everybody"}), "field_invalid", "group"},
		{"", "/grants", with(wish, object{"until": "0001-01-01T00:00:00Z"}), "field_invalid", "until"},
		{"", "/grants", with(wish, object{"permissions": nil, "role": "king"}), "role_not_found", "role"},
		{"", "/grants/bulk", object{"grants": []object{}}, "field_too_short", "grants"},
		{"", "/grants/bulk", object{"grants": wishes(101)}, "field_too_long", "grants"},
		{"", "/grants/bulk", object{"grants": []object{wish, with(wish, object{"x": 1})}}, "field_unknown", "grants[1].x"},
		{"", "/grants/bulk", object{"grants": []object{with(wish, object{"subject": nil})}}, "field_missing", "grants[0].subject"},
		{"", "/grants/revoke", object{"grant_ids": slices.Repeat([]string{"x"}, 101)}, "field_too_long", "grant_ids"},
		{"", "/grants/revoke", object{"scopes": []object{{"scopes": list}}}, "field_missing", "scopes[0].key_id"},
		{"", "/grants/revoke", object{"scopes": []object{{"key_id": "x", "scopes": []string{}}}}, "field_too_short", "scopes[0].scopes"},
		{"", "/roles", object{"name": strings.Repeat("n", 65), "permissions": list}, "field_too_long", "name"},
		{"", "/roles", object{"name": "", "permissions": list}, "field_too_short", "name"},
		{"", "/roles", object{"name": "x", "permissions": many}, "field_too_long", "permissions"},
		{"", "/roles", object{"name": "x", "permissions": list, "description": strings.Repeat("d", 501)}, "field_too_long", "description"},
		{http.MethodPatch, "/roles/" + role, object{"name": "\u202e"}, "field_invalid", "name"},
		{http.MethodPatch, "/roles/" + role, object{"denied": []string{"users:eat"}}, "permission_unknown", "denied[0]"},
		{http.MethodPut, "/authorizations/defaults", object{"roles": slices.Repeat([]string{"member"}, 11)}, "field_too_long", "roles"},
		{http.MethodPut, "/authorizations/defaults", object{"roles": []string{"member", ""}}, "role_not_found", "roles[1]"},
		{http.MethodDelete, "/roles/" + role, object{"reason": "x"}, "field_unknown", "reason"},
	} {
		answer := do(t, s.key, client.Request{Method: c.method, Path: c.path, Body: c.body})
		wantField(t, wantRefusal(t, answer, answer.Status, c.code), c.field, c.code)
	}
	for query, code := range map[string]string{"/records?limit=0": "field_out_of_range", "/records?limit=101": "field_out_of_range", "/records?order=up": "field_invalid", "/records?from=yesterday": "field_type", "/records?action=grant.invented": "field_invalid",
		"/records?until=7": "field_type", "/records?x=1": "field_unknown", "/records/export?format=xml": "field_invalid", "/records/verify?limit=1": "field_unknown", "/records?actor=" + strings.Repeat("a", 129): "field_too_long",
		"/grants?limit=x": "field_type", "/grants?ended=perhaps": "field_type", "/grants?subject=" + strings.Repeat("a", 65): "field_too_long",
		"/authorizations/review?unused_days=0": "field_out_of_range", "/authorizations/review?unused_days=3651": "field_out_of_range", "/authorizations/review?unused_days=x": "field_type"} {
		if answer := get(t, s.key, query); answer.Status != 422 || answer.Text("code") != code {
			t.Errorf("%.60s: %s wanted, not %s", query, code, answer)
		}
	}
	for query, code := range map[string]string{"limit=1&limit=2": "field_duplicate", "limit=%zz": "field_invalid", "subject=%00": "text_invalid", "subject=%ff": "text_invalid"} {
		if answer := get(t, s.key, "/grants?"+query); answer.Status/100 != 4 || answer.Text("code") != code {
			t.Errorf("%s: %s wanted, not %s", query, code, answer)
		}
	}
	for _, path := range []string{"/records", "/records/export", "/records/verify", "/grants", "/authorizations/review"} {
		wantRefusal(t, get(t, s.key, path+"?cursor=x"), http.StatusBadRequest, "cursor_invalid")
	}
	if after := recordsOf(t, s.key, ""); len(after) != len(before) {
		t.Errorf("refused changes left records: %s", lines(after))
	}
}

// TestMistypedScopesAreNotTaken: who takes a scope away that there is not is told so, and not that it is done.
func TestMistypedScopesAreNotTaken(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for _, mistyped := range []string{"users:lst", "", "apps:manage", "socket:connect"} {
		taken := []object{{"key_id": s.keyID, "scopes": []string{"users:list", mistyped}}}
		done := into[many](t, post(t, s.key, "/grants/revoke", object{"scopes": taken}))
		if len(done.Items) != 1 || done.Items[0].Status != "refused" || codeOf(done.Items[0].Error) != "scope_unknown" {
			t.Fatalf("%q: %+v", mistyped, done)
		}
		if errors := done.Items[0].Error.Errors; len(errors) != 1 || errors[0].Field != "scopes[1]" {
			t.Errorf("%q: %+v", mistyped, errors)
		}
	}
	wantStatus(t, get(t, s.key, "/users"), http.StatusOK)
}
