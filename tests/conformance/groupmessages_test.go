//go:build conformance

package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// gathering is a group with its members; the first owns it.
type gathering struct {
	id      string
	members []person
}

// gather makes a group of so many members, all of them added by the application.
func gather(t *testing.T, size int, settings object) gathering {
	t.Helper()
	var made gathering
	ids := []string{}
	for i := range size {
		made.members = append(made.members, register(t, fmt.Sprint("member", i)))
		ids = append(ids, made.members[i].ID)
	}
	answer := post(t, app, "/groups", with(object{"name": unique("group"), "owner": ids[0], "members": ids[1:]}, settings))
	wantStatus(t, answer, http.StatusCreated)
	made.id = answer.Text("group_id")
	return made
}

// say sends into the group over HTTP, for the application.
func (g gathering) say(t *testing.T, from person, text string, more object) client.Answer {
	t.Helper()
	return post(t, app, "/send", with(object{"from": from.ID, "to": g.id, "message": text}, more))
}

// texts returns the texts that the socket was told of the group, in order. What it was told before a client drops: where a function
// of the platform failed or was invoked twice, it is told again.
func (g gathering) texts(socket *client.Socket) (said []string) {
	seen := map[int64]bool{}
	for _, event := range socket.Events(0) {
		for _, message := range event.Messages() {
			if message.ConversationID == g.id && message.Type == "text" && !seen[message.Seq] {
				seen[message.Seq] = true
				said = append(said, message.Message)
			}
		}
	}
	return said
}

func (g gathering) await(t *testing.T, socket *client.Socket, n int) {
	t.Helper()
	if err := socket.Await(within(t), func([]client.Frame) bool { return len(g.texts(socket)) >= n }); err != nil {
		t.Fatalf("%d of %d messages have come: %v", len(g.texts(socket)), n, err)
	}
}

// TestGroupMessagesReachEveryMember sends over HTTP and over a socket: every member has every message once and in order, on
// each of its devices, and so has one who was offline.
func TestGroupMessagesReachEveryMember(t *testing.T) {
	t.Parallel()
	g := gather(t, 4, nil)
	owner, second, away := g.members[0], g.members[1], g.members[3]
	sockets := map[string]*client.Socket{"the owner": online(t, owner, nil), "the owner's other": online(t, owner, nil),
		"a member": online(t, second, nil), "another": online(t, g.members[2], nil)}
	want := []string{}
	for i := range 4 {
		text := fmt.Sprint("message ", i)
		want = append(want, text)
		if i%2 == 0 {
			wantStatus(t, g.say(t, second, text, nil), http.StatusOK)
			continue
		}
		answer := ask(t, sockets["the owner"], object{"action": "send", "to": g.id, "message": text, "client_id": text})
		if answer.Error != nil || answer.ConversationID != g.id || answer.Seq == 0 {
			t.Fatalf("the answer is %s", answer.Raw)
		}
		again := ask(t, sockets["the owner"], object{"action": "send", "to": g.id, "message": text, "client_id": text})
		if again.Seq != answer.Seq || again.MessageID != answer.MessageID {
			t.Errorf("the retry is %s, the first was %s", again.Raw, answer.Raw)
		}
	}
	for name, socket := range sockets {
		own := want
		if name == "the owner" { // a device is not told what it sent itself
			own = []string{want[0], want[2]}
		}
		g.await(t, socket, len(own))
		if said := g.texts(socket); !slices.Equal(said, own) {
			t.Errorf("%s was told %q, want %q", name, said, own)
		}
	}
	late := dial(t, as(t, app, away, nil), client.DialOptions{})
	g.await(t, late, len(want))
	if said := g.texts(late); !slices.Equal(said, want) {
		t.Errorf("who was away is told %q", said)
	}
	list := pages[struct {
		ConversationID string `json:"conversation_id"`
		With           string `json:"with"`
		Unread         int64  `json:"unread"`
	}](t, app, "/users/"+away.ID+"/conversations?limit=10")
	if len(list) != 1 || list[0].With != g.id || list[0].Unread != 4 {
		t.Errorf("the list of conversations is %+v", list)
	}
	wantStatus(t, post(t, app, "/users/"+away.ID+"/conversations/"+g.id+"/read", object{"seq": 4}), http.StatusOK)
	synced := ask(t, late, object{"action": "sync", "v": 0})
	if len(synced.Groups) != 1 || synced.Groups[0].ConversationID != g.id || synced.Groups[0].Seq == 0 {
		t.Errorf("sync answers %s", synced.Raw)
	}
}

