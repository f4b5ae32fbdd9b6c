// Package wsapi stands in for an API Gateway WebSocket API with a REQUEST authorizer and Lambda proxy integrations, and
// for its management API (@connections).
//
// As on AWS: the handshake is held until the authorizer and $connect have answered; nothing can be posted to a
// connection before that; frames of one connection run concurrently; what a function returns for a frame is dropped;
// a connection ends after 10 minutes without data and after 2 hours in any case; $disconnect is best effort.
package wsapi

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/template"
)

// The limits of a WebSocket API (figures.md).
const (
	MaxFrame           = 32 << 10 // bytes
	MaxMessage         = 128 << 10
	IdleLimit          = 10 * time.Minute // only data frames count as life
	Lifetime           = 2 * time.Hour
	integrationTimeout = 29 * time.Second
	maxInFlight        = 64 // frames of one connection that run at a time; AWS has no such bound, a laptop needs one
)

// Invoker runs functions; lambda.Host is one.
type Invoker interface {
	Invoke(ctx context.Context, function string, payload []byte) (lambda.Result, error)
}

// Options configure an API.
type Options struct {
	Spec    *template.WebSocketAPI
	Invoker Invoker
	Log     *slog.Logger
	Count   func(what, function string)      // called for "posts" and "deletes" of the management API; may be nil
	Caller  func(ctx context.Context) string // names the function that makes a management request; may be nil
}

// API is a running WebSocket API. ServeHTTP takes handshakes; ServeManagement takes @connections requests.
type API struct {
	Options
	clock  clock
	faults faultState

	mu    sync.Mutex
	open  map[string]*connection
	ended bool

	running sync.WaitGroup // connections from handshake to $disconnect, and the clock
	stop    chan struct{}
}

// New returns an API. Close ends it.
func New(o Options) *API {
	if o.Count == nil {
		o.Count = func(string, string) {}
	}
	if o.Caller == nil {
		o.Caller = func(context.Context) string { return "" }
	}
	a := &API{Options: o, open: map[string]*connection{}, stop: make(chan struct{})}
	a.running.Go(a.cutOld)
	return a
}

// Takes reports whether a request is a WebSocket handshake, on whatever path.
func Takes(r *http.Request) bool {
	return r.Method == http.MethodGet && hasToken(r.Header, "Connection", "upgrade") && hasToken(r.Header, "Upgrade", "websocket")
}

// hasToken looks for a word in a header that lists words, such as "keep-alive, Upgrade".
func hasToken(header http.Header, name, token string) bool {
	for _, value := range header.Values(name) {
		for word := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(word), token) {
				return true
			}
		}
	}
	return false
}

// enter lets a handshake begin, unless the API has ended. Whoever entered calls running.Done when the connection is over.
func (a *API) enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return false
	}
	a.running.Add(1)
	return true
}

// add opens a connection to the world, or sees it off when the API has ended during its handshake.
func (a *API) add(c *connection) {
	a.mu.Lock()
	ended := a.ended
	if !ended {
		a.open[c.id] = c
	}
	a.mu.Unlock()
	if ended {
		c.close(ending{codeGoingAway, reasonGoingAway})
	}
}

func (a *API) remove(c *connection) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, c.id)
}

func (a *API) find(id string) *connection {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open[id]
}

func (a *API) all() []*connection {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]*connection, 0, len(a.open))
	for _, c := range a.open {
		all = append(all, c)
	}
	return all
}

// Connections lists the IDs of the open connections.
func (a *API) Connections() []string {
	ids := []string{}
	for _, c := range a.all() {
		ids = append(ids, c.id)
	}
	return ids
}

// Close closes every connection with 1001 and waits for their $disconnect events.
func (a *API) Close() {
	a.mu.Lock()
	again := a.ended
	a.ended = true
	a.mu.Unlock()
	if again {
		return
	}
	close(a.stop)
	for _, c := range a.all() {
		c.close(ending{codeGoingAway, reasonGoingAway})
	}
	a.running.Wait()
}

// newID makes an ID as API Gateway does: 16 characters that end in "=", as those of connections and messages do.
func newID() string {
	var b [11]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.URLEncoding.EncodeToString(b[:])
}
