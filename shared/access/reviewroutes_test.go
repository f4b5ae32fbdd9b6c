package access_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/api/apitest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// reviewer reads the routes of the review.
type reviewer struct{ edge *api.API }

func (s *scene) reviewer(caller authz.Caller) reviewer {
	edge := api.New(apitest.Everybody{Caller: caller}, api.Log{})
	access.ReviewRoutes(edge, s.Service, sealtest.NewKeyring())
	return reviewer{edge}
}

func (r reviewer) get(t *testing.T, path string, query url.Values) (int, map[string]any) {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, path+"?"+query.Encode(), strings.NewReader(""))
	request.Header.Set("X-Api-Key", "any")
	recorder := httptest.NewRecorder()
	r.edge.ServeHTTP(recorder, request.WithContext(api.WithSource(t.Context(), "203.0.113.7")))
	var answer map[string]any
	storetest.OK(t, "decode the answer", json.Unmarshal(recorder.Body.Bytes(), &answer))
	delete(answer, "$schema")
	return recorder.Code, answer
}

func (r reviewer) must(t *testing.T, path string, query url.Values) map[string]any {
	t.Helper()
	status, answer := r.get(t, path, query)
	if status != http.StatusOK {
		t.Fatalf("%s %v: %d %v", path, query, status, answer)
	}
	return answer
}

const explainPath, reviewPath = "/authorizations/explain", "/authorizations/review"

func TestExplainRoute(t *testing.T) {
	s := newScene()
	r := s.reviewer(s.owner())
	user := s.user()
	given := s.grant(t, access.Wish{Subject: user, Permissions: []string{"groups:manage"}, Group: string(someGroup), Reason: "on duty"})
	query := url.Values{"subject": {user}, "permission": {"groups:manage"}, "resource": {string(someGroup)}}
	want := map[string]any{"subject": user, "permission": "groups:manage", "resource": string(someGroup), "at": "2096-03-14T12:00:00.123Z",
		"decision": "allow", "via": "grant", "since": "2096-03-14T12:00:00.123Z", "by": sceneOwner, "reason": "on duty", "needs_key": true,
		"grant": map[string]any{"grant_id": string(given.ID), "subject": user, "effect": "allow", "permissions": []any{"groups:manage"},
			"group": string(someGroup), "created_at": "2096-03-14T12:00:00.123Z", "created_by": sceneOwner, "reason": "on duty"}}
	for _, at := range []string{"", "2096-03-14T12:00:00.123Z", "2096-03-14T20:00:00.1234+08:00"} {
		query.Set("at", at)
		if got := r.must(t, explainPath, query); !reflect.DeepEqual(got, want) {
			t.Errorf("at %q\n got %v\nwant %v", at, got, want)
		}
	}
	for _, whole := range []string{"", "app"} {
		query.Set("resource", whole)
		if got := r.must(t, explainPath, query); got["decision"] != "deny" || got["resource"] != "app" || got["via"] != "default_deny" {
			t.Errorf("resource %q: %v", whole, got)
		}
	}
}

func TestExplainRouteRefuses(t *testing.T) {
	s := newScene()
	r := s.reviewer(s.owner())
	user := s.user()
	for _, test := range []struct {
		subject, permission, resource, at string
		want                              fault.Code
		field                             string
	}{
		{"u_0000000000000000000009", "users:list", "app", "", fault.SubjectNotFound, "subject"},
		{user, "users:eat", "app", "", fault.PermissionUnknown, "permission"},
		{user, "users:list", "g_1", "", fault.FieldInvalid, "resource"},
		{user, "users:list", "app", "yesterday", fault.FieldType, "at"},
		{user, "users:list", "app", "2096-03-14", fault.FieldType, "at"},
		{user, "users:list", "app", "2096-03-14T12:00:00.124Z", fault.FieldInvalid, "at"},
		{user, "users:list", "app", "0001-01-01T00:00:00Z", fault.FieldInvalid, "at"},
		{"", "users:list", "app", "", fault.FieldMissing, "subject"},
	} {
		query := url.Values{"permission": {test.permission}, "resource": {test.resource}, "at": {test.at}}
		if test.subject != "" {
			query.Set("subject", test.subject)
		}
		_, got := r.get(t, explainPath, query)
		if got["code"] != string(test.want) || !strings.Contains(fmt.Sprint(got["errors"]), test.field) {
			t.Errorf("%+v: %v", test, got)
		}
	}
	weak := s.reviewer(authz.Caller{App: s.app, Key: "key_1", Rights: authz.Rights{Kind: authz.Keys, Base: authz.SetOf(authz.GrantsManage)}})
	for _, path := range []string{explainPath, reviewPath} {
		if _, got := weak.get(t, path, url.Values{"subject": {user}, "permission": {"users:list"}}); got["code"] != string(fault.PermissionDenied) {
			t.Errorf("%s without grants:read: %v", path, got)
		}
	}
}

func TestReviewRoute(t *testing.T) {
	s := newScene()
	r := s.reviewer(s.owner())
	keys := map[string]bool{s.key("messages:send"): true, s.key("users:list"): true, s.key("keys:read"): true}
	s.clock.Advance(90 * day)
	query := url.Values{"limit": {"2"}}
	first := r.must(t, reviewPath, query)
	query.Set("cursor", first["next_cursor"].(string))
	second := r.must(t, reviewPath, query)
	items := append(first["items"].([]any), second["items"].([]any)...)
	for _, each := range items {
		item := each.(map[string]any)
		if !keys[item["subject"].(string)] || fmt.Sprint(item["findings"]) != "[unused_permissions]" || item["grants"] == nil {
			t.Errorf("item = %v", item)
		}
		delete(keys, item["subject"].(string))
	}
	if len(items) != 3 || second["next_cursor"] != nil {
		t.Errorf("%d items, then %v", len(items), second["next_cursor"])
	}
	query.Set("unused_days", "91") // the cursor is one of another list
	if _, got := r.get(t, reviewPath, query); got["code"] != string(fault.CursorInvalid) {
		t.Errorf("a cursor of another review: %v", got)
	}
	query.Del("cursor")
	if got := r.must(t, reviewPath, query); strings.Contains(fmt.Sprint(got), "unused_permissions") {
		t.Errorf("unused for 91 days: %v", got)
	}
	for _, days := range []string{"0", "3651", "many"} {
		query.Set("unused_days", days)
		if status, got := r.get(t, reviewPath, query); status != http.StatusUnprocessableEntity {
			t.Errorf("unused_days %s: %v", days, got)
		}
	}
}
