//go:build conformance

package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// device is what a client keeps of its conversations: the messages of the contiguous prefix, by conversation.
type device struct {
	messages map[string][]client.Message
	held     map[string]int64 // what it had before
	repeats  int
	windows  int
	v        int64
}

func newDevice() *device {
	return &device{messages: map[string][]client.Message{}, held: map[string]int64{}}
}

// take files a message: the next of its conversation, or one that is here already. Anything else is a gap.
func (d *device) take(message client.Message) error {
	has := d.held[message.ConversationID] + int64(len(d.messages[message.ConversationID]))
	switch {
	case message.Seq <= has:
		d.repeats++
	case message.Seq == has+1:
		d.messages[message.ConversationID] = append(d.messages[message.ConversationID], message)
	default:
		return fmt.Errorf("%s: %d came after %d", message.ConversationID, message.Seq, has)
	}
	return nil
}

// total is how many different messages have come.
func (d *device) total() int {
	sum := 0
	for _, messages := range d.messages {
		sum += len(messages)
	}
	return sum
}

// resume takes window by window, acknowledging each, until the last has come.
func (d *device) resume(t *testing.T, socket *client.Socket) {
	t.Helper()
	for seen := 0; ; d.windows++ {
		window := awaitEvent(t, socket, seen, func(f client.Frame) bool { return f.Event == "messages" })
		seen = len(socket.Events(0))
		if len(window.Items) > 100 || len(window.Raw) > 128<<10 {
			t.Errorf("a window of %d messages, %d bytes", len(window.Items), len(window.Raw))
		}
		for _, message := range window.Items {
			if err := d.take(message); err != nil {
				t.Fatal(err)
			}
		}
		if !window.More {
			d.v = *window.V
			return
		}
		last := window.Items[len(window.Items)-1]
		acknowledgeEach(t, socket, window.Items[:len(window.Items)-1], last.ConversationID)
		ask(t, socket, object{"action": "ack", "conversation_id": last.ConversationID, "seq": last.Seq})
	}
}

// acknowledgeEach acknowledges the last message of each conversation in the window but the one named.
func acknowledgeEach(t *testing.T, socket *client.Socket, window []client.Message, but string) {
	t.Helper()
	for i, message := range window {
		if message.ConversationID != but && (i+1 == len(window) || window[i+1].ConversationID != message.ConversationID) {
			ask(t, socket, object{"action": "ack", "conversation_id": message.ConversationID, "seq": message.Seq})
		}
	}
}

func TestResumeAfterADrop(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	first := online(t, bob, nil)
	live := send(t, ann, bob, "live", nil)
	awaitEvent(t, first, 0, carries(live.Text("message_id")))
	conversation := live.Text("conversation_id")
	ask(t, first, object{"action": "ack", "conversation_id": conversation, "seq": 1})
	first.Drop()
	for n := 2; n <= 42; n++ {
		send(t, ann, bob, fmt.Sprint(n), nil)
	}
	again := newDevice()
	again.held[conversation] = 1
	again.resume(t, dial(t, as(t, app, bob, nil), client.DialOptions{}))
	if want := history(t, conversation, "limit=100")[1:]; !slices.Equal(again.messages[conversation], want) || again.repeats > 0 {
		t.Errorf("resumed %v with %d repeats", sequences(again.messages[conversation]), again.repeats)
	}
}

