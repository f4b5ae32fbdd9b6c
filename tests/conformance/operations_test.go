//go:build conformance

package conformance

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// at is the path of what the user does with the message.
func at(user person, conversation string, seq int64) string {
	return fmt.Sprintf("/users/%s/conversations/%s/messages/%d", user.ID, conversation, seq)
}

// message reads one message.
func message(t *testing.T, by client.Installation, conversation string, seq int64) (found client.Message) {
	t.Helper()
	answer := get(t, by, fmt.Sprintf("/conversations/%s/messages/%d", conversation, seq))
	wantStatus(t, answer, http.StatusOK)
	if err := answer.Into(&found); err != nil {
		t.Fatal(err)
	}
	return found
}

// awaitOperation waits until the socket was told of the operation on the message.
func awaitOperation(t *testing.T, socket *client.Socket, kind string, seq int64) client.Message {
	t.Helper()
	var found client.Message
	awaitEvent(t, socket, 0, func(event client.Frame) bool {
		return slices.ContainsFunc(event.Messages(), func(m client.Message) bool {
			found = m
			return m.Operation != nil && m.Operation.Kind == kind && m.Operation.Seq == seq
		})
	})
	return found
}

// TestOperationsOnMessages does everything with a message of a pair: both users' devices are told in order, who was away finds it in
// the log, and whoever reads the message later sees it as it is.
func TestOperationsOnMessages(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	tokens := map[string]client.Installation{ann.ID: as(t, app, ann, nil), bob.ID: as(t, app, bob, nil)}
	conversation := send(t, ann, bob, "helo", nil).Text("conversation_id")
	phone, other := online(t, bob, nil), online(t, ann, nil)

	edited := patch(t, tokens[ann.ID], at(ann, conversation, 1), object{"message": "hello"})
	wantStatus(t, edited, http.StatusOK)
	if told := awaitOperation(t, phone, "edited", 1); told.Type != "operation" || told.Operation.Message == nil || *told.Operation.Message != "hello" || told.Seq != 2 {
		t.Errorf("bob was told %+v", told)
	}
	awaitOperation(t, other, "edited", 1)
	wantStatus(t, post(t, tokens[bob.ID], at(bob, conversation, 1)+"/reactions", object{"reaction": "👍"}), http.StatusOK)
	if told := awaitOperation(t, other, "reacted", 1); told.Operation.Reaction != "👍" || told.From != bob.ID {
		t.Errorf("ann was told %+v", told)
	}
	if now := message(t, tokens[bob.ID], conversation, 1); now.Message != "hello" || now.EditedAt == "" || now.Count("👍") != 1 {
		t.Errorf("the message is %+v", now)
	}
	if reactors := pages[struct {
		UserID string `json:"user_id"`
	}](t, app, "/conversations/"+conversation+"/messages/1/reactions?limit=1"); len(reactors) != 1 || reactors[0].UserID != bob.ID {
		t.Errorf("who has reacted: %v", reactors)
	}
	wantStatus(t, remove(t, tokens[bob.ID], at(bob, conversation, 1)+"/reactions?reaction="+url.QueryEscape("👍")), http.StatusOK)
	awaitOperation(t, other, "unreacted", 1)
	for range 2 { // the second changes nothing
		wantStatus(t, put(t, tokens[bob.ID], at(bob, conversation, 1)+"/pin", nil), http.StatusOK)
	}
	awaitOperation(t, phone, "pinned", 1)
	var pins struct{ Items []client.Message }
	if err := get(t, tokens[ann.ID], "/conversations/"+conversation+"/pins").Into(&pins); err != nil || len(pins.Items) != 1 || pins.Items[0].Message != "hello" {
		t.Errorf("pinned: %+v, %v", pins, err)
	}
	wantStatus(t, remove(t, tokens[ann.ID], at(ann, conversation, 1)+"/pin"), http.StatusOK)
	wantUnreadOf(t, bob, 1)

	for range 2 {
		wantStatus(t, post(t, tokens[ann.ID], at(ann, conversation, 1)+"/recall", nil), http.StatusOK)
	}
	awaitOperation(t, phone, "recalled", 1)
	if now := message(t, app, conversation, 1); now.Message != "" || now.RecalledAt == "" || now.RecalledBy != ann.ID || now.Reactions != nil {
		t.Errorf("the recalled message is %+v", now)
	}
	wantUnreadOf(t, bob, 1)
	log := history(t, conversation, "limit=100")
	kinds := []string{}
	for _, entry := range log[1:] {
		kinds = append(kinds, entry.Operation.Kind)
	}
	if want := []string{"edited", "reacted", "unreacted", "pinned", "unpinned", "recalled"}; !slices.Equal(kinds, want) {
		t.Errorf("the log tells of %v, want %v", kinds, want)
	}
	if log[1].Operation.Message != nil {
		t.Errorf("the edit of a recalled message still says %q", *log[1].Operation.Message)
	}
}

