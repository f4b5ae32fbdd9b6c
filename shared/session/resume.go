package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/token"
)

const (
	// openPatience is how long a resume waits for its connection to be open. Where the user's record has it no more it waits
	// until the pause is longestPoll, some 0.6 s: sockets that close as soon as they open must not fill the function.
	openPatience = 5 * time.Second
	// openPoll is the pause before the second look; it doubles up to longestPoll, so that waiting costs some ten calls.
	openPoll    = 20 * time.Millisecond
	longestPoll = 640 * time.Millisecond
)

// ResumeRequest is what connect tells resume.
type ResumeRequest struct {
	App        string  `json:"app"`
	User       id.User `json:"user"`
	Connection string  `json:"connection"`
	Device     string  `json:"device"`
	Since      int64   `json:"since"`
	// Renewed says that the socket has a new token: its subscriptions last as long as that, and there is nothing to resume.
	Renewed bool `json:"renewed,omitempty"`
}

// NewResumeRequest returns the request for a socket that has just opened; since is the version that its device named.
func NewResumeRequest(opened connection.Socket, since int64) ResumeRequest {
	return ResumeRequest{App: opened.App.String(), User: opened.User, Connection: opened.Connection, Device: opened.Device, Since: since}
}

// socket returns what names the socket; its rights are those that it has when it is resumed, not those of the request.
func (r ResumeRequest) socket() connection.Socket {
	return connection.Socket{App: id.StoredApp(r.App), User: r.User, Connection: r.Connection, Device: r.Device}
}

// Rights checks what a socket's token said. authn.Authenticator is one.
type Rights interface {
	Claims(ctx context.Context, claims token.Claims) (authz.Caller, error)
}

// Messages makes the windows of a resume. message.Service is one.
type Messages interface {
	Begin(ctx context.Context, app id.App, user id.User, since int64, subscribe func(context.Context) error) (message.Window, *message.Progress, error)
	Next(ctx context.Context, app id.App, user id.User, progress message.Progress) (message.Window, *message.Progress, error)
}

// Audience subscribes sockets to large groups. fanout.Audience is one.
type Audience interface {
	// Connect subscribes the socket to the large groups of its user, as long as its token lasts.
	Connect(ctx context.Context, socket connection.Socket) error
}

// Resumer sends a socket what its device has missed, window by window.
type Resumer struct {
	Connections *connection.Service
	Messages    Messages
	// Rights and Audience are needed by Resume only.
	Rights   Rights
	Audience Audience
}

// ending are the refusals with which a socket that has just opened ends again.
var ending = []fault.Code{fault.TokenRevoked, fault.TokenExpired, fault.UserDeactivated, fault.PermissionDenied}

// Resume waits until the socket is open and posts the first window. It may run more than once for a socket: what it
// posts again, clients drop.
func (r *Resumer) Resume(ctx context.Context, request ResumeRequest) error {
	opened := request.socket()
	if err := r.awaitOpen(ctx, opened); err != nil {
		if errors.Is(err, connection.ErrGone) {
			return nil // it closed before it could be used
		}
		return fmt.Errorf("wait for the connection: %w", err)
	}
	// What counts is the socket as it stands: an auth frame may have renewed it since.
	standing, err := r.Connections.Store.Socket(ctx, opened.App, opened.User, opened.Connection)
	if errors.Is(err, connection.ErrNotFound) {
		// Somebody has cut it, perhaps before it could be closed: API Gateway knows no socket that is still opening.
		r.Connections.Cut(ctx, opened.App, opened.User, opened.Device, opened.Connection)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the socket: %w", err)
	}
	// The index by which a revoked key finds its sockets lags a little: one that opened in between is caught here, and so is
	// one whose user may have none any more.
	caller, err := r.Rights.Claims(ctx, token.Claims{Kind: token.User, App: opened.App, User: opened.User, Key: standing.Key,
		Epoch: standing.Epoch, ExpiresAt: standing.ExpiresAt})
	if err == nil {
		err = mayOpen(caller)
	}
	switch code := fault.Of(err).Code; {
	case err == nil:
	case slices.Contains(ending, code):
		r.Connections.Cut(ctx, opened.App, opened.User, opened.Device, opened.Connection)
		return nil
	default:
		return err
	}
	subscribe := func(ctx context.Context) error { return r.Audience.Connect(ctx, standing) }
	if request.Renewed {
		return subscribe(ctx)
	}
	window, progress, err := r.Messages.Begin(ctx, opened.App, opened.User, request.Since, subscribe)
	if err != nil {
		return fmt.Errorf("make the first window: %w", err)
	}
	if err := r.move(ctx, standing, progress); err != nil {
		return err
	}
	return r.Connections.Answer(ctx, opened.Connection, window.Encode())
}

