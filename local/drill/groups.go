package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// club is a group of the drill.
type club struct {
	id      string
	tail    int64
	members []string // the first owns it
	invited string   // who has not joined yet
	removed string
	making  fields // the request that made it, which its owner may repeat
	retry   fields // a message that a member may send again
	retried string // the message's ID
}

// clubMessages are the messages of the drill's group: more than a page of history.
const clubMessages = 110

// gather makes two groups: one that lives, with messages, a muted admin, a removed member and an invitation, and one that is
// dismissed.
func (p *population) gather(ctx context.Context) error {
	p.club = &club{members: p.users[:4], removed: p.users[4], invited: p.users[5], making: fields{"name": "Hiking", "owner": p.users[0],
		"members": p.users[1:5], "speak": "everyone", "custom": fields{"where": "<hills>"}}}
	if err := p.makeClub(ctx); err != nil {
		return err
	}
	for n := range clubMessages {
		if _, err := p.say(ctx, fields{"from": p.club.members[n%len(p.club.members)], "message": fmt.Sprint("to all ", n)}); err != nil {
			return err
		}
	}
	p.club.retry = fields{"from": p.users[1], "message": "once to all", "client_id": "retry#all", "reply_to": 3, "mentions": []string{p.users[2]}}
	var err error
	if p.club.retried, err = p.say(ctx, p.club.retry); err != nil {
		return err
	}
	group := "/groups/" + p.club.id
	for _, change := range []struct {
		method, path string
		body         fields
	}{
		{http.MethodPut, "/members/" + p.users[1] + "/role", fields{"role": "admin"}},
		{http.MethodPut, "/members/" + p.users[2] + "/mute", fields{"until": time.Now().Add(time.Hour)}},
		{http.MethodDelete, "/members/" + p.club.removed, nil},
		{http.MethodPost, "/members", fields{"users": []string{p.club.invited}}},
		{http.MethodPatch, "", fields{"description": "On Sundays"}},
	} {
		if err := p.change(ctx, change.method, group+change.path, change.body); err != nil {
			return err
		}
		p.club.tail++ // each is an entry of the log
	}
	if err := p.markClub(ctx); err != nil {
		return err
	}
	return p.dissolve(ctx)
}

// change calls the API without a body where there is none.
func (p *population) change(ctx context.Context, method, path string, body fields) error {
	if body == nil {
		return p.call(ctx, method, path, nil, nil)
	}
	return p.call(ctx, method, path, body, nil)
}

// makeClub makes the group, or finds it made.
func (p *population) makeClub(ctx context.Context) error {
	status, text, err := p.exchange(ctx, http.MethodPost, "/groups", http.Header{"Idempotency-Key": {"drill group"}}, p.club.making)
	if err != nil {
		return err
	}
	var made struct {
		GroupID string `json:"group_id"`
	}
	if err := json.Unmarshal(text, &made); err != nil || status/100 != 2 {
		return fmt.Errorf("create a group: %d %s", status, text)
	}
	switch p.club.id {
	case "":
		p.club.id, p.club.tail = made.GroupID, 2 // it was created, and its members have joined
	case made.GroupID:
	default:
		return fmt.Errorf("a repeated creation of %s answers %s", p.club.id, made.GroupID)
	}
	return nil
}

// say sends to the group and demands its next number. It returns the message's ID.
func (p *population) say(ctx context.Context, body fields) (string, error) {
	body["to"] = p.club.id
	var stored struct {
		MessageID string `json:"message_id"`
		Seq       int64  `json:"seq"`
	}
	if err := p.call(ctx, http.MethodPost, "/send", body, &stored); err != nil {
		return "", err
	}
	if p.club.tail++; stored.Seq != p.club.tail {
		return "", fmt.Errorf("a message to the group got number %d, not %d", stored.Seq, p.club.tail)
	}
	return stored.MessageID, nil
}

// markClub has members acknowledge and read a part.
func (p *population) markClub(ctx context.Context) error {
	for i, user := range p.club.members {
		path := "/users/" + user + "/conversations/" + p.club.id
		if err := p.call(ctx, http.MethodPost, path+"/ack", fields{"seq": p.club.tail - int64(i)}, nil); err != nil {
			return err
		}
	}
	return p.call(ctx, http.MethodPost, "/users/"+p.club.members[3]+"/conversations/"+p.club.id+"/read", fields{"seq": p.club.tail - 1}, nil)
}

// dissolve makes a group by a user's own token and dismisses it.
func (p *population) dissolve(ctx context.Context) error {
	var made struct {
		GroupID string `json:"group_id"`
	}
	own := p.as(p.tokens[p.users[2]])
	if err := own.call(ctx, http.MethodPost, "/groups", fields{"name": "Done", "members": []string{p.users[6]}}, &made); err != nil {
		return err
	}
	p.dismissed = made.GroupID
	return own.call(ctx, http.MethodDelete, "/groups/"+p.dismissed, nil, nil)
}

// groupPaths are what the API lists of groups.
func (p *population) groupPaths() (paths []string) {
	for _, user := range p.users {
		paths = append(paths, "/users/"+user+"/groups", "/users/"+user+"/groups?state=invited")
	}
	for _, group := range []string{p.club.id, p.dismissed} {
		paths = append(paths, "/groups/"+group+"/members", "/groups/"+group+"/members?since=1",
			"/conversations/"+group+"/messages", "/conversations/"+group+"/messages?order=desc")
	}
	return paths
}

// groupsGoOn demands that groups are what they were, and go on behind it.
func (p *population) groupsGoOn(ctx context.Context) error {
	if err := p.makeClub(ctx); err != nil { // again
		return err
	}
	var stored struct {
		MessageID string `json:"message_id"`
	}
	if err := p.call(ctx, http.MethodPost, "/send", p.club.retry, &stored); err != nil {
		return err
	}
	if stored.MessageID != p.club.retried {
		return fmt.Errorf("a repeated send to the group answers %s, not %s", stored.MessageID, p.club.retried)
	}
	if _, err := p.say(ctx, fields{"from": p.club.members[0], "message": "after the loss"}); err != nil {
		return err
	}
	if err := p.call(ctx, http.MethodPost, "/groups/"+p.club.id+"/join", fields{"as": p.club.invited}, nil); err != nil {
		return err
	}
	p.club.tail++
	if _, err := p.say(ctx, fields{"from": p.club.invited, "message": "I came later"}); err != nil {
		return err
	}
	for _, refusal := range []struct{ from, to, code string }{
		{p.club.removed, p.club.id, "not_a_member"}, {p.club.members[2], p.club.id, "member_muted"}, {p.users[2], p.dismissed, "group_dismissed"},
	} {
		status := http.StatusForbidden
		if refusal.to == p.dismissed {
			status = http.StatusConflict
		}
		body := fields{"from": refusal.from, "to": refusal.to, "message": "let me"}
		if err := p.refused(ctx, http.MethodPost, "/send", body, status, refusal.code); err != nil {
			return err
		}
	}
	return nil
}
