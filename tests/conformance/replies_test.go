//go:build conformance

package conformance

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// referring is a message with what it refers to.
type referring struct {
	client.Message
	ReplyTo *struct {
		Seq       int64  `json:"seq"`
		MessageID string `json:"message_id"`
		From      string `json:"from"`
		Type      string `json:"type"`
	} `json:"reply_to"`
	Mentions   []string `json:"mentions"`
	MentionAll bool     `json:"mention_all"`
}

// lastShown returns the last message of the conversation as somebody reads it, decoded and not.
func lastShown(t *testing.T, by client.Installation, conversation string) (decoded referring, raw json.RawMessage) {
	t.Helper()
	page := into[struct{ Items []json.RawMessage }](t, get(t, by, "/conversations/"+conversation+"/messages?order=desc&limit=1"))
	if len(page.Items) != 1 {
		t.Fatalf("history: %s", page.Items)
	}
	if err := json.Unmarshal(page.Items[0], &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded, page.Items[0]
}

// TestARepliedMessageIsShown replies over HTTP and over the socket, with a mention: what is pushed is what is read.
func TestARepliedMessageIsShown(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	asked := send(t, bob, ann, "shall we?", nil)
	conversation := asked.Text("conversation_id")
	socket := online(t, bob, nil)
	body := object{"from": ann.ID, "to": bob.ID, "message": "yes, @bob", "client_id": "c1", "reply_to": 1, "mentions": []string{bob.ID, bob.ID}}
	first := post(t, app, "/send", body)
	wantStatus(t, first, http.StatusOK)
	if again := post(t, app, "/send", body); !bytes.Equal(again.Body, first.Body) {
		t.Errorf("again: %s, at first %s", again, first)
	}
	for _, other := range []object{{"reply_to": nil}, {"mentions": nil}, {"mentions": []string{ann.ID}}, {"reply_to": nil, "mentions": nil}} {
		wantRefusal(t, post(t, app, "/send", with(body, other)), http.StatusConflict, "client_id_conflict")
	}
	event := awaitEvent(t, socket, 0, func(f client.Frame) bool { return f.Event == "message" })
	read, raw := lastShown(t, as(t, app, bob, nil), conversation)
	if !bytes.Equal(event.Content, raw) {
		t.Errorf("pushed %s, read %s", event.Content, raw)
	}
	if q := read.ReplyTo; q == nil || q.Seq != 1 || q.MessageID != asked.Text("message_id") || q.From != bob.ID || q.Type != "text" ||
		read.Type != "text" || read.Message.Message != "yes, @bob" || !slices.Equal(read.Mentions, []string{bob.ID}) || strings.Contains(string(raw), "shall we") {
		t.Errorf("read %s", raw)
	}
	own := online(t, ann, nil)
	answer := ask(t, own, object{"action": "send", "to": bob.ID, "type": "location", "location": object{"lat": 1, "lon": 2}, "reply_to": 2})
	if read, raw = lastShown(t, app, conversation); read.Seq != answer.Seq || read.ReplyTo == nil || read.ReplyTo.From != ann.ID || read.Mentions != nil {
		t.Errorf("read %s", raw)
	}
	ask(t, own, object{"action": "send", "to": bob.ID, "message": "no more"})
	if _, raw = lastShown(t, app, conversation); strings.Contains(string(raw), "reply_to") || strings.Contains(string(raw), "mention") {
		t.Errorf("a message that refers to nothing: %s", raw)
	}
	list := pages[client.Conversation](t, app, "/users/"+bob.ID+"/conversations?limit=10")
	if len(list) != 1 || list[0].Unread != 3 { // a mention is no more unread than any message
		t.Errorf("bob's list: %+v", list)
	}
}

// TestBadReferences refers to what there is not, or not for the sender, over HTTP and over the socket.
func TestBadReferences(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	carol := register(t, "carol")
	g := gather(t, 3, nil)
	member, late := g.members[1], register(t, "late")
	seq := g.say(t, member, "before", nil).Number("seq")
	wantStatus(t, post(t, app, "/groups/"+g.id+"/members", object{"users": []string{late.ID}, "add": true}), http.StatusOK)
	send(t, bob, ann, "the only one", nil)
	var elsewhere client.Answer
	for range 3 {
		elsewhere = send(t, ann, carol, "elsewhere", nil)
	}
	recall := "/users/" + ann.ID + "/conversations/" + elsewhere.Text("conversation_id") + "/messages/3/recall"
	wantStatus(t, post(t, app, recall, object{}), http.StatusOK)
	many := slices.Repeat([]string{bob.ID}, 51)
	sockets := map[string]*client.Socket{ann.ID: online(t, ann, nil), member.ID: online(t, member, nil), late.ID: online(t, late, nil)}
	for _, c := range []struct {
		from   person
		to     string
		more   object
		status int
		code   string
		field  string
	}{
		{ann, bob.ID, object{"reply_to": 2}, 404, "reply_not_found", "reply_to"}, // is in another conversation, and not in this
		{ann, bob.ID, object{"reply_to": json.Number("9223372036854775807")}, 404, "reply_not_found", "reply_to"},
		{ann, carol.ID, object{"reply_to": 3}, 404, "reply_not_found", "reply_to"}, // is recalled
		{ann, carol.ID, object{"reply_to": 4}, 404, "reply_not_found", "reply_to"}, // the recall itself
		{ann, bob.ID, object{"reply_to": 0}, 422, "field_out_of_range", "reply_to"},
		{ann, bob.ID, object{"reply_to": -1}, 422, "field_out_of_range", "reply_to"},
		{member, g.id, object{"reply_to": 1}, 404, "reply_not_found", "reply_to"}, // the group's creation
		{late, g.id, object{"reply_to": seq}, 404, "reply_not_found", "reply_to"}, // before it came
		{ann, bob.ID, object{"mentions": many}, 422, "field_too_long", "mentions"},
		{ann, bob.ID, object{"mentions": []string{bob.ID, carol.ID}}, 422, "mention_not_member", "mentions[1]"},
		{ann, bob.ID, object{"mentions": []string{bob.Name}}, 422, "mention_not_member", "mentions[0]"},
		{member, g.id, object{"mentions": []string{member.ID, carol.ID}}, 422, "mention_not_member", "mentions[1]"},
		{member, g.id, object{"mentions": []string{"", strings.Repeat("x", 3000)}}, 422, "mention_not_member", "mentions[1]"},
		{member, g.id, object{"mentions": []string{foreigner(t).ID}}, 422, "mention_not_member", "mentions[0]"},
		{ann, bob.ID, object{"mention_all": true}, 422, "field_invalid", "mention_all"},
	} {
		answer := post(t, app, "/send", with(object{"from": c.from.ID, "to": c.to, "message": "x", "client_id": "bad"}, c.more))
		wantField(t, wantRefusal(t, answer, c.status, c.code), c.field, c.code)
		frame, err := sockets[c.from.ID].Ask(within(t), with(object{"action": "send", "to": c.to, "message": "x", "client_id": "bad"}, c.more))
		if err != nil || frame.Code() != c.code {
			t.Errorf("%v over the socket: %s (%v)", c.more, frame.Raw, err)
		}
	}
	wantStatus(t, g.say(t, member, "x", object{"client_id": "bad", "reply_to": seq}), http.StatusOK) // a refused send spends no client ID
	if read, raw := lastShown(t, app, g.id); read.ReplyTo == nil || read.ReplyTo.Seq != seq {
		t.Errorf("read %s", raw)
	}
}

// foreigner is a user of another app.
func foreigner(t *testing.T) person {
	t.Helper()
	team := sharedTeam(t)
	_, by := keyOf(t, team.outsider, team.foreign, nil, "users:register")
	return registerBy(t, by, "foreigner")
}

// TestWhoMayMentionAll walks those who may and may not: by a role in the group, by a grant, and by a key.
func TestWhoMayMentionAll(t *testing.T) {
	t.Parallel()
	g := gather(t, 5, nil)
	owner, admin, member, moderator, listener := g.members[0], g.members[1], g.members[2], g.members[3], g.members[4]
	wantStatus(t, do(t, app, client.Request{Method: http.MethodPut, Path: "/groups/" + g.id + "/members/" + admin.ID + "/role", Body: object{"role": "admin"}}), http.StatusOK)
	socket := online(t, listener, nil)
	all := object{"to": g.id, "message": "all of you", "mention_all": true}
	team := sharedTeam(t)
	wantStatus(t, post(t, as(t, app, owner, nil), "/send", all), http.StatusOK)
	event := awaitEvent(t, socket, 0, func(f client.Frame) bool { return f.Event == "message" })
	if read, raw := lastShown(t, app, g.id); !read.MentionAll || !bytes.Equal(raw, event.Content) {
		t.Errorf("pushed %s, read %s", event.Content, raw)
	}
	wantStatus(t, post(t, as(t, app, admin, nil), "/send", all), http.StatusOK)
	token := as(t, app, member, nil)
	wantDenied(t, post(t, token, "/send", all), "groups:mention_all", member.ID)
	frame, err := online(t, member, nil).Ask(within(t), with(all, object{"action": "send"}))
	if err != nil || frame.Code() != "permission_denied" {
		t.Errorf("over the socket: %s (%v)", frame.Raw, err)
	}
	wantStatus(t, post(t, token, "/send", with(all, object{"mention_all": false})), http.StatusOK)
	wantStatus(t, g.say(t, member, "by an application that may", all), http.StatusOK)

	grant(t, app, object{"subject": moderator.ID, "role": "moderator", "group": g.id})
	wantStatus(t, post(t, as(t, app, moderator, nil), "/send", all), http.StatusOK)
	denial := grant(t, app, object{"subject": owner.ID, "permissions": []string{"groups:mention_all"}, "effect": "deny", "group": g.id})
	wantDenied(t, post(t, as(t, app, owner, nil), "/send", all), "groups:mention_all", owner.ID)
	revoke(t, app, denial.GrantID)

	key, narrow := keyOf(t, team.owner, team.app, nil, "users:register", "tokens:manage", "groups:create", "groups:send", "messages:read")
	boss := registerBy(t, narrow, "boss")
	made := post(t, narrow, "/groups", object{"name": "theirs", "owner": boss.ID})
	wantStatus(t, made, http.StatusCreated)
	theirs := with(all, object{"to": made.Text("group_id")})
	wantStatus(t, post(t, as(t, narrow, boss, nil), "/send", theirs), http.StatusOK) // a group's owner needs no mightier key
	wantDenied(t, post(t, narrow, "/send", with(theirs, object{"from": boss.ID})), "groups:mention_all", key.KeyID)
}

// TestMentionsInALargeGroup has the rows of those who are mentioned read: a large group's roster does not have them all.
func TestMentionsInALargeGroup(t *testing.T) {
	t.Parallel()
	people := throng(t, direct+2)
	owner, joiner, stranger := people[0], people[direct], people[direct+1]
	answer := post(t, app, "/groups", object{"name": unique("mentions"), "owner": owner.ID, "members": ids(people[1:direct])})
	wantStatus(t, answer, http.StatusCreated)
	g := gathering{id: answer.Text("group_id"), members: people}
	bring(t, app, g.id, object{"users": []string{joiner.ID}, "add": true})
	wantStatus(t, g.say(t, owner, "of a large group now", nil), http.StatusOK)
	socket := online(t, joiner, nil)
	wantStatus(t, g.say(t, owner, "welcome", object{"mentions": []string{people[1].ID, joiner.ID}}), http.StatusOK)
	g.await(t, socket, 2)
	if read, raw := lastShown(t, app, g.id); !slices.Equal(read.Mentions, []string{people[1].ID, joiner.ID}) {
		t.Errorf("read %s", raw)
	}
	refusal := wantRefusal(t, g.say(t, owner, "and you", object{"mentions": []string{joiner.ID, stranger.ID}}), 422, "mention_not_member")
	wantField(t, refusal, "mentions[1]", "mention_not_member")
	wantStatus(t, remove(t, app, "/groups/"+g.id+"/members/"+joiner.ID), http.StatusOK)
	refusal = wantRefusal(t, g.say(t, owner, "gone", object{"mentions": []string{joiner.ID}}), 422, "mention_not_member")
	wantField(t, refusal, "mentions[0]", "mention_not_member")
}
