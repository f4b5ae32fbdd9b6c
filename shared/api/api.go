// Package api is the HTTP edge: it declares operations, authenticates callers, validates what they send, answers errors
// as problem documents, describes everything in OpenAPI, and logs.
//
// A resource's routes.go declares each operation once with Register; from that come the route, the validation and the
// description. Handlers get a Caller that is already allowed, and return errors of package fault.
package api

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/input"
	"github.com/tokenim/tokenim/shared/plainjson"
	"github.com/tokenim/tokenim/shared/record"
)

// Authenticator checks credentials. authn.Authenticator is one.
type Authenticator interface {
	// Key checks an API key, where it may be used from, and loads the user that it acts for, if any.
	Key(ctx context.Context, text string, request authz.Request) (authz.Caller, error)
	// Token checks a user token, and that its user is the request's actor.
	Token(ctx context.Context, text string, request authz.Request) (authz.Caller, error)
	// Session checks a developer's session, and that the app that the request chooses, if any, is one of the account's.
	Session(ctx context.Context, text string, request authz.Request) (authz.Caller, error)
	// Note writes down that the caller, who has the permission, uses it.
	Note(ctx context.Context, caller authz.Caller, asked authz.Asked)
}

// Recorder keeps records of what is read. A record.Store is one.
type Recorder interface {
	// Append adds a record to its log.
	Append(ctx context.Context, record record.Record) error
}

// API is a set of operations with one edge around them. It is an http.Handler.
type API struct {
	mux      *http.ServeMux
	fallback http.HandlerFunc
	// operations add each an operation to an API of huma, with its schemas: to one of its own when it is first asked for, and
	// all to one for the description. Doing so for all of a function's took half the CPU of a cold start.
	operations    []func(huma.API)
	authenticator Authenticator
	recorder      Recorder
	log           Log
	// bodies are the limits of those operations, by their pattern in mux, that have one of their own.
	bodies map[string]int
}

// New returns an API without operations.
func New(authenticator Authenticator, log Log) *API {
	return &API{mux: http.NewServeMux(), fallback: unknownRoute, authenticator: authenticator, log: log, bodies: map[string]int{}}
}

// newHuma returns an API of huma without operations, which answers through the mux.
func newHuma(mux *http.ServeMux) huma.API {
	format := huma.Format{Marshal: plainjson.Write, Unmarshal: input.Unmarshal}
	return humago.New(mux, huma.Config{
		OpenAPI:       description(),
		Formats:       map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat: "application/json", RejectUnknownQueryParameters: true,
	})
}

// RecordTo sets where the reads of operations that are Recorded are recorded; it has to be set where there are any.
func (a *API) RecordTo(recorder Recorder) { a.recorder = recorder }

// unknownRoute answers a path that has no operation.
func unknownRoute(w http.ResponseWriter, r *http.Request) {
	Refuse(w, r, fault.New(fault.RouteNotFound))
}

// ActorFrom says where a request names the user that it acts for.
type ActorFrom struct{ path, body string }

// ActorInPath takes the acting user's ID from the path parameter.
func ActorInPath(parameter string) ActorFrom { return ActorFrom{path: parameter} }

// ActorInBody takes the acting user's ID or username from the body's member.
func ActorInBody(member string) ActorFrom { return ActorFrom{body: member} }

// Operation declares a route.
type Operation struct {
	// ID, Method, Path, Summary and Tag describe it in OpenAPI; Description may be empty.
	ID, Method, Path, Summary, Description, Tag string
	// Permission is what the caller needs. authz.Public needs no credential at all.
	Permission authz.Permission
	// Inside says that the handler asks for the permission, because who has it depends on what the request names: on the
	// caller's role in a group. The edge asks for the credential only.
	Inside bool
	// ForAny, where set, is the permission with which the caller does it to any user, also to one for whom it could not act;
	// Permission is then not asked for.
	ForAny authz.Permission
	// Actor says where the acting user stands; the zero value for operations without one.
	Actor ActorFrom
	// Recorded marks what shows the data of an app's users: whoever reads it as a developer, or as a user who reaches beyond
	// its own, leaves a record.
	Recorded bool
	// Status is the status of success.
	Status int
	// Types are the content types of the answer where that is no JSON, for the description.
	Types []string
	// MaxBody is how many bytes of a body it takes; 0 for what all others do.
	MaxBody int
	// Errors are the codes that the handler itself may answer, for the description.
	Errors []fault.Code
}

// Register adds an operation. I has the parameters and, in a field Body, the body as huma reads them from tags; O the
// answer in a field Body.
func Register[I, O any](a *API, operation Operation, handle func(ctx context.Context, caller authz.Caller, input *I) (*O, error)) {
	pattern := operation.Method + " " + operation.Path
	if operation.MaxBody > 0 {
		a.bodies[pattern] = operation.MaxBody
	}
	add := func(to huma.API) { register(to, a, operation, handle) }
	a.operations = append(a.operations, add)
	served := sync.OnceValue(func() http.Handler {
		mux := http.NewServeMux()
		add(newHuma(mux))
		return mux
	})
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { served().ServeHTTP(w, r) })
}

