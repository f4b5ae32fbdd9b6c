package recordapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/api/apitest"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordapi"
	"github.com/tokenim/tokenim/shared/record/recordtest"
	"github.com/tokenim/tokenim/shared/seal/sealtest"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// world is an app and an account with records in both logs.
type world struct {
	edge *api.API
	app  id.App
	logs *recordtest.Logs
	// ofApp and ofAccount are the logs.
	ofApp, ofAccount record.Log
}

func newWorld() *world {
	w := &world{app: id.Source{}.App(), logs: recordtest.NewLogs()}
	account := id.Source{}.Account()
	w.ofApp, w.ofAccount = record.OfApp(w.app), record.OfAccount(account)
	caller := authz.Caller{App: w.app, Developer: id.Source{}.Developer(), Account: account, Role: authz.Auditor,
		Rights: authz.Rights{Kind: authz.Developers, Base: authz.RoleSet(authz.Auditor)}}
	w.edge = api.New(apitest.Everybody{Caller: caller}, api.Log{})
	recordapi.Routes(w.edge, w.logs, sealtest.NewKeyring())
	return w
}

func (w *world) fill(log record.Log, count int) {
	for i := range count {
		w.logs.Add(recordtest.Example(log, storetest.Noon().Add(time.Duration(i)*time.Minute), i))
	}
}

func (w *world) do(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, path, strings.NewReader(""))
	request.Header.Set("Authorization", "Bearer ts_any")
	recorder := httptest.NewRecorder()
	w.edge.ServeHTTP(recorder, request)
	return recorder
}

// get decodes the answer of what succeeds.
func get[T any](t *testing.T, w *world, path string) (answer T) {
	t.Helper()
	recorder := w.do(t, path)
	if recorder.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", path, recorder.Code, recorder.Body)
	}
	storetest.OK(t, "decode the answer", json.Unmarshal(recorder.Body.Bytes(), &answer))
	return answer
}

func (w *world) refused(t *testing.T, want fault.Code, path string) {
	t.Helper()
	var problem struct{ Code fault.Code }
	recorder := w.do(t, path)
	storetest.OK(t, "decode the answer", json.Unmarshal(recorder.Body.Bytes(), &problem))
	if problem.Code != want {
		t.Errorf("%s: %s, want %s", path, recorder.Body, want)
	}
}

type page = api.Page[recordapi.Audit]

// pages follows the cursors.
func (w *world) pages(t *testing.T, path string) (all []recordapi.Audit) {
	t.Helper()
	cursor := ""
	for range 100 {
		answer := get[page](t, w, path+"&cursor="+url.QueryEscape(cursor))
		all = append(all, answer.Items...)
		if cursor = answer.NextCursor; cursor == "" {
			return all
		}
	}
	t.Fatal("no end")
	return nil
}

func TestListShowsEverything(t *testing.T) {
	w := newWorld()
	made := recordtest.Example(w.ofApp, storetest.Noon(), 2)
	made.Before = json.RawMessage(`{"a":[1,"<"]}`)
	w.logs.Add(made)
	answer := get[map[string]any](t, w, "/records")
	item := answer["items"].([]any)[0].(map[string]any)
	want := map[string]any{"record_id": item["record_id"], "at": "2096-03-14T12:00:00.123Z", "action": "key.created", "actor": "dev_0",
		"source": "203.0.113.7", "subject": "u_1", "permissions": []any{"messages:send", "users:list"}, "reason": "because, \"so\"",
		"before": map[string]any{"a": []any{1.0, "<"}}, "after": map[string]any{"number": 2.0}}
	if !reflect.DeepEqual(item, want) {
		t.Errorf("%v\nwant %v", item, want)
	}
}

