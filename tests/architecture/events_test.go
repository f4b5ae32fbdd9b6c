package architecture

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tokenim/tokenim/shared/fanout"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/wire"

	"github.com/aws/aws-lambda-go/events"

	"github.com/tokenim/tokenim/local/template"
	"github.com/tokenim/tokenim/shared/account"
	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/session"
	"github.com/tokenim/tokenim/shared/socket"
)

// The sample events in events/ are for `sam local invoke` and for people. One begins with the function's resource; those
// of the WebSocket API with "socket-".

// eventFiles returns the events by name without ".json".
func eventFiles(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(repository, "events", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no events: %v", err)
	}
	found := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSuffix(filepath.Base(path), ".json")] = string(text)
	}
	return found
}

// kinds sorts the events by what sends them.
type kinds struct {
	http       map[string]events.APIGatewayV2HTTPRequest
	socket     map[string]events.APIGatewayWebsocketProxyRequest
	authorizer authorizerEvent
	resume     session.ResumeRequest
	mail       account.Job
	revocation apikey.Revocation
	tasks      events.EventBridgeEvent
	watchers   events.SQSEvent
	mediacheck events.SQSEvent
	pusher     events.SQSEvent
	fanout     events.DynamoDBEvent
	userjobs   events.SQSEvent
}

// authorizerEvent is what a WebSocket API sends to its authorizer. aws-lambda-go's type has the request context of REST
// APIs only.
type authorizerEvent struct {
	events.APIGatewayCustomAuthorizerRequestTypeRequest
	RequestContext events.APIGatewayWebsocketProxyRequestContext `json:"requestContext"`
}

// parsedEvents reads all events, strictly: no member that the types do not have.
func parsedEvents(t *testing.T) kinds {
	t.Helper()
	found := kinds{http: map[string]events.APIGatewayV2HTTPRequest{}, socket: map[string]events.APIGatewayWebsocketProxyRequest{}}
	for name, text := range eventFiles(t) {
		switch {
		case name == "resume":
			strictly(t, name, text, &found.resume)
		case name == "mail":
			strictly(t, name, text, &found.mail)
		case name == "revocations":
			strictly(t, name, text, &found.revocation)
		case name == "tasks":
			strictly(t, name, text, &found.tasks)
		case name == "watchers":
			strictly(t, name, text, &found.watchers)
		case name == "mediacheck":
			strictly(t, name, text, &found.mediacheck)
		case name == "pusher":
			strictly(t, name, text, &found.pusher)
		case name == "fanout":
			strictly(t, name, text, &found.fanout)
		case name == "userjobs":
			strictly(t, name, text, &found.userjobs)
		case name == "socket-authorizer":
			strictly(t, name, text, &found.authorizer)
		case strings.HasPrefix(name, "socket-"):
			var event events.APIGatewayWebsocketProxyRequest
			strictly(t, name, text, &event)
			found.socket[name] = event
		default:
			var event events.APIGatewayV2HTTPRequest
			strictly(t, name, text, &event)
			found.http[name] = event
		}
	}
	return found
}

func strictly(t *testing.T, name, text string, into any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Errorf("events/%s.json: %v", name, err)
	}
}

func TestThereIsOneEventPerRoute(t *testing.T) {
	tpl, found := loadTemplate(t), parsedEvents(t)
	var routes, sampled, actions, socketSampled []string
	for _, route := range tpl.HTTP.Routes {
		routes = append(routes, route.Key())
	}
	for name, event := range found.http {
		if event.RouteKey != event.RequestContext.RouteKey {
			t.Errorf("events/%s.json names two routes", name)
		}
		sampled = append(sampled, event.RouteKey)
	}
	for key := range tpl.WebSocket.Routes {
		actions = append(actions, key)
	}
	for name, event := range found.socket {
		key := event.RequestContext.RouteKey
		if want := "socket-" + strings.TrimPrefix(key, "$"); name != want {
			t.Errorf("events/%s.json is of route %s and should be named %s", name, key, want)
		}
		socketSampled = append(socketSampled, key)
	}
	same(t, "events/", sampled, "template.yaml", routes)
	same(t, "events/", socketSampled, "template.yaml", actions)
	if len(sampled) != len(routes) || len(socketSampled) != len(actions) {
		t.Error("events/ has two events of one route")
	}
}

