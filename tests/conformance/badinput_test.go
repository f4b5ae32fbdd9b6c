//go:build conformance

package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tokenim/tokenim/tests/conformance/client"
)

// operation is a route with a body that it would take.
type operation struct {
	path string
	// method is POST where it is "", by the app's key where there is none.
	method string
	by     *client.Installation
	valid  object
	// optional says that the body may be left out.
	optional bool
	// roomy says that its body may be larger than others.
	roomy bool
	// wrong has, by member, values of the wrong type.
	wrong map[string][]any
	// required are the members without a meaning for null; elsewhere null is as good as nothing.
	required []string
	// state describes what the operation could have changed.
	state func() string
}

// do sends the operation a body.
func (o operation) do(t *testing.T, body any, header map[string]string) client.Answer {
	t.Helper()
	by, method := app, http.MethodPost
	if o.by != nil {
		by = *o.by
	}
	if o.method != "" {
		method = o.method
	}
	return do(t, by, client.Request{Method: method, Path: o.path, Body: body, Header: header})
}

var notText, notNumber = []any{7, true, object{}, []any{"x"}}, []any{"1", 1.5, true, object{}, []any{1}}

func operations(t *testing.T) []operation {
	ann, bob := pair(t)
	name, alone := unique("refused"), newListeners(t, sharedTeam(t).owner, 1)
	conversation := send(t, ann, bob, "the only one", nil).Text("conversation_id")
	message := "/users/" + ann.ID + "/conversations/" + conversation + "/messages/1"
	log := func() string { return fmt.Sprint(history(t, conversation, "limit=100")) }
	marks := func() string {
		return fmt.Sprint(pages[client.Conversation](t, app, "/users/"+bob.ID+"/conversations?limit=10"))
	}
	mark := func(which string) operation {
		return operation{path: "/users/" + bob.ID + "/conversations/" + conversation + "/" + which, valid: object{"seq": 1},
			wrong: map[string][]any{"seq": notNumber, "api_key": notText}, required: []string{"seq"}, state: marks}
	}
	return []operation{
		{path: "/register", valid: object{"username": name}, wrong: map[string][]any{"username": notText, "api_key": notText}, required: []string{"username"},
			state: func() string { return listedUsers(t, name) }},
		{path: "/users/import", roomy: true, valid: object{"users": []any{object{"username": "a b"}}}, wrong: map[string][]any{"users": {"x", 7, true, object{}}, "api_key": notText},
			required: []string{"users"}},
		{path: "/keys", valid: object{"name": name, "scopes": []string{"users:read"}, "expires_at": "2100-01-01T00:00:00Z"},
			wrong:    map[string][]any{"name": notText, "scopes": {"users:read", 7, object{}}, "expires_at": {7, true}},
			required: []string{"name", "scopes"}, state: func() string { return listedKeys(t, name) }},
		{path: "/users/" + ann.ID + "/tokens", valid: object{"device": "phone", "expires_in": 60}, optional: true,
			wrong: map[string][]any{"device": notText, "expires_in": notNumber}},
		{path: "/send", valid: object{"from": ann.ID, "to": bob.ID, "message": "x", "type": "text", "client_id": "bad", "known": 1, "reply_to": 1, "mentions": []string{bob.ID}, "mention_all": false},
			wrong: map[string][]any{"from": notText, "to": notText, "message": notText, "type": notText, "client_id": notText, "known": notNumber,
				"reply_to": notNumber, "mentions": notList, "mention_all": {"true", 1, object{}}},
			required: []string{"to"}, state: log},
		mark("ack"), mark("read"),
		{method: http.MethodPatch, path: message, valid: object{"message": "changed"}, wrong: map[string][]any{"message": notText, "custom": {7, true, "x", []any{1}}, "api_key": notText}, state: log},
		{path: message + "/recall", valid: object{}, optional: true, wrong: map[string][]any{"api_key": notText}, state: log},
		{path: message + "/reactions", valid: object{"reaction": "👍"}, wrong: map[string][]any{"reaction": notText, "api_key": notText}, required: []string{"reaction"}, state: log},
		{method: http.MethodPut, path: message + "/pin", valid: object{}, optional: true, wrong: map[string][]any{"api_key": notText}, state: log},
		{path: "/conversations/" + conversation + "/messages/1/recall", valid: object{}, optional: true, wrong: map[string][]any{"api_key": notText}, state: log},
		{path: "/broadcasts", by: &alone.by, valid: object{"from": alone.sender.ID, "message": "x", "type": "text"}, wrong: map[string][]any{"from": notText, "message": notText, "type": notText, "api_key": notText},
			state: func() string { return get(t, alone.by, "/broadcasts").String() }},
		{path: "/broadcasts/absent/cancel", valid: object{}, optional: true, wrong: map[string][]any{"api_key": notText}},
		{path: "/users/" + bob.ID + "/conversations/" + conversation + "/delete", valid: object{"seqs": []int64{1}},
			wrong: map[string][]any{"seqs": {"x", 7, true, object{}}, "api_key": notText}, required: []string{"seqs"}, state: marks},
		{path: "/users/" + bob.ID + "/conversations/" + conversation + "/clear", valid: object{"seq": 1}, optional: true,
			wrong: map[string][]any{"seq": notNumber, "api_key": notText}, state: marks},
		{path: "/presence/query", valid: object{"users": []string{ann.ID}}, wrong: map[string][]any{"users": notList, "api_key": notText}, required: []string{"users"}},
		{path: "/media", valid: with(declaration(ann, "image", "image/png", []byte("x")), object{"filename": "x.png"}), required: []string{"type", "content_type", "size", "sha256"},
			wrong: map[string][]any{"type": notText, "content_type": notText, "size": notNumber, "sha256": notText, "filename": notText, "from": notText, "api_key": notText}},
		{method: http.MethodPut, path: "/users/" + ann.ID + "/presence", valid: object{"hidden": true},
			wrong: map[string][]any{"hidden": {"true", 1, object{}}, "api_key": notText}, required: []string{"hidden"},
			state: func() string { return fmt.Sprint(seen(t, app, ann)) }},
		{method: http.MethodPatch, path: "/users/" + ann.ID, valid: object{"username": ann.Name, "name": "x", "avatar": "x", "custom": object{"k": 1}},
			wrong: map[string][]any{"username": notText, "name": notText, "avatar": notText, "custom": {7, true, "x", []any{1}}, "api_key": notText},
			state: func() string { return get(t, app, "/users/"+ann.ID).String() }},
		{path: "/users/" + ann.ID + "/reactivate", valid: object{}, optional: true, wrong: map[string][]any{"api_key": notText}},
	}
}

