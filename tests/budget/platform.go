// Package budget counts what requests cost, against the budgets of the design: capacity units, calls, posts,
// invocations, log lines. It counts, it does not time, so it gives the same numbers on every machine.
//
// The table in rows.go is the one place: the tests hold it, and `make bench` prints it as it was measured.
package budget

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"

	"github.com/tokenim/tokenim/local/bootstrap"
	"github.com/tokenim/tokenim/local/run"
	"github.com/tokenim/tokenim/tests/conformance/client"
)

// Platform is a laptop runner of one's own that counts.
type Platform struct {
	// Runner has the counters.
	Runner *run.Runner
	// App is its first app, with a key that has every scope.
	App client.Installation

	lines *lines
	users atomic.Int64
}

// lines counts what is printed.
type lines struct {
	count atomic.Int64
	last  atomic.Pointer[string]
}

// Write implements io.Writer.
func (l *lines) Write(text []byte) (int, error) {
	l.count.Add(int64(bytes.Count(text, []byte("\n"))))
	shown := string(text)
	l.last.Store(&shown)
	return len(text), nil
}

// Options say how to run a platform.
type Options struct {
	// Root is the repository, Folder where data and binaries go.
	Root, Folder string
	// Memory keeps the tables in memory, Meter counts what DynamoDB does, at the price of a little time.
	Memory, Meter bool
}

// Start starts a runner. No log line is sampled, and no asynchronous invocation happens twice.
func Start(ctx context.Context, o Options) (*Platform, error) {
	printed := &lines{}
	in := func(name string) string { return filepath.Join(o.Folder, name) }
	runner, err := run.Start(ctx, run.Options{
		Root: o.Root, Data: in("data"), Ready: in("ready.json"), Binaries: in("bin"), Memory: o.Memory, Meter: o.Meter,
		DoubleEvery: -1, Bootstrap: bootstrap.Local, Log: printed,
		Parameters: map[string]string{"LogSampleRate": "0"},
	})
	if err != nil {
		return nil, fmt.Errorf("start the runner: %w", err)
	}
	ready := runner.Ready()
	return &Platform{Runner: runner, lines: printed,
		App: client.Installation{HTTP: ready.HTTP, WebSocket: ready.WebSocket, APIKey: ready.APIKey}}, nil
}

// Close stops the runner.
func (p *Platform) Close() { p.Runner.Close() }

// User is a registered user.
type User struct{ ID, Name string }

// Register makes a user.
func (p *Platform) Register(ctx context.Context) (User, error) {
	name := fmt.Sprintf("user-%d", p.users.Add(1))
	answer, err := p.Post(ctx, "/register", map[string]any{"username": name})
	return User{ID: answer.Text("user_id"), Name: name}, err
}

// Pair makes two users with a conversation that has one message, and returns its ID.
func (p *Platform) Pair(ctx context.Context) (ann, bob User, conversation string, err error) {
	if ann, err = p.Register(ctx); err != nil {
		return ann, bob, "", err
	}
	if bob, err = p.Register(ctx); err != nil {
		return ann, bob, "", err
	}
	answer, err := p.Send(ctx, ann.ID, bob.ID, nil)
	return ann, bob, answer.Text("conversation_id"), err
}

// Send sends a message over HTTP.
func (p *Platform) Send(ctx context.Context, from, to string, more map[string]any) (client.Answer, error) {
	body := map[string]any{"from": from, "to": to, "message": "A message as people write them: short."}
	for name, value := range more {
		body[name] = value
	}
	return p.Post(ctx, "/send", body)
}

// Post sends a request that has to succeed.
func (p *Platform) Post(ctx context.Context, path string, body any) (client.Answer, error) {
	return p.do(ctx, p.App, client.Request{Path: path, Body: body})
}

func (p *Platform) do(ctx context.Context, by client.Installation, request client.Request) (client.Answer, error) {
	answer, err := by.Do(ctx, request)
	if err == nil && answer.Status >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: %s", request.Path, answer)
	}
	return answer, err
}

// Token returns the platform under a token of the user.
func (p *Platform) Token(ctx context.Context, user User) (client.Installation, error) {
	answer, err := p.Post(ctx, "/users/"+user.ID+"/tokens", map[string]any{})
	return p.App.With(answer.Text("token")), err
}

// Connect opens a socket of the user and waits for its resume.
func (p *Platform) Connect(ctx context.Context, user User) (*client.Socket, error) {
	token, err := p.Token(ctx, user)
	if err != nil {
		return nil, err
	}
	return dial(ctx, token)
}

func dial(ctx context.Context, token client.Installation) (*client.Socket, error) {
	socket, _, err := token.Dial(ctx, client.DialOptions{})
	if err != nil {
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	return socket, socket.Await(ctx, func(events []client.Frame) bool { return len(events) > 0 })
}
