package budget

import (
	"context"
	"fmt"
	"slices"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// Group makes a group of so many new users, the first of whom owns it.
func (p *Platform) Group(ctx context.Context, size int) (group string, members []User, err error) {
	if members, err = p.registerAll(ctx, size); err != nil {
		return "", nil, err
	}
	group, err = p.group(ctx, members)
	return group, members, err
}

func (p *Platform) group(ctx context.Context, users []User) (string, error) {
	ids := make([]string, len(users))
	for i, user := range users {
		ids[i] = user.ID
	}
	answer, err := p.Post(ctx, "/groups", map[string]any{"name": "budget", "owner": ids[0], "members": ids[1:]})
	return answer.Text("group_id"), err
}

// groupSends sends with a client ID into a group of so many members, so many of whom are online.
func groupSends(members, online int) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, _ int) (Request, error) {
		group, users, err := p.Group(ctx, members)
		if err != nil {
			return nil, err
		}
		for _, user := range users[:online] {
			if _, err := p.Connect(ctx, user); err != nil {
				return nil, err
			}
		}
		return func(i int) error {
			_, err := p.Send(ctx, users[i%members].ID, group, map[string]any{"client_id": fmt.Sprint("c", i)})
			return err
		}, nil
	}
}

// LargeGroup makes a group of so many new users, more than whoever writes posts to, with the devices of so many online.
func (p *Platform) LargeGroup(ctx context.Context, members, online int) (group string, users []User, sockets []*client.Socket, err error) {
	if users, err = p.registerAll(ctx, members); err != nil {
		return "", nil, nil, err
	}
	if group, err = p.group(ctx, users[:1]); err != nil {
		return "", nil, nil, err
	}
	for some := range slices.Chunk(users[1:], 1000) {
		ids := make([]string, len(some))
		for i, user := range some {
			ids[i] = user.ID
		}
		if _, err := p.Post(ctx, "/groups/"+group+"/members", map[string]any{"users": ids, "add": true}); err != nil {
			return "", nil, nil, err
		}
	}
	sockets, err = p.connectAll(ctx, users[:online])
	return group, users, sockets, err
}

// connectAll opens a socket of each user, some at a time.
func (p *Platform) connectAll(ctx context.Context, users []User) ([]*client.Socket, error) {
	sockets := make([]*client.Socket, len(users))
	return sockets, each(ctx, len(users), func(ctx context.Context, i int) (err error) {
		sockets[i], err = p.Connect(ctx, users[i])
		return err
	})
}

// Heard returns the sequences of the group's messages that the socket was told, but not of what changed in it.
func Heard(socket *client.Socket, group string) (sequences []int64) {
	for _, event := range socket.Events(0) {
		for _, message := range event.Messages() {
			if message.ConversationID == group && message.Type == "text" {
				sequences = append(sequences, message.Seq)
			}
		}
	}
	return sequences
}

// largeSends sends with a client ID into a large group, and waits until everybody who is online has it.
func largeSends(members, online int) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, _ int) (Request, error) {
		group, users, sockets, err := p.LargeGroup(ctx, members, online)
		if err != nil {
			return nil, err
		}
		return func(i int) error {
			if _, err := p.Send(ctx, users[0].ID, group, map[string]any{"client_id": fmt.Sprint("c", i)}); err != nil {
				return err
			}
			for _, socket := range sockets {
				if err := socket.Await(ctx, func([]client.Frame) bool { return len(Heard(socket, group)) > i }); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

// groupSyncs syncs a device of a user who is in so many groups and at its version.
func groupSyncs(groups int) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, _ int) (Request, error) {
		users, err := p.registerAll(ctx, 2)
		if err != nil {
			return nil, err
		}
		for range groups {
			group, err := p.group(ctx, users)
			if err != nil {
				return nil, err
			}
			if _, err := p.Send(ctx, users[0].ID, group, nil); err != nil {
				return nil, err
			}
		}
		return overSocketOf(ctx, p, users[1], map[string]any{"action": "sync", "v": groups})
	}
}
