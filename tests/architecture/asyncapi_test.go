package architecture

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/goccy/go-yaml"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/presence"
	"github.com/tokenim/tokenim/shared/socket"
)

// event is what the server starts on a socket. A new one has to be entered in socketEvents.
type event struct {
	name, summary string
	payload       reflect.Type
}

var socketEvents = []event{
	{"message", "A message for this user, or one that the user sent from another device.", reflect.TypeFor[message.Arrival]()},
	{"messages", "A window of what the device has missed.", reflect.TypeFor[message.Window]()},
	{"group_messages", "Several new messages of a large group at once.", reflect.TypeFor[message.Run]()},
	{"typing", "Another user is writing.", reflect.TypeFor[message.Typing]()},
	{"receipt", "The other user of a conversation has acknowledged or read.", reflect.TypeFor[message.Marked]()},
	{"presence", "A user whom this one watches has come or gone.", reflect.TypeFor[presence.UserPresenceEvent]()},
}

// asyncHead is the part of docs/asyncapi.yaml that no type tells: where the socket is and how one opens it. The version
// is put in, and the channel's messages follow.
const asyncHead = `# Made from the code by ` + "`make docs`" + `.
asyncapi: 3.0.0
info:
  title: TokenIM socket
  version: %s
  description: |
    JSON frames over a WebSocket, both ways. The guide with the rules that a client keeps is docs/socket.md.
    A frame of the client names an "action"; its answer carries the frame's "id" and no "event". What the server starts
    names an "event". Answers and events may come in any order. What the server sends may gain members; frames with
    members that are not described here are refused.
  license: {name: Apache-2.0}
servers:
  local:
    host: 127.0.0.1:8080
    pathname: /v1
    protocol: ws
    description: '"make run"; .local/ready.json has the address.'
    security: [$ref: '#/components/securitySchemes/token', $ref: '#/components/securitySchemes/ticket']
  aws:
    host: '{api}.execute-api.{region}.amazonaws.com'
    pathname: /v1
    protocol: wss
    description: A deployed stack; its output WebSocketUrl has the address.
    variables:
      api: {description: ID of the WebSocket API.}
      region: {default: us-east-1}
    security: [$ref: '#/components/securitySchemes/token', $ref: '#/components/securitySchemes/ticket']
defaultContentType: application/json
channels:
  socket:
    address: /
    title: The socket of one device
    bindings:
      ws:
        method: GET
        query:
          type: object
          properties:
            v: {type: integer, minimum: 0, description: The version that the device has; absent for none.}
            ticket: {type: string, description: A connect ticket, where headers cannot be set.}
        headers:
          type: object
          properties:
            Authorization: {type: string, description: Bearer and a user token.}
            Sec-WebSocket-Protocol: {type: string, description: '"tokenim" and, for a browser, "ticket.<ticket>" beside it.'}
    messages:
`

// asyncSecurity heads the components.
const asyncSecurity = `components:
  securitySchemes:
    token: {type: http, scheme: bearer, bearerFormat: JWT, description: A user token in the Authorization header.}
    ticket: {type: httpApiKey, in: query, name: ticket, description: 'A connect ticket: once, within 30 seconds.'}
`

// asyncDocument gathers the document's parts.
type asyncDocument struct {
	t        *testing.T
	registry huma.Registry
	// channel, operations and messages are the parts of the same name, in their order.
	channel, operations, messages yaml.MapSlice
}

func TestAsyncAPIDocument(t *testing.T) {
	d := &asyncDocument{t: t, registry: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)}
	actions := everything(t, refuseAll).socket.Actions()
	for _, name := range slices.Sorted(maps.Keys(actions)) {
		d.action(actions[name])
	}
	d.refused()
	for _, event := range socketEvents {
		d.event(event)
	}
	text := fmt.Sprintf(asyncHead, api.Version) + d.text(3, d.channel) + d.text(0, object("operations", d.operations)) +
		asyncSecurity + d.text(1, object("messages", d.messages, "schemas", d.schemas()))
	var parsed any
	if err := yaml.Unmarshal([]byte(text), &parsed); err != nil {
		t.Fatalf("docs/asyncapi.yaml would be no YAML: %v", err)
	}
	golden(t, "docs/asyncapi.yaml", text)
}

// action describes a frame and its two answers.
func (d *asyncDocument) action(a socket.Description) {
	frame := huma.SchemaFromType(d.registry, a.Frame)
	name := *frame.Properties["action"]
	name.Enum, name.Examples = []any{a.Name}, []any{a.Name}
	frame.Properties["action"] = &name
	answer := a.Name + "Answer"
	d.message(a.Name, a.Summary, frame, d.example(frame))
	d.message(answer, "The answer to "+a.Name+".", d.answered(a.Result), d.answerExample(a.Result))
	d.operations = append(d.operations, object(a.Name, object("action", "receive", "summary", a.Summary, "channel", ref("channels/socket"),
		"messages", []any{ref("channels/socket/messages/" + a.Name)},
		"reply", object("channel", ref("channels/socket"), "messages", []any{
			ref("channels/socket/messages/" + answer), ref("channels/socket/messages/refused")}),
		"x-permission", string(a.Permission)))...)
}

// answered is the schema of an answer: its id and the result's members.
func (d *asyncDocument) answered(result reflect.Type) *huma.Schema {
	head := d.registry.Schema(reflect.TypeFor[socket.Answer](), true, "")
	if result.NumField() == 0 {
		return head
	}
	return &huma.Schema{AllOf: []*huma.Schema{head, d.registry.Schema(result, true, "")}}
}