// move stores the progress before its window is posted, so that the acknowledgement finds it however fast it comes.
func (r *Resumer) move(ctx context.Context, standing connection.Socket, progress *message.Progress) error {
	if standing.Window == nil && progress == nil {
		return nil // one window was enough
	}
	_, err := r.Connections.Store.MoveWindow(ctx, standing, next(standing.Window, progress))
	if err != nil {
		return fmt.Errorf("store the progress: %w", err)
	}
	return nil
}

// next returns the window state behind the standing one. The last window leaves a state too, which nothing opens, so that
// it can be posted again; a resume of one window leaves none.
func next(standing *connection.Window, progress *message.Progress) *connection.Window {
	switch {
	case standing == nil && progress == nil:
		return nil
	case standing == nil:
		return &connection.Window{Since: progress.Since, Version: progress.Version,
			Conversation: progress.Conversation, Sequence: progress.Sequence}
	}
	window := &connection.Window{Since: standing.Since, Version: standing.Version,
		PrevConversation: standing.Conversation, PrevSequence: standing.Sequence}
	if progress != nil {
		window.Conversation, window.Sequence = progress.Conversation, progress.Sequence
	}
	return window
}

// awaitOpen waits until API Gateway knows the connection. It returns connection.ErrGone for one that has closed or never opens.
func (r *Resumer) awaitOpen(ctx context.Context, opened connection.Socket) error {
	ctx, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	for pause := openPoll; ; pause = min(2*pause, longestPoll) {
		err := r.Connections.Poster.Exists(ctx, opened.Connection)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return connection.ErrGone
		case !errors.Is(err, connection.ErrGone):
			return err
		}
		if pause == longestPoll && !r.attached(ctx, opened) {
			return connection.ErrGone
		}
		select {
		case <-ctx.Done():
			return connection.ErrGone
		case <-time.After(pause):
		}
	}
}

// attached tells whether the user's record still has the socket, as far as it can be read.
func (r *Resumer) attached(ctx context.Context, opened connection.Socket) bool {
	record, err := r.Connections.Store.Record(ctx, opened.App, opened.User, true)
	if err != nil {
		return !errors.Is(err, connection.ErrNotFound)
	}
	return record.Devices[opened.Device].Connection == opened.Connection
}

// Acknowledged goes on with a resume: the acknowledgement of a window's last message posts the next window, and that of
// the window before posts the standing one again, for a client that never got it.
func (r *Resumer) Acknowledged(ctx context.Context, acknowledging connection.Socket, conversation id.Conversation, sequence int64) error {
	standing, err := r.Connections.Store.Socket(ctx, acknowledging.App, acknowledging.User, acknowledging.Connection)
	if errors.Is(err, connection.ErrNotFound) || err == nil && standing.Window == nil {
		return nil
	}
	if err != nil {
		return err
	}
	window := standing.Window
	switch {
	case window.Conversation == conversation && sequence >= window.Sequence:
		return r.advance(ctx, standing)
	case window.PrevConversation == conversation && window.PrevSequence == sequence:
		return r.post(ctx, standing, message.Progress{Since: window.Since, Version: window.Version,
			Conversation: window.PrevConversation, Sequence: window.PrevSequence})
	}
	return nil
}

// advance moves to the next window and posts it. Of two acknowledgements at once, one does.
func (r *Resumer) advance(ctx context.Context, standing connection.Socket) error {
	from := message.Progress{Since: standing.Window.Since, Version: standing.Window.Version,
		Conversation: standing.Window.Conversation, Sequence: standing.Window.Sequence}
	window, progress, err := r.Messages.Next(ctx, standing.App, standing.User, from)
	if err != nil {
		return fmt.Errorf("make the next window: %w", err)
	}
	moved, err := r.Connections.Store.MoveWindow(ctx, standing, next(standing.Window, progress))
	if err != nil || !moved {
		return err
	}
	return r.Connections.Answer(ctx, standing.Connection, window.Encode())
}

// post posts the window behind the progress without moving on.
func (r *Resumer) post(ctx context.Context, standing connection.Socket, from message.Progress) error {
	window, _, err := r.Messages.Next(ctx, standing.App, standing.User, from)
	if err != nil {
		return fmt.Errorf("make the window again: %w", err)
	}
	slog.InfoContext(ctx, "window posted again", "user", standing.User)
	return r.Connections.Answer(ctx, standing.Connection, window.Encode())
}
