package budget

import "context"

// replies makes every message a reply to the one that Pair has sent.
func replies(int) map[string]any { return map[string]any{"reply_to": 1} }

// mentioningSends sends into a large group, with so many mentions of its members, nobody of whom is online.
func mentioningSends(members, mentions int) func(context.Context, *Platform, int) (Request, error) {
	return func(ctx context.Context, p *Platform, _ int) (Request, error) {
		group, users, _, err := p.LargeGroup(ctx, members, 0)
		if err != nil {
			return nil, err
		}
		ids := make([]string, mentions)
		for i := range ids {
			ids[i] = users[i].ID
		}
		return func(int) error {
			_, err := p.Send(ctx, users[0].ID, group, map[string]any{"mentions": ids})
			return err
		}, nil
	}
}