func TestList(t *testing.T) {
	w := newWorld()
	w.fill(w.ofApp, 60)
	w.fill(w.ofAccount, 7)
	for path, want := range map[string]int{
		"/records?limit=7": 60, "/records?limit=100&order=asc": 60, "/account/records?limit=2": 7,
		"/records?limit=5&subject=u_1": 20, "/records?limit=5&actor=dev_1&order=asc": 30, "/records?limit=5&action=key.created": 20,
		"/records?limit=5&permission=users:list": 20, "/records?limit=5&subject=u_1&actor=dev_1": 10, "/records?limit=5&subject=u_9": 0,
		"/records?until=0001-01-01T00:00:00Z": 0, "/records?until=0001-01-01T00:00:01Z": 0, "/records?limit=5&from=0001-01-01T00:00:00Z": 60,
		"/records?limit=5&from=2096-03-14T12:10:00Z":                                       50,
		"/records?limit=5&from=2096-03-14T20:10:00%2B08:00&until=2096-03-14T12:20:00.123Z": 10,
	} {
		all := w.pages(t, path)
		if len(all) != want {
			t.Errorf("%s: %d records, want %d", path, len(all), want)
		}
		for i := range max(1, len(all)) - 1 {
			if all[i+1].At.After(all[i].At) != strings.Contains(path, "asc") {
				t.Errorf("%s: %s comes before %s", path, all[i].At, all[i+1].At)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld()
	w.fill(w.ofApp, 9)
	for query, want := range map[string]fault.Code{
		"action=key.stolen": fault.FieldInvalid, "permission=everything": fault.FieldInvalid, "order=up": fault.FieldInvalid,
		"from=yesterday": fault.FieldType, "until=2096-03-14": fault.FieldType, "subject=" + strings.Repeat("u", 129): fault.FieldTooLong,
		"color=red": fault.FieldUnknown, "cursor=x": fault.CursorInvalid,
	} {
		for _, path := range []string{"/records", "/records/export", "/account/records", "/account/records/export"} {
			w.refused(t, want, path+"?"+query)
		}
	}
	w.refused(t, fault.FieldInvalid, "/records/export?format=xml")
	w.refused(t, fault.CursorInvalid, "/records/verify?cursor=x")
	w.refused(t, fault.FieldUnknown, "/records/verify?subject=u_1")
}

// Nobody has to guess which actions there are to look for.
func TestActionsAreDescribed(t *testing.T) {
	w := newWorld()
	for _, path := range []string{"/records", "/records/export", "/account/records", "/account/records/export"} {
		var described []any
		for _, parameter := range w.edge.OpenAPI().Paths[path].Get.Parameters {
			if parameter.Name == "action" {
				described = parameter.Schema.Enum
			}
		}
		if len(described) != len(record.Actions) {
			t.Errorf("%s: %d actions, want %d", path, len(described), len(record.Actions))
		}
		for _, each := range record.Actions {
			get[page](t, w, "/account/records?action="+string(each))
			if !slices.Contains(described, any(string(each))) {
				t.Errorf("%s: %s is not described", path, each)
			}
		}
	}
}

// A cursor is good for its own list, filter and order.
func TestCursorsBelongToTheirList(t *testing.T) {
	w := newWorld()
	w.fill(w.ofApp, 9)
	next := url.QueryEscape(get[page](t, w, "/records?limit=2&actor=dev_1").NextCursor)
	get[page](t, w, "/records?limit=3&actor=dev_1&cursor="+next)
	for _, path := range []string{"/records?limit=2", "/records?actor=dev_0", "/records?actor=dev_1&order=asc", "/records?actor=dev_1&subject=u_1",
		"/records?actor=dev_1&from=2096-03-14T12:00:00Z", "/records/export?actor=dev_1", "/records/verify?", "/account/records?actor=dev_1"} {
		w.refused(t, fault.CursorInvalid, path+"&cursor="+next)
	}
}

// Cursors of all accounts are sealed under one secret; each is good in its own account all the same.
func TestCursorsBelongToTheirAccount(t *testing.T) {
	logs, keyring := recordtest.NewLogs(), sealtest.NewKeyring()
	var worlds [2]*world
	for i := range worlds {
		account := id.Source{}.Account()
		caller := authz.Caller{Developer: id.Source{}.Developer(), Account: account,
			Rights: authz.Rights{Kind: authz.Developers, Base: authz.RoleSet(authz.Auditor)}}
		worlds[i] = &world{edge: api.New(apitest.Everybody{Caller: caller}, api.Log{}), logs: logs, ofAccount: record.OfAccount(account)}
		recordapi.Routes(worlds[i].edge, logs, keyring)
	}
	worlds[0].fill(worlds[0].ofAccount, 5_001)
	next := url.QueryEscape(get[page](t, worlds[0], "/account/records").NextCursor)
	worlds[1].refused(t, fault.CursorInvalid, "/account/records?cursor="+next)
	next = url.QueryEscape(get[verification](t, worlds[0], "/account/records/verify").NextCursor)
	get[verification](t, worlds[0], "/account/records/verify?cursor="+next)
	worlds[1].refused(t, fault.CursorInvalid, "/account/records/verify?cursor="+next)
}

func TestPermissions(t *testing.T) {
	for _, role := range []authz.Role{authz.Member, authz.Bot} {
		w := newWorld()
		caller := authz.Caller{App: w.app, Key: "key_x", Rights: authz.Rights{Kind: authz.Keys, Base: authz.RoleSet(role)}}
		w.edge = api.New(apitest.Everybody{Caller: caller}, api.Log{})
		recordapi.Routes(w.edge, w.logs, sealtest.NewKeyring())
		for _, path := range []string{"/records", "/records/export", "/records/verify", "/account/records", "/account/records/export", "/account/records/verify"} {
			w.refused(t, fault.PermissionDenied, path)
		}
	}
}

// export joins the parts of an export.
func (w *world) export(t *testing.T, path string) (text string, parts int) {
	t.Helper()
	cursor := ""
	for {
		recorder := w.do(t, path+"&cursor="+url.QueryEscape(cursor))
		if recorder.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, recorder.Code, recorder.Body)
		}
		parts++
		text += recorder.Body.String()
		if cursor = recorder.Header().Get("X-Next-Cursor"); cursor == "" {
			return text, parts
		}
	}
}

func TestExport(t *testing.T) {
	w := newWorld()
	w.fill(w.ofApp, 30)
	w.fill(w.ofAccount, 3)
	for path, want := range map[string]struct {
		lines             int
		contentType, file string
	}{
		"/records/export?order=asc":             {30, "application/x-ndjson", "records.ndjson"},
		"/records/export?format=csv":            {31, "text/csv; charset=utf-8", "records.csv"},
		"/records/export?format=csv&actor=none": {1, "text/csv; charset=utf-8", "records.csv"},
		"/records/export?actor=none":            {0, "application/x-ndjson", "records.ndjson"},
		"/account/records/export?format=ndjson": {3, "application/x-ndjson", "records.ndjson"},
	} {
		recorder := w.do(t, path)
		header := recorder.Header()
		if got := strings.Count(recorder.Body.String(), "\n"); got != want.lines || header.Get("Content-Type") != want.contentType ||
			header.Get("Content-Disposition") != `attachment; filename="`+want.file+`"` || header.Get("X-Next-Cursor") != "" {
			t.Errorf("%s: %d lines, %v\n%s", path, got, header, recorder.Body)
		}
	}
}

// A log of more than an answer takes comes in parts that can be joined: by number, and by size.
func TestExportInParts(t *testing.T) {
	w := newWorld()
	w.fill(w.ofApp, 5_003)
	for format, extra := range map[string]int{"ndjson": 0, "csv": 1} {
		text, parts := w.export(t, "/records/export?format="+format)
		if got := strings.Count(text, "\n"); got != 5_003+extra || parts != 2 {
			t.Errorf("%s: %d lines in %d parts", format, got, parts)
		}
	}
	seen := map[string]bool{}
	for i := range 40 {
		made := recordtest.Example(w.ofAccount, storetest.Noon(), i)
		made.Reason = fmt.Sprint(i) + strings.Repeat("x", 200_000)
		w.logs.Add(made)
	}
	text, parts := w.export(t, "/account/records/export?order=asc")
	for line := range strings.Lines(text) {
		var each recordapi.Audit
		storetest.OK(t, "decode", json.Unmarshal([]byte(line), &each))
		seen[each.RecordID] = true
	}
	if len(seen) != 40 || strings.Count(text, "\n") != 40 || parts != 3 {
		t.Errorf("%d records in %d lines and %d parts", len(seen), strings.Count(text, "\n"), parts)
	}
}

type verification struct {
	OK         bool
	Checked    int
	Chains     []recordapi.ChainState
	NextCursor string `json:"next_cursor"`
}

func TestVerifyRoute(t *testing.T) {
	w := newWorld()
	w.fill(w.ofApp, 5_100)
	w.fill(w.ofAccount, 1)
	first := get[verification](t, w, "/records/verify")
	second := get[verification](t, w, "/records/verify?cursor="+url.QueryEscape(first.NextCursor))
	if !first.OK || first.Checked != 5_000 || !second.OK || second.Checked != 100 || second.NextCursor != "" {
		t.Errorf("%+v, then %+v", first, second)
	}
	last := second.Chains[len(second.Chains)-1]
	head, err := w.logs.Head(t.Context(), w.ofApp, record.Chains-1)
	if err != nil || last.Chain != record.Chains-1 || last.Records != head.Seq || last.Head != head.Hash.String() || !last.OK {
		t.Errorf("%+v, want %s", last, head)
	}
	account := get[verification](t, w, "/account/records/verify")
	if !account.OK || account.Checked != 1 || len(account.Chains) != record.Chains {
		t.Errorf("the account's: %+v", account)
	}
	w.refused(t, fault.CursorInvalid, "/account/records/verify?cursor="+url.QueryEscape(first.NextCursor))
}

// broken is a store whose third chain has lost its records.
type broken struct{ *recordtest.Logs }

func (b broken) Chain(ctx context.Context, log record.Log, chain int, after int64, limit int) ([]record.Entry, error) {
	if chain == 3 {
		return nil, nil
	}
	return b.Logs.Chain(ctx, log, chain, after, limit)
}

func TestVerifyRouteTellsWhatIsWrong(t *testing.T) {
	w := newWorld()
	w.fill(w.ofApp, 40)
	edge := api.New(apitest.Everybody{Caller: authz.Caller{App: w.app, Key: "key_x", Rights: authz.Rights{Kind: authz.Keys, Base: authz.RoleSet(authz.Auditor)}}}, api.Log{})
	recordapi.Routes(edge, broken{w.logs}, sealtest.NewKeyring())
	w.edge = edge
	answer := get[verification](t, w, "/records/verify")
	for _, each := range answer.Chains {
		if each.OK != (each.Chain != 3) || each.Chain == 3 && (each.BrokenAt != "rec_3_1" || each.Problem != record.Missing) {
			t.Errorf("%+v", each)
		}
	}
	if answer.OK || len(answer.Chains) != record.Chains {
		t.Errorf("%+v", answer)
	}
}
