//go:build conformance

package conformance

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// carries tells whether the event pushes the message.
func carries(messageID string) func(client.Frame) bool {
	return func(f client.Frame) bool { return f.Event == "message" && f.Messages()[0].MessageID == messageID }
}

// version is the v of an event, which each has to have.
func version(t *testing.T, frame client.Frame) int64 {
	t.Helper()
	if frame.V == nil {
		t.Fatalf("no v: %s", frame.Raw)
	}
	return *frame.V
}

func TestLiveDeliveryToEveryDevice(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	sender, second := online(t, ann, nil), online(t, ann, object{"device": "tablet"})
	phone, laptop := online(t, bob, object{"device": "phone"}), online(t, bob, nil)
	answer := ask(t, sender, object{"action": "send", "to": bob.Name, "message": "live", "client_id": "a1"})
	stored := history(t, answer.ConversationID, "")[0]
	if answer.Seq != 1 || answer.MessageID != stored.MessageID || answer.V == nil {
		t.Errorf("the answer %s, stored %+v", answer.Raw, stored)
	}
	for name, device := range map[string]*client.Socket{"phone": phone, "laptop": laptop, "the sender's other device": second} {
		event := awaitEvent(t, device, 0, carries(answer.MessageID))
		if event.Messages()[0] != stored || version(t, event) != 1 {
			t.Errorf("%s got %s, stored %+v", name, event.Raw, stored)
		}
	}
	// The socket that sent hears of it by its answer: whatever was pushed to it would have come before this one.
	ask(t, sender, object{"action": "ping"})
	for _, event := range sender.Events(0) {
		if event.Event == "message" {
			t.Errorf("its own message was pushed to the socket that sent it: %s", event.Raw)
		}
	}
}

func TestVersionsMoveByOne(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	socket := online(t, bob, nil)
	before := *ask(t, socket, object{"action": "ping"}).V
	const n = 20
	for range n {
		send(t, ann, bob, "x", nil)
	}
	var versions []int64
	err := socket.Await(within(t), func(events []client.Frame) bool {
		versions = nil
		for _, event := range events {
			if event.Event == "message" {
				versions = append(versions, *event.V-before)
			}
		}
		return len(versions) == n
	})
	slices.Sort(versions)
	if err != nil || !slices.Equal(versions, upTo(n)) {
		t.Errorf("versions %v (%v)", versions, err)
	}
	if after := *ask(t, socket, object{"action": "ping"}).V; after != before+n {
		t.Errorf("ping answers %d after %d and %d messages", after, before, n)
	}
}

func TestSocketMarksAndHistory(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	var conversation string
	for n := range 12 {
		conversation = send(t, ann, bob, fmt.Sprint(n), nil).Text("conversation_id")
	}
	socket := online(t, bob, nil)
	if marked := ask(t, socket, object{"action": "ack", "conversation_id": conversation, "seq": 9}); marked.AckSeq != 9 || marked.ReadSeq != 0 {
		t.Errorf("ack: %s", marked.Raw)
	}
	if marked := ask(t, socket, object{"action": "read", "conversation_id": conversation, "seq": 7}); marked.ReadSeq != 7 || marked.Unread != 5 || marked.AckSeq != 9 {
		t.Errorf("read: %s", marked.Raw)
	}
	if marked := ask(t, socket, object{"action": "ack", "conversation_id": conversation, "seq": 2}); marked.AckSeq != 9 {
		t.Errorf("the mark moved back: %s", marked.Raw)
	}
	rows := pages[client.Conversation](t, app, "/users/"+bob.ID+"/conversations?limit=5")
	if len(rows) != 1 || rows[0].Unread != 5 || rows[0].AckSeq != 9 {
		t.Errorf("over HTTP: %+v", rows)
	}
	for _, order := range []string{"asc", "desc"} {
		if over, want := socketHistory(t, socket, conversation, order), history(t, conversation, "order="+order); !slices.Equal(over, want) {
			t.Errorf("%s: the socket reads %v, HTTP %v", order, sequences(over), sequences(want))
		}
	}
	if whole := ask(t, socket, object{"action": "history", "conversation_id": conversation}); !slices.Equal(sequences(whole.Items), upTo(12)) {
		t.Errorf("history without options: %s", whole.Raw)
	}
}

func socketHistory(t *testing.T, socket *client.Socket, conversation, order string) []client.Message {
	t.Helper()
	var all []client.Message
	for frame := (object{"action": "history", "conversation_id": conversation, "order": order, "limit": 5}); ; {
		page := ask(t, socket, frame)
		all = append(all, page.Items...)
		if page.NextCursor == "" {
			return all
		}
		frame["cursor"] = page.NextCursor
	}
}

