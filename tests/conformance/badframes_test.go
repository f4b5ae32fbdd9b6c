//go:build conformance

package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// actions are the socket's, each with a frame that it would take, also after those before it, and values of the wrong type by member.
func actions(bob person, conversation string) []operation {
	mark := object{"conversation_id": conversation, "seq": 1}
	wrongMark := map[string][]any{"conversation_id": notText, "seq": notNumber}
	return []operation{
		{path: "send", valid: object{"to": bob.ID, "message": "x", "type": "text", "client_id": "bad", "known": 1, "reply_to": 1, "mentions": []string{bob.ID}, "mention_all": false},
			wrong: map[string][]any{"to": notText, "message": notText, "type": notText, "client_id": notText, "known": notNumber,
				"reply_to": notNumber, "mentions": notList, "mention_all": {"true", 1, object{}}}, required: []string{"to"}},
		{path: "ack", valid: mark, wrong: wrongMark, required: []string{"conversation_id", "seq"}},
		{path: "read", valid: mark, wrong: wrongMark, required: []string{"conversation_id", "seq"}},
		{path: "history", valid: object{"conversation_id": conversation, "order": "asc", "limit": 5, "cursor": ""},
			wrong: map[string][]any{"conversation_id": notText, "order": notText, "limit": notNumber, "cursor": notText}, required: []string{"conversation_id"}},
		{path: "edit", valid: object{"conversation_id": conversation, "seq": 1, "message": "x"}, wrong: map[string][]any{"conversation_id": notText, "seq": notNumber, "message": notText, "custom": {7, "x"}}, required: []string{"conversation_id", "seq"}},
		{path: "react", valid: object{"conversation_id": conversation, "seq": 1, "reaction": "👍"}, required: []string{"conversation_id", "seq", "reaction"},
			wrong: map[string][]any{"conversation_id": notText, "seq": notNumber, "reaction": notText, "remove": {"true", 1}}},
		{path: "recall", valid: mark, wrong: wrongMark, required: []string{"conversation_id", "seq"}},
		{path: "delete", valid: object{"conversation_id": conversation, "seqs": []int64{1}},
			wrong: map[string][]any{"conversation_id": notText, "seqs": {"x", 7, true, object{}}}, required: []string{"conversation_id", "seqs"}},
		{path: "clear", valid: mark, wrong: wrongMark, required: []string{"conversation_id"}},
		{path: "sync", valid: object{"v": 1}, wrong: map[string][]any{"v": notNumber}, required: []string{"v"}},
		{path: "typing", valid: object{"to": bob.ID}, wrong: map[string][]any{"to": notText}, required: []string{"to"}},
		{path: "auth", valid: object{"token": "a.b.c"}, wrong: map[string][]any{"token": notText}, required: []string{"token"}},
		{path: "watch", valid: object{"users": []string{bob.ID}}, wrong: map[string][]any{"users": notList}, required: []string{"users"}},
		{path: "unwatch", valid: object{"users": []string{bob.ID}}, wrong: map[string][]any{"users": notList}, required: []string{"users"}},
		{path: "ping", valid: object{}},
	}
}

// frameCodes are the names that faults of form have on the socket.
var frameCodes = map[string]string{"body_not_json": "frame_not_json", "body_not_object": "frame_not_json", "body_missing": "frame_not_json"}

func TestBadFrames(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	conversation := send(t, ann, bob, "the only one", nil).Text("conversation_id")
	socket := online(t, ann, nil)
	for _, action := range actions(bob, conversation) {
		t.Run(action.path, func(t *testing.T) {
			for _, bad := range slices.Concat(malformed(action.valid), spoiled(action)) {
				if len(bad.body) < 30_000 && utf8.ValidString(bad.body) { // the rest is API Gateway's to refuse
					wantBadFrame(t, socket, action.path, bad)
				}
			}
		})
	}
	ask(t, socket, object{"action": "ping"})
	if found := history(t, conversation, ""); len(found) != 1 {
		t.Errorf("something was sent: %v", found)
	}
}