// TestHTTPEventsAreAnsweredWithoutACredential runs each event through its function's edge. The placeholders in them are
// no keys, so every answer is JSON, and what needs a credential says what is wrong with it.
func TestHTTPEventsAreAnsweredWithoutACredential(t *testing.T) {
	tpl := loadTemplate(t)
	for name, event := range parsedEvents(t).http {
		e := of(t, functionOf(t, tpl, event.RouteKey), refuseAll)
		answer, err := e.http.Lambda(context.Background(), event)
		if err != nil {
			t.Fatalf("events/%s.json: %v", name, err)
		}
		want := fault.APIKeyMalformed
		switch {
		case event.RouteKey == "GET /link": // a page, which root's own test reads
			continue
		case event.RouteKey == standsAlone:
			want = ""
		case isPublic(e, event.RouteKey): // it reaches its operation, which has nothing behind it here
			want = fault.Internal
		case event.RouteKey == template.DefaultRoute:
			want = fault.RouteNotFound
		case slices.Contains(undescribed, event.RouteKey):
			want = ""
		}
		if code := problemCode(t, answer.Body); code != want {
			t.Errorf("events/%s.json is answered %d %q, want %q", name, answer.StatusCode, code, want)
		}
	}
}

// TestHTTPEventsReachTheirOperation runs each event past a credential that may do everything. Its operation has nothing
// behind it here, so that an internal error says: route, parameters and body were taken.
func TestHTTPEventsReachTheirOperation(t *testing.T) {
	tpl := loadTemplate(t)
	for name, event := range parsedEvents(t).http {
		if slices.Contains(undescribed, event.RouteKey) || event.RouteKey == standsAlone {
			continue
		}
		f := functionOf(t, tpl, event.RouteKey)
		endUser := strings.HasPrefix(name, "tickets-") // only an end user gets tickets
		answer, err := of(t, f, admitAll(endUser)).http.Lambda(context.Background(), event)
		if err != nil {
			t.Fatalf("events/%s.json: %v", name, err)
		}
		if code := problemCode(t, answer.Body); code != fault.Internal {
			t.Errorf("events/%s.json does not reach its operation: %d %s", name, answer.StatusCode, answer.Body)
		}
	}
}

// standsAlone is the one route that needs nothing behind it: it lists what is in the code.
const standsAlone = "GET /permissions"

// isPublic tells whether the route's operation asks for no credential.
func isPublic(e *edges, key string) bool {
	operation := e.operations()[key]
	return operation != nil && permission(operation) == authz.Public
}

func functionOf(t *testing.T, tpl *template.Template, key string) *template.Function {
	t.Helper()
	for _, route := range tpl.HTTP.Routes {
		if route.Key() == key {
			return tpl.Function(route.Function)
		}
	}
	t.Fatalf("no route %q in template.yaml", key)
	return nil
}

// TestFrameEventsReachTheirAction does the same for frames: refused without a good token, taken with one.
func TestFrameEventsReachTheirAction(t *testing.T) {
	tpl := loadTemplate(t)
	for name, event := range parsedEvents(t).socket {
		key := event.RequestContext.RouteKey
		if event.RequestContext.EventType != "MESSAGE" {
			continue
		}
		f := tpl.Function(tpl.WebSocket.Routes[key])
		if f == nil {
			t.Fatalf("no WebSocket route %q in template.yaml", key)
		}
		if code := frameCode(t, f, refuseAll, event); code != fault.APIKeyMalformed && name != "socket-auth" {
			t.Errorf("events/%s.json without a good token is answered %q", name, code)
		}
		want := fault.Internal
		if key == template.DefaultRoute {
			want = fault.ActionUnknown
		}
		if code := frameCode(t, f, admitAll(true), event); code != want {
			t.Errorf("events/%s.json with a good token is answered %q, want %q", name, code, want)
		}
	}
}