func TestResumeFromAVersion(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	carl := register(t, "carl")
	phone := as(t, app, bob, object{"device": "phone"})
	socket := dial(t, phone, client.DialOptions{})
	v := *awaitResume(t, socket).V
	one := send(t, ann, bob, "1", nil)
	two := send(t, carl, bob, "1", nil)
	awaitEvent(t, socket, 0, carries(two.Text("message_id")))
	awaitEvent(t, socket, 0, carries(one.Text("message_id")))
	v += 2
	socket.Drop()
	// Another device of the user reads everything: the marks move past what the phone has not seen.
	send(t, ann, bob, "2", nil)
	send(t, ann, bob, "3", nil)
	wantStatus(t, post(t, app, "/users/"+bob.ID+"/conversations/"+one.Text("conversation_id")+"/read", object{"seq": 3}), http.StatusOK)
	d := newDevice()
	d.held[one.Text("conversation_id")], d.held[two.Text("conversation_id")] = 1, 1
	d.resume(t, dial(t, phone, client.DialOptions{Query: fmt.Sprint("?v=", v)}))
	if got := texts(d.messages[one.Text("conversation_id")]); !slices.Equal(got, []string{"2", "3"}) || d.total() != 2 || d.v != v+2 {
		t.Errorf("resumed %v, in all %d, v %d after %d", got, d.total(), d.v, v)
	}
	current := dial(t, phone, client.DialOptions{Query: fmt.Sprint("?v=", d.v)})
	if empty := awaitResume(t, current); len(empty.Items) != 0 || empty.Full || *empty.V != d.v {
		t.Errorf("nothing was missed: %s", empty.Raw)
	}
}

func TestResumeFromAVersionThatIsTooOld(t *testing.T) {
	t.Parallel()
	bob := register(t, "bob")
	for range 20 {
		send(t, register(t, "friend"), bob, "x", nil)
	}
	window := awaitResume(t, dial(t, as(t, app, bob, nil), client.DialOptions{Query: "?v=1"}))
	if !window.Full || len(window.Items) != 20 {
		t.Errorf("behind the ring: %s", window.Raw)
	}
}

func TestWindowIsPostedAgain(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	for range 130 {
		send(t, ann, bob, "x", nil)
	}
	socket := dial(t, as(t, app, bob, nil), client.DialOptions{})
	first := awaitResume(t, socket)
	if len(first.Items) != 100 || !first.More {
		t.Fatalf("the first window has %d, more %v", len(first.Items), first.More)
	}
	acknowledge := object{"action": "ack", "conversation_id": first.Items[0].ConversationID, "seq": 100}
	// The second window, as often as it came. The first may come twice: AWS invokes asynchronously at least once.
	seconds := func(events []client.Frame) (found []client.Frame) {
		for _, event := range events {
			if event.Event == "messages" && !slices.Equal(event.Items, first.Items) {
				found = append(found, event)
			}
		}
		return found
	}
	windows := func(n int) func([]client.Frame) bool {
		return func(events []client.Frame) bool { return len(seconds(events)) >= n }
	}
	ask(t, socket, acknowledge)
	if err := socket.Await(within(t), windows(1)); err != nil {
		t.Fatal(err)
	}
	ask(t, socket, acknowledge) // as if the second window had never come
	if err := socket.Await(within(t), windows(2)); err != nil {
		t.Fatal(err)
	}
	events := seconds(socket.Events(0))
	if !slices.Equal(events[0].Items, events[1].Items) || len(events[0].Items) != 30 || events[0].More {
		t.Errorf("%s\nis not\n%s", events[0].Raw, events[1].Raw)
	}
}

// TestResumeOfTenThousand has a user come back to ten thousand messages from several senders.
func TestResumeOfTenThousand(t *testing.T) {
	t.Parallel()
	many := 10_000
	if testing.Short() {
		many = 504
	}
	const senders = 8
	bob := register(t, "bob")
	together(senders, func(n int) any {
		from := register(t, "sender")
		for i := 0; i < many/senders; i++ {
			answer := post(t, app, "/send", object{"from": from.ID, "to": bob.ID, "message": fmt.Sprint(n, "-", i)})
			if answer.Status != http.StatusOK {
				t.Errorf("%s", answer)
			}
		}
		return nil
	})
	d := newDevice()
	d.resume(t, dial(t, as(t, app, bob, nil), client.DialOptions{}))
	if d.total() != many || len(d.messages) != senders {
		t.Errorf("%d messages in %d conversations came, want %d in %d", d.total(), len(d.messages), many, senders)
	}
	if d.repeats > 100*2 { // one window may be posted twice: AWS invokes asynchronously at least once
		t.Errorf("%d repeats", d.repeats)
	}
	t.Logf("%d messages in %d windows, %d repeats", d.total(), d.windows+1, d.repeats)
}
