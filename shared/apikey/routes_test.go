package apikey_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/api/apitest"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// routes are the operations as a caller meets them.
type routes struct {
	*fixture
	edge *api.API
}

// as returns the routes for the caller.
func (f *fixture) as(caller authz.Caller) *routes {
	caller.App = f.maker.App
	edge := api.New(apitest.Everybody{Caller: caller}, api.Log{})
	apikey.Routes(edge, f.Service, nil)
	return &routes{f, edge}
}

// asDeveloper returns them for an admin of the account.
func (f *fixture) asDeveloper() *routes {
	return f.as(authz.Caller{Developer: id.Developer(f.maker.By), Role: authz.Admin,
		Rights: authz.Rights{Kind: authz.Developers, Base: authz.Admin.Set() & authz.HeldBy(authz.Developers)}})
}

// requestSource is where the requests of these tests come from.
const requestSource = "203.0.113.7"

// do sends a request and returns the answer's status and body.
func (r *routes) do(t *testing.T, method, path, body string) (int, map[string]any) {
	t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body)).WithContext(api.WithSource(t.Context(), requestSource))
	request.Header.Set("X-Api-Key", "any")
	recorder := httptest.NewRecorder()
	r.edge.ServeHTTP(recorder, request)
	var answer map[string]any
	storetest.OK(t, "decode the answer", json.Unmarshal(recorder.Body.Bytes(), &answer))
	return recorder.Code, answer
}

// must is do for what succeeds.
func (r *routes) must(t *testing.T, status int, method, path, body string) map[string]any {
	t.Helper()
	got, answer := r.do(t, method, path, body)
	if got != status {
		t.Fatalf("%s %s: %d %v, want %d", method, path, got, answer, status)
	}
	return answer
}

func (r *routes) refused(t *testing.T, want fault.Code, method, path, body string) map[string]any {
	t.Helper()
	_, answer := r.do(t, method, path, body)
	if answer["code"] != string(want) {
		t.Errorf("%s %s %s: %v, want %s", method, path, body, answer, want)
	}
	return answer
}

func TestRoutesShowEverything(t *testing.T) {
	f := setUp()
	r := f.asDeveloper()
	made := r.must(t, http.StatusCreated, http.MethodPost, "/keys",
		`{"name": "backend", "scopes": ["messages:send"], "allowed_cidrs": ["203.0.113.9/24", "::1"], "expires_at": "2096-03-24T12:00:00Z"}`)
	path := "/keys/" + made["key_id"].(string)
	storetest.OK(t, "Used", f.store.Used(t.Context(), f.maker.App, id.Key(made["key_id"].(string)), storetest.Noon(), storetest.Noon(), "203.0.113.7"))
	next := r.must(t, http.StatusCreated, http.MethodPost, path+"/rotate", `{}`)
	old := r.must(t, http.StatusOK, http.MethodGet, path, "")
	want := map[string]any{"key_id": made["key_id"], "name": "backend", "scopes": []any{"messages:send"},
		"allowed_cidrs": []any{"203.0.113.0/24", "::1/128"}, "created_at": "2096-03-14T12:00:00.123Z", "created_by": f.maker.By,
		"expires_at": "2096-03-15T12:00:00.123Z", "rotated_at": "2096-03-14T12:00:00.123Z", "rotated_to": next["key_id"],
		"last_used_at": "2096-03-14T12:00:00.123Z", "last_used_from": "203.0.113.7"}
	delete(old, "$schema")
	if !reflect.DeepEqual(old, want) {
		t.Errorf("the old key = %v\nwant %v", old, want)
	}
	if next["rotated_from"] != made["key_id"] || next["api_key"] == nil || made["api_key"] == nil {
		t.Errorf("made %v, then %v", made, next)
	}
}

// An overlap of 0 is one, and not what is meant where nothing is said.
func TestRotateRouteWithoutOverlap(t *testing.T) {
	f := setUp()
	r := f.asDeveloper()
	made := r.must(t, http.StatusCreated, http.MethodPost, "/keys", `{"name": "backend", "scopes": ["messages:send"]}`)
	path := "/keys/" + made["key_id"].(string)
	r.refused(t, fault.FieldRange, http.MethodPost, path+"/rotate", `{"overlap_seconds": -1}`)
	r.refused(t, fault.FieldRange, http.MethodPost, path+"/rotate", `{"overlap_seconds": 2592001}`)
	r.refused(t, fault.FieldType, http.MethodPost, path+"/rotate", `{"overlap_seconds": "0"}`)
	r.must(t, http.StatusCreated, http.MethodPost, path+"/rotate", `{"overlap_seconds": 0}`)
	if old := r.must(t, http.StatusOK, http.MethodGet, path, ""); old["revoked_at"] == nil {
		t.Errorf("the old key = %v", old)
	}
	r.refused(t, fault.KeyRotated, http.MethodPost, path+"/rotate", `{}`)
}