// wantUnreadOf wants the list and the inbox of a user with one conversation to agree.
func wantUnreadOf(t *testing.T, user person, want int64) {
	t.Helper()
	list := pages[client.Conversation](t, app, "/users/"+user.ID+"/conversations?limit=10")
	inbox := pages[client.Message](t, app, "/users/"+user.ID+"/messages?unread=true&limit=10")
	if len(list) != 1 || list[0].Unread != want || int64(len(inbox)) != want || list[0].Last.Type != "text" {
		t.Errorf("list %+v, inbox %+v, want %d unread", list, inbox, want)
	}
}

func TestOperationsOverTheSocket(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	conversation := send(t, ann, bob, "one", nil).Text("conversation_id")
	socket, phone := online(t, ann, nil), online(t, bob, nil)
	for i, want := range []struct {
		action string
		more   object
		told   string
	}{{"edit", object{"message": "two"}, "edited"}, {"react", object{"reaction": ":ship_it:"}, "reacted"}, {"react", object{"reaction": ":ship_it:", "remove": true}, "unreacted"},
		{"recall", nil, "recalled"}} {
		ask(t, socket, with(object{"action": want.action, "conversation_id": conversation, "seq": 1}, want.more))
		if told := awaitOperation(t, phone, want.told, 1); told.Seq != int64(i)+2 {
			t.Errorf("%s: told as %d", want.action, told.Seq)
		}
	}
	answer, err := socket.Ask(within(t), object{"action": "edit", "conversation_id": conversation, "seq": 1, "message": "three"})
	if err != nil || answer.Code() != "message_recalled" {
		t.Errorf("edit of a recalled message: %s, %v", answer.Raw, err)
	}
}

// TestOperationsOfGroups: who leads the group recalls and pins what others wrote; a device that was away finds all of it in order.
func TestOperationsOfGroups(t *testing.T) {
	t.Parallel()
	g := gather(t, 3, nil)
	owner, member := g.members[0], g.members[1]
	byOwner, byMember := as(t, app, owner, nil), as(t, app, member, nil)
	seq := g.say(t, member, "out of line", nil).Number("seq")
	phone := online(t, g.members[2], nil)
	wantRefusal(t, put(t, byMember, at(member, g.id, seq)+"/pin", nil), http.StatusForbidden, "permission_denied")
	wantRefusal(t, patch(t, byOwner, at(owner, g.id, seq), object{"message": "x"}), http.StatusForbidden, "message_not_yours")
	wantStatus(t, put(t, byOwner, at(owner, g.id, seq)+"/pin", nil), http.StatusOK)
	awaitOperation(t, phone, "pinned", seq)
	wantStatus(t, post(t, byOwner, at(owner, g.id, seq)+"/recall", nil), http.StatusOK)
	if told := awaitOperation(t, phone, "recalled", seq); told.From != owner.ID {
		t.Errorf("told of the recall: %+v", told)
	}
	stranger := register(t, "stranger")
	by := as(t, app, stranger, nil)
	wantRefusal(t, post(t, by, at(stranger, g.id, seq)+"/reactions", object{"reaction": "👍"}), http.StatusNotFound, "conversation_not_found")
	wantRefusal(t, get(t, by, fmt.Sprintf("/conversations/%s/messages/%d", g.id, seq)), http.StatusNotFound, "conversation_not_found")
	wantStatus(t, post(t, app, "/groups/"+g.id+"/members", object{"users": []string{stranger.ID}, "add": true}), http.StatusOK)
	wantRefusal(t, post(t, by, at(stranger, g.id, seq)+"/reactions", object{"reaction": "👍"}), http.StatusNotFound, "message_not_found")
}

