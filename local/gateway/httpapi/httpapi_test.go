package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/local/gateway/httpapi"
	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/template"
)

var update = flag.Bool("update", false, "write the golden files")

// function is an Invoker that keeps the event and gives a fixed answer.
type function struct {
	event  []byte
	name   string
	answer string
	failed string
	err    error
}

func (f *function) Invoke(_ context.Context, name string, payload []byte) (lambda.Result, error) {
	f.name, f.event = name, payload
	return lambda.Result{Payload: []byte(f.answer), FunctionError: f.failed}, f.err
}

var routes = []template.Route{
	{Method: "ANY", Path: "$default", Function: "Default"},
	{Method: "GET", Path: "/users/{id}", Function: "User"},
	{Method: "ANY", Path: "/users/{id}", Function: "AnyUser"},
	{Method: "GET", Path: "/users/me", Function: "Me"},
	{Method: "GET", Path: "/{proxy+}", Function: "Proxy"},
	{Method: "POST", Path: "/users/{id}/rooms/{room}/read", Function: "Read"},
}

var cors = &template.CORS{AllowOrigins: []string{"https://app.example"}, AllowMethods: []string{"GET", "POST"},
	AllowHeaders: []string{"authorization"}, ExposeHeaders: []string{"x-request-id"}, MaxAge: 60}

func serve(t *testing.T, f *function, cors *template.CORS) string {
	t.Helper()
	api := httpapi.New(&template.HTTPAPI{ID: "api", CORS: cors, Routes: routes}, f, slog.New(slog.DiscardHandler))
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return server.URL
}

// ask sends a request and returns the answer with its body.
func ask(t *testing.T, method, url string, body io.Reader, header http.Header) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

// volatile are the parts of an event that differ from run to run.
var volatile = regexp.MustCompile(`("(?:host|x-forwarded-port|requestId|time|timeEpoch|x-amzn-trace-id)": )("[^"]*"|\d+)`)

func TestEventsAreThoseOfPayloadFormat2(t *testing.T) {
	for name, c := range map[string]struct {
		method, path, body string
		header             http.Header
	}{
		"get":    {"GET", "/users/an%20n?a=1&b=2&a=%C3%A9&empty=", "", http.Header{"Cookie": {"s=1; t=2", "u=3"}, "X-Two": {"one", "two"}, "User-Agent": {"test"}}},
		"json":   {"POST", "/users/u1/rooms/r1/read", `{"text":"hé"}`, http.Header{"Content-Type": {"application/json; charset=utf-8"}, "User-Agent": {"test"}}},
		"binary": {"PUT", "/anything", "\xff\xfe", http.Header{"Content-Type": {"text/plain"}, "User-Agent": {"test"}}},
		"form":   {"POST", "/form", "a=1", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {"test"}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &function{answer: `{"statusCode":200}`}
			ask(t, c.method, serve(t, f, nil)+c.path, strings.NewReader(c.body), c.header)
			golden(t, "testdata/"+name+".json", f.event)
		})
	}
}

func golden(t *testing.T, path string, event []byte) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, event, "", "  "); err != nil {
		t.Fatal(err)
	}
	got := volatile.ReplaceAllString(indented.String()+"\n", `$1"-"`)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it):\n%s", path, got)
	}
}

