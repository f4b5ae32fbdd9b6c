package budget

import (
	"context"
	"strings"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// removals has a user remove a message of a conversation with each request: how makes the end of the path and the body.
func removals(how func(i int) (string, map[string]any)) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, n int) (Request, error) {
		bob, path, err := p.received(ctx, n+1)
		if err != nil {
			return nil, err
		}
		if _, err := p.Post(ctx, path+"/delete", map[string]any{"seqs": []int{1}}); err != nil { // the first costs a unit more
			return nil, err
		}
		return func(i int) error {
			end, body := how(i)
			_, err := p.Post(ctx, path+end, body)
			return err
		}, online(ctx, p, bob, 1)
	}
}

// received has a user with so many messages in a conversation, whose path it returns.
func (p *Platform) received(ctx context.Context, n int) (User, string, error) {
	ann, bob, conversation, err := p.Pair(ctx)
	for range n {
		if err == nil {
			_, err = p.Send(ctx, ann.ID, bob.ID, nil)
		}
	}
	return bob, "/users/" + bob.ID + "/conversations/" + conversation, err
}

// histories reads the newest ten messages of a conversation of whose the user has deleted some.
func histories(deleted ...int) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, _ int) (Request, error) {
		bob, path, err := p.received(ctx, 10)
		if err == nil && len(deleted) > 0 {
			_, err = p.Post(ctx, path+"/delete", map[string]any{"seqs": deleted})
		}
		if err != nil {
			return nil, err
		}
		token, err := p.Token(ctx, bob)
		return func(int) error {
			_, err := p.do(ctx, token, client.Request{Path: path[strings.LastIndex(path, "/conversations/"):] + "/messages?order=desc&limit=10"})
			return err
		}, err
	}
}
