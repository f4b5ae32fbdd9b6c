package run

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/tokenim/tokenim/local/gateway/wsapi"
	"github.com/tokenim/tokenim/local/mailbox"
	"github.com/tokenim/tokenim/local/objects"
	"github.com/tokenim/tokenim/local/queues"
	"github.com/tokenim/tokenim/local/schedules"
)

// callerPrefix begins the paths of the internal listener; a function's name follows, so that its calls can be counted.
const callerPrefix = "/fn/"

// ownPrefix begins the paths of the runner's own pages.
const ownPrefix = "/_local"

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
	case objects.Takes(req):
		r.objects.ServeHTTP(w, req)
	case queues.Takes(req):
		r.queues.ServeHTTP(w, req)
	case strings.HasPrefix(req.URL.Path, "/v2/email/"):
		r.mails.ServeSES(w, req)
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
//	GET  /_local/queues       how many messages each queue has, see queues.Depth
//	POST /_local/queues/clock {"advance_seconds": n} moves the clock of the queues' delays and time-outs
//	POST /_local/schedules/F  runs the schedule of function F now, see runSchedule
//	     /_local/mail         what was sent, see mailbox.Pages
//
// Every POST has to say Content-Type: application/json, and every request has to name this machine, so that no page of the
// web reads the mails or injects faults under a name of its own that leads here.
func (r *Runner) ownPages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_local/stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, r.counters.Snapshot()) })
	mux.HandleFunc("POST /_local/stats/reset", own(func(struct{}) { r.counters.Reset() }))
	if r.sockets != nil {
		mux.HandleFunc("GET /_local/connections", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, r.sockets.Connections()) })
		mux.HandleFunc("POST /_local/clock", own(func(c clockChange) { r.sockets.Advance(c.by()) }))
	}
	mux.HandleFunc("GET /_local/queues", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, r.queues.Depths()) })
	mux.HandleFunc("POST /_local/queues/clock", own(func(c clockChange) { r.queues.Advance(c.by()) }))
	mux.HandleFunc("POST /_local/faults", own(r.inject))
	mux.HandleFunc("POST /_local/schedules/{function}", r.runSchedule)
	mux.Handle(mailbox.PagePath, r.mails.Pages())
	mux.Handle(mailbox.JSONPath, r.mails.Pages())
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !namesThisMachine(req.Host) {
			http.Error(w, "this page is for this machine: ask for it as 127.0.0.1 or localhost", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, req)
	})
}

// namesThisMachine tells whether the host of a request is a loopback address or localhost.
func namesThisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && address.IsLoopback()
}

// Faults are what POST /_local/faults takes: those of wsapi.Faults, and
//
//	"double_async": n    the next n asynchronous invocations happen twice
//	"fail_mails": n      the next n mails are refused, as SES does beyond the sending rate
//	"fail_queues": n     the next n requests to queues are refused, as SQS does now and then; the SDK asks three times
//	"double_queued": n   the next n batches of queues' messages come twice
type Faults struct {
	wsapi.Faults
	DoubleAsync int `json:"double_async"`
	FailMails   int `json:"fail_mails"`

	FailQueues   int `json:"fail_queues"`
	DoubleQueued int `json:"double_queued"`
}

type clockChange struct {
	AdvanceSeconds float64 `json:"advance_seconds"`
}

func (c clockChange) by() time.Duration {
	return time.Duration(c.AdvanceSeconds * float64(time.Second))
}

func (r *Runner) inject(f Faults) {
	r.host.DoubleNext(f.DoubleAsync)
	r.mails.FailNext(f.FailMails)
	r.queues.FailNext(f.FailQueues)
	r.queues.DoubleNext(f.DoubleQueued)
	if r.sockets != nil {
		r.sockets.Inject(f.Faults)
	}
}

// scheduleRun is what POST /_local/schedules/{function} takes.
type scheduleRun struct {
	Time time.Time `json:"time"` // when the event says that it is due; default now
}

// runSchedule runs a function's schedule and answers with what the function returned: 200, or 502 where it failed. The
// function may be on its own schedule at the same time, as on AWS.
func (r *Runner) runSchedule(w http.ResponseWriter, req *http.Request) {
	order, ok := decode[scheduleRun](w, req)
	if !ok {
		return
	}
	result, err := r.schedule.Trigger(req.Context(), req.PathValue("function"), order.Time)
	switch {
	case errors.Is(err, schedules.ErrNone):
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if result.FunctionError != "" {
		w.WriteHeader(http.StatusBadGateway)
	}
	_, _ = w.Write(result.Payload) // the client is gone if this fails
}

// own serves one of the runner's own pages that has nothing to answer.
func own[T any](do func(T)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if body, ok := decode[T](w, r); ok {
			do(body)
			w.WriteHeader(http.StatusNoContent)
		}
	}
}

// decode reads the body of a request to one of the runner's own pages, or answers what is wrong with it. It lets only
// requests through that no page of another origin can make: a JSON content type needs a preflight, which these paths do not
// answer.
func decode[T any](w http.ResponseWriter, r *http.Request) (body T, ok bool) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "application/json" {
		http.Error(w, "Content-Type: application/json, please", http.StatusUnsupportedMediaType)
		return body, false
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return body, false
	}
	return body, true
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client is gone if this fails
}
