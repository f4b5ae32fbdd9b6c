package wsapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/tokenim/tokenim/local/gateway/wsapi"
	"github.com/tokenim/tokenim/local/lambda"
	"github.com/tokenim/tokenim/local/template"
)

// functions is an Invoker that accepts every connection and passes events on.
type functions struct {
	messages    chan event
	disconnects chan event
	hold        chan struct{} // when set, message events wait for it
	mu          sync.Mutex
	running     int
	most        int
}

type event struct {
	Body           string
	IsBase64       bool `json:"isBase64Encoded"`
	RequestContext struct {
		RouteKey     string
		EventType    string
		ConnectionID string `json:"connectionId"`
		Code         int    `json:"disconnectStatusCode"`
		Reason       string `json:"disconnectReason"`
	}
}

func (f *functions) Invoke(_ context.Context, _ string, payload []byte) (lambda.Result, error) {
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return lambda.Result{}, err
	}
	switch e.RequestContext.EventType {
	case "DISCONNECT":
		f.disconnects <- e
	case "MESSAGE":
		f.count(1)
		if f.hold != nil {
			<-f.hold
		}
		f.count(-1)
		f.messages <- e
	}
	return lambda.Result{Payload: []byte(`{"statusCode":200}`)}, nil
}

func (f *functions) count(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running += n
	f.most = max(f.most, f.running)
}

func newFunctions() *functions {
	return &functions{messages: make(chan event, 1000), disconnects: make(chan event, 10)}
}

// client speaks frames, right and wrong ones.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

var spec = &template.WebSocketAPI{ID: "ws", Stage: "v1", Field: "action",
	Routes: map[string]string{"$connect": "F", "$disconnect": "F", "$default": "F", "say": "F"}}

func open(t *testing.T, f *functions) (*client, *wsapi.API) {
	t.Helper()
	api := wsapi.New(wsapi.Options{Spec: spec, Invoker: f, Log: slog.New(slog.DiscardHandler)})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	t.Cleanup(api.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	c := &client{t, conn, bufio.NewReader(conn)}
	c.write([]byte("GET /v1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
	response, err := http.ReadResponse(c.r, nil)
	if err != nil || response.StatusCode != 101 || response.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("handshake: %+v, %v", response, err)
	}
	for limit := time.Now().Add(10 * time.Second); len(api.Connections()) == 0; { // it opens just after the answer
		if time.Now().After(limit) {
			t.Fatal("the connection does not open")
		}
		time.Sleep(time.Millisecond)
	}
	return c, api
}

func (c *client) write(bytes []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(bytes); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) frame(f ws.Frame) {
	c.t.Helper()
	c.write(ws.MustCompileFrame(ws.MaskFrame(f)))
}

// next returns the next frame from the server.
func (c *client) next() ws.Frame {
	c.t.Helper()
	f, err := ws.ReadFrame(c.r)
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

// ends expects the server to close with this code, to the client and to $disconnect.
func (c *client) ends(f *functions, code int) {
	c.t.Helper()
	frame := c.next()
	for frame.Header.OpCode != ws.OpClose {
		frame = c.next()
	}
	if got, _ := ws.ParseCloseFrameData(frame.Payload); int(got) != code {
		c.t.Errorf("close code %d, want %d", got, code)
	}
	_ = c.conn.Close()
	if got := (<-f.disconnects).RequestContext.Code; got != code {
		c.t.Errorf("$disconnect hears %d, want %d", got, code)
	}
}

func TestBreachesEndTheConnection(t *testing.T) {
	text := func(fin bool, op ws.OpCode, n int) []byte {
		return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, fin, make([]byte, n))))
	}
	oversized := text(true, ws.OpText, 32<<10+1)
	var fragments []byte
	fragments = append(fragments, text(false, ws.OpText, 32<<10)...)
	for range 4 {
		fragments = append(fragments, text(false, ws.OpContinuation, 32<<10)...)
	}
	for name, c := range map[string]struct {
		bytes []byte
		code  int
	}{
		"frame over 32 KB":         {oversized, 1009},
		"message over 128 KB":      {fragments, 1009},
		"not masked":               {ws.MustCompileFrame(ws.NewTextFrame([]byte("x"))), 1002},
		"reserved opcode":          {[]byte{0x83, 0x80, 0, 0, 0, 0}, 1002},
		"reserved bit":             {[]byte{0xc1, 0x80, 0, 0, 0, 0}, 1002},
		"continuation of nothing":  {text(true, ws.OpContinuation, 1), 1002},
		"text inside a message":    {append(text(false, ws.OpText, 1), text(true, ws.OpText, 1)...), 1002},
		"fragmented ping":          {[]byte{0x09, 0x80, 0, 0, 0, 0}, 1002},
		"long ping":                {text(true, ws.OpPing, 126), 1002},
		"text that is not UTF-8":   {ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte{0xff}))), 1007},
		"close code out of range":  {ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame([]byte{0, 1}))), 1002},
		"close frame of one byte":  {ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame([]byte{3}))), 1002},
		"the client says goodbye":  {ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "bye")))), 1000},
		"an application's goodbye": {ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(4000, "bye")))), 4000},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFunctions()
			client, _ := open(t, f)
			client.write(c.bytes)
			client.ends(f, c.code)
		})
	}
}

