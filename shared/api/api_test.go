package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
)

// colours counts how often an operation that has them is built.
type colours struct{}

var built atomic.Int32

func (colours) Choices() []string {
	built.Add(1)
	return []string{"red", "blue"}
}

type painting struct {
	Colour OneOf[colours] `query:"colour" maxLength:"8"`
}

// painted returns an edge with two operations.
func painted() *API {
	edge := New(owner{}, Log{})
	for _, path := range []string{"/doors", "/walls"} {
		Register(edge, Operation{ID: path[1:], Method: http.MethodGet, Path: path, Permission: authz.AppsManage, Status: http.StatusOK},
			func(context.Context, authz.Caller, *painting) (*gone, error) { return &gone{}, nil })
	}
	return edge
}

// ask returns the status of a GET, and what is wrong with it.
func ask(t *testing.T, edge *API, target string) (status int, problem Problem) {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, target, nil)
	request.Header.Set("Authorization", "Bearer ts_any")
	recorder := httptest.NewRecorder()
	edge.ServeHTTP(recorder, request)
	if err := json.Unmarshal(recorder.Body.Bytes(), &problem); err != nil {
		t.Error(err)
	}
	return recorder.Code, problem
}

// A cold start pays for the one operation that it is for, however many the function has.
func TestOperationsAreBuiltWhenAskedFor(t *testing.T) {
	built.Store(0)
	edge := painted()
	if n := built.Load(); n != 0 {
		t.Fatalf("%d were built before anybody asked", n)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if status, problem := ask(t, edge, "/doors?colour=red"); status != http.StatusOK {
				t.Errorf("%d %+v", status, problem)
			}
		})
	}
	group.Wait()
	if n := built.Load(); n != 1 {
		t.Errorf("%d were built for requests of one", n)
	}
	if described := edge.OpenAPI().Paths; len(described) != 2 || built.Load() != 3 {
		t.Errorf("%d are described, %d were built in all", len(described), built.Load())
	}
	if status, problem := ask(t, edge, "/windows"); status != http.StatusNotFound || problem.Code != fault.RouteNotFound {
		t.Errorf("%d %+v", status, problem)
	}
}

func TestOneOf(t *testing.T) {
	edge := painted()
	for query, code := range map[string]fault.Code{"": "", "?colour=blue": "", "?colour=green": fault.FieldInvalid, "?colour=Red": fault.FieldInvalid} {
		if _, problem := ask(t, edge, "/walls"+query); problem.Code != code {
			t.Errorf("%q: %+v", query, problem)
		}
	}
	if described := edge.OpenAPI().Paths["/walls"].Get.Parameters[0].Schema; !slices.Equal(described.Enum, []any{"red", "blue"}) {
		t.Errorf("described as %+v", described)
	}
}