func TestSync(t *testing.T) {
	t.Parallel()
	ann := register(t, "ann")
	socket := online(t, ann, nil)
	before := *ask(t, socket, object{"action": "ping"}).V
	if same := ask(t, socket, object{"action": "sync", "v": before}); version(t, same) != before || len(same.Changed) != 0 || same.Full {
		t.Errorf("nothing has changed, but %s", same.Raw)
	}
	last := map[string]string{}
	for range 3 {
		friend := register(t, "friend")
		send(t, friend, ann, "first", nil)
		sent := send(t, friend, ann, "last", nil)
		last[sent.Text("conversation_id")] = sent.Text("message_id")
	}
	changed := ask(t, socket, object{"action": "sync", "v": before})
	if version(t, changed) != before+6 || len(changed.Changed) != 3 || changed.Full {
		t.Errorf("three pairs have changed: %s", changed.Raw)
	}
	for _, change := range changed.Changed {
		if last[change.ConversationID] != change.Last.MessageID {
			t.Errorf("%+v", change)
		}
	}
	if newest := ask(t, socket, object{"action": "sync", "v": before + 4}); len(newest.Changed) != 1 {
		t.Errorf("one has changed: %s", newest.Raw)
	}
	if future := ask(t, socket, object{"action": "sync", "v": before + 999}); !future.Full || len(future.Changed) != 0 {
		t.Errorf("a version that never was: %s", future.Raw)
	}
}

func TestSyncBehindTheRing(t *testing.T) {
	t.Parallel()
	ann := register(t, "ann")
	const friends = 20
	for range friends {
		send(t, register(t, "friend"), ann, "x", nil)
	}
	socket := online(t, ann, nil)
	now := *ask(t, socket, object{"action": "ping"}).V
	if now != friends {
		t.Errorf("v is %d after %d messages", now, friends)
	}
	if old := ask(t, socket, object{"action": "sync", "v": 0}); !old.Full || len(old.Changed) != 0 || version(t, old) != now {
		t.Errorf("behind the ring: %s", old.Raw)
	}
	if recent := ask(t, socket, object{"action": "sync", "v": now - 5}); recent.Full || len(recent.Changed) != 5 {
		t.Errorf("within the ring: %s", recent.Raw)
	}
}

func TestTyping(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	from, to := online(t, ann, nil), online(t, bob, nil)
	before := *ask(t, to, object{"action": "ping"}).V
	answer := ask(t, from, object{"action": "typing", "to": bob.Name})
	if string(answer.Raw) != fmt.Sprintf(`{"id":%q}`, answer.ID) {
		t.Errorf("the answer to typing: %s", answer.Raw)
	}
	event := awaitEvent(t, to, 0, func(f client.Frame) bool { return f.Event == "typing" })
	conversation := send(t, ann, bob, "done", nil).Text("conversation_id")
	if event.From != ann.ID || event.ConversationID != conversation {
		t.Errorf("%s in %s", event.Raw, conversation)
	}
	if after := *ask(t, to, object{"action": "ping"}).V; after != before+1 {
		t.Errorf("typing is nothing to sync: v %d after %d and one message", after, before)
	}
	for name, code := range map[string]string{"nobody" + mark: "user_not_found", ann.ID: "recipient_is_sender", "u_0000000000000000000000": "user_not_found"} {
		frame, err := from.Ask(within(t), object{"action": "typing", "to": name})
		if err != nil {
			t.Fatal(err)
		}
		wantFrameRefusal(t, frame, code)
	}
}

func TestNamedDeviceHasOneSocket(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	token := as(t, app, ann, object{"device": "phone"})
	first := dial(t, token, client.DialOptions{})
	awaitResume(t, first)
	second := dial(t, token, client.DialOptions{})
	awaitResume(t, second)
	waitClosed(t, first)
	sent := send(t, bob, ann, "to the second", nil)
	awaitEvent(t, second, 0, carries(sent.Text("message_id")))
	ask(t, second, object{"action": "ping"})
}

func TestSixthDeviceEvictsTheSilent(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	var devices []*client.Socket
	for n := range 6 {
		devices = append(devices, online(t, ann, object{"device": fmt.Sprint("device-", n)}))
	}
	open := 0
	client.WaitFor(t, "one of six devices to be closed", limit, func() bool {
		open = 0
		for _, device := range devices {
			if device.CloseCode() == -1 {
				open++
			}
		}
		return open <= 5
	})
	if open != 5 || devices[5].CloseCode() != -1 {
		t.Fatalf("%d devices are open, the newest among them: %v", open, devices[5].CloseCode() == -1)
	}
	sent := send(t, bob, ann, "to five", nil)
	for _, device := range devices {
		if device.CloseCode() == -1 {
			awaitEvent(t, device, 0, carries(sent.Text("message_id")))
		}
	}
}

func TestADeadSocketCostsNobodyElse(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	dead, alive := online(t, bob, nil), online(t, bob, nil)
	dead.Drop()
	for range 3 {
		sent := send(t, ann, bob, "x", nil)
		awaitEvent(t, alive, 0, carries(sent.Text("message_id")))
	}
}

func TestSendOverTheSocketHasOneEffect(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	socket := online(t, ann, nil)
	frame := object{"action": "send", "to": bob.ID, "message": "once", "client_id": "s1", "known": 0}
	answers := together(10, func(int) client.Frame { return ask(t, socket, frame) })
	for _, answer := range answers {
		if answer.MessageID != answers[0].MessageID || answer.Seq != 1 {
			t.Errorf("%s, but %s", answers[0].Raw, answer.Raw)
		}
	}
	if again := send(t, ann, bob, "once", object{"client_id": "s1", "known": 0}); again.Text("message_id") != answers[0].MessageID {
		t.Errorf("the same over HTTP: %s", again)
	}
}