// wantBadFrame sends the frame with an id and its action in front; the answer carries the id.
func wantBadFrame(t *testing.T, socket *client.Socket, action string, bad badBody) {
	t.Helper()
	rest, found := strings.CutPrefix(bad.body, "{")
	if !found {
		return // TestFramesWithoutAnAction has those
	}
	id := unique("f")
	frame := fmt.Sprintf(`{"id": %q, "action": %q`, id, action)
	if !strings.HasPrefix(rest, "}") {
		frame += ", "
	}
	frame += rest
	answer, err := socket.AskText(within(t), id, []byte(frame))
	if err != nil {
		t.Fatalf("%s: %v", bad.name, err)
	}
	code := bad.code
	if renamed := frameCodes[code]; renamed != "" {
		code = renamed
	}
	if answer.Code() != code {
		t.Errorf("%s: %s wanted, not %s to %s", bad.name, code, answer.Raw, frame)
		return
	}
	wantFrameRefusal(t, answer, code)
}

func TestFramesWithoutAnAction(t *testing.T) {
	t.Parallel()
	socket := online(t, register(t, "ann"), nil)
	for frame, code := range map[string]string{
		`{}`: "action_missing", `{"action": ""}`: "action_missing", `{"action": null}`: "action_missing", `{"action": 7}`: "action_missing",
		`{"Action": "ping"}`: "action_missing", `{"action": {"a": 1}}`: "action_missing", `{"action": "Ping"}`: "action_unknown",
		`{"action": "fly"}`: "action_unknown", `{"action": "$connect"}`: "action_unknown", `{"action": "$disconnect"}`: "action_unknown",
		`{"action": "$default"}`: "action_unknown", `{"action": "pi\u0000ng"}`: "text_invalid", `{"action": "ping", "action": "ping"}`: "field_duplicate",
		`nope`: "frame_not_json", `[]`: "frame_not_json", `["ping"]`: "frame_not_json", `"ping"`: "frame_not_json", `null`: "frame_not_json", `7`: "frame_not_json",
		` `: "frame_not_json", `{`: "frame_not_json", `{"action": "ping"} {"action": "ping"}`: "frame_not_json",
		`{"action": "ping", "id": "` + strings.Repeat("i", 65) + `"}`: "field_too_long", `{"action": "ping", "id": 7}`: "field_type",
	} {
		from := len(socket.Events(0))
		if err := socket.Write(within(t), []byte(frame)); err != nil {
			t.Fatal(err)
		}
		answer := awaitEvent(t, socket, from, func(f client.Frame) bool { return f.Event == "" })
		if answer.ID != "" {
			t.Errorf("%s is answered with an id: %s", frame, answer.Raw)
		}
		if answer.Code() != code {
			t.Errorf("%s: %s wanted, not %s", frame, code, answer.Raw)
			continue
		}
		wantFrameRefusal(t, answer, code)
	}
	ask(t, socket, object{"action": "ping"})
}