// TestOperationsDeniedInOneGroup: what is denied in a group is denied there by every way, for whoever acts, and nowhere else.
func TestOperationsDeniedInOneGroup(t *testing.T) {
	t.Parallel()
	g, other := gather(t, 1, nil), gather(t, 1, nil)
	member := register(t, "member")
	for _, each := range []string{g.id, other.id} {
		wantStatus(t, post(t, app, "/groups/"+each+"/members", object{"users": []string{member.ID}, "add": true}), http.StatusOK)
	}
	token, socket := as(t, app, member, nil), online(t, member, nil)
	seq, elsewhere := g.say(t, member, "here", nil).Number("seq"), other.say(t, member, "there", nil).Number("seq")
	denied := []string{"messages:edit", "messages:react"}
	denial := grant(t, app, object{"subject": member.ID, "permissions": denied, "effect": "deny", "group": g.id})
	for _, by := range []client.Installation{token, app} {
		wantDenied(t, patch(t, by, at(member, g.id, seq), object{"message": "x"}), "messages:edit", member.ID)
		wantDenied(t, post(t, by, at(member, g.id, seq)+"/recall", nil), "messages:edit", member.ID)
		wantDenied(t, post(t, by, at(member, g.id, seq)+"/reactions", object{"reaction": "👍"}), "messages:react", member.ID)
	}
	frame := object{"action": "react", "conversation_id": g.id, "seq": seq, "reaction": "👍"}
	if answer, err := socket.Ask(within(t), frame); err != nil || answer.Code() != "permission_denied" {
		t.Errorf("over the socket: %s, %v", answer.Raw, err)
	}
	for _, permission := range denied {
		if found := explain(t, app, member.ID, permission+"&resource="+g.id, ""); found.Decision != "deny" || found.Grant.GrantID != denial.GrantID {
			t.Errorf("%s is explained as %+v", permission, found)
		}
	}
	wantStatus(t, patch(t, token, at(member, other.id, elsewhere), object{"message": "y"}), http.StatusOK)
	ask(t, socket, with(frame, object{"conversation_id": other.id, "seq": elsewhere}))
	revoke(t, app, denial.GrantID)
	ask(t, socket, frame)

	// Who is denied sending does not speak in old messages, and mentions nobody, whoever acts for it.
	grant(t, app, object{"subject": member.ID, "permissions": []string{"groups:send", "groups:mention_all"}, "effect": "deny", "group": g.id})
	for _, by := range []client.Installation{token, app} {
		wantDenied(t, patch(t, by, at(member, g.id, seq), object{"message": "x"}), "groups:send", member.ID)
	}
	grant(t, app, object{"subject": member.ID, "permissions": []string{"groups:mention_all"}, "effect": "deny", "group": other.id})
	wantDenied(t, post(t, app, "/send", object{"from": member.ID, "to": other.id, "message": "all!", "mention_all": true}), "groups:mention_all", member.ID)
}

// TestAnAppSetsTheWindows: how long users can edit and recall is the app's choice.
func TestAnAppSetsTheWindows(t *testing.T) {
	t.Parallel()
	owner := sharedTeam(t).owner
	appID := newApp(t, owner)
	_, by := keyOf(t, owner, appID, nil, scopes...)
	ann, bob := registerBy(t, by, "ann"), registerBy(t, by, "bob")
	sent := post(t, by, "/send", object{"from": ann.ID, "to": bob.ID, "message": "one"})
	wantStatus(t, sent, http.StatusOK)
	conversation := sent.Text("conversation_id")
	wantStatus(t, patch(t, by, at(ann, conversation, 1), object{"message": "two"}), http.StatusOK)
	shown := patch(t, owner.session, "/apps/"+appID, object{"edit_window": 0, "recall_window": 900})
	wantStatus(t, shown, http.StatusOK)
	if app := get(t, owner.session, "/apps/"+appID); app.Number("edit_window") != 0 || app.Number("recall_window") != 900 || shown.Number("recall_window") != 900 {
		t.Errorf("the app shows %s", app)
	}
	for _, wrong := range []int{-1, 315360001} {
		wantField(t, wantRefusal(t, patch(t, owner.session, "/apps/"+appID, object{"recall_window": wrong}), 422, "field_out_of_range"), "recall_window", "field_out_of_range")
	}
	client.WaitFor(t, "the setting to be seen", limit, func() bool {
		answer := patch(t, by, at(ann, conversation, 1), object{"message": unique("x")})
		return answer.Status == http.StatusForbidden && answer.Text("code") == "edit_too_late"
	})
	wantStatus(t, post(t, by, at(ann, conversation, 1)+"/recall", nil), http.StatusOK)
}

