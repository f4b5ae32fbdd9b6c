package wsapi

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// How a connection may end, as close codes of RFC 6455 with the reasons that $disconnect is told.
const (
	codeNormal     = 1000
	codeGoingAway  = 1001
	codeProtocol   = 1002
	codeNoStatus   = 1005 // never on the wire
	codeAbnormal   = 1006 // never on the wire
	codeInvalid    = 1007
	codeTooBig     = 1009
	reasonNormal   = "Connection Closed Normally"
	reasonNoStatus = "Client-side close frame status not set"
	reasonAbnormal = "Connection closed abnormally"

	reasonGoingAway = "Going away"
)

const (
	maxQueued  = 256             // frames that wait for a slow client; then posts are answered with 429
	closeLimit = time.Second     // for the closing handshake
	writeLimit = 2 * time.Minute // for one frame to a client that reads nothing
)

// ending says how a connection ended.
type ending struct {
	code   int
	reason string
}

// connection is one WebSocket, from the first byte of its handshake on.
type connection struct {
	api         *API
	id          string
	domain      string
	identity    identity
	authorizer  map[string]any
	connectedAt int64     // Unix milliseconds
	opened      time.Time // on the API's clock
	active      atomic.Int64

	conn     net.Conn
	reader   *bufio.Reader
	queue    chan ws.Frame
	slots    chan struct{} // one for each message that runs
	quit     chan struct{} // closed when the connection is to end
	once     sync.Once
	end      ending        // set before quit is closed
	wrote    chan struct{} // closed when the writer has ended
	halfOpen atomic.Bool   // the client is gone and nobody has noticed
}

func (a *API) newConnection(r *http.Request) *connection {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	source, _, _ := net.SplitHostPort(r.RemoteAddr)
	c := &connection{
		api: a, id: newID(), domain: host, identity: identity{UserAgent: r.UserAgent(), SourceIP: source},
		connectedAt: time.Now().UnixMilli(), opened: a.clock.now(),
		queue: make(chan ws.Frame, maxQueued), slots: make(chan struct{}, maxInFlight),
		quit: make(chan struct{}), wrote: make(chan struct{}),
	}
	c.touch()
	return c
}

// touch notes that data has passed.
func (c *connection) touch() { c.active.Store(c.api.clock.now().UnixMilli()) }

// serve runs an open connection until it has ended and $disconnect has been told.
func (c *connection) serve() {
	c.halfOpen.Store(c.api.faults.opensHalf())
	go c.write()
	e := c.read()
	if c.halfOpen.Load() {
		<-c.quit // nobody notices that the client is gone
	}
	c.close(e)
	<-c.wrote
	c.drain()
	_ = c.conn.Close()
	c.api.disconnected(c, c.end)
}

// close begins the end of the connection. Only the first call counts. What was posted before goes out first, as far as
// the client takes it.
func (c *connection) close(e ending) {
	c.once.Do(func() {
		c.end = e
		c.api.remove(c)
		close(c.quit)
		time.AfterFunc(2*closeLimit, func() { _ = c.conn.Close() })
	})
}

// drain reads what a client still sends that broke the rules: closing over unread bytes would reset the connection, and
// the client might never see the close frame.
func (c *connection) drain() {
	if c.end.code != codeProtocol && c.end.code != codeInvalid && c.end.code != codeTooBig {
		return
	}
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, c.reader) // ends with the client, or when close's limit is over
}

// write sends what is queued, in order, and at the end the close frame.
func (c *connection) write() {
	defer close(c.wrote)
	for {
		select {
		case frame := <-c.queue:
			if !c.send(frame) {
				c.close(ending{codeAbnormal, reasonAbnormal})
				_ = c.conn.Close()
				return
			}
		case <-c.quit:
			c.writeLast()
			return
		}
	}
}

// writeLast flushes the queue and says goodbye. The reader ends on the client's own close frame, or at the limit.
func (c *connection) writeLast() {
	for {
		select {
		case frame := <-c.queue:
			if !c.send(frame) {
				return
			}
		default:
			body := ws.NewCloseFrameBody(ws.StatusCode(c.end.code), c.end.reason)
			if c.end.code == codeNoStatus {
				body = nil
			}
			if c.end.code != codeAbnormal {
				_ = ws.WriteFrame(c.conn, ws.NewCloseFrame(body)) // a client that is gone needs no goodbye
			}
			_ = c.conn.SetReadDeadline(time.Now().Add(closeLimit))
			return
		}
	}
}

// send writes one frame. A half-open connection swallows it.
func (c *connection) send(frame ws.Frame) bool {
	if c.halfOpen.Load() {
		return true
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeLimit))
	return ws.WriteFrame(c.conn, frame) == nil
}

// post queues a text message. It reports false when the client does not keep up.
func (c *connection) post(data []byte) bool {
	c.touch() // before the client can see the message, so that a test may move the clock as soon as it has
	select {
	case c.queue <- ws.NewTextFrame(data):
		return true
	default:
		return false
	}
}

// handle runs one message through its route, without holding up the next one.
func (c *connection) handle(body []byte, binary bool) {
	delay := c.api.faults.delay()
	select {
	case c.slots <- struct{}{}:
	case <-c.quit:
		return
	}
	go func() {
		defer func() { <-c.slots }()
		if delay > 0 {
			time.Sleep(delay)
		}
		c.dispatch(body, binary)
	}()
}

func (c *connection) dispatch(body []byte, binary bool) {
	route := c.api.route(body, binary)
	event := messageEvent(c, route, body, binary)
	function, ok := c.api.Spec.Routes[route]
	if !ok {
		c.complain("Forbidden", event.RequestContext.RequestID)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), integrationTimeout)
	defer cancel()
	if _, err := c.api.call(ctx, function, event); err != nil {
		c.complain("Internal server error", event.RequestContext.RequestID)
	}
}

// complain sends what API Gateway sends by itself when a message could not be handled.
func (c *connection) complain(message, request string) {
	text, _ := json.Marshal(map[string]string{"message": message, "connectionId": c.id, "requestId": request}) // strings always marshal
	c.post(text)
}

// disconnected tells the $disconnect route, best effort.
func (a *API) disconnected(c *connection, e ending) {
	function, ok := a.Spec.Routes[routeDisconnect]
	if !ok || a.faults.losesDisconnect() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), integrationTimeout)
	defer cancel()
	_, _ = a.call(ctx, function, disconnectEvent(c, e.code, e.reason)) // call logs it; nobody is there to hear of it
}
