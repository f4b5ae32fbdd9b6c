package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// witness is everything that the public API lists for an app: the items of each path's pages.
type witness map[string][]string

// testify asks for all of it.
func (p *population) testify(ctx context.Context) (witness, error) {
	paths := []string{"/users"}
	for _, user := range p.users {
		paths = append(paths, "/users/"+user+"/conversations", "/users/"+user+"/messages", "/users/"+user+"/messages?unread=true")
	}
	for _, t := range p.talks {
		paths = append(paths, "/conversations/"+t.id+"/messages", "/conversations/"+t.id+"/messages?order=desc")
	}
	paths = append(paths, p.groupPaths()...)
	paths = append(paths, "/keys") // the last: the first use of a permission is noted in the key that used it
	said := witness{}
	for _, group := range []string{p.club.id, p.dismissed} {
		var shown json.RawMessage
		if err := p.call(ctx, http.MethodGet, "/groups/"+group, nil, &shown); err != nil {
			return nil, err
		}
		said["/groups/"+group] = []string{string(shown)}
	}
	for _, path := range paths {
		var err error
		if said[path], err = p.list(ctx, path); err != nil {
			return nil, err
		}
	}
	return said, nil
}

// items counts what the witness has.
func (w witness) items() int {
	count := 0
	for _, items := range w {
		count += len(items)
	}
	return count
}

// agrees demands the same items, byte for byte.
func (w witness) agrees(other witness) error {
	for path, items := range w {
		if !slices.Equal(items, other[path]) {
			return fmt.Errorf("%s lists other items than before the loss (%d, then %d)", path, len(items), len(other[path]))
		}
	}
	return nil
}

// goesOn demands that what was under way before the loss goes on behind it.
func (p *population) goesOn(ctx context.Context) error {
	for _, step := range []func(context.Context) error{p.oldCredentials, p.retries, p.nextNumbers, p.groupsGoOn} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// oldCredentials demands that keys and tokens work as before, and that a revoked key stays refused.
func (p *population) oldCredentials(ctx context.Context) error {
	if _, err := p.as(p.second).list(ctx, "/users"); err != nil {
		return fmt.Errorf("an old key: %w", err)
	}
	for user, token := range p.tokens {
		if _, err := p.as(token).list(ctx, "/users/"+user+"/messages"); err != nil {
			return fmt.Errorf("an old token: %w", err)
		}
	}
	return p.as(p.revoked).refused(ctx, http.MethodGet, "/users", nil, http.StatusUnauthorized, "api_key_revoked")
}

// retries repeats registrations and sends from before the loss: one effect, the same answer.
func (p *population) retries(ctx context.Context) error {
	for number, user := range p.users {
		again, err := p.registerOne(ctx, number)
		if err != nil {
			return err
		}
		if again != user {
			return fmt.Errorf("a repeated registration of %s answers %s", user, again)
		}
	}
	for _, t := range p.talks {
		var stored struct {
			MessageID string `json:"message_id"`
		}
		if err := p.call(ctx, http.MethodPost, "/send", t.retry, &stored); err != nil {
			return err
		}
		if stored.MessageID != t.retried {
			return fmt.Errorf("a repeated send answers %s, not %s", stored.MessageID, t.retried)
		}
	}
	return nil
}

// nextNumbers sends on in every conversation.
func (p *population) nextNumbers(ctx context.Context) error {
	for _, t := range p.talks {
		if _, err := p.send(ctx, t, fields{"from": t.bob, "to": t.ann, "message": "after the loss"}); err != nil {
			return err
		}
	}
	return nil
}

// registerOne registers the user of the number, or finds it registered.
func (p *population) registerOne(ctx context.Context, number int) (string, error) {
	header, body := registration(number)
	status, text, err := p.exchange(ctx, http.MethodPost, "/register", header, body)
	if err != nil {
		return "", err
	}
	if status/100 != 2 {
		return "", fmt.Errorf("register: %d %s", status, text)
	}
	var profile struct {
		UserID string `json:"user_id"`
	}
	err = json.Unmarshal(text, &profile)
	return profile.UserID, err
}
