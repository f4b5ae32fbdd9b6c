package run

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/tokenim/tokenim/local/gateway/wsapi"
)

// callerPrefix begins the paths of the internal listener; a function's name follows, so that its calls can be counted.
const callerPrefix = "/fn/"

type callerKey struct{}

// caller is the function that makes an internal request, or "".
func caller(ctx context.Context) string {
	name, _ := ctx.Value(callerKey{}).(string)
	return name
}

// internalHandler serves the functions: /fn/<function>/ and then the path of the AWS service.
func (r *Runner) internalHandler() (http.Handler, error) {
	tables := map[string]http.Handler{}
	for _, f := range r.tpl.Functions {
		proxy, err := r.counters.Proxy(f.Name, r.dynamodb)
		if err != nil {
			return nil, err
		}
		tables[f.Name] = proxy
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		name := ""
		if rest, ok := strings.CutPrefix(req.URL.Path, callerPrefix); ok {
			name, _, _ = strings.Cut(rest, "/")
			req = req.WithContext(context.WithValue(req.Context(), callerKey{}, name))
			stripped := http.StripPrefix(callerPrefix+name, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				r.serveInternal(w, req, tables[name])
			}))
			stripped.ServeHTTP(w, req)
			return
		}
		r.serveInternal(w, req, nil)
	}), nil
}

func (r *Runner) serveInternal(w http.ResponseWriter, req *http.Request, tables http.Handler) {
	switch {
	case strings.HasPrefix(req.URL.Path, "/dynamodb") && tables != nil:
		tables.ServeHTTP(w, req)
	case r.sockets != nil && wsapi.IsManagement(req):
		r.sockets.ServeManagement(w, req)
	case strings.HasPrefix(req.URL.Path, "/2015-03-31/"):
		r.host.ServeHTTP(w, req)
	default:
		http.NotFound(w, req)
	}
}

// ownPages serves /_local on the public listener:
//
//	GET  /_local/stats        counters, see meter.Snapshot
//	POST /_local/stats/reset  sets them to zero
//	GET  /_local/connections  the IDs of the open sockets
//	POST /_local/faults       see Faults
//	POST /_local/clock        {"advance_seconds": n} moves the clock of the sockets' idle and lifetime limits
//
// Every POST has to say Content-Type: application/json.
func (r *Runner) ownPages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_local/stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, r.counters.Snapshot()) })
	mux.HandleFunc("POST /_local/stats/reset", own(func(struct{}) { r.counters.Reset() }))
	if r.sockets != nil {
		mux.HandleFunc("GET /_local/connections", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, r.sockets.Connections()) })
		mux.HandleFunc("POST /_local/clock", own(func(c clockChange) {
			r.sockets.Advance(time.Duration(c.AdvanceSeconds * float64(time.Second)))
		}))
	}
	mux.HandleFunc("POST /_local/faults", own(r.inject))
	return mux
}

// Faults are what POST /_local/faults takes: those of wsapi.Faults, and
//
//	"double_async": n    the next n asynchronous invocations happen twice
type Faults struct {
	wsapi.Faults
	DoubleAsync int `json:"double_async"`
}

type clockChange struct {
	AdvanceSeconds float64 `json:"advance_seconds"`
}

func (r *Runner) inject(f Faults) {
	r.host.DoubleNext(f.DoubleAsync)
	if r.sockets != nil {
		r.sockets.Inject(f.Faults)
	}
}

// own decodes the body of a request to one of the runner's own pages. It lets only requests through that no page of
// another origin can make: a JSON content type needs a preflight, which these paths do not answer.
func own[T any](do func(T)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if media != "application/json" {
			http.Error(w, "Content-Type: application/json, please", http.StatusUnsupportedMediaType)
			return
		}
		var body T
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		do(body)
		w.WriteHeader(http.StatusNoContent)
	}
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client is gone if this fails
}
