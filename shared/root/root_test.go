package root_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/root"
)

// newEdge returns the routes on an edge whose description has one path.
func newEdge(t *testing.T) *api.API {
	t.Helper()
	edge := api.New(nil, api.Log{})
	if err := root.Routes(edge, []byte(`{"paths":{"/keys/{id}":{"get":{},"delete":{}}}}`)); err != nil {
		t.Fatal(err)
	}
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

func TestRoutesNeedsADescription(t *testing.T) {
	if root.Routes(api.New(nil, api.Log{}), []byte("no JSON")) == nil {
		t.Error("a description that is no JSON was taken")
	}
}