// TestManyReactAtOnce: every reaction is counted once and told once.
func TestManyReactAtOnce(t *testing.T) {
	t.Parallel()
	g := gather(t, 12, nil)
	seq := g.say(t, g.members[0], "who is in?", nil).Number("seq")
	answers := make(chan client.Answer, len(g.members))
	for _, member := range g.members {
		go func() {
			for { // 429 is a fine answer to a crowd: whoever gets it tries again
				answer, err := app.Do(t.Context(), client.Request{Path: at(member, g.id, seq) + "/reactions", Body: object{"reaction": "🙋"}})
				if err != nil || answer.Status != http.StatusTooManyRequests {
					answers <- answer
					return
				}
			}
		}()
	}
	for range g.members {
		wantStatus(t, <-answers, http.StatusOK)
	}
	if now := message(t, app, g.id, seq); now.Count("🙋") != int64(len(g.members)) {
		t.Errorf("counted %+v, want %d", now.Reactions, len(g.members))
	}
	told := map[string]int{}
	for _, entry := range history(t, g.id, "limit=100") {
		if entry.Operation != nil {
			told[entry.From]++
		}
	}
	if len(told) != len(g.members) {
		t.Errorf("told of %v", told)
	}
}

func TestRefusedOperations(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	conversation := send(t, ann, bob, "one", nil).Text("conversation_id")
	react := func(text string) client.Answer {
		return post(t, app, at(bob, conversation, 1)+"/reactions", object{"reaction": text})
	}
	for _, text := range []string{"hello", "👍 hello", ":Loud:", "<script>", "7"} {
		wantRefusal(t, react(text), http.StatusBadRequest, "reaction_invalid")
	}
	for i := range 20 {
		wantStatus(t, react(fmt.Sprintf(":r%d:", i)), http.StatusOK)
	}
	wantRefusal(t, react("👍"), http.StatusConflict, "reactions_full")
	wantRefusal(t, patch(t, app, at(bob, conversation, 1), object{"message": "x"}), http.StatusForbidden, "message_not_yours")
	wantRefusal(t, patch(t, app, at(ann, conversation, 1), object{"message": ""}), 422, "message_empty")
	wantRefusal(t, patch(t, app, at(ann, conversation, 1), object{}), 422, "field_missing")
	wantRefusal(t, patch(t, app, at(ann, conversation, 99), object{"message": "x"}), http.StatusNotFound, "message_not_found")
	wantRefusal(t, patch(t, app, at(ann, conversation, 2), object{"message": "x"}), http.StatusNotFound, "message_not_found") // a reaction is no message
	wantRefusal(t, post(t, app, at(bob, conversation, 1)+"/recall", nil), http.StatusForbidden, "message_not_yours")
	wantStatus(t, post(t, app, "/conversations/"+conversation+"/messages/1/recall", nil), http.StatusOK) // the app's moderation
	wantRefusal(t, react("👍"), http.StatusConflict, "message_recalled")
	wantRefusal(t, patch(t, app, at(ann, conversation, 1), object{"message": "x"}), http.StatusConflict, "message_recalled")
	if now := message(t, app, conversation, 1); now.RecalledAt == "" || now.RecalledBy != "" {
		t.Errorf("after moderation: %+v", now)
	}
}
