package root_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tokenim/tokenim/docs"
	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/root"
)

// newEdge returns the routes on an edge whose description has one path.
func newEdge(t *testing.T) *api.API {
	t.Helper()
	edge := api.New(nil, api.Log{})
	root.Routes(edge, []byte(`{"paths":{"/keys/{id}":{"get":{},"delete":{}}}}`))
	return edge
}

func ask(t *testing.T, method, path string) *http.Response {
	t.Helper()
	recorder := httptest.NewRecorder()
	newEdge(t).ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return recorder.Result()
}

func TestRoutes(t *testing.T) {
	for _, test := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/status", http.StatusOK, ""},
		{"GET", "/openapi.json", http.StatusOK, ""},
		{"GET", "/link", http.StatusOK, ""},
		{"POST", "/link", http.StatusMethodNotAllowed, "GET"},
		{"POST", "/keys/key_1", http.StatusMethodNotAllowed, "DELETE, GET"},
		{"GET", "/keys/", http.StatusNotFound, ""},
		{"GET", "/nothing", http.StatusNotFound, ""},
	} {
		answer := ask(t, test.method, test.path)
		if answer.StatusCode != test.status || answer.Header.Get("Allow") != test.allow {
			t.Errorf("%s %s = %d, Allow %q; want %d, %q", test.method, test.path, answer.StatusCode,
				answer.Header.Get("Allow"), test.status, test.allow)
		}
	}
}

// TestOurDescriptionIsRead: what is read at the first unknown route has to be readable then.
func TestOurDescriptionIsRead(t *testing.T) {
	edge := api.New(nil, api.Log{})
	root.Routes(edge, docs.OpenAPI)
	for path, want := range map[string]int{"/send": http.StatusMethodNotAllowed, "/absent": http.StatusNotFound} {
		for range 2 {
			recorder := httptest.NewRecorder()
			edge.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodDelete, path, nil))
			if recorder.Code != want {
				t.Errorf("DELETE %s = %d, want %d", path, recorder.Code, want)
			}
		}
	}
}
