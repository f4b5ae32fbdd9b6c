package run_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/coder/websocket"

	"github.com/tokenim/tokenim/local/engine"
	"github.com/tokenim/tokenim/local/run"
)

// dial opens a socket; query is what the fixture's functions read.
func dial(t *testing.T, r *run.Runner, query string, o *websocket.DialOptions) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, r.Ready().WebSocket+"?"+query, o)
	if err == nil {
		conn.SetReadLimit(1 << 20)
		t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, response, err
}

func mustDial(t *testing.T, r *run.Runner, query string) *websocket.Conn {
	t.Helper()
	conn, _, err := dial(t, r, query, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// read returns the next message.
func read(t *testing.T, conn *websocket.Conn) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, data, err := conn.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func send(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// echo sends a frame and returns the event that the function got.
func echo(t *testing.T, conn *websocket.Conn, text string) events.APIGatewayWebsocketProxyRequest {
	t.Helper()
	send(t, conn, text)
	var event events.APIGatewayWebsocketProxyRequest
	if err := json.Unmarshal(read(t, conn), &event); err != nil {
		t.Fatal(err)
	}
	return event
}

func note(t *testing.T, r *run.Runner, key string) string {
	t.Helper()
	out, err := engine.Client(r.DynamoDB()).GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String("notes-table"), Key: map[string]dynamotypes.AttributeValue{"pk": &dynamotypes.AttributeValueMemberS{Value: key}}})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := out.Item["text"].(*dynamotypes.AttributeValueMemberS)
	if text == nil {
		return ""
	}
	return text.Value
}

func management(r *run.Runner) *apigatewaymanagementapi.Client {
	return apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""), RetryMaxAttempts: 1,
		BaseEndpoint: aws.String(r.Environment("Socket")["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"])})
}

func TestHandshakeAsksTheAuthorizerAndConnect(t *testing.T) {
	r := start(t, options(t))
	for query, want := range map[string]int{
		"": 403, "token=deny": 403, "token=unauthorized": 401, "token=boom": 500,
		"token=allow&connect=refuse": 402, "token=allow&connect=fail": 500, "token=allow": 101,
	} {
		_, response, err := dial(t, r, query, nil)
		if response == nil || response.StatusCode != want {
			t.Errorf("query %q: %+v, %v; want %d", query, response, err, want)
		}
	}
	conn, _, err := dial(t, r, "token=allow&connect=protocol", &websocket.DialOptions{Subprotocols: []string{"chat.v1", "ticket.x"}})
	if err != nil || conn.Subprotocol() != "chat.v1" {
		t.Errorf("subprotocol: %v", err)
	}
	response, err := http.Get(r.Ready().HTTP + "/v1")
	if err != nil || response.StatusCode != 200 {
		t.Errorf("a plain GET of the stage's path belongs to the HTTP API: %v, %v", response, err)
	}
	response.Body.Close()
}

func TestFramesCarryTheAuthorizersContext(t *testing.T) {
	r := start(t, options(t))
	conn := mustDial(t, r, "token=allow")
	event := echo(t, conn, `{"action":"echo","x":1}`)
	c := event.RequestContext
	authorizer, _ := c.Authorizer.(map[string]any)
	if c.RouteKey != "echo" || c.EventType != "MESSAGE" || c.Stage != "v1" || event.Body != `{"action":"echo","x":1}` || event.IsBase64Encoded {
		t.Errorf("event = %+v", event)
	}
	if authorizer["principalId"] != "user-1" || authorizer["app"] != "a1" || authorizer["level"] != "3" {
		t.Errorf("authorizer = %v", authorizer)
	}
	if len(c.ConnectionID) != 16 || !strings.HasSuffix(c.ConnectionID, "=") || c.MessageID == "" || c.ConnectedAt == 0 {
		t.Errorf("context = %+v", c)
	}
	if got := note(t, r, c.ConnectionID+" connect"); !strings.Contains(got, "GoneException") {
		t.Errorf("a post inside $connect: %q, want GoneException", got)
	}
	for _, text := range []string{`{"action":"unknown"}`, `{"action":"$connect"}`, `{"action":7}`, `no JSON`} {
		if got := echo(t, conn, text).RequestContext.RouteKey; got != "$default" {
			t.Errorf("%s goes to %s, want $default", text, got)
		}
	}
	send(t, conn, `{"action":"fail"}`)
	if got := string(read(t, conn)); !strings.Contains(got, `"Internal server error"`) || !strings.Contains(got, c.ConnectionID) {
		t.Errorf("a failed function: %s", got)
	}
}