// answerExample is an example of answered's schema.
func (d *asyncDocument) answerExample(result reflect.Type) map[string]any {
	example := d.example(huma.SchemaFromType(d.registry, result))
	maps.Copy(example, d.example(huma.SchemaFromType(d.registry, reflect.TypeFor[socket.Answer]())))
	return example
}

// refused describes the answer that every frame may get.
func (d *asyncDocument) refused() {
	problem := api.NewProblem(fault.Invalid(fault.Field{Name: "to", Code: fault.RecipientIsSender}), fault.English, "UQGvrEWyoAMEcgg=")
	payload := d.registry.Schema(reflect.TypeFor[socket.Refusal](), true, "")
	d.message("refused", "The answer to any frame that is refused.", payload,
		socket.Refusal{Answer: socket.Answer{ID: "c1"}, Error: problem})
}

// event describes what the server starts.
func (d *asyncDocument) event(e event) {
	payload := d.registry.Schema(e.payload, true, "")
	d.message(e.name+"Event", e.summary, payload, d.example(payload))
	upper := strings.ToUpper(e.name[:1]) + e.name[1:]
	d.operations = append(d.operations, object("on"+upper, object("action", "send", "summary", e.summary, "channel", ref("channels/socket"),
		"messages", []any{ref("channels/socket/messages/" + e.name + "Event")}))...)
}

// message adds a message, whose example has to fit its schema.
func (d *asyncDocument) message(name, summary string, payload *huma.Schema, example any) {
	if summary == "" {
		d.t.Errorf("%s has no summary", name)
	}
	var generic any
	if err := json.Unmarshal(encoded(d.t, example), &generic); err != nil {
		d.t.Fatal(err)
	}
	var result huma.ValidateResult
	huma.Validate(d.registry, payload, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, generic, &result)
	if len(payload.AllOf) == 0 && len(result.Errors) > 0 { // each part of an allOf would refuse the other's members
		d.t.Errorf("%s: the example does not fit: %v", name, result.Errors)
	}
	d.channel = append(d.channel, object(name, ref("components/messages/"+name))...)
	d.messages = append(d.messages, object(name, object("summary", summary, "payload", ordered(d.t, payload),
		"examples", []any{object("payload", ordered(d.t, example))}))...)
}

// schemas are the types that the messages refer to. What the server sends may gain members.
func (d *asyncDocument) schemas() yaml.MapSlice {
	var schemas yaml.MapSlice
	all := d.registry.Map()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		described := *all[name]
		described.AdditionalProperties = nil
		schemas = append(schemas, object(name, ordered(d.t, &described))...)
	}
	return schemas
}

// example makes an example out of those that the members' tags give. Members that may be absent are left out where they
// have none. Every member has to be described.
func (d *asyncDocument) example(schema *huma.Schema) map[string]any {
	if schema.Ref != "" {
		schema = d.registry.SchemaFromRef(schema.Ref)
	}
	example := map[string]any{}
	for name, member := range schema.Properties {
		if member.Description == "" {
			d.t.Errorf("docs/asyncapi.yaml: %s has no description: give it a doc tag", name)
		}
		switch {
		case len(member.Examples) > 0:
			example[name] = member.Examples[0]
		case member.Ref != "":
			example[name] = d.example(member)
		case member.Items != nil:
			example[name] = []any{d.example(member.Items)}
		case slices.Contains(schema.Required, name):
			d.t.Errorf("docs/asyncapi.yaml: %s has no example: give it an example tag", name)
		}
	}
	return example
}

// text writes YAML at a depth of indentation.
func (d *asyncDocument) text(depth int, value any) string {
	text, err := yaml.MarshalWithOptions(value, yaml.IndentSequence(true), yaml.UseSingleQuote(true))
	if err != nil {
		d.t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		b.WriteString(strings.Repeat("  ", depth) + line)
	}
	return b.String()
}

// object makes an object with its members in order: names and values by turns.
func object(members ...any) yaml.MapSlice {
	var made yaml.MapSlice
	for pair := range slices.Chunk(members, 2) {
		made = append(made, yaml.MapItem{Key: pair[0], Value: pair[1]})
	}
	return made
}

func ref(path string) yaml.MapSlice { return object("$ref", "#/"+path) }

// encoded writes JSON, as it goes over the wire.
func encoded(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// ordered turns a value into what its JSON says, the members in the same order.
func ordered(t *testing.T, value any) any {
	t.Helper()
	var members any
	if err := yaml.UnmarshalWithOptions(encoded(t, value), &members, yaml.UseOrderedMap()); err != nil {
		t.Fatal(err)
	}
	return members
}

// TestEveryEventIsDescribed finds the types that have a member "event".
func TestEveryEventIsDescribed(t *testing.T) {
	var declared, described []string
	for _, s := range sources(t, "shared") {
		ast.Inspect(s.file, func(node ast.Node) bool {
			spec, ok := node.(*ast.TypeSpec)
			if ok && hasMember(spec, "event") {
				declared = append(declared, s.file.Name.Name+"."+spec.Name.Name)
			}
			return true
		})
	}
	for _, event := range socketEvents {
		described = append(described, event.payload.String())
	}
	same(t, "socketEvents", described, "shared", declared)
}

// hasMember tells whether the type is a struct with a text of that name in its JSON.
func hasMember(spec *ast.TypeSpec, name string) bool {
	declared, ok := spec.Type.(*ast.StructType)
	return ok && slices.ContainsFunc(declared.Fields.List, func(field *ast.Field) bool {
		named, isName := field.Type.(*ast.Ident)
		if field.Tag == nil || !isName || named.Name != "string" { // the event's name; a message has a member with what happened
			return false
		}
		tag, _ := strconv.Unquote(field.Tag.Value) // the parser has passed it
		member, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		return member == name
	})
}