func TestGoodbyeWithoutACodeAndWithoutAWord(t *testing.T) {
	f := newFunctions()
	c, _ := open(t, f)
	c.frame(ws.NewCloseFrame(nil))
	if frame := c.next(); frame.Header.OpCode != ws.OpClose || len(frame.Payload) != 0 {
		t.Errorf("answer %+v", frame)
	}
	if got := (<-f.disconnects).RequestContext; got.Code != 1005 || got.Reason == "" {
		t.Errorf("$disconnect hears %+v", got)
	}
	c, _ = open(t, f)
	_ = c.conn.Close()
	if got := (<-f.disconnects).RequestContext.Code; got != 1006 {
		t.Errorf("$disconnect hears %d, want 1006", got)
	}
}

func TestFragmentsPingsAndBinary(t *testing.T) {
	f := newFunctions()
	c, _ := open(t, f)
	c.frame(ws.NewFrame(ws.OpText, false, []byte(`{"action":`)))
	c.frame(ws.NewPingFrame([]byte("p")))
	c.frame(ws.NewFrame(ws.OpContinuation, true, []byte(`"say"}`)))
	if pong := c.next(); pong.Header.OpCode != ws.OpPong || string(pong.Payload) != "p" {
		t.Errorf("pong %+v", pong)
	}
	if e := <-f.messages; e.Body != `{"action":"say"}` || e.RequestContext.RouteKey != "say" || e.IsBase64 {
		t.Errorf("event %+v", e)
	}
	c.frame(ws.NewBinaryFrame([]byte{0, 255}))
	if e := <-f.messages; e.Body != "AP8=" || !e.IsBase64 || e.RequestContext.RouteKey != "$default" {
		t.Errorf("event %+v", e)
	}
}

func TestAMessageOf128KBFits(t *testing.T) {
	f := newFunctions()
	c, _ := open(t, f)
	part := []byte(strings.Repeat("x", 32<<10))
	c.frame(ws.NewFrame(ws.OpText, false, part))
	c.frame(ws.NewFrame(ws.OpContinuation, false, part))
	c.frame(ws.NewFrame(ws.OpContinuation, false, part))
	c.frame(ws.NewFrame(ws.OpContinuation, true, part))
	if e := <-f.messages; len(e.Body) != 128<<10 {
		t.Errorf("%d bytes", len(e.Body))
	}
}

func TestAtMost64MessagesOfAConnectionRunAtATime(t *testing.T) {
	f := newFunctions()
	f.hold = make(chan struct{})
	c, _ := open(t, f)
	for range 100 {
		c.frame(ws.NewTextFrame([]byte("x")))
	}
	for range 100 {
		f.hold <- struct{}{}
	}
	for range 100 {
		<-f.messages
	}
	if f.most > 64 || f.most < 2 {
		t.Errorf("%d at a time", f.most)
	}
}

func TestCloseEndsConnectionsWith1001(t *testing.T) {
	f := newFunctions()
	c, api := open(t, f)
	go api.Close()
	c.ends(f, 1001)
}
