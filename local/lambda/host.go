// Package lambda runs compiled functions as AWS Lambda does: a function's program speaks the Lambda Runtime API, and
// every overlapping invocation gets a process of its own (an "environment"). What one process keeps in memory, the
// next one does not see.
//
//	host := lambda.New(lambda.Options{Functions: []lambda.Function{{Name: "Echo", Binary: ".local/bin/echo/bootstrap"}}})
//	defer host.Close()
//	result, err := host.Invoke(ctx, "Echo", []byte(`{}`))
package lambda

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// The limits of Lambda (figures.md).
const (
	MaxPayload      = 6 << 20          // bytes of a synchronous request or response
	MaxAsyncPayload = 1 << 20          // bytes of an asynchronous request
	initLimit       = 10 * time.Second // from the start of a process to its first call for work
)

// Errors of Invoke. What goes wrong inside a function is a Result with FunctionError set, not an error.
var (
	ErrUnknownFunction = errors.New("no such function")
	ErrTooLarge        = errors.New("the request is larger than Lambda takes")
	ErrClosed          = errors.New("the Lambda host is closed")
)

// Function is one function of the host.
type Function struct {
	Name        string
	Alias       string            // another name for callers; may be empty
	Binary      string            // path of the compiled bootstrap
	Timeout     time.Duration     // after that the process is killed
	MemoryMB    int               // told to the function; not enforced
	Environment map[string]string // the template's variables; all the function sees beside Lambda's own
	Retries     int               // asynchronous invocations: further attempts after an error
	MaximumAge  time.Duration     // asynchronous invocations: no attempt later than that; 0: no limit
}

// Options configure a host.
type Options struct {
	Functions []Function
	// Max is how many environments a function may have at a time (default 32). Further invocations wait.
	Max int
	// Log receives the functions' output, line by line, each with the function's name before it.
	Log io.Writer
	// Count is called for every event that statistics want: "invocations", "cold_starts", "async_invokes".
	Count func(what, function string)
	// RetryWait is the wait before the second attempt of an asynchronous invocation, doubled for the third
	// (default 1 s; AWS waits one and two minutes).
	RetryWait time.Duration
	// DoubleEvery makes one in so many asynchronous invocations happen twice, as Lambda may (default 100; negative: never).
	DoubleEvery int
}

// Result is what a function answered.
type Result struct {
	Payload       []byte
	FunctionError string // "Unhandled" when the function failed; Payload then holds errorType and errorMessage
}

// Host runs functions.
type Host struct {
	options   Options
	functions map[string]*function
	aliases   map[string]string // alias -> name
	async     asyncState
	closed    chan struct{}
	once      sync.Once
}

// New returns a host. It starts no process before the first invocation.
func New(o Options) *Host {
	if o.Max == 0 {
		o.Max = 32
	}
	if o.RetryWait == 0 {
		o.RetryWait = time.Second
	}
	if o.DoubleEvery == 0 {
		o.DoubleEvery = 100
	}
	if o.Count == nil {
		o.Count = func(string, string) {}
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	o.Log = &lockedWriter{w: o.Log}
	h := &Host{options: o, functions: map[string]*function{}, aliases: map[string]string{}, closed: make(chan struct{})}
	for _, f := range o.Functions {
		if f.Alias != "" {
			h.aliases[f.Alias] = f.Name
		}
		h.functions[f.Name] = &function{Function: f, host: h, all: map[*environment]bool{}}
	}
	return h
}

// Invoke runs a function and waits for its answer. It returns ErrUnknownFunction, ErrTooLarge, ErrClosed, or ctx's
// error when ctx ends first; the function then runs on, as it would on AWS.
func (h *Host) Invoke(ctx context.Context, name string, payload []byte) (Result, error) {
	f, err := h.function(name)
	if err != nil {
		return Result{}, err
	}
	if len(payload) > MaxPayload {
		return Result{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(payload))
	}
	h.options.Count("invocations", f.Name)
	return f.invoke(ctx, payload)
}

func (h *Host) function(name string) (*function, error) {
	if known, ok := h.aliases[name]; ok {
		return h.functions[known], nil
	}
	f := h.functions[name]
	if f == nil {
		return nil, fmt.Errorf("%w: %q", ErrUnknownFunction, name)
	}
	return f, nil
}

// Renew lets go of every process, so that later invocations run what now lies at the functions' Binary paths.
// Running invocations finish first.
func (h *Host) Renew() {
	for _, f := range h.functions {
		f.renew()
	}
}

// Close kills every process. Invocations in flight end with an error; asynchronous ones that wait are dropped.
func (h *Host) Close() {
	h.once.Do(func() { close(h.closed) })
	for _, f := range h.functions {
		f.close()
	}
	h.async.running.Wait()
}

// lockedWriter keeps lines of different processes apart.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