// TestWhoWritesAtOnceWritesInOneOrder has many members write at the same time: no number is missing, none is given twice, and
// all members see the same order.
func TestWhoWritesAtOnceWritesInOneOrder(t *testing.T) {
	t.Parallel()
	const each = 5
	g := gather(t, 6, nil)
	listener := online(t, g.members[0], nil)
	var all sync.WaitGroup
	for _, member := range g.members {
		all.Go(func() {
			for i := range each {
				if answer := g.say(t, member, fmt.Sprint(member.Name, " ", i), object{"client_id": fmt.Sprint("c", i)}); answer.Status != http.StatusOK {
					t.Errorf("send: %s", answer)
				}
			}
		})
	}
	all.Wait()
	g.await(t, listener, each*len(g.members))
	var said []string
	entries := pages[client.Message](t, as(t, app, g.members[1], nil), "/conversations/"+g.id+"/messages?limit=20")
	for i, entry := range entries {
		if entry.Seq != int64(i)+entries[0].Seq {
			t.Fatalf("entry %d has number %d after %d", i, entry.Seq, entries[0].Seq)
		}
		if entry.Type == "text" {
			said = append(said, entry.Message)
		}
	}
	if len(said) != each*len(g.members) {
		t.Errorf("%d messages stand in the log, want %d", len(said), each*len(g.members))
	}
	for _, member := range g.members {
		var own []string
		for _, text := range said {
			if len(text) > len(member.Name) && text[:len(member.Name)+1] == member.Name+" " {
				own = append(own, text)
			}
		}
		if !slices.IsSorted(own) || len(own) != each {
			t.Errorf("one member's messages stand as %q", own)
		}
	}
	if told := g.texts(listener); len(told) != len(said) {
		t.Errorf("a listener was told %d messages, want %d once each", len(told), len(said))
	}
}

// TestARemovedMemberGetsNothing removes a member while others write.
func TestARemovedMemberGetsNothing(t *testing.T) {
	t.Parallel()
	g := gather(t, 3, nil)
	owner, gone := g.members[0], g.members[2]
	socket := online(t, gone, nil)
	token := as(t, app, gone, nil)
	wantStatus(t, g.say(t, owner, "still here", nil), http.StatusOK)
	g.await(t, socket, 1)
	wantStatus(t, remove(t, as(t, app, owner, nil), "/groups/"+g.id+"/members/"+gone.ID), http.StatusOK)
	awaitEvent(t, socket, 0, func(f client.Frame) bool {
		return len(f.Messages()) == 1 && f.Messages()[0].Type == "event" && f.V != nil
	})
	wantStatus(t, g.say(t, owner, "without you", nil), http.StatusOK)
	wantRefusal(t, get(t, token, "/conversations/"+g.id+"/messages"), http.StatusNotFound, "conversation_not_found")
	wantRefusal(t, post(t, token, "/send", object{"to": g.id, "message": "let me in"}), http.StatusForbidden, "not_a_member")
	wantRefusal(t, post(t, app, "/users/"+gone.ID+"/conversations/"+g.id+"/ack", object{"seq": 1}), http.StatusNotFound, "conversation_not_found")
	if list := pages[object](t, app, "/users/"+gone.ID+"/conversations?limit=10"); len(list) != 0 {
		t.Errorf("the removed member lists %v", list)
	}
	ask(t, socket, object{"action": "ping"}) // comes after anything that was on its way
	if said := g.texts(socket); !slices.Equal(said, []string{"still here"}) {
		t.Errorf("the removed member was told %q", said)
	}
	again := dial(t, token, client.DialOptions{})
	awaitResume(t, again)
	if said := g.texts(again); len(said) != 0 {
		t.Errorf("a resume tells the removed member %q", said)
	}
}

// TestWhoMaySpeakInAGroup walks the group's rules for speaking, and what an app's grants say of it.
func TestWhoMaySpeakInAGroup(t *testing.T) {
	t.Parallel()
	g := gather(t, 2, object{"speak": "admins"})
	owner, member := g.members[0], g.members[1]
	wantRefusal(t, g.say(t, member, "hello", nil), http.StatusForbidden, "group_admins_only")
	wantStatus(t, g.say(t, owner, "hello", nil), http.StatusOK)
	wantStatus(t, patch(t, app, "/groups/"+g.id, object{"speak": "everyone", "muted_all": true}), http.StatusOK)
	wantRefusal(t, g.say(t, member, "hello", nil), http.StatusForbidden, "group_muted")
	wantStatus(t, patch(t, app, "/groups/"+g.id, object{"muted_all": false}), http.StatusOK)
	wantStatus(t, g.say(t, member, "hello", nil), http.StatusOK)

	token := as(t, app, member, nil)
	denial := grant(t, app, object{"subject": member.ID, "permissions": []string{"groups:send"}, "effect": "deny", "group": g.id})
	wantDenied(t, post(t, token, "/send", object{"to": g.id, "message": "denied here"}), "groups:send", member.ID)
	other := gather(t, 1, nil)
	wantStatus(t, post(t, app, "/groups/"+other.id+"/members", object{"users": []string{member.ID}, "add": true}), http.StatusOK)
	wantStatus(t, post(t, token, "/send", object{"to": other.id, "message": "and not there"}), http.StatusOK)
	revoke(t, app, denial.GrantID)
	wantStatus(t, post(t, token, "/send", object{"to": g.id, "message": "at once"}), http.StatusOK)

	wantStatus(t, remove(t, app, "/groups/"+g.id), http.StatusOK)
	wantRefusal(t, g.say(t, owner, "too late", nil), http.StatusConflict, "group_dismissed")
	wantStatus(t, get(t, token, "/conversations/"+g.id+"/messages"), http.StatusOK)
	wantRefusal(t, post(t, token, "/send", object{"to": "g_0000000000000000000000", "message": "?"}), http.StatusNotFound, "group_not_found")
}
