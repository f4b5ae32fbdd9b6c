package app_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/api/apitest"
	"github.com/tokenim/tokenim/shared/app"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/seal"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// routes are the operations as a developer meets them.
type routes struct {
	*world
	keyring *seal.Keyring
	caller  authz.Caller
}

// as returns the routes for a member of the world's account who has just logged in.
func (w *world) as(role authz.Role) *routes {
	return &routes{w, seal.NewKeyring(sealtest.NewStore(), sealtest.NewWrapper(), w.clock), authz.Caller{Developer: id.Source{}.Developer(),
		Account: w.account, Role: role, Rights: authz.Rights{Kind: authz.Developers, Base: role.Set() & authz.HeldBy(authz.Developers)},
		ConfirmedAt: w.clock.Now()}}
}

// do sends a request and returns the answer's status and body.
func (r *routes) do(t *testing.T, method, path, body string, headers ...string) (int, map[string]any) {
	t.Helper()
	edge := api.New(apitest.Everybody{Caller: r.caller}, api.Log{})
	app.Routes(edge, r.service, r.keyring)
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer ts_any")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	edge.ServeHTTP(recorder, request)
	var answer map[string]any
	storetest.OK(t, "decode "+recorder.Body.String(), json.Unmarshal(recorder.Body.Bytes(), &answer))
	return recorder.Code, answer
}

// want sends a request and checks the status and, of a refusal, the code.
func (r *routes) want(t *testing.T, status int, code, method, path, body string, headers ...string) map[string]any {
	t.Helper()
	got, answer := r.do(t, method, path, body, headers...)
	if got != status || code != "" && answer["code"] != code {
		t.Fatalf("%s %s %s: %d %v, want %d %s", method, path, body, got, answer, status, code)
	}
	return answer
}

func TestRoutes(t *testing.T) {
	r := newWorld(t).as(authz.Admin)
	made := r.want(t, 201, "", "POST", "/apps", `{"name": "Chat", "allowed_origins": ["https://Chat.example.com"]}`, "Idempotency-Key", "r1")
	text, _ := made["app_id"].(string)
	wantMade := map[string]any{"app_id": text, "name": "Chat", "allowed_origins": []any{"https://chat.example.com"}, "blocked_senders": "tell",
		"created_at": storetest.Noon().Format(time.RFC3339Nano)}
	if !reflect.DeepEqual(made, wantMade) || !id.IsApp(text) {
		t.Errorf("made %v, want %v", made, wantMade)
	}
	again := r.want(t, 201, "", "POST", "/apps", `{"name": "Chat", "allowed_origins": ["https://chat.example.com"]}`, "Idempotency-Key", "r1")
	if !reflect.DeepEqual(again, made) {
		t.Errorf("again = %v", again)
	}
	r.want(t, 409, "idempotency_conflict", "POST", "/apps", `{"name": "Other"}`, "Idempotency-Key", "r1")
	for body, want := range map[string]string{
		`{"name": "Room"}`: `Room [https://chat.example.com]`,
		`{}`:               `Room [https://chat.example.com]`,
		`{"name": null, "allowed_origins": null}`:                   `Room [https://chat.example.com]`,
		`{"allowed_origins": []}`:                                   `Room []`,
		`{"name": "聊天", "allowed_origins": ["http://localhost:*"]}`: `聊天 [http://localhost:*]`,
	} {
		r.want(t, 200, "", "PATCH", "/apps/"+text, `{"name": "Room", "allowed_origins": ["https://chat.example.com"]}`)
		changed := r.want(t, 200, "", "PATCH", "/apps/"+text, body)
		if got := fmt.Sprint(changed["name"], " ", changed["allowed_origins"]); got != want {
			t.Errorf("PATCH %s = %s, want %s", body, got, want)
		}
		if found := r.want(t, 200, "", "GET", "/apps/"+text, ""); !reflect.DeepEqual(found, changed) {
			t.Errorf("GET = %v, want %v", found, changed)
		}
	}
	deleted := r.want(t, 200, "", "DELETE", "/apps/"+text, "")
	if deleted["deleted_at"] == nil || deleted["erase_at"] != storetest.Noon().Add(week).Format(time.RFC3339Nano) {
		t.Errorf("deleted %v", deleted)
	}
	r.want(t, 403, "app_deleted", "PATCH", "/apps/"+text, `{"name": "Room"}`)
	if restored := r.want(t, 200, "", "POST", "/apps/"+text+"/restore", ""); restored["deleted_at"] != nil || restored["erase_at"] != nil {
		t.Errorf("restored %v", restored)
	}
	r.want(t, 409, "app_not_deleted", "POST", "/apps/"+text+"/restore", "")
}

