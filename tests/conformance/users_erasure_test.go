//go:build conformance

package conformance

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

type erasure struct {
	UserID      string         `json:"user_id"`
	Status      string         `json:"status"`
	RequestedAt string         `json:"requested_at"`
	ErasedAt    string         `json:"erased_at"`
	Erased      map[string]int `json:"erased"`
}

// awaitErased waits until nothing of the user is left, and returns the receipt.
func awaitErased(t *testing.T, who person) (receipt erasure) {
	t.Helper()
	client.WaitFor(t, "the erasing of "+who.ID, limit, func() bool {
		receipt = into[erasure](t, get(t, app, "/users/"+who.ID+"/erasure"))
		return receipt.Status == "erased"
	})
	return receipt
}

func TestDeleteUser(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	token, socket := as(t, app, ann, nil), online(t, ann, nil)
	wantRefusal(t, get(t, app, "/users/"+ann.ID+"/erasure"), http.StatusNotFound, "user_not_found")
	send(t, ann, bob, "from ann", nil)
	conversation := send(t, bob, ann, "from bob", nil).Text("conversation_id")
	wantStatus(t, patch(t, token, "/users/"+ann.ID, object{"name": "Ann of the Mill"}), http.StatusOK)
	block(t, app, ann, register(t, "blocked"))
	grant(t, app, object{"subject": ann.ID, "role": "moderator"})
	owned := post(t, app, "/groups", object{"name": "hers", "owner": ann.ID, "members": []string{bob.ID}})
	wantStatus(t, owned, http.StatusCreated)
	group := owned.Text("group_id")

	wantRefusal(t, remove(t, as(t, app, bob, nil), "/users/"+ann.ID), http.StatusForbidden, "not_yourself")
	deleted := remove(t, token, "/users/"+ann.ID) // she herself
	wantStatus(t, deleted, http.StatusAccepted)
	waitClosed(t, socket)
	wantRefusal(t, get(t, token, "/users/"+bob.ID), http.StatusUnauthorized, "token_revoked")
	wantRefusal(t, get(t, app, "/users/"+ann.ID), http.StatusNotFound, "user_not_found")
	for _, to := range []string{ann.ID, ann.Name} {
		wantRefusal(t, post(t, app, "/send", object{"from": bob.ID, "to": to, "message": "x"}), http.StatusNotFound, "user_not_found")
	}
	wantRefusal(t, post(t, app, "/send", object{"from": ann.ID, "to": bob.ID, "message": "x"}), http.StatusNotFound, "user_not_found")
	wantRefusal(t, patch(t, app, "/users/"+ann.ID, object{"name": "x"}), http.StatusNotFound, "user_not_found")

	receipt := awaitErased(t, ann)
	if receipt.Erased["names"] != 1 || receipt.Erased["profiles"] != 1 || receipt.Erased["blocks"] != 1 || receipt.Erased["grants"] != 1 ||
		receipt.Erased["groups"] != 1 || receipt.Erased["conversations"] != 1 || receipt.Erased["connections"] < 1 || receipt.ErasedAt == "" {
		t.Errorf("receipt %+v", receipt)
	}
	again := into[erasure](t, remove(t, app, "/users/"+ann.ID))
	if again.RequestedAt != receipt.RequestedAt || again.Status != "erased" {
		t.Errorf("deleted again: %+v, before %+v", again, receipt)
	}
	bobs := as(t, app, bob, nil)
	if got := texts(pages[client.Message](t, bobs, "/conversations/"+conversation+"/messages?limit=10")); strings.Join(got, ", ") != "from ann, from bob" {
		t.Errorf("bob reads %q", got)
	}
	if rows := pages[client.Conversation](t, bobs, "/users/"+bob.ID+"/conversations?limit=10"); len(rows) != 2 {
		t.Errorf("bob's conversations: %+v", rows)
	}
	if owner := get(t, app, "/groups/"+group).Text("owner"); owner != bob.ID {
		t.Errorf("the group belongs to %s, not to bob", owner)
	}
	wantStatus(t, post(t, app, "/register", object{"username": ann.Name}), http.StatusCreated) // the name is free
	for _, user := range pages[profile](t, app, "/users?limit=100&prefix="+ann.Name) {
		if user.UserID == ann.ID {
			t.Errorf("she is listed: %+v", user)
		}
	}
	var actions []string
	for _, record := range awaitRecords(t, app, "subject="+ann.ID, 2) {
		actions = append(actions, record.Action)
	}
	if got := strings.Join(actions, " "); got != "grant.created user.deleted" {
		t.Errorf("recorded: %s", got)
	}
}