func TestFramesOfOneConnectionOverlap(t *testing.T) {
	r := start(t, options(t))
	conn := mustDial(t, r, "token=allow")
	send(t, conn, `{"action":"slow"}`)
	if got := echo(t, conn, `{"action":"echo"}`).RequestContext.RouteKey; got != "echo" {
		t.Errorf("the first answer is to %s: the quick frame waited for the slow one", got)
	}
}

func TestLimitsCloseWith1009(t *testing.T) {
	r := start(t, options(t))
	conn := mustDial(t, r, "token=allow")
	fits := echo(t, conn, `{"action":"echo","x":"`+strings.Repeat("y", 32<<10-24)+`"}`)
	if len(fits.Body) != 32<<10 {
		t.Errorf("a frame of 32 KB arrives with %d bytes", len(fits.Body))
	}
	_ = conn.Write(t.Context(), websocket.MessageText, make([]byte, 32<<10+1))
	if code := closeCode(t, conn); code != websocket.StatusMessageTooBig {
		t.Errorf("a frame over 32 KB ends with %d, want 1009", code)
	}
	await(t, "the $disconnect event", func() bool {
		return strings.Contains(note(t, r, fits.RequestContext.ConnectionID+" disconnect"), `"disconnectStatusCode":1009`)
	})
}

// closeCode reads until the connection ends.
func closeCode(t *testing.T, conn *websocket.Conn) websocket.StatusCode {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		if _, _, err := conn.Read(ctx); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func TestIdleAndOldConnectionsAreCut(t *testing.T) {
	r := start(t, options(t))
	idle := mustDial(t, r, "token=allow")
	tell(t, r, "clock", `{"advance_seconds": 599}`)
	busy := mustDial(t, r, "token=allow")
	echo(t, idle, `{"action":"echo"}`)
	tell(t, r, "clock", `{"advance_seconds": 590}`)
	echo(t, busy, `{"action":"echo"}`)
	tell(t, r, "clock", `{"advance_seconds": 20}`)
	if code := closeCode(t, idle); code != websocket.StatusGoingAway {
		t.Errorf("an idle connection ends with %d", code)
	}
	for range 14 {
		echo(t, busy, `{"action":"echo"}`)
		tell(t, r, "clock", `{"advance_seconds": 500}`)
	}
	if code := closeCode(t, busy); code != websocket.StatusGoingAway {
		t.Errorf("a connection of two hours ends with %d", code)
	}
}

func TestManagementAPI(t *testing.T) {
	r := start(t, options(t))
	conn := mustDial(t, r, "token=allow")
	id := echo(t, conn, `{}`).RequestContext.ConnectionID
	api, ctx := management(r), t.Context()
	info, err := api.GetConnection(ctx, &apigatewaymanagementapi.GetConnectionInput{ConnectionId: &id})
	if err != nil || info.ConnectedAt == nil || info.Identity == nil || *info.Identity.SourceIp != "127.0.0.1" {
		t.Fatalf("GetConnection = %+v, %v", info, err)
	}
	for n := range 50 {
		post(t, api, id, []byte{byte('0' + n)})
	}
	for n := range 50 {
		if got := read(t, conn); got[0] != byte('0'+n) {
			t.Fatalf("post %d arrives as %q", n, got)
		}
	}
	_, err = api.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: make([]byte, 128<<10+1)})
	if tooLarge := (*types.PayloadTooLargeException)(nil); !errors.As(err, &tooLarge) {
		t.Errorf("a post over 128 KB: %v", err)
	}
	post(t, api, id, []byte("last words"))
	if _, err := api.DeleteConnection(ctx, &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &id}); err != nil {
		t.Fatal(err)
	}
	if got := string(read(t, conn)); got != "last words" {
		t.Errorf("before the end: %q", got)
	}
	if code := closeCode(t, conn); code != websocket.StatusNormalClosure {
		t.Errorf("a deleted connection ends with %d", code)
	}
	for _, gone := range []string{id, "L0SM9cOFvHcCIhw="} {
		_, err := api.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &gone, Data: []byte("x")})
		if e := (*types.GoneException)(nil); !errors.As(err, &e) {
			t.Errorf("a post to %s: %v, want GoneException", gone, err)
		}
	}
	if got := r.Stats().Events["posts"]["Socket"]; got < 53 {
		t.Errorf("%d posts counted", got)
	}
}

