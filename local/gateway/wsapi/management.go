package wsapi

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// connectionsPath stands before the connection's ID in the management API; the stage or any other base may precede it.
const connectionsPath = "/@connections/"

// IsManagement reports whether a request is for the management API.
func IsManagement(r *http.Request) bool { return strings.Contains(r.URL.Path, connectionsPath) }

// ServeManagement answers GET, POST and DELETE of /@connections/{id} as the API Gateway Management API does.
func (a *API) ServeManagement(w http.ResponseWriter, r *http.Request) {
	_, id, _ := strings.Cut(r.URL.Path, connectionsPath)
	w.Header().Set("X-Amzn-Requestid", newID())
	switch r.Method {
	case http.MethodPost:
		a.Count("posts", a.Caller(r.Context()))
		a.servePost(w, r, id)
	case http.MethodDelete:
		a.Count("deletes", a.Caller(r.Context()))
		a.serveDelete(w, id)
	case http.MethodGet:
		a.serveGet(w, id)
	default:
		fail(w, http.StatusForbidden, "ForbiddenException", "method not allowed")
	}
}

func (a *API) servePost(w http.ResponseWriter, r *http.Request, id string) {
	data, err := io.ReadAll(io.LimitReader(r.Body, MaxMessage+1))
	if err != nil {
		fail(w, http.StatusBadRequest, "BadRequestException", "the body could not be read")
		return
	}
	c := a.find(id)
	switch {
	case len(data) > MaxMessage:
		fail(w, http.StatusRequestEntityTooLarge, "PayloadTooLargeException", "Payload is larger than 128 KB")
	case a.faults.gone() || c == nil:
		fail(w, http.StatusGone, "GoneException", "410")
	case a.faults.throttles() || !c.post(data):
		fail(w, http.StatusTooManyRequests, "LimitExceededException", "The client is sending more than the allowed number of requests per unit of time or the WebSocket client side buffer is full.")
	default:
		w.WriteHeader(http.StatusOK)
	}
}

func (a *API) serveDelete(w http.ResponseWriter, id string) {
	c := a.find(id)
	if c == nil {
		fail(w, http.StatusGone, "GoneException", "410")
		return
	}
	c.close(ending{codeNormal, reasonNormal})
	w.WriteHeader(http.StatusNoContent)
}

func (a *API) serveGet(w http.ResponseWriter, id string) {
	c := a.find(id)
	if c == nil {
		fail(w, http.StatusGone, "GoneException", "410")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{ // the caller is gone if this fails
		"connectedAt":  time.UnixMilli(c.connectedAt).UTC().Format(time.RFC3339Nano),
		"lastActiveAt": time.UnixMilli(c.active.Load()).UTC().Format(time.RFC3339Nano),
		"identity":     c.identity,
	})
}

func fail(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}
