package message_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/socket"
	"github.com/tokenim/tokenim/shared/table/storetest"
	"github.com/tokenim/tokenim/shared/token"
)

// ann lets everything in as ann, so that fuzzing gets past the credentials.
type annAlways struct{ *world }

func (a annAlways) caller() authz.Caller {
	return authz.Caller{App: a.app, User: a.ann, Rights: authz.Rights{Kind: authz.Keys, Base: authz.HeldBy(authz.Keys)},
		UserRights: authz.Rights{Kind: authz.Users}}
}

func (a annAlways) Key(context.Context, string, authz.Request) (authz.Caller, error) {
	return a.caller(), nil
}

func (a annAlways) Token(context.Context, string, authz.Request) (authz.Caller, error) {
	return a.caller(), nil
}

func (a annAlways) Session(context.Context, string, authz.Request) (authz.Caller, error) {
	return a.caller(), nil
}

func (a annAlways) Claims(context.Context, token.Claims) (authz.Caller, error) {
	caller := a.caller()
	caller.EndUser = true
	return caller, nil
}

func (a annAlways) Note(context.Context, authz.Caller, authz.Asked) {}

// noWindows has no resume under way.
type noWindows struct{}

func (noWindows) Acknowledged(context.Context, connection.Socket, id.Conversation, int64) error {
	return nil
}

// lastAnswer keeps what was posted to a socket.
type lastAnswer struct{ frame []byte }

func (l *lastAnswer) Standing(context.Context, id.App, id.User, string) (connection.Socket, error) {
	return connection.Socket{}, connection.ErrNotFound
}

func (l *lastAnswer) Answer(_ context.Context, _ string, frame []byte) error {
	l.frame = frame
	return nil
}

func (l *lastAnswer) Cut(context.Context, id.App, id.User, string, string) {}

// FuzzSendBody: no body of POST /send is answered with 5xx or without a problem document; what is accepted is stored.
func FuzzSendBody(f *testing.F) {
	for _, seed := range []string{
		`{"api_key":"k","from":"ann","to":"bob","message":"Hello!"}`, `{"to":"bob","message":"","client_id":"c","known":0}`,
		`{"to":"bob","message":"x","known":1e99}`, `{"to":7}`, `{"FROM":"ann"}`, `{"to":"bob","to":"bob"}`, `{"to":"\ud800"}`, `[]`, ``,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t, storetest.Staleness{})
		edge := api.New(annAlways{w}, api.Log{})
		message.Routes(edge, w.healthy(), w.keyring)
		request := httptest.NewRequest(http.MethodPost, "/send", strings.NewReader(body))
		request.Header.Set("X-Api-Key", "k")
		recorder := httptest.NewRecorder()
		edge.ServeHTTP(recorder, request)
		if recorder.Code == http.StatusOK {
			if len(w.history(t)) != 1 {
				t.Fatalf("%q was accepted and not stored", body)
			}
			return
		}
		var problem api.Problem
		err := json.Unmarshal(recorder.Body.Bytes(), &problem)
		if err != nil || recorder.Code >= 500 || problem.Code == "" || problem.Status != recorder.Code {
			t.Fatalf("%q: status %d, %s", body, recorder.Code, recorder.Body)
		}
		if len(w.history(t)) != 0 {
			t.Fatalf("%q was refused and stored", body)
		}
	})
}

// FuzzFrames: every frame is answered with one JSON object, and no frame is a defect of ours.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{
		`{"action":"send","id":"1","to":"bob","message":"Hello!"}`, `{"action":"ack","conversation_id":"c_1","seq":1}`,
		`{"action":"history","conversation_id":"c_4oKyQ1F8aXbT0mJ2cLw7Zr","order":"desc","limit":3}`, `{"action":"sync","v":0}`,
		`{"action":"read"}`, `{"action":"fly"}`, `{"id":1}`, `[]`, `nonsense`, `{"action":"send","action":"ack"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, frame string) {
		w := newWorld(t, storetest.Staleness{})
		answers := &lastAnswer{}
		edge := socket.New(annAlways{w}, answers, api.Log{})
		message.Frames(edge, w.healthy(), w.keyring, noWindows{})
		event := events.APIGatewayWebsocketProxyRequest{Body: frame}
		if answer, err := edge.Message(t.Context(), event); err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%q: %+v, %v", frame, answer, err)
		}
		var answer struct{ Error *api.Problem }
		if err := json.Unmarshal(answers.frame, &answer); err != nil {
			t.Fatalf("%q was answered with %q", frame, answers.frame)
		}
		if answer.Error != nil && answer.Error.Status >= 500 {
			t.Fatalf("%q was answered with %q", frame, answers.frame)
		}
	})
}
