package budget

import (
	"context"
	"net/http"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// presenceOf asks about n users in one request.
func presenceOf(n int) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, _ int) (Request, error) {
		users, err := p.registerAll(ctx, n)
		return func(int) error {
			_, err := p.Post(ctx, "/presence/query", map[string]any{"users": ids(users)})
			return err
		}, err
	}
}

func ids(users []User) []string {
	all := make([]string, len(users))
	for i, user := range users {
		all[i] = user.ID
	}
	return all
}

func onePresence(ctx context.Context, p *Platform, _ int) (Request, error) {
	user, err := p.Register(ctx)
	return func(int) error {
		_, err := p.do(ctx, p.App, client.Request{Path: "/presence/" + user.ID})
		return err
	}, err
}

func hides(ctx context.Context, p *Platform, _ int) (Request, error) {
	user, err := p.Register(ctx)
	return func(i int) error {
		_, err := p.do(ctx, p.App, client.Request{Method: http.MethodPut, Path: "/users/" + user.ID + "/presence",
			Body: map[string]any{"hidden": i%2 == 0}})
		return err
	}, err
}

// watches begins to watch another user with every request; watched says that somebody watches them already.
func watches(watched bool) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, n int) (Request, error) {
		users, err := p.registerAll(ctx, n)
		if err != nil {
			return nil, err
		}
		first, err := watching(ctx, p, users)
		if err != nil || !watched {
			return first, err
		}
		if err := repeat(first, 0, n); err != nil {
			return nil, err
		}
		return watching(ctx, p, users)
	}
}

// watching lets a new user watch the users, one with each request.
func watching(ctx context.Context, p *Platform, users []User) (Request, error) {
	watcher, err := p.Register(ctx)
	if err != nil {
		return nil, err
	}
	socket, err := p.Connect(ctx, watcher)
	return func(i int) error {
		return asked(socket.Ask(ctx, map[string]any{"action": "watch", "users": []string{users[i].ID}}))
	}, err
}

// arrivals connects users who are watched by as many others, all of them online, and waits until they are told.
func arrivals(watchers int) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, n int) (Request, error) {
		users, err := p.registerAll(ctx, n)
		if err != nil {
			return nil, err
		}
		connect, err := connectionsOf(ctx, p, users)
		if err != nil {
			return nil, err
		}
		sockets := make([]*client.Socket, watchers)
		for i := range sockets {
			watcher, err := p.Register(ctx)
			if err != nil {
				return nil, err
			}
			if sockets[i], err = p.Connect(ctx, watcher); err != nil {
				return nil, err
			}
			if err := asked(sockets[i].Ask(ctx, map[string]any{"action": "watch", "users": ids(users)})); err != nil {
				return nil, err
			}
		}
		return func(i int) error { return p.arrive(ctx, func() error { return connect(i) }, sockets) }, nil
	}
}

// arrive lets a user connect, and the time pass until its watchers are told.
func (p *Platform) arrive(ctx context.Context, connect func() error, watchers []*client.Socket) error {
	before := make([]int, len(watchers))
	for i, watcher := range watchers {
		before[i] = len(watcher.Events(0))
	}
	if err := connect(); err != nil {
		return err
	}
	if _, err := p.do(ctx, p.App.With(""), client.Request{Path: "/_local/queues/clock", Body: `{"advance_seconds":5}`}); err != nil {
		return err
	}
	for i, watcher := range watchers {
		if err := watcher.Await(ctx, func(events []client.Frame) bool { return len(events) > before[i] }); err != nil {
			return err
		}
	}
	return nil
}
