package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
)

// owner implements Authenticator: every credential is an owner's.
type owner struct{}

func (owner) Key(context.Context, string, authz.Request) (authz.Caller, error) {
	return authz.Caller{Developer: "dev_1", Rights: authz.Rights{Kind: authz.Developers, Base: authz.RoleSet(authz.Owner)}}, nil
}

func (o owner) Token(ctx context.Context, text string, request authz.Request) (authz.Caller, error) {
	return o.Key(ctx, text, request)
}

func (o owner) Session(ctx context.Context, text string, request authz.Request) (authz.Caller, error) {
	return o.Key(ctx, text, request)
}

func (owner) Note(context.Context, authz.Caller, authz.Asked) {}

type gone struct{ Body struct{} }

type removal struct {
	Limit  int    `query:"limit"`
	Reason string `query:"reason" maxLength:"20"`
	Order  string `query:"order" enum:"asc,desc"`
	At     Moment `query:"at"`
}

// removing returns an edge with one operation that has no body, and what reached it last.
func removing() (*API, *removal) {
	edge, last := New(owner{}, Log{}), &removal{}
	Register(edge, Operation{ID: "remove", Method: http.MethodDelete, Path: "/things", Permission: authz.AppsManage, Status: http.StatusOK},
		func(_ context.Context, _ authz.Caller, in *removal) (*gone, error) {
			*last = *in
			return &gone{}, nil
		})
	return edge, last
}

func remove(edge *API, query, body string) (status int, problem Problem) {
	request := httptest.NewRequest(http.MethodDelete, "/things", strings.NewReader(body))
	request.URL.RawQuery = query
	request.Header.Set("Authorization", "Bearer ts_any")
	recorder := httptest.NewRecorder()
	edge.ServeHTTP(recorder, request)
	if err := json.Unmarshal(recorder.Body.Bytes(), &problem); err != nil {
		panic(err)
	}
	return recorder.Code, problem
}

// A query is as strict as a body: nothing in it is dropped, chosen or mended.
func TestQueriesAreStrict(t *testing.T) {
	for query, want := range map[string]struct {
		code   fault.Code
		field  string
		detail string
	}{
		"":                                       {},
		"limit=1&reason=a%20b+c%26%3B&order=asc": {},
		"reason=%E5%A5%BD":                       {},
		"&limit=1&&reason=x&":                    {},
		"limit=1&limit=2":                        {fault.FieldDuplicate, "limit", "twice"},
		"limit=1&limit=1":                        {fault.FieldDuplicate, "limit", "twice"},
		"limit=1&lim%69t=2":                      {fault.FieldDuplicate, "limit", "twice"},
		"limit&limit":                            {fault.FieldDuplicate, "limit", "twice"},
		"limit=%zz":                              {fault.FieldInvalid, "limit", "not allowed"},
		"reason=100%":                            {fault.FieldInvalid, "reason", "not allowed"},
		"%zz=1":                                  {fault.FieldInvalid, "%zz", "not allowed"},
		";":                                      {fault.FieldInvalid, ";", "not allowed"},
		"limit=1;order=asc":                      {fault.FieldInvalid, "limit", "not allowed"},
		"limit=1&reason=%00":                     {fault.TextInvalid, "", "at byte 8"},
		"reason=a\x00":                           {fault.TextInvalid, "", "at byte 0"},
		"reason=%ff":                             {fault.TextInvalid, "", "at byte 0"},
		"reason=\xff":                            {fault.TextInvalid, "", "at byte 0"},
		"reason=%ED%A0%80":                       {fault.TextInvalid, "", "at byte 0"},
		"%00=1":                                  {fault.TextInvalid, "", "at byte 0"},
		"reason=" + strings.Repeat("%E5%A5%BD", 21): {fault.FieldTooLong, "reason", "20"},
		"color=red":     {fault.FieldUnknown, "color", "no field"},
		"order=up":      {fault.FieldInvalid, "order", "It is one of: asc, desc."},
		"at=yesterday":  {fault.FieldType, "at", "expected: RFC 3339 date-time."},
		"at=2096-03-14": {fault.FieldType, "at", "expected: RFC 3339 date-time."},
	} {
		edge, _ := removing()
		status, problem := remove(edge, query, "")
		if problem.Code != want.code || (status == http.StatusOK) != (want.code == "") || !strings.Contains(problem.Detail, want.detail) {
			t.Errorf("%q: %d %+v", query, status, problem)
		}
		if want.field != "" && (len(problem.Errors) != 1 || problem.Errors[0].Field != want.field) {
			t.Errorf("%q: %+v, want one about %q", query, problem.Errors, want.field)
		}
	}
}

// Whoever writes into a body what stands in the query elsewhere is told so.
func TestBodiesThatNobodyReads(t *testing.T) {
	for body, want := range map[string]fault.Code{
		"": "", " \n": "", "{}": "", `{"api_key": "ts_any"}`: "",
		`{"reason": "x"}`: fault.FieldUnknown, `{"api_key": "ts_any", "limit": 1}`: fault.FieldUnknown, `{"": null}`: fault.FieldUnknown,
		"[]": fault.BodyNotObject, "nope": fault.BodyNotJSON, `{"a": 1, "a": 1}`: fault.FieldDuplicate,
	} {
		edge, _ := removing()
		if status, problem := remove(edge, "", body); problem.Code != want || (status == http.StatusOK) != (want == "") {
			t.Errorf("%q: %d %+v", body, status, problem)
		}
	}
}

// The zero time is one that was sent.
func TestMoment(t *testing.T) {
	edge, last := removing()
	for query, want := range map[string]Moment{
		"": {}, "at=": {}, "at=0001-01-01T00:00:00Z": {Sent: true},
		"at=2096-03-14T20:00:00.5%2B08:00": {Time: time.Date(2096, 3, 14, 12, 0, 0, 500_000_000, time.UTC), Sent: true},
	} {
		if status, problem := remove(edge, query, ""); status != http.StatusOK || last.At.Sent != want.Sent || !last.At.Time.Equal(want.Time) {
			t.Errorf("%q: %+v, %+v", query, last.At, problem)
		}
	}
	for _, each := range edge.OpenAPI().Paths["/things"].Delete.Parameters {
		if each.Name == "at" && (each.Schema.Type != "string" || each.Schema.Format != "date-time") {
			t.Errorf("described as %+v", each.Schema)
		}
	}
}