// groupOperations are the routes with bodies that make and change groups.
func groupOperations(t *testing.T) []operation {
	g := gather(t, 2, object{"join": "open"})
	path, seat := "/groups/"+g.id, "/groups/"+g.id+"/members/"+g.members[1].ID
	state := func() string {
		return fmt.Sprint(get(t, app, path), get(t, app, path+"/members?state=member"), get(t, app, "/users/"+g.members[0].ID+"/groups"))
	}
	texts := func(names ...string) map[string][]any {
		wrong := map[string][]any{"api_key": notText}
		for _, name := range names {
			wrong[name] = notText
		}
		return wrong
	}
	profile, create := texts("name", "description", "avatar", "join", "speak", "invite"), texts("name", "description", "avatar", "join", "speak", "invite", "owner")
	profile["custom"], create["custom"], create["members"] = []any{7, true, "x", []any{1}}, []any{7, true, "x", []any{1}}, notList
	profile["muted_all"], profile["version"] = []any{"true", 1, object{}}, notNumber
	invite, role, mute := texts(), texts("role"), texts()
	invite["users"], invite["add"], mute["until"] = notList, []any{"true", 1, object{}}, notTime
	valid := object{"name": "x", "description": "x", "avatar": "x", "custom": object{"k": 1}, "join": "open", "speak": "everyone", "invite": "everyone"}
	return []operation{
		{path: "/groups", valid: with(valid, object{"owner": g.members[0].ID, "members": []string{}}), wrong: create, required: []string{"name"}, state: state},
		{method: http.MethodPatch, path: path, valid: with(valid, object{"muted_all": false}), wrong: profile, state: state},
		{path: path + "/members", valid: object{"users": []string{g.members[1].ID}, "add": true}, wrong: invite, required: []string{"users"}, state: state},
		{path: path + "/transfer", valid: object{"to": g.members[0].ID}, wrong: texts("to"), required: []string{"to"}, state: state},
		{method: http.MethodPut, path: seat + "/role", valid: object{"role": "member"}, wrong: role, required: []string{"role"}, state: state},
		{method: http.MethodPut, path: seat + "/mute", valid: object{"until": "2100-01-01T00:00:00Z"}, wrong: mute, state: state},
		{path: path + "/join", valid: object{"as": g.members[1].ID}, optional: true, wrong: texts("as"), state: state},
		{path: path + "/decline", valid: object{"as": g.members[1].ID}, optional: true, wrong: texts("as"), state: state},
		{path: path + "/leave", valid: object{"as": g.members[1].ID}, optional: true, wrong: texts("as"), state: state},
	}
}

