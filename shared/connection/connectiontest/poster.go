package connectiontest

import (
	"bytes"
	"context"
	"sync"

	"github.com/tokenim/tokenim/shared/connection"
)

// Poster implements connection.Poster in memory: an API Gateway whose connections a test opens, breaks and hangs.
type Poster struct {
	mutex  sync.Mutex
	open   map[string]bool
	failed map[string]error
	frames map[string][][]byte
	closed []string
}

var _ connection.Poster = (*Poster)(nil)

// NewPoster returns a poster with the open connections.
func NewPoster(open ...string) *Poster {
	p := &Poster{open: map[string]bool{}, failed: map[string]error{}, frames: map[string][][]byte{}}
	p.Open(open...)
	return p
}

// Open opens connections.
func (p *Poster) Open(connections ...string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, connection := range connections {
		p.open[connection] = true
	}
}

// Drop loses a connection without a word; what is posted to it is gone.
func (p *Poster) Drop(connection string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.open, connection)
}

// Fail answers whatever is asked about the connection with the error; nil ends that.
func (p *Poster) Fail(connection string, err error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.failed[connection] = err
}

// errHang stands for a connection that never answers.
type errHang struct{}

func (errHang) Error() string { return "connectiontest: hangs" }

// Hang lets whatever is asked about the connection wait until its context ends.
func (p *Poster) Hang(connection string) { p.Fail(connection, errHang{}) }

// Frames returns what was posted to the connection.
func (p *Poster) Frames(connection string) [][]byte {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return append([][]byte(nil), p.frames[connection]...)
}

// Closed returns the connections that Close has closed, in order.
func (p *Poster) Closed() []string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return append([]string(nil), p.closed...)
}

// Post implements connection.Poster.
func (p *Poster) Post(ctx context.Context, connectionID string, frame []byte) error {
	return p.ask(ctx, connectionID, func() { p.frames[connectionID] = append(p.frames[connectionID], bytes.Clone(frame)) })
}

// Close implements connection.Poster.
func (p *Poster) Close(ctx context.Context, connectionID string) error {
	return p.ask(ctx, connectionID, func() {
		delete(p.open, connectionID)
		p.closed = append(p.closed, connectionID)
	})
}

// Exists implements connection.Poster.
func (p *Poster) Exists(ctx context.Context, connectionID string) error {
	return p.ask(ctx, connectionID, func() {})
}

// ask does something to an open connection, or answers as the test has told it.
func (p *Poster) ask(ctx context.Context, connectionID string, do func()) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	err := p.failed[connectionID]
	if err == (errHang{}) {
		p.mutex.Unlock()
		<-ctx.Done()
		p.mutex.Lock()
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	if !p.open[connectionID] {
		return connection.ErrGone
	}
	do()
	return nil
}
