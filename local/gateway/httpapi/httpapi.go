// Package httpapi stands in for an API Gateway HTTP API with Lambda proxy integrations of payload format 2.0.
package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/template"
)

// The limits of an HTTP API (figures.md).
const (
	MaxBody            = 10 << 20
	integrationTimeout = 30 * time.Second
)

// Invoker runs functions; lambda.Host is one.
type Invoker interface {
	Invoke(ctx context.Context, function string, payload []byte) (lambda.Result, error)
}

// API is an http.Handler that answers as API Gateway does for the routes of a template.
type API struct {
	id      string
	routes  router
	cors    *template.CORS
	invoker Invoker
	log     *slog.Logger
	timeout time.Duration
}

// New returns the API that spec describes. Log receives what API Gateway would write to its own log: integrations that
// failed.
func New(spec *template.HTTPAPI, invoker Invoker, log *slog.Logger) *API {
	return &API{id: spec.ID, routes: newRouter(spec.Routes), cors: spec.CORS, invoker: invoker, log: log, timeout: integrationTimeout}
}

// ServeHTTP routes a request to its function.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("Apigw-Requestid", id)
	if a.preflight(w, r) {
		return
	}
	a.allowOrigin(w.Header(), r)
	route, parameters, ok := a.routes.match(r.Method, r.URL.Path)
	if !ok {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		a.refuseBody(w, err)
		return
	}
	payload, err := json.Marshal(a.event(r, route, parameters, body, id))
	if err != nil {
		a.log.Error("the event cannot be encoded", "route", route.Key(), "error", err)
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	a.integrate(w, r, route, payload)
}

func (a *API) refuseBody(w http.ResponseWriter, err error) {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		refuse(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	refuse(w, http.StatusBadRequest, "Bad Request")
}

// integrate calls the function and writes its answer.
func (a *API) integrate(w http.ResponseWriter, r *http.Request, route template.Route, payload []byte) {
	ctx, cancel := context.WithTimeout(r.Context(), a.timeout)
	defer cancel()
	result, err := a.invoker.Invoke(ctx, route.Function, payload)
	switch {
	case errors.Is(err, lambda.ErrTooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	case errors.Is(err, context.DeadlineExceeded):
		refuse(w, http.StatusServiceUnavailable, "Service Unavailable")
	case errors.Is(err, context.Canceled): // the client has gone away
	case err != nil:
		a.log.Error("the function could not be called", "route", route.Key(), "function", route.Function, "error", err)
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
	case result.FunctionError != "":
		a.log.Error("the function failed", "route", route.Key(), "function", route.Function, "answer", string(result.Payload))
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
	default:
		a.respond(w, route, result.Payload)
	}
}

// refuse writes an answer of API Gateway's own.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message}) // the client is gone if this fails
}

// requestID looks like API Gateway's: 15 characters and a "=".
func requestID() string {
	var b [11]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.URLEncoding.EncodeToString(b[:])
}