// TestHeirsAreActive: the group of a deleted user goes to who can act for it, rather than to a deactivated admin.
func TestHeirsAreActive(t *testing.T) {
	t.Parallel()
	g := gather(t, 3, nil)
	owner, admin, member := g.members[0], g.members[1], g.members[2]
	wantStatus(t, put(t, app, "/groups/"+g.id+"/members/"+admin.ID+"/role", object{"role": "admin"}), http.StatusOK)
	wantStatus(t, post(t, app, "/users/"+admin.ID+"/deactivate", nil), http.StatusOK)
	wantStatus(t, remove(t, app, "/users/"+owner.ID), http.StatusAccepted)
	awaitErased(t, owner)
	if now := get(t, app, "/groups/"+g.id).Text("owner"); now != member.ID {
		t.Errorf("the group belongs to %s, not to %s", now, member.ID)
	}
}

// TestDeleteUserAtOnce: however many delete it, it is one deletion; a deactivated user can be deleted by who manages users.
func TestDeleteUserAtOnce(t *testing.T) {
	t.Parallel()
	ann := register(t, "ann")
	wantStatus(t, post(t, app, "/users/"+ann.ID+"/deactivate", nil), http.StatusOK)
	var first erasure
	for _, answer := range together(8, func(int) client.Answer { return remove(t, app, "/users/"+ann.ID) }) {
		wantStatus(t, answer, http.StatusAccepted)
		receipt := into[erasure](t, answer)
		if first.RequestedAt == "" {
			first = receipt
		}
		if receipt.RequestedAt != first.RequestedAt {
			t.Errorf("two deletions: %+v and %+v", first, receipt)
		}
	}
	if receipt := awaitErased(t, ann); receipt.Erased["names"] != 1 {
		t.Errorf("receipt %+v", receipt)
	}
}

// TestBothUsersOfAPairAreDeleted: what they wrote to each other is nobody's any more.
func TestBothUsersOfAPairAreDeleted(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	conversation := send(t, ann, bob, "between us", nil).Text("conversation_id")
	for _, user := range []person{ann, bob} {
		wantStatus(t, remove(t, app, "/users/"+user.ID), http.StatusAccepted)
	}
	if lost := awaitErased(t, ann).Erased["messages"] + awaitErased(t, bob).Erased["messages"]; lost < 1 {
		t.Error("their message was not removed")
	}
	wantRefusal(t, get(t, app, "/conversations/"+conversation+"/messages"), http.StatusNotFound, "conversation_not_found")
}

// TestReadsByNameAreRecordedByID: a record cannot be changed, so that it must not have what may have to be erased.
func TestReadsByNameAreRecordedByID(t *testing.T) {
	t.Parallel()
	owner := sharedTeam(t).owner
	appID := newApp(t, owner)
	_, by := keyOf(t, owner, appID, nil, scopes...)
	ann := registerBy(t, by, "ann")
	session := owner.in(appID)
	for _, path := range []string{"/users/" + ann.Name, "/presence/" + ann.Name, "/users/" + ann.Name + "/messages"} {
		wantStatus(t, get(t, session, path), http.StatusOK)
	}
	for _, read := range awaitRecords(t, by, "action=data.read", 3) {
		if text := string(read.After); strings.Contains(text, ann.Name) || !strings.Contains(text, ann.ID) {
			t.Errorf("recorded: %s", text)
		}
	}
}
