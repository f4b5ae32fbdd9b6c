// Package root answers what belongs to no resource: the API's description, its status, the page behind the links in mails,
// and unknown routes.
package root

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/fault"
)

// Routes adds the routes to the edge. description is the OpenAPI document, in JSON; it is read when an unknown route is asked for:
// that would be half of what a cold start costs.
func Routes(edge *api.API, description []byte) {
	parsed := sync.OnceValues(func() (table, error) { return parse(description) })
	edge.HandleFunc("GET /status", status)
	edge.HandleFunc("GET /link", link)
	edge.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(description) // whoever hung up needs no answer
	})
	edge.Fallback(func(w http.ResponseWriter, r *http.Request) {
		routes, err := parsed()
		if err != nil {
			api.Refuse(w, r, fault.Wrap(err, fault.Internal))
			return
		}
		methods := routes.methods(r.URL.Path)
		if len(methods) == 0 {
			api.Refuse(w, r, fault.New(fault.RouteNotFound))
			return
		}
		allowed := strings.Join(methods, ", ")
		w.Header().Set("Allow", allowed)
		api.Refuse(w, r, fault.New(fault.MethodNotAllowed, allowed))
	})
}

// status says that the platform answers.
func status(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"status":"ok","version":"` + api.Version + `"}` + "\n"))
}

// table has the methods of each path of the description.
type table map[string][]string

func parse(description []byte) (table, error) {
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(description, &document); err != nil {
		return nil, err
	}
	routes := table{"/status": {"GET"}, "/openapi.json": {"GET"}, "/link": {"GET"}}
	for path, operations := range document.Paths {
		for method := range operations {
			routes[path] = append(routes[path], strings.ToUpper(method))
		}
		slices.Sort(routes[path])
	}
	return routes, nil
}

// methods returns the methods that the path takes, none for an unknown path.
func (t table) methods(path string) []string {
	for pattern, methods := range t {
		if matches(strings.Split(pattern, "/"), strings.Split(path, "/")) {
			return methods
		}
	}
	return nil
}

func matches(pattern, path []string) bool {
	return slices.EqualFunc(pattern, path, func(expected, part string) bool {
		return strings.HasPrefix(expected, "{") && part != "" || expected == part
	})
}