// listedUsers returns those users whose names begin with the prefix.
func listedUsers(t *testing.T, prefix string) string {
	users := pages[client.Profile](t, app, "/users?limit=100")
	return fmt.Sprint(slices.DeleteFunc(users, func(u client.Profile) bool { return !strings.HasPrefix(u.Username, prefix) }))
}

func listedKeys(t *testing.T, name string) string {
	keys := pages[client.Key](t, app, "/keys?limit=100")
	return fmt.Sprint(slices.DeleteFunc(keys, func(k client.Key) bool { return k.Name != name }))
}

// badBody is a body and what it has to be refused with; field is "" where no field is to blame.
type badBody struct {
	name, body string
	status     int
	code       string
	field      string
}

// long is the 200,000 characters.
var long = strings.Repeat("x", 200_000)

func text(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

// insert puts members, as JSON text, in front of an object's.
func insert(valid object, members string) string {
	if len(valid) == 0 {
		return "{" + members + "}"
	}
	return "{" + members + "," + strings.TrimPrefix(text(valid), "{")
}

// malformed are the bodies that are wrong whatever the operation.
func malformed(valid object) []badBody {
	whole := text(valid)
	return []badBody{
		{"cut short", whole[:len(whole)-1], 400, "body_not_json", ""},
		{"no JSON", "nope", 400, "body_not_json", ""},
		{"a form", "username=ann", 400, "body_not_json", ""},
		{"a trailing comma", whole[:len(whole)-1] + ",}", 400, "body_not_json", ""},
		{"two values", whole + whole, 400, "body_not_json", ""},
		{"text behind", whole + "x", 400, "body_not_json", ""},
		{"a comment", "/* */" + whole, 400, "body_not_json", ""},
		{"a raw line break in a text", insert(valid, "\"x\": \"a\nb\""), 400, "body_not_json", ""},
		{"a raw NUL", insert(valid, "\"x\": \"a\x00b\""), 400, "body_not_json", ""},
		{"not a number", insert(valid, `"x": NaN`), 400, "body_not_json", ""},
		{"too deep", strings.Repeat(`{"a":`, 12_000), 400, "body_not_json", ""},
		{"an array", "[]", 400, "body_not_object", ""},
		{"the object in an array", "[" + whole + "]", 400, "body_not_object", ""},
		{"a text", `"text"`, 400, "body_not_object", ""},
		{"null", "null", 400, "body_not_object", ""},
		{"a number", "7", 400, "body_not_object", ""},
		{"an unknown field", insert(valid, `"unknown": 1`), 422, "field_unknown", "unknown"},
		{"an empty field name", insert(valid, `"": 1`), 422, "field_unknown", ""},
		{"an unknown field twice", insert(valid, `"x": 1, "x": 1`), 400, "field_duplicate", "x"},
		{"a nested duplicate", insert(valid, `"x": {"y": 1, "y": 2}`), 400, "field_duplicate", "y"},
		{"a lone surrogate as a name", insert(valid, `"\ud800": 1`), 400, "text_invalid", ""},
		{"NUL as a name", insert(valid, `"\u0000": 1`), 400, "text_invalid", ""},
		{"200,000 characters in all", insert(valid, `"x": "`+long+`"`), 413, "body_too_large", ""},
		{"200,000 spaces", strings.Repeat(" ", 200_000) + whole, 413, "body_too_large", ""},
	}
}

// spoiled are the bodies in which one member is wrong.
func spoiled(o operation) []badBody {
	var bad []badBody
	for member, value := range o.valid {
		add := func(what, body string, status int, code, field string) {
			bad = append(bad, badBody{member + " " + what, body, status, code, field})
		}
		upper := strings.ToUpper(member)
		name := fmt.Sprintf("%q: ", member)
		add("in upper case", text(with(o.valid, object{member: nil, upper: value})), 422, "field_unknown", upper)
		add("in both cases", text(with(o.valid, object{upper: value})), 422, "field_unknown", upper)
		add("twice", insert(o.valid, name+text(value)), 400, "field_duplicate", member)
		add("twice, once escaped", insert(o.valid, fmt.Sprintf(`"\u%04x%s": %s`, member[0], member[1:], text(value))), 400, "field_duplicate", member)
		rest := with(o.valid, object{member: nil, "z": 1})
		for what, literal := range map[string]string{"a lone high surrogate": `"a\ud83d"`, "a lone low surrogate": `"\ude00b"`, "surrogates in the wrong order": `"\ude00\ud83d"`,
			"NUL": `"a\u0000"`, "bytes that are no UTF-8": "\"a\xff\"", "a surrogate in UTF-8": "\"\xed\xa0\x80\"", "an overlong form": "\"\xc0\xaf\""} {
			add("with "+what, insert(rest, name+literal), 400, "text_invalid", "")
		}
		add("of 200,000 characters", insert(rest, name+`"`+long+`"`), 413, "body_too_large", "")
	}
	for member, values := range o.wrong {
		for _, value := range values {
			bad = append(bad, badBody{fmt.Sprintf("%s as %v", member, value), text(with(o.valid, object{member: value})), 422, "field_type", member})
		}
	}
	for _, member := range o.required {
		null := strings.Replace(text(with(o.valid, object{member: "NULL"})), `"NULL"`, "null", 1)
		bad = append(bad, badBody{member + " null", null, 422, "field_type", member})
	}
	return bad
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	for _, o := range slices.Concat(operations(t), accountOperations(t), accessOperations(t), groupOperations(t)) {
		t.Run(o.method+o.path[:min(len(o.path), 24)], func(t *testing.T) {
			before := ""
			if o.state != nil {
				before = o.state()
			}
			if !o.optional {
				wantBadBody(t, o, badBody{"no body", "", 400, "body_missing", ""})
				wantBadBody(t, o, badBody{"a blank body", " \n", 400, "body_missing", ""})
			}
			for _, bad := range slices.Concat(malformed(o.valid), spoiled(o)) {
				if onMinistack && !utf8.ValidString(bad.body) || o.roomy && bad.code == "body_too_large" { // ministack replaces such bytes
					continue
				}
				wantBadBody(t, o, bad)
			}
			if o.state != nil && o.state() != before {
				t.Errorf("something was done: %s\nbefore: %s", o.state(), before)
			}
		})
	}
}

// wantBadBody sends the body, to an app's route twice, the second time with a wish for Chinese.
func wantBadBody(t *testing.T, o operation, bad badBody) {
	t.Helper()
	english := o.do(t, bad.body, nil)
	if o.by != nil { // the form of a body is judged in one place for all routes, and so are languages
		problem := wantRefusal(t, english, bad.status, bad.code)
		if bad.field != "" {
			wantField(t, problem, bad.field, bad.code)
		}
		return
	}
	chinese := o.do(t, bad.body, map[string]string{"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"})
	for _, answer := range []client.Answer{english, chinese} {
		if answer.Status != bad.status || answer.Text("code") != bad.code {
			t.Errorf("%s: %d %s wanted, not %s", bad.name, bad.status, bad.code, answer)
			return
		}
	}
	problem := wantRefusal(t, english, bad.status, bad.code)
	if bad.field != "" {
		wantField(t, problem, bad.field, bad.code)
	}
	translated := wantRefusal(t, chinese, bad.status, bad.code)
	if hasHan(problem.Title+problem.Detail+problem.Hint) || !hasHan(translated.Title) || !hasHan(translated.Detail) || !hasHan(translated.Hint) {
		t.Errorf("%s: in English %+v, in Chinese %+v", bad.name, problem, translated)
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	for wish, chinese := range map[string]bool{"": false, "en": false, "zh": true, "zh-Hans": true, "zh-TW": true, "en;q=0.3,zh;q=0.9": true, "fr": false, "fr,zh;q=0.5": true, "*": false, "\x7f;;": false, "zh;q=x": false} {
		answer := do(t, app, client.Request{Path: "/users/nobody", Header: map[string]string{"Accept-Language": strings.ReplaceAll(wish, "\x7f", "~")}})
		if problem := wantRefusal(t, answer, 404, "user_not_found"); hasHan(problem.Detail) != chinese {
			t.Errorf("%q: %s", wish, problem.Detail)
		}
	}
}

func TestMissingFields(t *testing.T) {
	t.Parallel()
	for _, o := range slices.Concat(operations(t), accountOperations(t), accessOperations(t), groupOperations(t)) {
		for _, member := range o.required {
			answer := o.do(t, with(o.valid, object{member: nil}), nil)
			wantField(t, wantRefusal(t, answer, 422, "field_missing"), member, "field_missing")
		}
	}
	ann, bob := pair(t)
	answer := post(t, app, "/send", object{"to": bob.ID, "message": ann.ID})
	wantField(t, wantRefusal(t, answer, 422, "field_missing"), "from", "field_missing")
	several := wantRefusal(t, post(t, app, "/keys", object{"Name": "x"}), 422, "field_unknown", "field_missing")
	wantField(t, several, "Name", "field_unknown")
	wantField(t, several, "name", "field_missing")
	wantField(t, several, "scopes", "field_missing")
}

func TestValuesOutOfBounds(t *testing.T) {
	t.Parallel()
	ann, bob := pair(t)
	valid := object{"from": ann.ID, "to": bob.ID, "message": "x"}
	cases := []struct {
		change object
		status int
		code   string
		field  string
	}{
		{object{"message": ""}, 422, "message_empty", "message"},
		{object{"type": "picture"}, 422, "field_invalid", "type"}, {object{"type": "image"}, 422, "field_missing", "media_id"},
		{object{"type": "TEXT"}, 422, "field_invalid", "type"},
		{object{"type": strings.Repeat("t", 17)}, 422, "field_too_long", "type"},
		{object{"client_id": strings.Repeat("c", 65)}, 422, "field_too_long", "client_id"},
		{object{"client_id": strings.Repeat("好", 64)}, 422, "field_too_long", "client_id"},
		{object{"to": strings.Repeat("t", 65)}, 422, "field_too_long", "to"},
		{object{"from": strings.Repeat("f", 65)}, 404, "user_not_found", "from"}, // who acts is judged before the rest
		{object{"known": -1}, 422, "field_out_of_range", "known"},
		{object{"known": json.Number("9223372036854775807")}, 409, "known_ahead", "known"},
		{object{"known": json.Number("9223372036854775808")}, 422, "", "known"},
		{object{"known": json.Number("1e400")}, 422, "", "known"},
	}
	for _, c := range cases {
		answer := post(t, app, "/send", with(valid, c.change))
		code := c.code
		if code == "" { // beyond every number: which refusal is of no matter
			code = answer.Text("code")
		}
		wantField(t, wantRefusal(t, answer, c.status, code), c.field, code)
	}
	if rows := pages[client.Conversation](t, app, "/users/"+ann.ID+"/conversations?limit=1"); len(rows) != 0 {
		t.Errorf("a conversation has come to be: %+v", rows)
	}
	wantRefusal(t, post(t, app, "/keys", object{"name": strings.Repeat("n", 65), "scopes": []string{"users:read"}}), 422, "field_too_long")
	wantRefusal(t, post(t, app, "/keys", object{"name": "", "scopes": []string{"users:read"}}), 422, "field_too_short")
	wantRefusal(t, post(t, app, "/keys", object{"name": "x", "scopes": []string{"users:read"}, "expires_at": "tomorrow"}), 422, "field_type")
}

// TestBadPaths has IDs in paths that no encoding may turn into a defect of ours.
func TestBadPaths(t *testing.T) {
	t.Parallel()
	ann := register(t, "ann")
	for _, id := range []string{"%00", "%FF", "%ED%A0%80", "%0A", "%2e%2e", "a%20b", "%F0%9F%98%80", strings.Repeat("x", 5000), "u_" + strings.Repeat("0", 22), "#", "?", "%23", "*", "app"} {
		for _, request := range []client.Request{
			{Path: "/users/" + id}, {Path: "/users/" + id + "/messages"}, {Path: "/users/" + id + "/conversations"},
			{Path: "/users/" + id + "/tokens", Body: object{}}, {Method: http.MethodDelete, Path: "/users/" + id + "/tokens"},
			{Path: "/conversations/" + id + "/messages"}, {Path: "/conversations/" + id + "/messages/1/receipts"}, {Path: "/messages/" + id + "/trace"}, {Method: http.MethodDelete, Path: "/keys/" + id},
			{Path: "/grants/" + id}, {Method: http.MethodDelete, Path: "/grants/" + id}, {Path: "/roles/" + id}, {Method: http.MethodDelete, Path: "/roles/" + id},
			{Method: http.MethodPatch, Path: "/roles/" + id, Body: object{"name": "x"}},
			{Path: "/users/" + ann.ID + "/conversations/" + id + "/ack", Body: object{"seq": 1}},
			{Path: "/users/" + ann.ID + "/conversations/" + id + "/read", Body: object{"seq": 1}},
			{Path: "/users/" + ann.ID + "/conversations/" + id + "/delete", Body: object{"seqs": []int64{1}}},
			{Path: "/users/" + ann.ID + "/conversations/" + id + "/clear", Body: object{}},
		} {
			// "*" may be somebody's name by now: TestOddBodies registers the oddest.
			if answer := do(t, app, request); answer.Status >= 500 || answer.Status >= 300 && answer.Status < 400 {
				t.Errorf("%s %.60s: %s", request.Method, request.Path, answer)
			}
		}
	}
}