func TestFrameValuesOutOfBounds(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	conversation := send(t, ann, bob, "the only one", nil).Text("conversation_id")
	foreign := send(t, bob, register(t, "carl"), "secret", nil).Text("conversation_id")
	socket := online(t, ann, nil)
	cases := []struct {
		code  string
		frame object
	}{
		{"message_empty", object{"action": "send", "to": bob.ID, "message": ""}},
		{"message_too_large", object{"action": "send", "to": bob.ID, "message": strings.Repeat("x", 4097)}},
		{"recipient_is_sender", object{"action": "send", "to": ann.Name, "message": "x"}},
		{"user_not_found", object{"action": "send", "to": "nobody" + mark, "message": "x"}},
		{"field_invalid", object{"action": "send", "to": bob.ID, "message": "x", "type": "picture"}},
		{"field_unknown", object{"action": "send", "to": bob.ID, "message": "x", "from": ann.ID}},
		{"field_unknown", object{"action": "send", "to": bob.ID, "message": "x", "api_key": app.APIKey}},
		{"known_ahead", object{"action": "send", "to": bob.ID, "message": "x", "client_id": "k", "known": 9}},
		{"field_out_of_range", object{"action": "send", "to": bob.ID, "message": "x", "known": -1}},
		{"field_too_long", object{"action": "send", "to": bob.ID, "message": "x", "client_id": strings.Repeat("c", 65)}},
		{"field_missing", object{"action": "send", "to": bob.ID}},
		{"sequence_ahead", object{"action": "ack", "conversation_id": conversation, "seq": 2}},
		{"sequence_ahead", object{"action": "read", "conversation_id": conversation, "seq": 2}},
		{"field_out_of_range", object{"action": "ack", "conversation_id": conversation, "seq": 0}},
		{"conversation_not_found", object{"action": "ack", "conversation_id": foreign, "seq": 1}},
		{"conversation_not_found", object{"action": "read", "conversation_id": foreign, "seq": 1}},
		{"conversation_not_found", object{"action": "history", "conversation_id": foreign}},
		{"conversation_not_found", object{"action": "history", "conversation_id": "c_0000000000000000000000"}},
		{"field_invalid", object{"action": "history", "conversation_id": conversation, "order": "up"}},
		{"field_out_of_range", object{"action": "history", "conversation_id": conversation, "limit": 101}},
		{"cursor_invalid", object{"action": "history", "conversation_id": conversation, "cursor": "AAAA"}},
		{"field_out_of_range", object{"action": "sync", "v": -1}},
		{"field_missing", object{"action": "sync"}},
		{"field_missing", object{"action": "auth"}},
		{"field_missing", object{"action": "typing"}},
		{"field_unknown", object{"action": "ping", "extra": json.RawMessage(`{}`)}},
	}
	for _, c := range cases {
		answer, err := socket.Ask(within(t), c.frame)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Code() != c.code {
			t.Errorf("%v: %s wanted, not %s", c.frame, c.code, answer.Raw)
			continue
		}
		wantFrameRefusal(t, answer, c.code)
	}
	if found := history(t, conversation, ""); len(found) != 1 {
		t.Errorf("something was sent: %v", found)
	}
}

func TestEveryFrameIsAnsweredWithItsID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"1", "好", strings.Repeat("i", 64), `"quoted"`, "a b", "<&>"} {
		ann, bob := pair(t)
		conversation := send(t, ann, bob, "one", nil).Text("conversation_id")
		socket := online(t, ann, nil)
		for _, action := range actions(bob, conversation) {
			frame := with(action.valid, object{"action": action.path, "id": id, "client_id": nil, "known": nil})
			encoded, err := json.Marshal(frame)
			if err != nil {
				t.Fatal(err)
			}
			if answer, err := socket.AskText(within(t), id, encoded); err != nil || answer.Error != nil && action.path != "auth" {
				t.Errorf("%s with the id %q: %s %v", action.path, id, answer.Raw, err)
			}
		}
	}
}

func TestFramesBeyondTheGateway(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	conversation := send(t, ann, bob, "the only one", nil).Text("conversation_id")
	for name, frame := range map[string]string{
		"200,000 characters": text(object{"action": "send", "to": bob.ID, "message": long}),
		"40,000 spaces":      strings.Repeat(" ", 40_000) + `{"action": "ping"}`,
	} {
		t.Run(name, func(t *testing.T) {
			socket := online(t, ann, nil)
			_ = socket.Write(context.Background(), []byte(frame)) // it may fail: the other side does not read it all
			waitClosed(t, socket)
			if socket.CloseCode() != 1009 {
				t.Errorf("closed with %d, want 1009", socket.CloseCode())
			}
		})
	}
	if found := history(t, conversation, ""); len(found) != 1 {
		t.Errorf("something was sent: %v", found)
	}
}