func TestRoutesRefuse(t *testing.T) {
	f := setUp()
	r := f.asDeveloper()
	for body, want := range map[string]fault.Code{
		`{"name": "k", "scopes": ["nothing:do"]}`:                                                                   fault.ScopeUnknown,
		`{"name": "k", "scopes": ["apps:manage"]}`:                                                                  fault.ScopeUnknown,
		`{"name": "k", "scopes": ["messages:send"], "allowed_cidrs": ["::1", "nowhere"]}`:                           fault.CIDRInvalid,
		`{"name": "k", "scopes": ["messages:send"], "allowed_cidrs": [` + strings.Repeat(`"::1",`, 20) + `"::1"]}`:  fault.FieldTooLong,
		`{"name": "k", "scopes": ["messages:send"], "expires_at": "0001-01-01T00:00:00Z"}`:                          fault.FieldInvalid,
		`{"name": "k", "scopes": ["messages:send"], "expires_at": "0001-01-01T00:00:00.0001Z"}`:                     fault.FieldInvalid,
		`{"name": "k", "scopes": ["messages:send"], "expires_at": "` + storetest.Noon().Format(time.RFC3339) + `"}`: fault.FieldInvalid,
		`{"name": "k", "scopes": ["messages:send"], "app_id": "app_0000000000000000"}`:                              fault.FieldUnknown,
	} {
		r.refused(t, want, http.MethodPost, "/keys", body)
	}
	foreign := string(id.Source{}.Key(id.Source{}.App()))
	for _, keyID := range []string{foreign, string(id.Source{}.Key(f.maker.App)), "app", "key_"} {
		r.refused(t, fault.KeyNotFound, http.MethodGet, "/keys/"+keyID, "")
		r.refused(t, fault.KeyNotFound, http.MethodDelete, "/keys/"+keyID, "")
		r.refused(t, fault.KeyNotFound, http.MethodPost, "/keys/"+keyID+"/rotate", `{}`)
	}
}

// A year of five digits, as an offset from UTC makes one, can be stored and never be written out again: every list with
// the key in it would fail.
func TestRoutesRefuseTimesBeyondTheCalendar(t *testing.T) {
	f := setUp()
	r := f.asDeveloper()
	const beyond = `"expires_at": "9999-12-31T23:59:59-23:59"`
	r.refused(t, fault.FieldInvalid, http.MethodPost, "/keys", `{"name": "k", "scopes": ["messages:send"], `+beyond+`}`)
	made := r.must(t, http.StatusCreated, http.MethodPost, "/keys", `{"name": "k", "scopes": ["messages:send"], "expires_at": "9999-12-31T23:59:59.999Z"}`)
	path := "/keys/" + made["key_id"].(string)
	r.refused(t, fault.FieldInvalid, http.MethodPost, path+"/rotate", `{`+beyond+`}`)
	r.must(t, http.StatusCreated, http.MethodPost, path+"/rotate", `{}`)
	if listed := r.must(t, http.StatusOK, http.MethodGet, "/keys", ""); len(listed["items"].([]any)) != 2 {
		t.Errorf("listed %v", listed)
	}
}

// Looking and changing are two permissions.
func TestRoutesAskForPermissions(t *testing.T) {
	f := setUp()
	key, _ := f.create(t, request(""))
	reader := f.as(authz.Caller{Key: key.ID, Rights: apikey.RightsOf([]string{string(authz.KeysRead)})})
	path := "/keys/" + string(key.ID)
	reader.must(t, http.StatusOK, http.MethodGet, path, "")
	reader.refused(t, fault.PermissionDenied, http.MethodDelete, path, "")
	reader.refused(t, fault.PermissionDenied, http.MethodPost, path+"/rotate", `{}`)
	reader.refused(t, fault.PermissionDenied, http.MethodPost, "/keys", `{"name": "k", "scopes": ["messages:send"]}`)
	manager := f.as(authz.Caller{Key: key.ID, Rights: apikey.RightsOf([]string{string(authz.KeysManage)})})
	manager.refused(t, fault.PermissionDenied, http.MethodGet, path, "")
	manager.refused(t, fault.PermissionDenied, http.MethodGet, "/keys", "")
}

// A key's own bounds are its record's; a developer has none.
func TestRoutesKnowTheirMaker(t *testing.T) {
	f := setUp()
	bound, _ := f.create(t, apikey.Request{Name: "bound", Scopes: f.maker.Scopes, Sources: sources("203.0.113.0/24"), ExpiresAt: storetest.Noon().Add(time.Hour)})
	byKey := f.as(authz.Caller{Key: bound.ID, Rights: bound.Rights})
	byKey.refused(t, fault.SourcesExceedKey, http.MethodPost, "/keys", `{"name": "k", "scopes": ["messages:send"], "allowed_cidrs": []}`)
	byKey.refused(t, fault.ExpiryExceedsKey, http.MethodPost, "/keys", `{"name": "k", "scopes": ["messages:send"], "expires_at": "2097-01-01T00:00:00Z"}`)
	byKey.refused(t, fault.ScopeExceedsKey, http.MethodPost, "/keys", `{"name": "k", "scopes": ["users:list"]}`)
	made := byKey.must(t, http.StatusCreated, http.MethodPost, "/keys", `{"name": "k", "scopes": ["messages:send"]}`)
	if made["created_by"] != string(bound.ID) || made["expires_at"] != "2096-03-14T13:00:00.123Z" || !reflect.DeepEqual(made["allowed_cidrs"], []any{"203.0.113.0/24"}) {
		t.Errorf("made %v", made)
	}
	free := f.asDeveloper().must(t, http.StatusCreated, http.MethodPost, "/keys", `{"name": "k", "scopes": ["users:list"]}`)
	if free["created_by"] != f.maker.By || free["expires_at"] != nil || free["allowed_cidrs"] != nil {
		t.Errorf("made %v", free)
	}
}
