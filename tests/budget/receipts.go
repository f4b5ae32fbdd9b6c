package budget

import (
	"context"
	"fmt"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// asksFor is the request for the path.
func asksFor(ctx context.Context, p *Platform, by client.Installation, path string) Request {
	return func(int) error {
		_, err := p.do(ctx, by, client.Request{Path: path})
		return err
	}
}

func receipts(ctx context.Context, p *Platform, _ int) (Request, error) {
	ann, _, conversation, err := p.Pair(ctx)
	if err != nil {
		return nil, err
	}
	token, err := p.Token(ctx, ann)
	return asksFor(ctx, p, token, "/conversations/"+conversation+"/messages/1/receipts"), err
}

func groupReceipts(members int) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, _ int) (Request, error) {
		group, users, err := p.Group(ctx, members)
		if err != nil {
			return nil, err
		}
		sent, err := p.Send(ctx, users[0].ID, group, nil)
		if err != nil {
			return nil, err
		}
		token, err := p.Token(ctx, users[0])
		return asksFor(ctx, p, token, fmt.Sprintf("/conversations/%s/messages/%d/receipts?limit=100", group, int64(sent.Number("seq")))), err
	}
}

func traces(ctx context.Context, p *Platform, _ int) (Request, error) {
	ann, bob, _, err := p.Pair(ctx)
	if err != nil {
		return nil, err
	}
	if err := online(ctx, p, bob, 1); err != nil {
		return nil, err
	}
	sent, err := p.Send(ctx, ann.ID, bob.ID, nil)
	return asksFor(ctx, p, p.App, "/messages/"+sent.Text("message_id")+"/trace"), err
}
