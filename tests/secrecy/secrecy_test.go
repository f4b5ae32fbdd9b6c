// Package secrecy looks where message text and secrets must not be: in the tables, and in what the functions log.
package secrecy

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/local/bootstrap"
	"github.com/tokenim/tokenim/local/engine"
	"github.com/tokenim/tokenim/local/run"
	"github.com/tokenim/tokenim/tests/conformance/client"
)

// logs collects what functions and runner print.
type logs struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *logs) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(line)
}

func (l *logs) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// caller calls the platform with one credential.
type caller struct {
	t          *testing.T
	base       string
	credential string
}

// call returns the members of the answer; a status of 500 and more fails.
func (c caller) call(method, path, body string) map[string]any {
	request, err := http.NewRequest(method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.credential)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 500 {
		c.t.Fatalf("%s %s: %d %s %v", method, path, answer.StatusCode, text, err)
	}
	var members map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &members); err != nil {
			c.t.Fatal(err)
		}
	}
	return members
}

func TestNoTextInTablesNoSecretsInLogs(t *testing.T) {
	printed := &logs{}
	runner, err := run.Start(t.Context(), run.Options{Root: "../..", Data: t.TempDir(), Memory: true, Log: printed,
		Ready: filepath.Join(t.TempDir(), "ready.json"), Binaries: t.TempDir(), Bootstrap: bootstrap.Local,
		Parameters: map[string]string{"LogSampleRate": "1"}}) // every success leaves a line too
	if err != nil {
		t.Fatal(err)
	}
	defer runner.Close()
	key := runner.Ready().APIKey
	backend := caller{t, runner.Ready().HTTP, key}
	ann := backend.call("POST", "/register", `{"username":"ann"}`)["user_id"].(string)
	bob := backend.call("POST", "/register", `{"username":"bob"}`)["user_id"].(string)
	token := backend.call("POST", "/users/"+bob+"/tokens", "")["token"].(string)
	ticket := caller{t, backend.base, token}.call("POST", "/tickets", "")["ticket"].(string)
	minted := backend.call("POST", "/keys", `{"name":"second","scopes":["messages:send"]}`)["api_key"].(string)

	const text = "the eagle lands at midnight"
	for i := range 5 {
		backend.call("POST", "/send", fmt.Sprintf(`{"from":%q,"to":%q,"message":"%s %d","client_id":"c%d"}`, ann, bob, text, i, i))
	}
	for _, broken := range []string{`{"message":"` + text + `"`, `{"message":"` + text + `","to":7}`, `{"` + text + `":1,"api_key":"` + key + `"}`} {
		backend.call("POST", "/send", broken)
	}
	page := backend.call("GET", "/users/"+bob+"/messages?unread=true", "")["items"].([]any)
	if len(page) != 5 || !strings.HasPrefix(page[0].(map[string]any)["message"].(string), text) {
		t.Fatalf("bob's messages are %v", page)
	}

	failPush(t, backend, client.Installation{HTTP: backend.base, WebSocket: runner.Ready().WebSocket, APIKey: token}, ann, bob, text)

	secrets := []string{text, "eagle", key, minted, token, ticket, secretOf(key), secretOf(minted)}
	hold(t, "the tables", dump(t, runner.DynamoDB()), secrets)
	broadcastUnderWay(t, backend, runner.DynamoDB(), ann, text, secrets)
	if !strings.Contains(printed.String(), `"msg":"ok"`) || !strings.Contains(printed.String(), `"msg":"refused"`) {
		t.Fatal("the functions logged nothing; this test sees nothing")
	}
	hold(t, "the logs", printed.String(), secrets)
}

// broadcastUnderWay looks into the tables while a broadcast is unfinished: until then its content is there.
func broadcastUnderWay(t *testing.T, backend caller, endpoint, from, text string, secrets []string) {
	for range 20 {
		backend.call("POST", "/broadcasts", fmt.Sprintf(`{"from":%q,"message":"%s, all of you"}`, from, text))
		tables := dump(t, endpoint)
		if hold(t, "the tables, in a broadcast,", tables, secrets); strings.Contains(tables, "#content\n") {
			return
		}
	}
	t.Error("no broadcast was seen that is unfinished; this test sees nothing")
}

// failPush has the gateway refuse what is pushed to bob, both times that it is tried. The trace of the message tells why it did not
// come, by what was kept of that.
func failPush(t *testing.T, backend caller, token client.Installation, ann, bob, text string) {
	t.Helper()
	socket, _, err := token.Dial(t.Context(), client.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Drop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := socket.Await(ctx, func(events []client.Frame) bool { return len(events) > 0 }); err != nil { // its resume
		t.Fatal(err)
	}
	armed, err := http.Post(backend.base+"/_local/faults", "application/json", strings.NewReader(`{"throttle_posts":2}`))
	if err != nil || armed.StatusCode >= http.StatusMultipleChoices {
		t.Fatalf("arm the faults: %v, %v", armed, err)
	}
	armed.Body.Close()
	sent := backend.call("POST", "/send", fmt.Sprintf(`{"from":%q,"to":%q,"message":%q}`, ann, bob, text))["message_id"].(string)
	traced, err := json.Marshal(backend.call("GET", "/messages/"+sent+"/trace", "")["items"])
	if err != nil || !strings.Contains(string(traced), `"result":"failed"`) || !strings.Contains(string(traced), `"why":"push_failed"`) {
		t.Fatalf("the trace tells %s, %v", traced, err)
	}
}

// hold fails where the text has one of the secrets.
func hold(t *testing.T, what, text string, secrets []string) {
	for _, secret := range secrets {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("%s have %q: …%s…", what, secret, text[max(0, at-80):min(len(text), at+80)])
		}
	}
}

func secretOf(key string) string { return key[strings.LastIndexByte(key, '_')+1:] }

// dump returns every item of every table, binary values in the clear and in base64.
func dump(t *testing.T, endpoint string) string {
	db := engine.Client(endpoint)
	tables, err := db.ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if err != nil {
		t.Fatal(err)
	}
	if len(tables.TableNames) < 7 {
		t.Fatalf("only %v were found", tables.TableNames)
	}
	var all strings.Builder
	for _, name := range tables.TableNames {
		pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: &name})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range page.Items {
				write(&all, &types.AttributeValueMemberM{Value: item})
			}
		}
	}
	return all.String()
}

func write(all *strings.Builder, value types.AttributeValue) {
	switch v := value.(type) {
	case *types.AttributeValueMemberM:
		for name, inner := range v.Value {
			all.WriteString(name + "=")
			write(all, inner)
		}
	case *types.AttributeValueMemberL:
		for _, inner := range v.Value {
			write(all, inner)
		}
	case *types.AttributeValueMemberB:
		all.Write(v.Value)
		all.WriteString(base64.StdEncoding.EncodeToString(v.Value))
	case *types.AttributeValueMemberS:
		all.WriteString(v.Value)
	case *types.AttributeValueMemberN:
		all.WriteString(v.Value)
	}
	all.WriteByte('\n')
}
