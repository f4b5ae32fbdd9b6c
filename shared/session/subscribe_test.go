package session_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/tokenim/tokenim/shared/api"
	"github.com/tokenim/tokenim/shared/authz"
	"github.com/tokenim/tokenim/shared/clock"
	"github.com/tokenim/tokenim/shared/connection"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/message"
	"github.com/tokenim/tokenim/shared/session"
	"github.com/tokenim/tokenim/shared/socket"
	"github.com/tokenim/tokenim/shared/table/storetest"
)

// noResumes starts none.
type noResumes struct{}

func (noResumes) Enqueue(context.Context, session.ResumeRequest) error {
	return errors.New("throttled")
}

// A socket whose resume cannot be started would hear nothing of large groups: it is not opened, and leaves no device behind.
func TestNoSocketWithoutAResume(t *testing.T) {
	s := newStage(t, 1)
	event := events.APIGatewayWebsocketProxyRequest{RequestContext: events.APIGatewayWebsocketProxyRequestContext{
		EventType: "CONNECT", ConnectionID: "c1", Authorizer: socket.Context(authz.Caller{App: s.app, User: s.bob, Device: "phone",
			ExpiresAt: clock.System{}.Now().Add(time.Hour)}, fault.English)}}
	lifecycle := &session.Lifecycle{Connections: s.resumer.Connections, Resumes: noResumes{}, Log: api.Log{}}
	answer, err := lifecycle.Handle(t.Context(), event)
	storetest.OK(t, "connect", err)
	record, err := s.records.Record(t.Context(), s.app, s.bob, true)
	storetest.OK(t, "Record", err)
	if answer.StatusCode != http.StatusServiceUnavailable || record.Devices["phone"].Connection != "" {
		t.Errorf("answered %d, and the devices are %+v", answer.StatusCode, record.Devices)
	}
}

// heard keeps who was subscribed, and how long its token lasts.
type heard map[string]time.Time

func (h heard) Connect(_ context.Context, opened connection.Socket) error {
	h[opened.Connection] = opened.ExpiresAt
	return nil
}

// What is subscribed lasts as long as the token that the socket has now, whatever the request that asks for it was told.
func TestSubscriptionsLastAsTheSocketStands(t *testing.T) {
	s := newStage(t, 1)
	s.poster.Open("c1")
	now := clock.System{}.Now().Truncate(time.Second)
	held := connection.Socket{App: s.app, User: s.bob, Connection: "c1", Device: "phone", ExpiresAt: now.Add(time.Minute)}
	storetest.OK(t, "open", s.resumer.Connections.Open(t.Context(), held))
	_, err := s.records.Note(t.Context(), s.app, s.bob, id.Conversation(id.Source{}.Group()), 1)
	storetest.OK(t, "Note", err)
	renewed := held
	renewed.ExpiresAt = now.Add(time.Hour)
	_, err = s.resumer.Connections.Reauthorize(t.Context(), renewed)
	storetest.OK(t, "auth", err)
	subscribed := heard{}
	s.resumer.Audience = subscribed
	request := session.NewResumeRequest(held, message.NoVersion)
	request.Renewed = true
	storetest.OK(t, "resume", s.resumer.Resume(t.Context(), request))
	if !subscribed["c1"].Equal(renewed.ExpiresAt) {
		t.Errorf("subscribed until %v, the token ends at %v", subscribed["c1"], renewed.ExpiresAt)
	}
}
