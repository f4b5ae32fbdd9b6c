package budget

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// operation does something with messages of a pair, one for each request, whose receiver has a device online: method, path behind
// the message, body.
func operation(method, path string, body func(i int) any) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, n int) (Request, error) {
		ann, bob, conversation, err := p.talk(ctx, n)
		if err != nil {
			return nil, err
		}
		return func(i int) error {
			request := client.Request{Method: method, Path: fmt.Sprintf("/users/%s/conversations/%s/messages/%d%s", ann.ID, conversation, i+1, path)}
			if body != nil {
				request.Body = body(i)
			}
			_, err := p.do(ctx, p.App, request)
			return err
		}, online(ctx, p, bob, 1)
	}
}

func text(i int) any { return map[string]any{"message": fmt.Sprint("What it should have said: ", i)} }

func thumb(int) any { return map[string]any{"reaction": "👍"} }

// groupReactions has the members of a group, all of them online, react to one message, one after the other.
func groupReactions(members int) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, _ int) (Request, error) {
		group, users, err := p.Group(ctx, members)
		if err != nil {
			return nil, err
		}
		for _, user := range users {
			if _, err := p.Connect(ctx, user); err != nil {
				return nil, err
			}
		}
		sent, err := p.Send(ctx, users[0].ID, group, nil)
		return func(i int) error {
			path := fmt.Sprintf("/users/%s/conversations/%s/messages/%d/reactions", users[i%members].ID, group, sent.Number("seq"))
			_, err := p.Post(ctx, path, map[string]any{"reaction": fmt.Sprintf(":r%d:", i/members)})
			return err
		}, err
	}
}

func singleReads(ctx context.Context, p *Platform, _ int) (Request, error) {
	ann, bob, conversation, err := p.Pair(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := p.Send(ctx, ann.ID, bob.ID, nil); err != nil {
		return nil, err
	}
	token, err := p.Token(ctx, bob)
	return func(int) error {
		_, err := p.do(ctx, token, client.Request{Method: http.MethodGet, Path: "/conversations/" + conversation + "/messages/1"})
		return err
	}, err
}