func TestTheMostSpecificRouteWins(t *testing.T) {
	f := &function{answer: `{"statusCode":200}`}
	base := serve(t, f, nil)
	for request, want := range map[string]string{
		"GET /users/me": "Me", "GET /users/u1": "User", "DELETE /users/u1": "AnyUser", "GET /users": "Proxy",
		"GET /users/u1/x": "Proxy", "POST /users/u1/rooms/r/read": "Read", "POST /nothing": "Default", "GET /": "Default",
		"POST //users/u1/rooms/r/read": "Read",
	} {
		method, path, _ := strings.Cut(request, " ")
		ask(t, method, base+path, nil, nil)
		if f.name != want {
			t.Errorf("%s goes to %s, want %s", request, f.name, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		answer, failed string
		err            error
		status         int
		body, kind     string
	}{
		"full":         {`{"statusCode":201,"headers":{"Content-Type":"text/html"},"body":"hi"}`, "", nil, 201, "hi", "text/html"},
		"base64":       {`{"statusCode":200,"body":"aGk=","isBase64Encoded":true}`, "", nil, 200, "hi", "text/plain;charset=utf-8"},
		"any JSON":     {`{"a":1}`, "", nil, 200, `{"a":1}`, "application/json"},
		"string":       {`"x"`, "", nil, 200, `"x"`, "application/json"},
		"bad status":   {`{"statusCode":99}`, "", nil, 500, `{"message":"Internal Server Error"}` + "\n", "application/json"},
		"bad form":     {`{"statusCode":"x","body":3}`, "", nil, 500, `{"message":"Internal Server Error"}` + "\n", "application/json"},
		"failed":       {`{"errorMessage":"secret"}`, "Unhandled", nil, 500, `{"message":"Internal Server Error"}` + "\n", "application/json"},
		"too slow":     {``, "", fmt.Errorf("wait: %w", context.DeadlineExceeded), 503, `{"message":"Service Unavailable"}` + "\n", "application/json"},
		"too large":    {``, "", lambda.ErrTooLarge, 413, `{"message":"Request Entity Too Large"}` + "\n", "application/json"},
		"out of order": {``, "", errors.New("broken"), 500, `{"message":"Internal Server Error"}` + "\n", "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := ask(t, "GET", serve(t, &function{answer: c.answer, failed: c.failed, err: c.err}, nil)+"/", nil, nil)
			if response.StatusCode != c.status || body != c.body || response.Header.Get("Content-Type") != c.kind {
				t.Errorf("%d %q %q", response.StatusCode, body, response.Header.Get("Content-Type"))
			}
			if len(response.Header.Get("apigw-requestid")) != 16 {
				t.Errorf("apigw-requestid = %q", response.Header.Get("apigw-requestid"))
			}
		})
	}
}

func TestCookiesAreSetOneByOne(t *testing.T) {
	f := &function{answer: `{"statusCode":200,"cookies":["a=1; Path=/","b=2"],"headers":{"x-n":3}}`}
	response, _ := ask(t, "GET", serve(t, f, nil)+"/", nil, nil)
	if got := response.Header.Values("Set-Cookie"); len(got) != 2 || got[1] != "b=2" {
		t.Errorf("Set-Cookie = %v", got)
	}
	if got := response.Header.Get("X-N"); got != "3" {
		t.Errorf("x-n = %q", got)
	}
}

// The address that counts is the peer's. What a client claims stays in the header, before it, as on AWS.
func TestTheSourceIsThePeer(t *testing.T) {
	f := &function{answer: `{"statusCode":200}`}
	ask(t, "GET", serve(t, f, nil)+"/", nil, http.Header{"X-Forwarded-For": {"203.0.113.7", "198.51.100.1"}, "Forwarded": {"for=203.0.113.7"}, "X-Real-Ip": {"203.0.113.7"}})
	var event struct {
		Headers        map[string]string
		RequestContext struct{ HTTP struct{ SourceIP string } }
	}
	if err := json.Unmarshal(f.event, &event); err != nil {
		t.Fatal(err)
	}
	if source := event.RequestContext.HTTP.SourceIP; source != "127.0.0.1" {
		t.Errorf("sourceIp = %q", source)
	}
	if got := event.Headers["x-forwarded-for"]; got != "203.0.113.7,198.51.100.1, 127.0.0.1" {
		t.Errorf("x-forwarded-for = %q", got)
	}
}

func TestABodyOver10MBIsRefused(t *testing.T) {
	f := &function{}
	response, _ := ask(t, "POST", serve(t, f, nil)+"/", bytes.NewReader(make([]byte, httpapi.MaxBody+1)), nil)
	if response.StatusCode != http.StatusRequestEntityTooLarge || f.event != nil {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestUnknownRouteWithoutADefault(t *testing.T) {
	api := httpapi.New(&template.HTTPAPI{Routes: routes[1:2]}, &function{}, slog.New(slog.DiscardHandler))
	recorder := httptest.NewRecorder()
	api.ServeHTTP(recorder, httptest.NewRequest("POST", "/users/u1", nil))
	if recorder.Code != 404 || recorder.Body.String() != `{"message":"Not Found"}`+"\n" {
		t.Errorf("%d %s", recorder.Code, recorder.Body)
	}
}

func TestCORS(t *testing.T) {
	f := &function{answer: `{"statusCode":200,"headers":{"access-control-allow-origin":"*","x-request-id":"r"}}`}
	base := serve(t, f, cors)
	preflight := http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"POST"}}
	response, _ := ask(t, "OPTIONS", base+"/users/u1", nil, preflight)
	h := response.Header
	if response.StatusCode != 204 || f.event != nil || h.Get("Access-Control-Allow-Origin") != "https://app.example" ||
		h.Get("Access-Control-Allow-Methods") != "GET,POST" || h.Get("Access-Control-Allow-Headers") != "authorization" || h.Get("Access-Control-Max-Age") != "60" {
		t.Errorf("preflight: %d %v", response.StatusCode, h)
	}
	response, _ = ask(t, "GET", base+"/", nil, http.Header{"Origin": {"https://app.example"}})
	if h := response.Header; h.Get("Access-Control-Allow-Origin") != "https://app.example" || h.Get("Access-Control-Expose-Headers") != "x-request-id" {
		t.Errorf("request: %v", h)
	}
	response, _ = ask(t, "GET", base+"/", nil, http.Header{"Origin": {"https://evil.example"}})
	if got := response.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("another origin is allowed as %q", got)
	}
}

// Without AllowCredentials no page of another origin may read an answer to a request with cookies, whatever a function says.
func TestCORSAllowsCredentialsOnlyWhereConfigured(t *testing.T) {
	f := &function{answer: `{"statusCode":200,"headers":{"access-control-allow-credentials":"true"}}`}
	for want, allowed := range map[string]bool{"": false, "true": true} {
		configured := *cors
		configured.AllowCredentials = allowed
		base := serve(t, f, &configured)
		for method, header := range map[string]http.Header{
			"OPTIONS": {"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"POST"}}, "GET": {"Origin": {"https://app.example"}},
		} {
			response, _ := ask(t, method, base+"/", nil, header)
			if got := response.Header.Get("Access-Control-Allow-Credentials"); got != want {
				t.Errorf("%s, configured %v: %q", method, allowed, got)
			}
		}
	}
}
