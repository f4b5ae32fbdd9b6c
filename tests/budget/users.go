package budget

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// block has the user block the other.
func (p *Platform) block(ctx context.Context, user, other User) error {
	_, err := p.do(ctx, p.App, client.Request{Method: http.MethodPut, Path: "/users/" + user.ID + "/blocks/" + other.ID})
	return err
}

// sendsPastBlocks sends to a user who has blocked so many, but not the sender.
func sendsPastBlocks(many int) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, _ int) (Request, error) {
		ann, bob, _, err := p.Pair(ctx)
		if err != nil {
			return nil, err
		}
		others, err := p.registerAll(ctx, many)
		if err != nil {
			return nil, err
		}
		for _, other := range others {
			if err := p.block(ctx, bob, other); err != nil {
				return nil, err
			}
		}
		return func(int) error {
			_, err := p.Send(ctx, ann.ID, bob.ID, nil)
			return err
		}, online(ctx, p, bob, 1)
	}
}

func blocks(ctx context.Context, p *Platform, n int) (Request, error) {
	users, err := p.registerAll(ctx, n+1)
	return func(i int) error { return p.block(ctx, users[n], users[i]) }, err
}

func renames(ctx context.Context, p *Platform, _ int) (Request, error) {
	user, err := p.Register(ctx)
	return func(i int) error {
		_, err := p.do(ctx, p.App, client.Request{Method: http.MethodPatch, Path: "/users/" + user.ID, Body: map[string]any{"name": fmt.Sprint("Ann ", i)}})
		return err
	}, err
}
