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

// direct is how many members a group has at most whose messages are posted by whoever sends them.
const direct = 75

// throng registers so many users, some at a time.
func throng(t *testing.T, size int) []person {
	t.Helper()
	people := make([]person, size)
	var group sync.WaitGroup
	turns := make(chan struct{}, 8)
	for i := range people {
		group.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			people[i] = register(t, fmt.Sprint("throng", i))
		})
	}
	group.Wait()
	return people
}

func ids(people []person) (all []string) {
	for _, each := range people {
		all = append(all, each.ID)
	}
	return all
}

// audience is what sockets are told of one group.
type audience struct {
	gathering
	sockets map[string]*client.Socket
}

// all waits until every socket has had the texts, and checks that it had them once and in order.
func (w audience) all(t *testing.T, want []string) {
	t.Helper()
	for name, socket := range w.sockets {
		w.await(t, socket, len(want))
		if said := w.texts(socket); !slices.Equal(said, want) {
			t.Errorf("%s was told %q, want %q", name, said, want)
		}
	}
}

// TestLargeGroup has a group grow large under its members' open sockets: whoever was online before, comes online after, joins
// while online or was away has every message once and in order; whoever was removed has nothing from then on.
func TestLargeGroup(t *testing.T) {
	t.Parallel()
	people := throng(t, direct+4)
	owner, early, later, joiner, away, last := people[0], people[1], people[2], people[direct+1], people[3], people[direct+2]
	answer := post(t, app, "/groups", object{"name": unique("large"), "owner": owner.ID, "members": ids(people[1:direct])})
	wantStatus(t, answer, http.StatusCreated)
	g := audience{gathering{id: answer.Text("group_id"), members: people}, map[string]*client.Socket{}}
	g.sockets["who was online before"] = online(t, early, nil)
	g.sockets["who joins"] = online(t, joiner, nil)
	wantStatus(t, g.say(t, owner, "of a small group", nil), http.StatusOK)
	g.await(t, g.sockets["who was online before"], 1)

	bring(t, app, g.id, object{"users": ids(people[direct : direct+1]), "add": true})
	g.sockets["who came online after"] = online(t, later, nil)
	want := []string{"of a small group"}
	g.await(t, g.sockets["who came online after"], 1)
	bring(t, app, g.id, object{"users": []string{joiner.ID}, "add": true})
	for i := range 6 {
		text := fmt.Sprint("message ", i)
		want = append(want, text)
		if i%2 == 0 {
			wantStatus(t, g.say(t, owner, text, object{"client_id": text}), http.StatusOK)
			wantStatus(t, g.say(t, owner, text, object{"client_id": text}), http.StatusOK)
			continue
		}
		if sent := ask(t, g.sockets["who was online before"], object{"action": "send", "to": g.id, "message": text}); sent.Error != nil {
			t.Fatalf("the answer is %s", sent.Raw)
		}
	}
	g.await(t, g.sockets["who joins"], len(want)-1)
	if said := g.texts(g.sockets["who joins"]); !slices.Equal(said, want[1:]) {
		t.Errorf("who joins was told %q, want %q", said, want[1:])
	}
	joined := g.sockets["who joins"]
	delete(g.sockets, "who joins")
	g.all(t, want)

	g.sockets["who was away"] = dial(t, as(t, app, away, nil), client.DialOptions{})
	g.all(t, want)
	wantStatus(t, remove(t, app, "/groups/"+g.id+"/members/"+joiner.ID), http.StatusOK)
	want = append(want, "behind its back")
	wantStatus(t, g.say(t, owner, "behind its back", nil), http.StatusOK)
	g.all(t, want)
	wantStatus(t, g.say(t, joiner, "from outside", nil), http.StatusForbidden)
	bring(t, app, g.id, object{"users": []string{joiner.ID}, "add": true})
	wantStatus(t, g.say(t, owner, "welcome back", nil), http.StatusOK)
	want = append(want, "welcome back")
	g.await(t, joined, len(want)-2)
	if said := g.texts(joined); slices.Contains(said, "behind its back") || said[len(said)-1] != "welcome back" {
		t.Errorf("who was removed for a while was told %q", said)
	}
	g.all(t, want)

	wantStatus(t, do(t, app, client.Request{Method: http.MethodPatch, Path: "/groups/" + g.id, Body: object{"speak": "admins"}}), http.StatusOK)
	wantStatus(t, g.say(t, early, "not an admin", nil), http.StatusForbidden)
	bring(t, app, g.id, object{"users": []string{last.ID}, "add": true})
	if details := get(t, app, "/groups/"+g.id); details.Number("members") != direct+3 {
		t.Errorf("the group is %s", details)
	}
}
