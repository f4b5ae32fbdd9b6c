package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// fields is a JSON body.
type fields map[string]any

// talk is a conversation of the drill: its two users, its length so far, and a message that the sender may retry.
type talk struct {
	id       string
	ann, bob string
	tail     int64
	retry    fields
	retried  string // the message's ID
}

// population is what the drill makes in an app, by the public API alone.
type population struct {
	client
	users     []string
	talks     []*talk
	tokens    map[string]string // user: token
	second    string            // a key that was made by the first
	revoked   string            // one that was revoked before the loss
	club      *club
	dismissed string // a group
}

const (
	usersPerApp  = 8
	longTalk     = 260 // entries of the longest conversation: three pages of history
	longMessage  = 4000
	tokenedUsers = 3
)

// populate registers users and has each write to the next, read, acknowledge and get a token, and makes groups.
func populate(ctx context.Context, base, key string) (*population, error) {
	p := &population{client: client{base: base, credential: key}, tokens: map[string]string{}}
	for _, step := range []func(context.Context) error{p.register, p.converse, p.mark, p.mint, p.gather, p.upload, p.makeKeys} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// registration is the header that makes the user's registration repeatable, and its body.
func registration(number int) (http.Header, fields) {
	return http.Header{"Idempotency-Key": {fmt.Sprint("drill ", number)}}, fields{"username": fmt.Sprint("User", number)}
}

func (p *population) register(ctx context.Context) error {
	for number := range usersPerApp {
		id, err := p.registerOne(ctx, number)
		if err != nil {
			return err
		}
		p.users = append(p.users, id)
	}
	return nil
}

// converse has every user write to the next; the first pair writes more than a page of long messages.
func (p *population) converse(ctx context.Context) error {
	for i, user := range p.users {
		made := &talk{ann: user, bob: p.users[(i+1)%len(p.users)]}
		p.talks = append(p.talks, made)
		text, length := "hello", 3+i
		if i == 0 {
			text, length = strings.Repeat("x", longMessage), longTalk
		}
		for n := range length {
			from, to := made.ann, made.bob
			if n%3 == 2 {
				from, to = to, from
			}
			if _, err := p.send(ctx, made, fields{"from": from, "to": to, "message": text}); err != nil {
				return err
			}
		}
		made.retry = fields{"from": made.ann, "to": made.bob, "message": "once", "client_id": fmt.Sprint("retry#", i), "reply_to": 1, "mentions": []string{made.bob}}
		var err error
		if made.retried, err = p.send(ctx, made, made.retry); err != nil {
			return err
		}
	}
	return nil
}

// send sends and demands the next number of the conversation. It returns the message's ID.
func (p *population) send(ctx context.Context, t *talk, body fields) (string, error) {
	var stored struct {
		MessageID      string `json:"message_id"`
		ConversationID string `json:"conversation_id"`
		Seq            int64  `json:"seq"`
	}
	if err := p.call(ctx, http.MethodPost, "/send", body, &stored); err != nil {
		return "", err
	}
	if stored.Seq != t.tail+1 {
		return "", fmt.Errorf("a message of %s got number %d, not %d", stored.ConversationID, stored.Seq, t.tail+1)
	}
	t.id, t.tail = stored.ConversationID, stored.Seq
	return stored.MessageID, nil
}

// mark acknowledges one half of each conversation and reads a third of it.
func (p *population) mark(ctx context.Context) error {
	for _, t := range p.talks {
		path := "/users/" + t.bob + "/conversations/" + t.id
		if err := p.call(ctx, http.MethodPost, path+"/ack", fields{"seq": t.tail/2 + 1}, nil); err != nil {
			return err
		}
		if err := p.call(ctx, http.MethodPost, path+"/read", fields{"seq": t.tail/3 + 1}, nil); err != nil {
			return err
		}
	}
	return nil
}

func (p *population) mint(ctx context.Context) error {
	for _, user := range p.users[:tokenedUsers] {
		var minted struct {
			Token string `json:"token"`
		}
		if err := p.call(ctx, http.MethodPost, "/users/"+user+"/tokens", fields{"device": "phone"}, &minted); err != nil {
			return err
		}
		p.tokens[user] = minted.Token
	}
	return nil
}

// upload declares a picture of each user's. Nothing is put into the bucket: the drill is about tables.
func (p *population) upload(ctx context.Context) error {
	for _, user := range p.users {
		declared := fields{"from": user, "type": "image", "content_type": "image/png", "size": 7, "sha256": strings.Repeat("ab", 32), "filename": "cat.png"}
		if err := p.call(ctx, http.MethodPost, "/media", declared, nil); err != nil {
			return err
		}
	}
	return nil
}

// makeKeys makes two keys and revokes one of them.
func (p *population) makeKeys(ctx context.Context) error {
	var kept, revoked struct {
		KeyID  string `json:"key_id"`
		APIKey string `json:"api_key"`
	}
	wanted := fields{"name": "drill", "scopes": []string{"messages:read", "users:list"}}
	if err := p.call(ctx, http.MethodPost, "/keys", wanted, &kept); err != nil {
		return err
	}
	if err := p.call(ctx, http.MethodPost, "/keys", wanted, &revoked); err != nil {
		return err
	}
	p.second, p.revoked = kept.APIKey, revoked.APIKey
	return p.call(ctx, http.MethodDelete, "/keys/"+revoked.KeyID, nil, nil)
}
