package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// readLimit is beyond the 128 KB that API Gateway carries, so that it is not this client that refuses.
const readLimit = 1 << 20

// ErrClosed says that the socket closed before what was waited for came.
var ErrClosed = errors.New("the socket has closed")

// DialOptions say how to open a socket.
type DialOptions struct {
	// Query follows the address, with its "?".
	Query string
	// Header has headers besides Authorization, which carries the installation's credential where that is not "".
	Header map[string]string
	// Protocols are the subprotocols to offer.
	Protocols []string
}

// Socket is an open socket. Its methods may be called from many goroutines.
type Socket struct {
	conn     *websocket.Conn
	protocol string

	mu      sync.Mutex
	next    int
	waiting map[string]chan Frame
	events  []Frame
	moved   chan struct{} // closed and replaced at every new event
	closed  chan struct{}
	code    websocket.StatusCode
}

// Dial opens a socket with the installation's credential. Where the handshake is refused, status is the answer's.
func (i Installation) Dial(ctx context.Context, o DialOptions) (socket *Socket, status int, err error) {
	header := http.Header{}
	if i.APIKey != "" {
		header.Set("Authorization", "Bearer "+i.APIKey)
	}
	for name, value := range o.Header {
		header.Set(name, value)
	}
	conn, response, err := websocket.Dial(ctx, i.WebSocket+o.Query, &websocket.DialOptions{
		HTTPHeader: header, Subprotocols: o.Protocols, HTTPClient: i.withoutLimit()})
	if response != nil {
		status = response.StatusCode
	}
	if err != nil {
		return nil, status, err
	}
	conn.SetReadLimit(readLimit)
	socket = &Socket{conn: conn, protocol: conn.Subprotocol(), waiting: map[string]chan Frame{},
		moved: make(chan struct{}), closed: make(chan struct{})}
	go socket.read()
	return socket, status, nil
}

// withoutLimit has no time limit: one would end the socket, not the handshake.
func (i Installation) withoutLimit() *http.Client {
	return &http.Client{Transport: connectionsFrom(i.source).Transport}
}

// Protocol is the subprotocol that the server chose.
func (s *Socket) Protocol() string { return s.protocol }

func (s *Socket) read() {
	for {
		_, text, err := s.conn.Read(context.Background())
		if err != nil {
			s.mu.Lock()
			s.code = websocket.CloseStatus(err)
			s.mu.Unlock()
			close(s.closed)
			_ = s.conn.CloseNow()
			return
		}
		s.deliver(text)
	}
}

// deliver hands a frame to whoever asked for it, or else to the events.
func (s *Socket) deliver(text []byte) {
	frame := Frame{Raw: text, At: time.Now()}
	_ = json.Unmarshal(text, &frame) // a frame that is not ours arrives as an event with its Raw text only
	s.mu.Lock()
	defer s.mu.Unlock()
	if answer := s.waiting[frame.ID]; answer != nil {
		delete(s.waiting, frame.ID)
		answer <- frame
		return
	}
	s.events = append(s.events, frame)
	close(s.moved)
	s.moved = make(chan struct{})
}

// Write sends a text as one frame.
func (s *Socket) Write(ctx context.Context, text []byte) error {
	return s.conn.Write(ctx, websocket.MessageText, text)
}

// Ask sends a frame under an id of its own and returns the answer.
func (s *Socket) Ask(ctx context.Context, frame map[string]any) (Frame, error) {
	s.mu.Lock()
	s.next++
	id := "c" + strconv.Itoa(s.next)
	s.mu.Unlock()
	whole := map[string]any{"id": id}
	for name, value := range frame {
		whole[name] = value
	}
	text, err := json.Marshal(whole)
	if err != nil {
		return Frame{}, fmt.Errorf("encode the frame: %w", err)
	}
	return s.AskText(ctx, id, text)
}

// AskText sends a text and returns the answer that carries the id.
func (s *Socket) AskText(ctx context.Context, id string, text []byte) (Frame, error) {
	answer := make(chan Frame, 1)
	s.mu.Lock()
	s.waiting[id] = answer
	s.mu.Unlock()
	if err := s.Write(ctx, text); err != nil {
		return Frame{}, fmt.Errorf("write the frame: %w", err)
	}
	select {
	case frame := <-answer:
		return frame, nil
	case <-s.closed:
		return s.lastAnswer(answer)
	case <-ctx.Done():
		return Frame{}, fmt.Errorf("no answer to %.200s: %w", text, ctx.Err())
	}
}

// lastAnswer is for an answer that came together with the close.
func (s *Socket) lastAnswer(answer chan Frame) (Frame, error) {
	select {
	case frame := <-answer:
		return frame, nil
	default:
		return Frame{}, ErrClosed
	}
}

// Events returns the events so far, from the number on.
func (s *Socket) Events(from int) []Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Frame(nil), s.events[min(from, len(s.events)):]...)
}

// Await waits until look is satisfied with the events so far, and looks again at each new one.
func (s *Socket) Await(ctx context.Context, look func(events []Frame) bool) error {
	for {
		s.mu.Lock()
		events, moved := s.events[:len(s.events):len(s.events)], s.moved
		s.mu.Unlock()
		if look(events) {
			return nil
		}
		select {
		case <-moved:
		case <-s.closed:
			if look(s.Events(0)) {
				return nil
			}
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("%d events, not those awaited: %w", len(events), ctx.Err())
		}
	}
}

// Closed is closed once the socket is.
func (s *Socket) Closed() <-chan struct{} { return s.closed }

// CloseCode returns the close code that the server sent, -1 where the connection broke or is open.
func (s *Socket) CloseCode() int {
	select {
	case <-s.closed:
		s.mu.Lock()
		defer s.mu.Unlock()
		return int(s.code)
	default:
		return -1
	}
}

// Close says goodbye and waits for the other side's.
func (s *Socket) Close() {
	_ = s.conn.Close(websocket.StatusNormalClosure, "") // one that is gone needs no goodbye
	<-s.closed
}

// Drop ends the connection without a word, as a lost network does.
func (s *Socket) Drop() {
	_ = s.conn.CloseNow()
	<-s.closed
}
