package budget

import (
	"context"
	"fmt"
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