func TestRoutesRefuse(t *testing.T) {
	r := newWorld(t).as(authz.Owner)
	path := "/apps/" + r.app.ID.String()
	for body, code := range map[string]string{
		`{}`:           "field_missing",
		`{"name": ""}`: "field_too_short",
		`{"name": "` + strings.Repeat("a", 65) + `"}`: "field_too_long",
		`{"name": "a\u202eb"}`:                        "field_invalid",
		`{"name": " "}`:                               "field_invalid",
		`{"name": null}`:                              "field_type",
		`{"name": "a", "app_id": "app_1"}`:            "field_unknown",
		`{"name": "a", "allowed_origins": [1]}`:       "field_type",
		`{"name": "a", "allowed_origins": ["*"]}`:     "origin_invalid",
		`{"name": "a", "allowed_origins": [` + strings.Repeat(`"https://a",`, 20) + `"https://a"]}`: "field_too_long",
	} {
		r.want(t, 422, code, "POST", "/apps", body)
		if code != "field_missing" && !strings.Contains(body, `"name": null`) { // which changes nothing
			r.want(t, 422, code, "PATCH", path, body)
		}
	}
	for _, text := range []string{"x", "app_", id.Source{}.App().String(), "app_0000000000000000", "account", "%00", "..%2F", strings.Repeat("a", 5000)} {
		for _, call := range [][2]string{{"GET", ""}, {"PATCH", ""}, {"DELETE", ""}, {"POST", "/restore"}} {
			body := map[string]string{"PATCH": "{}"}[call[0]]
			if status, answer := r.do(t, call[0], "/apps/"+text+call[1], body); status != 404 || answer["code"] != "app_not_found" && answer["code"] != "route_not_found" {
				t.Errorf("%s of %.20q: %d %v", call[0], text, status, answer)
			}
		}
	}
	other := newWorld(t)
	other.service = r.service
	theirs := other.as(authz.Owner)
	theirs.want(t, 404, "app_not_found", "GET", path, "")
	theirs.want(t, 404, "app_not_found", "DELETE", path, "")
	if page := theirs.want(t, 200, "", "GET", "/apps", ""); len(page["items"].([]any)) != 0 {
		t.Errorf("another account lists %v", page)
	}
	r.want(t, 200, "", "GET", path, "")
}

func TestWhoMay(t *testing.T) {
	w := newWorld(t)
	path := "/apps/" + w.app.ID.String()
	auditor := w.as(authz.Auditor)
	auditor.want(t, 200, "", "GET", path, "")
	auditor.want(t, 200, "", "GET", "/apps", "")
	for _, call := range [][2]string{{"POST", "/apps"}, {"PATCH", path}, {"DELETE", path}, {"POST", path + "/restore"}} {
		auditor.want(t, 403, "permission_denied", call[0], call[1], `{"name": "Chat"}`)
	}
	late := w.as(authz.Owner)
	w.clock.Advance(time.Hour)
	late.want(t, 200, "", "PATCH", path, `{"name": "Room"}`)
	late.want(t, 403, "step_up_required", "DELETE", path, "")
	application := w.as("")
	application.caller = authz.Caller{App: w.app.ID, Key: id.Source{}.Key(w.app.ID),
		Rights: authz.Rights{Kind: authz.Keys, Base: authz.HeldBy(authz.Keys)}}
	application.want(t, 403, "permission_denied", "GET", "/apps", "")
	application.want(t, 403, "permission_denied", "DELETE", path, "")
}

func TestListPages(t *testing.T) {
	w := newWorld(t)
	want := []string{w.app.ID.String()}
	for range 6 {
		made, err := w.service.Create(t.Context(), w.account, app.Settings{Name: "Chat"}, "", record.Origin{})
		storetest.OK(t, "Create", err)
		want = append(want, made.ID.String())
	}
	slices.Sort(want)
	r, got, first := w.as(authz.Auditor), []string{}, ""
	for cursor := ""; ; {
		page := r.want(t, 200, "", "GET", "/apps?limit=3&cursor="+cursor, "")
		for _, item := range page["items"].([]any) {
			got = append(got, item.(map[string]any)["app_id"].(string))
		}
		cursor, _ = page["next_cursor"].(string)
		if first == "" {
			first = cursor
		}
		if cursor == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	stranger := *r // a cursor of one account's list opens no other's
	stranger.caller.Account = id.Source{}.Account()
	stranger.want(t, 400, "cursor_invalid", "GET", "/apps?limit=3&cursor="+first, "")
}
