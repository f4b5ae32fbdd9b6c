package budget

import (
	"context"
	"fmt"
	"strings"
)

// Crowd prepares sends from many users to one, in turn, each into a conversation that exists already.
func (p *Platform) Crowd(ctx context.Context, n, friends int) (Request, error) {
	receiver, err := p.Register(ctx)
	if err != nil {
		return nil, err
	}
	senders, err := p.registerAll(ctx, friends)
	if err != nil {
		return nil, err
	}
	send := func(i int) error {
		_, err := p.Send(ctx, senders[i%friends].ID, receiver.ID, nil)
		return err
	}
	return send, repeat(send, 0, friends)
}

// largest sends to a user whose routing record is as large as it gets: five devices whose names have 32 bytes, and as
// many changed conversations as fit in before half of them go.
func largest(ctx context.Context, p *Platform, _ int) (Request, error) {
	ann, bob, _, err := p.Pair(ctx)
	if err != nil {
		return nil, err
	}
	for i := range 5 {
		if err := p.connectNamed(ctx, bob, fmt.Sprintf("%s-%d", strings.Repeat("d", 30), i)); err != nil {
			return nil, err
		}
	}
	friends, err := p.registerAll(ctx, 14) // with ann 15: the ring holds 15 between two overflows
	if err != nil {
		return nil, err
	}
	for _, friend := range friends {
		if _, err := p.Send(ctx, friend.ID, bob.ID, nil); err != nil {
			return nil, err
		}
	}
	text := map[string]any{"message": strings.Repeat("message ", 75)}
	return func(int) error {
		_, err := p.Send(ctx, ann.ID, bob.ID, text)
		return err
	}, nil
}

// connectNamed opens a socket of the user's device.
func (p *Platform) connectNamed(ctx context.Context, user User, device string) error {
	answer, err := p.Post(ctx, "/users/"+user.ID+"/tokens", map[string]any{"device": device})
	if err != nil {
		return err
	}
	_, err = dial(ctx, p.App.With(answer.Text("token")))
	return err
}

// LastLine is what the platform printed last.
func (p *Platform) LastLine() string {
	if last := p.lines.last.Load(); last != nil {
		return *last
	}
	return ""
}