// register adds the operation to an API of huma.
func register[I, O any](to huma.API, a *API, operation Operation, handle func(ctx context.Context, caller authz.Caller, input *I) (*O, error)) {
	declared := operation.declare()
	declared.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		in, err := a.admitFor(ctx, operation)
		if err != nil {
			a.writeProblem(ctx, refuse(ctx.Context(), err))
			return
		}
		next(huma.WithValue(ctx, callerKey{}, in))
	}}
	huma.Register(to, declared, func(ctx context.Context, input *I) (*O, error) {
		in, _ := ctx.Value(callerKey{}).(admitted)
		_, named := any((*O)(nil)).(Named)
		early := !named || in.target == "" || id.Reserved(in.target)
		if early {
			if err := a.record(ctx, operation, in); err != nil {
				return nil, refuse(ctx, err)
			}
		}
		if !operation.Inside {
			a.authenticator.Note(ctx, in.caller, in.by)
		}
		caller, asked := in.caller.Noting()
		output, err := handle(ctx, caller, input)
		if !early {
			if unrecorded := a.record(ctx, operation, in.named(output)); unrecorded != nil {
				return nil, refuse(ctx, unrecorded)
			}
		}
		if err != nil {
			return nil, refuse(ctx, err)
		}
		if operation.Inside {
			for _, each := range *asked {
				a.authenticator.Note(ctx, in.caller, each)
			}
		}
		return output, nil
	})
	if len(operation.Types) > 0 {
		describeTypes(declared.Responses[strconv.Itoa(operation.Status)].Content, operation.Types)
	}
}

type callerKey struct{}

// admitted is a caller who may do what it asks for, and the ID in the path that it asks about.
type admitted struct {
	caller authz.Caller
	// by is what admits it.
	by     authz.Asked
	target string
}

// Named is an output that tells the ID of what it shows. A path may name it otherwise, and names are in no record: it could not
// be taken out when the user is erased.
type Named interface{ Target() string }

// named returns the same with the target that the output names, "" for none.
func (a admitted) named(output any) admitted {
	a.target = ""
	if known, ok := output.(Named); ok {
		a.target = known.Target()
	}
	return a
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	_, route := a.mux.Handler(r)
	seen, r := newRequest(r, cmp.Or(a.bodies[route], maxBody))
	r.Body = io.NopCloser(newReader(seen.body))
	// Bodies are JSON whatever the header says: curl's -d calls them a form. Answers are JSON too.
	r.Header.Set("Content-Type", "application/json")
	r.Header.Del("Accept")
	w.Header().Set("X-Request-Id", seen.id)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	defer func() {
		if panicked := recover(); panicked != nil {
			a.panicked(w, r, seen, panicked)
		}
		a.log.Request(r.Context(), seen.id, r.Pattern, seen.refusal, time.Since(started))
	}()
	if route == "" || path.Clean(r.URL.Path) != r.URL.Path { // the mux would redirect; nothing of ours lies at such a path
		a.fallback(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// panicked answers for a defect.
func (a *API) panicked(w http.ResponseWriter, r *http.Request, seen *request, panicked any) {
	slog.ErrorContext(r.Context(), "panic", "request_id", seen.id, "panic", panicked, "stack", stack())
	Refuse(w, r, fault.New(fault.Internal))
}

// Refuse answers a request that has no operation with a problem document.
func Refuse(w http.ResponseWriter, r *http.Request, refusal *fault.Error) {
	problem := refuse(r.Context(), refusal)
	for name, values := range problem.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problem.ContentType(""))
	w.WriteHeader(problem.Status)
	if err := plainjson.Write(w, problem); err != nil {
		slog.WarnContext(r.Context(), "answer not written", "error", err)
	}
}

// HandleFunc adds a route that is no operation: what is described nowhere, such as the description itself.
func (a *API) HandleFunc(pattern string, handle http.HandlerFunc) { a.mux.HandleFunc(pattern, handle) }

// Fallback sets what answers a path that has no route; it is RouteNotFound where nothing is set.
func (a *API) Fallback(handle http.HandlerFunc) { a.fallback = handle }

// OpenAPI returns the description of all operations.
func (a *API) OpenAPI() *huma.OpenAPI {
	all := newHuma(http.NewServeMux())
	for _, add := range a.operations {
		add(all)
	}
	return all.OpenAPI()
}

// writeProblem answers within huma's own writer.
func (a *API) writeProblem(ctx huma.Context, problem *Problem) {
	for name, values := range problem.GetHeaders() {
		ctx.SetHeader(name, values[0])
	}
	ctx.SetHeader("Content-Type", problem.ContentType(""))
	ctx.SetStatus(problem.Status)
	if err := plainjson.Write(ctx.BodyWriter(), problem); err != nil {
		slog.WarnContext(ctx.Context(), "answer not written", "error", err)
	}
}