// frameCode runs a frame through the function's socket edge and returns the code of the answer's error.
func frameCode(t *testing.T, f *template.Function, callers authenticator, event events.APIGatewayWebsocketProxyRequest) fault.Code {
	t.Helper()
	sockets := &posted{}
	edge := socket.New(callers, sockets, api.Log{})
	for _, name := range registrations(t, f) {
		if err := registrars[name](&edges{http: api.New(callers, api.Log{}), socket: edge}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := edge.Message(context.Background(), event); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		ID    string
		Error json.RawMessage
	}
	strictly(t, event.RequestContext.RouteKey, string(sockets.answer), &answer)
	if answer.ID != "c1" {
		t.Errorf("the answer to %s has the id %q", event.RequestContext.RouteKey, answer.ID)
	}
	return problemCode(t, string(answer.Error))
}

func TestAuthorizerEventIsDenied(t *testing.T) {
	event := parsedEvents(t).authorizer
	authorizer := &session.Authorizer{Credentials: refuseAll}
	answer, err := authorizer.Authorize(context.Background(), event.APIGatewayCustomAuthorizerRequestTypeRequest)
	if err != nil {
		t.Fatal(err)
	}
	if effect := answer.PolicyDocument.Statement[0].Effect; effect != "Deny" {
		t.Errorf("the placeholder token got %q", effect)
	}
}

func TestLifecycleEventsAndResumeNameASocket(t *testing.T) {
	found := parsedEvents(t)
	for _, name := range []string{"socket-connect", "socket-disconnect"} {
		if held := socket.FromContext(found.socket[name]); held.App.IsZero() || held.User == "" || held.ExpiresAt.IsZero() {
			t.Errorf("events/%s.json names no socket: %+v", name, held)
		}
	}
	held := socket.FromContext(found.socket["socket-connect"])
	if want := session.NewResumeRequest(held, -1); found.resume != want {
		t.Errorf("events/resume.json is %+v; what connect would send is %+v", found.resume, want)
	}
}

func TestWatchersEventIsAJob(t *testing.T) {
	for _, message := range parsedEvents(t).mediacheck.Records {
		var told struct {
			Records []struct {
				S3 struct{ Object struct{ Key string } }
			}
		}
		if err := json.Unmarshal([]byte(message.Body), &told); err != nil || len(told.Records) != 1 || !strings.HasPrefix(told.Records[0].S3.Object.Key, "uploads/app_") {
			t.Errorf("events/mediacheck.json names no upload: %+v, %v", told, err)
		}
	}
	for _, message := range parsedEvents(t).watchers.Records {
		var job connection.PresenceChange
		strictly(t, "watchers", message.Body, &job)
		if job.App == "" || !id.IsUser(string(job.User)) || job.ID == "" {
			t.Errorf("events/watchers.json names no user: %+v", job)
		}
	}
}

func TestFanOutEventsNameALargeGroup(t *testing.T) {
	found := parsedEvents(t)
	for _, record := range found.pusher.Records {
		var job fanout.Job
		strictly(t, "pusher", record.Body, &job)
		if record.Attributes["MessageGroupId"] != job.Lane() || record.Attributes["MessageDeduplicationId"] != job.Identity() || job.From < 1 {
			t.Errorf("events/pusher.json holds no job of its message group: %+v", job)
		}
	}
	var told []message.Entry
	handle := wire.Entries(func(_ context.Context, entries []message.Entry) error { told = entries; return nil })
	if _, err := handle(t.Context(), found.fanout); err != nil {
		t.Fatal(err)
	}
	for _, entry := range told {
		if entry.Conversation.Group() == "" || entry.App.IsZero() || entry.Sequence < 1 || entry.Base < 1 || entry.Reach != message.Fanned {
			t.Errorf("events/fanout.json holds no entry of a large group: %+v", entry)
		}
	}
}

// TestTheFanOutIsToldOfNewEntriesOnly: an entry that is changed where it stands is in the stream with the same image as a new one.
func TestTheFanOutIsToldOfNewEntriesOnly(t *testing.T) {
	triggers := loadTemplate(t).Streams
	i := slices.IndexFunc(triggers, func(s *template.StreamTrigger) bool { return s.Function == "FanoutFunction" })
	if i < 0 || len(triggers[i].Filters) != 1 {
		t.Fatal("the fan-out's stream has no filter, or several")
	}
	text := eventFiles(t)["fanout"]
	for event, want := range map[string]bool{text: true, strings.ReplaceAll(text, `"INSERT"`, `"MODIFY"`): false, strings.ReplaceAll(text, `"reach"`, `"other"`): false} {
		var told struct{ Records []any }
		if err := json.Unmarshal([]byte(event), &told); err != nil || len(told.Records) == 0 {
			t.Fatalf("%s: %v", event, err)
		}
		for _, record := range told.Records {
			if triggers[i].Filters[0].Matches(record) != want {
				t.Errorf("the filter lets pass: %v, of %v", !want, record)
			}
		}
	}
}

func TestUserJobsEventIsAJob(t *testing.T) {
	for _, message := range parsedEvents(t).userjobs.Records {
		var job wire.UserJob
		strictly(t, "userjobs", message.Body, &job)
		named := 0
		for _, is := range []bool{id.IsUser(string(job.User)), id.IsImport(string(job.Import)), id.IsBroadcast(string(job.Broadcast))} {
			if is {
				named++
			}
		}
		if job.App == "" || named != 1 {
			t.Errorf("events/userjobs.json names not one of a user, an import and a broadcast: %+v", job)
		}
	}
}

// secretLike finds what could be an API key or a JWT.
var secretLike = regexp.MustCompile(apikey.Prefix + `[0-9A-Za-z_]+|eyJ[0-9A-Za-z_.-]+`)

func TestEventsHoldNothingSecret(t *testing.T) {
	for name, text := range eventFiles(t) {
		for _, found := range secretLike.FindAllString(text, -1) {
			if _, err := apikey.Parse(found); err == nil || strings.HasPrefix(found, "eyJ") {
				t.Errorf("events/%s.json holds what could be a real credential: %s", name, found)
			}
		}
	}
}