func post(t *testing.T, api *apigatewaymanagementapi.Client, id string, data []byte) {
	t.Helper()
	if _, err := api.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: data}); err != nil {
		t.Fatal(err)
	}
}

func TestASlowClientIsThrottledAlone(t *testing.T) {
	r := start(t, options(t))
	slow, quick := mustDial(t, r, "token=allow"), mustDial(t, r, "token=allow")
	slowID := echo(t, slow, `{}`).RequestContext.ConnectionID
	api := management(r)
	await(t, "a 429 for the client that reads nothing", func() bool {
		_, err := api.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &slowID, Data: make([]byte, 100<<10)})
		e := (*types.LimitExceededException)(nil)
		return errors.As(err, &e)
	})
	echo(t, quick, `{}`)
}

func TestFaultsOnPurpose(t *testing.T) {
	r := start(t, options(t))
	conn := mustDial(t, r, "token=allow")
	id := echo(t, conn, `{}`).RequestContext.ConnectionID
	api := management(r)
	tell(t, r, "faults", `{"gone_posts": 1, "throttle_posts": 1}`)
	_, err := api.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte("x")})
	if e := (*types.GoneException)(nil); !errors.As(err, &e) {
		t.Errorf("first post: %v, want GoneException", err)
	}
	_, err = api.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte("x")})
	if e := (*types.LimitExceededException)(nil); !errors.As(err, &e) {
		t.Errorf("second post: %v, want LimitExceededException", err)
	}
	tell(t, r, "faults", `{"delay_frames": {"count": 1, "milliseconds": 200}}`)
	send(t, conn, `{"action":"slow"}`)
	if got := echo(t, conn, `{"action":"echo"}`).RequestContext.RouteKey; got != "echo" {
		t.Errorf("the delayed frame was not overtaken: %s", got)
	}
	read(t, conn)
	tell(t, r, "faults", `{"half_open": ["*"], "lose_disconnects": 1}`)
	post(t, api, id, []byte("into the void"))
	_ = conn.CloseNow()
	post(t, api, id, []byte("still 200"))
	tell(t, r, "clock", `{"advance_seconds": 7201}`)
	await(t, "the cut", func() bool {
		_, err := api.GetConnection(t.Context(), &apigatewaymanagementapi.GetConnectionInput{ConnectionId: &id})
		return err != nil
	})
	if got := note(t, r, id+" disconnect"); got != "" {
		t.Errorf("the $disconnect that was to be lost: %s", got)
	}
}

func TestTheMeterCountsByFunction(t *testing.T) {
	r := start(t, options(t))
	tell(t, r, "stats/reset", ``)
	mustDial(t, r, "token=allow")
	for _, usage := range r.Stats().DynamoDB {
		if usage.Function == "Socket" && usage.Action == "dynamodb:PutItem" && usage.Table == "notes-table" && usage.Calls == 1 && usage.WriteUnits == 1 {
			return
		}
	}
	t.Errorf("usage = %+v", r.Stats().DynamoDB)
}
